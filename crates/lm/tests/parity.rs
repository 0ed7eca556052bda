//! Agreement with PyTorch: tiny checkpoints and what `transformers` computes with them in double precision.
//!
//! `fixtures/make_parity.py` makes the fixtures. Each differs from the others in more than its family: see the script.

mod expected;

use std::path::{Path, PathBuf};

use codeward_lm::{Family, Model, Precision, Prompt, SamplingParams, Sequence, Trainer, generate, score};
use expected::{Expected, GRADIENT_TOLERANCE, SCORE_TOLERANCE, accumulate, batch, relative_error};
use safetensors::SafeTensors;
use serde::Deserialize;

/// Every fixture: its folder, its family, and the number of its tensors.
const CASES: [(&str, Family, usize); 6] = [
    ("qwen2", Family::Qwen2, 26),
    ("qwen2-window", Family::Qwen2, 27),
    ("llama", Family::Llama, 21),
    ("llama-biases", Family::Llama, 34),
    ("qwen3", Family::Qwen3, 25),
    ("gemma3", Family::Gemma3, 41),
];

fn folder(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity").join(case)
}

/// The checkpoint of a fixture, and what is expected of it.
fn fixture(case: &str) -> (Model, Expected) {
    let text = std::fs::read_to_string(folder(case).join("expected.json")).expect("the fixture is committed");
    let expected = serde_json::from_str(&text).expect("the fixture is what the script writes");
    (Model::load(&folder(case)).expect("the fixture is a checkpoint"), expected)
}

#[test]
fn fixtures_are_of_the_families_they_stand_for() {
    for (case, family, num_tensors) in CASES {
        let (model, _) = fixture(case);
        assert_eq!((model.config().family, model.tensor_names().count()), (family, num_tensors), "{case}");
    }
    let (gemma, _) = fixture("gemma3");
    let window = gemma.config().sliding_window.as_ref().unwrap();
    assert_eq!((window.length, window.layers.as_slice()), (6, [true, false, true].as_slice()));
}

#[test]
fn scores_match_pytorch() {
    for (case, ..) in CASES {
        let (model, expected) = fixture(case);
        let scores = score(&model, &batch(&expected), expected.temperature);
        let mut worst = 0.0f64;
        for (index, sequence) in expected.sequences.iter().enumerate() {
            worst = worst.max(relative_error(&scores.logprobs[index], &sequence.logprobs));
            worst = worst.max(relative_error(&scores.entropies[index], &sequence.entropies));
        }
        println!("{case}: worst relative error of scores: {worst:e}");
        assert!(worst < SCORE_TOLERANCE, "{case}: {worst:e}");
    }
}

#[test]
fn the_whole_distribution_matches_pytorch() {
    for (case, ..) in CASES {
        let (model, expected) = fixture(case);
        let text = &expected.sequences[1].tokens;
        let candidates: Vec<Vec<u32>> = (0..100).map(|token| [text.as_slice(), &[token]].concat()).collect();
        let batch: Vec<Sequence<'_>> =
            candidates.iter().map(|tokens| Sequence { tokens, num_prompt: text.len() }).collect();
        let got: Vec<f32> = score(&model, &batch, 1.0).logprobs.concat();
        let log_sum = expected.last_logits.iter().map(|z| z.exp()).sum::<f64>().ln();
        let wanted: Vec<f64> = expected.last_logits.iter().map(|z| z - log_sum).collect();
        let error = relative_error(&got, &wanted);
        assert!(error < SCORE_TOLERANCE, "{case}: {error:e}");
    }
}

#[test]
fn every_gradient_matches_pytorch() {
    for (case, ..) in CASES {
        let (model, expected) = fixture(case);
        let mut trainer = Trainer::new(model);
        let loss = accumulate(&mut trainer, &expected);
        assert!((loss / expected.loss - 1.0).abs() < 1e-5, "{case}: {loss} against {}", expected.loss);
        assert!((f64::from(trainer.gradient_norm()) / expected.norm - 1.0).abs() < 1e-5, "{case}");
        let bytes = std::fs::read(folder(case).join("gradients.safetensors")).unwrap();
        let gradients = SafeTensors::deserialize(&bytes).unwrap();
        let mut worst = (0.0f64, String::new());
        for name in trainer.model().tensor_names() {
            let wanted = gradients.tensor(name).unwrap();
            let wanted: Vec<f64> =
                wanted.data().as_chunks().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect();
            let error = relative_error(trainer.gradient(name).unwrap(), &wanted);
            if error.is_nan() || error > worst.0 {
                worst = (error, name.to_owned());
            }
        }
        println!("{case}: worst relative error of a gradient: {:e} ({})", worst.0, worst.1);
        assert!(worst.0 < GRADIENT_TOLERANCE, "{case}: {worst:?}");
    }
}

#[test]
fn greedy_completions_match_pytorch() {
    for (case, ..) in CASES {
        let (model, expected) = fixture(case);
        let params = SamplingParams { temperature: 0.0, max_new_tokens: 16, ..SamplingParams::default() };
        let prompt = Prompt { tokens: &expected.greedy.prompt, seed: 0 };
        let sampled = &generate(&model, &[prompt], u32::MAX, &params)[0];
        assert_eq!(sampled.tokens, expected.greedy.completion, "{case}");
    }
}

#[test]
fn sampled_logprobs_match_a_scoring_pass() {
    for (case, ..) in CASES {
        let (model, expected) = fixture(case);
        // A prompt longer than any window, and one shorter; 40 tokens cross every window.
        let prompts = [&expected.sequences[1].tokens, &expected.sequences[2].tokens];
        let rows: Vec<Prompt<'_>> = (0..6).map(|seed| Prompt { tokens: prompts[seed as usize % 2], seed }).collect();
        let params = SamplingParams { max_new_tokens: 40, ..SamplingParams::default() };
        for (row, sampled) in rows.iter().zip(generate(&model, &rows, u32::MAX, &params)) {
            let tokens = [row.tokens, &sampled.tokens].concat();
            let sequence = Sequence { tokens: &tokens, num_prompt: row.tokens.len() };
            let scored = score(&model, &[sequence], params.temperature).logprobs.remove(0);
            assert_eq!(sampled.logprobs.len(), 40, "{case}");
            for (got, wanted) in sampled.logprobs.iter().zip(scored) {
                assert!((got - wanted).abs() < 1e-4, "{case}: {got} against {wanted}");
            }
        }
    }
}

#[test]
fn checkpoints_of_transformers_survive_a_round_trip() {
    for (case, ..) in CASES {
        let copy = tempfile::tempdir().unwrap();
        let (model, _) = fixture(case);
        model.save(copy.path(), Precision::F32).unwrap();
        let again = Model::load(copy.path()).unwrap();
        assert_eq!(again.config(), model.config(), "{case}");
        assert_eq!(again.weights_hash(), model.weights_hash(), "{case}");
    }
}

#[derive(Deserialize)]
struct PublishedCompletion {
    prompt: Vec<u32>,
    completion: Vec<u32>,
    logprobs: Vec<f32>,
}

/// Compares with what `fixtures/make_completions.py` wrote beside the checkpoint.
#[test]
#[ignore = "needs CODEWARD_CHECKPOINT, the folder of a published checkpoint"]
fn a_published_checkpoint_completes_as_in_transformers() {
    let folder = PathBuf::from(std::env::var("CODEWARD_CHECKPOINT").unwrap());
    let text = std::fs::read_to_string(folder.join("completions.json")).unwrap();
    let expected: Vec<PublishedCompletion> = serde_json::from_str(&text).unwrap();
    let model = Model::load(&folder).unwrap();
    let length = expected[0].completion.len();
    let params = SamplingParams { temperature: 0.0, max_new_tokens: length, ..SamplingParams::default() };
    let prompts: Vec<Prompt<'_>> = expected.iter().map(|row| Prompt { tokens: &row.prompt, seed: 0 }).collect();
    let sampled = generate(&model, &prompts, u32::MAX, &params);
    let texts: Vec<Vec<u32>> = expected.iter().map(|row| [row.prompt.as_slice(), &row.completion].concat()).collect();
    let batch: Vec<Sequence<'_>> =
        texts.iter().zip(&expected).map(|(tokens, row)| Sequence { tokens, num_prompt: row.prompt.len() }).collect();
    let scores = score(&model, &batch, 1.0);
    let (mut equal, mut worst) = (0, 0.0f32);
    for ((row, sampled), scored) in expected.iter().zip(&sampled).zip(&scores.logprobs) {
        equal += usize::from(row.completion == sampled.tokens);
        for (got, wanted) in scored.iter().zip(&row.logprobs) {
            worst = worst.max((got - wanted).abs());
        }
    }
    println!("{equal} of {} completions are equal; largest difference of a log-probability: {worst:e}", expected.len());
    assert_eq!(equal, expected.len());
    assert!(worst < 1e-3, "{worst}");
}

/// Writes what `fixtures/check_exports.py` reads.
#[test]
#[ignore = "the other half of the check needs Python: see fixtures/check_exports.py"]
fn exports_for_transformers() {
    let exports = Path::new(env!("CARGO_TARGET_TMPDIR")).join("exports");
    for (case, ..) in CASES {
        fixture(case).0.save(&exports.join(case), Precision::F32).unwrap();
    }
    println!("exports are in {}", exports.display());
}
