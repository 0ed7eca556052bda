//! # `java/object-stream` and its kin
//!
//! ## What it does
//!
//! Reports readers that make objects of whatever class the text or bytes name.
//!
//! ## Why this is bad
//!
//! Some classes do harm while they are made.
//!
//! ## Example
//!
//! ```java
//! new ObjectInputStream(socket.getInputStream()).readObject();
//! ```
//!
//! ## Use instead
//!
//! ```java
//! stream.setObjectInputFilter(ObjectInputFilter.Config.createFilter("com.example.Order;!*"));
//! ```
//!
//! ## References
//!
//! - [CWE-502](https://cwe.mitre.org/data/definitions/502.html)

use codeward_records::{Cwe, Level};

use super::{found, is_made_here, is_set};
use crate::flow::{Call, Classes, HARDENED, Shape};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static STREAM: RuleInfo = RuleInfo {
    code: "CW-JAVA-502-1",
    name: "java/object-stream",
    cwe: &[Cwe(502)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "Objects of any class are read from a stream",
    fix: "set a filter of allowed classes, or read a format without classes",
    examples: &[Example {
        weak: "Object f(byte[] bytes) throws Exception {\n  ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes));\n  return «in.readObject»();\n}\n",
        sound: "Object f(byte[] bytes) throws Exception {\n  ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes));\n  in.setObjectInputFilter(FILTER);\n  return in.readObject();\n}\n",
    }],
};

pub(super) static LIBRARY: RuleInfo = RuleInfo {
    code: "CW-JAVA-502-2",
    name: "java/open-mapper",
    cwe: &[Cwe(502)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "A text decides which classes its objects have",
    fix: "allow only the classes that are expected",
    examples: &[
        Example {
            weak: "Object f(String text) {\n  XStream stream = new XStream();\n  return «stream.fromXML»(text);\n}\n",
            sound: "Object f(String text) {\n  XStream stream = new XStream();\n  stream.allowTypes(new Class[] {Order.class});\n  return stream.fromXML(text);\n}\n",
        },
        Example {
            weak: "Object f(String text) {\n  return «new Yaml().load»(text);\n}\n",
            sound: "Object f(String text) {\n  return new Yaml(new SafeConstructor(new LoaderOptions())).load(text);\n}\n",
        },
        Example {
            weak: "ObjectMapper f() {\n  ObjectMapper mapper = new ObjectMapper();\n  «mapper.enableDefaultTyping»();\n  return mapper;\n}\n@JsonTypeInfo(use = «JsonTypeInfo.Id.CLASS»)\nclass Message {}\n",
            sound: "@JsonTypeInfo(use = JsonTypeInfo.Id.NAME)\nclass Message {}\n",
        },
    ],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let receiver = call.receiver.as_ref().map(|receiver| call.live(&receiver.value));
    if let Some(receiver) = &receiver {
        let is_open = !is_set(call, receiver, HARDENED);
        if call.is(&["ObjectInputStream().readObject", "ObjectInputStream().readUnshared"])
            && is_open
            && let Some(taint) = receiver.taint(Classes::PICKLE)
        {
            found(&STREAM, call.callee.span, Some(taint), report);
        }
        let has_constructor = match &receiver.shape {
            Shape::Called { positional, .. } => !positional.is_empty(),
            _ => true,
        };
        let is_open_yaml = !has_constructor && call.is(&["Yaml().load", "Yaml().loadAll", "Yaml().loadAs"]);
        let is_open_stream = call.is(&["XStream().fromXML"]) && is_open && is_made_here(receiver);
        let has_input = call.first().is_some_and(|text| !text.value.taints.is_empty());
        if is_open_yaml && has_input || is_open_stream {
            found(&LIBRARY, call.callee.span, None, report);
        }
        let is_switch = call.is(&["Kryo().setRegistrationRequired"]) && is_false(call)
            || call.has_method(&["setAutoTypeSupport"]) && !is_false(call)
            || call.has_method(&["enableDefaultTyping", "activateDefaultTyping"])
                && call.first().is_none_or(|first| {
                    first.value.path_text().contains("Laissez") || !first.value.path_text().contains("alidator")
                })
                && call.method == "enableDefaultTyping"
            || call.path.ends_with("HessianInput().readObject")
            || call.path == "Hessian2Input().readObject"
            || call.is(&["XMLDecoder().readObject"]);
        if is_switch {
            found(&LIBRARY, call.callee.span, None, report);
        }
    }
    if call.is(&["SerializationUtils.deserialize"])
        && let Some(taint) = call.first().and_then(|bytes| bytes.value.taint(Classes::PICKLE))
    {
        found(&STREAM, call.callee.span, Some(taint), report);
    }
    if call.path == "@JsonTypeInfo"
        && let Some(by) = call.positional.iter().find(|by| {
            ["JsonTypeInfo.Id.CLASS", "JsonTypeInfo.Id.MINIMAL_CLASS", "Id.CLASS"].contains(&by.value.path_text())
        })
    {
        found(&LIBRARY, by.span, None, report);
    }
}

fn is_false(call: &Call<'_>) -> bool {
    call.first().is_some_and(|setting| setting.value.boolean() == Some(false))
}
