//! From places in the text to the policy's tokens.

use std::ops::Range;

use codeward_records::SpanReward;

use super::{CreditError, bounded};

/// The reward of each token.
///
/// A span's value is shared in equal parts by the tokens that lie in it with at least half of their bytes. Where there is none, because a
/// long token holds more than the span, the token with most of the span has it all. So a value is neither lost nor multiplied,
/// whatever the tokenizer. A span of no bytes goes to the token around it, or to the one before. In the end each token is cut
/// to [-1, 1] and, if their sum leaves [-3, 3], all shrink in proportion.
///
/// Token spans are adjacent and in order, as `codeward_lm::Aligner::align` gives them; those of markers are empty and get nothing.
///
/// # Errors
/// If tokens overlap or are out of order, a span has bytes that no token has, or a value is no number.
pub fn per_token_rewards(spans: &[SpanReward], tokens: &[Range<usize>]) -> Result<Vec<f32>, CreditError> {
    if let Some(index) = (1..tokens.len()).find(|&index| tokens[index].start < tokens[index - 1].end) {
        return Err(CreditError::Unordered { index });
    }
    // Those with bytes: their ends rise, so that they can be searched.
    let filled: Vec<usize> = (0..tokens.len()).filter(|&index| !tokens[index].is_empty()).collect();
    let mut values = vec![0.0; tokens.len()];
    for span in spans {
        if !span.value.is_finite() {
            return Err(CreditError::NotFinite { start: span.start, end: span.end });
        }
        let shares = receivers(span, tokens, &filled)?;
        for &index in &shares {
            values[index] += span.value / shares.len() as f64;
        }
    }
    bounded(&mut values);
    Ok(values.into_iter().map(|value| value as f32).collect())
}

/// The tokens that share a span's value.
fn receivers(span: &SpanReward, tokens: &[Range<usize>], filled: &[usize]) -> Result<Vec<usize>, CreditError> {
    let not_covered = CreditError::NotCovered { start: span.start, end: span.end };
    let first = filled.partition_point(|&index| tokens[index].end <= span.start);
    if span.start >= span.end {
        let at_end = filled.last().filter(|&&index| tokens[index].end == span.start);
        let around = filled.get(first).filter(|&&index| tokens[index].start <= span.start);
        return around.or(at_end).map(|&index| vec![index]).ok_or(not_covered);
    }
    let touched: Vec<(usize, usize)> = filled[first..]
        .iter()
        .take_while(|&&index| tokens[index].start < span.end)
        .map(|&index| (index, tokens[index].end.min(span.end) - tokens[index].start.max(span.start)))
        .collect();
    if touched.iter().map(|(_, bytes)| bytes).sum::<usize>() < span.end - span.start {
        return Err(not_covered);
    }
    let within: Vec<usize> =
        touched.iter().filter(|&&(index, bytes)| 2 * bytes >= tokens[index].len()).map(|&(index, _)| index).collect();
    if !within.is_empty() {
        return Ok(within);
    }
    let most = touched.iter().rev().max_by_key(|(_, bytes)| *bytes).expect("a covered span touches a token");
    Ok(vec![most.0])
}

/// Token rewards with the completion's own reward on the last token, for algorithms that hand rewards back through time (PPO with
/// generalised advantage estimates).
pub fn with_scalar_at_end(reward: f32, token_rewards: &[f32]) -> Vec<f32> {
    let mut rewards = token_rewards.to_vec();
    if let Some(last) = rewards.last_mut() {
        *last += reward;
    }
    rewards
}

/// Token advantages for GRPO: `A + c · (r - mean r)`, the group's advantage for all and the token's own part around it. Our definition
/// has `c` = 1. Their mean is the group's advantage.
pub fn hybrid_advantages(group_advantage: f32, token_rewards: &[f32], coefficient: f32) -> Vec<f32> {
    let mean = token_rewards.iter().map(|&reward| f64::from(reward)).sum::<f64>() / token_rewards.len().max(1) as f64;
    let own = |reward: f32| f64::from(coefficient) * (f64::from(reward) - mean);
    token_rewards.iter().map(|&reward| (f64::from(group_advantage) + own(reward)) as f32).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(start: usize, end: usize, value: f64) -> SpanReward {
        SpanReward { start, end, value, cwe: None, rule: "a".to_owned() }
    }

    #[test]
    fn a_value_is_shared_by_the_tokens_that_lie_in_its_span() {
        let tokens = [0..4, 4..4, 4..8, 8..10, 10..20];
        let rewards = |spans: &[SpanReward]| per_token_rewards(spans, &tokens).unwrap();
        // Half of the first token, all of the third, and no half of the last.
        assert_eq!(rewards(&[span(2, 8, 0.5)]), [0.25, 0.0, 0.25, 0.0, 0.0]);
        assert_eq!(rewards(&[span(3, 10, 0.5)]), [0.0, 0.0, 0.25, 0.25, 0.0]);
        // Inside a long token, and over the border of two.
        assert_eq!(rewards(&[span(12, 14, 0.5)]), [0.0, 0.0, 0.0, 0.0, 0.5]);
        assert_eq!(per_token_rewards(&[span(3, 5, 0.5)], &[0..4, 4..8]).unwrap(), [0.5, 0.0]);
        // Of no bytes: where it stands, or the end.
        assert_eq!(rewards(&[span(4, 4, 0.5)]), [0.0, 0.0, 0.5, 0.0, 0.0]);
        assert_eq!(rewards(&[span(20, 20, 0.5)]), [0.0, 0.0, 0.0, 0.0, 0.5]);
        // Cut at one place, then in all.
        assert_eq!(rewards(&[span(0, 4, 0.75), span(0, 4, 0.75), span(8, 10, -0.5)]), [1.0, 0.0, 0.0, -0.5, 0.0]);
        assert_eq!(
            rewards(&[(0, 4), (4, 8), (8, 10), (10, 20)].map(|(a, b)| span(a, b, -1.0))),
            [-0.75, 0.0, -0.75, -0.75, -0.75]
        );
        assert_eq!(rewards(&[]), [0.0; 5]);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let error = |spans: &[SpanReward], tokens: &[Range<usize>]| per_token_rewards(spans, tokens).unwrap_err();
        assert_eq!(
            error(&[span(2, 6, 0.5)], std::slice::from_ref(&(0..4))),
            CreditError::NotCovered { start: 2, end: 6 }
        );
        assert_eq!(error(&[span(2, 6, 0.5)], &[0..3, 4..8]), CreditError::NotCovered { start: 2, end: 6 });
        assert_eq!(
            error(&[span(9, 9, 0.5)], std::slice::from_ref(&(0..4))),
            CreditError::NotCovered { start: 9, end: 9 }
        );
        assert_eq!(error(&[], &[0..4, 3..8]), CreditError::Unordered { index: 1 });
        assert_eq!(
            error(&[span(0, 1, f64::NAN)], std::slice::from_ref(&(0..4))),
            CreditError::NotFinite { start: 0, end: 1 }
        );
    }

    #[test]
    fn token_rewards_join_the_completions_own() {
        assert_eq!(with_scalar_at_end(2.0, &[0.5, -0.5, 0.25]), [0.5, -0.5, 2.25]);
        assert_eq!(with_scalar_at_end(2.0, &[]), [0.0; 0]);
        // Mean 0.25: 1 + (0.5 - 0.25), 1 + (0 - 0.25), ...
        assert_eq!(hybrid_advantages(1.0, &[0.5, 0.0, 0.5, 0.0], 1.0), [1.25, 0.75, 1.25, 0.75]);
        assert_eq!(hybrid_advantages(1.0, &[0.5, 0.0], 0.0), [1.0, 1.0]);
        assert_eq!(hybrid_advantages(-0.5, &[0.0; 2], 1.0), [-0.5, -0.5]);
    }

    proptest! {
        #[test]
        fn values_are_neither_lost_nor_multiplied_by_any_tokenizer(
            one in prop::collection::vec(0usize..6, 1..40),
            other in prop::collection::vec(0usize..6, 1..40),
            at in prop::collection::vec((any::<prop::sample::Index>(), 0usize..8, -0.1f64..0.1), 0..12),
        ) {
            let length = one.iter().sum::<usize>().min(other.iter().sum());
            prop_assume!(length > 0);
            // Two tokenizers of one text.
            let cut = |lengths: &[usize]| {
                let mut end = 0;
                let mut tokens: Vec<_> = lengths.iter().map(|&part| {
                    let start = end;
                    end = (end + part).min(length);
                    start..end
                }).collect();
                tokens.push(end..length);
                tokens
            };
            let spans: Vec<_> = at
                .iter()
                .map(|(start, size, value)| {
                    let start = start.index(length);
                    span(start, (start + size).min(length), *value)
                })
                .collect();
            let total: f64 = spans.iter().map(|span| span.value).sum();
            for tokens in [cut(&one), cut(&other)] {
                let rewards = per_token_rewards(&spans, &tokens).unwrap();
                prop_assert_eq!(rewards.len(), tokens.len());
                let sum: f64 = rewards.iter().map(|&reward| f64::from(reward)).sum();
                // Twelve values of a tenth can exceed the bound of one place.
                prop_assert!((sum - total).abs() < 1e-5 || rewards.iter().any(|reward| reward.abs() == 1.0), "{} {}", sum, total);
                prop_assert!(rewards.iter().all(|reward| reward.abs() <= 1.0));
            }
        }

        #[test]
        fn rewards_are_bounded(
            spans in prop::collection::vec((0usize..50, 1usize..50, -1e6f64..1e6), 0..60),
            parts in prop::collection::vec(0usize..5, 0..40),
        ) {
            let mut end = 0;
            let mut tokens: Vec<_> = parts.iter().map(|part| { let start = end; end += part; start..end }).collect();
            tokens.push(end..100.max(end));
            let spans: Vec<_> = spans.into_iter().map(|(start, size, value)| span(start, start + size, value)).collect();
            let rewards = per_token_rewards(&spans, &tokens).unwrap();
            prop_assert!(rewards.iter().all(|reward| reward.abs() <= 1.0));
            prop_assert!(rewards.iter().map(|&reward| f64::from(reward)).sum::<f64>().abs() <= 3.0 + 1e-5);
        }
    }
}
