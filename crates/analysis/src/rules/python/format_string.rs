//! # `py/format-string`
//!
//! ## What it does
//!
//! Reports `.format` and `.format_map` called on a text that came from outside.
//!
//! ## Why this is bad
//!
//! Fields such as `{user.__init__.__globals__}` read whatever the arguments lead to.
//!
//! ## Example
//!
//! ```python
//! template.format(user=user)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! template.replace("{name}", user.name)
//! ```
//!
//! ## References
//!
//! - [CWE-134](https://cwe.mitre.org/data/definitions/134.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-134-1",
    name: "py/format-string",
    cwe: &[Cwe(134)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input is used as a format string",
    fix: "keep the format fixed, replace known markers or use string.Template",
    examples: &[Example {
        weak: "def f(template, user):\n    return «template».format(user=user)\n",
        sound: "def f(template, user):\n    return template.replace('{name}', user.name)\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let is_method = call.has_method(&["format", "format_map", "vformat"]);
    let formatter = call.receiver.as_ref().is_some_and(|receiver| receiver.value.path_text() == "string.Formatter()");
    let is_function = call.is(&["str.format", "str.format_map"]);
    if !is_method && !is_function {
        return;
    }
    let template = if formatter || is_function { call.first() } else { call.receiver.as_ref() };
    let Some(template) = template else { return };
    let num_arguments = call.arguments().count();
    if num_arguments == 0 || (formatter || is_function) && num_arguments == 1 {
        return;
    }
    let value = call.live(&template.value);
    if let Some(taint) = value.taint(Classes::FORMAT) {
        let message = "input decides the fields of this format string; replace known markers or use string.Template";
        report.add(&INFO, template.span, message, Some(taint));
    }
}
