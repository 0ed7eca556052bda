//! # `py/fixed-salt`
//!
//! ## What it does
//!
//! Reports salts that are literal, and salts made from the password itself.
//!
//! ## Why this is bad
//!
//! One table of hashes serves for all users.
//!
//! ## Example
//!
//! ```python
//! hashlib.pbkdf2_hmac("sha256", password, b"pepper", 600000)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! hashlib.pbkdf2_hmac("sha256", password, os.urandom(16), 600000)
//! ```
//!
//! ## References
//!
//! - [CWE-760](https://cwe.mitre.org/data/definitions/760.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Labels, ValueRef};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-760-1",
    name: "py/fixed-salt",
    cwe: &[Cwe(760)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A password's salt can be foreseen",
    fix: "draw one with os.urandom(16) for each password",
    examples: &[Example {
        weak: "import hashlib\ndef f(password):\n    return hashlib.scrypt(password, salt=«b'salt'», n=16384, r=8, p=1)\n",
        sound: "import hashlib, os\ndef f(password):\n    return hashlib.scrypt(password, salt=os.urandom(16), n=16384, r=8, p=1)\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let (password, salt) = match call.path {
        "hashlib.pbkdf2_hmac" => (call.argument(1, "password"), call.argument(2, "salt")),
        "hashlib.scrypt" => (call.argument(0, "password"), call.keyword("salt")),
        "bcrypt.hashpw" | "crypt.crypt" => (call.positional.first(), call.positional.get(1)),
        "Cryptodome.Protocol.KDF.PBKDF2" | "Cryptodome.Protocol.KDF.scrypt" => {
            (call.argument(0, "password"), call.argument(1, "salt"))
        }
        path if path.ends_with("PBKDF2HMAC") || path.ends_with("kdf.scrypt.Scrypt") => (None, call.keyword("salt")),
        path if path.starts_with("hashlib.blake2") => (call.first(), call.keyword("salt")),
        _ => return,
    };
    let Some(salt) = salt else { return };
    let is_text = |value: &ValueRef| value.characters().is_some();
    if is_text(&salt.value) || salt.value.items().iter().any(is_text) {
        report.add(
            &INFO,
            salt.span,
            "this salt is the same for everyone; draw one with os.urandom(16) for each password",
            None,
        );
        return;
    }
    let shared = password.and_then(|password| {
        let sources: Vec<_> = password.value.taints.iter().map(|taint| &taint.source).collect();
        salt.value.taints.iter().find(|taint| sources.iter().any(|source| std::rc::Rc::ptr_eq(source, &taint.source)))
    });
    if salt.value.labels.has(Labels::DIGEST) && !salt.value.labels.has(Labels::STRONG_RANDOM) {
        let message = "this salt can be computed by everyone; draw one with os.urandom(16) for each password";
        report.add(&INFO, salt.span, message, None);
        return;
    }
    if let Some(taint) = shared.filter(|_| !salt.value.labels.has(Labels::STRONG_RANDOM)) {
        let message = "this salt follows from the password; draw one with os.urandom(16) for each password";
        report.add(&INFO, salt.span, message, Some(taint));
    }
}
