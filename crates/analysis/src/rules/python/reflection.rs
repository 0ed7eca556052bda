//! # `py/reflection`
//!
//! ## What it does
//!
//! Reports `getattr`, `globals()[...]`, `import_module` and the like with a name from outside that was not compared with a list.
//!
//! ## Why this is bad
//!
//! Every attribute can be reached, not only those meant for it.
//!
//! ## Example
//!
//! ```python
//! getattr(device, command)()
//! ```
//!
//! ## Use instead
//!
//! ```python
//! {"start": device.start, "stop": device.stop}[command]()
//! ```
//!
//! ## References
//!
//! - [CWE-470](https://cwe.mitre.org/data/definitions/470.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Operand, Shape};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-470-1",
    name: "py/reflection",
    cwe: &[Cwe(470)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input names the attribute, function or module to use",
    fix: "look the name up in a fixed table of allowed ones",
    examples: &[Example {
        weak: "import importlib\ndef f(device, name):\n    importlib.import_module(«name»)\n    return getattr(device, «name»)(), globals()[«name»]\n",
        sound: "def f(device, name):\n    return {'start': device.start, 'stop': device.stop}[name]()\n",
    }],
};

const ADVICE: &str = "input names what is used here; look it up in a fixed table of allowed names";

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let name = match call.path {
        "getattr" | "operator.attrgetter().__call__" => call.positional.get(1),
        "importlib.import_module"
        | "__import__"
        | "operator.attrgetter"
        | "operator.methodcaller"
        | "pydoc.locate"
        | "globals().get"
        | "vars().get"
        | "locals().get"
        | "django.utils.module_loading.import_string" => call.first(),
        _ if call.has_method(&["__getattribute__", "__getattr__"]) => call.positional.last(),
        _ => None,
    };
    let Some(name) = name else { return };
    let value = call.live(&name.value);
    if let Some(taint) = value.taint(Classes::NAME) {
        report.add(&INFO, name.span, ADVICE, Some(taint));
    }
}

pub(super) fn subscript(base: &Operand, index: &Operand, report: &mut Report<'_>) {
    let path = base.value.path_text();
    let is_namespace = matches!(path, "globals()" | "locals()" | "vars()" | "sys.modules" | "__builtins__")
        || path.ends_with(".__dict__")
        || matches!(&base.value.shape, Shape::Attribute(_, name) if name.as_ref() == "__dict__");
    if is_namespace && let Some(taint) = index.value.taint(Classes::NAME) {
        report.add(&INFO, index.span, ADVICE, Some(taint));
    }
}
