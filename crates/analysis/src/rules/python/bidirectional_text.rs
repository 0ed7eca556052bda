//! # `py/bidirectional-text`
//!
//! ## What it does
//!
//! Reports marks of direction in the source, once a line.
//!
//! ## Why this is bad
//!
//! What a reader sees is not what runs: a condition can hide in what looks like a comment.
//!
//! ## Example
//!
//! ```python
//! a = 'x<U+202E> y'
//! ```
//!
//! ## Use instead
//!
//! ```python
//! a = 'x y'
//! ```
//!
//! ## References
//!
//! - [CWE-1007](https://cwe.mitre.org/data/definitions/1007.html)
//! - [CWE-838](https://cwe.mitre.org/data/definitions/838.html)

use codeward_records::{Cwe, Level};

use crate::report::Report;
use crate::rules::{Example, RuleInfo};
use crate::syntax::Span;

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-1007-1",
    name: "py/bidirectional-text",
    cwe: &[Cwe(1007), Cwe(838)],
    severity: Level::High,
    confidence: Level::High,
    summary: "The text holds marks that make it read in another order than it runs",
    fix: "remove them, or write them as escapes",
    examples: &[Example { weak: "a = 'x«\u{202e}» y'\n", sound: "a = 'x y'\n" }],
};

pub(super) fn file(source: &str, report: &mut Report<'_>) {
    if source.is_ascii() {
        return;
    }
    let is_mark = |letter: char| matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let first_of_line = source.split_inclusive('\n').scan(0, |start, line| {
        let at = *start;
        *start += line.len();
        Some((at, line))
    });
    for (start, line) in first_of_line {
        if let Some((at, mark)) = line.char_indices().find(|(_, letter)| is_mark(*letter)) {
            let start = start + at;
            report.add(&INFO, Span { start, end: start + mark.len_utf8() }, INFO.advice(), None);
        }
    }
}
