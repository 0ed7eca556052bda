//! # `py/cookie-flags`
//!
//! ## What it does
//!
//! Reports `set_cookie` with `secure` or `httponly` switched off.
//!
//! ## Why this is bad
//!
//! The cookie travels in the clear, or scripts can read it.
//!
//! ## Example
//!
//! ```python
//! response.set_cookie("session", value, httponly=False)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! response.set_cookie("session", value, secure=True, httponly=True)
//! ```
//!
//! ## References
//!
//! - [CWE-614](https://cwe.mitre.org/data/definitions/614.html)
//! - [CWE-1004](https://cwe.mitre.org/data/definitions/1004.html)

use codeward_records::{Cwe, Level};

use crate::flow::Call;
use crate::report::Report;
use crate::rules::evidence::is_literally_false;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-614-1",
    name: "py/cookie-flags",
    cwe: &[Cwe(614), Cwe(1004)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A cookie is set without its protections",
    fix: "set secure=True and httponly=True",
    examples: &[Example {
        weak: "def f(response, value):\n    response.set_cookie('id', value, secure=«False»)\n",
        sound: "def f(response, value):\n    response.set_cookie('id', value, secure=True, httponly=True)\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if !call.has_method(&["set_cookie"]) {
        return;
    }
    for flag in ["secure", "httponly"] {
        if let Some(state) = call.keyword(flag).filter(|state| is_literally_false(state)) {
            report.add(
                &INFO,
                state.span,
                "this leaves the cookie unprotected; set secure=True and httponly=True",
                None,
            );
        }
    }
}
