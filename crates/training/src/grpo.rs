//! What GRPO decides.
//!
//! Group-relative policy optimisation (arXiv 2402.03300) as SecCoderX runs it (arXiv 2602.07422): the advantage of a rollout is its reward
//! against its own group, every sampled token carries it, and the loss is averaged over the tokens of a minibatch.
//!
//! Switches: `[advantage]` has the baselines and scales of RLOO and Dr. GRPO and the weight of token credit, `[loss]` the ratio of GSPO, the
//! averages of Dr. GRPO and DAPO and its clip-higher; `refill_rounds` samples further tasks in place of groups that teach nothing (DAPO's
//! dynamic sampling).
//!
//! Our departures:
//! - unscored rollouts take no part (published code scores them zero);
//! - groups whose rewards are all equal have no advantage and are left out of the update, the divergence term included;
//! - old log-probabilities are those of the distribution that was sampled, at the sampling temperature, and new ones are taken at the same
//!   temperature, so the ratio is 1 before the first update.

use codeward_records::{Reward, RolloutGroup};
use codeward_reward::hybrid_advantages;
use serde::{Deserialize, Serialize};

use crate::advantage::{AdvantageSettings, advantages};
use crate::credit::Credit;
use crate::target::{Target, Targets};

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
    /// How often further tasks are sampled in place of groups whose rewards are all equal; 0 takes the groups as they come.
    #[serde(skip_serializing_if = "is_zero")]
    pub refill_rounds: usize,
}

/// The sizes of a step, whatever the algorithm.
pub(crate) type Sizes = GrpoSettings;

/// A recipe without the key is written as it was before there was one, with the same hash.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
pub(crate) fn is_zero(count: &usize) -> bool {
    *count == 0
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
            refill_rounds: 0,
        }
    }
}

/// The rewards of a group's rollouts; nothing for those that are unscored.
pub(crate) fn rewards_of(group: &RolloutGroup) -> Vec<Option<f64>> {
    group.rollouts.iter().map(|rollout| rollout.reward.as_ref().and_then(Reward::value)).collect()
}

/// Whether a group teaches nothing: all its rewards are equal, or there are fewer than two.
pub(crate) fn is_flat(group: &RolloutGroup) -> bool {
    let rewards: Vec<f64> = rewards_of(group).into_iter().flatten().collect();
    rewards.windows(2).all(|pair| pair[0] == pair[1])
}

/// What becomes of every rollout: its advantage against its group, on each of its tokens, and what its tokens are worth beside, with a
/// weight. Rollouts without an advantage, or with one of exactly 0 on every token, take no part.
pub(crate) fn targets(
    settings: &AdvantageSettings,
    groups: &[RolloutGroup],
    credit: Option<(&Credit, f64)>,
) -> Targets {
    let rewards: Vec<Vec<Option<f64>>> = groups.iter().map(rewards_of).collect();
    let advantages = advantages(settings, &rewards);
    let target = |group: usize, member: usize, advantage: f64| {
        let rollout = &groups[group].rollouts[member];
        let worth = credit.and_then(|(credit, weight)| Some((credit[group][member].as_ref()?, weight)));
        let advantages = match worth {
            Some((worth, weight)) => hybrid_advantages(advantage as f32, worth, weight as f32),
            None => vec![advantage as f32; rollout.tokens.len()],
        };
        let teaches = advantages.iter().any(|advantage| *advantage != 0.0);
        teaches.then_some(Target { advantages, values: None })
    };
    let of_group = |(group, advantages): (usize, Vec<Option<f64>>)| {
        let members = advantages.into_iter().enumerate();
        members.map(|(member, advantage)| target(group, member, advantage?)).collect()
    };
    advantages.into_iter().enumerate().map(of_group).collect()
}
