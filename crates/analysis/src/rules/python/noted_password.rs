//! # `py/password-literal`
//!
//! ## What it does
//!
//! Notes every literal under the name of a password, placeholders and comparisons with nothing among them.
//!
//! ## Why this is bad
//!
//! Some of them are passwords.
//!
//! ## Example
//!
//! ```python
//! password = 'secret'
//! ```
//!
//! ## Use instead
//!
//! ```python
//! import os
//! password = os.environ['PASSWORD']
//! ```
//!
//! ## References
//!
//! - [CWE-259](https://cwe.mitre.org/data/definitions/259.html)
//! - [CWE-798](https://cwe.mitre.org/data/definitions/798.html)

use codeward_records::{Cwe, Level};

use crate::flow::Operand;
use crate::report::Report;
use crate::rules::evidence::{is_secret_name, words};
use crate::rules::{Example, RuleInfo};
use crate::syntax::Comparison;

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-259-1",
    name: "py/password-literal",
    cwe: &[Cwe(259), Cwe(798)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "A value under the name of a password is written in the code",
    fix: "read it from the environment or a secret store",
    examples: &[Example { weak: "password = «'secret'»\n", sound: "import os\npassword = os.environ['PASSWORD']\n" }],
};

const WORDS: &[&str] = &["password", "passwd", "pass", "pwd", "secret", "token", "passphrase"];

fn is_named(name: &str) -> bool {
    words(name).iter().any(|word| WORDS.contains(&word.as_str()))
}

pub(super) fn assign(name: &str, value: &Operand, report: &mut Report<'_>) {
    let written = report.written(value.span);
    let is_repeated = !written.contains(['\'', '"']) && is_secret_name(written);
    if is_named(name) && value.value.text().is_some_and(|text| !text.is_empty()) && !is_repeated {
        report.note(&INFO, value.span, value.span, INFO.advice());
    }
}

pub(super) fn entry(key: &Operand, value: &Operand, report: &mut Report<'_>) {
    if let Some(key) = key.value.text() {
        assign(key, value, report);
    }
}

pub(super) fn compare(left: &Operand, operator: Comparison, right: &Operand, report: &mut Report<'_>) {
    if !matches!(operator, Comparison::Equal | Comparison::NotEqual) {
        return;
    }
    for (secret, literal) in [(left, right), (right, left)] {
        let by_input = secret.value.taints.iter().any(|taint| is_named(&taint.source.label));
        let by_field = secret.value.path_text().rsplit('.').next().is_some_and(is_named);
        if (by_input || by_field) && literal.value.text().is_some() {
            report.note(&INFO, literal.span, literal.span, INFO.advice());
        }
    }
}
