//! # `py/hard-coded-key`
//!
//! ## What it does
//!
//! Reports literals that are used as keys of ciphers, codes and tokens.
//!
//! ## Why this is bad
//!
//! Everyone who can read the code, or an old version of it, has the key.
//!
//! ## Example
//!
//! ```python
//! from cryptography.fernet import Fernet
//! x = Fernet(b'cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=')
//! ```
//!
//! ## Use instead
//!
//! ```python
//! import os
//! from cryptography.fernet import Fernet
//! x = Fernet(os.environ['KEY'])
//! ```
//!
//! ## References
//!
//! - [CWE-321](https://cwe.mitre.org/data/definitions/321.html)
//! - [CWE-798](https://cwe.mitre.org/data/definitions/798.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Operand};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-321-1",
    name: "py/hard-coded-key",
    cwe: &[Cwe(321), Cwe(798)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A cryptographic key is written in the code",
    fix: "read it from the environment or a key store",
    examples: &[
        Example {
            weak: "from cryptography.fernet import Fernet\nx = Fernet(«b'cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4='»)\n",
            sound: "import os\nfrom cryptography.fernet import Fernet\nx = Fernet(os.environ['KEY'])\n",
        },
        Example {
            weak: "import jwt\ndef f(data):\n    return jwt.encode(data, «'my-signing-words'», algorithm='HS256')\n",
            sound: "import jwt, os\ndef f(data):\n    return jwt.encode(data, os.environ['KEY'], algorithm='HS256')\n",
        },
    ],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let key = match call.path {
        "cryptography.fernet.Fernet" | "hmac.new" | "hmac.digest" => call.argument(0, "key"),
        "jwt.encode" | "jwt.decode" => call.argument(1, "key"),
        path if path.ends_with(".ciphers.algorithms.AES") => call.argument(0, "key"),
        path if path.contains(".Cipher.") && call.method == "new" => call.argument(0, "key"),
        _ => return,
    };
    let is_literal = |key: &&Operand| key.value.characters().is_some_and(|text| !text.is_empty());
    if let Some(key) = key.filter(is_literal) {
        report.add(&INFO, key.span, INFO.advice(), None);
    }
}
