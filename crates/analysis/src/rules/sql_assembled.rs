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
use crate::rules::RuleInfo;
use crate::rules::evidence::looks_like_sql;

pub(super) static INFO: RuleInfo = RuleInfo {
    name: "py/sql-text-assembled",
    cwe: &[Cwe(89)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "A statement of SQL is put together from an object's fields",
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
        let is_unknown = |piece: &Piece| match piece {
            Piece::Hole { value, .. } => {
                value.taints.is_empty()
                    && (value.path_text().starts_with("self.") || value.path_text().contains("fetch"))
            }
            Piece::Literal(_) => false,
        };
        if value.pieces(operand.span).iter().any(is_unknown) {
            let message =
                "this statement is put together from a value of unknown origin; pass the value as a parameter";
            report.add(&INFO, operand.span, message, None);
        }
    }
}
