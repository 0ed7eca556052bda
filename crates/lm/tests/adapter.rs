//! Low-rank adapters: agreement with PEFT and PyTorch, training beside frozen weights, files.
//!
//! `fixtures/make_parity.py` makes the fixtures, with PEFT on the checkpoints of `tests/parity.rs`.

#[expect(dead_code, reason = "the logits of the last position stand in the fixtures of checkpoints alone")]
mod expected;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use codeward_lm::{
    AdamW, Adapter, AdapterConfig, ConfigError, Family, Linear, LoadError, Model, ModelConfig, Precision, Prompt,
    SamplingParams, Scores, Sequence, Trainer, Upstream, generate, score,
};
use expected::{Expected, GRADIENT_TOLERANCE, SCORE_TOLERANCE, accumulate, batch, relative_error};
use safetensors::SafeTensors;

/// Every fixture: its folder, that of its checkpoint, its factor, and the number of its tensors.
const CASES: [(&str, &str, f32, usize); 4] = [
    ("llama", "llama", 3.0, 28),
    ("qwen2-some", "qwen2", 3.0, 12),
    ("qwen3-stabilized", "qwen3", std::f32::consts::SQRT_2, 28),
    ("gemma3", "gemma3", 2.0, 42),
];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn base(name: &str) -> Model {
    Model::load(&fixtures().join("parity").join(name)).expect("the fixture is a checkpoint")
}

/// The checkpoint of a fixture with its adapter, and what is expected of them.
fn fixture(case: &str, checkpoint: &str) -> (Model, Expected) {
    let folder = fixtures().join("adapters").join(case);
    let text = std::fs::read_to_string(folder.join("expected.json")).expect("the fixture is committed");
    let expected = serde_json::from_str(&text).expect("the fixture is what the script writes");
    let model = base(checkpoint);
    let adapter = Adapter::load(&folder, model.config()).expect("the fixture is an adapter");
    (model.with_adapter(adapter), expected)
}

/// The largest difference between two batches of scores.
fn largest_difference(a: &Scores, b: &Scores) -> f32 {
    let pairs = |a: &[Vec<f32>], b: &[Vec<f32>]| {
        a.iter().flatten().zip(b.iter().flatten()).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
    };
    pairs(&a.logprobs, &b.logprobs).max(pairs(&a.entropies, &b.entropies))
}

#[test]
fn scores_match_peft() {
    for (case, checkpoint, scale, num_tensors) in CASES {
        let (model, expected) = fixture(case, checkpoint);
        let adapter = model.adapter().unwrap();
        assert_eq!((adapter.config().scale(), adapter.tensor_names().count()), (scale, num_tensors), "{case}");
        assert_eq!(adapter.config().base_model.as_deref(), Some(checkpoint));
        let scores = score(&model, &batch(&expected), expected.temperature);
        let mut worst = 0.0f64;
        for (index, sequence) in expected.sequences.iter().enumerate() {
            worst = worst.max(relative_error(&scores.logprobs[index], &sequence.logprobs));
            worst = worst.max(relative_error(&scores.entropies[index], &sequence.entropies));
        }
        println!("{case}: worst relative error of scores: {worst:e}");
        assert!(worst < SCORE_TOLERANCE, "{case}: {worst:e}");
        // The adapter matters: without it the scores are others.
        let (plain, _) = model.without_adapter();
        let scores = score(&plain, &batch(&expected), expected.temperature);
        assert!(relative_error(&scores.logprobs[0], &expected.sequences[0].logprobs) > 0.01, "{case}");
    }
}

#[test]
fn every_gradient_matches_peft() {
    for (case, checkpoint, ..) in CASES {
        let (model, expected) = fixture(case, checkpoint);
        let mut trainer = Trainer::new(model);
        let loss = accumulate(&mut trainer, &expected);
        assert!((loss / expected.loss - 1.0).abs() < 1e-5, "{case}: {loss} against {}", expected.loss);
        assert!((f64::from(trainer.gradient_norm()) / expected.norm - 1.0).abs() < 1e-5, "{case}");
        let bytes = std::fs::read(fixtures().join("adapters").join(case).join("gradients.safetensors")).unwrap();
        let gradients = SafeTensors::deserialize(&bytes).unwrap();
        let adapter = trainer.model().adapter().unwrap();
        assert_eq!(gradients.len(), adapter.tensor_names().count());
        let mut worst = (0.0f64, String::new());
        for name in adapter.tensor_names() {
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
        assert_eq!(trainer.gradient("model.norm.weight"), None, "frozen tensors have no gradient");
    }
}

#[test]
fn greedy_completions_match_peft() {
    for (case, checkpoint, ..) in CASES {
        let (model, expected) = fixture(case, checkpoint);
        let params = SamplingParams { temperature: 0.0, max_new_tokens: 16, ..SamplingParams::default() };
        let prompt = Prompt { tokens: &expected.greedy.prompt, seed: 0 };
        let sampled = &generate(&model, &[prompt], u32::MAX, &params)[0];
        assert_eq!(sampled.tokens, expected.greedy.completion, "{case}");
    }
}

#[test]
fn sampled_logprobs_match_a_scoring_pass() {
    for (case, checkpoint, ..) in CASES {
        let (model, expected) = fixture(case, checkpoint);
        let prompts = [&expected.sequences[1].tokens, &expected.sequences[2].tokens];
        let rows: Vec<Prompt<'_>> = (0..4).map(|seed| Prompt { tokens: prompts[seed as usize % 2], seed }).collect();
        let params = SamplingParams { max_new_tokens: 30, ..SamplingParams::default() };
        let (mut worst, mut trainer) = (0.0f32, Trainer::new(model.clone()));
        for (row, sampled) in rows.iter().zip(generate(&model, &rows, u32::MAX, &params)) {
            let tokens = [row.tokens, &sampled.tokens].concat();
            let sequence = Sequence { tokens: &tokens, num_prompt: row.tokens.len() };
            let scored = trainer.score(&[sequence], params.temperature).logprobs.remove(0);
            assert_eq!(sampled.logprobs.len(), 30, "{case}");
            worst = sampled.logprobs.iter().zip(scored).map(|(a, b)| (a - b).abs()).fold(worst, f32::max);
        }
        println!("{case}: largest difference of a sampled log-probability: {worst:e}");
        assert!(worst < 1e-4, "{case}: {worst}");
    }
}

#[test]
fn a_merged_model_scores_as_the_adapter_does() {
    for (case, checkpoint, ..) in CASES {
        let (model, expected) = fixture(case, checkpoint);
        let scores = score(&model, &batch(&expected), expected.temperature);
        let merged = model.merged();
        assert!(merged.adapter().is_none());
        let difference = largest_difference(&score(&merged, &batch(&expected), expected.temperature), &scores);
        println!("{case}: largest difference of a score after merging: {difference:e}");
        assert!(difference < 1e-5, "{case}: {difference}");
        // What is not adapted is as it was, and saving merges.
        assert_eq!(merged.tensor("model.norm.weight"), model.tensor("model.norm.weight"));
        let folder = tempfile::tempdir().unwrap();
        model.save(folder.path(), Precision::F32).unwrap();
        assert_eq!(Model::load(folder.path()).unwrap().weights_hash(), merged.weights_hash(), "{case}");
    }
}

fn config(family: Family, tied: bool) -> ModelConfig {
    ModelConfig {
        hidden_size: 40,
        intermediate_size: 56,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 10,
        vocab_size: 90,
        max_position_embeddings: 128,
        attention_bias: true,
        mlp_bias: family == Family::Llama,
        sliding_window: None,
        tie_word_embeddings: tied,
        ..ModelConfig::of_family(family)
    }
}

fn sequences() -> Vec<(Vec<u32>, usize)> {
    let sequence = |number: usize, length: usize, num_prompt: usize| {
        ((0..length).map(|i| ((i * i * 7 + i * 13 + number * 29) % 90) as u32).collect(), num_prompt)
    };
    vec![sequence(0, 9, 4), sequence(1, 75, 30), sequence(2, 5, 5), sequence(3, 20, 1), sequence(4, 2, 1)]
}

fn borrowed(sequences: &[(Vec<u32>, usize)]) -> Vec<Sequence<'_>> {
    sequences.iter().map(|(tokens, num_prompt)| Sequence { tokens, num_prompt: *num_prompt }).collect()
}

/// Different derivatives for every token, of both kinds.
fn derivatives(scores: &Scores) -> Upstream {
    let vary = |rows: &[Vec<f32>], scale: f32| {
        let value = |i: usize, j: usize| scale * (((i * 5 + j * 3) % 7) as f32 - 2.5);
        rows.iter().enumerate().map(|(i, row)| (0..row.len()).map(|j| value(i, j)).collect()).collect()
    };
    Upstream { logprobs: vary(&scores.logprobs, 0.1), entropies: vary(&scores.entropies, -0.07), ..Upstream::default() }
}

/// The loss whose derivatives those are.
fn loss(scores: &Scores) -> f64 {
    let upstream = derivatives(scores);
    let inner = |a: &[Vec<f32>], b: &[Vec<f32>]| -> f64 {
        a.iter().flatten().zip(b.iter().flatten()).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    };
    inner(&scores.logprobs, &upstream.logprobs) + inner(&scores.entropies, &upstream.entropies)
}

/// Some updates; the numbers a run would log.
fn train(trainer: &mut Trainer, updates: usize) -> Vec<u32> {
    let sequences = sequences();
    let batch = borrowed(&sequences);
    let settings = AdamW { lr: 1e-2, weight_decay: 0.1, ..AdamW::default() };
    let mut log = Vec::new();
    for _ in 0..updates {
        trainer.zero_gradients();
        let scores = trainer.accumulate(&batch, 1.0, derivatives);
        log.push(trainer.step(&settings).to_bits());
        log.extend(scores.logprobs.iter().flatten().map(|x| x.to_bits()));
    }
    log
}

fn small_adapter() -> AdapterConfig {
    AdapterConfig { rank: 4, alpha: 8.0, ..AdapterConfig::default() }
}

fn adapted(family: Family, tied: bool, adapter: AdapterConfig) -> Model {
    let model = Model::init(config(family, tied), 3);
    let adapter = Adapter::init(adapter, model.config(), 9);
    model.with_adapter(adapter)
}

#[test]
fn gradients_match_finite_differences() {
    const TEMPERATURE: f32 = 0.8;
    let sequences = sequences();
    let batch = borrowed(&sequences);
    let mut worst = 0.0f64;
    for (family, tied) in
        [(Family::Qwen2, false), (Family::Llama, true), (Family::Qwen3, true), (Family::Gemma3, false)]
    {
        // An adapter that has left its initial state, where half of it is zero.
        let mut trainer = Trainer::new(adapted(family, tied, small_adapter()));
        train(&mut trainer, 3);
        trainer.zero_gradients();
        trainer.accumulate(&batch, TEMPERATURE, derivatives);
        let (model, adapter) = trainer.model().clone().without_adapter();
        let adapter = adapter.unwrap();
        let names = adapter.tensor_names().map(str::to_owned).collect::<Vec<_>>();
        for name in names {
            let gradient = trainer.gradient(&name).unwrap().to_vec();
            let norm = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
            // Along the gradient itself the derivative is the norm.
            let moved = |step: f64| {
                let mut adapter = adapter.clone();
                let values = adapter.tensor(&name).unwrap().iter().zip(&gradient);
                let moved: Vec<f32> =
                    values.map(|(x, g)| (f64::from(*x) + step * f64::from(*g) / norm) as f32).collect();
                adapter.set_tensor(&name, &moved);
                loss(&score(&model.clone().with_adapter(adapter), &batch, TEMPERATURE))
            };
            let step = 8e-3;
            // Two central differences, combined so that the third derivative cancels.
            let difference = |step: f64| (moved(step) - moved(-step)) / (2.0 * step);
            let estimate = (4.0 * difference(step) - difference(2.0 * step)) / 3.0;
            // Differences of losses in single precision are no better than this, however small the gradient is.
            let error = ((estimate - norm).abs() - 1e-4).max(0.0) / norm;
            assert!(error < 5e-3, "{name} ({family:?}): norm {norm}, difference {estimate}, error {error:e}");
            worst = worst.max(error);
        }
    }
    println!("worst relative error of a tensor's gradient: {worst:e}");
}

#[test]
fn a_fresh_adapter_changes_nothing_and_the_base_stays_as_it_is() {
    let sequences = sequences();
    let batch = borrowed(&sequences);
    for family in [Family::Llama, Family::Qwen2, Family::Qwen3, Family::Gemma3] {
        let plain = Model::init(config(family, true), 3);
        let reference = score(&plain, &batch, 0.9);
        let mut trainer = Trainer::new(adapted(family, true, small_adapter()));
        assert_eq!(trainer.score(&batch, 0.9), reference, "{family:?}");
        assert_eq!(trainer.accumulate(&batch, 0.9, derivatives), reference, "{family:?}");
        train(&mut trainer, 4);
        let after = trainer.score(&batch, 0.9);
        assert!(largest_difference(&after, &reference) > 1e-2, "{family:?}: training changes the scores");
        assert_eq!(score(trainer.model(), &batch, 0.9), after);
        // Turned off, the adapter leaves no trace.
        assert_eq!(trainer.score_base(&batch, 0.9), reference, "{family:?}");
        let (base, adapter) = trainer.into_model().without_adapter();
        assert!(adapter.is_some());
        assert_eq!(base.weights_hash(), plain.weights_hash(), "{family:?}");
    }
}

#[test]
fn nothing_of_the_size_of_the_base_is_kept_for_training() {
    let model = adapted(Family::Qwen3, true, AdapterConfig { rank: 1, ..AdapterConfig::default() });
    // Per layer and rank: q 40 + 40, k and v 40 + 20 each, o 40 + 40, gate and up 40 + 56 each, down 56 + 40.
    let count = 2 * (80 + 2 * 60 + 80 + 3 * 96);
    assert_eq!(model.adapter().unwrap().num_parameters(), count);
    assert!(10 * count < model.num_parameters());
    let mut trainer = Trainer::new(model);
    train(&mut trainer, 1);
    assert_eq!(trainer.num_trained(), count);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    trainer.save_state(&path).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let state = SafeTensors::deserialize(&bytes).unwrap();
    let moments: Vec<usize> = state.iter().map(|(_, tensor)| tensor.shape()[0]).collect();
    assert_eq!(moments, [count, count]);
}

#[test]
fn training_is_bitwise_reproducible_on_any_number_of_threads() {
    for rank in [1, 5] {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let adapter = AdapterConfig { rank, ..small_adapter() };
                let mut trainer = Trainer::new(adapted(Family::Gemma3, true, adapter));
                let log = train(&mut trainer, 4);
                (log, trainer.model().weights_hash())
            })
        };
        let first = run(2);
        assert_eq!(run(1), first);
        assert_eq!(run(3), first);
    }
}

#[test]
fn resuming_from_disk_is_bitwise_the_same_as_going_on() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("optimizer.safetensors");
    let mut trainer = Trainer::new(adapted(Family::Qwen2, false, small_adapter()));
    train(&mut trainer, 3);
    trainer.model().adapter().unwrap().save(folder.path()).unwrap();
    trainer.save_state(&state).unwrap();
    let expected = train(&mut trainer, 3);
    let resume = || {
        let model = Model::init(config(Family::Qwen2, false), 3);
        let adapter = Adapter::load(folder.path(), model.config()).unwrap();
        Trainer::new(model.with_adapter(adapter))
    };
    let mut resumed = resume();
    resumed.load_state(&state).unwrap();
    assert_eq!(resumed.num_steps(), 3);
    assert_eq!(train(&mut resumed, 3), expected);
    assert_eq!(resumed.model().weights_hash(), trainer.model().weights_hash());
    // The state matters: without it the numbers differ. That of all weights is refused.
    assert_ne!(train(&mut resume(), 3), expected);
    Trainer::new(Model::init(config(Family::Qwen2, false), 3)).save_state(&state).unwrap();
    assert!(matches!(resume().load_state(&state), Err(LoadError::Foreign { .. })));
}

#[test]
fn an_adapter_survives_a_round_trip() {
    let folder = tempfile::tempdir().unwrap();
    for (rank_stabilized, alpha, base_model) in [(false, 32.0, None), (true, 0.5, Some("some/model".to_owned()))] {
        let targets = BTreeSet::from([Linear::Key, Linear::Down]);
        let written = AdapterConfig { rank: 3, alpha, rank_stabilized, targets, base_model };
        let model = adapted(Family::Llama, true, written.clone());
        model.adapter().unwrap().save(folder.path()).unwrap();
        let read = Adapter::load(folder.path(), model.config()).unwrap();
        assert_eq!(read.config(), &written);
        let hash = model.weights_hash();
        assert_eq!(model.with_adapter(read).weights_hash(), hash);
    }
}

/// Why an adapter whose configuration was changed is refused.
fn changed(change: impl Fn(&mut serde_json::Map<String, serde_json::Value>)) -> LoadError {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let model = adapted(Family::Qwen2, true, small_adapter());
    model.adapter().expect("it was just put there").save(folder.path()).expect("the folder is writable");
    let path = folder.path().join("adapter_config.json");
    let text = std::fs::read_to_string(&path).expect("it was just written");
    let mut keys = serde_json::from_str(&text).expect("it is JSON");
    change(&mut keys);
    std::fs::write(&path, serde_json::to_string(&keys).expect("it is plain data")).expect("the folder is writable");
    Adapter::load(folder.path(), model.config()).expect_err("the adapter is not ours to compute")
}

#[test]
fn adapters_that_we_do_not_compute_are_refused_by_name() {
    for (key, value) in [
        ("peft_type", serde_json::json!("LOHA")),
        ("bias", serde_json::json!("all")),
        ("use_dora", serde_json::json!(true)),
        ("fan_in_fan_out", serde_json::json!(true)),
        ("modules_to_save", serde_json::json!(["lm_head"])),
        ("rank_pattern", serde_json::json!({"q_proj": 8})),
        ("alpha_pattern", serde_json::json!({"q_proj": 8})),
        ("init_lora_weights", serde_json::json!("pissa")),
        ("trainable_token_indices", serde_json::json!([5])),
    ] {
        let error = changed(|keys| {
            keys.insert(key.to_owned(), value.clone());
        });
        assert!(
            matches!(&error, LoadError::Config { source: ConfigError::UnsupportedFeature { field, .. }, .. } if *field == key),
            "{key}: {error}"
        );
        assert!(error.hint().is_some());
    }
}

#[test]
fn broken_adapters_are_refused() {
    for rank in [0u64, 1 << 40] {
        let error = changed(|keys| {
            keys.insert("r".to_owned(), rank.into());
        });
        assert!(
            matches!(&error, LoadError::Config { source: ConfigError::OutOfRange { field: "r", .. }, .. }),
            "{error}"
        );
    }
    // A rank that the file does not have.
    let error = changed(|keys| {
        keys.insert("r".to_owned(), 60_000.into());
    });
    assert!(matches!(&error, LoadError::WrongShape { found, .. } if found == &[4, 40]), "{error}");
    assert!(matches!(
        changed(|keys| {
            keys.remove("r");
        }),
        LoadError::Json { .. }
    ));
    // An adapter of another model, and one for more of it.
    let folder = tempfile::tempdir().unwrap();
    let model = adapted(Family::Qwen2, true, small_adapter());
    model.adapter().unwrap().save(folder.path()).unwrap();
    let load = |config: &ModelConfig| Adapter::load(folder.path(), config).expect_err("the shapes differ");
    let wider = ModelConfig { intermediate_size: 57, ..config(Family::Qwen2, true) };
    assert!(matches!(load(&wider), LoadError::WrongShape { name, .. } if name.contains("gate_proj.lora_B")));
    let deeper = ModelConfig { num_hidden_layers: 3, ..config(Family::Qwen2, true) };
    assert!(matches!(load(&deeper), LoadError::MissingTensor { name, .. } if name.contains("layers.2")));
    let flatter = ModelConfig { num_hidden_layers: 1, ..config(Family::Qwen2, true) };
    assert!(matches!(load(&flatter), LoadError::UnexpectedTensor { name, .. } if name.contains("layers.1")));
    std::fs::write(folder.path().join("adapter_model.safetensors"), [0; 30]).unwrap();
    assert!(matches!(load(model.config()), LoadError::Json { .. } | LoadError::WrongLength { .. }));
    std::fs::remove_file(folder.path().join("adapter_config.json")).unwrap();
    let missing = load(model.config());
    assert!(matches!(missing, LoadError::MissingFile { .. }));
    assert!(missing.hint().unwrap().contains("PEFT"));
}

/// Writes what `fixtures/check_exports.py` reads.
#[test]
#[ignore = "the other half of the check needs Python: see fixtures/check_exports.py"]
fn exports_for_peft() {
    let exports = Path::new(env!("CARGO_TARGET_TMPDIR")).join("adapter-exports");
    for (case, checkpoint, ..) in CASES {
        let (model, _) = fixture(case, checkpoint);
        model.adapter().unwrap().save(&exports.join(case).join("adapter")).unwrap();
        model.save(&exports.join(case).join("merged"), Precision::F32).unwrap();
    }
    println!("exports are in {}", exports.display());
}
