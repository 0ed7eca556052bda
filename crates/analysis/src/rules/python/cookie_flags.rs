//! # `py/cookie-not-secure`, `py/cookie-readable`, `py/cookie-for-other-sites`, `py/secret-in-cookie`, `py/cookie-setting`
//!
//! ## What it does
//!
//! Reports cookies whose protections are switched off, and passwords in them.
//!
//! ## Why this is bad
//!
//! Whoever reads or sends the cookie is taken for its owner.
//!
//! ## Example
//!
//! ```python
//! def f(response, value):
//!     response.set_cookie('id', value, secure=False)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! def f(response, value):
//!     response.set_cookie('id', value, secure=True, httponly=True)
//! ```
//!
//! ## References
//!
//! - [CWE-614](https://cwe.mitre.org/data/definitions/614.html)
//! - [CWE-1004](https://cwe.mitre.org/data/definitions/1004.html)
//! - [CWE-1275](https://cwe.mitre.org/data/definitions/1275.html)
//! - [CWE-315](https://cwe.mitre.org/data/definitions/315.html)
//! - [CWE-312](https://cwe.mitre.org/data/definitions/312.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Operand, Taint};
use crate::report::Report;
use crate::rules::evidence::{is_literally_false, is_password_name};
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-614-1",
    name: "py/cookie-not-secure",
    cwe: &[Cwe(614)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A cookie is sent without encryption too",
    fix: "set the cookie with secure=True",
    examples: &[Example {
        weak: "def f(response, value):\n    response.set_cookie('id', value, secure=«False»)\n",
        sound: "def f(response, value):\n    response.set_cookie('id', value, secure=True, httponly=True)\n",
    }],
};

pub(super) static READABLE: RuleInfo = RuleInfo {
    code: "CW-PY-1004-1",
    name: "py/cookie-readable",
    cwe: &[Cwe(1004)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "Scripts in the page can read a cookie",
    fix: "set the cookie with httponly=True",
    examples: &[Example {
        weak: "def f(response, value):\n    response.set_cookie('id', value, httponly=«False»)\n",
        sound: "def f(response, value):\n    response.set_cookie('id', value, secure=True, httponly=True)\n",
    }],
};

pub(super) static OTHER_SITES: RuleInfo = RuleInfo {
    code: "CW-PY-1275-1",
    name: "py/cookie-for-other-sites",
    cwe: &[Cwe(1275)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A cookie is sent with requests that other sites start",
    fix: "set samesite to Lax or Strict",
    examples: &[Example {
        weak: "def f(response, value):\n    response.set_cookie('id', value, samesite=«'None'»)\n",
        sound: "def f(response, value):\n    response.set_cookie('id', value, secure=True, samesite='Lax')\n",
    }],
};

pub(super) static SECRET: RuleInfo = RuleInfo {
    code: "CW-PY-315-1",
    name: "py/secret-in-cookie",
    cwe: &[Cwe(315), Cwe(312)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A password is kept in a cookie",
    fix: "keep a random number for it and the rest on the server",
    examples: &[Example {
        weak: "def f(response, password):\n    response.set_cookie('login', «password»)\n",
        sound: "def f(response, session_id):\n    response.set_cookie('login', session_id)\n",
    }],
};

pub(super) static SETTING: RuleInfo = RuleInfo {
    code: "CW-PY-614-2",
    name: "py/cookie-setting",
    cwe: &[Cwe(614), Cwe(1004)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Cookies of the session are left unprotected by a setting",
    fix: "set it to True",
    examples: &[Example {
        weak: "SESSION_COOKIE_SECURE = «False»\ndef f(app):\n    app.config['SESSION_COOKIE_HTTPONLY'] = «False»\n",
        sound: "SESSION_COOKIE_SECURE = True\ndef f(app):\n    app.config['SESSION_COOKIE_HTTPONLY'] = True\n",
    }],
};

const SETTINGS: &[&str] = &[
    "SESSION_COOKIE_SECURE",
    "SESSION_COOKIE_HTTPONLY",
    "CSRF_COOKIE_SECURE",
    "REMEMBER_COOKIE_SECURE",
    "REMEMBER_COOKIE_HTTPONLY",
];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if !call.has_method(&["set_cookie", "set_signed_cookie"]) {
        return;
    }
    for (flag, rule) in [("secure", &INFO), ("httponly", &READABLE)] {
        if let Some(state) = call.keyword(flag).filter(|state| is_literally_false(state)) {
            report.add(rule, state.span, rule.advice(), None);
        }
    }
    let is_none = |site: &&Operand| site.value.text().is_some_and(|text| text.eq_ignore_ascii_case("none"));
    if let Some(site) = call.keyword("samesite").filter(is_none) {
        report.add(&OTHER_SITES, site.span, OTHER_SITES.advice(), None);
    }
    let Some(value) = call.argument(1, "value") else { return };
    let is_password = |taint: &&Taint| !taint.classes.is_empty() && is_password_name(&taint.source.label);
    if let Some(taint) = value.value.taints.iter().find(is_password) {
        report.add(&SECRET, value.span, SECRET.advice(), Some(taint));
    }
}

/// A setting by its name, in a module or a mapping.
pub(super) fn setting(name: &str, value: &Operand, report: &mut Report<'_>) {
    if SETTINGS.contains(&name) && value.value.boolean() == Some(false) {
        report.add(&SETTING, value.span, SETTING.advice(), None);
    }
}
