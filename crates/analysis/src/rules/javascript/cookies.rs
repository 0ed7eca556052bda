//! # Cookies: `js/cookie-insecure`, `js/cookie-for-scripts`, `js/cookie-for-all-sites`
//!
//! ## What it does
//!
//! Reports cookies that are sent without encryption, that scripts can read, or that go along with requests of other sites, where
//! the program says so itself.
//!
//! ## Why this is bad
//!
//! Whoever reads the cookie of a session has the session.
//!
//! ## Example
//!
//! ```javascript
//! res.cookie("session", id, { httpOnly: false });
//! ```
//!
//! ## Use instead
//!
//! ```javascript
//! res.cookie("session", id, { httpOnly: true, secure: true, sameSite: "lax" });
//! ```
//!
//! ## References
//!
//! - [CWE-614](https://cwe.mitre.org/data/definitions/614.html)
//! - [CWE-1004](https://cwe.mitre.org/data/definitions/1004.html)
//! - [CWE-1275](https://cwe.mitre.org/data/definitions/1275.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, ValueRef};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static SECURE: RuleInfo = RuleInfo {
    code: "CW-JS-614-1",
    name: "js/cookie-insecure",
    cwe: &[Cwe(614)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A cookie of a session is sent without encryption",
    fix: "set secure",
    examples: &[Example {
        weak: "module.exports = (req, res) => { res.cookie('session', token(), «{ secure: false, httpOnly: true }»); };\n",
        sound: "module.exports = (req, res) => { res.cookie('session', token(), { secure: true, httpOnly: true }); };\n",
    }],
};

pub(super) static SCRIPTS: RuleInfo = RuleInfo {
    code: "CW-JS-1004-1",
    name: "js/cookie-for-scripts",
    cwe: &[Cwe(1004)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Scripts can read the cookie of a session",
    fix: "set httpOnly",
    examples: &[
        Example {
            weak: "module.exports = (req, res) => { res.cookie('session', token(), «{ secure: true, httpOnly: false }»); };\n",
            sound: "module.exports = (req, res) => { res.cookie('theme', 'dark', { httpOnly: false }); };\n",
        },
        Example {
            weak: "module.exports = (req, res) => { res.cookie(«'sessionId'», token()); };\n",
            sound: "const session = require('express-session');\nsession({ cookie: { httpOnly: true, secure: true } });\n",
        },
    ],
};

pub(super) static SITES: RuleInfo = RuleInfo {
    code: "CW-JS-1275-1",
    name: "js/cookie-for-all-sites",
    cwe: &[Cwe(1275)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "The cookie of a session goes along with requests that other sites cause",
    fix: "set sameSite to lax or strict",
    examples: &[Example {
        weak: "module.exports = (req, res) => { res.cookie('session', token(), «{ secure: true, httpOnly: true, sameSite: 'none' }»); };\n",
        sound: "module.exports = (req, res) => { res.cookie('session', token(), { secure: true, httpOnly: true, sameSite: 'lax' }); };\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(&["express-session", "cookie-session"]) {
        let Some(first) = call.first() else { return };
        let options = first.value.entry("cookie").unwrap_or(&first.value);
        settings(options, first.span, report);
        return;
    }
    if !call.is(&["res.cookie", "res.setCookie", "ctx.cookies.set", "Cookies.set", "js-cookie.set"]) {
        return;
    }
    let Some(name) = call.positional.first() else { return };
    let Some(text) = name.value.text() else { return };
    let lower = text.to_ascii_lowercase();
    if !["sess", "token", "auth", "jwt", "sid", "login"].iter().any(|word| lower.contains(word))
        || lower.contains("csrf")
        || lower.contains("xsrf")
    {
        return;
    }
    match call.positional.get(2) {
        Some(options) => settings(&options.value, options.span, report),
        None if call.path == "res.cookie" && call.positional.len() == 2 => {
            report.add(&SCRIPTS, name.span, "scripts can read this cookie; set httpOnly and secure", None);
        }
        None => {}
    }
}

fn settings(options: &ValueRef, place: crate::syntax::Span, report: &mut Report<'_>) {
    let is_off = |name: &str| options.entry(name).is_some_and(|value| value.boolean() == Some(false));
    if is_off("secure") {
        report.add(&SECURE, place, "this cookie is sent without encryption too; set secure", None);
    }
    if is_off("httpOnly") {
        report.add(&SCRIPTS, place, "scripts can read this cookie; set httpOnly", None);
    }
    if options.entry("sameSite").and_then(|value| value.text()).is_some_and(|text| text.eq_ignore_ascii_case("none")) {
        report.add(
            &SITES,
            place,
            "this cookie goes along with requests that other sites cause; set sameSite to lax",
            None,
        );
    }
}
