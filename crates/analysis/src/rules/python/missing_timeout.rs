//! # `py/missing-timeout`
//!
//! ## What it does
//!
//! Reports requests over HTTP that have no time limit.
//!
//! ## Why this is bad
//!
//! One server that does not answer holds the program for ever.
//!
//! ## Example
//!
//! ```python
//! import requests
//! x = requests.get('https://example.org')
//! y = requests.get('https://example.org', timeout=None)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! import requests
//! x = requests.get('https://example.org', timeout=10)
//! ```
//!
//! ## References
//!
//! - [CWE-400](https://cwe.mitre.org/data/definitions/400.html)

use codeward_records::{Cwe, Level};

use crate::flow::Call;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-400-2",
    name: "py/missing-timeout",
    cwe: &[Cwe(400)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A request waits for its answer without end",
    fix: "pass timeout= with a number of seconds",
    examples: &[Example {
        weak: "import requests\nx = «requests.get»('https://example.org')\ny = requests.get('https://example.org', timeout=«None»)\n",
        sound: "import requests\nx = requests.get('https://example.org', timeout=10)\n",
    }],
};

const VERBS: &[&str] = &["get", "post", "put", "delete", "patch", "options", "head", "request"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let Some((module, name)) = call.path.rsplit_once('.') else { return };
    let waits = match module {
        "requests" => VERBS.contains(&name),
        "httpx" => VERBS.contains(&name) || matches!(name, "Client" | "AsyncClient" | "stream"),
        _ => false,
    };
    if !waits {
        return;
    }
    match call.keyword("timeout") {
        Some(timeout) if timeout.value.is_none() => report.add(&INFO, timeout.span, INFO.advice(), None),
        None if module == "requests" && call.double_splat.is_none() => {
            report.add(&INFO, call.callee.span, INFO.advice(), None);
        }
        _ => {}
    }
}
