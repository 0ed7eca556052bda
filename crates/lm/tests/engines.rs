//! What every engine owes to those who use it: the same checks on each engine of the build, through the interface alone.

mod expected;

use std::path::{Path, PathBuf};

use codeward_lm::{
    AdamW, AdapterConfig, Ends, EngineError, EngineOptions, LanguageModel, Linear, LoadError, Model, ModelConfig,
    Precision, Prompt, SamplingParams, Scores, Sequence, Upstream, ValueHead, open, start,
};
use expected::{Expected, GRADIENT_TOLERANCE, SCORE_TOLERANCE, accumulate, batch, relative_error};
use safetensors::SafeTensors;

/// The engines that multiply in single precision. Others are held to what they promise in tests of their own.
fn engines() -> Vec<&'static str> {
    let is_single = |name: &&str| *name != "libtorch-cuda" && !name.ends_with("-bf16");
    codeward_lm::engines().into_iter().filter(is_single).collect()
}

fn fixtures(kind: &str, case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(kind).join(case)
}

fn expected(folder: &Path) -> Expected {
    let text = std::fs::read_to_string(folder.join("expected.json")).expect("the fixture is committed");
    serde_json::from_str(&text).expect("the fixture is what the script writes")
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

fn adapter() -> AdapterConfig {
    AdapterConfig { rank: 3, alpha: 6.0, targets: [Linear::Query, Linear::Down].into(), ..AdapterConfig::default() }
}

fn tokens() -> Vec<Vec<u32>> {
    (0..4).map(|row| (0..12 + 5 * row).map(|i| (i * i * 7 + i * 13 + row * 29) % 90).collect()).collect()
}

fn sequences(tokens: &[Vec<u32>]) -> Vec<Sequence<'_>> {
    tokens.iter().enumerate().map(|(row, tokens)| Sequence { tokens, num_prompt: 1 + 3 * row }).collect()
}

/// Derivatives of every kind that the scores have, different for every token.
fn derivatives(scores: &Scores) -> Upstream {
    let vary = |rows: &[Vec<f32>], scale: f32| -> Vec<Vec<f32>> {
        let value = |i: usize, j: usize| scale * (((i * 5 + j * 3) % 7) as f32 - 2.5);
        rows.iter().enumerate().map(|(i, row)| (0..row.len()).map(|j| value(i, j)).collect()).collect()
    };
    Upstream {
        logprobs: vary(&scores.logprobs, 0.1),
        entropies: vary(&scores.entropies, -0.07),
        values: vary(&scores.values, 0.05),
    }
}

/// Some updates; all that a run would log of them.
fn train(model: &mut dyn LanguageModel, updates: usize) -> Vec<u32> {
    let tokens = tokens();
    let batch = sequences(&tokens);
    let mut seen = Vec::new();
    for _ in 0..updates {
        model.zero_gradients();
        let scores = model.accumulate(&batch, 0.9, &mut derivatives).expect("the engine works");
        let numbers = scores.logprobs.concat().into_iter().chain(scores.values.concat());
        seen.extend(numbers.map(f32::to_bits));
        let settings = AdamW { lr: 1e-2, weight_decay: 0.1, ..AdamW::default() };
        seen.push(model.step(&settings).expect("the engine works").to_bits());
    }
    seen
}

/// Every way of training.
fn ways(engine: &str) -> [EngineOptions; 4] {
    let way = |adapter: Option<AdapterConfig>, value_head| EngineOptions { adapter, value_head, seed: 4, ..on(engine) };
    [way(None, false), way(None, true), way(Some(adapter()), false), way(Some(adapter()), true)]
}

#[test]
fn scores_values_and_gradients_match_pytorch() {
    for engine in engines() {
        for (kind, case) in [("parity", "llama"), ("parity", "gemma3"), ("values", "qwen3"), ("values", "gemma3")] {
            let folder = fixtures(kind, case);
            let expected = expected(&folder);
            let mut model = Model::load(&fixtures("parity", case)).unwrap();
            let head = ValueHead::load(&folder, model.config().hidden_size).unwrap();
            assert_eq!(head.is_some(), kind == "values");
            let options = EngineOptions { value_head: head.is_some(), ..on(engine) };
            model = model.with_value_head(head);
            let names: Vec<String> = model.tensor_names().map(str::to_owned).collect();
            let mut model = start(model, &options).unwrap();
            let loss = accumulate(&mut *model, &expected);
            assert!((loss / expected.loss - 1.0).abs() < 1e-5, "{engine}, {kind}/{case}: {loss}");
            let scores = model.score(&batch(&expected), expected.temperature).unwrap();
            let mut worst = 0.0f64;
            for (index, sequence) in expected.sequences.iter().enumerate() {
                worst = worst.max(relative_error(&scores.logprobs[index], &sequence.logprobs));
                worst = worst.max(relative_error(&scores.entropies[index], &sequence.entropies));
                if kind == "values" {
                    worst = worst.max(relative_error(&scores.values[index], &sequence.values));
                }
            }
            assert!(worst < SCORE_TOLERANCE, "{engine}, {kind}/{case}: {worst:e}");
            let bytes = std::fs::read(folder.join("gradients.safetensors")).unwrap();
            let gradients = SafeTensors::deserialize(&bytes).unwrap();
            assert_eq!(gradients.len(), names.len() + if kind == "values" { 2 } else { 0 });
            for (name, wanted) in gradients.tensors() {
                let wanted: Vec<f64> =
                    wanted.data().as_chunks().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect();
                let got = model.gradient(&name).unwrap().unwrap();
                let error = relative_error(&got, &wanted);
                assert!(error < GRADIENT_TOLERANCE, "{engine}, {kind}/{case}, {name}: {error:e}");
            }
            let settings = AdamW::default();
            let norm = model.step(&settings).unwrap();
            assert!((f64::from(norm) / expected.norm - 1.0).abs() < 1e-5, "{engine}, {kind}/{case}: {norm}");
        }
    }
}

#[test]
fn greedy_completions_and_whole_distributions_match_pytorch() {
    for engine in engines() {
        for case in ["qwen2-window", "llama-biases", "gemma3"] {
            let folder = fixtures("parity", case);
            let expected = expected(&folder);
            let mut model = open(&folder, &on(engine)).unwrap();
            let params = SamplingParams { temperature: 0.0, max_new_tokens: 16, ..SamplingParams::default() };
            let prompt = Prompt { tokens: &expected.greedy.prompt, seed: 0 };
            let sampled = model.complete(&[prompt], &Ends::default(), &params).unwrap();
            assert_eq!(sampled[0].tokens, expected.greedy.completion, "{engine}, {case}");
            let text = &expected.sequences[1].tokens;
            let candidates: Vec<Vec<u32>> = (0..100).map(|token| [text.as_slice(), &[token]].concat()).collect();
            let batch: Vec<Sequence<'_>> =
                candidates.iter().map(|tokens| Sequence { tokens, num_prompt: text.len() }).collect();
            let got = model.score(&batch, 1.0).unwrap().logprobs.concat();
            let log_sum = expected.last_logits.iter().map(|logit| logit.exp()).sum::<f64>().ln();
            let wanted: Vec<f64> = expected.last_logits.iter().map(|logit| logit - log_sum).collect();
            let error = relative_error(&got, &wanted);
            assert!(error < SCORE_TOLERANCE, "{engine}, {case}: {error:e}");
        }
    }
}

#[test]
fn a_checkpoint_goes_on_to_the_bit() {
    // On cards some of libtorch's sums have no fixed order.
    for engine in engines().into_iter().filter(|name| !name.contains("cuda")) {
        for options in ways(engine) {
            let folder = tempfile::tempdir().unwrap();
            let fresh = || start(Model::init(config(), 3), &options).unwrap();
            let mut model = fresh();
            train(&mut *model, 3);
            model.save_checkpoint(folder.path()).unwrap();
            let there = model.weights_hash().unwrap();
            let expected = train(&mut *model, 3);
            let mut other = fresh();
            assert_ne!(other.weights_hash().unwrap(), there);
            other.load_checkpoint(folder.path()).unwrap();
            assert_eq!(other.weights_hash().unwrap(), there, "{options:?}");
            assert_eq!(train(&mut *other, 3), expected, "{options:?}");
            assert_eq!(other.weights_hash().unwrap(), model.weights_hash().unwrap());
            // Going back in place is the same.
            model.load_checkpoint(folder.path()).unwrap();
            assert_eq!(train(&mut *model, 3), expected, "{options:?}");
            // Weights are not there twice: beside an adapter they are not written.
            assert_eq!(folder.path().join("model.safetensors").exists(), options.adapter.is_none());
            assert_eq!(folder.path().join("value_head.safetensors").exists(), options.value_head);
        }
    }
}

#[test]
fn the_checkpoint_of_another_training_is_refused_and_changes_nothing() {
    for engine in engines() {
        let [weights, with_head, adapted, adapted_with_head] = ways(engine);
        let wider = AdapterConfig { rank: 4, ..adapter() };
        let fewer = AdapterConfig { targets: [Linear::Query].into(), ..adapter() };
        let louder = AdapterConfig { alpha: 7.0, ..adapter() };
        let with = |adapter| EngineOptions { adapter: Some(adapter), ..adapted.clone() };
        for (saved, opened, named) in [
            (&weights, &with_head, "no value head"),
            (&with_head, &weights, "all weights and a value head"),
            (&adapted, &with(wider), "rank 3"),
            (&adapted, &with(fewer), "on q_proj down_proj"),
            (&adapted, &with(louder), "factor 2"),
            (&adapted_with_head, &adapted, "and a value head"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let mut model = start(Model::init(config(), 3), saved).unwrap();
            train(&mut *model, 1);
            model.save_checkpoint(folder.path()).unwrap();
            let mut other = start(Model::init(config(), 3), opened).unwrap();
            let before = other.weights_hash().unwrap();
            let error = other.load_checkpoint(folder.path()).unwrap_err();
            assert!(matches!(error, EngineError::Load(LoadError::Foreign { .. })), "{error}");
            assert!(error.to_string().contains(named), "{error}");
            assert!(error.hint().is_some());
            assert_eq!(other.weights_hash().unwrap(), before);
        }
    }
}

#[test]
fn the_reference_is_the_model_as_it_was_opened() {
    for engine in engines() {
        for options in ways(engine) {
            let tokens = tokens();
            let batch = sequences(&tokens);
            let mut model =
                start(Model::init(config(), 3), &EngineOptions { reference: true, ..options.clone() }).unwrap();
            let at_first = model.score(&batch, 0.9).unwrap();
            train(&mut *model, 3);
            let reference = model.score_reference(&batch, 0.9).unwrap();
            assert_eq!((&reference.logprobs, &reference.entropies), (&at_first.logprobs, &at_first.entropies));
            assert!(reference.values.is_empty());
            assert_ne!(model.score(&batch, 0.9).unwrap().logprobs, at_first.logprobs);
        }
        let mut without = start(Model::init(config(), 3), &on(engine)).unwrap();
        let tokens = tokens();
        assert!(matches!(without.score_reference(&sequences(&tokens), 1.0), Err(EngineError::NoReference)));
    }
}

#[test]
fn what_is_sampled_is_scored_alike_and_handed_out_once() {
    for engine in engines() {
        for options in ways(engine) {
            let mut model = start(Model::init(config(), 3), &options).unwrap();
            // With fresh gradients at hand, and after updates: sampling sees the weights as they are.
            train(&mut *model, 2);
            let prompts = tokens();
            let rows: Vec<Prompt<'_>> =
                (0..20).map(|seed| Prompt { tokens: &prompts[seed as usize % 4][..9], seed }).collect();
            let params = SamplingParams { temperature: 1.1, max_new_tokens: 20, ..SamplingParams::default() };
            let ends = Ends::tokens(&[3, 5]);
            let sampled = model.complete(&rows, &ends, &params).unwrap();
            let mut handed_out = vec![0; rows.len()];
            model
                .generate(&rows, &ends, &params, &mut |index, row| {
                    handed_out[index] += 1;
                    assert_eq!(row, sampled[index]);
                })
                .unwrap();
            assert_eq!(handed_out, vec![1; rows.len()]);
            assert!(sampled.iter().any(|row| row.stopped) && sampled.iter().any(|row| !row.stopped));
            let texts: Vec<Vec<u32>> =
                rows.iter().zip(&sampled).map(|(row, sampled)| [row.tokens, &sampled.tokens].concat()).collect();
            let batch: Vec<Sequence<'_>> = texts.iter().map(|tokens| Sequence { tokens, num_prompt: 9 }).collect();
            let scores = model.score(&batch, 1.1).unwrap();
            for (row, scored) in sampled.iter().zip(&scores.logprobs) {
                assert_eq!(row.stopped, [3, 5].contains(row.tokens.last().unwrap()));
                for (got, wanted) in row.logprobs.iter().zip(scored) {
                    assert!((got - wanted).abs() < 1e-4, "{engine}: {got} against {wanted}");
                }
            }
        }
    }
}

#[test]
fn what_is_saved_opens_as_the_same_model() {
    for engine in engines() {
        for options in ways(engine) {
            let (merged, beside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let mut model = start(Model::init(config(), 3), &options).unwrap();
            train(&mut *model, 2);
            model.save_model(merged.path(), Precision::F32).unwrap();
            let plain = EngineOptions { value_head: options.value_head, ..on(engine) };
            let mut again = open(merged.path(), &plain).unwrap();
            let tokens = tokens();
            let (got, wanted) =
                (again.score(&sequences(&tokens), 1.0).unwrap(), model.score(&sequences(&tokens), 1.0).unwrap());
            let pairs = got.logprobs.concat().into_iter().zip(wanted.logprobs.concat());
            let values = got.values.concat().into_iter().zip(wanted.values.concat());
            assert_eq!(got.values.len(), wanted.values.len());
            for (got, wanted) in pairs.chain(values) {
                assert!((got - wanted).abs() < 1e-5, "{engine}: {got} against {wanted}");
            }
            match model.save_adapter(beside.path()) {
                Ok(()) => assert!(options.adapter.is_some() && beside.path().join("adapter_config.json").exists()),
                Err(error) => assert!(options.adapter.is_none() && matches!(error, EngineError::NoAdapter)),
            }
        }
    }
}

#[test]
fn a_fresh_value_head_says_zero_and_learns() {
    for engine in engines() {
        let options = EngineOptions { value_head: true, ..on(engine) };
        let mut model = start(Model::init(config(), 3), &options).unwrap();
        let tokens = tokens();
        let batch = sequences(&tokens);
        let scores = model.score(&batch, 1.0).unwrap();
        assert!(scores.values.concat().iter().all(|value| *value == 0.0));
        // Half the square of the distance to one, with nothing else in the loss.
        for _ in 0..60 {
            model.zero_gradients();
            let mut upstream = |scores: &Scores| Upstream {
                logprobs: scores.logprobs.iter().map(|row| vec![0.0; row.len()]).collect(),
                values: scores.values.iter().map(|row| row.iter().map(|value| value - 1.0).collect()).collect(),
                ..Upstream::default()
            };
            model.accumulate(&batch, 1.0, &mut upstream).unwrap();
            model.step(&AdamW { lr: 2e-2, ..AdamW::default() }).unwrap();
        }
        let values = model.score(&batch, 1.0).unwrap().values.concat();
        assert!(values.iter().all(|value| (value - 1.0).abs() < 0.1), "{values:?}");
    }
}

#[test]
fn an_unknown_engine_is_named_with_those_that_are_known() {
    let error = start(Model::init(config(), 3), &on("abacus")).err().unwrap();
    assert_eq!(error.to_string(), format!("there is no engine \"abacus\", only {:?}", codeward_lm::engines()));
    assert!(error.hint().is_some());
}
