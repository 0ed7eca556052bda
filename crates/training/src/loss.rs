//! The loss of one token, and its derivative. Pure arithmetic.
//!
//! With `r = exp(clip(new - old, -20, 20))` and advantage `A`:
//!
//! - surrogate: `max(-A r, -A clip(r, 1 - clip_low, 1 + clip_high))` (PPO, arXiv 1707.06347, with unequal bounds);
//! - where `A < 0` it is at most `-A dual_clip`, so one token cannot dominate (dual clip, arXiv 1912.09729);
//! - k3 estimator of the divergence from the reference: `exp(d) - d - 1`, `d = clip(ref - new, -20, 20)`, clamped to 10.
//!
//! These are SecCoderX's settings (arXiv 2602.07422, stage 4). The derivative is taken with respect to `new`.

use serde::{Deserialize, Serialize};

const MAX_LOG_RATIO: f32 = 20.0;
const MAX_DIVERGENCE: f32 = 10.0;

/// Bounds and weights of the loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossSettings {
    /// The ratio may fall to `1 - clip_low`.
    pub clip_low: f32,
    /// The ratio may rise to `1 + clip_high`.
    pub clip_high: f32,
    /// Largest multiple of `-A` that a token with a negative advantage may cost.
    pub dual_clip: f32,
    /// Weight of the divergence from the reference policy; 0 leaves the reference out.
    pub kl_coef: f32,
}

impl Default for LossSettings {
    fn default() -> Self {
        Self { clip_low: 0.2, clip_high: 0.3, dual_clip: 3.0, kl_coef: 0.0 }
    }
}

/// The loss of one token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenLoss {
    /// The surrogate.
    pub policy: f32,
    /// The k3 divergence, unweighted; 0 without a reference.
    pub divergence: f32,
    /// Derivative of `policy + kl_coef * divergence` with respect to the new log-probability.
    pub gradient: f32,
    /// True when a clip made the surrogate's derivative zero.
    pub clipped: bool,
}

/// The loss of one token with log-probabilities `new`, `old` (when sampled) and `reference`.
pub fn token_loss(settings: &LossSettings, advantage: f32, new: f32, old: f32, reference: Option<f32>) -> TokenLoss {
    let log_ratio = (new - old).clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO);
    let ratio = log_ratio.exp();
    let bounded = ratio.clamp(1.0 - settings.clip_low, 1.0 + settings.clip_high);
    let (free, held) = (-advantage * ratio, -advantage * bounded);
    let mut policy = free.max(held);
    let mut slope = if free >= held { free } else { 0.0 };
    if advantage < 0.0 && policy > -advantage * settings.dual_clip {
        policy = -advantage * settings.dual_clip;
        slope = 0.0;
    }
    if (new - old).abs() > MAX_LOG_RATIO {
        slope = 0.0;
    }
    let clipped = slope == 0.0 && advantage != 0.0;
    let (divergence, divergence_slope) = reference.map_or((0.0, 0.0), |reference| k3(new, reference));
    TokenLoss { policy, divergence, gradient: slope + settings.kl_coef * divergence_slope, clipped }
}

/// The k3 estimate and its derivative with respect to `new`.
fn k3(new: f32, reference: f32) -> (f32, f32) {
    let raw = reference - new;
    let difference = raw.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO);
    let value = difference.exp() - difference - 1.0;
    if value > MAX_DIVERGENCE || raw != difference {
        (value.min(MAX_DIVERGENCE), 0.0)
    } else {
        (value, 1.0 - difference.exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SETTINGS: LossSettings = LossSettings { clip_low: 0.2, clip_high: 0.3, dual_clip: 3.0, kl_coef: 0.0 };

    #[test]
    fn on_policy_tokens_cost_minus_the_advantage() {
        let loss = token_loss(&SETTINGS, 0.7, -1.0, -1.0, None);
        assert_eq!((loss.policy, loss.gradient, loss.clipped), (-0.7, -0.7, false));
    }

    #[test]
    fn the_clips_hold_on_their_own_side_only() {
        // ratio 2 with a positive advantage: held at 1.3, no slope.
        let up = token_loss(&SETTINGS, 1.0, 2f32.ln(), 0.0, None);
        assert!((up.policy + 1.3).abs() < 1e-6 && up.gradient == 0.0 && up.clipped);
        // ratio 0.5 with a positive advantage: free, slope -A r.
        let down = token_loss(&SETTINGS, 1.0, 0.5f32.ln(), 0.0, None);
        assert!((down.policy + 0.5).abs() < 1e-6 && (down.gradient + 0.5).abs() < 1e-6);
        // ratio 0.5 with a negative advantage: held at 0.8.
        let low = token_loss(&SETTINGS, -1.0, 0.5f32.ln(), 0.0, None);
        assert!((low.policy - 0.8).abs() < 1e-6 && low.gradient == 0.0);
        // ratio 5 with a negative advantage: dual clip at 3.
        let dual = token_loss(&SETTINGS, -1.0, 5f32.ln(), 0.0, None);
        assert!((dual.policy - 3.0).abs() < 1e-6 && dual.gradient == 0.0 && dual.clipped);
    }

    #[test]
    fn the_divergence_is_k3() {
        // d = ln 2: 2 - ln 2 - 1.
        let settings = LossSettings { kl_coef: 0.5, ..SETTINGS };
        let loss = token_loss(&settings, 0.0, 0.0, 0.0, Some(2f32.ln()));
        assert!((loss.divergence - (1.0 - 2f32.ln())).abs() < 1e-6);
        assert!((loss.gradient - 0.5 * (1.0 - 2.0)).abs() < 1e-6);
        assert_eq!(token_loss(&settings, 0.0, -30.0, -30.0, Some(0.0)).divergence, 10.0);
    }

    proptest! {
        #[test]
        fn the_gradient_is_the_slope(advantage in -2.0f32..2.0, new in -3.0f32..0.0, old in -3.0f32..0.0, reference in -3.0f32..0.0) {
            let settings = LossSettings { kl_coef: 0.3, ..SETTINGS };
            let total = |new: f32| {
                let loss = token_loss(&settings, advantage, new, old, Some(reference));
                f64::from(loss.policy) + f64::from(settings.kl_coef) * f64::from(loss.divergence)
            };
            // Away from the corners, where the derivative jumps.
            let ratio = (new - old).exp();
            for corner in [0.8f32, 1.3, 3.0] {
                prop_assume!((ratio - corner).abs() > 0.02);
            }
            let step = 1e-2f32;
            let slope = (total(new + step) - total(new - step)) / f64::from((new + step) - (new - step));
            let gradient = f64::from(token_loss(&settings, advantage, new, old, Some(reference)).gradient);
            let corner_between = [0.8f32, 1.3, 3.0].iter().any(|corner| {
                let (low, high) = ((new - step - old).exp(), (new + step - old).exp());
                low < *corner && *corner < high
            });
            prop_assume!(!corner_between);
            let divergence = |new: f32| token_loss(&settings, advantage, new, old, Some(reference)).divergence;
            prop_assume!((divergence(new - step) < MAX_DIVERGENCE) == (divergence(new + step) < MAX_DIVERGENCE));
            prop_assert!((slope - gradient).abs() < 2e-2 * (1.0 + gradient.abs()), "{slope} {gradient}");
        }
    }
}
