//! What a completion is worth, or why it could not be scored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Cwe;

/// The outcome of scoring one completion.
///
/// A failure of our own machinery is never a number: it is [`Reward::Unscored`] with a reason. Training leaves such
/// rollouts out of the baseline and the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Reward {
    /// The completion was judged.
    Scored {
        /// The recipe's value, in the recipe's range.
        value: f64,
        /// Every part by name. The key set is always the same; what was not measured is null, which is not zero.
        parts: BTreeMap<String, Option<f64>>,
        /// Places in the completion that a part points at.
        spans: Vec<SpanReward>,
    },
    /// The completion was not judged. This is not a zero.
    Unscored {
        /// The kind of failure.
        reason: UnscoredReason,
        /// What happened, for a person.
        detail: String,
        /// True when trying again may help.
        retryable: bool,
    },
}

impl Reward {
    /// The value when the completion was judged.
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Scored { value, .. } => Some(*value),
            Self::Unscored { .. } => None,
        }
    }

    /// True when the completion was judged.
    pub fn is_scored(&self) -> bool {
        matches!(self, Self::Scored { .. })
    }

    /// One part's value, when the completion was judged and the part measured.
    pub fn part(&self, name: &str) -> Option<f64> {
        match self {
            Self::Scored { parts, .. } => parts.get(name).copied().flatten(),
            Self::Unscored { .. } => None,
        }
    }
}

/// Why a completion has no reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnscoredReason {
    /// The task has no tests of the kind that the recipe needs.
    NoTests,
    /// The sandbox could not run the program.
    SandboxFailed,
    /// The analyser could not finish.
    AnalysisFailed,
    /// The task has no reference to compare with.
    NoReference,
    /// The vulnerability judge could not be asked, or did not say.
    JudgeFailed,
    /// The caller's time was over.
    DeadlinePassed,
    /// The caller gave up.
    Cancelled,
    /// The completion is not UTF-8 text.
    NotText,
    /// The row names a task that is not known.
    UnknownTask,
}

/// A reward attached to a span of the completion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpanReward {
    /// First UTF-8 byte of the span in the completion.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The amount; negative for a weakness.
    pub value: f64,
    /// The weakness class, when a rule names one.
    pub cwe: Option<Cwe>,
    /// The rule that marked the span.
    pub rule: String,
}
