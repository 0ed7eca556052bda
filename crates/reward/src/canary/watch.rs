//! Tries the canaries on completions and compares what they are worth.

use codeward_records::{Reward, Task, Verdict};
use serde::Serialize;

use super::{Canary, Expectation, canaries};
use crate::{Asking, Engine};

/// Values that differ by no more are the same.
pub const TOLERANCE: f64 = 1e-6;

/// A change that the reward fell for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alarm {
    /// The task's id.
    pub task: String,
    /// Place of the completion among those that were given.
    pub item: usize,
    /// The canary's name.
    pub canary: &'static str,
    /// What had to hold.
    pub expectation: Expectation,
    /// What the completion is worth.
    pub before: f64,
    /// What it is worth changed.
    pub after: f64,
}

/// What one canary did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CanaryCount {
    /// Its name.
    pub canary: &'static str,
    /// What had to hold.
    pub expectation: Expectation,
    /// Completions on which it was compared.
    pub checked: usize,
    /// How often the reward fell for it.
    pub alarms: usize,
    /// Completions that had no reward, before or after.
    pub unscored: usize,
    /// Completions on which nothing could be asked: the change does not apply, they did not pass their tests to begin with, or still do.
    pub skipped: usize,
    /// The largest difference of the values, after less before, where it was compared.
    pub largest_rise: Option<f64>,
}

/// What came of watching.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CanaryReport {
    /// Completions that were drawn.
    pub sampled: usize,
    /// Pairs of values that were compared.
    pub checked: usize,
    /// Pairs of which one has no value. They are neither alarm nor all-clear.
    pub unscored: usize,
    /// Every change that the reward fell for, in the order of completions.
    pub alarms: Vec<Alarm>,
    /// One entry for each canary, in the order of the list.
    pub canaries: Vec<CanaryCount>,
}

impl Default for CanaryReport {
    /// Nothing was watched.
    fn default() -> Self {
        let count = |canary: &Canary| CanaryCount {
            canary: canary.name,
            expectation: canary.expectation,
            checked: 0,
            alarms: 0,
            unscored: 0,
            skipped: 0,
            largest_rise: None,
        };
        let canaries = canaries().iter().map(count).collect();
        Self { sampled: 0, checked: 0, unscored: 0, alarms: Vec::new(), canaries }
    }
}

impl CanaryReport {
    /// Adds what came of watching further completions, that begin at this place.
    pub fn extend(&mut self, other: Self, first_item: usize) {
        self.sampled += other.sampled;
        self.checked += other.checked;
        self.unscored += other.unscored;
        self.alarms.extend(other.alarms.into_iter().map(|alarm| Alarm { item: alarm.item + first_item, ..alarm }));
        for (count, more) in self.canaries.iter_mut().zip(other.canaries) {
            count.checked += more.checked;
            count.alarms += more.alarms;
            count.unscored += more.unscored;
            count.skipped += more.skipped;
            count.largest_rise = larger(count.largest_rise, more.largest_rise);
        }
    }

    /// The names of the canaries that the reward fell for, in the order of the list.
    pub fn ringing(&self) -> Vec<&'static str> {
        self.canaries.iter().filter(|count| count.alarms > 0).map(|count| count.canary).collect()
    }
}

/// A completion with one change.
struct Trial {
    /// Place among the sampled completions.
    original: usize,
    /// Place in the list of canaries.
    canary: usize,
    text: String,
}

/// What became of a trial.
enum Ending {
    Compared { before: f64, after: f64 },
    Unscored,
    Skipped,
}

/// Tries every canary on a share of some completions, as they are scored at a step of a training. Which are drawn depends on the seed and on
/// task and completion, not on what else there is; equal ones are drawn once.
pub fn watch(engine: &Engine, items: &[(&Task, &str)], share: f64, seed: u64, step: u64) -> CanaryReport {
    let drawn = draw(items, share, seed);
    let trials: Vec<Trial> = drawn
        .iter()
        .enumerate()
        .flat_map(|(original, item)| {
            let (task, completion) = items[*item];
            canaries().iter().enumerate().filter_map(move |(canary, change)| {
                change.perturb(task, completion).map(|text| Trial { original, canary, text })
            })
        })
        .collect();
    let originals = drawn.iter().map(|item| items[*item]);
    let changed = trials.iter().map(|trial| (items[drawn[trial.original]].0, trial.text.as_str()));
    let batch: Vec<(&Task, &str)> = originals.chain(changed).collect();
    let rewards = engine.score_with(&batch, &Asking { step, ..Asking::default() });
    let passes = passing(engine, &batch, &rewards, &asked(&drawn, &trials, &rewards));

    let mut report = CanaryReport { sampled: drawn.len(), ..CanaryReport::default() };
    for count in &mut report.canaries {
        count.skipped = drawn.len();
    }
    for (at, trial) in trials.iter().enumerate() {
        let canary = &canaries()[trial.canary];
        let count = &mut report.canaries[trial.canary];
        let changed = drawn.len() + at;
        let ending =
            ending(canary, (&rewards[trial.original], &rewards[changed]), (passes[trial.original], passes[changed]));
        match ending {
            Ending::Skipped => continue,
            Ending::Unscored => {
                count.unscored += 1;
                report.unscored += 1;
            }
            Ending::Compared { before, after } => {
                count.checked += 1;
                report.checked += 1;
                count.largest_rise = larger(count.largest_rise, Some(after - before));
                if canary.expectation.is_broken(before, after) {
                    count.alarms += 1;
                    let item = drawn[trial.original];
                    let (task, canary, expectation) = (items[item].0.id.clone(), canary.name, canary.expectation);
                    report.alarms.push(Alarm { task, item, canary, expectation, before, after });
                }
            }
        }
        count.skipped -= 1;
    }
    report
}

/// The places of the completions that are drawn.
fn draw(items: &[(&Task, &str)], share: f64, seed: u64) -> Vec<usize> {
    let mut seen = std::collections::HashSet::new();
    let is_drawn = |(_, (task, completion)): &(usize, &(&Task, &str))| {
        let mut hasher = blake3::Hasher::new_derive_key("codeward canary sample 1");
        hasher.update(&seed.to_le_bytes());
        for part in [task.id.as_str(), *completion] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        let hash = hasher.finalize();
        let word = hash.as_bytes()[..8].try_into().expect("a hash has 32 bytes");
        // 53 bits make an even number in 0 to 1, less than 1.
        let place = (u64::from_le_bytes(word) >> 11) as f64 / (1_u64 << 53) as f64;
        place < share && seen.insert(*hash.as_bytes())
    };
    items.iter().enumerate().filter(is_drawn).map(|(at, _)| at).collect()
}

/// Places in the batch of which it matters whether they pass their tests.
fn asked(drawn: &[usize], trials: &[Trial], rewards: &[Reward]) -> Vec<usize> {
    let mut wanted: Vec<usize> = (0..drawn.len()).collect();
    for (at, trial) in trials.iter().enumerate() {
        let canary = &canaries()[trial.canary];
        let changed = drawn.len() + at;
        if let (true, Some(before), Some(after)) =
            (canary.may_spare, rewards[trial.original].value(), rewards[changed].value())
            && canary.expectation.is_broken(before, after)
        {
            wanted.push(changed);
        }
    }
    wanted
}

/// For each place in the batch whether it passes every functional test, as far as it was asked and is known.
fn passing(engine: &Engine, batch: &[(&Task, &str)], rewards: &[Reward], wanted: &[usize]) -> Vec<Option<bool>> {
    let mut passes = vec![None; batch.len()];
    let mut unknown = Vec::new();
    for at in wanted {
        match rewards[*at].part("tests_passed") {
            Some(share) => passes[*at] = Some(share >= 1.0),
            None if rewards[*at].is_scored() => unknown.push(*at),
            None => {}
        }
    }
    // Recipes that do not ask for function have not run its tests.
    let items: Vec<(&Task, &str)> = unknown.iter().map(|at| batch[*at]).collect();
    for (at, judged) in unknown.into_iter().zip(engine.judge(&items)) {
        if let Verdict::Scored { functional, .. } = judged.verdict {
            passes[at] = Some(functional);
        }
    }
    passes
}

fn ending(canary: &Canary, rewards: (&Reward, &Reward), passes: (Option<bool>, Option<bool>)) -> Ending {
    if canary.expectation == Expectation::MustFall && passes.0 == Some(false) {
        return Ending::Skipped;
    }
    let (Some(before), Some(after)) = (rewards.0.value(), rewards.1.value()) else { return Ending::Unscored };
    let needs_tests = canary.expectation == Expectation::MustFall;
    match passes {
        (None, _) if needs_tests => Ending::Unscored,
        (_, Some(true)) if canary.may_spare => Ending::Skipped,
        (_, None) if canary.may_spare && canary.expectation.is_broken(before, after) => Ending::Unscored,
        _ => Ending::Compared { before, after },
    }
}

fn larger(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}
