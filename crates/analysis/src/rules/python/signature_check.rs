//! # `py/signature-check`
//!
//! ## What it does
//!
//! Reports authentication codes compared by their start or a slice, looked for inside another text, or compared only when the
//! message happens to carry one.
//!
//! ## Why this is bad
//!
//! Whoever leaves the signature out, or sends a short one, is believed.
//!
//! ## Example
//!
//! ```python
//! if digest and expected != digest:
//!     return None
//! ```
//!
//! ## Use instead
//!
//! ```python
//! if not hmac.compare_digest(expected, digest):
//!     return None
//! ```
//!
//! ## References
//!
//! - [CWE-347](https://cwe.mitre.org/data/definitions/347.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Labels, Operand, Shape, ValueRef};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};
use crate::syntax::Comparison;

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-347-2",
    name: "py/signature-check",
    cwe: &[Cwe(347)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "A signature is checked in part, or not always",
    fix: "compare the whole signature with hmac.compare_digest",
    examples: &[Example {
        weak: "import hmac\ndef f(key, message, given):\n    code = hmac.new(key, message, 'sha256').hexdigest()\n    return code.startswith(«given») or «given» in code or «code[:8]» == given[:8] or «given» and code != given\n",
        sound: "import hmac\ndef f(key, message, given):\n    code = hmac.new(key, message, 'sha256').hexdigest()\n    return hmac.compare_digest(code, given)\n",
    }],
};

/// Whether a value is an authentication code that was computed here.
fn is_code(value: &ValueRef) -> bool {
    value.labels.has(Labels::DIGEST) && value.path_text().starts_with("hmac.")
        || matches!(&value.shape, Shape::Part(whole) if whole.path_text().starts_with("hmac.") && whole.labels.has(Labels::DIGEST))
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.has_method(&["startswith", "endswith"])
        && let (Some(receiver), Some(given)) = (&call.receiver, call.first())
        && (is_code(&receiver.value) && !given.value.is_literal() || is_code(&given.value))
    {
        report.add(
            &INFO,
            given.span,
            "a part of the signature is enough here; compare all of it with hmac.compare_digest",
            None,
        );
    }
    if call.is(&["hmac.compare_digest", "secrets.compare_digest"])
        && let [one, two] = call.positional.as_slice()
        && let Some(part) = [one, two].into_iter().find(|operand| is_slice(&operand.value) && is_code(&operand.value))
    {
        report.add(&INFO, part.span, "only a part of the signature is compared; compare all of it", None);
    }
}

fn is_slice(value: &ValueRef) -> bool {
    matches!(&value.shape, Shape::Part(_))
}

pub(super) fn compare(left: &Operand, operator: Comparison, right: &Operand, report: &mut Report<'_>) {
    let is_inside = matches!(operator, Comparison::In | Comparison::NotIn)
        && is_code(&right.value)
        && !matches!(right.value.shape, Shape::Sequence(..));
    if is_inside {
        report.add(
            &INFO,
            left.span,
            "a part of the signature is enough here; compare all of it with hmac.compare_digest",
            None,
        );
    }
    for operand in [left, right] {
        if matches!(operator, Comparison::Equal | Comparison::NotEqual)
            && is_slice(&operand.value)
            && is_code(&operand.value)
        {
            report.add(&INFO, operand.span, "only a part of the signature is compared; compare all of it", None);
        }
    }
}

/// `digest and expected != digest`, `not digest or expected == digest`.
pub(super) fn boolean(left: &Operand, right: &Operand, report: &mut Report<'_>) {
    let given = match (&left.value.shape, left.value.path_text()) {
        (Shape::Called { positional, .. }, "not()") => positional.first(),
        _ => Some(&left.value),
    };
    let Some(given) = given else { return };
    let mut checks = &right.value;
    while let (Shape::Called { positional, .. }, "not()") = (&checks.shape, checks.path_text()) {
        let Some(inner) = positional.first() else { return };
        checks = inner;
    }
    let Shape::Called { positional, .. } = &checks.shape else { return };
    let compares = matches!(checks.path_text(), "==()" | "!=()" | "hmac.compare_digest()" | "secrets.compare_digest()");
    let sides = positional.as_ref();
    if compares && sides.iter().any(is_code) && sides.iter().any(|side| side.key == given.key && !is_code(side)) {
        report.add(&INFO, left.span, "a message without a signature passes this check; refuse it instead", None);
    }
}
