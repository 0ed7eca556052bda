//! Group-relative advantages.
//!
//! For the rewards `R_1..R_G` of one group: `A_i = (R_i - mean) / (std + 1e-6)` with the sample standard deviation (divisor G - 1), as
//! SecCoderX runs GRPO (arXiv 2602.07422; group baseline of arXiv 2402.03300). Departure: an unscored rollout has no advantage and
//! takes no part in the mean, instead of counting as a zero reward.

const EPSILON: f64 = 1e-6;

/// The advantage of each rollout of a group; `None` where the rollout is unscored or the group has fewer than two scored.
/// When all rewards are equal every advantage is exactly 0.
pub fn group_advantages(rewards: &[Option<f64>]) -> Vec<Option<f64>> {
    let scored: Vec<f64> = rewards.iter().flatten().copied().collect();
    if scored.len() < 2 {
        return vec![None; rewards.len()];
    }
    let count = scored.len() as f64;
    let mean = scored.iter().sum::<f64>() / count;
    if scored.iter().all(|reward| *reward == scored[0]) {
        return rewards.iter().map(|reward| reward.map(|_| 0.0)).collect();
    }
    let variance = scored.iter().map(|reward| (reward - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let scale = variance.sqrt() + EPSILON;
    rewards.iter().map(|reward| reward.map(|reward| (reward - mean) / scale)).collect()
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
