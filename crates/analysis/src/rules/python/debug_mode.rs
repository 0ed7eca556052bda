//! # `py/debug-mode`
//!
//! ## What it does
//!
//! Reports `app.run(debug=True)` and `app.debug = True`.
//!
//! ## Why this is bad
//!
//! The debugger runs any code for whoever causes an error.
//!
//! ## Example
//!
//! ```python
//! app.run(debug=True)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! app.run()
//! ```
//!
//! ## References
//!
//! - [CWE-489](https://cwe.mitre.org/data/definitions/489.html)
//! - [CWE-94](https://cwe.mitre.org/data/definitions/94.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Operand};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-489-1",
    name: "py/debug-mode",
    cwe: &[Cwe(489), Cwe(94)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A web application runs with its debugger on",
    fix: "leave debug off, or read it from a setting that is off by default",
    examples: &[Example {
        weak: "from flask import Flask\napp = Flask('x')\napp.run(debug=«True»)\n",
        sound: "from flask import Flask\napp = Flask('x')\napp.run()\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.has_method(&["run", "run_server"])
        && let Some(debug) = call.keyword("debug").filter(|debug| debug.value.boolean() == Some(true))
    {
        report.add(&INFO, debug.span, "the debugger runs code for visitors; leave debug off", None);
    }
}

pub(super) fn store(receiver: &Operand, name: &str, value: &Operand, report: &mut Report<'_>) {
    if name == "debug" && receiver.value.path_text().contains("Flask") && value.value.boolean() == Some(true) {
        report.add(&INFO, value.span, "the debugger runs code for visitors; leave debug off", None);
    }
}
