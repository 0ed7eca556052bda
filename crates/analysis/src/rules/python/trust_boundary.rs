//! # `py/trust-boundary`
//!
//! ## What it does
//!
//! Reports parts of a web request that are stored in the session as they came.
//!
//! ## Why this is bad
//!
//! What is in the session is taken for something that this program decided.
//!
//! ## Example
//!
//! ```python
//! import flask
//! def f():
//!     flask.session['role'] = flask.request.form['role']
//! ```
//!
//! ## Use instead
//!
//! ```python
//! import flask
//! def f(user):
//!     flask.session['role'] = user.role
//! ```
//!
//! ## References
//!
//! - [CWE-501](https://cwe.mitre.org/data/definitions/501.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Operand, SourceKind};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-501-1",
    name: "py/trust-boundary",
    cwe: &[Cwe(501)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "Input is kept in the session, where later code takes it for checked",
    fix: "check it before it is stored",
    examples: &[Example {
        weak: "import flask\ndef f():\n    flask.session['role'] = «flask.request.form['role']»\n",
        sound: "import flask\ndef f(user):\n    flask.session['role'] = user.role\n",
    }],
};

const SESSIONS: &[&str] = &["flask.session", "request.session", "self.request.session", "bottle.request.session"];

pub(super) fn element_store(receiver: &Operand, value: &Operand, report: &mut Report<'_>) {
    if !SESSIONS.contains(&receiver.value.path_text()) && !report.written(receiver.span).ends_with("request.session") {
        return;
    }
    let outside = value.value.taints.iter().find(|taint| taint.source.kind == SourceKind::Outside);
    if let Some(taint) = outside {
        report.add(&INFO, value.span, INFO.advice(), Some(taint));
    }
}
