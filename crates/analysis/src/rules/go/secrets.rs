//! # `go/hard-coded-credential`, `go/credential-in-address`, `go/secret-logged`
//!
//! ## What they do
//!
//! Report secrets that are written in the code, and secrets that are written to the log.
//!
//! ## Why this is bad
//!
//! Everyone who can read the code, an old version of it, or the log, has the secret.
//!
//! ## Example
//!
//! ```go
//! const apiKey = "sk-live-1234"
//! ```
//!
//! ## Use instead
//!
//! ```go
//! apiKey := os.Getenv("API_KEY")
//! ```
//!
//! ## References
//!
//! - [CWE-798](https://cwe.mitre.org/data/definitions/798.html)
//! - [CWE-532](https://cwe.mitre.org/data/definitions/532.html)

use codeward_records::{Cwe, Level};

use super::{is_log, named};
use crate::flow::{Call, Operand, ValueRef};
use crate::report::Report;
use crate::rules::evidence::is_secret_name;
use crate::rules::{Example, RuleInfo};
use crate::syntax::Comparison;

pub(super) static WRITTEN: RuleInfo = RuleInfo {
    code: "CW-GO-798-1",
    name: "go/hard-coded-credential",
    cwe: &[Cwe(798), Cwe(259)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A secret is written in the code",
    fix: "read it from the environment or a secret store",
    examples: &[
        Example {
            weak: "package p\nconst apiKey = «\"sk-live-1234\"»\nvar c = Config{Password: «\"hunter2\"»}\n",
            sound: "package p\nimport \"os\"\nvar apiKey = os.Getenv(\"API_KEY\")\nvar c = Config{Password: os.Getenv(\"PASSWORD\")}\n",
        },
        Example {
            weak: "func f(password string) bool {\n\treturn password == «\"letmein1\"»\n}\n",
            sound: "func f(password string) bool {\n\treturn password == \"\"\n}\n",
        },
    ],
};

pub(super) static ADDRESS: RuleInfo = RuleInfo {
    code: "CW-GO-798-2",
    name: "go/credential-in-address",
    cwe: &[Cwe(798), Cwe(259)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A password is written in an address",
    fix: "read it from the environment or a secret store",
    examples: &[Example {
        weak: "func f() {\n\tsql.Open(\"postgres\", «\"postgres://admin:s3cret@db/app\"»)\n}\n",
        sound: "func f() {\n\tsql.Open(\"postgres\", os.Getenv(\"DATABASE_URL\"))\n}\n",
    }],
};

pub(super) static LOGGED: RuleInfo = RuleInfo {
    code: "CW-GO-532-1",
    name: "go/secret-logged",
    cwe: &[Cwe(532), Cwe(200)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A secret is written to the log",
    fix: "leave it out",
    examples: &[Example {
        weak: "func f(user, password string) {\n\tlog.Printf(\"login %q %q\", user, «password»)\n}\n",
        sound: "func f(user, password string) {\n\tlog.Printf(\"login %q\", user)\n}\n",
    }],
};

const ADVICE: &str = "this secret is written in the code; read it from the environment or a secret store";

const PLACEHOLDERS: &[&str] =
    &["none", "null", "nil", "true", "false", "password", "secret", "token", "string", "bearer", "basic", "changeme"];

/// Whether a literal may be a secret: not empty, no sentence, no placeholder.
fn is_secret(value: &ValueRef, name: &str) -> bool {
    let Some(text) = value.characters() else { return false };
    let plain = text.trim().to_ascii_lowercase();
    plain.len() >= 4
        && !plain.contains(char::is_whitespace)
        && !plain.contains(['<', '{', '%', '/', ':'])
        && !PLACEHOLDERS.contains(&plain.as_str())
        && plain != name.to_ascii_lowercase()
        && !is_secret_name(text)
}

pub(super) fn assign(name: &str, value: &Operand, report: &mut Report<'_>) {
    if is_secret_name(name) && is_secret(&value.value, name) {
        report.add(&WRITTEN, value.span, ADVICE, None);
    }
}

pub(super) fn entry(key: &Operand, value: &Operand, report: &mut Report<'_>) {
    if let Some(key) = key.value.text() {
        assign(key, value, report);
    }
}

pub(super) fn store(name: &str, value: &Operand, report: &mut Report<'_>) {
    assign(name, value, report);
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    for (name, operand) in &call.keywords {
        assign(name, operand, report);
    }
    if call.is(&[
        "database/sql.Open",
        "sqlx.Connect",
        "sqlx.Open",
        "postgres.Open",
        "mysql.Open",
        "redis.ParseURL",
        "amqp.Dial",
        "pgx.Connect",
        "options.Client().ApplyURI",
    ]) {
        for operand in &call.positional {
            if operand.value.text().is_some_and(has_password) {
                report.add(&ADDRESS, operand.span, ADVICE, None);
            }
        }
    }
    if is_log(call) {
        for operand in &call.positional {
            if operand.value.constant.is_none() && named(operand, is_secret_name) {
                report.add(&LOGGED, operand.span, "whoever can read the log has this secret; leave it out", None);
            }
        }
    }
}

/// `user:password@`, behind a scheme or at the start, or `password=...`.
fn has_password(address: &str) -> bool {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    if let Some((_, after)) = address.split_once("password=") {
        return !after.starts_with(' ') && !after.is_empty();
    }
    let Some((login, _)) = rest.split_once('@') else { return false };
    login.split_once(':').is_some_and(|(user, password)| {
        !user.is_empty() && !password.is_empty() && !login.contains('/') && !password.contains(['$', '{', '%'])
    })
}

pub(super) fn compare(left: &Operand, operator: Comparison, right: &Operand, report: &mut Report<'_>) {
    if !matches!(operator, Comparison::Equal | Comparison::NotEqual) {
        return;
    }
    for (secret, literal) in [(left, right), (right, left)] {
        if named(secret, is_secret_name) && literal.value.text().is_some() && is_secret(&literal.value, "") {
            report.add(&WRITTEN, literal.span, ADVICE, None);
        }
    }
}
