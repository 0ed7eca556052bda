//! # `py/xpath-built`
//!
//! ## What it does
//!
//! Reports XPath expressions with input in them, unless the quotes that could end its literal were ruled out.
//!
//! ## Why this is bad
//!
//! `' or '1'='1` turns a look-up of one entry into a look-up of all.
//!
//! ## Example
//!
//! ```python
//! root.find(f"user[name='{name}']")
//! ```
//!
//! ## Use instead
//!
//! ```python
//! next((user for user in root.iter("user") if user.findtext("name") == name), None)
//! ```
//!
//! ## References
//!
//! - [CWE-643](https://cwe.mitre.org/data/definitions/643.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Piece};
use crate::report::Report;
use crate::rules::evidence::subject;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-643-1",
    name: "py/xpath-built",
    cwe: &[Cwe(643)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A path into an XML document is put together from input",
    fix: "pass values as variables of the expression, as in xpath(query, name=value)",
    examples: &[Example {
        weak: "def f(root, name):\n    return root.find(«f\"user[name='{name}']\"»)\n",
        sound: "def f(root, name):\n    if \"'\" in name:\n        raise ValueError\n    return root.find(f\"user[name='{name}']\")\n",
    }],
};

const METHODS: &[&str] =
    &["find", "findall", "findtext", "iterfind", "xpath", "evaluate", "select", "select_one", "XPath"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if !METHODS.contains(&call.method) {
        return;
    }
    let Some(path) = subject(call, &["path", "match"]) else { return };
    let value = call.live(&path.value);
    let outline = value.outline();
    if !value.is_built() || !(outline.contains('[') || outline.contains('/')) {
        return;
    }
    let mut before = String::new();
    for piece in value.pieces(path.span) {
        match piece {
            Piece::Literal(text) => before.push_str(&text),
            Piece::Hole { value, .. } => {
                let is_open = |quote: char| before.matches(quote).count() % 2 == 1;
                let classes = match (is_open('\''), is_open('"')) {
                    (true, false) => Classes::XPATH_SINGLE_QUOTE,
                    (false, true) => Classes::XPATH_DOUBLE_QUOTE,
                    _ => Classes::XPATH,
                };
                if let Some(taint) = value.taint(classes) {
                    let message =
                        "this path is put together from input; pass the value as a variable or compare it in Python";
                    report.add(&INFO, path.span, message, Some(taint));
                }
                before.push('\0');
            }
        }
    }
}
