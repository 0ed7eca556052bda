//! # `py/bind-all-interfaces`
//!
//! ## What it does
//!
//! Reports sockets and servers bound to `0.0.0.0` or `::`.
//!
//! ## Why this is bad
//!
//! The service is reachable from networks that it was not meant for.
//!
//! ## Example
//!
//! ```python
//! sock.bind(("0.0.0.0", 8080))
//! ```
//!
//! ## Use instead
//!
//! ```python
//! sock.bind(("127.0.0.1", 8080))
//! ```
//!
//! ## References
//!
//! - [CWE-605](https://cwe.mitre.org/data/definitions/605.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, ValueRef};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-605-1",
    name: "py/bind-all-interfaces",
    cwe: &[Cwe(605)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A service listens on every interface",
    fix: "bind to 127.0.0.1 or the one address that is meant",
    examples: &[Example {
        weak: "def f(sock):\n    sock.bind(«('0.0.0.0', 80)»)\n",
        sound: "def f(sock):\n    sock.bind(('127.0.0.1', 80))\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let is_any = |value: &ValueRef| matches!(value.text(), Some("0.0.0.0" | "::"));
    let message = "this listens on every interface; name the one that is meant";
    if call.has_method(&["bind"])
        && let Some(address) = call.first()
        && (address.value.items().first().is_some_and(is_any))
    {
        report.add(&INFO, address.span, message, None);
    }
    if let Some(host) = call.keyword("host").filter(|host| is_any(&host.value)) {
        report.add(&INFO, host.span, message, None);
    }
}
