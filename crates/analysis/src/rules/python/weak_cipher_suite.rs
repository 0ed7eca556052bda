//! # `py/weak-cipher-suite`
//!
//! ## What it does
//!
//! Reports lists of ciphers for TLS that allow broken ones.
//!
//! ## Why this is bad
//!
//! A broken cipher can be read by whoever records the traffic.
//!
//! ## Example
//!
//! ```python
//! import ssl
//! def f(context):
//!     context.set_ciphers('RC4-SHA:NULL')
//! ```
//!
//! ## Use instead
//!
//! ```python
//! import ssl
//! def f(context):
//!     context.set_ciphers('ECDHE+AESGCM:!aNULL')
//! ```
//!
//! ## References
//!
//! - [CWE-327](https://cwe.mitre.org/data/definitions/327.html)

use codeward_records::{Cwe, Level};

use crate::flow::Call;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-327-3",
    name: "py/weak-cipher-suite",
    cwe: &[Cwe(327)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Broken ciphers are allowed for TLS",
    fix: "leave the list at its default",
    examples: &[Example {
        weak: "import ssl\ndef f(context):\n    context.set_ciphers(«'RC4-SHA:NULL'»)\n",
        sound: "import ssl\ndef f(context):\n    context.set_ciphers('ECDHE+AESGCM:!aNULL')\n",
    }],
};

const BROKEN: &[&str] = &["RC4", "NULL", "EXPORT", "EXP", "MD5", "DES", "3DES", "ADH", "LOW"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let ciphers =
        if call.has_method(&["set_ciphers", "set_cipher_list"]) { call.first() } else { call.keyword("ciphers") };
    let is_broken = |text: &str| {
        let allowed = text.split([':', ',', ' ']).filter(|one| !one.starts_with(['!', '-']));
        let mut words = allowed.flat_map(|one| one.split(['-', '+']));
        words.any(|word| BROKEN.contains(&word.to_ascii_uppercase().as_str()))
    };
    if let Some(ciphers) = ciphers.filter(|ciphers| ciphers.value.text().is_some_and(is_broken)) {
        report.add(&INFO, ciphers.span, INFO.advice(), None);
    }
}
