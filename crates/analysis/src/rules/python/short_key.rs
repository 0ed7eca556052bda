//! # `py/short-key`
//!
//! ## What it does
//!
//! Reports random keys and tokens of less than 12 bytes, RSA and DSA keys of less than 2048 bits, and small curves.
//!
//! ## Why this is bad
//!
//! Short keys can be tried one by one.
//!
//! ## Example
//!
//! ```python
//! secrets.token_bytes(8)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! secrets.token_bytes(32)
//! ```
//!
//! ## References
//!
//! - [CWE-326](https://cwe.mitre.org/data/definitions/326.html)

use codeward_records::{Cwe, Level};

use crate::flow::Call;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-326-1",
    name: "py/short-key",
    cwe: &[Cwe(326)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A key has too few bits",
    fix: "ask for at least 16 random bytes, 2048 bits for RSA and DSA, or a curve of 256 bits",
    examples: &[Example {
        weak: "import secrets\ndef f():\n    return secrets.token_hex(«4»)\n",
        sound: "import secrets\ndef f():\n    return secrets.token_hex(16)\n",
    }],
};

/// Curves below 224 bits.
const SMALL_CURVES: &[&str] = &["SECT163K1", "SECT163R2", "SECP192R1"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let (size, least, message) = match call.path {
        "secrets.token_bytes" | "secrets.token_hex" | "secrets.token_urlsafe" => {
            (call.argument(0, "nbytes"), 12, "so few random bytes can be tried one by one; ask for at least 16")
        }
        "os.urandom" => {
            (call.argument(0, "size"), 12, "so few random bytes can be tried one by one; ask for at least 16")
        }
        "Cryptodome.PublicKey.RSA.generate" | "Cryptodome.PublicKey.DSA.generate" | "rsa.newkeys" => {
            (call.argument(0, "bits"), 2048, "a key of this size can be factored; use at least 2048 bits")
        }
        path if path.ends_with("rsa.generate_private_key") => {
            (call.argument(1, "key_size"), 2048, "a key of this size can be factored; use at least 2048 bits")
        }
        path if path.ends_with("dsa.generate_private_key") => {
            (call.argument(0, "key_size"), 2048, "a key of this size is too small; use at least 2048 bits")
        }
        path if path.ends_with("ec.generate_private_key") => {
            let curve = call.argument(0, "curve");
            let is_small = |name: &str| SMALL_CURVES.contains(&name.trim_end_matches("()"));
            if let Some(curve) = curve.filter(|curve| curve.value.path_text().rsplit('.').next().is_some_and(is_small))
            {
                report.add(&INFO, curve.span, "this curve is too small; use SECP256R1 or larger", None);
            }
            return;
        }
        _ => return,
    };
    let is_byte = call.path == "os.urandom" && size.is_some_and(|size| size.value.integer() == Some(1));
    if let Some(size) = size.filter(|_| !is_byte)
        && size.value.integer().is_some_and(|number| number > 0 && number < least)
    {
        report.add(&INFO, size.span, message, None);
    }
}
