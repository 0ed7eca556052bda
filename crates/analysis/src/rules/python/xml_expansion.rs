//! # `py/xml-entity-expansion`
//!
//! ## What it does
//!
//! Reports the standard library's XML parsers reading input that was not searched for declarations.
//!
//! ## Why this is bad
//!
//! Ten lines of nested entities expand to gigabytes.
//!
//! ## Example
//!
//! ```python
//! ElementTree.fromstring(text)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! if "<!ENTITY" in text:
//!     raise ValueError("entities refused")
//! ElementTree.fromstring(text)
//! ```
//!
//! ## References
//!
//! - [CWE-776](https://cwe.mitre.org/data/definitions/776.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-776-1",
    name: "py/xml-entity-expansion",
    cwe: &[Cwe(776)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "XML from outside may declare entities that grow without end",
    fix: "use defusedxml, or refuse texts with <!DOCTYPE or <!ENTITY first",
    examples: &[Example {
        weak: "import xml.etree.ElementTree as ET\ndef f(text):\n    return ET.fromstring(«text»)\n",
        sound: "import xml.etree.ElementTree as ET\ndef f(text):\n    if '<!ENTITY' in text:\n        raise ValueError\n    return ET.fromstring(text)\n",
    }],
};

const FUNCTIONS: &[&str] = &[
    "xml.etree.ElementTree.fromstring",
    "xml.etree.ElementTree.parse",
    "xml.etree.ElementTree.XML",
    "xml.etree.ElementTree.iterparse",
    "xml.etree.ElementTree.fromstringlist",
    "xml.dom.minidom.parseString",
    "xml.dom.minidom.parse",
    "xml.dom.pulldom.parseString",
    "xml.dom.pulldom.parse",
    "xml.sax.parseString",
    "xml.sax.parse",
    "xml.dom.expatbuilder.parseString",
    "xml.dom.expatbuilder.parse",
    "xmltodict.parse",
];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if !call.is(FUNCTIONS) {
        return;
    }
    // A parser that the caller has set up may well refuse declarations.
    let has_parser = call.keyword("parser").is_some()
        || call.positional.len() > 1 && !call.path.starts_with("xml.sax.") && !call.path.ends_with("iterparse");
    let Some(document) = call.first().filter(|_| !has_parser) else { return };
    let value = call.live(&document.value);
    if let Some(taint) = value.taint(Classes::XML_DECLARATION) {
        let message =
            "entities declared in this input may expand without end; refuse \"<!ENTITY\" or \"<!DOCTYPE\" first";
        report.add(&INFO, document.span, message, Some(taint));
    }
}
