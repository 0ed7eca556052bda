//! # Headers of responses: `js/origin-for-all`, `js/origin-echoed`, `js/frames-allowed`
//!
//! ## What it does
//!
//! Reports responses that pages of every site may read along with cookies, and protection of pages that is turned off.
//!
//! ## Why this is bad
//!
//! A page of another site reads what only the user was to read.
//!
//! ## Example
//!
//! ```javascript
//! cors({ origin: "*", credentials: true });
//! ```
//!
//! ## Use instead
//!
//! ```javascript
//! cors({ origin: "https://example.com", credentials: true });
//! ```
//!
//! ## References
//!
//! - [CWE-942](https://cwe.mitre.org/data/definitions/942.html)
//! - [CWE-346](https://cwe.mitre.org/data/definitions/346.html)
//! - [CWE-1021](https://cwe.mitre.org/data/definitions/1021.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes};

use super::{option, outside};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static ORIGIN: RuleInfo = RuleInfo {
    code: "CW-JS-942-1",
    name: "js/origin-for-all",
    cwe: &[Cwe(942)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Pages of every site may read the responses",
    fix: "name the sites that may",
    examples: &[Example {
        weak: "module.exports = (req, res) => { res.setHeader('Access-Control-Allow-Origin', «'*'»); res.end('x'); };\n",
        sound: "module.exports = (req, res) => { res.setHeader('Access-Control-Allow-Origin', 'https://example.com'); res.end('x'); };\n",
    }],
};

pub(super) static ORIGIN_ECHO: RuleInfo = RuleInfo {
    code: "CW-JS-942-2",
    name: "js/origin-echoed",
    cwe: &[Cwe(942), Cwe(346)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Whoever asks for it may read the responses",
    fix: "compare the origin with a list first",
    examples: &[Example {
        weak: "module.exports = (req, res) => { res.setHeader('Access-Control-Allow-Origin', «req.headers.origin»); };\n",
        sound: "module.exports = (req, res) => { if (['https://example.com'].includes(req.headers.origin)) res.setHeader('Access-Control-Allow-Origin', req.headers.origin); };\n",
    }],
};

pub(super) static FRAMES: RuleInfo = RuleInfo {
    code: "CW-JS-1021-1",
    name: "js/frames-allowed",
    cwe: &[Cwe(1021), Cwe(693)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "Protection of the pages is turned off",
    fix: "leave it on",
    examples: &[Example {
        weak: "const helmet = require('helmet');\nmodule.exports = helmet(«{ frameguard: false }»);\n",
        sound: "const helmet = require('helmet');\nmodule.exports = helmet();\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(&["res.setHeader", "res.set", "res.header", "res.append", "ctx.set"]) {
        let [name, value, ..] = call.positional.as_slice() else { return };
        if !name.value.text().is_some_and(|name| name.eq_ignore_ascii_case("access-control-allow-origin")) {
            return;
        }
        let live = call.live(&value.value);
        if live.text() == Some("*") {
            report.add(&ORIGIN, value.span, "pages of every site may read this; name the sites that may", None);
        } else if let Some(taint) = outside(&live, Classes::HOST) {
            report.add(
                &ORIGIN_ECHO,
                value.span,
                "whoever asks may read this; compare the origin with a list first",
                Some(taint),
            );
        }
    } else if call.is(&["cors", "@koa.cors", "koa2-cors", "@fastify.cors"]) {
        let is_true = |name: &str| option(call, name).is_some_and(|value| value.boolean() == Some(true));
        let is_all = is_true("origin") || option(call, "origin").is_some_and(|value| value.text() == Some("*"));
        if let (true, Some(first)) = (is_all && is_true("credentials"), call.first()) {
            report.add(
                &ORIGIN_ECHO,
                first.span,
                "whoever asks may read this along with cookies; name the sites that may",
                None,
            );
        }
    } else if call.path == "helmet" {
        let is_off = |name: &str| option(call, name).is_some_and(|value| value.boolean() == Some(false));
        let is_any_off =
            ["frameguard", "contentSecurityPolicy", "hsts", "noSniff", "xssFilter"].iter().any(|name| is_off(name));
        if let (true, Some(first)) = (is_any_off, call.first()) {
            report.add(&FRAMES, first.span, "a protection of the pages is off; leave it on", None);
        }
    }
}
