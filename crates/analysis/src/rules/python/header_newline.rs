//! # `py/header-newline`
//!
//! ## What it does
//!
//! Reports header lines put together from input in which line breaks were not ruled out.
//!
//! ## Why this is bad
//!
//! A line break ends the header and starts another one, or the body.
//!
//! ## Example
//!
//! ```python
//! f"Location: {place}\r\n"
//! ```
//!
//! ## Use instead
//!
//! ```python
//! if "\r" in place or "\n" in place:
//!     raise ValueError("line break")
//! ```
//!
//! ## References
//!
//! - [CWE-113](https://cwe.mitre.org/data/definitions/113.html)
//! - [CWE-93](https://cwe.mitre.org/data/definitions/93.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Operand, Piece};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-113-1",
    name: "py/header-newline",
    cwe: &[Cwe(113), Cwe(93)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input in a header may hold a line break",
    fix: "refuse values with \\r or \\n, or remove both",
    examples: &[Example {
        weak: "def f(place):\n    return f'HTTP/1.1 302 Found\\r\\nLocation: {«place»}\\r\\n\\r\\n'\n",
        sound: "def f(place):\n    place = place.replace('\\r', '').replace('\\n', '')\n    return f'HTTP/1.1 302 Found\\r\\nLocation: {place}\\r\\n\\r\\n'\n",
    }],
};

const ADVICE: &str = "a line break in this value starts another header; refuse or remove \\r and \\n";

pub(super) fn text(text: &Operand, report: &mut Report<'_>) {
    if !text.value.is_built() {
        return;
    }
    let outline = text.value.outline();
    let has_header = outline.contains("\r\n") && outline.split("\r\n").any(|line| line.contains(": "));
    if !has_header {
        return;
    }
    for piece in text.value.pieces(text.span) {
        if let Piece::Hole { value, span } = piece
            && let Some(taint) = value.taint(Classes::LINES)
        {
            report.add(&INFO, span, ADVICE, Some(taint));
        }
    }
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let is_headers = |operand: &Operand| operand.value.path_text().ends_with("Headers()");
    let adds =
        call.has_method(&["add", "set", "add_header", "append"]) && call.receiver.as_ref().is_some_and(is_headers);
    if adds || call.has_method(&["send_header", "putheader"]) {
        for operand in &call.positional {
            if let Some(taint) = call.live(&operand.value).taint(Classes::LINES) {
                report.add(&INFO, operand.span, ADVICE, Some(taint));
            }
        }
    }
}
