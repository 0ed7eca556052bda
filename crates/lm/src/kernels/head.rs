//! The end of the network: what a row of logits says about one token, and the gradient of that.
//!
//! With `z = logits / temperature`, `lse` the logarithm of the sum of `e^z` and `p = e^(z - lse)`:
//! the log-probability of token `y` is `z_y - lse` and the entropy is `lse - sum p z`. Hence
//! `d logprob / d z_i = [i = y] - p_i` and `d entropy / d z_i = -p_i (z_i - lse + entropy)`.

use super::simd::{dot, exp, exponentiate, maximum, sum, vectorized};

/// Logits that are worked on at a time.
const BLOCK: usize = 256;

/// What a row of logits says about its token.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct RowStatistics {
    /// Natural logarithm of the token's probability.
    pub(crate) logprob: f32,
    /// Entropy of the row's distribution, in nats.
    pub(crate) entropy: f32,
    /// Logarithm of the sum of the exponentials of the scaled logits.
    pub(crate) log_sum_exp: f32,
}

vectorized! {
    /// The statistics of one row at an inverse temperature.
    pub(crate) fn statistics(logits: &[f32], token: u32, inverse_temperature: f32) -> RowStatistics {
        // The largest scaled logit, so that no exponential overflows.
        let top = maximum(logits) * inverse_temperature;
        let (mut below, mut weights) = ([0.0; BLOCK], [0.0; BLOCK]);
        let (mut total, mut weighted) = (0.0, 0.0);
        for block in logits.chunks(BLOCK) {
            let (below, weights) = (&mut below[..block.len()], &mut weights[..block.len()]);
            for (below, logit) in below.iter_mut().zip(block) {
                *below = logit * inverse_temperature - top;
            }
            weights.copy_from_slice(below);
            exponentiate(weights, 1.0, 0.0);
            total += sum(weights);
            weighted += dot(weights, below);
        }
        let log_sum = total.ln();
        RowStatistics {
            logprob: logits[token as usize] * inverse_temperature - top - log_sum,
            entropy: log_sum - weighted / total,
            log_sum_exp: top + log_sum,
        }
    }
}

vectorized! {
    /// Replaces a row of logits by the gradient of `d_logprob * logprob + d_entropy * entropy`.
    pub(crate) fn backward(
        logits: &mut [f32],
        token: u32,
        inverse_temperature: f32,
        row: RowStatistics,
        d_logprob: f32,
        d_entropy: f32,
    ) {
        // Both derivatives carry p, and both carry the temperature.
        let constant = inverse_temperature * (d_entropy * row.entropy + d_logprob);
        let slope = inverse_temperature * d_entropy;
        for logit in logits.iter_mut() {
            let log_p = *logit * inverse_temperature - row.log_sum_exp;
            *logit = -exp(log_p) * (constant + slope * log_p);
        }
        logits[token as usize] += inverse_temperature * d_logprob;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Noise, assert_gradient};

    #[test]
    fn statistics_match_double_precision() {
        let logits: Vec<f32> = Noise::new(4).vector(101).iter().map(|x| x * 8.0).collect();
        for temperature in [0.3f64, 1.0, 2.0] {
            let z: Vec<f64> = logits.iter().map(|&x| f64::from(x) / temperature).collect();
            let lse = z.iter().map(|z| z.exp()).sum::<f64>().ln();
            let entropy: f64 = z.iter().map(|z| -(z - lse) * (z - lse).exp()).sum();
            let row = statistics(&logits, 7, (1.0 / temperature) as f32);
            assert!((f64::from(row.logprob) - (z[7] - lse)).abs() < 2e-5);
            assert!((f64::from(row.entropy) - entropy).abs() < 2e-5);
            assert!((f64::from(row.log_sum_exp) - lse).abs() < 2e-5);
        }
        // Equal logits: every token has probability 1/n.
        let row = statistics(&[2.5; 40], 3, 0.7);
        assert!((row.logprob + 40f32.ln()).abs() < 1e-6 && (row.entropy - 40f32.ln()).abs() < 1e-6);
    }

    #[test]
    fn backward_matches_finite_differences() {
        let logits: Vec<f32> = Noise::new(5).vector(53).iter().map(|x| x * 3.0).collect();
        for (d_logprob, d_entropy, inverse) in [(1.0, 0.0, 1.0), (0.0, 1.0, 1.0), (-0.7, 0.4, 1.6)] {
            let loss = |logits: &[f32]| {
                let row = statistics(logits, 11, inverse);
                f64::from(d_logprob * row.logprob + d_entropy * row.entropy)
            };
            let mut gradient = logits.clone();
            backward(&mut gradient, 11, inverse, statistics(&logits, 11, inverse), d_logprob, d_entropy);
            assert_gradient("logits", &logits, &gradient, loss);
        }
    }
}
