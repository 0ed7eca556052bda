//! What static analysis reports.

use serde::{Deserialize, Serialize};

use crate::Cwe;

/// A three-step scale, lowest first, used for severity and for confidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The bottom of the scale.
    Low,
    /// The middle of the scale.
    Medium,
    /// The top of the scale.
    High,
}

/// How bad a weakness is when it is real.
pub type Severity = Level;

/// One static-analysis result: a rule matched a span.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The rule's stable code, for example `CW-PY-089-1`.
    pub code: String,
    /// The rule's stable name, for example `py/sql-string-built`.
    pub rule: String,
    /// The weakness classes, most specific first.
    pub cwe: Vec<Cwe>,
    /// How bad it is if it is real.
    pub severity: Severity,
    /// How sure the rule is.
    pub confidence: Level,
    /// First byte of the culpable span, counted in UTF-8 bytes of the text that was analysed.
    pub start_byte: usize,
    /// One past the last byte of the span.
    pub end_byte: usize,
    /// Line of the first byte, from 1.
    pub line: usize,
    /// Column of the first byte in UTF-8 bytes, from 1.
    pub column: usize,
    /// Line of the end, from 1.
    pub end_line: usize,
    /// Column one past the last byte, from 1.
    pub end_column: usize,
    /// What is wrong and what to do instead, one sentence.
    pub message: String,
    /// How the value got there, source first, the culpable span last; empty for rules that look at one place.
    #[serde(default)]
    pub trace: Vec<Step>,
}

/// One place on the way of a value from where it enters to where it does harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// First byte of the place, counted as in [`Finding`].
    pub start_byte: usize,
    /// One past its last byte.
    pub end_byte: usize,
    /// Line of the first byte, from 1.
    pub line: usize,
    /// Column of the first byte in UTF-8 bytes, from 1.
    pub column: usize,
    /// What happens to the value here, half a sentence.
    pub note: String,
}
