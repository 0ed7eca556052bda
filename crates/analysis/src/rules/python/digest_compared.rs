//! # `py/digest-compared-with-equals`
//!
//! ## What it does
//!
//! Reports `==` and `!=` on authentication codes.
//!
//! ## Why this is bad
//!
//! The time until the first difference tells how much of a guess was right.
//!
//! ## Example
//!
//! ```python
//! expected == digest
//! ```
//!
//! ## Use instead
//!
//! ```python
//! hmac.compare_digest(expected, digest)
//! ```
//!
//! ## References
//!
//! - [CWE-208](https://cwe.mitre.org/data/definitions/208.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Labels, Operand};
use crate::report::Report;
use crate::rules::evidence::is_password_name;
use crate::rules::{Example, RuleInfo};
use crate::syntax::Comparison;

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-208-1",
    name: "py/digest-compared-with-equals",
    cwe: &[Cwe(208)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "An authentication code is compared in time that depends on it",
    fix: "compare with hmac.compare_digest",
    examples: &[Example {
        weak: "import hmac\ndef f(key, message, given):\n    return «hmac.new(key, message, 'sha256').hexdigest()» == given\n",
        sound: "import hmac\ndef f(key, message, given):\n    return hmac.compare_digest(hmac.new(key, message, 'sha256').hexdigest(), given)\n",
    }],
};

pub(super) fn compare(left: &Operand, operator: Comparison, right: &Operand, report: &mut Report<'_>) {
    let is_code =
        |operand: &Operand| operand.value.path_text().starts_with("hmac.") && operand.value.labels.has(Labels::DIGEST);
    if matches!(operator, Comparison::Equal | Comparison::NotEqual)
        && let Some(code) = [left, right].into_iter().find(|operand| is_code(operand))
    {
        report.add(&INFO, code.span, "comparing takes longer the more is right; use hmac.compare_digest", None);
    }
    // One character of a secret after the other.
    let base = |operand: &Operand| report.written(operand.span).split_once('[');
    if matches!(operator, Comparison::Equal | Comparison::NotEqual)
        && let (Some((one, at)), Some((_, same))) = (base(left), base(right))
        && at == same
        && is_password_name(one)
        && !at.contains(['"', '\''])
    {
        report.add(&INFO, left.span, "comparing takes longer the more is right; use hmac.compare_digest", None);
    }
}
