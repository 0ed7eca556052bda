//! How many programs a second the sandbox runs, beside other ways to run the same programs.
//!
//! `cargo run --release -p codeward-sandbox --example bench_sandbox -- [--clients 2] [--rounds 5] [--seconds 2] [--only text]`
//!
//! Every side runs the same eight small programs on the same inputs, with the same number of clients, each waiting for one
//! program before it asks for the next, and every output is compared with the known correct one. The sides take turns in
//! each round, so that a machine that slows down slows all of them; figures are medians over rounds, and ratios medians of
//! the ratios within a round. EvalPlus and verl need the environment that `scripts/bench-env` makes; without it, and without
//! bubblewrap, those sides are left out with a message.

#![expect(clippy::print_stdout, reason = "a measurement prints what it measured")]
#![expect(
    clippy::disallowed_methods,
    reason = "the sandbox is compared with plain processes, which run our own programs"
)]

mod bare;
mod cpu;
mod measure;
mod peers;
mod processes;
mod report;
mod sandboxed;
mod scaling;
mod workload;

use std::path::{Path, PathBuf};

use bare::BareServers;
use measure::{Batch, Failure, Side};
use peers::Peer;
use processes::Processes;
use report::Record;
use sandboxed::Sandboxed;
use workload::NUM_PROGRAMS;

/// What the command line asks for.
struct Options {
    clients: usize,
    rounds: usize,
    seconds: f64,
    only: Option<String>,
}

impl Options {
    fn from_arguments(arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self { clients: 2, rounds: 5, seconds: 2.0, only: None };
        let mut arguments = arguments;
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--clients" => options.clients = value.parse::<usize>()?.max(1),
                "--rounds" => options.rounds = value.parse::<usize>()?.max(1),
                "--seconds" => options.seconds = value.parse()?,
                "--only" => options.only = Some(value),
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|text| name.contains(text.as_str()))
    }
}

/// The sides that this machine has, the sandbox first, and why others are missing.
fn sides(options: &Options) -> Result<Vec<Box<dyn Side>>, Failure> {
    let clients = options.clients;
    let ours = Sandboxed::start("ours", clients)?;
    let python = ours.python().to_owned();
    println!("interpreter of the sandbox: {} ({})", python.display(), ours.version());
    println!("start of the sandbox with {clients} workers, canary included: {:.0} ms", ours.start_ms());
    let mut sides: Vec<Box<dyn Side>> = Vec::new();
    if options.wants("bare") {
        sides.push(Box::new(BareServers::start(&python, &ours.modules_inside()?, clients)?));
    }
    sides.insert(0, Box::new(ours));
    for workers in scaling::measured_counts().into_iter().filter(|workers| *workers != clients) {
        let name = format!("ours-{workers}");
        if options.wants(&name) {
            sides.push(Box::new(Sandboxed::start(&name, workers)?));
        }
    }
    for side in process_sides(&python, clients).into_iter().filter(|side| options.wants(side.name())) {
        sides.push(Box::new(side));
    }
    if options.wants("bubblewrap") {
        match processes::find_bubblewrap() {
            Some(bubblewrap) => sides.push(Box::new(Processes::bubblewrap(&bubblewrap, &python, clients))),
            None => println!("left out: bubblewrap: no bwrap on the search path"),
        }
    }
    for peer in [Peer::evalplus(clients), Peer::verl(clients)] {
        if options.wants(peer.name()) {
            match peer.missing() {
                None => sides.push(Box::new(peer)),
                Some(reason) => println!("left out: {}: {reason}", peer.name()),
            }
        }
    }
    Ok(sides)
}

fn process_sides(python: &Path, clients: usize) -> Vec<Processes> {
    let mut sides = vec![
        Processes::plain("subprocess", python, &["-I"], clients),
        Processes::plain("subprocess-bare", python, &["-I", "-S", "-B"], clients),
    ];
    let system = PathBuf::from("/usr/bin/python3");
    match system.canonicalize() {
        Ok(resolved) if resolved != python => {
            sides.push(Processes::plain("subprocess-system", &system, &["-I"], clients));
        }
        _ => {}
    }
    sides
}

/// As many programs as take about `seconds`, in whole turns through the workload.
fn batch_size(trial: &Batch, seconds: f64) -> usize {
    let wanted = (trial.per_second() * seconds) as usize;
    wanted.next_multiple_of(NUM_PROGRAMS).max(2 * NUM_PROGRAMS)
}

fn main() -> Result<(), Failure> {
    let options = Options::from_arguments(std::env::args().skip(1))?;
    cpu::adopt_orphans()?;
    let mut sides = sides(&options)?;
    let mut records = Vec::new();
    for side in &mut sides {
        let trial = side.run(8 * NUM_PROGRAMS)?;
        println!("{:<18} {}", side.name(), side.describe());
        records.push(Record::new(side.name(), side.workers(), batch_size(&trial, options.seconds)));
    }
    for round in 0..options.rounds {
        // Another side begins each time, so that none always follows the same one.
        for turn in 0..sides.len() {
            let index = (round + turn) % sides.len();
            let batch = sides[index].run(records[index].num_programs)?;
            records[index].batches.push(batch);
        }
    }
    report::print(&records, options.clients);
    Ok(())
}
