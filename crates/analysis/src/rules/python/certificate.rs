//! # `py/certificate-unverified`
//!
//! ## What it does
//!
//! Reports `verify=False`, contexts without verification, and host names that are not compared.
//!
//! ## Why this is bad
//!
//! Anyone on the way can answer in the server's place.
//!
//! ## Example
//!
//! ```python
//! requests.get(url, verify=False)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! requests.get(url)
//! ```
//!
//! ## References
//!
//! - [CWE-295](https://cwe.mitre.org/data/definitions/295.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Operand};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-295-1",
    name: "py/certificate-unverified",
    cwe: &[Cwe(295)],
    severity: Level::High,
    confidence: Level::High,
    summary: "The other side's certificate is not checked",
    fix: "leave the checks of certificate and host name on",
    examples: &[
        Example {
            weak: "import requests\ndef f():\n    return requests.get('https://example.org/', verify=«False»)\n",
            sound: "import requests\ndef f():\n    return requests.get('https://example.org/', verify=True)\n",
        },
        Example {
            weak: "import ssl\ndef f():\n    context = ssl.create_default_context()\n    setattr(context, 'check_hostname', «False»)\n    context.verify_mode = «ssl.CERT_NONE»\n    return context\n",
            sound: "import ssl\ndef f():\n    context = ssl.create_default_context()\n    context.verify_mode = ssl.CERT_REQUIRED\n    return context\n",
        },
    ],
};

const ADVICE: &str = "the other side is not verified; leave certificate and host name checks on";

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(&["ssl._create_unverified_context", "ssl._create_stdlib_context"]) {
        report.add(&INFO, call.callee.span, ADVICE, None);
    }
    if let Some(verify) = call.keyword("verify").filter(|verify| verify.value.boolean() == Some(false)) {
        let path = call.path;
        if path.starts_with("requests.")
            || path.starts_with("httpx.")
            || matches!(call.method, "get" | "post" | "put" | "request")
        {
            report.add(&INFO, verify.span, ADVICE, None);
        }
    }
    for (name, operand) in &call.keywords {
        let is_off = match name.as_ref() {
            "cert_reqs" => is_none_mode(operand) || operand.value.text() == Some("CERT_NONE"),
            "check_hostname" | "verify_ssl" | "ssl_verify" | "assert_hostname" => {
                operand.value.boolean() == Some(false)
            }
            "verify_mode" => is_none_mode(operand),
            "context" => operand.value.path_text() == "ssl._create_unverified_context",
            _ => false,
        };
        if is_off {
            report.add(&INFO, operand.span, ADVICE, None);
        }
    }
    if call.is(&["ssl.wrap_socket"]) && call.keyword("cert_reqs").is_none() {
        report.add(&INFO, call.callee.span, ADVICE, None);
    }
    if call.is(&["setattr"])
        && let [receiver, name, value] = call.positional.as_slice()
        && let Some(name) = name.value.text()
    {
        store(receiver, name, value, report);
    }
}

fn is_none_mode(operand: &Operand) -> bool {
    matches!(operand.value.path_text(), "ssl.CERT_NONE" | "ssl.VerifyMode.CERT_NONE" | "CERT_NONE")
        || operand.value.integer() == Some(0)
}

pub(super) fn store(_receiver: &Operand, name: &str, value: &Operand, report: &mut Report<'_>) {
    let is_off = match name {
        "check_hostname" | "verify" => value.value.boolean() == Some(false),
        "verify_mode" => is_none_mode(value),
        "_create_default_https_context" => value.value.path_text() == "ssl._create_unverified_context",
        _ => false,
    };
    if is_off {
        report.add(&INFO, value.span, ADVICE, None);
    }
}
