//! Advantages from a value head: what PPO compares a token with.
//!
//! Generalised advantage estimation (arXiv 1506.02438): with rewards `r_t` and values `V_t` of the tokens of one completion,
//! `delta_t = r_t + gamma V_{t+1} - V_t` and `A_t = sum_k (gamma lambda)^k delta_{t+k}`. After the last token nothing follows where the
//! completion ended; one that was cut off goes on with the value it was cut off at. Returns are `A_t + V_t`.
//!
//! The value loss is PPO's (arXiv 1707.06347, as its reference code has it): half of the larger of two squared errors, of the value and of
//! the value held within `clip` of what it was when the rollout was sampled.

use serde::{Deserialize, Serialize};

/// How rewards of tokens become advantages.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GaeSettings {
    /// What a reward one token later is worth.
    pub gamma: f64,
    /// How far sampled rewards are trusted over values: 1 trusts nothing but rewards, 0 looks one token ahead.
    pub lambda: f64,
    /// Whether the advantages of a batch are brought to mean 0 and deviation 1.
    pub whiten: bool,
}

impl Default for GaeSettings {
    fn default() -> Self {
        Self { gamma: 1.0, lambda: 0.95, whiten: true }
    }
}

/// Advantages and returns of a completion's tokens.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Estimated {
    /// How much better each token was than its value said.
    pub advantages: Vec<f32>,
    /// What the value of each token should have been.
    pub returns: Vec<f32>,
}

/// Advantages and returns of the tokens of one completion. `beyond` is the value after the last token: 0 where the completion ended.
///
/// # Panics
/// If there is not one value for each reward.
pub fn estimate(settings: &GaeSettings, rewards: &[f32], values: &[f32], beyond: f32) -> Estimated {
    assert_eq!(rewards.len(), values.len(), "one value for each token");
    let mut advantages = vec![0.0; rewards.len()];
    let (mut next_value, mut next_advantage) = (f64::from(beyond), 0.0);
    for at in (0..rewards.len()).rev() {
        let value = f64::from(values[at]);
        let delta = f64::from(rewards[at]) + settings.gamma * next_value - value;
        next_advantage = delta + settings.gamma * settings.lambda * next_advantage;
        next_value = value;
        advantages[at] = next_advantage as f32;
    }
    let returns = advantages.iter().zip(values).map(|(advantage, value)| advantage + value).collect();
    Estimated { advantages, returns }
}

/// Brings the advantages of all tokens of a batch to mean 0 and standard deviation 1 (divisor n - 1). Fewer than two stay as they are.
pub fn whiten(rows: &mut [Vec<f32>]) {
    let count = rows.iter().map(Vec::len).sum::<usize>();
    if count < 2 {
        return;
    }
    let all = || rows.iter().flatten().copied().map(f64::from);
    let mean = all().sum::<f64>() / count as f64;
    let variance = all().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1) as f64;
    let scale = variance.sqrt() + 1e-8;
    for value in rows.iter_mut().flatten() {
        *value = ((f64::from(*value) - mean) / scale) as f32;
    }
}

/// The loss of one value, and its derivative by it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueLoss {
    /// Half of the larger squared error.
    pub loss: f32,
    /// Derivative with respect to the value.
    pub gradient: f32,
    /// Whether the held value's error was the larger one and the value's own does not move it.
    pub clipped: bool,
}

/// The loss of a value that was `old` when sampled and should be `target`.
pub fn value_loss(value: f32, old: f32, target: f32, clip: f32) -> ValueLoss {
    let held = value.clamp(old - clip, old + clip);
    let (free_error, held_error) = (value - target, held - target);
    if free_error * free_error >= held_error * held_error {
        return ValueLoss { loss: 0.5 * free_error * free_error, gradient: free_error, clipped: false };
    }
    // Only a value outside its bounds can be nearer than its held twin, and there the twin does not move.
    ValueLoss { loss: 0.5 * held_error * held_error, gradient: 0.0, clipped: true }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(one: &[f32], other: &[f32]) -> bool {
        one.len() == other.len() && one.iter().zip(other).all(|(one, other)| (one - other).abs() < 1e-5)
    }

    #[test]
    fn a_reward_at_the_end_reaches_back_by_lambda() {
        let settings = GaeSettings { gamma: 1.0, lambda: 0.5, whiten: false };
        let estimated = estimate(&settings, &[0.0, 0.0, 1.0], &[0.2, 0.4, 0.6], 0.0);
        // Deltas 0.2, 0.2, 0.4.
        assert!(close(&estimated.advantages, &[0.4, 0.4, 0.4]), "{estimated:?}");
        assert!(close(&estimated.returns, &[0.6, 0.8, 1.0]), "{estimated:?}");
        // Cut off: the last delta has what would have come.
        let cut = estimate(&settings, &[0.0, 0.0, 0.0], &[0.2, 0.4, 0.6], 1.0);
        assert_eq!(cut, estimated);
    }

    #[test]
    fn lambda_one_is_what_came_less_what_was_expected() {
        let settings = GaeSettings { gamma: 0.9, lambda: 1.0, whiten: false };
        let estimated = estimate(&settings, &[1.0, 2.0, 3.0], &[0.5, 0.25, 0.125], 0.0);
        assert!(close(&estimated.returns, &[1.0 + 0.9 * 2.0 + 0.81 * 3.0, 2.0 + 0.9 * 3.0, 3.0]), "{estimated:?}");
        assert_eq!(estimate(&settings, &[], &[], 0.0), Estimated::default());
    }

    #[test]
    fn white_advantages_have_mean_zero_and_deviation_one() {
        let mut rows = vec![vec![1.0, 2.0], vec![], vec![6.0]];
        whiten(&mut rows);
        // Mean 3, squares 4 + 1 + 9, divisor 2.
        let scale = 7f32.sqrt();
        assert!(close(&rows.concat(), &[-2.0 / scale, -1.0 / scale, 3.0 / scale]), "{rows:?}");
        let mut alone = vec![vec![0.7]];
        whiten(&mut alone);
        assert_eq!(alone, [[0.7]]);
    }

    #[test]
    fn a_value_that_ran_ahead_is_held() {
        // Towards the target and beyond the bound: the held twin's error is larger, and nothing moves.
        assert_eq!(
            value_loss(0.9, 0.5, 1.0, 0.2),
            ValueLoss { loss: 0.5 * (0.3f32 * 0.3), gradient: 0.0, clipped: true }
        );
        // Away from it: its own error is larger.
        let away = value_loss(0.1, 0.5, 1.0, 0.2);
        assert!((away.gradient + 0.9).abs() < 1e-6 && !away.clipped);
        assert!(!value_loss(0.6, 0.5, 1.0, 0.2).clipped);
    }

    proptest! {
        #[test]
        fn the_value_gradient_is_the_slope(value in -2.0f32..2.0, old in -2.0f32..2.0, target in -2.0f32..2.0, clip in 0.05f32..1.0) {
            let at = |value| value_loss(value, old, target, clip);
            let step = 1e-3;
            prop_assume!(at(value - step).clipped == at(value + step).clipped);
            let inside = |value: f32| (value - old).abs() < clip;
            prop_assume!(inside(value - step) == inside(value + step));
            let slope = (at(value + step).loss - at(value - step).loss) / (2.0 * step);
            prop_assert!((slope - at(value).gradient).abs() < 5e-3, "{slope} {:?}", at(value));
        }
    }
}
