//! The engine of libtorch beside the processor's own. Built with `--features libtorch` only.
#![cfg(feature = "libtorch")]
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

mod agreement;

use std::path::Path;

use agreement::is_rounded;
use codeward_lm::{
    AdamW, AdapterConfig, Ends, EngineError, EngineOptions, LanguageModel, Model, ModelConfig, Prompt, SamplingParams,
    Scores, Sequence, Tokenizer, Upstream, engines, start,
};

fn fixtures() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"))
}

fn ours() -> Vec<&'static str> {
    let found: Vec<&str> = engines().into_iter().filter(|name| name.starts_with("libtorch")).collect();
    assert!(found.contains(&"libtorch-cpu"), "{found:?}");
    found
}

fn on(engine: &str) -> EngineOptions {
    EngineOptions { engine: engine.to_owned(), ..EngineOptions::default() }
}

fn config() -> ModelConfig {
    ModelConfig {
        hidden_size: 40,
        intermediate_size: 56,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 10,
        vocab_size: 90,
        max_position_embeddings: 128,
        ..ModelConfig::tiny()
    }
}

#[test]
fn scores_gradients_updates_and_samples_are_those_of_the_processors_engine() {
    for engine in ours() {
        let distances = agreement::distances(fixtures(), engine);
        assert_eq!(distances.len(), 6 * (3 * 7 + 4 * 2 + 1));
        for distance in &distances {
            println!("{engine}, {}: {:e}, up to {:e}", distance.what, distance.found, distance.limit);
        }
        for distance in &distances {
            assert!(
                distance.is_fine(),
                "{engine}, {}: {:e}, up to {:e}",
                distance.what,
                distance.found,
                distance.limit
            );
        }
    }
}

/// Derivatives of log-probabilities alone.
fn towards(scores: &Scores) -> Upstream {
    Upstream { logprobs: scores.logprobs.iter().map(|row| vec![-0.1; row.len()]).collect(), ..Upstream::default() }
}

fn train(model: &mut dyn LanguageModel, updates: usize) -> Vec<f32> {
    let tokens: Vec<Vec<u32>> =
        (0..6).map(|row| (0..3 + 7 * row).map(|i| (i * i * 7 + i * 13 + row * 29) % 90).collect()).collect();
    let batch: Vec<Sequence<'_>> = tokens.iter().map(|tokens| Sequence { tokens, num_prompt: 1 }).collect();
    let mut norms = Vec::new();
    for _ in 0..updates {
        model.zero_gradients();
        model.accumulate(&batch, 1.0, &mut towards).unwrap();
        norms.push(model.step(&AdamW { lr: 1e-3, ..AdamW::default() }).unwrap());
    }
    norms
}

#[test]
fn a_run_goes_on_under_the_other_engine() {
    for engine in ours().into_iter().filter(|engine| !is_rounded(engine)) {
        for adapter in [None, Some(AdapterConfig { rank: 3, ..AdapterConfig::default() })] {
            for (first, second) in [("cpu", engine), (engine, "cpu")] {
                let options = |engine| EngineOptions { adapter: adapter.clone(), value_head: true, ..on(engine) };
                let folder = tempfile::tempdir().unwrap();
                let mut begun = start(Model::init(config(), 3), &options(first)).unwrap();
                train(&mut *begun, 3);
                begun.save_checkpoint(folder.path()).unwrap();
                let mut other = start(Model::init(config(), 3), &options(second)).unwrap();
                other.load_checkpoint(folder.path()).unwrap();
                assert_eq!(other.weights_hash().unwrap(), begun.weights_hash().unwrap());
                for (got, wanted) in train(&mut *other, 4).iter().zip(train(&mut *begun, 4)) {
                    assert!((got / wanted - 1.0).abs() < 1e-3, "{first} to {second}: {got} {wanted}");
                }
            }
        }
    }
}

#[test]
fn more_prompts_than_there_is_room_for_take_turns() {
    for engine in ours().into_iter().filter(|engine| !is_rounded(engine)) {
        let text: Vec<u32> = (0..60).map(|i| (i * 17 + 5) % 90).collect();
        let prompts: Vec<Prompt<'_>> =
            (0..600).map(|row| Prompt { tokens: &text[row as usize % 7..][..=row as usize % 11], seed: row }).collect();
        let params = SamplingParams { max_new_tokens: 9, ..SamplingParams::default() };
        let ends = Ends::tokens(&[1, 2, 3, 4, 5, 6, 7, 8]);
        let complete = |engine: &str| {
            let mut model = start(Model::init(config(), 3), &on(engine)).unwrap();
            model.complete(&prompts, &ends, &params).unwrap()
        };
        let (wanted, got) = (complete("cpu"), complete(engine));
        assert!(wanted.iter().any(|row| row.stopped) && wanted.iter().any(|row| !row.stopped));
        let num_other = wanted.iter().zip(&got).filter(|(wanted, got)| wanted.tokens != got.tokens).count();
        assert!(num_other < 12, "{engine}: {num_other} of 600 differ");
    }
}

#[test]
fn completions_end_at_the_models_last_position_and_at_stop_strings() {
    for engine in ours() {
        let mut model = start(Model::init(config(), 3), &on(engine)).unwrap();
        let text: Vec<u32> = (0..128).map(|i| (i * 17 + 5) % 90).collect();
        let lengths = [1, 120, 127, 128];
        let prompts = lengths.map(|length| Prompt { tokens: &text[..length], seed: 1 });
        let params = SamplingParams { max_new_tokens: 20, ..SamplingParams::default() };
        let sampled = model.complete(&prompts, &Ends::default(), &params).unwrap();
        let drawn: Vec<usize> = sampled.iter().map(|row| row.tokens.len()).collect();
        assert_eq!(drawn, [20, 8, 1, 0], "{engine}");
        assert_eq!(model.complete(&[], &Ends::default(), &params).unwrap(), []);
    }
    // Without merges every byte is a token.
    let tokenizer = Tokenizer::train_bpe(std::iter::empty(), 257).unwrap();
    let config = ModelConfig { vocab_size: tokenizer.vocab_size(), ..config() };
    let stop: Vec<String> = ["a", "e", "q", "z"].map(str::to_owned).to_vec();
    let ends = Ends::new(&tokenizer, &stop);
    let tokens = tokenizer.encode("def f(x):\n");
    let prompts: Vec<Prompt<'_>> = (0..20).map(|seed| Prompt { tokens: &tokens, seed }).collect();
    let params = SamplingParams { max_new_tokens: 60, min_new_tokens: 4, ..SamplingParams::default() };
    for engine in ours() {
        let mut model = start(Model::init(config.clone(), 3), &on(engine)).unwrap();
        let sampled = model.complete(&prompts, &ends, &params).unwrap();
        assert!(sampled.iter().any(|row| row.text_end.is_some()), "{engine}");
        for row in sampled {
            let whole = tokenizer.decode(&row.tokens);
            match row.text_end {
                Some(at) => assert!(row.stopped && stop.iter().any(|string| whole[at..].starts_with(string.as_str()))),
                None => assert!(row.stopped || row.tokens.len() == 60),
            }
            assert!(row.tokens.len() >= 4);
        }
    }
}

#[test]
fn batches_without_anything_to_score_change_nothing() {
    for engine in ours() {
        let mut model = start(Model::init(config(), 3), &on(engine)).unwrap();
        let batch = [Sequence { tokens: &[4, 5, 6], num_prompt: 3 }, Sequence { tokens: &[7], num_prompt: 1 }];
        let scores = model.score(&batch, 1.0).unwrap();
        assert_eq!(scores.logprobs, [Vec::<f32>::new(), Vec::new()]);
        let upstream = |scores: &Scores| Upstream { logprobs: scores.logprobs.clone(), ..Upstream::default() };
        model.accumulate(&batch, 1.0, &mut { upstream }).unwrap();
        assert_eq!(model.step(&AdamW::default()).unwrap(), 0.0);
        assert_eq!(model.score(&[], 1.0).unwrap(), Scores::default());
    }
}

#[test]
fn a_card_that_is_not_there_is_named() {
    let result = start(Model::init(config(), 3), &on("libtorch-cuda"));
    match result {
        Ok(_) => assert!(engines().contains(&"libtorch-cuda")),
        Err(error) => {
            assert!(!engines().contains(&"libtorch-cuda"));
            assert!(
                matches!(error, EngineError::Device { .. }) && error.to_string().contains("graphics card"),
                "{error}"
            );
        }
    }
}
