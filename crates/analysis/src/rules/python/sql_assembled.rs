//! # `py/sql-text-assembled`
//!
//! ## What it does
//!
//! Reports statements put together from values of unknown origin, such as an object's own fields or the result of another query.
//!
//! ## Why this is bad
//!
//! Whether the values are harmless is decided elsewhere, and changes there.
//!
//! ## Example
//!
//! ```python
//! self.db.execute("SELECT * FROM t WHERE a = %s" % self.name)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! self.db.execute("SELECT * FROM t WHERE a = ?", (self.name,))
//! ```
//!
//! ## References
//!
//! - [CWE-89](https://cwe.mitre.org/data/definitions/89.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Piece};
use crate::report::Report;
use crate::rules::evidence::looks_like_sql;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-089-2",
    name: "py/sql-text-assembled",
    cwe: &[Cwe(89)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "A statement of SQL is put together from an object's fields",
    fix: "write a placeholder and pass the value as a parameter",
    examples: &[Example {
        weak: "class A:\n    def f(self):\n        return self.db.execute(«'SELECT * FROM t WHERE a = %s' % self.name»)\n",
        sound: "class A:\n    def f(self):\n        return self.db.execute('SELECT * FROM t WHERE a = ?', (self.name,))\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if matches!(call.method, "debug" | "info" | "warning" | "error" | "exception" | "print" | "format" | "join" | "log")
    {
        return;
    }
    for operand in call.positional.iter().take(2).chain(call.keywords.iter().map(|(_, operand)| operand)) {
        let value = call.live(&operand.value);
        if !value.is_built() || !looks_like_sql(&value.outline()) || value.is_tainted(Classes::SQL) {
            continue;
        }
        let mut before = String::new();
        let is_unknown = value.pieces(operand.span).iter().any(|piece| match piece {
            Piece::Hole { value, .. } => {
                let is_table = names_a_table(&before);
                before.push('\0');
                value.taints.is_empty() && !is_table && is_unknown_path(value.path_text())
            }
            Piece::Literal(text) => {
                before.push_str(text);
                false
            }
        });
        if is_unknown {
            let message =
                "this statement is put together from a value of unknown origin; pass the value as a parameter";
            report.add(&INFO, operand.span, message, None);
        }
    }
}

/// Whether a text ends where the name of a table stands.
fn names_a_table(before: &str) -> bool {
    let last = before.split_whitespace().next_back().unwrap_or_default().to_ascii_uppercase();
    matches!(last.as_str(), "FROM" | "INTO" | "UPDATE" | "TABLE" | "JOIN" | "EXISTS")
}

/// Whether a path is that of a field, a variable from elsewhere, or a row of another query; capitals are for constants.
fn is_unknown_path(path: &str) -> bool {
    let is_constant = path.chars().any(char::is_uppercase) && !path.chars().any(char::is_lowercase);
    !path.is_empty() && !is_constant && (!path.contains('(') || path.contains("fetch"))
}
