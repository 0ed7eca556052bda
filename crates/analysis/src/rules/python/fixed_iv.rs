//! # `py/fixed-iv`
//!
//! ## What it does
//!
//! Reports literal initialisation vectors and nonces.
//!
//! ## Why this is bad
//!
//! Equal texts are encrypted to equal bytes, and with counter modes the key stream repeats.
//!
//! ## Example
//!
//! ```python
//! AES.new(key, AES.MODE_CBC, b"0000000000000000")
//! ```
//!
//! ## Use instead
//!
//! ```python
//! AES.new(key, AES.MODE_CBC, os.urandom(16))
//! ```
//!
//! ## References
//!
//! - [CWE-329](https://cwe.mitre.org/data/definitions/329.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Operand, ValueRef};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-329-1",
    name: "py/fixed-iv",
    cwe: &[Cwe(329)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A cipher's starting value is always the same",
    fix: "draw a new one with os.urandom for each message",
    examples: &[Example {
        weak: "from Crypto.Cipher import AES\ndef f(key, data):\n    return AES.new(key, AES.MODE_CBC, «b'0123456789abcdef'»).encrypt(data)\n",
        sound: "import os\nfrom Crypto.Cipher import AES\ndef f(key, data):\n    return AES.new(key, AES.MODE_CBC, os.urandom(16)).encrypt(data)\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let is_bare = matches!(call.path, "AES.new" | "DES3.new" | "DES.new");
    let by_new = (call.path.contains("Cipher") || is_bare) && call.method == "new";
    let by_mode = call.path.contains("ciphers.modes.");
    let operand = if by_new {
        call.keyword("iv").or_else(|| call.keyword("nonce")).or_else(|| call.positional.get(2))
    } else if by_mode {
        call.first()
    } else {
        None
    };
    let is_text = |value: &ValueRef| value.characters().is_some_and(|text| !text.is_empty());
    let is_fixed = |operand: &&Operand| is_text(&operand.value) || operand.value.items().iter().any(is_text);
    if let Some(operand) = operand.filter(is_fixed) {
        report.add(
            &INFO,
            operand.span,
            "this starting value is the same for every message; draw it with os.urandom",
            None,
        );
    }
}
