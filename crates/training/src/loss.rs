//! The loss of the tokens of a rollout, and its derivatives. Pure arithmetic.
//!
//! With `r = exp(clip(new - old, -20, 20))` and the token's advantage `A`:
//!
//! - surrogate: `max(-A r, -A clip(r, 1 - clip_low, 1 + clip_high))` (PPO, arXiv 1707.06347, with unequal bounds as DAPO's
//!   clip-higher, arXiv 2503.14476);
//! - where `A < 0` it is at most `-A dual_clip`, so one token cannot dominate (dual clip, arXiv 1912.09729);
//! - [`Ratio`] says whose probabilities `r` compares: the token's, the sequence's (GSPO, arXiv 2507.18071), or the mean of the
//!   tokens' ratios (SecureCodeRL, arXiv 2601.01184, as published);
//! - [`Average`] says what a token weighs: as all others of a minibatch, as its share of its sequence, or as its share of the longest
//!   completion allowed (Dr. GRPO, arXiv 2503.20783);
//! - [`Estimator`] of the divergence from the reference, with `d = clip(ref - new, -20, 20)`: `-d`, `d^2 / 2` or
//!   `exp(d) - d - 1`, clamped to 10 on both sides.
//!
//! The defaults are SecCoderX's settings (arXiv 2602.07422, stage 4). Derivatives are taken with respect to `new`.

use serde::{Deserialize, Serialize};

const MAX_LOG_RATIO: f32 = 20.0;
const MAX_DIVERGENCE: f32 = 10.0;

/// Which probabilities the clipped ratio compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ratio {
    /// Each token's own.
    #[default]
    Token,
    /// `exp(mean(new - old))` over the tokens of the completion, the same for each of them. Where the tokens' advantages differ,
    /// each token's derivative is that of its own term (GSPO-token).
    Sequence,
    /// The mean over the completion of the tokens' ratios: neither of the above, and what SecureCodeRL's published code has.
    MeanOfTokens,
}

/// What a token weighs in the loss of a minibatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Average {
    /// One by the number of all tokens: long completions count more (DAPO, SecCoderX).
    #[default]
    Tokens,
    /// One by the number of completions and the tokens of its own: each completion counts alike (GRPO as first published, GSPO).
    Sequences,
    /// One by the number of completions and the most tokens that one may have: no length is favoured (Dr. GRPO).
    LongestAllowed,
}

/// How the divergence from the reference is estimated from one sampled token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Estimator {
    /// `new - ref`: unbiased as a value, but its derivative is 1 whatever the reference says, so as a loss it holds nothing back.
    K1,
    /// `(new - ref)^2 / 2`.
    K2,
    /// `exp(ref - new) - (ref - new) - 1`.
    #[default]
    K3,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Bounds and weights of the loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossSettings {
    /// The ratio may fall to `1 - clip_low`.
    pub clip_low: f32,
    /// The ratio may rise to `1 + clip_high`.
    pub clip_high: f32,
    /// Largest multiple of `-A` that a token with a negative advantage may cost; `inf` turns this off.
    pub dual_clip: f32,
    /// Weight of the divergence from the reference policy; 0 leaves the reference out.
    pub kl_coef: f32,
    /// How that divergence is estimated.
    #[serde(skip_serializing_if = "is_default")]
    pub kl_estimator: Estimator,
    /// Weight of the entropy, which is a gain; 0 leaves it out.
    #[serde(skip_serializing_if = "is_default")]
    pub entropy_coef: f32,
    /// Which probabilities the ratio compares.
    #[serde(skip_serializing_if = "is_default")]
    pub ratio: Ratio,
    /// What a token weighs.
    #[serde(skip_serializing_if = "is_default")]
    pub average: Average,
}

impl Default for LossSettings {
    fn default() -> Self {
        Self {
            clip_low: 0.2,
            clip_high: 0.3,
            dual_clip: 3.0,
            kl_coef: 0.0,
            kl_estimator: Estimator::default(),
            entropy_coef: 0.0,
            ratio: Ratio::default(),
            average: Average::default(),
        }
    }
}

/// The loss of one token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenLoss {
    /// The surrogate.
    pub policy: f32,
    /// The estimated divergence, unweighted; 0 without a reference.
    pub divergence: f32,
    /// Derivative of `policy + kl_coef * divergence` with respect to the new log-probability, if every token of the completion weighs 1.
    pub gradient: f32,
    /// True when a clip made the surrogate's derivative zero.
    pub clipped: bool,
}

/// What is known of the tokens of one completion, in order; all of one length.
#[derive(Debug, Clone, Copy)]
pub struct Tokens<'a> {
    /// How much better than expected each was.
    pub advantages: &'a [f32],
    /// Log-probabilities under the policy as it is now.
    pub new: &'a [f32],
    /// Log-probabilities when they were sampled.
    pub old: &'a [f32],
    /// Log-probabilities under the reference policy.
    pub reference: Option<&'a [f32]>,
}

/// What a token of each completion weighs in the loss of a minibatch, given how many tokens each has.
pub fn token_weights(average: Average, lengths: &[usize], longest_allowed: usize) -> Vec<f32> {
    let all = 1.0 / lengths.iter().sum::<usize>().max(1) as f32;
    let count = lengths.len().max(1) as f32;
    lengths
        .iter()
        .map(|length| match average {
            Average::Tokens => all,
            Average::Sequences => 1.0 / (count * (*length).max(1) as f32),
            Average::LongestAllowed => 1.0 / (count * longest_allowed.max(1) as f32),
        })
        .collect()
}

/// The losses of a completion's tokens.
///
/// # Panics
/// If the numbers are not of one length.
pub fn completion_loss(settings: &LossSettings, tokens: &Tokens<'_>) -> Vec<TokenLoss> {
    let Tokens { advantages, new, old, reference } = *tokens;
    assert_eq!(new.len(), old.len(), "one log-probability for each sampled token");
    assert_eq!(new.len(), advantages.len(), "one advantage for each token");
    let shared = match settings.ratio {
        Ratio::Token => None,
        Ratio::Sequence => Some(mean(new.iter().zip(old).map(|(new, old)| new - old))),
        Ratio::MeanOfTokens => Some(mean(new.iter().zip(old).map(|(new, old)| clamped(new - old).exp())).ln()),
    };
    (0..new.len())
        .map(|at| {
            let anchor = reference.map(|reference| reference[at]);
            match shared {
                None => token_loss(settings, advantages[at], new[at], old[at], anchor),
                Some(log_ratio) => {
                    let (policy, slope) = surrogate(settings, advantages[at], log_ratio);
                    // The derivative of the mean of ratios has the token's own ratio where the ratio itself stood.
                    let own = match settings.ratio {
                        Ratio::MeanOfTokens => (clamped(new[at] - old[at]) - log_ratio).exp(),
                        Ratio::Token | Ratio::Sequence => 1.0,
                    };
                    finished(settings, advantages[at], policy, slope * own, new[at], anchor)
                }
            }
        })
        .collect()
}

/// The loss of one token with log-probabilities `new`, `old` (when sampled) and `reference`, by its own ratio.
pub fn token_loss(settings: &LossSettings, advantage: f32, new: f32, old: f32, reference: Option<f32>) -> TokenLoss {
    let (policy, slope) = surrogate(settings, advantage, new - old);
    finished(settings, advantage, policy, slope, new, reference)
}

fn mean(values: impl ExactSizeIterator<Item = f32>) -> f32 {
    let count = values.len().max(1) as f64;
    (values.map(f64::from).sum::<f64>() / count) as f32
}

fn clamped(log_ratio: f32) -> f32 {
    log_ratio.clamp(-MAX_LOG_RATIO, MAX_LOG_RATIO)
}

/// The clipped surrogate and its derivative by the logarithm of the ratio.
fn surrogate(settings: &LossSettings, advantage: f32, log_ratio: f32) -> (f32, f32) {
    let ratio = clamped(log_ratio).exp();
    let bounded = ratio.clamp(1.0 - settings.clip_low, 1.0 + settings.clip_high);
    let (free, held) = (-advantage * ratio, -advantage * bounded);
    let mut policy = free.max(held);
    let mut slope = if free >= held { free } else { 0.0 };
    if advantage < 0.0 && policy > -advantage * settings.dual_clip {
        policy = -advantage * settings.dual_clip;
        slope = 0.0;
    }
    if log_ratio.abs() > MAX_LOG_RATIO {
        slope = 0.0;
    }
    (policy, slope)
}

fn finished(
    settings: &LossSettings,
    advantage: f32,
    policy: f32,
    slope: f32,
    new: f32,
    reference: Option<f32>,
) -> TokenLoss {
    let clipped = slope == 0.0 && advantage != 0.0;
    let (divergence, divergence_slope) =
        reference.map_or((0.0, 0.0), |reference| settings.kl_estimator.estimate(new, reference));
    TokenLoss { policy, divergence, gradient: slope + settings.kl_coef * divergence_slope, clipped }
}

impl Estimator {
    /// The estimate and its derivative with respect to `new`.
    fn estimate(self, new: f32, reference: f32) -> (f32, f32) {
        let raw = reference - new;
        let difference = clamped(raw);
        let (value, slope) = match self {
            Self::K1 => (-difference, 1.0),
            Self::K2 => (0.5 * difference * difference, -difference),
            Self::K3 => (difference.exp() - difference - 1.0, 1.0 - difference.exp()),
        };
        let held = value.clamp(-MAX_DIVERGENCE, MAX_DIVERGENCE);
        (held, if held == value && raw == difference { slope } else { 0.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SETTINGS: LossSettings = LossSettings {
        clip_low: 0.2,
        clip_high: 0.3,
        dual_clip: 3.0,
        kl_coef: 0.0,
        kl_estimator: Estimator::K3,
        entropy_coef: 0.0,
        ratio: Ratio::Token,
        average: Average::Tokens,
    };

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

    #[test]
    fn the_other_estimators_have_their_closed_forms() {
        let at = |kl_estimator, reference| {
            let settings = LossSettings { kl_coef: 1.0, kl_estimator, ..SETTINGS };
            let loss = token_loss(&settings, 0.0, -1.0, -1.0, Some(reference));
            (loss.divergence, loss.gradient)
        };
        assert_eq!(at(Estimator::K1, -1.5), (0.5, 1.0));
        assert_eq!(at(Estimator::K1, -0.5), (-0.5, 1.0));
        assert_eq!(at(Estimator::K2, -1.5), (0.125, 0.5));
        // Held at its bound, it pulls no more.
        assert_eq!(at(Estimator::K1, -12.0), (10.0, 0.0));
        assert_eq!(at(Estimator::K2, -12.0), (10.0, 0.0));
    }

    #[test]
    fn a_sequence_moves_as_one() {
        let (new, old) = ([0.3f32, -0.5, -0.1], [0.1f32, -0.2, -0.1]);
        let tokens = Tokens { advantages: &[0.5; 3], new: &new, old: &old, reference: None };
        // GSPO: exp of the mean difference, (0.2 - 0.3 + 0) / 3.
        let sequence = completion_loss(&LossSettings { ratio: Ratio::Sequence, ..SETTINGS }, &tokens);
        let ratio = (-0.1f32 / 3.0).exp();
        for loss in &sequence {
            assert!((loss.policy + 0.5 * ratio).abs() < 1e-6 && (loss.gradient + 0.5 * ratio).abs() < 1e-6, "{loss:?}");
        }
        // The mean of the tokens' ratios; each derivative has the token's own.
        let mean = completion_loss(&LossSettings { ratio: Ratio::MeanOfTokens, ..SETTINGS }, &tokens);
        let own = [0.2f32.exp(), (-0.3f32).exp(), 1.0];
        for (loss, own_ratio) in mean.iter().zip(own) {
            assert!((loss.policy + 0.5 * own.iter().sum::<f32>() / 3.0).abs() < 1e-6, "{loss:?}");
            assert!((loss.gradient + 0.5 * own_ratio).abs() < 1e-6, "{loss:?}");
        }
        // One clip for all of it: tokens whose own ratio is in bounds are held too.
        let far = Tokens { new: &[1.5, -0.2, -0.1], ..tokens };
        let held = completion_loss(&LossSettings { ratio: Ratio::Sequence, ..SETTINGS }, &far);
        assert!(held.iter().all(|loss| loss.clipped && loss.gradient == 0.0), "{held:?}");
        let free = completion_loss(&SETTINGS, &far);
        assert_eq!([free[0].clipped, free[1].clipped, free[2].clipped], [true, false, false]);
    }

    #[test]
    fn weights_follow_the_average() {
        assert_eq!(token_weights(Average::Tokens, &[1, 3], 8), [0.25, 0.25]);
        assert_eq!(token_weights(Average::Sequences, &[1, 4], 8), [0.5, 0.125]);
        assert_eq!(token_weights(Average::LongestAllowed, &[1, 4], 8), [0.0625, 0.0625]);
        assert_eq!(token_weights(Average::Sequences, &[0], 8), [1.0]);
        assert!(token_weights(Average::Tokens, &[], 8).is_empty());
    }

    #[test]
    fn settings_that_are_not_asked_for_are_not_written() {
        let text = toml::to_string(&LossSettings::default()).unwrap();
        assert_eq!(text.lines().count(), 4, "{text}");
        let dapo = LossSettings { clip_high: 0.28, dual_clip: f32::INFINITY, ratio: Ratio::Sequence, ..SETTINGS };
        assert_eq!(toml::from_str::<LossSettings>(&toml::to_string(&dapo).unwrap()).unwrap(), dapo);
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
