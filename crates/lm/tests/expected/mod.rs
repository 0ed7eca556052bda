//! What PyTorch computed with a fixture, and how near to it we have to be.

use codeward_lm::{LanguageModel, Scores, Sequence, Upstream};
use serde::Deserialize;

/// The furthest that scores may be from those of PyTorch, relative to their length.
pub(crate) const SCORE_TOLERANCE: f64 = 5e-6;
/// The furthest that a tensor's gradient may be, relative to its length.
pub(crate) const GRADIENT_TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
pub(crate) struct Expected {
    pub(crate) temperature: f32,
    pub(crate) sequences: Vec<ExpectedSequence>,
    pub(crate) loss: f64,
    pub(crate) norm: f64,
    pub(crate) greedy: Greedy,
    /// Of the last position, where the script has written them.
    #[serde(default)]
    pub(crate) last_logits: Vec<f64>,
}

#[derive(Deserialize)]
pub(crate) struct ExpectedSequence {
    pub(crate) num_prompt: usize,
    pub(crate) tokens: Vec<u32>,
    pub(crate) logprobs: Vec<f64>,
    pub(crate) entropies: Vec<f64>,
    pub(crate) d_logprobs: Vec<f32>,
    pub(crate) d_entropies: Vec<f32>,
    /// Where there is a value head.
    #[serde(default)]
    pub(crate) values: Vec<f64>,
    #[serde(default)]
    pub(crate) d_values: Vec<f32>,
}

impl Expected {
    /// The derivatives of the loss.
    pub(crate) fn upstream(&self) -> Upstream {
        let rows =
            |rows: fn(&ExpectedSequence) -> &Vec<f32>| self.sequences.iter().map(|row| rows(row).clone()).collect();
        let has_values = self.sequences.iter().all(|row| row.values.len() == row.logprobs.len());
        Upstream {
            logprobs: rows(|row| &row.d_logprobs),
            entropies: rows(|row| &row.d_entropies),
            values: if has_values { rows(|row| &row.d_values) } else { Vec::new() },
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Greedy {
    pub(crate) prompt: Vec<u32>,
    pub(crate) completion: Vec<u32>,
}

/// Runs the fixture's batch forth and back, and gives the loss of which it holds the derivatives.
pub(crate) fn accumulate(model: &mut dyn LanguageModel, expected: &Expected) -> f64 {
    let mut loss = 0.0;
    let mut upstream = |scores: &Scores| {
        let inner = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        for (index, sequence) in expected.sequences.iter().enumerate() {
            loss += inner(&scores.logprobs[index], &sequence.d_logprobs);
            loss += inner(&scores.entropies[index], &sequence.d_entropies);
            loss += scores.values.get(index).map_or(0.0, |values| inner(values, &sequence.d_values));
        }
        expected.upstream()
    };
    model.accumulate(&batch(expected), expected.temperature, &mut upstream).expect("the engine works");
    loss
}

pub(crate) fn batch(expected: &Expected) -> Vec<Sequence<'_>> {
    let sequences = expected.sequences.iter();
    sequences.map(|sequence| Sequence { tokens: &sequence.tokens, num_prompt: sequence.num_prompt }).collect()
}

/// The length of the difference over the length of what was expected.
pub(crate) fn relative_error(got: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let difference = square(&mut got.iter().zip(expected).map(|(a, b)| f64::from(*a) - b));
    difference / square(&mut expected.iter().copied())
}
