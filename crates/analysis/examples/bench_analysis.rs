//! How long an analysis takes, data flow included, beside other analysers over the same files.
//!
//! `cargo run --release -p codeward-analysis --example bench_analysis -- [--data DIR] [--rounds 21] [--peers]
//! [--language python]`
//!
//! The files are those of `corpus/`, of the size of one CWEval answer; with `--data` also CWEval's own, weak and sound, where
//! `DIR/cweval/cweval.jsonl` is there. One thread, language by language. A file's time is the median over rounds, each of which
//! takes a language's files in another order, and "least" its fastest round, which says more on a busy machine; a language's
//! figures are medians and means over its files, and p99 is over all analyses, which says something on a quiet machine only.
//!
//! With `--peers`, `vs_bandit_warm` is what Bandit takes for the Python files, as a library in one process that has scanned
//! before, by what we take. `vs_semgrep` is what one run of Semgrep over several hundred copies of the files takes for each, its
//! start included, by what we take for one; `vs_semgrep_single` what a run for one file takes. The others that work in runs are
//! measured in the same way. Every peer gets the languages that it has rules for. Of all sides the time on processors
//! counts, which on a quiet machine is what the clock says, and on a busy one still suffers from caches that others use too. Each
//! peer runs between two measurements of ours.

#![expect(clippy::print_stdout, reason = "a measurement prints what it measured")]

#[path = "fuzz_analysis/corpus.rs"]
mod corpus;
#[path = "peers/mod.rs"]
mod peers;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use codeward_analysis::{Language, analyse};
use peers::{Failure, PEERS, Peer, Scan, Snippet};
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long a peer took for a file, if it says so.
#[derive(Deserialize)]
struct FileTime {
    cpu_seconds: Option<f64>,
}

struct Options {
    data: Option<PathBuf>,
    rounds: usize,
    has_peers: bool,
    language: Option<Language>,
}

impl Options {
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self { data: None, rounds: 21, has_peers: false, language: None };
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value"));
            match name.as_str() {
                "--data" => options.data = Some(PathBuf::from(value()?)),
                "--rounds" => options.rounds = value()?.parse::<usize>()?.max(3),
                "--language" => options.language = Some(value()?.parse()?),
                "--peers" => options.has_peers = true,
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        Ok(options)
    }
}

/// The files by language, those of languages that are read.
fn files(options: &Options) -> Result<Vec<Snippet>, Failure> {
    let mut files = Vec::new();
    for language in Language::ALL {
        let texts = corpus::corpus(language).iter();
        files.extend(texts.map(|text| Snippet { language, text: (*text).to_owned() }));
    }
    if let Some(folder) = &options.data {
        files.extend(cweval(folder)?);
    }
    files.retain(|file| options.language.is_none_or(|language| file.language == language));
    Ok(files)
}

/// The answers of CWEval, weak and sound.
fn cweval(folder: &Path) -> Result<Vec<Snippet>, Failure> {
    let mut files = Vec::new();
    let path = folder.join("cweval/cweval.jsonl");
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    for line in text.lines() {
        let row: Value = serde_json::from_str(line)?;
        let language: Language = row["language"].as_str().unwrap_or_default().parse()?;
        let texts = ["task_code", "unsafe_code"].into_iter().filter_map(|field| row[field].as_str());
        let snippets = texts.map(|text| Snippet { language, text: text.to_owned() });
        files.extend(snippets);
    }
    Ok(files)
}

/// Microseconds of every analysis, file by file. Languages come one after the other, as the answers to a task do, and as every
/// peer reads them; files of one language change places from round to round.
fn measure(files: &[Snippet], rounds: usize) -> Vec<Vec<f64>> {
    let mut times = vec![Vec::with_capacity(rounds); files.len()];
    for language in Language::ALL {
        let own: Vec<usize> = (0..files.len()).filter(|at| files[*at].language == language).collect();
        for round in 0..=rounds {
            for turn in 0..own.len() {
                // Another order each round: steps that share no divisor with the count visit every file once.
                let at = own[(turn * coprime(own.len(), round) + round) % own.len()];
                let file = &files[at];
                let started = on_processor();
                let analysis = std::hint::black_box(analyse(file.language, &file.text));
                let spent = on_processor() - started;
                drop(analysis);
                // The first round only warms up.
                if round > 0 {
                    times[at].push(spent);
                }
            }
        }
    }
    times
}

/// Microseconds that this thread has been on a processor.
fn on_processor() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// A step from `start + 1` on that visits every one of `count` places.
fn coprime(count: usize, start: usize) -> usize {
    let divisor = |mut one: usize, mut other: usize| {
        while other > 0 {
            (one, other) = (other, one % other);
        }
        one
    };
    (start + 1..=start + 1 + count)
        .find(|step| divisor(*step, count) == 1)
        .expect("a multiple of the count plus one is one")
}

fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * share) as usize;
    values[at.min(values.len() - 1)]
}

fn median(values: Vec<f64>) -> f64 {
    quantile(values, 0.5)
}

/// Mean microseconds of ours over the files of some languages, each by its median.
fn mean(files: &[Snippet], times: &[Vec<f64>], is_meant: impl Fn(Language) -> bool) -> f64 {
    let meant = files.iter().zip(times).filter(|(file, _)| is_meant(file.language));
    let medians: Vec<f64> = meant.map(|(_, times)| median(times.clone())).collect();
    medians.iter().sum::<f64>() / medians.len().max(1) as f64
}

/// Bandit over the Python files, one after the other: mean microseconds of the files' medians over the rounds.
fn bandit_micros(peer: &Peer, files: &[Snippet], rounds: usize) -> Result<f64, Failure> {
    let own: Vec<Snippet> = files.iter().filter(|file| peer.reads(file.language)).cloned().collect();
    let many: Vec<Snippet> = std::iter::repeat_n(&own, rounds).flatten().cloned().collect();
    let scan = peer.scan::<FileTime>(&many)?;
    println!("bandit: {}", scan.version);
    let times: Vec<f64> = scan.files.iter().flatten().filter_map(|file| file.cpu_seconds).collect();
    let of_file = |at: usize| median(times.iter().skip(at).step_by(own.len()).map(|time| time * 1e6).collect());
    Ok((0..own.len()).map(of_file).sum::<f64>() / own.len() as f64)
}

/// A peer that reads all files in one run: microseconds for each.
fn batch_micros(peer: &Peer, files: &[Snippet], copies: usize) -> Result<f64, Failure> {
    let own = files.iter().filter(|file| peer.reads(file.language));
    let own: Vec<Snippet> = own.cloned().collect();
    let many: Vec<Snippet> = std::iter::repeat_n(&own, copies).flatten().cloned().collect();
    let scan = peer.scan::<FileTime>(&many)?;
    let Scan { version, seconds, cpu_seconds, .. } = scan;
    println!("{}: {version}, {} files in {seconds:.1} s, {cpu_seconds:.1} s on processors", peer.name, many.len());
    Ok(cpu_seconds * 1e6 / many.len() as f64)
}

/// A peer that is started for every file: microseconds for one, the middle of three files.
fn single_micros(peer: &Peer, files: &[Snippet]) -> Result<f64, Failure> {
    let own: Vec<&Snippet> = files.iter().filter(|file| peer.reads(file.language)).collect();
    let chosen = own.iter().step_by(own.len().div_ceil(3));
    let micros = |file: &&Snippet| Ok(peer.scan::<FileTime>(&[Snippet::clone(file)])?.cpu_seconds * 1e6);
    Ok(median(chosen.map(micros).collect::<Result<_, Failure>>()?))
}

/// What the peers take by what we take, each on the languages that it and we read.
fn ratios(files: &[Snippet], rounds: usize) -> Result<Map<String, Value>, Failure> {
    let mut ratios = Map::new();
    println!("\n{:<18} {:>14} {:>12} {:>14}", "", "us a file", "ours", "ours is ... x");
    for peer in PEERS {
        if let Some(reason) = peer.missing() {
            println!("left out: {}: {reason}", peer.name);
            continue;
        }
        if !files.iter().any(|file| peer.reads(file.language)) {
            continue;
        }
        let ours = || mean(files, &measure(files, rounds), |language| peer.reads(language));
        let before = ours();
        let theirs = match peer.name {
            "bandit" => vec![("bandit_warm".to_owned(), bandit_micros(peer, files, 7)?)],
            name => vec![
                (name.to_owned(), batch_micros(peer, files, 1 + 600 / files.len())?),
                (format!("{name}_single"), single_micros(peer, files)?),
            ],
        };
        let ours = f64::midpoint(before, ours());
        for (name, theirs) in theirs {
            println!("{name:<18} {theirs:>14.0} {ours:>12.0} {:>14.1}", theirs / ours);
            ratios.insert(format!("vs_{name}"), json!(theirs / ours));
        }
    }
    Ok(ratios)
}

fn main() -> Result<(), Failure> {
    let options = Options::from_arguments(std::env::args().skip(1))?;
    if cfg!(debug_assertions) {
        println!("built without optimisation: these times say nothing");
    }
    let files = files(&options)?;
    let times = measure(&files, options.rounds);
    println!(
        "{:<12} {:>6} {:>7} {:>10} {:>10} {:>10} {:>10} {:>10} {:>16}",
        "", "files", "bytes", "median us", "least us", "mean us", "slowest us", "p99 us", "snippets/s/core"
    );
    let mut figures: BTreeMap<&str, Value> = BTreeMap::new();
    for language in Language::ALL {
        let own: Vec<(&Snippet, &Vec<f64>)> =
            files.iter().zip(&times).filter(|(file, _)| file.language == language).collect();
        if own.is_empty() {
            continue;
        }
        let bytes = own.iter().map(|(file, _)| file.text.len()).sum::<usize>() / own.len();
        let medians: Vec<f64> = own.iter().map(|(_, times)| median((*times).clone())).collect();
        let mean = medians.iter().sum::<f64>() / medians.len() as f64;
        let least = median(own.iter().map(|(_, times)| quantile((*times).clone(), 0.0)).collect());
        let slowest = medians.iter().copied().fold(0.0, f64::max);
        let p99 = quantile(own.iter().flat_map(|(_, times)| times.iter().copied()).collect(), 0.99);
        let middle = median(medians);
        println!(
            "{:<12} {:>6} {bytes:>7} {middle:>10.0} {least:>10.0} {mean:>10.0} {slowest:>10.0} {p99:>10.0} {:>16.0}",
            language.name(),
            own.len(),
            1e6 / mean
        );
        figures.insert(
            language.name(),
            json!({"files": own.len(), "mean_bytes": bytes, "median_us": middle, "least_us": least, "mean_us": mean, "slowest_us": slowest,
                   "p99_us": p99, "snippets_per_second_per_core": 1e6 / mean}),
        );
    }
    let ratios = if options.has_peers { ratios(&files, options.rounds)? } else { Map::new() };
    println!("\n{}", json!({"area": "analysis", "ratios": ratios, "figures": figures}));
    Ok(())
}
