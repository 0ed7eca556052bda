//! Tokens per second of the tiny model: training on 16 sequences of 170 tokens, all of it and an adapter, and
//! decoding 128 rows.
//!
//! `cargo run --release -p codeward-lm --example bench_tiny`

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::time::{Duration, Instant};

use codeward_lm::{
    AdamW, Adapter, AdapterConfig, Model, ModelConfig, Prompt, SamplingParams, Scores, Sequence, Trainer, Upstream,
    generate,
};

const REPETITIONS: usize = 7;

fn main() {
    let model = Model::init(ModelConfig::tiny(), 1);
    println!("{} parameters, {} threads", model.num_parameters(), rayon::current_num_threads());
    // `decode`, `train` or `adapt` runs only that part.
    let part = std::env::args().nth(1);
    let runs = |name: &str| part.as_deref().is_none_or(|part| part == name);
    if runs("decode") {
        decode(&model);
    }
    if runs("train") {
        train(model.clone());
    }
    if runs("adapt") {
        println!("with an adapter of rank 16 on all linear layers");
        let adapter = Adapter::init(AdapterConfig::default(), model.config(), 1);
        train(model.with_adapter(adapter));
    }
}

/// Best and median of several runs, after one to warm up.
fn timed(mut run: impl FnMut()) -> (Duration, Duration) {
    run();
    let mut times: Vec<Duration> = (0..REPETITIONS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    (times[0], times[REPETITIONS / 2])
}

fn report(what: &str, tokens: usize, (best, median): (Duration, Duration)) {
    let rate = |time: Duration| tokens as f64 / time.as_secs_f64();
    println!("{what}: best {:.0} tokens/s, median {:.0} tokens/s", rate(best), rate(median));
}

fn tokens(count: usize, salt: usize) -> Vec<u32> {
    (0..count).map(|i| ((i * 7919 + salt * 104_729) % 2047 + 1) as u32).collect()
}

fn train(model: Model) {
    const LENGTH: usize = 170;
    const PROMPT: usize = 70;
    let sequences: Vec<Vec<u32>> = (0..16).map(|salt| tokens(LENGTH, salt)).collect();
    let batch: Vec<Sequence<'_>> = sequences.iter().map(|tokens| Sequence { tokens, num_prompt: PROMPT }).collect();
    let mut trainer = Trainer::new(model);
    let upstream = |scores: &Scores| Upstream {
        logprobs: scores.logprobs.iter().map(|row| vec![-1.0 / 1600.0; row.len()]).collect(),
        entropies: scores.entropies.iter().map(|row| vec![-1e-6; row.len()]).collect(),
        ..Upstream::default()
    };
    let scoring = timed(|| drop(trainer.score(&batch, 1.0)));
    report("score", 16 * LENGTH, scoring);
    let training = timed(|| {
        trainer.zero_gradients();
        trainer.accumulate(&batch, 1.0, upstream);
        trainer.step(&AdamW::default());
    });
    report("train", 16 * LENGTH, training);
}

fn decode(model: &Model) {
    for (rows, distinct) in [(128, 16), (16, 2), (1, 1)] {
        let prompts: Vec<Vec<u32>> = (0..distinct).map(|salt| tokens(70, salt)).collect();
        let rows: Vec<Prompt<'_>> =
            (0..rows).map(|row| Prompt { tokens: &prompts[row % distinct], seed: row as u64 }).collect();
        let params = SamplingParams { max_new_tokens: 100, ..SamplingParams::default() };
        let mut drawn = 0;
        // No id ends a row, so that every run draws equally many tokens.
        let times = timed(|| drawn = generate(model, &rows, u32::MAX, &params).iter().map(|s| s.tokens.len()).sum());
        report(&format!("decode {} rows", rows.len()), drawn, times);
    }
}
