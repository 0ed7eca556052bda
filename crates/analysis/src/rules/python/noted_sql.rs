//! # `py/sql-text-built`, `py/raw-sql-expression`
//!
//! ## What it does
//!
//! Notes statements of SQL that are put together from values of unknown origin, wherever they are run.
//!
//! ## Why this is bad
//!
//! If one of the values comes from outside, it can change what the statement does.
//!
//! ## Example
//!
//! ```python
//! def f():
//!     return 'SELECT a FROM t WHERE b = %s' % load()
//! ```
//!
//! ## Use instead
//!
//! ```python
//! def f():
//!     return 'SELECT a FROM t WHERE b = ?', (load(),)
//! ```
//!
//! ## References
//!
//! - [CWE-89](https://cwe.mitre.org/data/definitions/89.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Operand};
use crate::report::Report;
use crate::rules::evidence::looks_like_sql;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-089-3",
    name: "py/sql-text-built",
    cwe: &[Cwe(89)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "A statement of SQL is put together from other values",
    fix: "write placeholders and pass the values as parameters",
    examples: &[Example {
        weak: "def f():\n    return «'SELECT a FROM t WHERE b = %s' % load()»\n",
        sound: "def f():\n    return 'SELECT a FROM t WHERE b = ?', (load(),)\n",
    }],
};

pub(super) static DJANGO: RuleInfo = RuleInfo {
    code: "CW-PY-089-4",
    name: "py/raw-sql-expression",
    cwe: &[Cwe(89)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "A part of a statement is passed round the query builder",
    fix: "use expressions, and params= for values",
    examples: &[Example {
        weak: "from django.db.models.expressions import RawSQL\ndef f(users):\n    return users.annotate(x=«RawSQL»(load(), []))\n",
        sound: "from django.db.models import F\ndef f(users):\n    return users.annotate(x=F('a') + 1)\n",
    }],
};

pub(super) fn text(text: &Operand, report: &mut Report<'_>) {
    if looks_like_sql(&text.value.outline()) && text.value.is_built() {
        report.note(&INFO, text.span, text.span, INFO.advice());
    }
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    // The firm rules report the argument, of which the text is a part.
    for operand in call.arguments().filter(|operand| operand.value.is_built()) {
        if looks_like_sql(&operand.value.outline()) {
            report.note(&INFO, operand.span, operand.span, INFO.advice());
        }
    }
    let is_query = call.receiver.as_ref().is_some_and(|receiver| receiver.value.path_text().contains(".objects"));
    if call.path.ends_with("RawSQL") || call.method == "extra" && is_query {
        report.note(&DJANGO, call.callee.span, call.span, DJANGO.advice());
    }
}
