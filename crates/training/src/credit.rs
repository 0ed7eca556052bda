//! What single tokens of a rollout are worth: the places that its reward points at, laid over the tokens that were sampled.

use std::collections::BTreeMap;

use codeward_lm::Aligner;
use codeward_records::{Reward, Rollout, RolloutGroup};
use codeward_reward::per_token_rewards;

/// The worth of each token, by group and rollout. Nothing for a rollout that is unscored, or whose tokens do not cover its text.
pub(crate) type Credit = Vec<Vec<Option<Vec<f32>>>>;

/// Lays the places of every reward over its rollout's tokens. The numbers say how far that went.
pub(crate) fn token_credit(aligner: &Aligner, groups: &[RolloutGroup]) -> (Credit, BTreeMap<String, f64>) {
    let credit: Credit =
        groups.iter().map(|group| group.rollouts.iter().map(|rollout| credit_of(aligner, rollout)).collect()).collect();
    let scored = groups.iter().flat_map(|group| &group.rollouts).filter(|rollout| value_of(rollout).is_some()).count();
    let laid: Vec<&Vec<f32>> = credit.iter().flatten().flatten().collect();
    let (mut tokens, mut praised, mut blamed) = (0_usize, 0_usize, 0_usize);
    for worth in laid.iter().copied().flatten() {
        tokens += 1;
        praised += usize::from(*worth > 0.0);
        blamed += usize::from(*worth < 0.0);
    }
    let share = |count: usize, of: usize| count as f64 / of.max(1) as f64;
    let numbers = BTreeMap::from([
        ("credit/aligned_fraction".to_owned(), share(laid.len(), scored)),
        ("credit/praised_fraction".to_owned(), share(praised, tokens)),
        ("credit/blamed_fraction".to_owned(), share(blamed, tokens)),
    ]);
    (credit, numbers)
}

fn value_of(rollout: &Rollout) -> Option<f64> {
    rollout.reward.as_ref().and_then(Reward::value)
}

fn credit_of(aligner: &Aligner, rollout: &Rollout) -> Option<Vec<f32>> {
    let Some(Reward::Scored { spans, .. }) = &rollout.reward else { return None };
    let places = aligner.align(&rollout.tokens, &rollout.completion).ok()?;
    per_token_rewards(spans, &places).ok()
}
