//! # `py/password-in-address`
//!
//! ## What it does
//!
//! Reports literal addresses of the form `scheme://user:password@host`.
//!
//! ## Why this is bad
//!
//! Everyone who can read the code, or an old version of it, has the password.
//!
//! ## Example
//!
//! ```python
//! x = connect('postgresql://app:hunter2@db.example.org/shop')
//! ```
//!
//! ## Use instead
//!
//! ```python
//! import os
//! x = connect(os.environ['DATABASE_URL'])
//! ```
//!
//! ## References
//!
//! - [CWE-798](https://cwe.mitre.org/data/definitions/798.html)
//! - [CWE-522](https://cwe.mitre.org/data/definitions/522.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Operand};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-798-2",
    name: "py/password-in-address",
    cwe: &[Cwe(798), Cwe(522)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A password is part of an address in the code",
    fix: "put the address together from settings",
    examples: &[Example {
        weak: "x = connect(«'postgresql://app:hunter2@db.example.org/shop'»)\n",
        sound: "import os\nx = connect(os.environ['DATABASE_URL'])\n",
    }],
};

fn has_password(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((user, _)) = authority.rsplit_once('@') else { return false };
    let Some((name, password)) = user.split_once(':') else { return false };
    !scheme.contains(char::is_whitespace)
        && !name.contains(char::is_whitespace)
        && !password.is_empty()
        && !password.contains(['{', '%', '<', '$', '*'])
}

fn check(value: &Operand, report: &mut Report<'_>) {
    if value.value.text().is_some_and(has_password) && report.written(value.span).contains("://") {
        report.add(&INFO, value.span, INFO.advice(), None);
    }
}

pub(super) fn assign(value: &Operand, report: &mut Report<'_>) {
    check(value, report);
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    call.arguments().for_each(|operand| check(operand, report));
}
