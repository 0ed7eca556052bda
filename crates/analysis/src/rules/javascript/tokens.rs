//! # Tokens: `js/token-unverified`, `js/token-without-algorithm`, `js/token-without-end`
//!
//! ## What it does
//!
//! Reports tokens that are read without checking who signed them, checked with any algorithm, or made without an end.
//!
//! ## Why this is bad
//!
//! Anybody can write such a token.
//!
//! ## Example
//!
//! ```javascript
//! const user = jwt.decode(token);
//! ```
//!
//! ## Use instead
//!
//! ```javascript
//! const user = jwt.verify(token, key, { algorithms: ["HS256"] });
//! ```
//!
//! ## References
//!
//! - [CWE-347](https://cwe.mitre.org/data/definitions/347.html)
//! - [CWE-613](https://cwe.mitre.org/data/definitions/613.html)

use codeward_records::{Cwe, Level};

use crate::flow::Call;

use super::option;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static UNVERIFIED: RuleInfo = RuleInfo {
    code: "CW-JS-347-1",
    name: "js/token-unverified",
    cwe: &[Cwe(347)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "A token is read without checking who signed it",
    fix: "use jwt.verify",
    examples: &[Example {
        weak: "const jwt = require('jsonwebtoken');\nfunction f(token) { return «jwt.decode»(token).user; }\n",
        sound: "const jwt = require('jsonwebtoken');\nfunction f(token, key) { return jwt.verify(token, key, { algorithms: ['HS256'] }).user; }\n",
    }],
};

pub(super) static NO_ALGORITHM: RuleInfo = RuleInfo {
    code: "CW-JS-347-2",
    name: "js/token-without-algorithm",
    cwe: &[Cwe(347), Cwe(327)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A token without a signature is accepted",
    fix: "name the algorithm that is used",
    examples: &[Example {
        weak: "const jwt = require('jsonwebtoken');\nfunction f(token, key) { return jwt.verify(token, key, «{ algorithms: ['none'] }»); }\n",
        sound: "const jwt = require('jsonwebtoken');\nfunction f(token, key) { return jwt.verify(token, key, { algorithms: ['RS256'] }); }\n",
    }],
};

pub(super) static NO_EXPIRY: RuleInfo = RuleInfo {
    code: "CW-JS-613-1",
    name: "js/token-without-end",
    cwe: &[Cwe(613)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A token is good for ever",
    fix: "set expiresIn",
    examples: &[Example {
        weak: "const jwt = require('jsonwebtoken');\nfunction f(user) { return «jwt.sign»({ user }, process.env.KEY); }\n",
        sound: "const jwt = require('jsonwebtoken');\nfunction f(user) { return jwt.sign({ user }, process.env.KEY, { expiresIn: '1h' }); }\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    match call.path {
        "jsonwebtoken.decode" | "jwt-decode" | "jwt_decode" | "jwt-decode.jwtDecode" => {
            report.add(&UNVERIFIED, call.callee.span, "anybody can have written this token; use jwt.verify", None);
        }
        "jsonwebtoken.verify" => {
            let Some(options) = call.positional.get(2) else { return };
            let accepts_none = option(call, "algorithms").is_some_and(|list| {
                list.texts().is_some_and(|names| names.iter().any(|name| name.eq_ignore_ascii_case("none")))
            });
            let ignores_end = option(call, "ignoreExpiration").is_some_and(|value| value.boolean() == Some(true));
            if accepts_none {
                report.add(
                    &NO_ALGORITHM,
                    options.span,
                    "a token without a signature is accepted; name the algorithm",
                    None,
                );
            } else if ignores_end {
                report.add(&NO_EXPIRY, options.span, "a token is good after its end too; leave the check on", None);
            }
        }
        "jsonwebtoken.sign" => {
            let has_end = call
                .positional
                .iter()
                .any(|operand| operand.value.entry("expiresIn").is_some() || operand.value.entry("exp").is_some());
            let is_open = call
                .positional
                .first()
                .is_some_and(|first| matches!(first.value.shape, crate::flow::Shape::Dictionary(_)));
            let is_known = call
                .positional
                .get(2)
                .is_none_or(|options| matches!(options.value.shape, crate::flow::Shape::Dictionary(_)));
            if !has_end && is_open && is_known {
                report.add(&NO_EXPIRY, call.callee.span, "this token is good for ever; set expiresIn", None);
            }
        }
        _ => {}
    }
}
