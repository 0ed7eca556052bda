//! How long analysers of others take inside the sandbox: to be opened, for one file, and for a batch of different files.
//!
//! `cargo run --release -p codeward-analysis --example external_latency`

use std::time::Instant;

use codeward_analysis::Language;
use codeward_analysis::external::{Analyser, External, Installed, SourceFile};
use codeward_sandbox::{Sandbox, Settings};

const PYTHON: &str = include_str!("samples/orders.py");
const C: &str = include_str!("samples/records.c");
const JAVASCRIPT: &str = include_str!("samples/files.js");
const BATCH: usize = 50;

#[expect(clippy::print_stdout, reason = "a measurement for people")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let installed = Installed::find(std::env::var_os("PATH").as_deref());
    let sandbox = Sandbox::start_with(&Settings { shown: installed.shown().to_vec(), ..Settings::default() })?;
    println!(
        "{:<12} {:<12} {:>9} {:>10} {:>11} {:>10} {:>7}",
        "analyser", "version", "open ms", "1 file ms", "50 files ms", "each ms", "found"
    );
    for analyser in Analyser::ALL {
        let start = Instant::now();
        let external = match External::open(analyser, &installed, &sandbox) {
            Ok(external) => external,
            Err(error) => {
                println!("{analyser:<12} {error}");
                continue;
            }
        };
        let opened = start.elapsed();
        let (language, source) = match analyser {
            Analyser::Bandit | Analyser::Semgrep | Analyser::Opengrep | Analyser::Codeql => (Language::Python, PYTHON),
            Analyser::Eslint => (Language::JavaScript, JAVASCRIPT),
            _ => (Language::C, C),
        };
        let comment = if language == Language::Python { '#' } else { '/' };
        let text = |number: usize| format!("{source}{comment}{comment} {number}\n");
        let mut single: Vec<f64> = Vec::new();
        for number in 0..5 {
            let source = text(1000 + number);
            let batch = external.analyse(&sandbox, &[SourceFile { language, source: &source }])?;
            single.push(batch.wall.as_secs_f64() * 1e3);
        }
        single.sort_by(f64::total_cmp);
        let sources: Vec<String> = (0..BATCH).map(text).collect();
        let files: Vec<_> = sources.iter().map(|source| SourceFile { language, source }).collect();
        let batch = external.analyse(&sandbox, &files)?;
        let whole = batch.wall.as_secs_f64() * 1e3;
        let found =
            batch.files[0].as_ref().map_or_else(|error| error.kind().to_owned(), |found| found.len().to_string());
        println!(
            "{analyser:<12} {:<12} {:>9.0} {:>10.0} {whole:>11.0} {:>10.1} {found:>7}",
            external.version().chars().take(12).collect::<String>(),
            opened.as_secs_f64() * 1e3,
            single[2],
            (whole - single[2]) / (BATCH - 1) as f64,
        );
    }
    Ok(())
}
