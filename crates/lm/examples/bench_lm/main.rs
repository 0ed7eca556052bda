//! How fast training and decoding are, and how much memory they take, beside PyTorch and llama.cpp.
//!
//! `cargo run --release -p codeward-lm --example bench_lm -- [--python PYTHON] [--llama-python PYTHON]
//! [--checkpoint FOLDER] [--rounds 5] [--threads 2] [--only train_6m,decode_b16] [--curves]`
//!
//! Every side of a case is a process of its own, with the same weights, tokens and number of threads, all in single
//! precision. Rounds of the sides alternate, after one to warm up, and a ratio is the median over rounds of the other side's
//! time by ours: above one, ours is faster. "processors" is the same ratio of the time
//! that the threads of a side were on processors, which says more on a busy machine. `peak_memory` is the other way round: the most memory that our process
//! ever had by the most that PyTorch's had, both whole, in the training case where that is worst.
//!
//! `--python` names a Python with PyTorch, `transformers` and PEFT; `--llama-python` one with `llama-cpp-python` and `gguf`.
//! Without them only our side is measured. `--checkpoint` is SmolLM2-135M; without it, random weights take its place, which
//! take the same time. `--curves` measures how cost grows with length, batch, width and depth instead of the cases.
//! A training round is one update: forward, backward, norm of the gradient and `AdamW`. A decoding round completes every
//! row, its prompt included. The last line is a JSON object with everything.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a measurement prints what it measured")]

mod bound;
mod case;
mod measure;
mod side;
mod worker;

use std::path::{Path, PathBuf};

use case::{Case, Shape, Work};
use codeward_lm::{Family, Model, ModelConfig, Precision};
use measure::Bench;
use serde_json::json;
use side::Engine;

type Failure = Box<dyn std::error::Error>;

struct Options {
    torch: Option<Engine>,
    llamacpp: Option<Engine>,
    checkpoint: Option<PathBuf>,
    rounds: usize,
    threads: usize,
    only: Vec<String>,
    curves: bool,
}

impl Options {
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self {
            torch: None,
            llamacpp: None,
            checkpoint: None,
            rounds: 5,
            threads: 2,
            only: Vec::new(),
            curves: false,
        };
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value"));
            match name.as_str() {
                "--python" => options.torch = Some(Engine::Torch(PathBuf::from(value()?))),
                "--llama-python" => options.llamacpp = Some(Engine::LlamaCpp(PathBuf::from(value()?))),
                "--checkpoint" => options.checkpoint = Some(PathBuf::from(value()?)),
                "--rounds" => options.rounds = value()?.parse::<usize>()?.max(1),
                "--threads" => options.threads = value()?.parse::<usize>()?.max(1),
                "--only" => options.only = value()?.split(',').map(str::to_owned).collect(),
                "--curves" => options.curves = true,
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        Ok(options)
    }
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if_eq("worker").is_some() {
        return worker::run();
    }
    let options = Options::from_arguments(arguments)?;
    for (engine, option) in [(&options.torch, "--python"), (&options.llamacpp, "--llama-python")] {
        if engine.is_none() {
            eprintln!("no {option}: that side is left out");
        }
    }
    let folder = tempfile::tempdir()?;
    let mut bench = Bench::new(options.rounds, options.threads)?;
    if options.curves {
        curves(&mut bench, &options, folder.path())?;
    } else {
        cases(&mut bench, &options, folder.path())?;
    }
    println!("{}", bench.summary());
    Ok(())
}

/// Writes random weights of a shape, unless they are there; gives the folder.
fn random_model(folder: &Path, name: &str, config: ModelConfig) -> Result<PathBuf, Failure> {
    let folder = folder.join(name);
    if !folder.is_dir() {
        Model::init(config, 1).save(&folder, Precision::F32)?;
    }
    Ok(folder)
}

/// The shape of SmolLM2-135M.
fn smollm2() -> ModelConfig {
    ModelConfig {
        hidden_size: 576,
        intermediate_size: 1536,
        num_hidden_layers: 30,
        num_attention_heads: 9,
        num_key_value_heads: 3,
        head_dim: 64,
        vocab_size: 49_152,
        rms_norm_eps: 1e-5,
        rope_theta: 100_000.0,
        max_position_embeddings: 8192,
        ..ModelConfig::of_family(Family::Llama)
    }
}

/// What a training case has by default.
fn training(name: &str, model: PathBuf, vocabulary: usize) -> Case {
    Case {
        name: name.to_owned(),
        work: Work::Train,
        model,
        vocabulary,
        batch: 16,
        length: 128,
        new_tokens: 0,
        group: 1,
        recompute: false,
        rounded: false,
    }
}

/// The cases whose ratios are promised.
fn cases(bench: &mut Bench, options: &Options, folder: &Path) -> Result<(), Failure> {
    let wanted = |name: &str| options.only.is_empty() || options.only.iter().any(|only| only == name);
    let torch = options.torch.as_slice();
    for (name, shape) in [("train_6m", Shape::SMALL), ("train_30m", Shape::MEDIUM)] {
        if wanted(name) {
            let model = random_model(folder, name, shape.config())?;
            bench.training(&training(name, model, shape.vocabulary), torch)?;
        }
    }
    let large = |name: &str| -> Result<Case, Failure> {
        let model = match &options.checkpoint {
            Some(folder) => folder.clone(),
            None => random_model(folder, "135m", smollm2())?,
        };
        Ok(training(name, model, smollm2().vocab_size))
    };
    if wanted("train_135m") {
        bench.training(&Case { batch: 8, length: 256, ..large("train_135m")? }, torch)?;
    }
    if wanted("lora_135m") {
        bench.training(&Case { work: Work::Adapt, length: 256, ..large("lora_135m")? }, torch)?;
    }
    let both: Vec<Engine> = torch.iter().chain(&options.llamacpp).cloned().collect();
    for batch in [1, 16, 64] {
        let name = format!("decode_b{batch}");
        if wanted(&name) {
            let case = Case { work: Work::Decode, batch, length: 32, new_tokens: 128, ..large(&name)? };
            bench.decoding(&case, &both)?;
        }
    }
    if wanted("group_64x8") {
        let prompts = Case { work: Work::Sample, batch: 64, length: 256, ..large("group_64x8")? };
        bench.decoding(&Case { group: 8, new_tokens: 128, ..prompts }, &both)?;
    }
    Ok(())
}

/// How cost grows.
fn curves(bench: &mut Bench, options: &Options, folder: &Path) -> Result<(), Failure> {
    let base = Shape { layers: 4, ..Shape::SMALL };
    let model = random_model(folder, "base", base.config())?;
    let torch = options.torch.as_slice();
    let point = |name: String| training(&name, model.clone(), base.vocabulary);
    for length in [64, 128, 256, 512, 1024] {
        bench.training(&Case { batch: 2048 / length, length, ..point(format!("length_{length}")) }, torch)?;
    }
    for batch in [1, 4, 16, 64] {
        bench.training(&Case { batch, ..point(format!("batch_{batch}")) }, torch)?;
    }
    for width in [128, 256, 512, 1024] {
        let name = format!("width_{width}");
        let model = random_model(folder, &name, Shape { width, ..base }.config())?;
        bench.training(&Case { model, ..point(name) }, torch)?;
    }
    for layers in [2, 4, 8, 16] {
        let name = format!("depth_{layers}");
        let model = random_model(folder, &name, Shape { layers, ..base }.config())?;
        bench.training(&Case { model, ..point(name) }, torch)?;
    }
    let decoding = |name: String| Case { work: Work::Decode, length: 32, new_tokens: 128, ..point(name) };
    for batch in [1, 4, 16, 64, 256] {
        bench.decoding(&Case { batch, ..decoding(format!("decode_batch_{batch}")) }, torch)?;
    }
    for new_tokens in [64, 128, 256, 512, 1024] {
        bench.decoding(&Case { new_tokens, ..decoding(format!("decode_length_{new_tokens}")) }, torch)?;
    }
    bench
        .note("base of the curves", json!({"layers": base.layers, "width": base.width, "vocabulary": base.vocabulary}));
    Ok(())
}
