//! # `py/regex-injection`
//!
//! ## What it does
//!
//! Reports patterns that contain input that was not escaped.
//!
//! ## Why this is bad
//!
//! The pattern can be one that takes for ever.
//!
//! ## Example
//!
//! ```python
//! re.search(word, text)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! re.search(re.escape(word), text)
//! ```
//!
//! ## References
//!
//! - [CWE-1333](https://cwe.mitre.org/data/definitions/1333.html)
//! - [CWE-400](https://cwe.mitre.org/data/definitions/400.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-1333-2",
    name: "py/regex-injection",
    cwe: &[Cwe(1333), Cwe(400)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "Input is used as a regular expression",
    fix: "pass the text through re.escape first",
    examples: &[Example {
        weak: "import re\ndef f(word, text):\n    return re.search(«word», text)\n",
        sound: "import re\ndef f(word, text):\n    return re.search(re.escape(word), text)\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let is_pattern =
        call.is(&["re.compile", "re.match", "re.fullmatch", "re.search", "re.sub", "re.split", "re.findall"]);
    if is_pattern
        && let Some(pattern) = call.argument(0, "pattern")
        && let Some(taint) = call.live(&pattern.value).taint(Classes::PATTERN)
    {
        report.add(&INFO, pattern.span, "input decides this pattern; pass it through re.escape", Some(taint));
    }
}
