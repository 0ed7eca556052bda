//! How many completions a second the engine scores, beside SecureCodeRL's own path over completions of the same kind.
//!
//! `cargo run --release -p codeward-reward --example bench_reward -- [--workers 2] [--rounds 4] [--batches 2] [--batch 128] [--samples 16]`
//!
//! Completions are references of the bundled tasks, secure and vulnerable, each with a constant of its own so that none is known
//! from before, every fourth in a fenced block, every eighth broken in one of five ways. The judge is off. The sides take turns
//! in each round, and another begins each time; figures are medians over rounds. The ratio is of
//! all completions by all seconds of both, since the samples of the slow side are of other families in each round; by default they
//! are of every family once in four rounds.
//!
//! | side | what it asks |
//! |---|---|
//! | `whole` | functional tests, our analyser, CodeBLEU with every secure reference |
//! | `whole-stored` | the same, with every result kept on disk before a batch counts as done |
//! | `codeward` | the recipe of that name: tests, analyser, length, tampering, repetition, spans for findings |
//! | `securecoderl-path` | as published: one interpreter for each functional test, five seconds each, and one Bandit for each sample |
//!
//! The last side needs the environment that `scripts/analysis-env` makes, in `target/analysis-env` or where `CODEWARD_ANALYSIS_ENV`
//! says; without it, it is left out with a message. It has as many workers as the others and the interpreter of the sandbox.

#![expect(clippy::print_stdout, reason = "a measurement prints what it measured")]

#[path = "../../../sandbox/examples/bench_sandbox/cpu.rs"]
mod cpu;
mod peer;
mod pieces;
mod report;
mod sides;
mod workload;

use codeward_reward::RewardRecipe;
use codeward_sandbox::Sandbox;
use peer::{Peer, Scored};
use serde_json::{Map, json};
use sides::{Side, whole};
use workload::{Rollout, Workload};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What the command line asks for.
struct Options {
    workers: usize,
    rounds: usize,
    batches: usize,
    batch: usize,
    samples: usize,
}

impl Options {
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self { workers: 2, rounds: 4, batches: 2, batch: 128, samples: 16 };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            let count = value.parse::<usize>()?;
            match name.as_str() {
                "--workers" => options.workers = count.max(1),
                "--rounds" => options.rounds = count.max(1),
                "--batches" => options.batches = count.max(1),
                "--batch" => options.batch = count.max(1),
                "--samples" => options.samples = count,
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        Ok(options)
    }
}

/// The published path, unless it was not asked for or is not there.
fn find_peer(options: &Options) -> Result<Option<Peer>, Failure> {
    if options.samples == 0 {
        return Ok(None);
    }
    let sandbox = Sandbox::start(1)?;
    let found = Peer::find(sandbox.python().0, options.workers);
    Ok(found.inspect_err(|reason| println!("left out: securecoderl-path: {reason}")).ok())
}

/// How often both paths count the same passed tests; where they do not, the completion is shown.
fn agreement(peer: &Peer, side: &Side, workload: &Workload, rollouts: &[Rollout]) -> Result<(Scored, usize), Failure> {
    let scored = peer.score(&workload.tasks, rollouts)?;
    let ours = side.engine.score(&workload::items(&workload.tasks, rollouts));
    let mut num_same = 0;
    for ((theirs, ours), rollout) in scored.samples.iter().zip(&ours).zip(rollouts) {
        let share = ours.part("tests_passed").unwrap_or(0.0);
        if theirs.passed as f64 / theirs.of.max(1) as f64 == share {
            num_same += 1;
        } else {
            let id = &workload.tasks[rollout.task].id;
            println!(
                "{id}: {} of {} passed their way, a share of {share} ours:\n{}",
                theirs.passed, theirs.of, rollout.completion
            );
        }
    }
    Ok((scored, num_same))
}

fn main() -> Result<(), Failure> {
    let options = Options::from_arguments(std::env::args().skip(1))?;
    let host = report::host();
    cpu::adopt_orphans()?;
    if cfg!(debug_assertions) {
        println!("built without optimisation: these times say nothing");
    }
    let mut workload = Workload::bundled()?;
    let peer = find_peer(&options)?;
    let mut sides = vec![
        Side::start("whole", whole(), false, options.workers)?,
        Side::start("whole-stored", whole(), true, options.workers)?,
        Side::start("codeward", RewardRecipe::built_in("codeward", None)?, false, options.workers)?,
    ];
    println!(
        "{} tasks, {} workers, {} rounds of {} batches of {}, isolation {}",
        workload.tasks.len(),
        options.workers,
        options.rounds,
        options.batches,
        options.batch,
        sides[0].engine.isolation().name()
    );
    for side in &sides {
        side.run(&mut workload, 1, options.batch)?;
    }
    let (mut peer_rounds, mut num_same) = (Vec::new(), 0);
    for round in 0..options.rounds {
        for turn in 0..=sides.len() {
            let at = (round + turn) % (sides.len() + 1);
            if at < sides.len() {
                let measured = sides[at].run(&mut workload, options.batches, options.batch)?;
                sides[at].rounds.push(measured);
            } else if let Some(peer) = &peer {
                let rollouts = workload.spread(options.samples, round);
                let (scored, same) = agreement(peer, &sides[0], &workload, &rollouts)?;
                peer_rounds.push(scored);
                num_same += same;
            }
        }
    }
    let (mut figures, mut ratios) = (Map::new(), Map::new());
    report::rates(&sides, &mut figures);
    let (pieces, rescoring) = pieces::measure(&sides[1], &mut workload, 512)?;
    report::profile(&sides[0], &pieces, &mut figures);
    report::rescoring(&rescoring, &mut figures);
    if !peer_rounds.is_empty() {
        let ratio = report::peer(&sides[0], &peer_rounds, &mut figures);
        ratios.insert("vs_securecoderl_path".to_owned(), json!(ratio));
        println!("both count the same passed tests in {num_same} of {}", options.rounds * options.samples);
        figures.insert("same_tests_passed".to_owned(), json!(num_same));
    }
    println!("\n{}", json!({"area": "reward", "host": host, "ratios": ratios, "figures": figures}));
    Ok(())
}
