//! # `py/stylesheet-from-input`
//!
//! ## What it does
//!
//! Reports stylesheets that are part of the input.
//!
//! ## Why this is bad
//!
//! A stylesheet can read files and ask other hosts, and may run for ever.
//!
//! ## Example
//!
//! ```python
//! from lxml import etree
//! x = etree.XSLT(etree.fromstring(input()))
//! ```
//!
//! ## Use instead
//!
//! ```python
//! from lxml import etree
//! x = etree.XSLT(etree.parse('page.xsl'))
//! ```
//!
//! ## References
//!
//! - [CWE-91](https://cwe.mitre.org/data/definitions/91.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-091-1",
    name: "py/stylesheet-from-input",
    cwe: &[Cwe(91)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "Input is run as a stylesheet, which can read files",
    fix: "use a stylesheet of this program",
    examples: &[Example {
        weak: "from lxml import etree\nx = etree.XSLT(«etree.fromstring(input())»)\n",
        sound: "from lxml import etree\nx = etree.XSLT(etree.parse('page.xsl'))\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(&["lxml.etree.XSLT"])
        && let Some(sheet) = call.first()
        && let Some(taint) = call.live(&sheet.value).taint(Classes::XML_DECLARATION)
    {
        report.add(&INFO, sheet.span, INFO.advice(), Some(taint));
    }
}
