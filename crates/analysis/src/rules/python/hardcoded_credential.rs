//! # `py/hard-coded-credential`
//!
//! ## What it does
//!
//! Reports literals given to names of secrets, as a fall-back for a missing setting, and comparisons of secrets with literals.
//!
//! ## Why this is bad
//!
//! Everyone who can read the code, or an old version of it, has the secret.
//!
//! ## Example
//!
//! ```python
//! key = os.environ.get("API_KEY", "sk-live-1234")
//! ```
//!
//! ## Use instead
//!
//! ```python
//! key = os.environ["API_KEY"]
//! ```
//!
//! ## References
//!
//! - [CWE-798](https://cwe.mitre.org/data/definitions/798.html)
//! - [CWE-259](https://cwe.mitre.org/data/definitions/259.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Operand, Shape, SourceKind, ValueRef};
use crate::report::Report;
use crate::rules::evidence::{is_secret_literal, is_secret_name};
use crate::rules::{Example, RuleInfo};
use crate::syntax::Comparison;

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-798-1",
    name: "py/hard-coded-credential",
    cwe: &[Cwe(798), Cwe(259)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A secret is written in the code",
    fix: "read it from the environment or a secret store, without a default",
    examples: &[
        Example {
            weak: "import os\ndef f(host):\n    password = «'hunter2'»\n    key = os.environ.get('API_KEY', «'sk-1234'»)\n    return host.login(password, token=«'abc123'»), key\n",
            sound: "import os\ndef f(host):\n    password = os.environ['PASSWORD']\n    key = os.environ.get('API_KEY', '')\n    return host.login(password, token=key)\n",
        },
        Example {
            weak: "def f(password):\n    return password == «'letmein1'»\n",
            sound: "def f(password, expected):\n    return password == expected\n",
        },
    ],
};

const ADVICE: &str =
    "this secret is written in the code; read it from the environment or a secret store, without a default";

pub(super) fn assign(name: &str, value: &Operand, report: &mut Report<'_>) {
    // A variable with a name of the same kind has been reported where it was given its value.
    let written = report.written(value.span);
    let is_repeated = !written.contains(['\'', '"']) && is_secret_name(written);
    if is_secret_name(name) && is_secret_literal(&value.value, name) && !is_repeated {
        report.add(&INFO, value.span, ADVICE, None);
    }
}

pub(super) fn entry(key: &Operand, value: &Operand, report: &mut Report<'_>) {
    if let Some(key) = key.value.text() {
        assign(key, value, report);
    }
}

/// Whether a call reads a setting, and the setting's name.
fn setting<'a>(path: &str, positional: impl IntoIterator<Item = &'a ValueRef>) -> Option<&'a str> {
    let reads = matches!(path, "os.environ.get" | "os.getenv" | "os.environ.setdefault" | "os.environ.pop");
    positional.into_iter().next().filter(|_| reads)?.text()
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let values = call.positional.iter().map(|operand| &operand.value);
    if let Some(name) = setting(call.path, values) {
        if let Some(default) = call.positional.get(1) {
            assign(name, default, report);
        }
        return;
    }
    for (name, operand) in &call.keywords {
        assign(name, operand, report);
    }
}

/// `os.environ.get("API_KEY") or "literal"`.
pub(super) fn boolean(is_and: bool, left: &Operand, right: &Operand, report: &mut Report<'_>) {
    let path = left.value.path_text().strip_suffix("()").unwrap_or_default();
    if !is_and
        && let Shape::Called { positional, .. } = &left.value.shape
        && let Some(name) = setting(path, positional.iter())
    {
        assign(name, right, report);
    }
}

pub(super) fn compare(left: &Operand, operator: Comparison, right: &Operand, report: &mut Report<'_>) {
    if !matches!(operator, Comparison::Equal | Comparison::NotEqual) {
        return;
    }
    for (secret, literal) in [(left, right), (right, left)] {
        let is_input = secret.value.taints.iter().any(|taint| taint.enters_as(&secret.value));
        let is_outside = secret.value.taints.iter().any(|taint| taint.source.kind == SourceKind::Outside);
        let by_label = secret
            .value
            .taints
            .iter()
            .any(|taint| taint.enters_as(&secret.value) && is_secret_name(&taint.source.label));
        let named = by_label || (is_input || is_outside) && is_secret_name(report.written(secret.span));
        if named && literal.value.text().is_some() && is_secret_literal(&literal.value, "") {
            report.add(&INFO, literal.span, ADVICE, None);
        }
    }
}
