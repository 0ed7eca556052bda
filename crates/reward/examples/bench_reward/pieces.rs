//! What single steps of the engine take by themselves, on one thread and on processors, and what is left when the tests are known
//! already, by the clock.

use std::hint::black_box;
use std::time::Instant;

use codeward_records::Task;
use codeward_reward::{Measurement, References};

use crate::Failure;
use crate::report::median;
use crate::sides::{Side, own_cpu_seconds};
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
    // The engine reads the references of a task once.
    let references = |rules| items.iter().map(|(task, _)| References::of(task, rules)).collect::<Vec<_>>();
    let (without, with) = (references(None), references(Some(&recipe.similarity)));
    let reading = time(|| drop(black_box(read(&items, &without))));
    let comparing = time(|| drop(black_box(read(&items, &with))));
    let weighing = time(|| {
        for measurement in &measurements {
            drop(black_box(recipe.weigh(black_box(measurement), 0)));
        }
    });
    let rewarding = time(|| {
        for ((task, completion), measurement) in items.iter().zip(&measurements) {
            drop(black_box(engine.reward(task, completion, black_box(measurement), 0)));
        }
    });
    let again = time(|| drop(black_box(engine.score(&items))));
    let pieces = Pieces {
        analysis: per_item(reading.on_processors),
        similarity: per_item(comparing.on_processors - reading.on_processors),
        weighing: per_item(weighing.on_processors),
        rewarding: per_item(rewarding.on_processors),
    };
    let rate = |spent: &Spent| 1e6 / per_item(spent.by_clock);
    Ok((pieces, Rescoring { measured: rate(&again), weighed: rate(&weighing) }))
}

fn read(items: &[(&Task, &str)], references: &[References]) -> Vec<Measurement> {
    let both = items.iter().zip(references);
    both.map(|((_, completion), references)| Measurement::of_text(completion, references)).collect()
}

/// Microseconds.
struct Spent {
    by_clock: f64,
    on_processors: f64,
}

/// Medians over rounds, after one that warms up.
fn time(mut work: impl FnMut()) -> Spent {
    work();
    let round = |_| {
        let (own, begun) = (own_cpu_seconds(), Instant::now());
        work();
        (begun.elapsed().as_secs_f64() * 1e6, (own_cpu_seconds() - own) * 1e6)
    };
    let (by_clock, on_processors) = (0..ROUNDS).map(round).unzip();
    Spent { by_clock: median(by_clock), on_processors: median(on_processors) }
}
