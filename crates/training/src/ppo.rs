//! What PPO decides.
//!
//! Proximal policy optimisation (arXiv 1707.06347) with a value head on the policy and generalised advantage estimates (arXiv 1506.02438).
//! The reward of a rollout is on its last token; where the reward recipe gives credit to places, their tokens have it beside
//! (token-level rewards, SRCode, arXiv 2602.23407, by our definition), and the divergence from the reference may be taken off each token.
//!
//! Our departures:
//! - unscored rollouts take no part, in the values neither (published code scores them zero);
//! - a completion that was cut off at the limit counts as ended: nothing is known of what would have come;
//! - old log-probabilities are those of the distribution that was sampled, as in GRPO here; values are those of the policy before the
//!   first update of a step.
//!
//! SecureCodeRL's published loop (arXiv 2601.01184) goes by the name of PPO and has no values: it is GRPO here with
//! `advantage.baseline = "batch"`, `advantage.scale = "batch"`, `loss.ratio = "mean_of_tokens"`, `loss.average = "sequences"` and
//! `loss.kl_estimator = "k1"`.

use codeward_lm::{EngineError, LanguageModel, Sequence};
use codeward_records::{Reward, Rollout, RolloutGroup};
use codeward_reward::with_scalar_at_end;
use serde::{Deserialize, Serialize};

use crate::credit::Credit;
use crate::gae::{Estimated, GaeSettings, estimate, whiten};
use crate::grpo::{Sizes, is_zero};
use crate::target::{Target, Targets, ValueTarget};

/// Sizes of a step, and what the value head learns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PpoSettings {
    /// Updates of the run.
    pub num_steps: u64,
    /// Tasks in one step.
    pub tasks_per_step: usize,
    /// Rollouts of each task.
    pub rollouts_per_task: usize,
    /// Rollouts in one optimiser step.
    pub minibatch_size: usize,
    /// Tokens, prompts included, whose gradients are computed at a time; 0 takes a minibatch at once.
    #[serde(skip_serializing_if = "is_zero")]
    pub micro_batch_tokens: usize,
    /// Passes over the rollouts of a step.
    pub update_epochs: usize,
    /// A larger share of unscored rollouts in one step ends the run with an error.
    pub max_unscored_fraction: f64,
    /// Weight of the values' loss.
    pub value_coef: f32,
    /// How far a value may move from what it was when its rollout was sampled.
    pub value_clip: f32,
    /// Weight of `old - ref`, taken off each token's reward; 0 leaves the reference out.
    pub kl_reward_coef: f32,
    /// How rewards become advantages.
    pub gae: GaeSettings,
}

impl Default for PpoSettings {
    fn default() -> Self {
        Self {
            num_steps: 60,
            tasks_per_step: 64,
            rollouts_per_task: 1,
            minibatch_size: 16,
            micro_batch_tokens: 0,
            update_epochs: 4,
            max_unscored_fraction: 0.1,
            value_coef: 0.5,
            value_clip: 0.2,
            kl_reward_coef: 0.0,
            gae: GaeSettings::default(),
        }
    }
}

impl PpoSettings {
    pub(crate) fn sizes(&self) -> Sizes {
        Sizes {
            num_steps: self.num_steps,
            groups_per_step: self.tasks_per_step,
            group_size: self.rollouts_per_task,
            minibatch_size: self.minibatch_size,
            micro_batch_tokens: self.micro_batch_tokens,
            update_epochs: self.update_epochs,
            max_unscored_fraction: self.max_unscored_fraction,
            refill_rounds: 0,
        }
    }
}

/// What becomes of every scored rollout.
pub(crate) fn targets(
    settings: &PpoSettings,
    policy: &mut dyn LanguageModel,
    groups: &[RolloutGroup],
    credit: Option<(&Credit, f64)>,
    temperature: f32,
) -> Result<Targets, EngineError> {
    let rollouts = || groups.iter().flat_map(|group| group.rollouts.iter().map(move |rollout| (group, rollout)));
    let tokens: Vec<(Vec<u32>, usize)> = rollouts()
        .map(|(group, rollout)| ([group.prompt_tokens.as_slice(), &rollout.tokens].concat(), group.prompt_tokens.len()))
        .collect();
    let batch: Vec<Sequence<'_>> =
        tokens.iter().map(|(tokens, num_prompt)| Sequence { tokens, num_prompt: *num_prompt }).collect();
    let values = policy.score(&batch, temperature)?.values;
    let with_reference = settings.kl_reward_coef != 0.0;
    let reference = with_reference.then(|| policy.score_reference(&batch, temperature)).transpose()?;

    let mut estimated: Vec<Option<Estimated>> = Vec::with_capacity(batch.len());
    let worth = credit.map(|(credit, weight)| (credit.iter().flatten().collect::<Vec<_>>(), weight as f32));
    for (at, (_, rollout)) in rollouts().enumerate() {
        let worth = worth.as_ref().and_then(|(worth, weight)| Some((worth[at].as_deref()?, *weight)));
        let anchor = reference.as_ref().map(|reference| reference.logprobs[at].as_slice());
        let rewards = token_rewards(settings, rollout, worth, anchor);
        estimated.push(rewards.map(|rewards| estimate(&settings.gae, &rewards, &values[at], 0.0)));
    }
    if settings.gae.whiten {
        let mut advantages: Vec<Vec<f32>> =
            estimated.iter_mut().flatten().map(|estimated| std::mem::take(&mut estimated.advantages)).collect();
        whiten(&mut advantages);
        for (estimated, advantages) in estimated.iter_mut().flatten().zip(advantages) {
            estimated.advantages = advantages;
        }
    }
    let mut targets = estimated.into_iter().zip(values).map(|(estimated, old)| {
        let Estimated { advantages, returns } = estimated?;
        Some(Target { advantages, values: Some(ValueTarget { old, returns }) })
    });
    Ok(groups.iter().map(|group| targets.by_ref().take(group.rollouts.len()).collect()).collect())
}

/// The reward of each token of a rollout: what it is worth by itself, less the divergence, and the rollout's reward on the last. Nothing
/// for a rollout that is unscored or has no tokens.
fn token_rewards(
    settings: &PpoSettings,
    rollout: &Rollout,
    worth: Option<(&[f32], f32)>,
    reference: Option<&[f32]>,
) -> Option<Vec<f32>> {
    let reward = rollout.reward.as_ref().and_then(Reward::value).filter(|_| !rollout.tokens.is_empty())?;
    let mut rewards = match worth {
        Some((worth, weight)) => worth.iter().map(|worth| worth * weight).collect(),
        None => vec![0.0; rollout.tokens.len()],
    };
    if let Some(reference) = reference {
        for ((reward, old), anchor) in rewards.iter_mut().zip(&rollout.old_logprobs).zip(reference) {
            *reward -= settings.kl_reward_coef * (old - anchor);
        }
    }
    Some(with_scalar_at_end(reward as f32, &rewards))
}
