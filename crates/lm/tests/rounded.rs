//! Completions from matrices in bfloat16.
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

use std::path::Path;

use codeward_lm::{
    AdamW, AdapterConfig, Ends, EngineOptions, Family, LanguageModel, Model, ModelConfig, Precision, Prompt, Sampled,
    SamplingParams, Scores, Sequence, Upstream, start,
};

/// How far the log-probability of a drawn token may be from its score in single precision, on average and at most.
const MEAN_BOUND: f32 = 1e-2;
const BOUND: f32 = 1e-1;

fn options(decoding: Precision) -> EngineOptions {
    EngineOptions { decoding, ..EngineOptions::default() }
}

fn prompts() -> Vec<Vec<u32>> {
    (0..9).map(|row| (0..3 + row * 5 % 13).map(|i| ((i * 31 + row * 17) % 79 + 1) as u32).collect()).collect()
}

fn complete(model: &mut dyn LanguageModel) -> Vec<Sampled> {
    let prompts = prompts();
    let rows: Vec<Prompt<'_>> = prompts.iter().zip(0..).map(|(tokens, seed)| Prompt { tokens, seed }).collect();
    let params = SamplingParams { max_new_tokens: 24, ..SamplingParams::default() };
    model.complete(&rows, &Ends::default(), &params).unwrap()
}

/// The differences between the log-probabilities of what was drawn and their scores.
fn differences(model: &mut dyn LanguageModel, sampled: &[Sampled]) -> Vec<f32> {
    let prompts = prompts();
    let texts: Vec<Vec<u32>> =
        prompts.iter().zip(sampled).map(|(prompt, row)| [&prompt[..], &row.tokens].concat()).collect();
    let batch: Vec<Sequence<'_>> =
        texts.iter().zip(&prompts).map(|(tokens, prompt)| Sequence { tokens, num_prompt: prompt.len() }).collect();
    let scores = model.score(&batch, 1.0).unwrap().logprobs.concat();
    let drawn = sampled.iter().flat_map(|row| &row.logprobs);
    scores.iter().zip(drawn).map(|(score, logprob)| (score - logprob).abs()).collect()
}

fn largest(numbers: &[f32]) -> f32 {
    numbers.iter().copied().fold(0.0, f32::max)
}

/// The model as its checkpoint in bfloat16 gives it.
fn rounded(model: &Model) -> Model {
    let folder = tempfile::tempdir().unwrap();
    model.save(folder.path(), Precision::Bf16).unwrap();
    Model::load(folder.path()).unwrap()
}

#[test]
fn a_checkpoint_that_came_in_bfloat16_completes_as_in_single_precision() {
    for family in [Family::Llama, Family::Qwen2, Family::Qwen3, Family::Gemma3] {
        let config = ModelConfig { vocab_size: 300, ..ModelConfig::of_family(family) };
        let model = rounded(&Model::init(config, 7));
        let [single, half] = [Precision::F32, Precision::Bf16].map(|decoding| {
            let mut model = start(model.clone(), &options(decoding)).unwrap();
            complete(&mut *model)
        });
        for (single, half) in single.iter().zip(&half) {
            assert_eq!(single.tokens, half.tokens, "{family:?}");
            for (single, half) in single.logprobs.iter().zip(&half.logprobs) {
                assert!((single - half).abs() < 2e-5, "{family:?}: {single} {half}");
            }
        }
    }
}

#[test]
fn log_probabilities_of_other_weights_stay_within_the_bound() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parity");
    for case in ["qwen2", "llama", "qwen3", "gemma3"] {
        let model = Model::load(&fixtures.join(case)).unwrap();
        let mut single = start(model.clone(), &options(Precision::F32)).unwrap();
        let mut half = start(model, &options(Precision::Bf16)).unwrap();
        let exact = complete(&mut *single);
        assert!(largest(&differences(&mut *single, &exact)) < 1e-4, "{case}");
        let sampled = complete(&mut *half);
        let found = differences(&mut *half, &sampled);
        let (mean, most) = (found.iter().sum::<f32>() / found.len() as f32, largest(&found));
        println!("{case}: mean {mean:.1e}, at most {most:.1e}");
        assert!(mean < MEAN_BOUND && most < BOUND, "{case}: mean {mean}, at most {most}");
        assert!(most > 1e-5, "{case}: weights that are not in bfloat16 make a difference");
    }
}

#[test]
fn completions_come_from_the_weights_and_the_adapter_as_they_are_now() {
    let config = ModelConfig { vocab_size: 300, ..ModelConfig::of_family(Family::Qwen2) };
    for adapter in [None, Some(AdapterConfig { rank: 3, ..AdapterConfig::default() })] {
        let options = EngineOptions { adapter, ..options(Precision::Bf16) };
        let mut model = start(Model::init(config.clone(), 7), &options).unwrap();
        let before = complete(&mut *model);
        let text: Vec<u32> = (1..60).collect();
        let batch = [Sequence { tokens: &text, num_prompt: 1 }];
        let mut upstream = |scores: &Scores| Upstream {
            logprobs: scores.logprobs.iter().map(|row| vec![-1.0; row.len()]).collect(),
            ..Upstream::default()
        };
        for _ in 0..3 {
            model.zero_gradients();
            model.accumulate(&batch, 1.0, &mut upstream).unwrap();
            model.step(&AdamW { lr: 1e-2, ..AdamW::default() }).unwrap();
        }
        let after = complete(&mut *model);
        assert_ne!(before, after);
        let found = differences(&mut *model, &after);
        assert!(found.iter().sum::<f32>() / (found.len() as f32) < 0.1, "{found:?}");
    }
}
