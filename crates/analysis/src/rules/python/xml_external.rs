//! # `py/xml-external-entities`
//!
//! ## What it does
//!
//! Reports parsers whose external entities are switched on, and `lxml` parsers that resolve entities of input.
//!
//! ## Why this is bad
//!
//! An entity such as `SYSTEM "file:///etc/passwd"` puts a file's text into the document.
//!
//! ## Example
//!
//! ```python
//! parser.setFeature(feature_external_ges, True)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! parser.setFeature(feature_external_ges, False)
//! ```
//!
//! ## References
//!
//! - [CWE-611](https://cwe.mitre.org/data/definitions/611.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes};
use crate::report::Report;
use crate::rules::evidence::may_be_true;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-611-1",
    name: "py/xml-external-entities",
    cwe: &[Cwe(611)],
    severity: Level::High,
    confidence: Level::High,
    summary: "An XML parser is told to fetch external entities",
    fix: "leave external entities off, or pass a parser made with resolve_entities=False",
    examples: &[Example {
        weak: "import xml.sax\nfrom xml.sax.handler import feature_external_ges\ndef f():\n    parser = xml.sax.make_parser()\n    parser.setFeature(feature_external_ges, «True»)\n    return parser\n",
        sound: "import xml.sax\nfrom xml.sax.handler import feature_external_ges\ndef f():\n    parser = xml.sax.make_parser()\n    parser.setFeature(feature_external_ges, False)\n    return parser\n",
    }],
};

const FEATURES: &[&str] = &[
    "xml.sax.handler.feature_external_ges",
    "xml.sax.handler.feature_external_pes",
    "feature_external_ges",
    "feature_external_pes",
];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.has_method(&["setFeature"])
        && let [feature, state] = call.positional.as_slice()
    {
        let is_external = FEATURES.contains(&feature.value.path_text())
            || feature.value.text().is_some_and(|text| text.contains("features/external-"));
        if is_external && may_be_true(state) {
            report.add(&INFO, state.span, "this fetches external entities; leave the feature switched off", None);
        }
        return;
    }
    if call.is(&["lxml.etree.XMLParser", "lxml.etree.XMLPullParser"]) {
        for option in ["resolve_entities", "load_dtd", "dtd_validation"] {
            if let Some(state) = call.keyword(option).filter(|state| may_be_true(state) && state.value.text().is_none())
            {
                report.add(&INFO, state.span, "this parser resolves entities; pass resolve_entities=False", None);
            }
        }
        return;
    }
    let parses = ["lxml.etree.fromstring", "lxml.etree.parse", "lxml.etree.XML", "lxml.etree.iterparse"];
    if call.is(&parses)
        && call.argument(1, "parser").is_none()
        && let Some(document) = call.first()
        && let Some(taint) = call.live(&document.value).taint(Classes::XML_DECLARATION)
    {
        let message = "this parser resolves entities of the input; pass a parser made with resolve_entities=False";
        report.add(&INFO, document.span, message, Some(taint));
    }
}
