//! # `py/log-newline`
//!
//! ## What it does
//!
//! Reports input that is written to a log, or appended to a file as a line, with its line breaks.
//!
//! ## Why this is bad
//!
//! A line break lets the input write log lines of its own.
//!
//! ## Example
//!
//! ```python
//! logger.info("login by %s", name)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! logger.info("login by %r", name)
//! ```
//!
//! ## References
//!
//! - [CWE-117](https://cwe.mitre.org/data/definitions/117.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Labels, Piece, Shape, SourceKind, Taint, ValueRef};
use crate::report::Report;
use crate::rules::evidence::culpable_hole;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-117-1",
    name: "py/log-newline",
    cwe: &[Cwe(117)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input in a log may hold a line break",
    fix: "log it with %r or remove \\r and \\n",
    examples: &[Example {
        weak: "import logging\ndef f(name):\n    logging.info('login %s', «name»)\n",
        sound: "import logging\ndef f(name):\n    logging.info('login %r', name)\n",
    }],
};

const METHODS: &[&str] = &["debug", "info", "warning", "warn", "error", "critical", "exception", "log"];

/// Objects with methods of these names that are no logs.
const OTHERS: &[&str] = &["parser", "self", "messages", "flask", "click", "math", "cmath", "numpy", "torch", "sympy"];

/// Whether a value is a parameter as it came or the text of one, and no field or element of it.
fn is_text_itself(value: &ValueRef, taint: &Taint) -> bool {
    taint.enters_as(value) || !matches!(value.shape, Shape::Part(_) | Shape::Attribute(..))
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let advice = "a line break in this value forges a line of the log; log it with %r or remove \\r and \\n";
    if call.has_method(METHODS) {
        let Some(receiver) = &call.receiver else { return };
        let path = receiver.value.path_text();
        if OTHERS.contains(&path) || path.contains("argparse") {
            return;
        }
        let template = call.first().and_then(|first| first.value.text()).unwrap_or_default();
        if template.contains("%r") && !template.contains("%s") {
            return;
        }
        for operand in &call.positional {
            let value = call.live(&operand.value);
            for piece in value.pieces(operand.span) {
                let Piece::Hole { value, span } = piece else { continue };
                let is_meant = |taint: &&Taint| {
                    let is_whole = call.method != "debug" && is_text_itself(&value, taint);
                    taint.classes.has_any(Classes::LINES) && (taint.source.kind == SourceKind::Outside || is_whole)
                };
                if let Some(taint) = value.taints.iter().find(is_meant) {
                    report.add(&INFO, span, advice, Some(taint));
                }
            }
        }
        return;
    }
    let appends = call.receiver.as_ref().is_some_and(|receiver| receiver.value.labels.has(Labels::APPENDING));
    if appends
        && call.method == "write"
        && let Some(line) = call.first()
        && line.value.outline().ends_with('\n')
    {
        let value = call.live(&line.value);
        if let Some((hole, span, _)) = culpable_hole(&value, line.span, Classes::LINES) {
            report.add(&INFO, span, advice, hole.taint(Classes::LINES));
        }
    }
}
