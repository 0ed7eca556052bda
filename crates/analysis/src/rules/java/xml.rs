//! # `java/xml-external`, `java/xpath-built`
//!
//! ## What it does
//!
//! Reports parsers of XML that follow external entities, as they do unless told otherwise, and XPath put together from input.
//!
//! ## Why this is bad
//!
//! A document can name files and addresses that the parser then reads.
//!
//! ## Example
//!
//! ```java
//! DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(in);
//! ```
//!
//! ## Use instead
//!
//! ```java
//! factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
//! ```
//!
//! ## References
//!
//! - [CWE-611](https://cwe.mitre.org/data/definitions/611.html)
//! - [CWE-643](https://cwe.mitre.org/data/definitions/643.html)

use codeward_records::{Cwe, Level};

use super::{found, is_made_here, is_set, outside};
use crate::flow::{Call, Classes, HARDENED, kind_of};
use crate::report::Report;
use crate::rules::evidence::culpable_hole;
use crate::rules::{Example, RuleInfo};

pub(super) static EXTERNAL: RuleInfo = RuleInfo {
    code: "CW-JAVA-611-1",
    name: "java/xml-external",
    cwe: &[Cwe(611), Cwe(776)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A parser of XML follows external entities",
    fix: "set disallow-doctype-decl on its factory first",
    examples: &[
        Example {
            weak: "Document f(InputStream in) throws Exception {\n  DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();\n  factory.setNamespaceAware(true);\n  return «factory.newDocumentBuilder»().parse(in);\n}\n",
            sound: "Document f(InputStream in) throws Exception {\n  DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();\n  factory.setFeature(\"http://apache.org/xml/features/disallow-doctype-decl\", true);\n  return factory.newDocumentBuilder().parse(in);\n}\n",
        },
        Example {
            weak: "XMLStreamReader f(InputStream in) throws Exception {\n  XMLInputFactory factory = XMLInputFactory.newInstance();\n  return «factory.createXMLStreamReader»(in);\n}\n",
            sound: "XMLStreamReader f(InputStream in) throws Exception {\n  XMLInputFactory factory = XMLInputFactory.newInstance();\n  factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);\n  return factory.createXMLStreamReader(in);\n}\n",
        },
    ],
};

pub(super) static STYLESHEET: RuleInfo = RuleInfo {
    code: "CW-JAVA-611-2",
    name: "java/stylesheet-external",
    cwe: &[Cwe(611)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A stylesheet or schema may load what its text names",
    fix: "set FEATURE_SECURE_PROCESSING or ACCESS_EXTERNAL_DTD on the factory",
    examples: &[Example {
        weak: "Transformer f(Source sheet) throws Exception {\n  TransformerFactory factory = TransformerFactory.newInstance();\n  return «factory.newTransformer»(sheet);\n}\n",
        sound: "Transformer f(Source sheet) throws Exception {\n  TransformerFactory factory = TransformerFactory.newInstance();\n  factory.setAttribute(XMLConstants.ACCESS_EXTERNAL_DTD, \"\");\n  factory.setAttribute(XMLConstants.ACCESS_EXTERNAL_STYLESHEET, \"\");\n  return factory.newTransformer(sheet);\n}\n",
    }],
};

pub(super) static XPATH: RuleInfo = RuleInfo {
    code: "CW-JAVA-643-1",
    name: "java/xpath-built",
    cwe: &[Cwe(643), Cwe(91)],
    severity: Level::High,
    confidence: Level::High,
    summary: "An XPath expression is put together from input",
    fix: "pass the values as variables of the expression",
    examples: &[Example {
        weak: "String f(XPath xpath, Document users, String name) throws Exception {\n  return xpath.evaluate(\"//user[name='\" + «name» + \"']/mail\", users);\n}\n",
        sound: "String f(XPath xpath, Document users, String name) throws Exception {\n  xpath.setXPathVariableResolver(variable -> name);\n  return xpath.evaluate(\"//user[name=$name]/mail\", users);\n}\n",
    }],
};

/// What makes a parser from a factory, or parses with one.
const PARSERS: &[&str] = &[
    "DocumentBuilderFactory().newDocumentBuilder",
    "SAXParserFactory().newSAXParser",
    "XMLInputFactory().createXMLStreamReader",
    "XMLInputFactory().createXMLEventReader",
    "SAXReader().read",
    "SAXBuilder().build",
    "XMLReader().parse",
    "Digester().parse",
];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if let Some(receiver) = &call.receiver {
        let is_open = is_made_here(&receiver.value) && !is_set(call, &receiver.value, HARDENED);
        if call.is(PARSERS) && is_open {
            found(&EXTERNAL, call.callee.span, None, report);
        }
        let has_source = call.positional.first().is_some_and(|source| !source.value.taints.is_empty());
        let loads = call.is(&[
            "TransformerFactory().newTransformer",
            "TransformerFactory().newTemplates",
            "SchemaFactory().newSchema",
        ]);
        if loads && is_open && has_source {
            found(&STYLESHEET, call.callee.span, None, report);
        }
    }
    let evaluates = call.is(&["XPath().compile", "XPath().evaluate", "XPath().evaluateExpression"])
        || call.has_method(&["selectNodes", "selectSingleNode", "valueOf"])
        || matches!(call.method, "compile" | "evaluate") && call.path.to_ascii_lowercase().starts_with("xpath");
    if evaluates && let Some(text) = call.first() {
        let value = call.live(&text.value);
        if let Some((hole, span, before)) = culpable_hole(&value, text.span, Classes::XPATH)
            && (before.contains('/') && before.contains('[') || outside(&hole, Classes::XPATH).is_some())
            && kind_of(&value) != "File"
        {
            found(&XPATH, span, hole.taint(Classes::XPATH), report);
        }
    }
}
