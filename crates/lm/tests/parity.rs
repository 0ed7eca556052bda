//! Agreement with PyTorch: a tiny checkpoint and what `transformers` computes with it in double precision.
//!
//! `fixtures/make_parity.py` makes the fixture.

use std::path::{Path, PathBuf};

use codeward_lm::{Model, Precision, Prompt, SamplingParams, Sequence, Trainer, Upstream, generate, score};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Expected {
    temperature: f32,
    sequences: Vec<ExpectedSequence>,
    loss: f64,
    norm: f64,
    gradients: BTreeMap<String, Vec<f64>>,
    greedy: Greedy,
    last_logits: Vec<f64>,
}

#[derive(Deserialize)]
struct ExpectedSequence {
    num_prompt: usize,
    tokens: Vec<u32>,
    logprobs: Vec<f64>,
    entropies: Vec<f64>,
    d_logprobs: Vec<f32>,
    d_entropies: Vec<f32>,
}

#[derive(Deserialize)]
struct Greedy {
    prompt: Vec<u32>,
    completion: Vec<u32>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity")
}

fn expected() -> Expected {
    let text = std::fs::read_to_string(folder().join("expected.json")).expect("the fixture is committed");
    serde_json::from_str(&text).expect("the fixture is what the script writes")
}

fn batch(expected: &Expected) -> Vec<Sequence<'_>> {
    let sequences = expected.sequences.iter();
    sequences.map(|sequence| Sequence { tokens: &sequence.tokens, num_prompt: sequence.num_prompt }).collect()
}

/// The length of the difference over the length of what was expected.
fn relative_error(got: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let difference = square(&mut got.iter().zip(expected).map(|(a, b)| f64::from(*a) - b));
    difference / square(&mut expected.iter().copied())
}

#[test]
fn scores_match_pytorch() {
    let expected = expected();
    let model = Model::load(&folder()).unwrap();
    let scores = score(&model, &batch(&expected), expected.temperature);
    let mut worst = 0.0f64;
    for (index, sequence) in expected.sequences.iter().enumerate() {
        worst = worst.max(relative_error(&scores.logprobs[index], &sequence.logprobs));
        worst = worst.max(relative_error(&scores.entropies[index], &sequence.entropies));
    }
    println!("worst relative error of scores: {worst:e}");
    assert!(worst < 5e-6, "{worst:e}");
}

#[test]
fn the_whole_distribution_matches_pytorch() {
    let expected = expected();
    let model = Model::load(&folder()).unwrap();
    let text = &expected.sequences[1].tokens;
    let candidates: Vec<Vec<u32>> = (0..100).map(|token| [text.as_slice(), &[token]].concat()).collect();
    let batch: Vec<Sequence<'_>> =
        candidates.iter().map(|tokens| Sequence { tokens, num_prompt: text.len() }).collect();
    let got: Vec<f32> = score(&model, &batch, 1.0).logprobs.concat();
    let log_sum = expected.last_logits.iter().map(|z| z.exp()).sum::<f64>().ln();
    let wanted: Vec<f64> = expected.last_logits.iter().map(|z| z - log_sum).collect();
    let error = relative_error(&got, &wanted);
    assert!(error < 5e-6, "{error:e}");
}

#[test]
fn gradients_match_pytorch() {
    let expected = expected();
    let mut trainer = Trainer::new(Model::load(&folder()).unwrap());
    let mut loss = 0.0;
    trainer.accumulate(&batch(&expected), expected.temperature, |scores| {
        let inner = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        for (index, sequence) in expected.sequences.iter().enumerate() {
            loss += inner(&scores.logprobs[index], &sequence.d_logprobs);
            loss += inner(&scores.entropies[index], &sequence.d_entropies);
        }
        Upstream {
            logprobs: expected.sequences.iter().map(|sequence| sequence.d_logprobs.clone()).collect(),
            entropies: expected.sequences.iter().map(|sequence| sequence.d_entropies.clone()).collect(),
        }
    });
    assert!((loss / expected.loss - 1.0).abs() < 1e-5, "{loss} against {}", expected.loss);
    assert!((f64::from(trainer.gradient_norm()) / expected.norm - 1.0).abs() < 1e-5);
    let mut worst = 0.0f64;
    for (name, wanted) in &expected.gradients {
        let error = relative_error(trainer.gradient(name).unwrap(), wanted);
        assert!(error < 1e-5, "{name}: {error:e}");
        worst = worst.max(error);
    }
    println!("worst relative error of a gradient: {worst:e}");
}

#[test]
fn greedy_completion_matches_pytorch() {
    let expected = expected();
    let model = Model::load(&folder()).unwrap();
    let params = SamplingParams { temperature: 0.0, max_new_tokens: 16, ..SamplingParams::default() };
    let prompt = Prompt { tokens: &expected.greedy.prompt, seed: 0 };
    let sampled = &generate(&model, &[prompt], u32::MAX, &params)[0];
    assert_eq!(sampled.tokens, expected.greedy.completion);
}

#[test]
fn a_checkpoint_of_transformers_survives_a_round_trip() {
    let copy = tempfile::tempdir().unwrap();
    let model = Model::load(&folder()).unwrap();
    assert_eq!(model.config().rope_theta, 5000.0);
    model.save(copy.path(), Precision::F32).unwrap();
    let again = Model::load(copy.path()).unwrap();
    assert_eq!(again.config(), model.config());
    assert_eq!(again.weights_hash(), model.weights_hash());
}
