//! Tokens per second, and the share of the rate at which the device multiplies matrices.

use std::time::Instant;

use codeward_lm::{
    AdamW, AdapterConfig, Ends, EngineError, EngineOptions, Model, ModelConfig, Prompt, SamplingParams, Scores,
    Sequence, Upstream, start,
};
use tch::{Cuda, Device, Kind, Tensor};

use crate::agreement::is_rounded;

/// Sequences of a batch, and their tokens.
const BATCH: [usize; 2] = [16, 256];
/// Tokens of a prompt, and tokens that are drawn after it.
const DECODED: [usize; 2] = [64, 128];

/// A model by name and shape.
struct Shape {
    name: &'static str,
    layers: usize,
    hidden: usize,
    heads: [usize; 2],
    head_dim: usize,
    inner: usize,
    vocab: usize,
    /// Too large for a processor.
    is_large: bool,
}

const SHAPES: [Shape; 4] = [
    Shape { name: "6M", layers: 6, hidden: 256, heads: [4, 2], head_dim: 64, inner: 768, vocab: 4096, is_large: false },
    Shape {
        name: "30M",
        layers: 8,
        hidden: 512,
        heads: [8, 4],
        head_dim: 64,
        inner: 1536,
        vocab: 8192,
        is_large: true,
    },
    // SmolLM2-135M.
    Shape {
        name: "135M",
        layers: 30,
        hidden: 576,
        heads: [9, 3],
        head_dim: 64,
        inner: 1536,
        vocab: 49_152,
        is_large: true,
    },
    // Qwen2.5-Coder-1.5B.
    Shape {
        name: "1.5B",
        layers: 28,
        hidden: 1536,
        heads: [12, 2],
        head_dim: 128,
        inner: 8960,
        vocab: 151_936,
        is_large: true,
    },
];

impl Shape {
    fn config(&self) -> ModelConfig {
        ModelConfig {
            hidden_size: self.hidden,
            intermediate_size: self.inner,
            num_hidden_layers: self.layers,
            num_attention_heads: self.heads[0],
            num_key_value_heads: self.heads[1],
            head_dim: self.head_dim,
            vocab_size: self.vocab,
            max_position_embeddings: 2048,
            ..ModelConfig::tiny()
        }
    }

    /// Multiplications and additions of a forward pass for one token of a sequence, attention at half the length included.
    fn flops(&self, length: usize) -> f64 {
        let [query, key] = self.heads.map(|heads| heads * self.head_dim);
        let matrices = self.hidden * (query + 2 * key) + query * self.hidden + 3 * self.hidden * self.inner;
        let attention = query * length;
        2.0 * (self.layers * (matrices + attention) + self.hidden * self.vocab) as f64
    }
}

/// Prints the table of an engine.
pub(crate) fn table(engine: &str, is_quick: bool) {
    let is_card = engine.contains("cuda");
    let rate = matrix_rate(is_card, is_rounded(engine));
    println!("\n{engine}: matrices at {:.2} TFLOP/s", rate / 1e12);
    for shape in SHAPES.iter().filter(|shape| !shape.is_large || (is_card && !is_quick)) {
        for (what, adapter) in [("training", None), ("LoRA, rank 16", Some(AdapterConfig::default()))] {
            report(shape, what, train(shape, engine, adapter.as_ref()), rate);
        }
        for rows in [1, 16, 64, 256] {
            report(shape, &format!("sampling, {rows} rows"), sample(shape, engine, rows), rate);
        }
    }
}

/// Tokens per second, and floating-point operations of each that nobody can do without.
struct Speed {
    tokens_per_second: f64,
    flops: f64,
}

fn report(shape: &Shape, what: &str, speed: Result<Speed, EngineError>, rate: f64) {
    match speed {
        Ok(Speed { tokens_per_second, flops }) => println!(
            "  {:<5} {what:<18} {tokens_per_second:>12.0} tokens/s, {:>5.1} % of the matrix rate",
            shape.name,
            100.0 * tokens_per_second * flops / rate
        ),
        Err(error) => println!("  {:<5} {what:<18} {error}", shape.name),
    }
}

/// The best of several products of two large matrices.
fn matrix_rate(is_card: bool, is_rounded: bool) -> f64 {
    let (device, size) = if is_card { (Device::Cuda(0), 8192) } else { (Device::Cpu, 1024) };
    let kind = if is_rounded { Kind::BFloat16 } else { Kind::Float };
    let matrix = || Tensor::randn([size, size], (Kind::Float, device)).to_kind(kind);
    let (a, b) = (matrix(), matrix());
    let wait = || {
        if is_card {
            Cuda::synchronize(0);
        }
    };
    let mut best = f64::INFINITY;
    for _ in 0..12 {
        wait();
        let begun = Instant::now();
        let _product = a.matmul(&b);
        wait();
        best = best.min(begun.elapsed().as_secs_f64());
    }
    2.0 * (size as f64).powi(3) / best
}

fn options(engine: &str, adapter: Option<&AdapterConfig>) -> EngineOptions {
    EngineOptions { engine: engine.to_owned(), adapter: adapter.cloned(), ..EngineOptions::default() }
}

fn tokens(count: usize, seed: usize, vocab: usize) -> Vec<u32> {
    (0..count).map(|i| ((i * i * 31 + i * 17 + seed * 101) % vocab) as u32).collect()
}

/// Seconds of the median of several runs, after two to warm up.
fn median(mut run: impl FnMut() -> Result<(), EngineError>) -> Result<f64, EngineError> {
    let mut times = Vec::new();
    for round in 0..7 {
        let begun = Instant::now();
        run()?;
        if round > 1 {
            times.push(begun.elapsed().as_secs_f64());
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// Forward, backward and an update. The operations of a frozen matrix's gradient are not needed, and not counted.
fn train(shape: &Shape, engine: &str, adapter: Option<&AdapterConfig>) -> Result<Speed, EngineError> {
    let [sequences, length] = BATCH;
    let mut model = start(Model::init(shape.config(), 1), &options(engine, adapter))?;
    let rows: Vec<Vec<u32>> = (0..sequences).map(|seed| tokens(length + 1, seed, shape.vocab)).collect();
    let batch: Vec<Sequence<'_>> = rows.iter().map(|tokens| Sequence { tokens, num_prompt: 1 }).collect();
    let mut upstream = |scores: &Scores| Upstream {
        logprobs: scores.logprobs.iter().map(|row| vec![-1e-3; row.len()]).collect(),
        ..Upstream::default()
    };
    let seconds = median(|| {
        model.zero_gradients();
        model.accumulate(&batch, 1.0, &mut upstream)?;
        model.step(&AdamW { lr: 1e-5, ..AdamW::default() }).map(|_| ())
    })?;
    let passes = if adapter.is_some() { 2.0 } else { 3.0 };
    Ok(Speed { tokens_per_second: (sequences * length) as f64 / seconds, flops: passes * shape.flops(length) })
}

/// Rows of one prompt, each with draws of its own.
fn sample(shape: &Shape, engine: &str, rows: usize) -> Result<Speed, EngineError> {
    let [prompt, drawn] = DECODED;
    let mut model = start(Model::init(shape.config(), 1), &options(engine, None))?;
    let text = tokens(prompt, 3, shape.vocab);
    let prompts: Vec<Prompt<'_>> = (0..rows).map(|seed| Prompt { tokens: &text, seed: seed as u64 }).collect();
    let params = SamplingParams { max_new_tokens: drawn, ..SamplingParams::default() };
    let seconds = median(|| model.complete(&prompts, &Ends::default(), &params).map(|_| ()))?;
    Ok(Speed { tokens_per_second: (rows * drawn) as f64 / seconds, flops: shape.flops(2 * prompt + drawn) })
}
