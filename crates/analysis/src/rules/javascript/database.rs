//! # Queries: `js/sql-built`, `js/sql-assembled`, `js/query-operators`, `js/query-where`, `js/ldap-filter`, `js/xpath-built`
//!
//! ## What it does
//!
//! Reports queries of every kind that are put together from input, and whole request parts that are taken for a query.
//!
//! ## Why this is bad
//!
//! The input can end a literal and go on as a query of its own; a request part can be an object with operators such as `$ne`.
//!
//! ## Example
//!
//! ```javascript
//! db.query("SELECT * FROM users WHERE name = '" + name + "'");
//! ```
//!
//! ## Use instead
//!
//! ```javascript
//! db.query("SELECT * FROM users WHERE name = ?", [name]);
//! ```
//!
//! ## References
//!
//! - [CWE-89](https://cwe.mitre.org/data/definitions/89.html)
//! - [CWE-943](https://cwe.mitre.org/data/definitions/943.html)
//! - [CWE-90](https://cwe.mitre.org/data/definitions/90.html)
//! - [CWE-643](https://cwe.mitre.org/data/definitions/643.html)

use codeward_records::{Cwe, Level};

use super::{check, check_outside, is_of_unknown_origin, outside};
use crate::flow::{Call, Classes, Operand, Piece, Shape, ValueRef};
use crate::report::Report;
use crate::rules::evidence::{culpable_hole, looks_like_sql};
use crate::rules::{Example, RuleInfo};

pub(super) static SQL: RuleInfo = RuleInfo {
    code: "CW-JS-089-1",
    name: "js/sql-built",
    cwe: &[Cwe(89)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A statement of SQL is put together from input",
    fix: "pass values as parameters instead of putting them into the text",
    examples: &[
        Example {
            weak: "function f(db, name) {\n  const query = `SELECT * FROM users WHERE name = '${name}'`;\n  return db.query(«query»);\n}\n",
            sound: "function f(db, name) {\n  return db.query('SELECT * FROM users WHERE name = ?', [name]);\n}\n",
        },
        Example {
            weak: "const mysql = require('mysql2');\nconst db = mysql.createPool({});\nmodule.exports = (req, res) => db.execute(«req.body.statement», (error, rows) => res.json(rows));\n",
            sound: "const mysql = require('mysql2');\nconst db = mysql.createPool({});\nmodule.exports = (req, res) => db.query('DELETE FROM t WHERE id = ' + Number(req.body.id));\n",
        },
    ],
};

pub(super) static SQL_ASSEMBLED: RuleInfo = RuleInfo {
    code: "CW-JS-089-2",
    name: "js/sql-assembled",
    cwe: &[Cwe(89)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A statement of SQL is put together from values of unknown origin",
    fix: "pass values as parameters instead of putting them into the text",
    examples: &[Example {
        weak: "db.get(«\"SELECT note FROM notes WHERE id = '\" + data.id + \"'\"», done);\n",
        sound: "const TABLE = 'notes';\ndb.get('SELECT note FROM ' + TABLE + ' WHERE id = ?', [data.id], done);\n",
    }],
};

pub(super) static OPERATORS: RuleInfo = RuleInfo {
    code: "CW-JS-943-1",
    name: "js/query-operators",
    cwe: &[Cwe(943)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "A query takes a part of a request that can be an object with operators",
    fix: "make the value a text with String, or wrap it in $eq",
    examples: &[Example {
        weak: "module.exports = async (req, res) => res.json(await User.findOne({ name: «req.body.name» }));\n",
        sound: "module.exports = async (req, res) => res.json(await User.findOne({ name: String(req.body.name) }));\n",
    }],
};

pub(super) static WHERE: RuleInfo = RuleInfo {
    code: "CW-JS-943-2",
    name: "js/query-where",
    cwe: &[Cwe(943), Cwe(95)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Input is part of a script that the database runs",
    fix: "use operators of the query instead of $where",
    examples: &[Example {
        weak: "module.exports = (req, res) => users.find({ $where: «\"this.name == '\" + req.query.name + \"'\"» });\n",
        sound: "module.exports = (req, res) => users.find({ name: String(req.query.name) });\n",
    }],
};

pub(super) static LDAP: RuleInfo = RuleInfo {
    code: "CW-JS-090-1",
    name: "js/ldap-filter",
    cwe: &[Cwe(90)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "A filter of LDAP is put together from input",
    fix: "escape the value for a filter first",
    examples: &[Example {
        weak: "function f(client, name) { return client.search('o=x', { filter: `(uid=${«name»})` }); }\n",
        sound: "function f(client, name) { return client.search('o=x', { filter: `(uid=${escapeFilter(name)})` }); }\n",
    }],
};

pub(super) static XPATH: RuleInfo = RuleInfo {
    code: "CW-JS-643-1",
    name: "js/xpath-built",
    cwe: &[Cwe(643)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A query of XPath is put together from input",
    fix: "pass the value as a variable, or compare it in the program",
    examples: &[Example {
        weak: "const xpath = require('xpath');\nfunction f(doc, name) { return xpath.select(`//user[@name='${«name»}']`, doc); }\n",
        sound: "const xpath = require('xpath');\nfunction f(doc, name) { return xpath.parse('//user[@name=$name]').select({ node: doc, variables: { name } }); }\n",
    }],
};

/// Methods that run a statement.
const EXECUTE: &[&str] = &[
    "query",
    "execute",
    "raw",
    "run",
    "all",
    "get",
    "each",
    "exec",
    "prepare",
    "$queryRawUnsafe",
    "$executeRawUnsafe",
    "any",
    "one",
    "none",
    "oneOrNone",
    "manyOrNone",
    "whereRaw",
    "orderByRaw",
    "havingRaw",
    "literal",
    "queryAsync",
    "executeSql",
];

/// Methods that take a statement and nothing else.
const EXECUTE_ONLY: &[&str] = &["$queryRawUnsafe", "$executeRawUnsafe", "whereRaw", "orderByRaw", "havingRaw"];

const QUERIES: &[&str] = &[
    "find",
    "findOne",
    "findOneAndUpdate",
    "findOneAndDelete",
    "findOneAndRemove",
    "updateOne",
    "updateMany",
    "deleteOne",
    "deleteMany",
    "count",
    "countDocuments",
    "distinct",
    "replaceOne",
    "remove",
];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.has_method(EXECUTE) {
        statement(call, report);
    }
    if call.has_method(QUERIES) && !call.path.starts_with("jquery") && !call.path.starts_with("lodash") {
        query(call, report);
    }
    let is_xpath = call.is(&["xpath.select", "xpath.select1", "xpath.evaluate", "xpath.parse", "document.evaluate"]);
    if let (true, Some(first)) = (is_xpath, call.first()) {
        let live = call.live(&first.value);
        if let Some((hole, place, _)) = culpable_hole(&live, first.span, Classes::XPATH) {
            let message = "input is part of this query and can change it; pass it as a variable";
            report.add(&XPATH, place, message, hole.taint(Classes::XPATH));
        }
    }
}

fn statement(call: &Call<'_>, report: &mut Report<'_>) {
    let Some(first) = call.first() else { return };
    let value = match first.value.entry("text").or_else(|| first.value.entry("sql")) {
        Some(text) => Operand { value: text.clone(), span: first.span },
        None => first.clone(),
    };
    let live = call.live(&value.value);
    let is_sql = looks_like_sql(&live.outline());
    let is_database = ["mysql.", "pg.", "sqlite3.", "better-sqlite3", "mssql", "new pg.", "new sqlite3.", "knex"]
        .iter()
        .any(|module| call.path.starts_with(module))
        && matches!(call.method, "query" | "execute" | "raw" | "run" | "all" | "exec" | "prepare");
    let message = "input is part of this statement and can change it; pass values as parameters";
    if is_sql || is_database || EXECUTE_ONLY.contains(&call.method) {
        if check(call, &value, Classes::SQL, &SQL, message, report) {
            return;
        }
    } else if call.method == "query"
        && live.is_built()
        && check_outside(call, &value, Classes::SQL, &SQL, message, report)
    {
        return;
    }
    if is_sql && live.pieces(value.span).iter().any(is_open) {
        let message = "values are put into the text of this statement; pass them as parameters";
        report.add(&SQL_ASSEMBLED, value.span, message, None);
    }
}

/// Whether a piece is a value of unknown origin: neither a number nor a name of something fixed.
fn is_open(piece: &Piece) -> bool {
    let Piece::Hole { value, .. } = piece else { return false };
    let path = value.path_text();
    let last = path.rsplit('.').next().unwrap_or(path);
    let is_fixed = last.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
    let is_table = [
        "table",
        "column",
        "field",
        "schema",
        "database",
        "dbname",
        "prefix",
        "placeholder",
        "limit",
        "offset",
        "order",
    ]
    .iter()
    .any(|word| last.to_ascii_lowercase().contains(word));
    is_of_unknown_origin(value) && !is_fixed && !is_table
}

fn query(call: &Call<'_>, report: &mut Report<'_>) {
    let Some(first) = call.first() else { return };
    let Shape::Dictionary(entries) = &first.value.shape else {
        let live = call.live(&first.value);
        let is_part = !live.is_built() && !matches!(live.shape, Shape::Function(_));
        if let (true, Some(taint)) = (is_part, outside(&live, Classes::OPERATOR)) {
            let message =
                "this part of a request becomes the query, with any operator in it; build the query from its values";
            report.add(&OPERATORS, first.span, message, Some(taint));
        }
        return;
    };
    for (key, value) in entries.iter() {
        let live = call.live(value);
        if key.as_ref().and_then(|key| key.text()) == Some("$where") {
            continue;
        }
        if let Some(taint) = outside(&live, Classes::OPERATOR)
            && !matches!(live.shape, Shape::Dictionary(_))
        {
            let place = taint.steps().last().copied().filter(|step| within(first, *step)).unwrap_or(first.span);
            let message = "this part of a request can be an object with operators; make it a text with String";
            report.add(&OPERATORS, place, message, Some(taint));
        }
    }
}

fn within(operand: &Operand, place: crate::syntax::Span) -> bool {
    operand.span.start <= place.start && place.end <= operand.span.end
}

/// `$where: text`.
pub(super) fn entry(name: &str, value: &Operand, report: &mut Report<'_>) {
    if name == "$where"
        && let Some(taint) = value.value.taint(Classes::CODE)
    {
        let message = "the database runs this text as a script, with the input in it; use operators of the query";
        report.add(&WHERE, value.span, message, Some(taint));
    }
}

/// A text that reads as a filter of LDAP.
pub(super) fn text(text: &Operand, report: &mut Report<'_>) {
    if !text.value.is_built() || !is_filter(&text.value) {
        return;
    }
    if let Some((hole, place, before)) = culpable_hole(&text.value, text.span, Classes::LDAP)
        && before.ends_with('=')
    {
        let message = "input is part of this filter and can change it; escape it for a filter first";
        report.add(&LDAP, place, message, hole.taint(Classes::LDAP));
    }
}

fn is_filter(text: &ValueRef) -> bool {
    let outline = text.outline();
    let inside = outline.trim_start_matches(['(', '&', '|', '!']);
    let name = inside.split('=').next().unwrap_or_default();
    outline.starts_with('(')
        && outline.ends_with(')')
        && inside.contains('=')
        && !outline.contains(' ')
        && !name.is_empty()
        && name.chars().all(char::is_alphanumeric)
}
