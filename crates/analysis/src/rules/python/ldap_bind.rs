//! # `py/ldap-bind-without-password`
//!
//! ## What it does
//!
//! Reports binding to a directory without a password.
//!
//! ## Why this is bad
//!
//! Many directories take a bind without a password for an anonymous user and answer that it went well.
//!
//! ## Example
//!
//! ```python
//! import ldap
//! def f():
//!     link = ldap.initialize('ldaps://example.org')
//!     link.simple_bind_s()
//! ```
//!
//! ## Use instead
//!
//! ```python
//! import ldap, os
//! def f():
//!     link = ldap.initialize('ldaps://example.org')
//!     link.simple_bind_s('cn=app', os.environ['PASSWORD'])
//! ```
//!
//! ## References
//!
//! - [CWE-287](https://cwe.mitre.org/data/definitions/287.html)
//! - [CWE-521](https://cwe.mitre.org/data/definitions/521.html)

use codeward_records::{Cwe, Level};

use crate::flow::Call;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-287-1",
    name: "py/ldap-bind-without-password",
    cwe: &[Cwe(287), Cwe(521)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A directory is used without a password",
    fix: "pass the name and password of a user",
    examples: &[Example {
        weak: "import ldap\ndef f():\n    link = ldap.initialize('ldaps://example.org')\n    «link.simple_bind_s»()\n",
        sound: "import ldap, os\ndef f():\n    link = ldap.initialize('ldaps://example.org')\n    link.simple_bind_s('cn=app', os.environ['PASSWORD'])\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if !call.has_method(&["simple_bind_s", "simple_bind", "bind_s"])
        || call.splat.is_some()
        || call.double_splat.is_some()
    {
        return;
    }
    match call.argument(1, "cred") {
        None => report.add(&INFO, call.callee.span, INFO.advice(), None),
        Some(password) if password.value.characters() == Some("") || password.value.is_none() => {
            report.add(&INFO, password.span, INFO.advice(), None);
        }
        Some(_) => {}
    }
}
