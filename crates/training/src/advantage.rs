//! Advantages: how much better than expected a rollout was, and each of its tokens.
//!
//! For the rewards `R_1..R_G` of one group SecCoderX's GRPO (arXiv 2602.07422; group baseline of arXiv 2402.03300) has
//! `A_i = (R_i - mean) / (std + 1e-6)` with the sample standard deviation (divisor G - 1). [`AdvantageSettings`] has the switches that the
//! field uses beside it. Departure: an unscored rollout has no advantage and takes no part in any mean, instead of counting as a zero
//! reward; where all rewards are equal every advantage is exactly 0, whatever the rounding of a mean says.

use serde::{Deserialize, Serialize};

const EPSILON: f64 = 1e-6;

/// What a reward is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// The mean of its group.
    #[default]
    Group,
    /// The mean of the others of its group (RLOO, arXiv 2402.14740).
    LeaveOneOut,
    /// The mean of the whole batch, of whatever tasks: easy tasks then teach more than hard ones (SecureCodeRL, arXiv 2601.01184, as
    /// published).
    Batch,
}

/// What the difference is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// The standard deviation of its group's rewards: groups that nearly agree count as much as groups that do not.
    #[default]
    Group,
    /// The standard deviation of the batch's differences.
    Batch,
    /// Nothing (Dr. GRPO, arXiv 2503.20783).
    None,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// How rewards become advantages.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdvantageSettings {
    /// What a reward is compared with.
    #[serde(skip_serializing_if = "is_default")]
    pub baseline: Baseline,
    /// What the difference is divided by.
    #[serde(skip_serializing_if = "is_default")]
    pub scale: Scale,
    /// Weight of the credit of single tokens beside what their rollout is worth; 0 leaves it out.
    #[serde(skip_serializing_if = "is_default")]
    pub token_credit: f64,
}

impl Default for AdvantageSettings {
    fn default() -> Self {
        Self { baseline: Baseline::Group, scale: Scale::Group, token_credit: 0.0 }
    }
}

/// The advantage of each rollout of each group; `None` where the rollout is unscored, or where there is nothing to compare it with.
pub fn advantages(settings: &AdvantageSettings, groups: &[Vec<Option<f64>>]) -> Vec<Vec<Option<f64>>> {
    let batch: Vec<f64> = groups.iter().flatten().flatten().copied().collect();
    let differences: Vec<Vec<Option<f64>>> = groups
        .iter()
        .map(|rewards| {
            let scored: Vec<f64> = rewards.iter().flatten().copied().collect();
            let difference = |reward: f64| match settings.baseline {
                Baseline::Group => difference(reward, &scored),
                Baseline::LeaveOneOut => {
                    let count = scored.len() as f64;
                    difference(reward, &scored).map(|difference| difference * count / (count - 1.0))
                }
                Baseline::Batch => difference(reward, &batch),
            };
            rewards.iter().map(|reward| reward.and_then(difference)).collect()
        })
        .collect();
    let of_batch: Vec<f64> = differences.iter().flatten().flatten().copied().collect();
    groups
        .iter()
        .zip(differences)
        .map(|(rewards, differences)| {
            let scale = match settings.scale {
                Scale::Group => deviation(&rewards.iter().flatten().copied().collect::<Vec<_>>()) + EPSILON,
                Scale::Batch => deviation(&of_batch) + EPSILON,
                Scale::None => 1.0,
            };
            differences.into_iter().map(|difference| difference.map(|difference| difference / scale)).collect()
        })
        .collect()
}

/// The advantage of each rollout of a group, by the mean and the standard deviation of the group.
pub fn group_advantages(rewards: &[Option<f64>]) -> Vec<Option<f64>> {
    advantages(&AdvantageSettings::default(), &[rewards.to_vec()]).remove(0)
}

/// The difference from the mean; exactly 0 where all are equal, and none where there are fewer than two.
fn difference(reward: f64, among: &[f64]) -> Option<f64> {
    let is_flat = among.iter().all(|other| *other == among[0]);
    let mean = || among.iter().sum::<f64>() / among.len() as f64;
    (among.len() >= 2).then(|| if is_flat { 0.0 } else { reward - mean() })
}

/// The sample standard deviation; 0 for fewer than two.
fn deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count.max(1.0);
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    if values.len() < 2 { 0.0 } else { (squares / (count - 1.0)).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_rollouts_differ_by_the_closed_form() {
        // std of {0, 1} with divisor 1 is sqrt(0.5), so the advantages are +-0.5 / sqrt(0.5) = +-0.7071.
        let advantages = group_advantages(&[Some(0.0), Some(1.0)]);
        assert!((advantages[1].unwrap() - 0.5 / (0.5f64.sqrt() + 1e-6)).abs() < 1e-12);
        assert_eq!(advantages[0].unwrap(), -advantages[1].unwrap());
    }

    #[test]
    fn unscored_rollouts_stay_out() {
        let with = group_advantages(&[Some(0.2), None, Some(0.8)]);
        assert_eq!(with[1], None);
        assert_eq!([with[0], with[2]], group_advantages(&[Some(0.2), Some(0.8)])[..]);
        assert_eq!(group_advantages(&[None, Some(0.3)]), [None, None]);
    }

    #[test]
    fn equal_rewards_have_no_advantage() {
        assert_eq!(group_advantages(&[Some(0.1 + 0.2); 7]), vec![Some(0.0); 7]);
    }

    #[test]
    fn the_switches_have_their_closed_forms() {
        let groups = [vec![Some(0.0), Some(1.0), Some(0.5)], vec![Some(0.2), None, Some(0.2)], vec![Some(0.9)]];
        let of = |baseline, scale| advantages(&AdvantageSettings { baseline, scale, token_credit: 0.0 }, &groups);
        let plain = of(Baseline::Group, Scale::None);
        assert_eq!(plain, [vec![Some(-0.5), Some(0.5), Some(0.0)], vec![Some(0.0), None, Some(0.0)], vec![None]]);
        // Against the mean of the others: 0 - 0.75, 1 - 0.25, 0.5 - 0.5.
        let others = of(Baseline::LeaveOneOut, Scale::None);
        assert_eq!(others[0], [Some(-0.75), Some(0.75), Some(0.0)]);
        assert_eq!(others[1..], plain[1..]);
        // Five differences -0.5, 0.5, 0, 0, 0: squares 0.5, divisor 4.
        let scale = 0.125f64.sqrt() + 1e-6;
        assert_eq!(of(Baseline::Group, Scale::Batch)[0][1], Some(0.5 / scale));
        // As published, two samples of two tasks always have the advantages of a coin, whatever lies between them.
        let settings = AdvantageSettings { baseline: Baseline::Batch, scale: Scale::Batch, token_credit: 0.0 };
        for gap in [0.1, 0.9] {
            let pair = advantages(&settings, &[vec![Some(0.05)], vec![Some(0.05 + gap)]]);
            let (low, high) = (pair[0][0].unwrap(), pair[1][0].unwrap());
            assert!((high - 0.5f64.sqrt()).abs() < 1e-4 && (low + high).abs() < 1e-12, "{low} {high}");
        }
    }

    proptest! {
        #[test]
        fn advantages_sum_to_zero_and_keep_the_order(rewards in prop::collection::vec(0.0f64..1.0, 2..20)) {
            let rewards: Vec<Option<f64>> = rewards.into_iter().map(Some).collect();
            let advantages: Vec<f64> = group_advantages(&rewards).into_iter().flatten().collect();
            prop_assert!(advantages.iter().sum::<f64>().abs() < 1e-6);
            for (left, right) in rewards.iter().zip(&advantages).zip(rewards.iter().zip(&advantages).skip(1)) {
                if left.0 < right.0 {
                    prop_assert!(left.1 < right.1);
                }
            }
        }
    }
}
