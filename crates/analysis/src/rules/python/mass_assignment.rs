//! # `py/mass-assignment`
//!
//! ## What it does
//!
//! Reports attributes and fields set by names from outside: `setattr` in a loop, `vars(x).update`, `record.update`, and
//! copying every key of one parameter to another.
//!
//! ## Why this is bad
//!
//! Fields that were never meant to be set from outside, such as a role, are set.
//!
//! ## Example
//!
//! ```python
//! for key, value in data.items():
//!     setattr(user, key, value)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! for key in ("name", "email"):
//!     setattr(user, key, data[key])
//! ```
//!
//! ## References
//!
//! - [CWE-915](https://cwe.mitre.org/data/definitions/915.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Operand, Shape};
use crate::report::Report;
use crate::rules::evidence::is_parameter_itself;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-915-1",
    name: "py/mass-assignment",
    cwe: &[Cwe(915)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input decides which attributes are set",
    fix: "copy only the names of a fixed list",
    examples: &[Example {
        weak: "def f(user, data):\n    for key, value in data.items():\n        setattr(user, «key», value)\n",
        sound: "def f(user, data):\n    for key, value in data.items():\n        if key in ('name', 'city'):\n            setattr(user, key, value)\n",
    }],
};

const ADVICE: &str = "input decides which attributes are set; copy only the names of a fixed list";

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(&["setattr", "object.__setattr__"]) || call.has_method(&["__setattr__"]) {
        let name = if call.positional.len() >= 3 { call.positional.get(1) } else { call.positional.first() };
        if let Some(name) = name
            && let Some(taint) = call.live(&name.value).taint(Classes::NAME)
        {
            report.add(&INFO, name.span, ADVICE, Some(taint));
        }
        return;
    }
    let Some(receiver) = &call.receiver else { return };
    let is_fields = receiver.value.path_text() == "vars()"
        || matches!(&receiver.value.shape, Shape::Attribute(_, name) if name.as_ref() == "__dict__");
    let is_record = is_parameter_itself(&receiver.value)
        && call.first().is_some_and(|data| is_parameter_itself(&data.value) && !data.value.is_built());
    if call.method == "update"
        && (is_fields || is_record)
        && let Some(data) = call.first().or(call.double_splat.as_ref())
        && !matches!(data.value.shape, Shape::Dictionary(_))
        && let Some(taint) = call.live(&data.value).taint(Classes::KEYS)
    {
        report.add(&INFO, data.span, ADVICE, Some(taint));
    }
}

/// `record.__dict__ = data`.
pub(super) fn store(name: &str, value: &Operand, report: &mut Report<'_>) {
    if name == "__dict__"
        && let Some(taint) = value.value.taint(Classes::KEYS)
    {
        report.add(&INFO, value.span, ADVICE, Some(taint));
    }
}

/// `record[key] = data[key]` for every key of the data.
pub(super) fn element_store(receiver: &Operand, index: &Operand, value: &Operand, report: &mut Report<'_>) {
    let Some(taint) = index.value.taint(Classes::KEYS) else { return };
    let is_same = value.value.taints.iter().any(|other| std::rc::Rc::ptr_eq(&other.source, &taint.source));
    let is_own = receiver.value.taints.iter().any(|other| std::rc::Rc::ptr_eq(&other.source, &taint.source));
    if is_same && !is_own && is_parameter_itself(&receiver.value) {
        report.add(&INFO, index.span, ADVICE, Some(taint));
    }
}
