//! # `py/cleartext-protocol`
//!
//! ## What it does
//!
//! Reports Telnet and FTP.
//!
//! ## Why this is bad
//!
//! Everyone on the way can read and change what is sent.
//!
//! ## Example
//!
//! ```python
//! ftplib.FTP(host)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! ftplib.FTP_TLS(host)
//! ```
//!
//! ## References
//!
//! - [CWE-319](https://cwe.mitre.org/data/definitions/319.html)

use codeward_records::{Cwe, Level};

use crate::flow::Call;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-319-1",
    name: "py/cleartext-protocol",
    cwe: &[Cwe(319)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A protocol without encryption is used",
    fix: "use SSH, SFTP or FTP over TLS",
    examples: &[Example {
        weak: "import ftplib\ndef f(host):\n    return «ftplib.FTP»(host)\n",
        sound: "import ftplib\ndef f(host):\n    return ftplib.FTP_TLS(host)\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(&["telnetlib.Telnet", "ftplib.FTP"]) {
        report.add(
            &INFO,
            call.callee.span,
            "this protocol sends everything in the clear; use SSH, SFTP or FTP over TLS",
            None,
        );
    }
}
