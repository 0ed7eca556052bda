//! How long CodeBLEU takes here and in the package `codebleu`, over the same pairs in one run.
//!
//! `cargo run --release -p codeward-analysis --example bench_similarity -- [--python PATH] [--rounds 7]`
//!
//! The pairs are those of `tests/fixtures/codebleu`; the package is that of `requirements.txt` there, in the environment of the Python named,
//! as a library in one process that has its modules loaded, with the standard settings. One thread each. A pair's time is the median over
//! rounds. Ours is given twice: both texts prepared for each pair, which is what the ratio `codebleu_vs_package` compares, and with the
//! reference kept, as for a group of completions (`kept_reference_vs_package`). A language's figures are means over its pairs. Without
//! `--python` there are no ratios.

#![expect(clippy::print_stdout, reason = "a measurement prints what it measured")]
#![expect(clippy::disallowed_methods, reason = "it starts the package it compares with")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use codeward_analysis::Language;
use codeward_analysis::similarity::{LANGUAGES, Mode, Prepared, Weights, ast_similarity, codebleu};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Failure = Box<dyn std::error::Error>;

/// What the child does: read the pairs, score each once per round, and print each one's median seconds.
const PACKAGE: &str = "
import json, logging, statistics, sys, time
from codebleu import calc_codebleu
logging.disable(logging.CRITICAL)
rows = [json.loads(line) for line in open(sys.argv[1], encoding='utf-8')]
times = [[] for _ in rows]
for turn in range(int(sys.argv[2]) + 1):
    for row, spent in zip(rows, times):
        started = time.perf_counter()
        calc_codebleu([row['reference']], [row['candidate']], row['language'], weights=(0.1, 0.1, 0.7, 0.1))
        if turn:
            spent.append(time.perf_counter() - started)
print(json.dumps([statistics.median(spent) for spent in times]))
";

#[derive(Deserialize)]
struct Pair {
    language: Language,
    reference: String,
    candidate: String,
}

/// Median microseconds of each pair: all of it, with the reference kept, and the package's.
#[derive(Default)]
struct Times {
    whole: Vec<f64>,
    kept: Vec<f64>,
    compared: Vec<f64>,
    package: Vec<f64>,
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn micros<T>(work: impl Fn() -> T, rounds: usize) -> f64 {
    std::hint::black_box(work());
    let time = || {
        let started = Instant::now();
        std::hint::black_box(work());
        started.elapsed().as_secs_f64() * 1e6
    };
    median((0..rounds).map(|_| time()).collect())
}

fn measure(pairs: &[Pair], rounds: usize) -> Result<Times, Failure> {
    let mut times = Times::default();
    for pair in pairs {
        let prepare = |text: &str| Prepared::new(pair.language, text);
        let (reference, candidate) = (prepare(&pair.reference)?, prepare(&pair.candidate)?);
        let compare = |reference: &Prepared, candidate: &Prepared| {
            let similarity = codebleu(reference, candidate, &Weights::SECCODERX, Mode::Package);
            (similarity, ast_similarity(reference, candidate))
        };
        let whole = || Ok::<_, Failure>(compare(&prepare(&pair.reference)?, &prepare(&pair.candidate)?));
        times.whole.push(micros(whole, rounds));
        times.kept.push(micros(|| Ok::<_, Failure>(compare(&reference, &prepare(&pair.candidate)?)), rounds));
        times.compared.push(micros(|| compare(&reference, &candidate), rounds));
    }
    Ok(times)
}

fn package_micros(python: &PathBuf, fixture: &str, rounds: usize) -> Result<Vec<f64>, Failure> {
    let mut command = Command::new(python);
    command.args(["-c", PACKAGE, fixture, &rounds.to_string()]).env("PYTHONHASHSEED", "0");
    let output = command.output().map_err(|error| format!("{}: {error}", python.display()))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let seconds: Vec<f64> = serde_json::from_slice(&output.stdout)?;
    Ok(seconds.into_iter().map(|seconds| seconds * 1e6).collect())
}

fn main() -> Result<(), Failure> {
    let (mut python, mut rounds) = (None, 7);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--python" => python = Some(PathBuf::from(value)),
            "--rounds" => rounds = value.parse::<usize>()?.max(3),
            _ => return Err(format!("unknown option {name}").into()),
        }
    }
    if cfg!(debug_assertions) {
        println!("built without optimisation: these times say nothing");
    }
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/codebleu/pairs.jsonl");
    let text = std::fs::read_to_string(fixture).map_err(|error| format!("{fixture}: {error}"))?;
    let pairs: Vec<Pair> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let mut times = measure(&pairs, rounds)?;
    if let Some(python) = &python {
        times.package = package_micros(python, fixture, rounds)?;
    }
    let mean = |values: &[f64], language: Option<Language>| {
        let own =
            pairs.iter().zip(values).filter(|(pair, _)| language.is_none_or(|language| pair.language == language));
        let (sum, count) = own.fold((0.0, 0_usize), |(sum, count), (_, value)| (sum + value, count + 1));
        sum / count.max(1) as f64
    };
    println!(
        "{:<12} {:>6} {:>10} {:>10} {:>12} {:>12} {:>8} {:>8}",
        "", "pairs", "whole us", "kept us", "compared us", "package us", "ratio", "kept"
    );
    let mut figures: BTreeMap<&str, Value> = BTreeMap::new();
    let mut ratios = Map::new();
    for language in LANGUAGES.into_iter().map(Some).chain([None]) {
        let name = language.map_or("all", Language::name);
        let [whole, kept, compared, package] =
            [&times.whole, &times.kept, &times.compared, &times.package].map(|values| mean(values, language));
        let count = pairs.iter().filter(|pair| language.is_none_or(|language| pair.language == language)).count();
        println!(
            "{name:<12} {count:>6} {whole:>10.0} {kept:>10.0} {compared:>12.1} {package:>12.0} {:>8.1} {:>8.1}",
            package / whole,
            package / kept
        );
        figures.insert(
            name,
            json!({"pairs": count, "whole_us": whole, "kept_reference_us": kept, "compared_us": compared, "package_us": package}),
        );
        if python.is_some() && language.is_none() {
            ratios.insert("codebleu_vs_package".to_owned(), json!(package / whole));
            ratios.insert("kept_reference_vs_package".to_owned(), json!(package / kept));
        }
    }
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let host =
        json!({"system": std::env::consts::OS, "architecture": std::env::consts::ARCH, "processors": processors});
    println!("\n{}", json!({"area": "similarity", "host": host, "ratios": ratios, "figures": figures}));
    Ok(())
}
