//! # Secrets: `js/hard-coded-credential`
//!
//! ## What it does
//!
//! Reports secrets that are written in the program.
//!
//! ## Why this is bad
//!
//! Whoever reads the program has them, and they cannot be changed without a new version.
//!
//! ## Example
//!
//! ```javascript
//! const password = "hunter2";
//! ```
//!
//! ## Use instead
//!
//! ```javascript
//! const password = process.env.PASSWORD;
//! ```
//!
//! ## References
//!
//! - [CWE-798](https://cwe.mitre.org/data/definitions/798.html)
//! - [CWE-259](https://cwe.mitre.org/data/definitions/259.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Operand};
use crate::rules::evidence::{is_secret_literal, is_secret_name};

use super::crypto;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static CREDENTIAL: RuleInfo = RuleInfo {
    code: "CW-JS-798-1",
    name: "js/hard-coded-credential",
    cwe: &[Cwe(798), Cwe(259)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A secret is written in the program",
    fix: "read it from the environment, without a default",
    examples: &[
        Example {
            weak: "const mysql = require('mysql');\nmysql.createConnection({ user: 'root', password: «'hunter2'» });\n",
            sound: "const mysql = require('mysql');\nmysql.createConnection({ user: 'root', password: process.env.PASSWORD });\n",
        },
        Example {
            weak: "const jwt = require('jsonwebtoken');\nfunction f(user) { return jwt.sign({ user }, «'s3cr3t-sauce'», { expiresIn: '1h' }); }\n",
            sound: "const jwt = require('jsonwebtoken');\nfunction f(user) { return jwt.sign({ user }, process.env.KEY, { expiresIn: '1h' }); }\n",
        },
    ],
};

const ADVICE: &str = "this secret is written in the program; read it from the environment, without a default";

pub(super) fn assign(name: &str, value: &Operand, report: &mut Report<'_>) {
    entry(name, value, report);
    crypto::assign(name, value, report);
}

pub(super) fn entry(name: &str, value: &Operand, report: &mut Report<'_>) {
    if !name.starts_with(['@', '%']) && is_secret_name(name) && is_secret_literal(&value.value, name) {
        report.add(&CREDENTIAL, value.span, ADVICE, None);
    }
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(&["jsonwebtoken.sign", "jwt.sign", "jsonwebtoken.verify", "jwt.verify"])
        && let Some(key) = call.positional.get(1)
        && is_secret_literal(&key.value, "")
    {
        report.add(&CREDENTIAL, key.span, ADVICE, None);
    }
}
