//! # `py/unbounded-read`
//!
//! ## What it does
//!
//! Reports `read()` and `readline()` without a size on a stream that the caller handed over.
//!
//! ## Why this is bad
//!
//! The sender decides how much memory is used.
//!
//! ## Example
//!
//! ```python
//! data = stream.read()
//! ```
//!
//! ## Use instead
//!
//! ```python
//! data = stream.read(1_000_000)
//! ```
//!
//! ## References
//!
//! - [CWE-400](https://cwe.mitre.org/data/definitions/400.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes};
use crate::report::Report;
use crate::rules::evidence::is_parameter_itself;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-400-1",
    name: "py/unbounded-read",
    cwe: &[Cwe(400)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "A stream is read to its end, however long",
    fix: "pass a limit to read() and refuse what is longer",
    examples: &[Example {
        weak: "def f(stream):\n    return «stream».read()\n",
        sound: "def f(stream):\n    return stream.read(1000)\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.has_method(&["read", "readline"])
        && call.positional.is_empty()
        && call.keywords.is_empty()
        && let Some(stream) = &call.receiver
        && is_parameter_itself(&stream.value)
        && let Some(taint) = call.live(&stream.value).taint(Classes::SIZE)
    {
        report.add(&INFO, stream.span, "the sender decides how much is read; pass a limit to read()", Some(taint));
    }
}
