//! # `py/old-tls`, `py/negotiated-tls`
//!
//! ## What it does
//!
//! Reports SSL 2, SSL 3, TLS 1.0 and TLS 1.1, and notes contexts that leave the version to be negotiated.
//!
//! ## Why this is bad
//!
//! They can be broken by whoever can watch.
//!
//! ## Example
//!
//! ```python
//! ssl.SSLContext(ssl.PROTOCOL_TLSv1)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
//! ```
//!
//! ## References
//!
//! - [CWE-327](https://cwe.mitre.org/data/definitions/327.html)
//! - [CWE-326](https://cwe.mitre.org/data/definitions/326.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Operand};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-327-1",
    name: "py/old-tls",
    cwe: &[Cwe(327), Cwe(326)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "An old version of TLS is asked for",
    fix: "use PROTOCOL_TLS_CLIENT and TLS 1.2 or newer",
    examples: &[Example {
        weak: "import ssl\ndef f():\n    return ssl.SSLContext(«ssl.PROTOCOL_TLSv1»)\n",
        sound: "import ssl\ndef f():\n    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n",
    }],
};

const OLD: &[&str] = &[
    "PROTOCOL_SSLv2",
    "PROTOCOL_SSLv3",
    "PROTOCOL_TLSv1",
    "PROTOCOL_TLSv1_1",
    "SSLv2_METHOD",
    "SSLv3_METHOD",
    "TLSv1_METHOD",
    "TLSv1_1_METHOD",
];

/// The newest version that both sides know, which may be an old one.
const NEGOTIATED: &[&str] = &["PROTOCOL_SSLv23", "SSLv23_METHOD"];

const OLD_VERSIONS: &[&str] = &["ssl.TLSVersion.SSLv3", "ssl.TLSVersion.TLSv1", "ssl.TLSVersion.TLSv1_1"];

pub(super) static NEGOTIATED_INFO: RuleInfo = RuleInfo {
    code: "CW-PY-326-2",
    name: "py/negotiated-tls",
    cwe: &[Cwe(326), Cwe(327)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "The version of TLS is left to the other side",
    fix: "use PROTOCOL_TLS_CLIENT or set minimum_version to TLS 1.2",
    examples: &[Example {
        weak: "import ssl\ndef f():\n    return ssl.SSLContext(«ssl.PROTOCOL_SSLv23»)\n",
        sound: "import ssl\ndef f():\n    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n",
    }],
};

fn check(operand: &Operand, report: &mut Report<'_>) {
    let path = operand.value.path_text();
    let is_old = path.rsplit('.').next().is_some_and(|name| OLD.contains(&name)) || OLD_VERSIONS.contains(&path);
    if path.rsplit('.').next().is_some_and(|name| NEGOTIATED.contains(&name)) {
        report.note(&NEGOTIATED_INFO, operand.span, operand.span, NEGOTIATED_INFO.advice());
    }
    if is_old {
        report.add(&INFO, operand.span, "this version is broken; use PROTOCOL_TLS_CLIENT and TLS 1.2 or newer", None);
    }
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    call.arguments().for_each(|operand| check(operand, report));
}

/// A name or a parameter that is an old version.
pub(super) fn default(value: &Operand, report: &mut Report<'_>) {
    check(value, report);
}

pub(super) fn store(name: &str, value: &Operand, report: &mut Report<'_>) {
    if name == "minimum_version" {
        check(value, report);
    }
}
