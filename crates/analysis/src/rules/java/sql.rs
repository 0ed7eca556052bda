//! # `java/sql-built`
//!
//! ## What it does
//!
//! Reports statements of SQL, JPQL or HQL that are put together from input.
//!
//! ## Why this is bad
//!
//! A quote in the input ends the literal, and the rest is read as SQL.
//!
//! ## Example
//!
//! ```java
//! statement.executeQuery("SELECT * FROM users WHERE name = '" + name + "'");
//! ```
//!
//! ## Use instead
//!
//! ```java
//! PreparedStatement query = connection.prepareStatement("SELECT * FROM users WHERE name = ?");
//! query.setString(1, name);
//! ```
//!
//! ## References
//!
//! - [CWE-89](https://cwe.mitre.org/data/definitions/89.html)

use codeward_records::{Cwe, Level};

use super::{found, outside};
use crate::flow::{Call, Classes};
use crate::report::Report;
use crate::rules::evidence::{culpable_hole, looks_like_sql};
use crate::rules::{Example, RuleInfo};

pub(super) static BUILT: RuleInfo = RuleInfo {
    code: "CW-JAVA-089-1",
    name: "java/sql-built",
    cwe: &[Cwe(89)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A statement of SQL is put together from input",
    fix: "use placeholders and set the values on a prepared statement",
    examples: &[
        Example {
            weak: "import java.sql.*;\nclass A {\n  ResultSet f(Connection c, String name) throws SQLException {\n    Statement s = c.createStatement();\n    return s.executeQuery(\"SELECT * FROM users WHERE name = '\" + «name» + \"'\");\n  }\n}\n",
            sound: "import java.sql.*;\nclass A {\n  ResultSet f(Connection c, String name) throws SQLException {\n    PreparedStatement s = c.prepareStatement(\"SELECT * FROM users WHERE name = ?\");\n    s.setString(1, name);\n    return s.executeQuery();\n  }\n}\n",
        },
        Example {
            weak: "public List<User> find(String name) {\n  StringBuilder q = new StringBuilder(\"select u from User u where u.name = '\");\n  q.append(«name»).append(\"'\");\n  return entityManager.createQuery(q.toString(), User.class).getResultList();\n}\n",
            sound: "public List<User> find(int age) {\n  return entityManager.createQuery(\"select u from User u where u.age = \" + age, User.class).getResultList();\n}\n",
        },
    ],
};

/// Methods that take a statement first.
const METHODS: &[&str] = &[
    "executeQuery",
    "executeUpdate",
    "execute",
    "executeLargeUpdate",
    "addBatch",
    "prepareStatement",
    "prepareCall",
    "nativeSQL",
    "createQuery",
    "createNativeQuery",
    "createSQLQuery",
    "createNamedQuery",
    "query",
    "queryForObject",
    "queryForList",
    "queryForMap",
    "queryForRowSet",
    "queryForInt",
    "queryForLong",
    "update",
    "batchUpdate",
    "rawQuery",
    "execSQL",
    "newQuery",
    "createStatement",
    "find",
    "sqlRestriction",
    "select",
    "executeInsert",
];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if !METHODS.contains(&call.method) {
        return;
    }
    let Some(operand) = call.first() else { return };
    let value = call.live(&operand.value);
    let is_statement = call.path.starts_with("Statement()") || call.path.starts_with("Connection()");
    if let Some((hole, span, before)) = culpable_hole(&value, operand.span, Classes::SQL) {
        if looks_like_sql(&value.outline())
            || looks_like_sql(&before)
            || before.to_ascii_lowercase().starts_with("from ")
        {
            found(&BUILT, span, hole.taint(Classes::SQL), report);
        } else if is_statement && outside(&hole, Classes::SQL).is_some() {
            found(&BUILT, span, outside(&hole, Classes::SQL), report);
        }
    }
}
