//! # `py/sql-string-built`
//!
//! ## What it does
//!
//! Reports statements that contain input, however they were put together: `+`, `%`, `.format`, f-strings, `.join`.
//!
//! ## Why this is bad
//!
//! The input can end the literal that it stands in and change the statement.
//!
//! ## Example
//!
//! ```python
//! connection.execute(f"SELECT * FROM users WHERE name = '{name}'")
//! ```
//!
//! ## Use instead
//!
//! ```python
//! connection.execute("SELECT * FROM users WHERE name = ?", (name,))
//! ```
//!
//! ## References
//!
//! - [CWE-89](https://cwe.mitre.org/data/definitions/89.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, SourceKind};
use crate::report::Report;
use crate::rules::evidence::{culpable_hole, is_parameter_itself, looks_like_sql};
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-089-1",
    name: "py/sql-string-built",
    cwe: &[Cwe(89)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A statement of SQL is put together from input",
    fix: "pass values as parameters instead of putting them into the text",
    examples: &[Example {
        weak: "def f(db, name):\n    query = 'SELECT * FROM users WHERE name = ' + name\n    return db.execute(«query»).fetchall()\n",
        sound: "def f(db, name):\n    query = 'SELECT * FROM users WHERE name = ?'\n    return db.execute(query, (name,)).fetchall()\n",
    }],
};

/// Methods that run a statement.
const EXECUTE: &[&str] =
    &["execute", "executemany", "executescript", "execute_sql", "raw", "mogrify", "read_sql", "read_sql_query"];

/// Calls that only show a text.
const SHOWS: &[&str] = &[
    "debug",
    "info",
    "warning",
    "warn",
    "error",
    "exception",
    "critical",
    "log",
    "print",
    "format",
    "join",
    "append",
    "write",
    "str",
    "repr",
    "len",
    "strip",
    "replace",
    "encode",
    "dedent",
];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if SHOWS.contains(&call.method) || call.path == "print" {
        return;
    }
    let runs = EXECUTE.contains(&call.method);
    for operand in call.positional.iter().take(2).chain(call.keywords.iter().map(|(_, operand)| operand)) {
        let value = call.live(&operand.value);
        let is_statement = value.is_built() && looks_like_sql(&value.outline());
        let is_first = call.positional.first().is_some_and(|first| std::ptr::eq(first, operand));
        if !is_statement && !(runs && is_first && (value.is_built() || !is_parameter_itself(&value))) {
            continue;
        }
        let Some(taint) = value.taint(Classes::SQL) else { continue };
        if !value.is_built() && taint.source.kind != SourceKind::Outside && value.path.is_some() {
            continue;
        }
        let message = match culpable_hole(&value, operand.span, Classes::SQL) {
            Some((_, _, before)) if !before.trim_end().ends_with(['=', '\'', '"', '(', ',', '%', '<', '>']) => {
                "this statement takes a name from input; look it up in a fixed list of names first"
            }
            _ => "this statement is put together from input; write a placeholder and pass the value as a parameter",
        };
        report.add(&INFO, operand.span, message, Some(taint));
    }
}
