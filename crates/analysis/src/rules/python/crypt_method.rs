//! # `py/weak-crypt-method`
//!
//! ## What it does
//!
//! Reports `crypt` with methods that are fast to try.
//!
//! ## Why this is bad
//!
//! A list of passwords stored so is read back within hours.
//!
//! ## Example
//!
//! ```python
//! import crypt
//! x = crypt.crypt(password, crypt.METHOD_MD5)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! import crypt
//! x = crypt.crypt(password, crypt.METHOD_SHA512)
//! ```
//!
//! ## References
//!
//! - [CWE-916](https://cwe.mitre.org/data/definitions/916.html)
//! - [CWE-327](https://cwe.mitre.org/data/definitions/327.html)

use codeward_records::{Cwe, Level};

use crate::flow::Call;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-916-2",
    name: "py/weak-crypt-method",
    cwe: &[Cwe(916), Cwe(327)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Passwords are stored by an old method",
    fix: "use METHOD_SHA512 or a library for argon2",
    examples: &[Example {
        weak: "import crypt\nx = crypt.crypt(password, «crypt.METHOD_MD5»)\n",
        sound: "import crypt\nx = crypt.crypt(password, crypt.METHOD_SHA512)\n",
    }],
};

const OLD: &[&str] = &["crypt.METHOD_CRYPT", "crypt.METHOD_MD5", "crypt.METHOD_BLOWFISH"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let method = match call.path {
        "crypt.crypt" => call.argument(1, "salt"),
        "crypt.mksalt" => call.argument(0, "method"),
        _ => return,
    };
    if let Some(method) = method.filter(|method| OLD.contains(&method.value.path_text())) {
        report.add(&INFO, method.span, INFO.advice(), None);
    }
}
