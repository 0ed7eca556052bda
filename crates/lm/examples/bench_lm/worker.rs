//! Our side: a process that does the rounds of one case when it is told to.

use std::io::{BufRead, Write};
use std::time::Instant;

use codeward_lm::{
    Activations, AdamW, Adapter, AdapterConfig, Ends, EngineOptions, LanguageModel, Model, Precision, Prompt,
    SamplingParams, Scores, Sequence, Trainer, Upstream, start,
};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

use crate::Failure;
use crate::case::{Case, Work};

/// Reads a case and then commands from the standard input; answers are lines of JSON.
pub(crate) fn run() -> Result<(), Failure> {
    let mut lines = std::io::stdin().lock().lines();
    let case: Case = serde_json::from_str(&lines.next().ok_or("no case")??)?;
    let start = resident()?;
    let mut side = Side::new(&case)?;
    let loaded = resident()?;
    answer(
        &json!({"engine": format!("codeward {}", env!("CARGO_PKG_VERSION")), "threads": rayon::current_num_threads()}),
    )?;
    for line in lines {
        match line?.as_str() {
            "round" => {
                let (clock, processors) = (Instant::now(), on_processors());
                let check = side.round(&case)?;
                let (seconds, processors) = (clock.elapsed().as_secs_f64(), on_processors() - processors);
                answer(&json!({"seconds": seconds, "processor_seconds": processors, "check": check}))?;
            }
            _ => break,
        }
    }
    answer(&json!({"peak": peak()?, "start": start, "loaded": loaded}))
}

fn answer(value: &Value) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}")?;
    Ok(out.flush()?)
}

/// Seconds that the threads of this process have been on processors.
fn on_processors() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Bytes of this process that are in memory, and the most that ever were.
fn peak() -> Result<u64, Failure> {
    status("VmHWM:")
}

fn resident() -> Result<u64, Failure> {
    status("VmRSS:")
}

fn status(key: &str) -> Result<u64, Failure> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find(|line| line.starts_with(key)).ok_or("no such line in /proc/self/status")?;
    let kibibytes: u64 = line.split_whitespace().nth(1).ok_or("no number in /proc/self/status")?.parse()?;
    Ok(kibibytes << 10)
}

/// The model at work; for sampling, too, it keeps the copy of its matrices that decoding multiplies with.
enum Side {
    Trains(Box<Trainer>),
    Completes(Box<dyn LanguageModel>),
}

impl Side {
    fn new(case: &Case) -> Result<Self, Failure> {
        let model = Model::load(&case.model)?;
        // Without a copy of its matrices in single precision, where another one takes its place.
        let activations = if case.recompute || case.rounded { Activations::Recompute } else { Activations::Keep };
        let model = match case.work {
            Work::Adapt => {
                let adapter = Adapter::init(AdapterConfig::default(), model.config(), 1);
                model.with_adapter(adapter)
            }
            Work::Train => model,
            Work::Decode | Work::Sample => {
                let decoding = if case.rounded { Precision::Bf16 } else { Precision::F32 };
                let options = EngineOptions { activations, decoding, ..EngineOptions::default() };
                return Ok(Self::Completes(start(model, &options)?));
            }
        };
        Ok(Self::Trains(Box::new(Trainer::with_activations(model, activations))))
    }

    /// One round; a number that other sides can be compared by.
    fn round(&mut self, case: &Case) -> Result<f64, Failure> {
        match self {
            Self::Trains(trainer) => Ok(update(trainer, case)),
            Self::Completes(model) => complete(&mut **model, case),
        }
    }
}

/// One update; the check is the mean loss before it.
fn update(trainer: &mut Trainer, case: &Case) -> f64 {
    let sequences: Vec<Vec<u32>> = (0..case.batch).map(|row| case.tokens(row)).collect();
    let batch: Vec<Sequence<'_>> = sequences.iter().map(|tokens| Sequence { tokens, num_prompt: 1 }).collect();
    let share = 1.0 / (case.batch * (case.length - 1)) as f32;
    let upstream = |scores: &Scores| Upstream {
        logprobs: scores.logprobs.iter().map(|row| vec![-share; row.len()]).collect(),
        ..Upstream::default()
    };
    trainer.zero_gradients();
    let scores = trainer.accumulate(&batch, 1.0, upstream);
    trainer.step(&AdamW { lr: 1e-5, ..AdamW::default() });
    let total: f64 = scores.logprobs.iter().flatten().map(|logprob| f64::from(*logprob)).sum();
    -total * f64::from(share)
}

/// Completes every row; the check is a sum over the tokens that were drawn, by their places.
fn complete(model: &mut dyn LanguageModel, case: &Case) -> Result<f64, Failure> {
    let prompts: Vec<Vec<u32>> = (0..case.batch).map(|row| case.tokens(row)).collect();
    let rows: Vec<Prompt<'_>> = prompts.iter().zip(0..).map(|(tokens, row)| Prompt { tokens, seed: row }).collect();
    let temperature = if case.work == Work::Decode { 0.0 } else { 1.0 };
    let params = SamplingParams { max_new_tokens: case.new_tokens, temperature, ..SamplingParams::default() };
    // No id ends a row, so that every side draws equally many tokens.
    let sampled = model.complete(&rows, &Ends::default(), &params)?;
    let count: usize = sampled.iter().map(|row| row.tokens.len()).sum();
    assert_eq!(count, case.num_tokens(), "every row is completed");
    Ok(sampled.iter().map(|row| f64::from(row.tokens[0])).sum())
}
