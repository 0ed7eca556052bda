//! # `py/ldap-filter-built`
//!
//! ## What it does
//!
//! Reports LDAP filters with input in the place of a value that was not escaped.
//!
//! ## Why this is bad
//!
//! `*` matches everyone, and parentheses add conditions.
//!
//! ## Example
//!
//! ```python
//! f"(uid={name})"
//! ```
//!
//! ## Use instead
//!
//! ```python
//! f"(uid={ldap.filter.escape_filter_chars(name)})"
//! ```
//!
//! ## References
//!
//! - [CWE-90](https://cwe.mitre.org/data/definitions/90.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Classes, Operand, Piece};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-090-1",
    name: "py/ldap-filter-built",
    cwe: &[Cwe(90)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A filter for a directory is put together from input",
    fix: "escape * ( ) \\ and NUL, or allow only letters and digits",
    examples: &[Example {
        weak: "def f(name):\n    return f'(&(objectClass=person)(uid={«name»}))'\n",
        sound: "from ldap.filter import escape_filter_chars\ndef f(name):\n    return f'(&(objectClass=person)(uid={escape_filter_chars(name)}))'\n",
    }],
};

pub(super) fn text(text: &Operand, report: &mut Report<'_>) {
    let pieces = text.value.pieces(text.span);
    let starts = matches!(pieces.first(), Some(Piece::Literal(first)) if first.trim_start().starts_with('('));
    if !starts {
        return;
    }
    for window in pieces.windows(3) {
        let [Piece::Literal(before), Piece::Hole { value, span }, Piece::Literal(after)] = window else { continue };
        if !ends_with_attribute(before) || !after.trim_start_matches('*').starts_with(')') {
            continue;
        }
        if let Some(taint) = value.taint(Classes::LDAP) {
            let message =
                "this value stands in a directory filter; escape * ( ) \\ and NUL, or allow only letters and digits";
            report.add(&INFO, *span, message, Some(taint));
        }
    }
}

/// Whether a text ends with `(name=`, `(name>=` and the like.
fn ends_with_attribute(text: &str) -> bool {
    let text = text.trim_end_matches('*');
    let Some(text) = text.strip_suffix('=') else { return false };
    let text = text.trim_end_matches(['<', '>', '~', ':']);
    let name = text.rsplit('(').next().unwrap_or_default();
    text.len() > name.len()
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ';' | ':'))
}
