//! # `py/ssh-host-key`
//!
//! ## What it does
//!
//! Reports policies of Paramiko that accept any host.
//!
//! ## Why this is bad
//!
//! Anyone on the way can answer in the host's place.
//!
//! ## Example
//!
//! ```python
//! client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
//! ```
//!
//! ## Use instead
//!
//! ```python
//! client.set_missing_host_key_policy(paramiko.RejectPolicy())
//! ```
//!
//! ## References
//!
//! - [CWE-295](https://cwe.mitre.org/data/definitions/295.html)

use codeward_records::{Cwe, Level};

use crate::flow::Call;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-295-2",
    name: "py/ssh-host-key",
    cwe: &[Cwe(295)],
    severity: Level::High,
    confidence: Level::High,
    summary: "An unknown host key is accepted",
    fix: "load the known hosts and refuse others with RejectPolicy",
    examples: &[Example {
        weak: "import paramiko\ndef f(client):\n    client.set_missing_host_key_policy(«paramiko.AutoAddPolicy()»)\n",
        sound: "import paramiko\ndef f(client):\n    client.set_missing_host_key_policy(paramiko.RejectPolicy())\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.has_method(&["set_missing_host_key_policy"])
        && let Some(policy) = call.first()
        && ["AutoAddPolicy", "WarningPolicy"].iter().any(|name| policy.value.path_text().contains(name))
    {
        report.add(&INFO, policy.span, "any host is accepted here; load known hosts and use RejectPolicy", None);
    }
}
