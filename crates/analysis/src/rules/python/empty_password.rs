//! # `py/empty-password`
//!
//! ## What it does
//!
//! Reports connections to a database with an empty password.
//!
//! ## Why this is bad
//!
//! Everyone who reaches the server can read and change what it holds.
//!
//! ## Example
//!
//! ```python
//! import pymysql
//! x = pymysql.connect(host='localhost', user='root', password='')
//! ```
//!
//! ## Use instead
//!
//! ```python
//! import os, pymysql
//! x = pymysql.connect(host='localhost', user='root', password=os.environ['PASSWORD'])
//! ```
//!
//! ## References
//!
//! - [CWE-258](https://cwe.mitre.org/data/definitions/258.html)
//! - [CWE-521](https://cwe.mitre.org/data/definitions/521.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Operand};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-258-1",
    name: "py/empty-password",
    cwe: &[Cwe(258), Cwe(521)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A database is opened without a password",
    fix: "give its user a password and read it from the environment",
    examples: &[
        Example {
            weak: "import pymysql\nx = pymysql.connect(host='localhost', user='root', password=«''»)\n",
            sound: "import os, pymysql\nx = pymysql.connect(host='localhost', user='root', password=os.environ['PASSWORD'])\n",
        },
        Example {
            weak: "X = {'HOST': 'localhost', 'USER': 'root', 'PASSWORD': «''»}\n",
            sound: "import os\nX = {'HOST': 'localhost', 'USER': 'root', 'PASSWORD': os.environ['PASSWORD']}\n",
        },
    ],
};

fn is_empty(operand: &Operand) -> bool {
    operand.value.characters() == Some("")
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.method != "connect" && !call.path.ends_with(".Connection") {
        return;
    }
    for name in ["password", "passwd"] {
        if let Some(password) = call.keyword(name).filter(|password| is_empty(password)) {
            report.add(&INFO, password.span, INFO.advice(), None);
        }
    }
}

/// The settings of a database, in one mapping.
pub(super) fn dictionary(entries: &[(Option<Operand>, Operand)], report: &mut Report<'_>) {
    let named = |name: &str| {
        let is_named = |key: &Operand| key.value.text().is_some_and(|key| key.eq_ignore_ascii_case(name));
        entries.iter().find(|(key, _)| key.as_ref().is_some_and(is_named)).map(|(_, value)| value)
    };
    if (named("host").is_some() || named("engine").is_some())
        && named("user").is_some()
        && let Some(password) = named("password").filter(|password| is_empty(password))
    {
        report.add(&INFO, password.span, INFO.advice(), None);
    }
}
