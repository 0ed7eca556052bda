//! One draw from one row of logits.

use crate::kernels::simd::{exponentiate, maximum, sum, vectorized};

/// How completions are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SamplingParams {
    /// What logits are divided by. Zero takes the likeliest token; the log-probabilities are then those at one.
    pub temperature: f32,
    /// Keep the likeliest tokens that together reach this probability. One keeps all.
    pub top_p: f32,
    /// Keep this many of the likeliest tokens, before `top_p`. Zero keeps all.
    pub top_k: usize,
    /// Keep the tokens that are at least this share as likely as the likeliest, after `top_p` (Nguyen et al. 2024,
    /// arXiv 2407.01082). Zero keeps all.
    pub min_p: f32,
    /// Logits of tokens that the prompt or the completion has are divided by this, and multiplied where they are negative
    /// (Keskar et al. 2019, arXiv 1909.05858, section 4.1). One leaves them.
    pub repetition_penalty: f32,
    /// Draw no end token, and heed no stop string, before there are so many.
    pub min_new_tokens: usize,
    /// Stop after so many tokens.
    pub max_new_tokens: usize,
}

impl Default for SamplingParams {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_p: 1.0,
            top_k: 0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            min_new_tokens: 0,
            max_new_tokens: 256,
        }
    }
}

impl SamplingParams {
    /// Whoever asks for what cannot be drawn from has made a mistake.
    pub(crate) fn assert_sound(&self) {
        let Self { temperature, top_p, min_p, repetition_penalty, .. } = *self;
        assert!(temperature >= 0.0 && temperature.is_finite(), "a temperature of {temperature}");
        assert!(top_p >= 0.0, "a top_p of {top_p}");
        assert!((0.0..=1.0).contains(&min_p), "a min_p of {min_p}");
        assert!(repetition_penalty > 0.0 && repetition_penalty.is_finite(), "a penalty of {repetition_penalty}");
    }
}

/// Makes tokens less likely that are there already, each once. For a penalty below one, likelier.
pub(crate) fn penalise(logits: &mut [f32], seen: impl Iterator<Item = u32>, penalty: f32) {
    for token in seen {
        let logit = &mut logits[token as usize];
        *logit = if *logit < 0.0 { *logit * penalty } else { *logit / penalty };
    }
}

/// A drawn token and its log-probability under the distribution it was drawn from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Draw {
    pub(crate) token: u32,
    pub(crate) logprob: f32,
}

/// Draws a token; `uniform` from 0 up to 1 decides which. The logits are used up.
pub(crate) fn draw(logits: &mut [f32], params: &SamplingParams, uniform: f64) -> Draw {
    if params.temperature == 0.0 {
        let sum = relative_weights(logits, 1.0);
        let token = likeliest(logits);
        return Draw { token: token as u32, logprob: -sum.ln() };
    }
    let sum = relative_weights(logits, 1.0 / params.temperature);
    let limited = (params.top_k > 0 && params.top_k < logits.len()) || params.top_p < 1.0 || params.min_p > 0.0;
    if limited { draw_limited(logits, sum, params, uniform) } else { draw_any(logits, sum, uniform) }
}

vectorized! {
    /// Replaces logits by their exponentials relative to the largest, and adds these up.
    fn relative_weights(logits: &mut [f32], inverse_temperature: f32) -> f32 {
        let top = maximum(logits) * inverse_temperature;
        exponentiate(logits, inverse_temperature, top);
        sum(logits)
    }
}

/// The first of the largest.
fn likeliest(weights: &[f32]) -> usize {
    let mut best = 0;
    for (index, &weight) in weights.iter().enumerate() {
        if weight > weights[best] {
            best = index;
        }
    }
    best
}

/// Walks through the cumulative distribution, first in strides.
fn draw_any(weights: &[f32], sum: f32, uniform: f64) -> Draw {
    const STRIDE: usize = 64;
    let mut remaining = uniform * f64::from(sum);
    let mut start = 0;
    while start + STRIDE < weights.len() {
        let stride: f32 = weights[start..start + STRIDE].iter().sum();
        if remaining < f64::from(stride) {
            break;
        }
        remaining -= f64::from(stride);
        start += STRIDE;
    }
    let token = start + pick(weights[start..].iter().copied(), remaining);
    Draw { token: token as u32, logprob: (weights[token] / sum).ln() }
}

/// The index at which the running sum passes `remaining`; the last with any weight if rounding leaves a rest.
fn pick(weights: impl Iterator<Item = f32>, mut remaining: f64) -> usize {
    let mut last = 0;
    for (index, weight) in weights.enumerate() {
        if weight > 0.0 {
            last = index;
        }
        remaining -= f64::from(weight);
        if remaining < 0.0 {
            break;
        }
    }
    last
}

/// Draws among the likeliest: at most `top_k`, of these the fewest that reach `top_p` of their probability, and of these the ones
/// that are at least `min_p` of the likeliest, whose weight is one.
fn draw_limited(weights: &[f32], sum: f32, params: &SamplingParams, uniform: f64) -> Draw {
    let top_k = if params.top_k == 0 { weights.len() } else { params.top_k };
    // Tokens this unlikely cannot be among those that reach `top_p`: all of them together fall short of the rest.
    let rest = (1.0 - params.top_p).max(0.0) * sum / weights.len() as f32 * 0.5;
    let floor = if params.top_k == 0 { rest.max(params.min_p) } else { 0.0 };
    let mut kept: Vec<usize> = (0..weights.len()).filter(|&token| weights[token] >= floor).collect();
    // Ties by id, so that the order is total.
    let order = |a: &usize, b: &usize| weights[*b].total_cmp(&weights[*a]).then(a.cmp(b));
    if top_k < kept.len() {
        kept.select_nth_unstable_by(top_k - 1, order);
        kept.truncate(top_k);
    }
    kept.sort_unstable_by(order);
    let total: f64 =
        if params.top_k == 0 { f64::from(sum) } else { kept.iter().map(|&token| f64::from(weights[token])).sum() };
    let mut reached = 0.0;
    let mut count = 0;
    // At least one token is kept, whatever `top_p` is.
    let is_kept = |weight: f32, reached: f64| weight >= params.min_p && reached < f64::from(params.top_p) * total;
    while count < kept.len() && (count == 0 || is_kept(weights[kept[count]], reached)) {
        reached += f64::from(weights[kept[count]]);
        count += 1;
    }
    kept.truncate(count);
    let token = kept[pick(kept.iter().map(|&token| weights[token]), uniform * reached)];
    Draw { token: token as u32, logprob: (f64::from(weights[token]) / reached).ln() as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;
    use crate::testing::Noise;

    fn logits() -> Vec<f32> {
        Noise::new(12).vector(200).iter().map(|x| x * 4.0).collect()
    }

    /// The distribution by its definition, in double precision.
    fn distribution(logits: &[f32], params: &SamplingParams) -> Vec<f64> {
        let mut p: Vec<f64> = logits.iter().map(|&x| (f64::from(x) / f64::from(params.temperature)).exp()).collect();
        let mut order: Vec<usize> = (0..p.len()).collect();
        order.sort_by(|&a, &b| p[b].total_cmp(&p[a]));
        let top_k = if params.top_k == 0 { p.len() } else { params.top_k };
        for &token in order.iter().skip(top_k) {
            p[token] = 0.0;
        }
        let sum: f64 = p.iter().sum();
        for p in &mut p {
            *p /= sum;
        }
        let mut before = 0.0;
        for &token in &order {
            let own = p[token];
            if before >= f64::from(params.top_p) {
                p[token] = 0.0;
            }
            before += own;
        }
        let least = f64::from(params.min_p) * p[order[0]];
        for p in p.iter_mut().filter(|p| **p < least) {
            *p = 0.0;
        }
        let sum: f64 = p.iter().sum();
        p.iter().map(|p| p / sum).collect()
    }

    #[test]
    fn frequencies_and_logprobs_are_those_of_the_distribution() {
        for (temperature, top_p, top_k, min_p) in [
            (1.0, 1.0, 0, 0.0),
            (0.5, 1.0, 0, 0.0),
            (1.3, 0.8, 0, 0.0),
            (1.0, 1.0, 7, 0.0),
            (1.0, 0.9, 20, 0.0),
            (1.5, 1.0, 0, 0.1),
            (2.0, 0.9, 30, 0.05),
            (2.0, 0.6, 0, 0.02),
        ] {
            let params = SamplingParams { temperature, top_p, top_k, min_p, ..SamplingParams::default() };
            let logits = logits();
            let expected = distribution(&logits, &params);
            let mut counts = vec![0.0; logits.len()];
            let draws = 20_000;
            for position in 0..draws {
                let drawn = draw(&mut logits.clone(), &params, Stream::new(3).uniform(position));
                let p = expected[drawn.token as usize];
                assert!((f64::from(drawn.logprob) - p.ln()).abs() < 1e-5, "{params:?}: {drawn:?} against {}", p.ln());
                counts[drawn.token as usize] += 1.0;
            }
            for (count, p) in counts.iter().zip(&expected) {
                // Three draws on top, as counts of rare tokens are far from normal.
                let deviation = (p * (1.0 - p) / draws as f64).sqrt() + 3.0 / 4.5 / draws as f64;
                assert!((count / draws as f64 - p).abs() <= 4.5 * deviation, "{params:?}: {count} against {p}");
            }
        }
    }

    #[test]
    fn a_penalty_lowers_positive_and_negative_logits_of_what_is_there() {
        let mut logits = [2.0, -2.0, 3.0, -3.0, 0.0];
        penalise(&mut logits, [0, 1, 4].into_iter(), 1.25);
        assert_eq!(logits, [1.6, -2.5, 3.0, -3.0, 0.0]);
    }

    #[test]
    fn greedy_takes_the_first_of_the_likeliest() {
        let params = SamplingParams { temperature: 0.0, ..SamplingParams::default() };
        let drawn = draw(&mut [0.0, 2.0, 1.0, 2.0], &params, 0.9);
        let sum = 2.0f64.exp() * 2.0 + 1.0f64.exp() + 1.0;
        assert_eq!(drawn.token, 1);
        assert!((f64::from(drawn.logprob) - (2.0 - sum.ln())).abs() < 1e-6);
    }

    #[test]
    fn the_ends_of_the_unit_interval_give_tokens_with_weight() {
        let params = SamplingParams::default();
        let largest = 1.0 - f64::EPSILON / 2.0;
        assert_eq!(draw(&mut [0.0; 130], &params, 0.0).token, 0);
        assert_eq!(draw(&mut [0.0; 130], &params, largest).token, 129);
    }
}
