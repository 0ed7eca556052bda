//! # `py/nosql-query-object`
//!
//! ## What it does
//!
//! Reports queries of document databases in which input stands where a plain value is expected, without its type being settled.
//!
//! ## Why this is bad
//!
//! Decoded JSON can hold `{"$ne": ""}`, which matches everything.
//!
//! ## Example
//!
//! ```python
//! users.find_one({"name": name, "password": password})
//! ```
//!
//! ## Use instead
//!
//! ```python
//! users.find_one({"name": str(name), "password": str(password)})
//! ```
//!
//! ## References
//!
//! - [CWE-943](https://cwe.mitre.org/data/definitions/943.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Shape};
use crate::report::Report;
use crate::rules::evidence::{is_parameter_itself, subject};
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-943-1",
    name: "py/nosql-query-object",
    cwe: &[Cwe(943)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input is used as a part of a query that may be an operator",
    fix: "convert the value with str() or refuse other types",
    examples: &[Example {
        weak: "def f(users, name, request):\n    return users.find_one(«{'name': name, 'key': {'$eq': request}}»)\n",
        sound: "def f(users, name, request):\n    return users.find_one({'name': str(name), 'key': {'$eq': request}})\n",
    }],
};

const METHODS: &[&str] = &[
    "find",
    "find_one",
    "find_one_and_update",
    "find_one_and_delete",
    "find_one_and_replace",
    "update_one",
    "update_many",
    "delete_one",
    "delete_many",
    "count_documents",
    "aggregate",
    "replace_one",
    "distinct",
];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if !call.has_method(METHODS) {
        return;
    }
    let Some(query) = subject(call, &["filter"]) else { return };
    let value = call.live(&query.value);
    let is_bare = call.method != "find" && matches!(value.shape, Shape::Opaque) && is_parameter_itself(&value);
    let found = match &value.shape {
        Shape::Dictionary(entries) => entries.iter().find_map(|(_, entry)| {
            let entry = call.live(entry);
            if let Shape::Dictionary(inner) = &entry.shape {
                inner.iter().find_map(|(key, value)| {
                    // `{"$eq": value}` takes the value as it is.
                    let is_exact = key.as_ref().is_some_and(|key| key.text() == Some("$eq"));
                    call.live(value).taint(Classes::OPERATOR).cloned().filter(|_| !is_exact)
                })
            } else {
                entry.taint(Classes::OPERATOR).cloned()
            }
        }),
        _ if is_bare => value.taint(Classes::OPERATOR).cloned(),
        _ => None,
    };
    if let Some(taint) = found {
        report.add(
            &INFO,
            query.span,
            "a value in this query may be an operator instead of a plain value; convert it with str() or refuse other types",
            Some(&taint),
        );
    }
}
