//! # `py/secret-logged`, `py/secret-stored-in-clear`, `py/secret-in-table`, `py/secret-sent-in-clear`
//!
//! ## What it does
//!
//! Reports passwords that are logged, stored or sent as they came.
//!
//! ## Why this is bad
//!
//! A password that stands somewhere in clear is one that others will use.
//!
//! ## Example
//!
//! ```python
//! import logging
//! def f(user, password):
//!     logging.info('%s logs in with %s', user, password)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! import logging
//! def f(user, password):
//!     logging.info('%s logs in', user)
//! ```
//!
//! ## References
//!
//! - [CWE-532](https://cwe.mitre.org/data/definitions/532.html)
//! - [CWE-312](https://cwe.mitre.org/data/definitions/312.html)
//! - [CWE-256](https://cwe.mitre.org/data/definitions/256.html)
//! - [CWE-522](https://cwe.mitre.org/data/definitions/522.html)
//! - [CWE-319](https://cwe.mitre.org/data/definitions/319.html)
//! - [CWE-523](https://cwe.mitre.org/data/definitions/523.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Taint, ValueRef};
use crate::report::Report;
use crate::rules::evidence::{is_password_name, words};
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-532-1",
    name: "py/secret-logged",
    cwe: &[Cwe(532)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A password is written to a log",
    fix: "leave the password out of the message",
    examples: &[Example {
        weak: "import logging\ndef f(user, password):\n    logging.info('%s logs in with %s', user, «password»)\n",
        sound: "import logging\ndef f(user, password):\n    logging.info('%s logs in', user)\n",
    }],
};

pub(super) static FILE: RuleInfo = RuleInfo {
    code: "CW-PY-312-1",
    name: "py/secret-stored-in-clear",
    cwe: &[Cwe(312), Cwe(256)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A password is stored as it is",
    fix: "store a slow hash of it",
    examples: &[Example {
        weak: "def f(file, password):\n    file.write(«password»)\n",
        sound: "import bcrypt\ndef f(file, password):\n    file.write(bcrypt.hashpw(password, bcrypt.gensalt()))\n",
    }],
};

pub(super) static TABLE: RuleInfo = RuleInfo {
    code: "CW-PY-256-1",
    name: "py/secret-in-table",
    cwe: &[Cwe(256), Cwe(522)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A password is kept in a table as it is",
    fix: "keep a slow hash of it",
    examples: &[Example {
        weak: "def f(db, name, password):\n    db.execute('INSERT INTO users (name, password) VALUES (?, ?)', «(name, password)»)\n",
        sound: "import bcrypt\ndef f(db, name, password):\n    digest = bcrypt.hashpw(password, bcrypt.gensalt())\n    db.execute('INSERT INTO users (name, password) VALUES (?, ?)', (name, digest))\n",
    }],
};

pub(super) static SENT: RuleInfo = RuleInfo {
    code: "CW-PY-319-5",
    name: "py/secret-sent-in-clear",
    cwe: &[Cwe(319), Cwe(523)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A password is sent without encryption",
    fix: "send it to an address that starts with https",
    examples: &[Example {
        weak: "import requests\ndef f(password):\n    requests.post('http://example.org/login', data=«{'password': password}», timeout=5)\n",
        sound: "import requests\ndef f(password):\n    requests.post('https://example.org/login', data={'password': password}, timeout=5)\n",
    }],
};

const LEVELS: &[&str] = &["debug", "info", "warning", "warn", "error", "critical", "exception", "log"];

/// A password that came in by that name and is still one.
fn password(value: &ValueRef) -> Option<&Taint> {
    let is_whole = |taint: &&Taint| taint.classes.has_any(Classes::CODE);
    value.taints.iter().filter(is_whole).find(|taint| is_plain_password(&taint.source.label))
}

/// `password`, but not `password_hash` or `hashed_password`.
fn is_plain_password(name: &str) -> bool {
    let hides = ["hash", "hashed", "digest", "encrypted", "file", "path", "field", "id", "length", "policy", "input"];
    is_password_name(name) && !words(name).iter().any(|word| hides.contains(&word.as_str()))
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let is_log = LEVELS.contains(&call.method)
        && (call.path.starts_with("logging.")
            || call.receiver.as_ref().is_some_and(|log| report.written(log.span).to_ascii_lowercase().contains("log")));
    if is_log {
        for operand in &call.positional {
            if let Some(taint) = password(&operand.value) {
                report.add(&INFO, operand.span, INFO.advice(), Some(taint));
            }
        }
    } else if call.has_method(&["write", "writelines"])
        && let Some(operand) = call.first()
        && let Some(taint) = password(&operand.value)
    {
        report.add(&FILE, operand.span, FILE.advice(), Some(taint));
    } else if call.has_method(&["execute"])
        && let [statement, values, ..] = call.positional.as_slice()
        && statement.value.text().is_some_and(|text| text.to_ascii_lowercase().contains("password"))
        && let Some(taint) = password(&values.value)
    {
        report.add(&TABLE, values.span, TABLE.advice(), Some(taint));
    } else if call.path.starts_with("requests.") {
        sent(call, report);
    }
}

fn sent(call: &Call<'_>, report: &mut Report<'_>) {
    let Some(address) = call.argument(0, "url") else { return };
    let outline = address.value.outline();
    let Some(host) = outline.strip_prefix("http://") else { return };
    if host.starts_with("localhost") || host.starts_with("127.") || host.starts_with('\0') {
        return;
    }
    for name in ["data", "json", "auth", "params", "headers"] {
        if let Some(operand) = call.keyword(name)
            && let Some(taint) = password(&operand.value)
        {
            report.add(&SENT, operand.span, SENT.advice(), Some(taint));
        }
    }
}
