//! # `py/logging-listen`
//!
//! ## What it does
//!
//! Reports `logging.config.listen` without a check of what it receives.
//!
//! ## Why this is bad
//!
//! Parts of the settings are evaluated as code: everyone on this machine can run code as this process.
//!
//! ## Example
//!
//! ```python
//! import logging.config
//! x = logging.config.listen(9999)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! import logging.config
//! logging.config.fileConfig('logging.ini')
//! ```
//!
//! ## References
//!
//! - [CWE-94](https://cwe.mitre.org/data/definitions/94.html)

use codeward_records::{Cwe, Level};

use crate::flow::Call;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-094-3",
    name: "py/logging-listen",
    cwe: &[Cwe(94)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Settings of the log are taken from whoever connects, and evaluated",
    fix: "read them from a file instead",
    examples: &[Example {
        weak: "import logging.config\nx = «logging.config.listen»(9999)\n",
        sound: "import logging.config\nlogging.config.fileConfig('logging.ini')\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(&["logging.config.listen"]) && call.keyword("verify").is_none() {
        report.add(&INFO, call.callee.span, INFO.advice(), None);
    }
}
