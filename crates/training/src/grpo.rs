//! What GRPO decides.
//!
//! Group-relative policy optimisation (arXiv 2402.03300) as SecCoderX runs it (arXiv 2602.07422): the advantage of a rollout is its reward
//! against its own group, every sampled token carries it, and the loss is averaged over the tokens of a minibatch.
//!
//! Our departures:
//! - unscored rollouts take no part (published code scores them zero);
//! - groups whose rewards are all equal have no advantage and are left out of the update, the divergence term included;
//! - old log-probabilities are those of the distribution that was sampled, at the sampling temperature, and new ones are taken at the same
//!   temperature, so the ratio is 1 before the first update.

use serde::{Deserialize, Serialize};

/// Sizes of a step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrpoSettings {
    /// Updates of the run.
    pub num_steps: u64,
    /// Tasks in one step.
    pub groups_per_step: usize,
    /// Rollouts of each task.
    pub group_size: usize,
    /// Rollouts in one optimiser step.
    pub minibatch_size: usize,
    /// Tokens, prompts included, whose gradients are computed at a time: bounds the memory of an update, whose gradient is
    /// that of the whole minibatch. 0 takes a minibatch at once.
    #[serde(skip_serializing_if = "is_zero")]
    pub micro_batch_tokens: usize,
    /// Passes over the rollouts of a step.
    pub update_epochs: usize,
    /// A larger share of unscored rollouts in one step ends the run with an error.
    pub max_unscored_fraction: f64,
}

/// A recipe without the key is written as it was before there was one, with the same hash.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
pub(crate) fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Default for GrpoSettings {
    fn default() -> Self {
        Self {
            num_steps: 60,
            groups_per_step: 16,
            group_size: 8,
            minibatch_size: 128,
            micro_batch_tokens: 0,
            update_epochs: 1,
            max_unscored_fraction: 0.1,
        }
    }
}
