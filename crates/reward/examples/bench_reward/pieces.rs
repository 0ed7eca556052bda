//! What single steps of the engine take by themselves, on one thread, and what is left when the tests are known already.

use std::hint::black_box;
use std::time::Instant;

use codeward_records::Task;
use codeward_reward::{Measurement, RewardRecipe};

use crate::Failure;
use crate::report::median;
use crate::sides::Side;
use crate::workload::{Workload, items};

const ROUNDS: usize = 7;

/// Microseconds for each completion.
pub(crate) struct Pieces {
    pub(crate) analysis: f64,
    pub(crate) similarity: f64,
    pub(crate) weighing: f64,
    /// Rewards with their spans, weighing included.
    pub(crate) rewarding: f64,
}

/// Completions a second once every test result is known.
pub(crate) struct Rescoring {
    /// Looking results up, reading, comparing and weighing again.
    pub(crate) measured: f64,
    /// Weighing alone.
    pub(crate) weighed: f64,
}

/// Measures the steps over some completions, which are scored once before.
pub(crate) fn measure(side: &Side, workload: &mut Workload, count: usize) -> Result<(Pieces, Rescoring), Failure> {
    let rollouts = workload.take(count);
    let items = items(&workload.tasks, &rollouts);
    let (engine, recipe) = (&side.engine, side.engine.recipe());
    let measurements = engine.measure(&items);
    engine.flush()?;
    let per_item = |micros: f64| micros / items.len() as f64;
    let reading = per_item(time(|| drop(black_box(read(&items, None)))));
    let comparing = per_item(time(|| drop(black_box(read(&items, Some(recipe))))));
    let weigh = || measurements.iter().filter(|measurement| recipe.weigh(measurement, 0).is_ok()).count();
    let weighing = per_item(time(|| drop(black_box(weigh()))));
    let reward = || {
        let both = items.iter().zip(&measurements);
        both.map(|((task, completion), measurement)| engine.reward(task, completion, measurement, 0))
            .collect::<Vec<_>>()
    };
    let rewarding = per_item(time(|| drop(black_box(reward()))));
    let again = per_item(time(|| drop(black_box(engine.score(&items)))));
    let pieces = Pieces { analysis: reading, similarity: comparing - reading, weighing, rewarding };
    Ok((pieces, Rescoring { measured: 1e6 / again, weighed: 1e6 / weighing }))
}

fn read(items: &[(&Task, &str)], recipe: Option<&RewardRecipe>) -> Vec<Measurement> {
    let rules = recipe.map(|recipe| &recipe.similarity);
    items.iter().map(|(task, completion)| Measurement::of_text(task, completion, rules)).collect()
}

/// Microseconds: the median over rounds, after one that warms up.
fn time(mut work: impl FnMut()) -> f64 {
    work();
    let round = |_| {
        let begun = Instant::now();
        work();
        begun.elapsed().as_secs_f64() * 1e6
    };
    median((0..ROUNDS).map(round).collect())
}
