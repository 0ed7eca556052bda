//! # `py/any-origin-with-credentials`, `py/origin-echoed`, `py/any-origin`
//!
//! ## What it does
//!
//! Reports answers that every other site may read.
//!
//! ## Why this is bad
//!
//! A page elsewhere can ask in the name of its visitor and read what comes back.
//!
//! ## Example
//!
//! ```python
//! from flask_cors import CORS
//! CORS(app, origins='*', supports_credentials=True)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! from flask_cors import CORS
//! CORS(app, origins=['https://example.org'], supports_credentials=True)
//! ```
//!
//! ## References
//!
//! - [CWE-942](https://cwe.mitre.org/data/definitions/942.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Operand, SourceKind, ValueRef};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-942-1",
    name: "py/any-origin-with-credentials",
    cwe: &[Cwe(942)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Any site may read answers with the cookies of the visitor",
    fix: "list the origins that may",
    examples: &[Example {
        weak: "from flask_cors import CORS\nCORS(app, origins=«'*'», supports_credentials=True)\n",
        sound: "from flask_cors import CORS\nCORS(app, origins=['https://example.org'], supports_credentials=True)\n",
    }],
};

pub(super) static ECHO: RuleInfo = RuleInfo {
    code: "CW-PY-942-2",
    name: "py/origin-echoed",
    cwe: &[Cwe(942)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Whichever site asks is allowed to read the answer",
    fix: "compare the origin with a list first",
    examples: &[Example {
        weak: "from flask import request\ndef f(response):\n    response.headers['Access-Control-Allow-Origin'] = «request.headers['Origin']»\n",
        sound: "def f(response):\n    response.headers['Access-Control-Allow-Origin'] = 'https://example.org'\n",
    }],
};

pub(super) static ANY: RuleInfo = RuleInfo {
    code: "CW-PY-942-3",
    name: "py/any-origin",
    cwe: &[Cwe(942)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "Any site may read the answers",
    fix: "list the origins that may",
    examples: &[Example {
        weak: "def f(response):\n    response.headers['Access-Control-Allow-Origin'] = «'*'»\n",
        sound: "def f(response):\n    response.headers['Access-Control-Allow-Origin'] = 'https://example.org'\n",
    }],
};

fn is_any(value: &ValueRef) -> bool {
    value.text() == Some("*") || value.items().iter().any(|item| item.text() == Some("*"))
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let origins = ["origins", "allow_origins"].iter().find_map(|name| call.keyword(name));
    let Some(origins) = origins.filter(|origins| is_any(&origins.value)) else { return };
    let with = ["supports_credentials", "allow_credentials"].iter().find_map(|name| call.keyword(name));
    let rule = if with.is_some_and(|with| with.value.boolean() == Some(true)) { &INFO } else { &ANY };
    report.add(rule, origins.span, rule.advice(), None);
}

/// A header or a setting with its value.
pub(super) fn setting(name: &str, value: &Operand, report: &mut Report<'_>) {
    if matches!(name, "CORS_ORIGIN_ALLOW_ALL" | "CORS_ALLOW_ALL_ORIGINS") && value.value.boolean() == Some(true) {
        report.add(&ANY, value.span, ANY.advice(), None);
    }
    if !name.eq_ignore_ascii_case("access-control-allow-origin") {
        return;
    }
    let outside = value.value.taints.iter().find(|taint| taint.source.kind == SourceKind::Outside);
    if let Some(taint) = outside.filter(|taint| taint.classes.has_any(Classes::HOST)) {
        report.add(&ECHO, value.span, ECHO.advice(), Some(taint));
    } else if is_any(&value.value) {
        report.add(&ANY, value.span, ANY.advice(), None);
    }
}
