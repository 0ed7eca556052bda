//! What the policy produced, and what came of it.

use serde::{Deserialize, Serialize};

use crate::Reward;

/// Why sampling of a completion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FinishReason {
    /// The model produced its end token.
    Stop,
    /// The limit on new tokens was reached.
    Length,
}

/// A completion with the tokens that made it and the log-probabilities it was sampled with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// The text.
    pub completion: String,
    /// The sampled token ids, the end token included when it was sampled.
    pub tokens: Vec<u32>,
    /// Natural-log probability of each token under the sampling distribution; one per token.
    pub old_logprobs: Vec<f32>,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// What it is worth; absent until scored.
    pub reward: Option<Reward>,
}

/// The rollouts of one task in one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutGroup {
    /// The step that sampled the group, from 1.
    pub step: u64,
    /// The task.
    pub task_id: String,
    /// The prompt's token ids.
    pub prompt_tokens: Vec<u32>,
    /// The `group_size` rollouts.
    pub rollouts: Vec<Rollout>,
}
