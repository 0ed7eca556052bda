//! # `py/password-hash-effort`
//!
//! ## What it does
//!
//! Reports passwords put through a plain digest, salted digests put together by hand, and key derivation with few rounds.
//!
//! ## Why this is bad
//!
//! A graphics card tries billions of passwords a second.
//!
//! ## Example
//!
//! ```python
//! hashlib.sha256(salt + password.encode())
//! ```
//!
//! ## Use instead
//!
//! ```python
//! hashlib.scrypt(password.encode(), salt=salt, n=16384, r=8, p=1)
//! ```
//!
//! ## References
//!
//! - [CWE-916](https://cwe.mitre.org/data/definitions/916.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Labels, Piece, Shape, ValueRef};
use crate::report::Report;
use crate::rules::evidence::is_password_name;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-916-1",
    name: "py/password-hash-effort",
    cwe: &[Cwe(916)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A password is hashed by a function that is fast to compute",
    fix: "use hashlib.scrypt with n=16384, or pbkdf2_hmac with 600000 rounds of SHA-256",
    examples: &[Example {
        weak: "import hashlib\ndef f(password, salt):\n    a = hashlib.sha256(«password.encode()»)\n    b = hashlib.pbkdf2_hmac('sha256', password, salt, «1000»)\n    return a, b\n",
        sound: "import hashlib\ndef f(password, salt):\n    return hashlib.pbkdf2_hmac('sha256', password, salt, 600000)\n",
    }],
};

/// Fewer rounds of PBKDF2 than this are no obstacle.
const LEAST_ROUNDS: i64 = 10_000;

const LEAST_SCRYPT: i64 = 4096;

const FAST: &[&str] = &[
    "hashlib.md5",
    "hashlib.sha1",
    "hashlib.sha224",
    "hashlib.sha256",
    "hashlib.sha384",
    "hashlib.sha512",
    "hashlib.sha3_256",
    "hashlib.sha3_512",
    "hashlib.blake2b",
    "hashlib.blake2s",
    "hashlib.new",
];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let rounds = match call.path {
        "hashlib.pbkdf2_hmac" => call.argument(3, "iterations"),
        "Cryptodome.Protocol.KDF.PBKDF2" => call.argument(3, "count"),
        path if path.ends_with("PBKDF2HMAC") => call.keyword("iterations"),
        _ => None,
    };
    if let Some(rounds) = rounds.filter(|rounds| rounds.value.integer().is_some_and(|rounds| rounds < LEAST_ROUNDS)) {
        report.add(
            &INFO,
            rounds.span,
            "so few rounds cost an attacker nothing; use 600000 for SHA-256, or scrypt",
            None,
        );
    }
    if call.path == "hashlib.scrypt"
        && let Some(cost) =
            call.keyword("n").filter(|cost| cost.value.integer().is_some_and(|cost| cost < LEAST_SCRYPT))
    {
        report.add(&INFO, cost.span, "so low a cost is no obstacle; use n=16384 or more", None);
    }
    if !call.is(FAST) {
        return;
    }
    let Some(data) = (if call.path == "hashlib.new" { call.argument(1, "data") } else { call.argument(0, "data") })
    else {
        return;
    };
    let by_name = data.value.taints.iter().find(|taint| is_password_name(&taint.source.label));
    let message = "a digest of a password is fast to try; use hashlib.scrypt or pbkdf2_hmac with many rounds";
    if let Some(taint) = by_name {
        report.add(&INFO, data.span, message, Some(taint));
    } else if is_salted(&data.value) {
        let message = "a digest salted by hand is fast to try; use hashlib.scrypt for passwords and hmac for messages";
        report.add(&INFO, data.span, message, data.value.taint(Classes::ALL));
    }
}

/// Whether two values and nothing else were put together.
fn is_salted(data: &ValueRef) -> bool {
    let Shape::Text(pieces) = &data.shape else { return false };
    let [Piece::Hole { value: one, .. }, Piece::Hole { value: two, .. }] = pieces.as_ref() else { return false };
    let is_value = |value: &ValueRef| !value.taints.is_empty() || value.labels.has(Labels::STRONG_RANDOM);
    is_value(one) && is_value(two) && data.is_tainted(Classes::ALL)
}
