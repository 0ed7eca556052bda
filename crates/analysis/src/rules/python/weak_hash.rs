//! # `py/weak-hash`
//!
//! ## What it does
//!
//! Reports MD5, SHA-1 and older digests, under any name, unless marked as not used for security.
//!
//! ## Why this is bad
//!
//! Two different inputs with the same digest can be made at will.
//!
//! ## Example
//!
//! ```python
//! hashlib.md5(data)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! hashlib.sha256(data)
//! ```
//!
//! ## References
//!
//! - [CWE-328](https://cwe.mitre.org/data/definitions/328.html)
//! - [CWE-327](https://cwe.mitre.org/data/definitions/327.html)

use codeward_records::{Cwe, Level};

use crate::flow::Call;
use crate::report::Report;
use crate::rules::evidence::is_literally_false;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-328-2",
    name: "py/weak-hash",
    cwe: &[Cwe(328), Cwe(327)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A broken hash function is used",
    fix: "use hashlib.sha256 or blake2b, or usedforsecurity=False where nothing depends on it",
    examples: &[Example {
        weak: "import hashlib\ndef f(data):\n    return «hashlib.md5»(data), hashlib.new(«'sha1'», data)\n",
        sound: "import hashlib\ndef f(data):\n    return hashlib.sha256(data), hashlib.md5(data, usedforsecurity=False)\n",
    }],
};

const BROKEN: &[&str] = &["md4", "md5", "sha1", "sha", "ripemd160", "md2"];

fn is_broken(name: &str) -> bool {
    BROKEN.contains(&name.to_ascii_lowercase().replace('-', "").as_str())
}

/// The broken function that a path names.
fn broken_path(path: &str) -> bool {
    let Some((module, name)) = path.rsplit_once('.') else { return false };
    match module {
        "hashlib" | "cryptography.hazmat.primitives.hashes" => is_broken(name),
        "md5" | "sha" => name == "new" || name == module,
        _ => {
            name == "new"
                && module.rsplit_once('.').is_some_and(|(package, name)| package.ends_with("Hash") && is_broken(name))
        }
    }
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let message =
        "this digest is broken; use hashlib.sha256 or blake2b, or usedforsecurity=False where nothing depends on it";
    if call.keyword("usedforsecurity").is_some_and(is_literally_false) {
        return;
    }
    if broken_path(call.path) {
        report.add(&INFO, call.callee.span, message, None);
        return;
    }
    let named = match call.path {
        "hashlib.new" | "hashlib.file_digest" | "hashlib.pbkdf2_hmac" => {
            if call.path == "hashlib.file_digest" {
                call.argument(1, "digest")
            } else {
                call.argument(0, "name")
            }
        }
        "hmac.new" | "hmac.digest" | "hmac.HMAC" => call.argument(2, "digestmod").or_else(|| call.keyword("digest")),
        _ => None,
    };
    if let Some(named) = named
        && (named.value.text().is_some_and(is_broken) || broken_path(named.value.path_text()))
        && !(call.path == "hashlib.pbkdf2_hmac" && named.value.text() == Some("sha1"))
    {
        report.add(&INFO, named.span, message, None);
    }
}
