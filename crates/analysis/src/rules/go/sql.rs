//! # `go/sql-string-built`, `go/sql-fragment`, `go/nosql-query`
//!
//! ## What they do
//!
//! Report statements of SQL that contain input, parts of statements that are input as a whole, and code for a document store that
//! contains input.
//!
//! ## Why this is bad
//!
//! The input can end the literal that it stands in and change the statement.
//!
//! ## Example
//!
//! ```go
//! db.Query("SELECT * FROM users WHERE name = '" + name + "'")
//! ```
//!
//! ## Use instead
//!
//! ```go
//! db.Query("SELECT * FROM users WHERE name = ?", name)
//! ```
//!
//! ## References
//!
//! - [CWE-89](https://cwe.mitre.org/data/definitions/89.html)
//! - [CWE-943](https://cwe.mitre.org/data/definitions/943.html)

use codeward_records::{Cwe, Level};

use super::from_outside;
use crate::flow::{Call, Classes, Operand};
use crate::report::Report;
use crate::rules::evidence::looks_like_sql;
use crate::rules::{Example, RuleInfo};

pub(super) static BUILT: RuleInfo = RuleInfo {
    code: "CW-GO-089-1",
    name: "go/sql-string-built",
    cwe: &[Cwe(89), Cwe(943)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A statement of SQL is put together from input",
    fix: "write a placeholder and pass the value as a parameter",
    examples: &[
        Example {
            weak: "package p\nimport (\"database/sql\"; \"fmt\")\nfunc f(db *sql.DB, name string) {\n\tq := fmt.Sprintf(\"SELECT a FROM t WHERE name = '%s'\", name)\n\tdb.Query(«q»)\n}\n",
            sound: "package p\nimport \"database/sql\"\nfunc f(db *sql.DB, name string) {\n\tdb.Query(\"SELECT a FROM t WHERE name = ?\", name)\n}\n",
        },
        Example {
            weak: "func f(w http.ResponseWriter, r *http.Request) {\n\tdb.Exec(«\"DELETE FROM t WHERE id = \" + r.FormValue(\"id\")»)\n}\n",
            sound: "func f(w http.ResponseWriter, r *http.Request) {\n\tid, err := strconv.Atoi(r.FormValue(\"id\"))\n\tif err != nil {\n\t\treturn\n\t}\n\tdb.Exec(\"DELETE FROM t WHERE id = \" + strconv.Itoa(id))\n}\n",
        },
    ],
};

pub(super) static FRAGMENT: RuleInfo = RuleInfo {
    code: "CW-GO-089-2",
    name: "go/sql-fragment",
    cwe: &[Cwe(89)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "Part of a statement of SQL is input",
    fix: "look it up in a fixed table, or pass it as a parameter",
    examples: &[Example {
        weak: "func f(c *gin.Context, db *gorm.DB) {\n\tdb.Order(«c.Query(\"sort\")»).Find(&users)\n}\n",
        sound: "func f(c *gin.Context, db *gorm.DB) {\n\tswitch c.Query(\"sort\") {\n\tcase \"name\", \"age\":\n\t\tdb.Order(\"name\").Find(&users)\n\t}\n}\n",
    }],
};

pub(super) static DOCUMENT: RuleInfo = RuleInfo {
    code: "CW-GO-943-1",
    name: "go/nosql-query",
    cwe: &[Cwe(943)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "Code that a document store runs is put together from input",
    fix: "compare fields with values instead of running code",
    examples: &[Example {
        weak: "func f(c *mongo.Collection, name string) {\n\tfilter := map[string]any{\"$where\": «\"this.name == '\" + name + \"'\"»}\n\tc.FindOne(ctx, filter)\n}\n",
        sound: "func f(c *mongo.Collection, name string) {\n\tfilter := map[string]any{\"name\": name}\n\tc.FindOne(ctx, filter)\n}\n",
    }],
};

/// Methods that run a statement.
const EXECUTE: &[&str] = &[
    "Query",
    "QueryRow",
    "QueryContext",
    "QueryRowContext",
    "Queryx",
    "QueryRowx",
    "Exec",
    "ExecContext",
    "MustExec",
    "NamedExec",
    "NamedQuery",
    "Prepare",
    "PrepareContext",
    "Preparex",
    "Raw",
    "Select",
    "Get",
    "SelectContext",
    "GetContext",
];

/// Methods that take part of a statement.
const FRAGMENTS: &[&str] = &[
    "Order", "Group", "Having", "Joins", "Where", "Or", "Not", "Table", "Select", "Raw", "Pluck", "Distinct", "OrderBy",
];

/// Calls that only show or put together a text.
const SHOWS: &[&str] = &["fmt.", "log.", "errors.", "strings.", "bytes.", "append", "len", "copy"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if SHOWS.iter().any(|name| call.path.starts_with(name)) || super::is_log(call) {
        return;
    }
    let runs = call.has_method(EXECUTE) && (is_database(call) || call.method != "Get" && call.method != "Select");
    for operand in call.positional.iter().take(3) {
        let value = call.live(&operand.value);
        let Some(taint) = value.taint(Classes::SQL) else { continue };
        let outline = value.outline();
        let is_statement = value.is_built() && looks_like_sql(&outline);
        let is_text_of_statement = runs && value.is_built() && is_first_text(call, operand);
        let is_whole_input = runs
            && matches!(call.method, "Query" | "Exec" | "QueryRow" | "Raw")
            && is_first_text(call, operand)
            && is_database(call)
            && from_outside(&value, Classes::SQL).is_some();
        if is_statement || is_text_of_statement || is_whole_input {
            let message =
                "this statement is put together from input; write a placeholder and pass the value as a parameter";
            report.add(&BUILT, operand.span, message, Some(taint));
            return;
        }
    }
    fragment(call, report);
}

fn is_first_text(call: &Call<'_>, operand: &Operand) -> bool {
    let at = usize::from(call.method.ends_with("Context"));
    call.positional.get(at).is_some_and(|first| std::ptr::eq(first, operand))
}

/// Whether what a method is called on is, or goes by the name of, a database.
fn is_database(call: &Call<'_>) -> bool {
    let path = call.path.rsplit_once('.').map_or("", |(owner, _)| owner).to_ascii_lowercase();
    ["sql", "gorm", "db", "tx", "conn", "pgx", "pool"].iter().any(|name| path.contains(name))
}

fn fragment(call: &Call<'_>, report: &mut Report<'_>) {
    if !call.has_method(FRAGMENTS) || !is_database(call) {
        return;
    }
    let Some(first) = call.first() else { return };
    let value = call.live(&first.value);
    let taint = if value.is_built() { value.taint(Classes::SQL) } else { from_outside(&value, Classes::SQL) };
    if let Some(taint) = taint {
        let message = "this part of a statement is input; look it up in a fixed table, or pass it as a parameter";
        report.add(&FRAGMENT, first.span, message, Some(taint));
    }
}

/// `"$where": ...`.
pub(super) fn entry(key: &Operand, value: &Operand, report: &mut Report<'_>) {
    if matches!(key.value.text(), Some("$where" | "$function" | "$accumulator"))
        && let Some(taint) = value.value.taint(Classes::SQL)
    {
        let message = "the store runs this code and the input in it; compare fields with values instead";
        report.add(&DOCUMENT, value.span, message, Some(taint));
    }
}
