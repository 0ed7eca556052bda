//! # `py/regex-backtracking`
//!
//! ## What it does
//!
//! Reports patterns with repetitions inside repetitions that can share out a text in many ways, used on input of any length.
//!
//! ## Why this is bad
//!
//! A text of thirty characters keeps the processor busy for hours.
//!
//! ## Example
//!
//! ```python
//! re.match(r"(\w+\s?)*$", text)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! re.match(r"\w+(\s\w+)*$", text)
//! ```
//!
//! ## References
//!
//! - [CWE-1333](https://cwe.mitre.org/data/definitions/1333.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Operand, Shape, ValueRef};
use crate::regular;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-1333-1",
    name: "py/regex-backtracking",
    cwe: &[Cwe(1333)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A regular expression may take for ever on some texts",
    fix: "take out the repetition inside the repetition, or limit the length of the text",
    examples: &[
        Example {
            weak: "import re\nPATTERN = re.compile(r'(\\w+\\s?)*$')\ndef f(text):\n    return «PATTERN».match(text)\n",
            sound: "import re\nPATTERN = re.compile(r'\\w+(\\s\\w+)*$')\ndef f(text):\n    return PATTERN.match(text)\n",
        },
        Example {
            weak: "import re\ndef f(text):\n    return re.match(«r'(a+)+$'», text)\n",
            sound: "import re\ndef f(text):\n    if len(text) > 20:\n        raise ValueError\n    return re.match(r'(a+)+$', text)\n",
        },
    ],
};

const FUNCTIONS: &[&str] = &["match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let (pattern, text) = match call.path.strip_prefix("re.") {
        Some(name) if FUNCTIONS.contains(&name) => (
            call.argument(0, "pattern"),
            if name.starts_with("sub") { call.argument(2, "string") } else { call.argument(1, "string") },
        ),
        _ => {
            let Some(receiver) = &call.receiver else { return };
            let Shape::Called { positional, .. } = &receiver.value.shape else { return };
            if receiver.value.path_text() != "re.compile()" || !FUNCTIONS.contains(&call.method) {
                return;
            }
            let Some(pattern) = positional.first() else { return };
            let text = if call.method.starts_with("sub") { call.positional.get(1) } else { call.first() };
            check(call, pattern, receiver, text, report);
            return;
        }
    };
    if let Some(pattern) = pattern {
        check(call, &pattern.value, pattern, text, report);
    }
}

fn check(call: &Call<'_>, pattern: &ValueRef, place: &Operand, text: Option<&Operand>, report: &mut Report<'_>) {
    let Some(text) = text else { return };
    let text = call.live(&text.value);
    let Some(taint) = text.taint(Classes::BACKTRACKING) else { return };
    let is_short = text.taint(Classes::SIZE).is_none();
    let explodes = pattern.characters().and_then(regular::parse).is_some_and(|regular| regular.can_explode());
    if explodes && !is_short {
        let message =
            "this pattern can try a text in exponentially many ways; take out the repetition inside the repetition";
        report.add(&INFO, place.span, message, Some(taint));
    }
}
