//! # `py/checksum-as-digest`
//!
//! ## What it does
//!
//! Reports CRC-32 and Adler-32.
//!
//! ## Why this is bad
//!
//! They find accidents, not changes made on purpose.
//!
//! ## Example
//!
//! ```python
//! zlib.crc32(data)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! hashlib.sha256(data).hexdigest()
//! ```
//!
//! ## References
//!
//! - [CWE-328](https://cwe.mitre.org/data/definitions/328.html)

use codeward_records::{Cwe, Level};

use crate::flow::Call;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-328-1",
    name: "py/checksum-as-digest",
    cwe: &[Cwe(328)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "A checksum stands in for a digest",
    fix: "use hashlib.sha256 where a digest is meant",
    examples: &[Example {
        weak: "import zlib\ndef f(data):\n    return «zlib.crc32»(data)\n",
        sound: "import hashlib\ndef f(data):\n    return hashlib.sha256(data).digest()\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(&["zlib.crc32", "zlib.adler32", "binascii.crc32"]) {
        report.add(
            &INFO,
            call.callee.span,
            "a checksum does not notice changes made on purpose; use hashlib.sha256",
            None,
        );
    }
}
