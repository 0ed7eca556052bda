//! Gradients of a minibatch, piece by piece: the memory of a backward pass follows the piece, the sum is that of the whole.

use std::ops::Range;

use codeward_lm::{EngineError, LanguageModel, Scores, Sequence, Upstream};

/// Ranges of consecutive sequences with at most so many tokens each; a longer sequence is alone. Zero is no limit.
fn pieces(batch: &[Sequence<'_>], most_tokens: usize) -> Vec<Range<usize>> {
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let mut tokens = 0;
    for (at, sequence) in batch.iter().enumerate() {
        tokens += sequence.tokens.len();
        match pieces.last_mut() {
            Some(piece) if most_tokens == 0 || tokens <= most_tokens => piece.end = at + 1,
            _ => {
                tokens = sequence.tokens.len();
                pieces.push(at..at + 1);
            }
        }
    }
    pieces
}

/// Adds the gradient of a loss over a batch, at most `most_tokens` tokens at a time. `upstream` is asked for the derivatives of
/// each piece, given which sequences it is and, with a reference, its scores by that.
pub(crate) fn accumulate(
    policy: &mut dyn LanguageModel,
    batch: &[Sequence<'_>],
    temperature: f32,
    most_tokens: usize,
    with_reference: bool,
    mut upstream: impl FnMut(Range<usize>, &Scores, Option<&Scores>) -> Upstream,
) -> Result<(), EngineError> {
    for piece in pieces(batch, most_tokens) {
        let sequences = &batch[piece.clone()];
        let reference = with_reference.then(|| policy.score_reference(sequences, temperature)).transpose()?;
        policy.accumulate(sequences, temperature, &mut |scores| upstream(piece.clone(), scores, reference.as_ref()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use codeward_lm::{EngineOptions, Model, ModelConfig, start};

    use super::*;

    /// Where each piece ends.
    fn cut(lengths: &[usize], most_tokens: usize) -> Vec<usize> {
        let tokens = vec![0; 100];
        let batch: Vec<Sequence<'_>> =
            lengths.iter().map(|length| Sequence { tokens: &tokens[..*length], num_prompt: 1 }).collect();
        let pieces = pieces(&batch, most_tokens);
        assert!(
            pieces.windows(2).all(|pair| pair[0].end == pair[1].start) && pieces.iter().all(|piece| !piece.is_empty())
        );
        pieces.into_iter().map(|piece| piece.end).collect()
    }

    #[test]
    fn pieces_are_as_large_as_the_limit_lets_them() {
        assert_eq!(cut(&[3, 4, 5, 6], 0), [4]);
        assert_eq!(cut(&[3, 4, 5, 6], 7), [2, 3, 4]);
        assert_eq!(cut(&[3, 4, 5, 6], 18), [4]);
        assert_eq!(cut(&[9, 1, 1, 9, 1], 3), [1, 3, 4, 5]);
        assert_eq!(cut(&[], 3), [0; 0]);
    }

    /// Sums of the same products in another order: single precision leaves about 1e-6 of the norm.
    #[test]
    fn the_gradient_in_pieces_is_that_of_the_whole() {
        let config = ModelConfig {
            hidden_size: 32,
            intermediate_size: 48,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            num_key_value_heads: 1,
            head_dim: 16,
            vocab_size: 40,
            max_position_embeddings: 32,
            ..ModelConfig::tiny()
        };
        let model = Model::init(config, 5);
        let names: Vec<String> = model.tensor_names().map(str::to_owned).collect();
        let texts: Vec<Vec<u32>> = (0..7).map(|row| (0..6 + row).map(|i| (i * i + row * 11) % 40).collect()).collect();
        let batch: Vec<Sequence<'_>> = texts.iter().map(|tokens| Sequence { tokens, num_prompt: 2 }).collect();
        let gradients = |most_tokens: usize| {
            let options = EngineOptions { reference: true, ..EngineOptions::default() };
            let mut policy = start(model.clone(), &options).unwrap();
            let mut seen = Vec::new();
            accumulate(&mut *policy, &batch, 0.9, most_tokens, true, |piece, scores, reference| {
                assert_eq!(reference.unwrap().logprobs, scores.logprobs);
                seen.extend(piece.clone());
                let slope = |at: usize, row: &Vec<f32>| row.iter().map(|logprob| logprob * at as f32 * 0.01).collect();
                let logprobs = piece.zip(&scores.logprobs).map(|(at, row)| slope(at + 1, row)).collect();
                Upstream { logprobs, ..Upstream::default() }
            })
            .unwrap();
            assert_eq!(seen, (0..7).collect::<Vec<_>>());
            names.iter().flat_map(|name| policy.gradient(name).unwrap().unwrap()).collect::<Vec<f32>>()
        };
        let whole = gradients(0);
        let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        for most_tokens in [1, 10, 20, 1000] {
            let pieces = gradients(most_tokens);
            let difference = norm(&mut pieces.iter().zip(&whole).map(|(a, b)| a - b));
            assert!(difference < 2e-6 * norm(&mut whole.iter().copied()), "{most_tokens}: {difference:e}");
        }
    }
}
