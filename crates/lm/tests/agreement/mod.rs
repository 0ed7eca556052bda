//! One engine beside another: the same models, batches and prompts, and how far apart the numbers are. `tests/libtorch.rs` holds
//! the distances to limits, `examples/gpu_check` prints them.

use std::path::Path;

use codeward_lm::{
    AdamW, Adapter, AdapterConfig, Ends, EngineOptions, LanguageModel, Linear, Model, Prompt, Sampled, SamplingParams,
    Scores, Sequence, Upstream, start,
};
use serde::Deserialize;

/// The engine that others are held to: it is held to PyTorch by its own tests.
const MEASURE: &str = "cpu";

/// The fixtures below `tests/fixtures/parity`.
const CASES: [&str; 6] = ["qwen2", "qwen2-window", "llama", "llama-biases", "qwen3", "gemma3"];

/// A distance, and how large it may be.
pub(crate) struct Distance {
    pub(crate) what: String,
    pub(crate) found: f64,
    pub(crate) limit: f64,
}

impl Distance {
    pub(crate) fn is_fine(&self) -> bool {
        // Written so that NaN is not.
        self.found <= self.limit
    }
}

/// How far an engine may be from another, relative to the length of what is compared.
struct Limits {
    scores: f64,
    gradients: f64,
    updates: f64,
    /// Share of completions that may differ.
    completions: f64,
    /// How many times further scores and gradients may be apart after an update: weights whose gradient is all rounding have
    /// gone either way.
    after_update: f64,
}

/// Whether an engine multiplies in less than single precision.
pub(crate) fn is_rounded(engine: &str) -> bool {
    engine == "libtorch-cuda" || engine.ends_with("-bf16")
}

fn limits(engine: &str) -> Limits {
    if is_rounded(engine) {
        // Eight bits of mantissa. One token that differs makes every later one another.
        Limits { scores: 1e-2, gradients: 8e-2, updates: 0.4, completions: 1.0, after_update: 2.0 }
    } else {
        Limits { scores: 5e-6, gradients: 1e-5, updates: 2e-3, completions: 0.02, after_update: 20.0 }
    }
}

#[derive(Deserialize)]
struct Fixture {
    sequences: Vec<FixtureSequence>,
}

#[derive(Deserialize)]
struct FixtureSequence {
    num_prompt: usize,
    tokens: Vec<u32>,
}

/// Everything that is compared, for one engine.
pub(crate) fn distances(fixtures: &Path, engine: &str) -> Vec<Distance> {
    let mut found = Vec::new();
    for case in CASES {
        let folder = fixtures.join("parity").join(case);
        let model = Model::load(&folder).expect("the fixture is a checkpoint");
        let text = std::fs::read_to_string(folder.join("expected.json")).expect("the fixture is committed");
        let fixture: Fixture = serde_json::from_str(&text).expect("the fixture is what the script writes");
        for (way, options) in ways() {
            training(&format!("{case}, {way}"), &model, &fixture, &options, engine, &mut found);
        }
        sampling(case, &model, &fixture, engine, &mut found);
    }
    found
}

fn ways() -> [(&'static str, EngineOptions); 3] {
    let some = AdapterConfig {
        rank: 3,
        targets: [Linear::Query, Linear::Value, Linear::Down].into(),
        ..AdapterConfig::default()
    };
    let with = |adapter, value_head| EngineOptions { adapter, value_head, seed: 4, ..EngineOptions::default() };
    [
        ("weights and a value head", with(None, true)),
        ("an adapter of everything", with(Some(AdapterConfig { rank: 4, ..AdapterConfig::default() }), false)),
        ("an adapter of some and a value head", with(Some(some), true)),
    ]
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

/// Scores, gradients and two updates.
fn training(
    title: &str,
    model: &Model,
    fixture: &Fixture,
    options: &EngineOptions,
    engine: &str,
    found: &mut Vec<Distance>,
) {
    let limits = limits(engine);
    let [mut measure, mut other] = [MEASURE, engine].map(|engine| {
        let options = EngineOptions { engine: engine.to_owned(), ..options.clone() };
        start(model.clone(), &options).expect("the engine starts")
    });
    let sequences = fixture.sequences.iter();
    let batch: Vec<Sequence<'_>> =
        sequences.map(|sequence| Sequence { tokens: &sequence.tokens, num_prompt: sequence.num_prompt }).collect();
    let names = trained_names(model, options);
    let mut push = |what: &str, found_distance: f64, limit: f64| {
        found.push(Distance { what: format!("{title}: {what}"), found: found_distance, limit });
    };
    for update in ["first", "second"] {
        let [wanted, got] = [&mut measure, &mut other].map(|engine| {
            engine.zero_gradients();
            engine.accumulate(&batch, 0.8, &mut derivatives).expect("the engine works")
        });
        let slack = if update == "first" { 1.0 } else { limits.after_update };
        push(&format!("{update} scores"), distance(&numbers(&got), &numbers(&wanted)), slack * limits.scores);
        let gradients = |engine: &dyn LanguageModel| -> Vec<f32> {
            let tensors = names.iter().map(|name| engine.gradient(name).expect("the engine works"));
            tensors.flat_map(|tensor| tensor.expect("the tensor is trained")).collect()
        };
        push(
            &format!("{update} gradients"),
            distance(&gradients(&*other), &gradients(&*measure)),
            slack * limits.gradients,
        );
        let settings = AdamW { lr: 1e-3, weight_decay: 0.1, ..AdamW::default() };
        let [wanted, got] = [&mut measure, &mut other].map(|engine| engine.step(&settings).expect("the engine works"));
        push(&format!("{update} norm"), distance(&[got], &[wanted]), slack * limits.gradients);
    }
    push("updates", update_distance(model, options, &*measure, &*other), limits.updates);
}

/// The tensors that have gradients.
fn trained_names(model: &Model, options: &EngineOptions) -> Vec<String> {
    let mut names: Vec<String> = match &options.adapter {
        None => model.tensor_names().map(str::to_owned).collect(),
        Some(config) => Adapter::init(config.clone(), model.config(), 0).tensor_names().map(str::to_owned).collect(),
    };
    if options.value_head {
        names.extend(["v_head.summary.weight", "v_head.summary.bias"].map(str::to_owned));
    }
    names
}

/// How far apart two engines moved the weights, beside how far they moved them.
fn update_distance(
    model: &Model,
    options: &EngineOptions,
    measure: &dyn LanguageModel,
    other: &dyn LanguageModel,
) -> f64 {
    let [wanted, got] = [measure, other].map(|engine| {
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        engine.save_checkpoint(folder.path()).expect("the checkpoint is written");
        weights(folder.path(), model, options)
    });
    let before = match &options.adapter {
        None => model.tensor_names().flat_map(|name| model.tensor(name).expect("it is there").to_vec()).collect(),
        Some(config) => {
            let fresh = Adapter::init(config.clone(), model.config(), options.seed);
            fresh.tensor_names().flat_map(|name| fresh.tensor(name).expect("it is there").to_vec()).collect::<Vec<_>>()
        }
    };
    let change =
        |after: &[f32]| -> Vec<f32> { after.iter().zip(&before).map(|(after, before)| after - before).collect() };
    distance(&change(&got), &change(&wanted))
}

fn weights(folder: &Path, model: &Model, options: &EngineOptions) -> Vec<f32> {
    if options.adapter.is_some() {
        let adapter = Adapter::load(folder, model.config()).expect("the adapter was just written");
        return adapter.tensor_names().flat_map(|name| adapter.tensor(name).expect("it is there").to_vec()).collect();
    }
    let model = Model::load(folder).expect("the model was just written");
    model.tensor_names().flat_map(|name| model.tensor(name).expect("it is there").to_vec()).collect()
}

/// Completions by the same draws, and their log-probabilities.
fn sampling(case: &str, model: &Model, fixture: &Fixture, engine: &str, found: &mut Vec<Distance>) {
    let limits = limits(engine);
    let plain = SamplingParams { max_new_tokens: 12, ..SamplingParams::default() };
    for (how, params) in [
        ("greedily", SamplingParams { temperature: 0.0, ..plain }),
        ("from everything", SamplingParams { temperature: 0.9, ..plain }),
        ("by top-k and a penalty", SamplingParams { top_k: 7, repetition_penalty: 1.3, ..plain }),
        ("by top-p, min-p and not too early", SamplingParams { top_p: 0.8, min_p: 0.02, min_new_tokens: 5, ..plain }),
    ] {
        let texts: Vec<&[u32]> = fixture.sequences.iter().map(|sequence| sequence.tokens.as_slice()).collect();
        let prompts: Vec<Prompt<'_>> = (0..40)
            .map(|row| {
                let text = texts[row as usize % texts.len()];
                Prompt { tokens: &text[..=(row as usize / texts.len()) % text.len().min(6)], seed: row }
            })
            .collect();
        let ends = Ends::tokens(&[2, 3, 5]);
        let [mut measure, mut other] = [MEASURE, engine].map(|engine| {
            let options = EngineOptions { engine: engine.to_owned(), ..EngineOptions::default() };
            start(model.clone(), &options).expect("the engine starts")
        });
        let [wanted, got] = [&mut measure, &mut other]
            .map(|engine| engine.complete(&prompts, &ends, &params).expect("the engine works"));
        if how == "from everything" {
            let texts: Vec<Vec<u32>> =
                prompts.iter().zip(&got).map(|(prompt, row)| [prompt.tokens, &row.tokens].concat()).collect();
            let rows = texts.iter().zip(&prompts);
            let batch: Vec<Sequence<'_>> =
                rows.map(|(tokens, prompt)| Sequence { tokens, num_prompt: prompt.tokens.len() }).collect();
            let scores = other.score(&batch, params.temperature).expect("the engine works");
            let sampled: Vec<f32> = got.iter().flat_map(|row| row.logprobs.clone()).collect();
            found.push(Distance {
                what: format!("{case}, sampled {how}: log-probabilities beside its own scores"),
                found: distance(&sampled, &scores.logprobs.concat()),
                limit: limits.scores,
            });
        }
        let share = wanted.iter().zip(&got).filter(|(wanted, got)| wanted.tokens != got.tokens).count() as f64
            / prompts.len() as f64;
        found.push(Distance {
            what: format!("{case}, sampled {how}: share of other completions"),
            found: share,
            limit: limits.completions,
        });
        let same: Vec<(&Sampled, &Sampled)> = wanted.iter().zip(&got).filter(|(a, b)| a.tokens == b.tokens).collect();
        let logprobs = |which: fn(&(&Sampled, &Sampled)) -> Vec<f32>| same.iter().flat_map(which).collect::<Vec<f32>>();
        found.push(Distance {
            what: format!("{case}, sampled {how}: log-probabilities"),
            found: distance(
                &logprobs(|(_, got)| got.logprobs.clone()),
                &logprobs(|(wanted, _)| wanted.logprobs.clone()),
            ),
            limit: 10.0 * limits.scores,
        });
    }
}

fn numbers(scores: &Scores) -> Vec<f32> {
    [&scores.logprobs, &scores.entropies, &scores.values].into_iter().flatten().flatten().copied().collect()
}

/// The length of the difference over the length of what was expected.
pub(crate) fn distance(got: &[f32], wanted: &[f32]) -> f64 {
    assert_eq!(got.len(), wanted.len());
    let length = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let difference = length(&mut got.iter().zip(wanted).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    difference / length(&mut wanted.iter().map(|x| f64::from(*x))).max(1e-12)
}
