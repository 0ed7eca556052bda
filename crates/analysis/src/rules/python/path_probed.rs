//! # `py/path-probed`
//!
//! ## What it does
//!
//! Reports questions about files whose path is part of a web request or the like.
//!
//! ## Why this is bad
//!
//! The answer tells whoever asks which files there are.
//!
//! ## Example
//!
//! ```python
//! import os
//! def f():
//!     return os.path.exists(input())
//! ```
//!
//! ## Use instead
//!
//! ```python
//! import os
//! def f():
//!     return os.path.exists(os.path.basename(input()))
//! ```
//!
//! ## References
//!
//! - [CWE-22](https://cwe.mitre.org/data/definitions/22.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Operand, SourceKind, Taint};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-022-3",
    name: "py/path-probed",
    cwe: &[Cwe(22)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "Input decides which path is looked at",
    fix: "resolve the path and check that it is inside its folder first",
    examples: &[Example {
        weak: "import os\ndef f():\n    return os.path.exists(«input()»)\n",
        sound: "import os\ndef f():\n    return os.path.exists(os.path.basename(input()))\n",
    }],
};

const PROBES: &[&str] =
    &["os.path.exists", "os.path.isfile", "os.path.isdir", "os.path.getsize", "os.stat", "os.access"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let is_path = |operand: &Operand| operand.value.path_text().starts_with("pathlib.Path");
    let asks = matches!(call.method, "exists" | "is_file" | "is_dir" | "stat");
    let operand = match &call.receiver {
        _ if call.is(PROBES) => call.first(),
        Some(receiver) if asks && is_path(receiver) => Some(receiver),
        _ => None,
    };
    let Some(operand) = operand else { return };
    let value = call.live(&operand.value);
    let is_outside = |taint: &&Taint| {
        taint.source.kind == SourceKind::Outside && taint.classes.has_any(Classes::PATH_UP | Classes::PATH_ABSOLUTE)
    };
    if let Some(taint) = value.taints.iter().find(is_outside) {
        report.add(&INFO, operand.span, INFO.advice(), Some(taint));
    }
}
