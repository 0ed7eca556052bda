//! Losses on pairs of completions, one better than the other. Pure arithmetic.
//!
//! With the policy's log-probabilities `w` (better) and `l` (worse) of whole completions, and those of the reference:
//!
//! - DPO (arXiv 2305.18290): `-log sigmoid(beta ((w - w_ref) - (l - l_ref)))`, smoothed by `s` towards the other order as in cDPO:
//!   `-(1 - s) log sigmoid(z) - s log sigmoid(-z)`;
//! - SimPO (arXiv 2405.14734): `-log sigmoid(beta (mean w - mean l) - gamma)`, without a reference, by the mean over the tokens.
//!
//! A mask says which tokens count: with the tokens that a repair changed alone, these are the security-masked losses of localised
//! preference optimisation. Tokens outside the mask get no derivative, and the mean is over those inside it.

use serde::{Deserialize, Serialize};

/// Which loss, and its constants.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum PreferenceLoss {
    /// Direct preference optimisation, against a reference.
    Dpo {
        /// How strongly the policy is held to the reference: larger holds more.
        beta: f64,
        /// Share of pairs that are believed to be the wrong way round, below a half.
        #[serde(default)]
        label_smoothing: f64,
    },
    /// Simple preference optimisation, against nothing.
    Simpo {
        /// Scale of the difference of mean log-probabilities.
        beta: f64,
        /// By how much the better one should lead, on that scale.
        gamma: f64,
    },
}

/// What is known of the tokens of one completion of a pair; all of one length.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Log-probabilities under the policy.
    pub new: &'a [f32],
    /// Log-probabilities under the reference; not looked at by losses without one.
    pub reference: &'a [f32],
    /// Which tokens count.
    pub mask: &'a [bool],
}

/// The loss of one pair.
#[derive(Debug, Clone, PartialEq)]
pub struct PairLoss {
    /// The loss.
    pub loss: f64,
    /// How far the policy prefers the better one, on the scale of the loss; the pair is told apart above 0.
    pub margin: f64,
    /// Derivatives by the log-probabilities of the better one's tokens.
    pub better: Vec<f32>,
    /// Derivatives by those of the worse one's.
    pub worse: Vec<f32>,
}

impl PreferenceLoss {
    /// Whether it asks a reference.
    pub fn needs_reference(&self) -> bool {
        matches!(self, Self::Dpo { .. })
    }

    /// The loss of a pair. A side without a token that counts is worth 0.
    ///
    /// # Panics
    /// If the numbers of a side are not of one length.
    pub fn of(&self, better: &Side<'_>, worse: &Side<'_>) -> PairLoss {
        let (scale, smoothing) = match *self {
            Self::Dpo { beta, label_smoothing } => (beta, label_smoothing),
            Self::Simpo { beta, .. } => (beta, 0.0),
        };
        let margin = scale * (self.worth(better) - self.worth(worse));
        let z = match *self {
            Self::Dpo { .. } => margin,
            Self::Simpo { gamma, .. } => margin - gamma,
        };
        let loss = (1.0 - smoothing) * softplus(-z) + smoothing * softplus(z);
        let slope = -(1.0 - smoothing) * sigmoid(-z) + smoothing * sigmoid(z);
        let spread = |side: &Side<'_>, sign: f64| {
            let each = (sign * slope * scale * self.share(side)) as f32;
            side.mask.iter().map(|counts| if *counts { each } else { 0.0 }).collect()
        };
        PairLoss { loss, margin, better: spread(better, 1.0), worse: spread(worse, -1.0) }
    }

    /// The log-probability of a completion as this loss takes it.
    fn worth(&self, side: &Side<'_>) -> f64 {
        assert_eq!(side.new.len(), side.mask.len(), "one mark for each token");
        let chosen = |numbers: &[f32]| -> f64 {
            numbers.iter().zip(side.mask).filter(|(_, counts)| **counts).map(|(number, _)| f64::from(*number)).sum()
        };
        let reference = if self.needs_reference() {
            assert_eq!(side.new.len(), side.reference.len(), "one log-probability of the reference for each token");
            chosen(side.reference)
        } else {
            0.0
        };
        (chosen(side.new) - reference) * self.share(side)
    }

    /// What one token's log-probability adds to the completion's.
    fn share(&self, side: &Side<'_>) -> f64 {
        match self {
            Self::Dpo { .. } => 1.0,
            Self::Simpo { .. } => 1.0 / side.mask.iter().filter(|counts| **counts).count().max(1) as f64,
        }
    }
}

fn sigmoid(z: f64) -> f64 {
    if z >= 0.0 { 1.0 / (1.0 + (-z).exp()) } else { z.exp() / (1.0 + z.exp()) }
}

/// `log(1 + exp(z))`, for any `z`.
fn softplus(z: f64) -> f64 {
    z.max(0.0) + (-z.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DPO: PreferenceLoss = PreferenceLoss::Dpo { beta: 0.1, label_smoothing: 0.0 };
    const SIMPO: PreferenceLoss = PreferenceLoss::Simpo { beta: 2.0, gamma: 1.0 };

    #[test]
    fn at_the_reference_dpo_is_log_two() {
        let numbers = [-0.5, -1.5];
        let side = Side { new: &numbers, reference: &numbers, mask: &[true, true] };
        let pair = DPO.of(&side, &side);
        assert!((pair.loss - 2f64.ln()).abs() < 1e-12);
        assert_eq!((pair.better, pair.worse), (vec![-0.05; 2], vec![0.05; 2]));
        assert_eq!(pair.margin, 0.0);
    }

    #[test]
    fn simpo_takes_means_and_asks_for_a_lead() {
        let better = Side { new: &[-0.5, -0.5], reference: &[], mask: &[true, true] };
        let worse = Side { new: &[-1.0, -1.0, -1.0, -1.0], reference: &[], mask: &[true; 4] };
        // Means -0.5 and -1: a margin of 1, which is what is asked for.
        let pair = SIMPO.of(&better, &worse);
        assert!((pair.loss - 2f64.ln()).abs() < 1e-12 && (pair.margin - 1.0).abs() < 1e-12);
        assert_eq!((pair.better, pair.worse), (vec![-0.5; 2], vec![0.25; 4]));
    }

    #[test]
    fn only_marked_tokens_count() {
        let new = [-0.5f32, -9.0, -1.5];
        let masked = Side { new: &new, reference: &[-0.5, -3.0, -1.0], mask: &[true, false, true] };
        let alone = Side { new: &[-0.5, -1.5], reference: &[-0.5, -1.0], mask: &[true, true] };
        for loss in [DPO, SIMPO] {
            let (one, other) = (loss.of(&masked, &alone), loss.of(&alone, &alone));
            assert_eq!(one.loss, other.loss);
            assert_eq!(one.better, [other.better[0], 0.0, other.better[1]]);
        }
        let nothing = Side { new: &[], reference: &[], mask: &[] };
        assert!((DPO.of(&nothing, &nothing).loss - 2f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn extremes_stay_finite() {
        let far = Side { new: &[-1e6], reference: &[0.0], mask: &[true] };
        let near = Side { new: &[0.0], reference: &[0.0], mask: &[true] };
        let pair = PreferenceLoss::Dpo { beta: 1.0, label_smoothing: 0.1 }.of(&far, &near);
        assert!((pair.loss - 0.9e6).abs() < 1e-3 && (pair.better[0] + 0.9).abs() < 1e-6, "{pair:?}");
    }

    proptest! {
        #[test]
        fn gradients_are_slopes(
            new in prop::collection::vec(-3.0f32..0.0, 5),
            reference in prop::collection::vec(-3.0f32..0.0, 5),
            mask in prop::collection::vec(any::<bool>(), 5),
            smoothing in 0.0f64..0.5,
            at in 0usize..5,
        ) {
            for loss in [PreferenceLoss::Dpo { beta: 0.3, label_smoothing: smoothing }, SIMPO] {
                let total = |new: &[f32]| {
                    let side = |range: std::ops::Range<usize>| Side {
                        new: &new[range.clone()],
                        reference: &reference[range.clone()],
                        mask: &mask[range],
                    };
                    loss.of(&side(0..2), &side(2..5))
                };
                let pair = total(&new);
                let gradient = f64::from([pair.better, pair.worse].concat()[at]);
                let moved = |step: f32| {
                    let mut moved = new.clone();
                    moved[at] += step;
                    (total(&moved).loss, f64::from(moved[at]))
                };
                let ((low, from), (high, to)) = (moved(-1e-2), moved(1e-2));
                prop_assert!(((high - low) / (to - from) - gradient).abs() < 1e-3);
            }
        }
    }
}
