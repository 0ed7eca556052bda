//! # `py/weak-cipher`
//!
//! ## What it does
//!
//! Reports DES, RC2, RC4, Blowfish, IDEA, and the ECB mode.
//!
//! ## Why this is bad
//!
//! Short blocks and biased streams leak what was encrypted; ECB shows which blocks are equal.
//!
//! ## Example
//!
//! ```python
//! AES.new(key, AES.MODE_ECB)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! AES.new(key, AES.MODE_GCM)
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
    code: "CW-PY-327-2",
    name: "py/weak-cipher",
    cwe: &[Cwe(327)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A broken cipher or mode is used",
    fix: "use AES in GCM mode or ChaCha20-Poly1305",
    examples: &[Example {
        weak: "from Crypto.Cipher import AES, DES\ndef f(key):\n    return «DES.new»(key), AES.new(key, «AES.MODE_ECB»)\n",
        sound: "from Crypto.Cipher import AES\ndef f(key):\n    return AES.new(key, AES.MODE_GCM)\n",
    }],
};

const CIPHERS: &[&str] = &["DES", "DES3", "ARC2", "ARC4", "Blowfish", "CAST", "XOR", "RC2", "RC4"];

const ALGORITHMS: &[&str] = &["ARC4", "TripleDES", "Blowfish", "IDEA", "CAST5", "SEED", "RC2"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let message = "this cipher or mode is broken; use AES in GCM mode or ChaCha20-Poly1305";
    let mut parts = call.path.rsplit('.');
    let (last, before) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    // Without its import, the name alone has to do.
    let is_bare = call.path.matches('.').count() == 1;
    let is_old = last == "new" && CIPHERS.contains(&before) && (call.path.contains("Cipher") || is_bare)
        || call.path.contains("ciphers.algorithms") && ALGORITHMS.contains(&last)
        || call.path.contains("ciphers.modes") && last == "ECB"
        || call.path == "pyDes.des";
    if is_old {
        report.add(&INFO, call.callee.span, message, None);
    }
    for operand in call.arguments() {
        if operand.value.path_text().ends_with(".MODE_ECB") {
            report.add(&INFO, operand.span, message, None);
        }
    }
}
