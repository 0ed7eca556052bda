//! # Comparisons: `js/digest-compared-with-equals`, `js/host-compared-in-part`, `js/password-compared`
//!
//! ## What it does
//!
//! Reports authentication codes and stored passwords compared with `===`, and hosts that are looked through for a name.
//!
//! ## Why this is bad
//!
//! The time until the first difference tells how much of a guess was right; `evil-example.com` holds `example.com`.
//!
//! ## Example
//!
//! ```javascript
//! if (mac.digest("hex") === given) {}
//! ```
//!
//! ## Use instead
//!
//! ```javascript
//! if (crypto.timingSafeEqual(mac.digest(), Buffer.from(given, "hex"))) {}
//! ```
//!
//! ## References
//!
//! - [CWE-208](https://cwe.mitre.org/data/definitions/208.html)
//! - [CWE-20](https://cwe.mitre.org/data/definitions/20.html)
//! - [CWE-916](https://cwe.mitre.org/data/definitions/916.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Labels, Operand};
use crate::report::Report;
use crate::rules::evidence::words;
use crate::rules::{Example, RuleInfo};
use crate::syntax::Comparison;

pub(super) static DIGEST: RuleInfo = RuleInfo {
    code: "CW-JS-208-1",
    name: "js/digest-compared-with-equals",
    cwe: &[Cwe(208)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "An authentication code is compared in time that depends on it",
    fix: "use crypto.timingSafeEqual",
    examples: &[Example {
        weak: "const crypto = require('crypto');\nfunction f(key, text, given) { return «crypto.createHmac('sha256', key).update(text).digest('hex')» === given; }\n",
        sound: "const crypto = require('crypto');\nfunction f(key, text, given) { return crypto.timingSafeEqual(crypto.createHmac('sha256', key).update(text).digest(), given); }\n",
    }],
};

pub(super) static HOST: RuleInfo = RuleInfo {
    code: "CW-JS-020-1",
    name: "js/host-compared-in-part",
    cwe: &[Cwe(20), Cwe(183)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A host is looked through for a name instead of being compared with it",
    fix: "compare the whole host, or its end after a dot",
    examples: &[
        Example {
            weak: "function f(address, domain) { return «new URL(address).hostname.includes(domain)» ? address : null; }\n",
            sound: "function f(address, domain) { const host = new URL(address).hostname; return host === domain || host.endsWith('.' + domain) ? address : null; }\n",
        },
        Example {
            weak: "function f(url) { return «url.indexOf('https://example.com')» !== -1; }\n",
            sound: "function f(url) { return new URL(url).origin === 'https://example.com'; }\n",
        },
    ],
};

pub(super) static PASSWORD: RuleInfo = RuleInfo {
    code: "CW-JS-916-2",
    name: "js/password-compared",
    cwe: &[Cwe(916), Cwe(256)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A password is compared with what is stored without a slow hash that has a salt of its own",
    fix: "use bcrypt.compare or argon2.verify",
    examples: &[Example {
        weak: "class User { check(plain) { return «this.encryptPassword(plain) === this.hashed_password»; } }\n",
        sound: "const bcrypt = require('bcrypt');\nclass User { check(plain) { return bcrypt.compareSync(plain, this.hashed_password); } }\n",
    }],
};

/// Whether a name says that a value is a stored password.
fn is_stored_password(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or(path);
    let words = words(last);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    has(&["password", "passwd", "pwd"]) && has(&["hashed", "hash", "digest", "encrypted", "crypted", "stored"])
}

pub(super) fn compare(left: &Operand, operator: Comparison, right: &Operand, report: &mut Report<'_>) {
    if !matches!(operator, Comparison::Equal | Comparison::NotEqual) {
        return;
    }
    let is_code = |operand: &Operand| {
        operand.value.labels.has(Labels::DIGEST) && operand.value.path_text().starts_with("crypto.createHmac")
    };
    let is_named = |operand: &Operand| {
        let entered = operand.value.taints.iter().find(|taint| taint.enters_as(&operand.value));
        let path = operand.value.path_text();
        let name = entered.map_or(path.rsplit('.').next().unwrap_or(path), |taint| taint.source.label.as_ref());
        words(name).iter().any(|word| matches!(word.as_str(), "signature" | "hmac" | "mac" | "digest"))
    };
    let is_code = |operand: &Operand| is_code(operand) || is_named(operand);
    let is_known =
        |operand: &Operand| operand.value.constant.is_some() || operand.value.path_text().starts_with("typeof");
    if let Some(code) = [left, right].into_iter().find(|operand| is_code(operand))
        && !is_known(left)
        && !is_known(right)
    {
        report.add(&DIGEST, code.span, "comparing takes longer the more is right; use crypto.timingSafeEqual", None);
    }
    for (stored, computed) in [(left, right), (right, left)] {
        if is_stored_password(stored.value.path_text()) && computed.value.path_text().ends_with("()") {
            let place = crate::syntax::Span {
                start: left.span.start.min(right.span.start),
                end: left.span.end.max(right.span.end),
            };
            let message =
                "a password that is compared like this was hashed without a salt of its own; use bcrypt.compare";
            report.add(&PASSWORD, place, message, None);
            return;
        }
    }
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if !call.has_method(&["includes", "indexOf", "startsWith", "search"]) {
        return;
    }
    let (Some(receiver), Some(first)) = (&call.receiver, call.first()) else { return };
    let path = receiver.value.path_text();
    let is_host = [".hostname", ".host", ".origin"].iter().any(|end| path.ends_with(end)) && path.contains("URL()")
        || path.starts_with("url.parse()") && path.ends_with("host");
    let is_address = first.value.text().is_some_and(|text| text.starts_with("http://") || text.starts_with("https://"));
    let names_host = first
        .value
        .text()
        .is_some_and(|text| text.split_once("://").is_some_and(|(_, host)| host.contains('.') && !host.contains('/')));
    let is_part = call.method != "startsWith";
    if is_host
        && is_part
        && receiver.value.is_tainted(Classes::HOST)
        && first.value.text().is_none_or(|text| text.len() >= 3)
        || is_address && names_host && receiver.value.is_tainted(Classes::HOST)
    {
        let place = crate::syntax::Span { start: receiver.span.start, end: first.span.end + 1 };
        let message = "another host can hold this name too; compare the whole host, or its end after a dot";
        report.add(&HOST, place, message, receiver.value.taint(Classes::HOST));
    }
}
