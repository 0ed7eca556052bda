//! # `py/rsa-without-oaep`
//!
//! ## What it does
//!
//! Reports encryption by RSA with the padding of PKCS#1 1.5.
//!
//! ## Why this is bad
//!
//! Whoever can ask whether a message decrypts well can read it.
//!
//! ## Example
//!
//! ```python
//! from Crypto.Cipher import PKCS1_v1_5
//! def f(key):
//!     return PKCS1_v1_5.new(key)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! from Crypto.Cipher import PKCS1_OAEP
//! def f(key):
//!     return PKCS1_OAEP.new(key)
//! ```
//!
//! ## References
//!
//! - [CWE-780](https://cwe.mitre.org/data/definitions/780.html)

use codeward_records::{Cwe, Level};

use crate::flow::Call;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-780-1",
    name: "py/rsa-without-oaep",
    cwe: &[Cwe(780)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "RSA encrypts with a padding that can be attacked",
    fix: "use OAEP with SHA-256",
    examples: &[
        Example {
            weak: "from Crypto.Cipher import PKCS1_v1_5\ndef f(key):\n    return «PKCS1_v1_5.new»(key)\n",
            sound: "from Crypto.Cipher import PKCS1_OAEP\ndef f(key):\n    return PKCS1_OAEP.new(key)\n",
        },
        Example {
            weak: "from cryptography.hazmat.primitives.asymmetric import padding\ndef f(key, data):\n    return key.encrypt(data, «padding.PKCS1v15()»)\n",
            sound: "from cryptography.hazmat.primitives.asymmetric import padding\ndef f(key, data):\n    return key.sign(data, padding.PKCS1v15())\n",
        },
    ],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.path.ends_with("Cipher.PKCS1_v1_5.new") {
        report.add(&INFO, call.callee.span, INFO.advice(), None);
    } else if call.has_method(&["encrypt", "decrypt"])
        && let Some(padding) = call.argument(1, "padding")
        && padding.value.path_text().ends_with("padding.PKCS1v15()")
    {
        report.add(&INFO, padding.span, INFO.advice(), None);
    }
}
