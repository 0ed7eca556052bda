//! What flows through Codeward: tasks, completions, findings, rewards, rollouts, manifests, and the JSONL files that hold them.
//!
//! This crate answers "what is passed from one stage to the next". It holds data and its invariants and nothing else: no
//! execution, no model, no network. Every type here is a stable, documented shape.
//!
//! ```
//! use codeward_records::{Cwe, Severity};
//!
//! let cwe: Cwe = "CWE-78".parse().unwrap();
//! assert_eq!(cwe.name(), "OS command injection");
//! assert!(Severity::High > Severity::Medium);
//! ```

mod cwe;
mod expectation;
mod finding;
mod integer;
pub mod jsonl;
mod judged;
mod manifest;
mod metrics;
mod plain;
mod reward;
mod rollout;
mod task;
mod test_case;

pub use cwe::{Cwe, ParseCweError};
pub use expectation::{Expectation, ExpectationError, ObservedSubject, Predicate, RawExpectation, Subject};
pub use finding::{Finding, Level, Severity, Step};
pub use integer::{Integer, ParseIntegerError};
pub use judged::{Judged, Verdict};
pub use manifest::Manifest;
pub use metrics::{Interval, StepMetrics};
pub use plain::{Plain, Text};
pub use reward::{Reward, SpanReward, UnscoredReason};
pub use rollout::{FinishReason, Rollout, RolloutGroup};
pub use task::{Language, Reference, ReferenceKind, Task, TaskError};
pub use test_case::{
    Call, Comparison, Equality, FormError, MAX_DEPTH, ProgramRun, TestCase, TestForm, TestKind, TextPolicy, Tolerance,
};
