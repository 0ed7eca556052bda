//! Completions judged by running their task's tests, as kept in a run's `evaluation/*.jsonl`.

use serde::{Deserialize, Serialize};

use crate::{Cwe, Finding, UnscoredReason};

/// One sampled completion of one task, with the verdict of the functional and of the attack tests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judged {
    /// The split that the task belongs to, for example `rewarded-unseen`.
    pub split: String,
    /// The task.
    pub task_id: String,
    /// The task's family.
    pub family: String,
    /// The weakness that a careless solution of the task has.
    pub cwe: Cwe,
    /// Which sample of the task this is, from 0. Sample k before and sample k after training are a pair.
    pub sample: u32,
    /// What the model was given.
    pub prompt: String,
    /// What it wrote.
    pub completion: String,
    /// The verdict, or why there is none.
    pub verdict: Verdict,
    /// What the analyser says of it. Shown beside the verdict, never part of it.
    pub findings: Vec<Finding>,
}

/// What running the tests showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Verdict {
    /// All tests ran.
    Scored {
        /// Every functional test passed.
        functional: bool,
        /// Every security test passed.
        secure: bool,
        /// Names of the tests that did not pass, in the task's order.
        failed_tests: Vec<String>,
    },
    /// Our machinery failed. This is not a fail.
    Unscored {
        /// The kind of failure.
        reason: UnscoredReason,
        /// What happened, for a person.
        detail: String,
    },
}
