//! # Cryptography: `js/weak-cipher`, `js/cipher-blocks-apart`, `js/cipher-without-iv`, `js/weak-hash`, `js/short-key`, `js/fixed-iv`, `js/fixed-key`, `js/weak-random`, `js/guessable-value`
//!
//! ## What it does
//!
//! Reports broken ciphers and hashes, keys that are short or written in the program, repeated initial values, and secrets from a
//! generator that can be predicted.
//!
//! ## Why this is bad
//!
//! Each of these lets others read, forge or guess what was to be protected.
//!
//! ## Example
//!
//! ```javascript
//! crypto.createCipheriv("des-cbc", key, iv);
//! ```
//!
//! ## Use instead
//!
//! ```javascript
//! crypto.createCipheriv("aes-256-gcm", key, crypto.randomBytes(12));
//! ```
//!
//! ## References
//!
//! - [CWE-327](https://cwe.mitre.org/data/definitions/327.html)
//! - [CWE-328](https://cwe.mitre.org/data/definitions/328.html)
//! - [CWE-326](https://cwe.mitre.org/data/definitions/326.html)
//! - [CWE-329](https://cwe.mitre.org/data/definitions/329.html)
//! - [CWE-321](https://cwe.mitre.org/data/definitions/321.html)
//! - [CWE-338](https://cwe.mitre.org/data/definitions/338.html)
//! - [CWE-340](https://cwe.mitre.org/data/definitions/340.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Labels, Operand};
use crate::rules::evidence::{is_password_name, must_be_unguessable, words};

use super::option;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static CIPHER: RuleInfo = RuleInfo {
    code: "CW-JS-327-1",
    name: "js/weak-cipher",
    cwe: &[Cwe(327)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A cipher is used that has been broken",
    fix: "use aes-256-gcm",
    examples: &[Example {
        weak: "const crypto = require('crypto');\nfunction f(key, iv) { return crypto.createCipheriv(«'des-cbc'», key, iv); }\n",
        sound: "const crypto = require('crypto');\nfunction f(key, iv) { return crypto.createCipheriv('aes-256-gcm', key, iv); }\n",
    }],
};

pub(super) static BLOCKS: RuleInfo = RuleInfo {
    code: "CW-JS-327-2",
    name: "js/cipher-blocks-apart",
    cwe: &[Cwe(327)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A cipher turns equal blocks into equal blocks",
    fix: "use a mode with an initial value, such as gcm",
    examples: &[Example {
        weak: "const crypto = require('crypto');\nfunction f(key) { return crypto.createCipheriv(«'aes-128-ecb'», key, null); }\n",
        sound: "const crypto = require('crypto');\nfunction f(key, iv) { return crypto.createCipheriv('aes-128-gcm', key, iv); }\n",
    }],
};

pub(super) static WITHOUT_IV: RuleInfo = RuleInfo {
    code: "CW-JS-1204-1",
    name: "js/cipher-without-iv",
    cwe: &[Cwe(1204), Cwe(327)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A cipher derives its key and initial value from a password alone",
    fix: "use createCipheriv with a random initial value",
    examples: &[Example {
        weak: "const crypto = require('crypto');\nfunction f(password) { return «crypto.createCipher»('aes-256-cbc', password); }\n",
        sound: "const crypto = require('crypto');\nfunction f(key) { return crypto.createCipheriv('aes-256-cbc', key, crypto.randomBytes(16)); }\n",
    }],
};

pub(super) static HASH: RuleInfo = RuleInfo {
    code: "CW-JS-328-1",
    name: "js/weak-hash",
    cwe: &[Cwe(328), Cwe(327)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A hash is used for which collisions are known",
    fix: "use sha256",
    examples: &[Example {
        weak: "const crypto = require('crypto');\nfunction f(text) { return crypto.createHash(«'md5'»).update(text).digest('hex'); }\n",
        sound: "const crypto = require('crypto');\nfunction f(text) { return crypto.createHash('sha256').update(text).digest('hex'); }\n",
    }],
};

pub(super) static SHORT_KEY: RuleInfo = RuleInfo {
    code: "CW-JS-326-1",
    name: "js/short-key",
    cwe: &[Cwe(326)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A key is too short",
    fix: "use at least 2048 bits, or a curve of 256",
    examples: &[Example {
        weak: "const crypto = require('crypto');\ncrypto.generateKeyPairSync('rsa', «{ modulusLength: 1024 }»);\n",
        sound: "const crypto = require('crypto');\ncrypto.generateKeyPairSync('rsa', { modulusLength: 3072 });\n",
    }],
};

pub(super) static FIXED_IV: RuleInfo = RuleInfo {
    code: "CW-JS-329-1",
    name: "js/fixed-iv",
    cwe: &[Cwe(329), Cwe(1204)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "An initial value is the same each time",
    fix: "make a new one with crypto.randomBytes",
    examples: &[Example {
        weak: "const crypto = require('crypto');\nfunction f(key) { const iv = Buffer.alloc(16, 0); return crypto.createCipheriv('aes-256-cbc', key, «iv»); }\n",
        sound: "const crypto = require('crypto');\nfunction f(key) { const iv = crypto.randomBytes(16); return crypto.createCipheriv('aes-256-cbc', key, iv); }\n",
    }],
};

pub(super) static FIXED_KEY: RuleInfo = RuleInfo {
    code: "CW-JS-321-1",
    name: "js/fixed-key",
    cwe: &[Cwe(321), Cwe(798)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A key is written in the program",
    fix: "read the key from the environment or a key store",
    examples: &[Example {
        weak: "const crypto = require('crypto');\nfunction f(text) { return crypto.createHmac('sha256', «'keyboard cat 1'»).update(text).digest(); }\n",
        sound: "const crypto = require('crypto');\nfunction f(text) { return crypto.createHmac('sha256', process.env.KEY).update(text).digest(); }\n",
    }],
};

pub(super) static RANDOM: RuleInfo = RuleInfo {
    code: "CW-JS-338-1",
    name: "js/weak-random",
    cwe: &[Cwe(338), Cwe(330)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A secret comes from a generator that can be predicted",
    fix: "use crypto.randomBytes or crypto.randomUUID",
    examples: &[
        Example {
            weak: "const makeUuid = () => 'xxxx'.replace(/x/g, () => («Math.random»() * 16 | 0).toString(16));\n",
            sound: "const makeColour = () => Math.floor(Math.random() * 255);\n",
        },
        Example {
            weak: "function f() { const token = «Math.random().toString(36)»; return token; }\n",
            sound: "const crypto = require('crypto');\nfunction f() { const token = crypto.randomBytes(16).toString('hex'); return token; }\n",
        },
    ],
};

pub(super) static GUESSABLE: RuleInfo = RuleInfo {
    code: "CW-JS-340-1",
    name: "js/guessable-value",
    cwe: &[Cwe(340), Cwe(330)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "A secret comes from the clock",
    fix: "use crypto.randomBytes",
    examples: &[Example {
        weak: "function f(user) { const resetToken = «user.id + Date.now()»; return resetToken; }\n",
        sound: "function f() { const sessionStart = Date.now(); return sessionStart; }\n",
    }],
};

const BROKEN: &[&str] = &["des", "des3", "rc2", "rc4", "bf", "blowfish", "cast5", "seed", "idea", "desx"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    match call.path {
        "Math.random" if makes_secret(&call.place.function) => {
            let message = "this generator can be predicted from what it gave before; use crypto.randomBytes";
            report.add(&RANDOM, call.callee.span, message, None);
        }
        "crypto.createCipheriv" | "crypto.createDecipheriv" => {
            algorithm(call, report);
            if call.path == "crypto.createCipheriv" {
                initial_value(call, report);
            }
            key(call, report);
        }
        "crypto.createCipher" | "crypto.createDecipher" => {
            algorithm(call, report);
            let message =
                "the key and the initial value follow from the password alone; use createCipheriv with a random one";
            report.add(&WITHOUT_IV, call.callee.span, message, None);
        }
        "crypto.createHash" | "crypto.createHmac" => {
            if call.path == "crypto.createHmac" {
                key(call, report);
            }
            let Some(first) = call.first() else { return };
            let name = first.value.text().unwrap_or_default().to_ascii_lowercase();
            if matches!(name.as_str(), "md5" | "md4" | "md2" | "ripemd" | "rsa-md5")
                || name == "sha1" && call.path == "crypto.createHash"
            {
                report.add(
                    &HASH,
                    first.span,
                    "two texts with the same hash can be found for this one; use sha256",
                    None,
                );
            }
        }
        "md5" | "crypto-js.MD5" | "CryptoJS.MD5" | "crypto-js.SHA1" | "CryptoJS.SHA1" | "sha1" | "blueimp-md5" => {
            report.add(
                &HASH,
                call.callee.span,
                "two texts with the same hash can be found for this one; use sha256",
                None,
            );
        }
        "crypto-js.DES.encrypt"
        | "CryptoJS.DES.encrypt"
        | "crypto-js.TripleDES.encrypt"
        | "CryptoJS.TripleDES.encrypt"
        | "crypto-js.RC4.encrypt"
        | "CryptoJS.RC4.encrypt" => {
            report.add(
                &CIPHER,
                call.callee.span,
                "this cipher has been broken; use AES with an authenticated mode",
                None,
            );
        }
        "crypto.generateKeyPairSync" | "crypto.generateKeyPair" => key_size(call, report),
        _ => {}
    }
}

fn algorithm(call: &Call<'_>, report: &mut Report<'_>) {
    let Some(first) = call.first() else { return };
    let name = first.value.outline().to_ascii_lowercase();
    let family = name.split('-').next().unwrap_or_default();
    if BROKEN.contains(&family) {
        report.add(&CIPHER, first.span, "this cipher has been broken; use aes-256-gcm", None);
    } else if name.contains("-ecb") {
        report.add(
            &BLOCKS,
            first.span,
            "equal blocks of the text become equal blocks here; use a mode such as gcm",
            None,
        );
    }
}

/// Whether the name of a function says that it makes what must not be guessed: `generateToken`, `uuid`.
fn makes_secret(function: &str) -> bool {
    function.split('.').any(|name| {
        let words = words(name);
        let is_secret = |word: &String| {
            matches!(
                word.as_str(),
                "token" | "password" | "secret" | "uuid" | "guid" | "otp" | "nonce" | "salt" | "csrf" | "apikey"
            )
        };
        words.iter().any(is_secret)
    })
}

fn is_fixed(operand: &Operand) -> bool {
    let value = &operand.value;
    value.characters().is_some_and(|text| !text.is_empty())
        || matches!(value.path_text(), "Buffer.alloc()") && value.labels == Labels::NONE && value.taints.is_empty()
        || value.is_literal() && !value.items().is_empty()
}

fn initial_value(call: &Call<'_>, report: &mut Report<'_>) {
    if let Some(iv) = call.positional.get(2)
        && is_fixed(iv)
    {
        report.add(
            &FIXED_IV,
            iv.span,
            "this initial value is the same each time; make a new one with crypto.randomBytes",
            None,
        );
    }
}

fn key(call: &Call<'_>, report: &mut Report<'_>) {
    if let Some(key) = call.positional.get(1)
        && key.value.characters().is_some_and(|text| text.len() > 3)
    {
        report.add(&FIXED_KEY, key.span, "whoever reads the program has this key; read it from the environment", None);
    }
}

fn key_size(call: &Call<'_>, report: &mut Report<'_>) {
    let Some(options) = call.positional.get(1) else { return };
    let is_short = option(call, "modulusLength").and_then(|size| size.integer()).is_some_and(|bits| bits < 2048);
    let curve = option(call, "namedCurve").and_then(|curve| curve.text());
    let is_small = curve.is_some_and(|curve| {
        ["secp112", "secp128", "secp160", "prime192", "secp192"].iter().any(|start| curve.starts_with(start))
    });
    if is_short || is_small {
        report.add(&SHORT_KEY, options.span, "a key of this size can be computed; use at least 2048 bits", None);
    }
}

/// A name that must not be guessed is given a value that can be.
pub(super) fn assign(name: &str, value: &Operand, report: &mut Report<'_>) {
    let is_secret = must_be_unguessable(name) || is_password_name(name) || makes_secret(name);
    if !is_secret || value.value.labels.has(Labels::STRONG_RANDOM) || !matches_text(value) {
        return;
    }
    if value.value.labels.has(Labels::WEAK_RANDOM) {
        let message = "this generator can be predicted from what it gave before; use crypto.randomBytes";
        report.add(&RANDOM, value.span, message, None);
    } else if value.value.labels.has(Labels::GUESSABLE) && value.value.is_built() {
        report.add(&GUESSABLE, value.span, "the time can be guessed; use crypto.randomBytes", None);
    }
}

/// Whether a value is a text or number rather than a collection or a function.
fn matches_text(value: &Operand) -> bool {
    use crate::flow::Shape;
    !matches!(value.value.shape, Shape::Function(_) | Shape::Dictionary(_) | Shape::Sequence(..))
}
