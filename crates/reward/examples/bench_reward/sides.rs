//! The engine under several recipes, and what its batches took.

use std::time::Instant;

use codeward_records::{Reward, Task};
use codeward_reward::{Engine, Equipment, RewardRecipe, Store};
use codeward_sandbox::Sandbox;
use rustix::time::{ClockId, clock_gettime};

use crate::Failure;
use crate::cpu;
use crate::workload::{Rollout, Workload, items};

/// Every part that needs running, reading or comparing, with equal weights.
const WHOLE: &str = r#"
name = "whole"
mode = "ours"
summary = "function, security and likeness to the reference in equal shares"
terms = [
  { weight = 0.4, product = ["functional"] },
  { weight = 0.3, product = ["security"] },
  { weight = 0.3, product = ["similarity"] },
]
"#;

/// One engine.
pub(crate) struct Side {
    pub(crate) name: &'static str,
    pub(crate) engine: Engine,
    pub(crate) rounds: Vec<Round>,
    /// Holds the store's file.
    _folder: Option<tempfile::TempDir>,
}

/// What the batches of a round took.
pub(crate) struct Round {
    pub(crate) num_rollouts: usize,
    pub(crate) seconds: f64,
    pub(crate) batch_ms: Vec<f64>,
    /// On processors: this process, and those that it started.
    pub(crate) own_cpu_seconds: f64,
    pub(crate) all_cpu_seconds: f64,
}

impl Round {
    pub(crate) fn per_second(&self) -> f64 {
        self.num_rollouts as f64 / self.seconds
    }
}

pub(crate) fn whole() -> RewardRecipe {
    RewardRecipe::parse(WHOLE).expect("it is a recipe")
}

impl Side {
    pub(crate) fn start(
        name: &'static str,
        recipe: RewardRecipe,
        has_store: bool,
        workers: usize,
    ) -> Result<Self, Failure> {
        let folder = has_store.then(tempfile::tempdir).transpose()?;
        let store = folder.as_ref().map(|folder| Store::open(&folder.path().join("results.redb"))).transpose()?;
        let engine = Engine::with(Sandbox::start(workers)?, recipe, Equipment { store, ..Equipment::default() })?;
        Ok(Self { name, engine, rounds: Vec::new(), _folder: folder })
    }

    /// Scores fresh completions, batch after batch, and fails when one that should be scored was not.
    pub(crate) fn run(&self, workload: &mut Workload, num_batches: usize, batch: usize) -> Result<Round, Failure> {
        let batches: Vec<Vec<Rollout>> = (0..num_batches).map(|_| workload.take(batch)).collect();
        let mut batch_ms = Vec::with_capacity(num_batches);
        let (own, all) = (own_cpu_seconds(), cpu::seconds());
        let started = Instant::now();
        for rollouts in &batches {
            let begun = Instant::now();
            let rewards = self.engine.score(&items(&workload.tasks, rollouts));
            self.engine.flush()?;
            batch_ms.push(begun.elapsed().as_secs_f64() * 1e3);
            check(&workload.tasks, rollouts, &rewards)?;
        }
        let seconds = started.elapsed().as_secs_f64();
        Ok(Round {
            num_rollouts: num_batches * batch,
            seconds,
            batch_ms,
            own_cpu_seconds: own_cpu_seconds() - own,
            all_cpu_seconds: cpu::seconds() - all,
        })
    }
}

/// A rate is worth nothing if the work was not done: references pass their tests, what is broken does not pass all of them.
fn check(tasks: &[Task], rollouts: &[Rollout], rewards: &[Reward]) -> Result<(), Failure> {
    for (rollout, reward) in rollouts.iter().zip(rewards) {
        let passed = reward.part("tests_passed");
        let is_as_expected = match (rollout.is_sound, passed) {
            (true, passed) => passed == Some(1.0),
            (false, Some(_)) => true,
            // What cannot be read has no security and so no value.
            (false, None) => matches!(reward, Reward::Unscored { .. }),
        };
        if !is_as_expected {
            let task = &tasks[rollout.task];
            return Err(format!("{}: {reward:?}\n{}", task.id, rollout.completion).into());
        }
    }
    Ok(())
}

/// Seconds of this process's threads on processors.
pub(crate) fn own_cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}
