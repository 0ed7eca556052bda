//! The engine of libtorch on this machine: does it compute what the processor's own engine computes, and how fast is it?
//!
//! `scripts/gpu-check` builds it, brings it to a machine with a card, and runs it there; its head says how. By hand, with the
//! PyTorch that `docs/decisions/0010` names:
//!
//! ```text
//! LIBTORCH_USE_PYTORCH=1 cargo run --release -p codeward-lm --features libtorch --example gpu_check -- --quick
//! ```
//!
//! `--fixtures FOLDER` says where `crates/lm/tests/fixtures` lies, `--checkpoint FOLDER` names a checkpoint to compare too, `--engine NAME`
//! takes one engine, `--quick` leaves out large shapes, `--parity` leaves out all times. Exit status 1: something is further apart than it
//! may be. 2: it could not be tried.

#![expect(clippy::print_stdout, reason = "a check prints")]

#[path = "../../tests/agreement/mod.rs"]
mod agreement;
mod published;
mod rates;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use agreement::Distance;
use codeward_lm::engines;

struct Options {
    fixtures: PathBuf,
    checkpoint: Option<PathBuf>,
    engines: Vec<String>,
    is_quick: bool,
    parity_only: bool,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        fixtures: PathBuf::from("crates/lm/tests/fixtures"),
        checkpoint: None,
        engines: Vec::new(),
        is_quick: false,
        parity_only: false,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
        match argument.as_str() {
            "--fixtures" => options.fixtures = value()?.into(),
            "--checkpoint" => options.checkpoint = Some(value()?.into()),
            "--engine" => options.engines.push(value()?),
            "--quick" => options.is_quick = true,
            "--parity" => options.parity_only = true,
            other => return Err(format!("unknown argument {other}")),
        }
    }
    if options.engines.is_empty() {
        options.engines =
            engines().into_iter().filter(|name| name.starts_with("libtorch")).map(str::to_owned).collect();
    }
    if !options.fixtures.join("parity").is_dir() {
        return Err(format!("no fixtures at {}", options.fixtures.display()));
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(problem) => {
            println!("{problem}");
            return ExitCode::from(2);
        }
    };
    println!("engines here: {}", engines().join(", "));
    println!("CUDA run time {}, cuDNN {}", tch::utils::version_cudart(), tch::utils::version_cudnn());
    let mut is_fine = true;
    for engine in &options.engines {
        is_fine &= parity(&options.fixtures, engine);
        if let Some(folder) = &options.checkpoint {
            is_fine &= show(engine, &published::distances(folder, engine));
        }
    }
    if !options.parity_only {
        for engine in &options.engines {
            rates::table(engine, options.is_quick);
        }
    }
    if is_fine { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// The furthest of each kind, over all fixtures.
fn parity(fixtures: &Path, engine: &str) -> bool {
    let mut furthest: BTreeMap<String, Distance> = BTreeMap::new();
    for distance in agreement::distances(fixtures, engine) {
        let kind = distance.what.rsplit_once(": ").map_or(distance.what.as_str(), |(_, kind)| kind).to_owned();
        // A NaN is further than everything.
        let share = |distance: &Distance| distance.found / distance.limit;
        let is_further = furthest.get(&kind).is_none_or(|known| share(&distance).total_cmp(&share(known)).is_gt());
        if is_further {
            furthest.insert(kind, distance);
        }
    }
    show(engine, &furthest.into_values().collect::<Vec<_>>())
}

fn show(engine: &str, distances: &[Distance]) -> bool {
    println!("\n{engine} beside the processor's own engine, relative to the length of what is compared");
    println!("{:>9}  {:>9}", "furthest", "may be");
    for distance in distances {
        let mark = if distance.is_fine() { "" } else { "  TOO FAR" };
        println!("{:>9.1e}  {:>9.1e}  {}{mark}", distance.found, distance.limit, distance.what);
    }
    distances.iter().all(Distance::is_fine)
}
