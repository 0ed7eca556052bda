//! # Passwords: `js/fixed-salt`, `js/password-hash`, `js/few-rounds`
//!
//! ## What it does
//!
//! Reports passwords that are hashed with a fixed salt, with a fast hash, or in few rounds.
//!
//! ## Why this is bad
//!
//! Equal passwords show as equal, and a fast hash is tried many millions of times a second.
//!
//! ## Example
//!
//! ```javascript
//! crypto.createHash("sha256").update(password).digest();
//! ```
//!
//! ## Use instead
//!
//! ```javascript
//! await bcrypt.hash(password, 12);
//! ```
//!
//! ## References
//!
//! - [CWE-760](https://cwe.mitre.org/data/definitions/760.html)
//! - [CWE-916](https://cwe.mitre.org/data/definitions/916.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Labels, Operand};
use crate::rules::evidence::is_password_name;

use super::option;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static FIXED_SALT: RuleInfo = RuleInfo {
    code: "CW-JS-760-1",
    name: "js/fixed-salt",
    cwe: &[Cwe(760), Cwe(916)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A password is hashed with a salt that is the same each time",
    fix: "make a new salt with crypto.randomBytes",
    examples: &[Example {
        weak: "const crypto = require('crypto');\nfunction f(password) { return crypto.pbkdf2Sync(password, «'pepper'», 200000, 32, 'sha256'); }\n",
        sound: "const crypto = require('crypto');\nfunction f(password) { const salt = crypto.randomBytes(16); return crypto.pbkdf2Sync(password, salt, 200000, 32, 'sha256'); }\n",
    }],
};

pub(super) static WEAK_HASH: RuleInfo = RuleInfo {
    code: "CW-JS-916-1",
    name: "js/password-hash",
    cwe: &[Cwe(916), Cwe(328)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A password is hashed with a fast hash",
    fix: "use bcrypt, scrypt or argon2",
    examples: &[Example {
        weak: "const crypto = require('crypto');\nfunction f(password) { return crypto.createHash('sha256').update(«password»).digest('hex'); }\n",
        sound: "const bcrypt = require('bcrypt');\nfunction f(password) { return bcrypt.hash(password, 12); }\n",
    }],
};

pub(super) static FEW_ROUNDS: RuleInfo = RuleInfo {
    code: "CW-JS-916-3",
    name: "js/few-rounds",
    cwe: &[Cwe(916)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A password is hashed in few rounds",
    fix: "use at least 100,000 rounds, or a cost of 10",
    examples: &[
        Example {
            weak: "const bcrypt = require('bcrypt');\nfunction f(password) { return bcrypt.hash(password, «4»); }\n",
            sound: "const bcrypt = require('bcrypt');\nfunction f(password) { return bcrypt.hash(password, 12); }\n",
        },
        Example {
            weak: "const crypto = require('crypto');\nfunction f(word, salt) { return crypto.pbkdf2Sync(word, salt, «100», 32, 'sha256'); }\n",
            sound: "const crypto = require('crypto');\nfunction f(word, salt) { return crypto.pbkdf2Sync(word, salt, 210000, 32, 'sha512'); }\n",
        },
    ],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    match call.path {
        "crypto.pbkdf2" | "crypto.pbkdf2Sync" => {
            salt(call, report);
            rounds(call.positional.get(2), 1_000, report);
        }
        "crypto.scrypt" | "crypto.scryptSync" => salt(call, report),
        "bcrypt.hash" | "bcrypt.hashSync" => {
            salt(call, report);
            rounds(call.positional.get(1), 8, report);
        }
        "bcrypt.genSalt" | "bcrypt.genSaltSync" => rounds(call.positional.first(), 8, report),
        "argon2.hash" => {
            if let (Some(salt), Some(options)) = (option(call, "salt"), call.positional.get(1))
                && salt.characters().is_some()
            {
                report.add(&FIXED_SALT, options.span, "this salt is the same for all; leave it to argon2", None);
            }
        }
        path if path.starts_with("crypto.createHash()") && call.method == "update" => {
            if let Some(first) = call.first() {
                fast(first, report);
            }
        }
        "md5" | "sha1" | "sha256" | "crypto-js.MD5" | "crypto-js.SHA1" | "crypto-js.SHA256" | "CryptoJS.MD5"
        | "CryptoJS.SHA256" => {
            if let Some(first) = call.first() {
                fast(first, report);
            }
        }
        _ => {}
    }
}

fn salt(call: &Call<'_>, report: &mut Report<'_>) {
    let Some(salt) = call.positional.get(1) else { return };
    let value = &salt.value;
    let is_zero = value.path_text() == "Buffer.alloc()" && value.labels == Labels::NONE;
    if value.characters().is_some() || is_zero {
        report.add(
            &FIXED_SALT,
            salt.span,
            "this salt is the same for all; make a new one with crypto.randomBytes",
            None,
        );
    }
}

fn rounds(count: Option<&Operand>, least: i64, report: &mut Report<'_>) {
    if let Some(count) = count
        && count.value.integer().is_some_and(|number| number < least)
    {
        report.add(
            &FEW_ROUNDS,
            count.span,
            "so few rounds are tried quickly; use at least 100,000, or a cost of 10",
            None,
        );
    }
}

fn fast(text: &Operand, report: &mut Report<'_>) {
    let path = text.value.path_text();
    let last = path.rsplit('.').next().filter(|last| !last.contains('(')).unwrap_or_default();
    let is_named =
        text.value.taints.iter().any(|taint| is_password_name(&taint.source.label)) || is_password_name(last);
    let attribute = matches!(&text.value.shape, crate::flow::Shape::Attribute(_, name) if is_password_name(name));
    if is_named || attribute {
        report.add(
            &WEAK_HASH,
            text.span,
            "this hash is fast, so passwords are tried fast; use bcrypt, scrypt or argon2",
            None,
        );
    }
}
