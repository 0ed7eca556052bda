//! `codeward rescore`: what another recipe makes of a run's rollouts.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Instant;

use codeward_records::{Reward, RolloutGroup, Task};
use codeward_reward::rescore::{Comparison, GroupValues, compare, expected_flat};
use codeward_reward::{Asking, Engine, Measurement, Part, RewardRecipe};
use codeward_training::RunFolder;
use serde_json::{Value, json};

use crate::Ending;
use crate::arguments::Rescore;
use crate::failure::Failure;
use crate::{output, workbench};

/// Group sizes that flat groups are forecast for.
const FORECAST: [u32; 4] = [4, 8, 16, 32];
/// Rollouts that are listed with their change.
const MOST_LISTED: usize = 5;
/// What weights are multiplied with.
const TIMES: [f64; 3] = [0.0, 0.5, 2.0];

pub(crate) fn run(options: &Rescore) -> Result<Ending, Failure> {
    let stored = Stored::read(&options.run, options.every)?;
    let recipe = workbench::reward_recipe(&options.recipe)?;
    let cache = options.cache.clone().unwrap_or_else(|| options.run.join("cache/tests.redb"));
    let engine = workbench::engine(recipe, Some(&cache), Some(&options.judge))?;
    let started = Instant::now();
    let scored = stored.score(&engine);
    let seconds = started.elapsed().as_secs_f64();
    engine.flush()?;
    if let Some(path) = &options.rows {
        write_rows(path, &scored)?;
    }
    let found = Found::of(&engine, &scored, seconds, options);
    if options.json {
        output::print_json(&found.json(&engine))?;
    } else {
        output::print(&found.text(&engine, options))?;
    }
    Ok(Ending::Done)
}

/// A run's rollouts with their tasks.
pub(crate) struct Stored {
    groups: Vec<RolloutGroup>,
    tasks: HashMap<String, Task>,
}

/// A group with what the recipe makes of it.
struct ScoredGroup<'a> {
    group: &'a RolloutGroup,
    /// Its number within its step, from 1.
    number: usize,
    measurements: Vec<Measurement>,
    rewards: Vec<Reward>,
}

impl Stored {
    /// Reads the rollouts of every so many steps, with the tasks of the benchmark that the run names.
    pub(crate) fn read(run: &Path, every: usize) -> Result<Self, Failure> {
        let (folder, _) = RunFolder::existing(run)?;
        let path = folder.path("recipe.resolved.toml");
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Failure::io(&path, &error, "name the folder of a training run"))?;
        let benchmark = text
            .parse::<toml::Table>()
            .ok()
            .and_then(|table| Some(table.get("tasks")?.get("benchmark")?.as_str()?.to_owned()))
            .ok_or_else(|| {
                Failure::new(
                    format!("{}: names no benchmark", path.display()),
                    "only runs of kind \"grpo\" have rollouts",
                )
            })?;
        let benchmark = workbench::benchmark(&benchmark)?;
        let mut groups = Vec::new();
        for step in folder.rollout_steps()?.into_iter().step_by(every.max(1)) {
            groups.extend(folder.read_rollouts(step)?);
        }
        if groups.is_empty() {
            return Err(Failure::new(
                format!("{}: no rollouts", folder.path("rollouts").display()),
                "the run has not finished its first step",
            ));
        }
        let mut tasks = HashMap::new();
        for group in &groups {
            if !tasks.contains_key(&group.task_id) {
                tasks.insert(group.task_id.clone(), benchmark.task(&group.task_id)?);
            }
        }
        Ok(Self { groups, tasks })
    }

    fn score(&self, engine: &Engine) -> Vec<ScoredGroup<'_>> {
        let mut scored = Vec::with_capacity(self.groups.len());
        // A step at a time: schedules ask for it, and nothing larger need be held.
        for groups in self.groups.chunk_by(|one, other| one.step == other.step) {
            let asking = Asking { step: groups[0].step, ..Asking::default() };
            let items: Vec<(&Task, &str)> = groups.iter().flat_map(|group| self.items(group)).collect();
            let mut measured = engine.measure_with(&items, &asking).into_iter();
            for (at, group) in groups.iter().enumerate() {
                let measurements: Vec<Measurement> = measured.by_ref().take(group.rollouts.len()).collect();
                let rewards = self
                    .items(group)
                    .zip(&measurements)
                    .map(|((task, completion), measurement)| engine.reward(task, completion, measurement, group.step))
                    .collect();
                scored.push(ScoredGroup { group, number: at + 1, measurements, rewards });
            }
        }
        scored
    }

    fn items<'a>(&'a self, group: &'a RolloutGroup) -> impl Iterator<Item = (&'a Task, &'a str)> + 'a {
        let task = &self.tasks[&group.task_id];
        group.rollouts.iter().map(move |rollout| (task, rollout.completion.as_str()))
    }

    /// One rollout by its name, with its step and task.
    pub(crate) fn rollout(&self, name: &str) -> Option<(&RolloutGroup, usize, &Task)> {
        let numbers: Vec<usize> = name.split('.').map(|number| number.parse().ok()).collect::<Option<_>>()?;
        let [step, group, rollout] = numbers[..] else { return None };
        let found = self.groups.iter().filter(|group| group.step == step as u64).nth(group.checked_sub(1)?)?;
        let at = rollout.checked_sub(1)?;
        (at < found.rollouts.len()).then(|| (found, at, &self.tasks[&found.task_id]))
    }
}

/// What there is to show.
struct Found {
    comparison: Comparison,
    forecast: Vec<(u32, f64)>,
    variants: Vec<(String, Comparison)>,
    changed: Vec<(String, String, f64, f64)>,
    seconds: f64,
}

impl Found {
    fn of(engine: &Engine, scored: &[ScoredGroup<'_>], seconds: f64, options: &Rescore) -> Self {
        let recipe = engine.recipe();
        let before = |group: &ScoredGroup<'_>| -> Vec<Option<f64>> {
            group.group.rollouts.iter().map(|rollout| rollout.reward.as_ref().and_then(Reward::value)).collect()
        };
        let after = |group: &ScoredGroup<'_>| group.rewards.iter().map(Reward::value).collect::<Vec<_>>();
        let groups: Vec<GroupValues> =
            scored.iter().map(|group| before(group).into_iter().zip(after(group)).collect()).collect();
        let values: Vec<Vec<f64>> = scored.iter().map(|group| after(group).into_iter().flatten().collect()).collect();
        let variant = |recipe: &RewardRecipe| {
            let groups: Vec<GroupValues> = scored
                .iter()
                .map(|group| {
                    let other = group.measurements.iter().map(|measurement| {
                        recipe.weigh(measurement, group.group.step).ok().map(|weighed| weighed.value)
                    });
                    after(group).into_iter().zip(other).collect()
                })
                .collect();
            compare(&groups)
        };
        let mut variants = Vec::new();
        if options.leave_one_out {
            for part in Part::ALL {
                if let Some(other) = recipe.without_part(part) {
                    variants.push((format!("without {}", part.name()), variant(&other)));
                }
            }
        }
        if options.weights {
            for (at, term) in recipe.terms.iter().enumerate() {
                for times in TIMES {
                    if let Some(other) = recipe.with_weight(at, times) {
                        variants.push((format!("{times} times the weight of {term}"), variant(&other)));
                    }
                }
            }
        }
        let mut changed: Vec<(String, String, f64, f64)> = scored
            .iter()
            .zip(&groups)
            .flat_map(|(group, values)| {
                values.iter().enumerate().filter_map(|(at, (before, after))| {
                    let name = format!("{}.{}.{}", group.group.step, group.number, at + 1);
                    Some((name, group.group.task_id.clone(), (*before)?, (*after)?))
                })
            })
            .filter(|(_, _, before, after)| (after - before).abs() > 1e-12)
            .collect();
        changed.sort_by(|one, other| (other.3 - other.2).abs().total_cmp(&(one.3 - one.2).abs()));
        changed.truncate(MOST_LISTED);
        Self {
            comparison: compare(&groups),
            forecast: FORECAST.map(|size| (size, expected_flat(&values, size))).into(),
            variants,
            changed,
            seconds,
        }
    }

    fn json(&self, engine: &Engine) -> Value {
        let variants: Vec<Value> =
            self.variants.iter().map(|(name, found)| json!({ "variant": name, "comparison": found })).collect();
        let forecast: Vec<Value> =
            self.forecast.iter().map(|(size, share)| json!({ "group_size": size, "flat": share })).collect();
        let changed: Vec<Value> = self
            .changed
            .iter()
            .map(|(name, task, before, after)| json!({ "rollout": name, "task_id": task, "before": before, "after": after }))
            .collect();
        json!({
            "recipe": engine.recipe().title(), "hash": engine.recipe().content_hash(), "comparison": self.comparison,
            "forecast": forecast, "variants": variants, "most_changed": changed, "seconds": self.seconds,
            "rollouts_per_s": self.comparison.num_rollouts as f64 / self.seconds, "tests_run": engine.num_tests_run(),
        })
    }

    fn text(&self, engine: &Engine, options: &Rescore) -> String {
        let found = &self.comparison;
        let mut out = format!(
            "{} rollouts in {} groups, scored by {} ({})\n{:.1} s, {:.0} rollouts/s, {} tests run\n\n",
            found.num_rollouts,
            found.num_groups,
            engine.recipe().title(),
            engine.recipe().content_hash(),
            self.seconds,
            found.num_rollouts as f64 / self.seconds,
            engine.num_tests_run(),
        );
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
        let percent = |share: f64| format!("{:.1} %", share * 100.0);
        let _ = writeln!(out, "{:<28}{:>10}{:>10}", "", "before", "after");
        let _ = writeln!(out, "{:<28}{:>10}{:>10}", "mean value", number(found.mean_before), number(found.mean_after));
        let _ =
            writeln!(out, "{:<28}{:>10}{:>10}", "flat groups", percent(found.flat_before), percent(found.flat_after));
        let _ = writeln!(
            out,
            "\n{} of {} rollouts changed, by {} on average; {} scored by only one of the two\n\
             rank correlation of group advantages: {}",
            found.num_changed,
            found.num_rollouts,
            number(found.mean_absolute_change),
            found.num_scored_by_one,
            number(found.rank_correlation),
        );
        out.push_str("\nflat groups to be expected, by group size:");
        for (size, share) in &self.forecast {
            let _ = write!(out, "  {size}: {}", percent(*share));
        }
        out.push('\n');
        if !self.variants.is_empty() {
            let _ = writeln!(out, "\n{:>8}{:>12}{:>9}  recipe", "mean", "correlation", "flat");
            for (name, found) in &self.variants {
                let _ = writeln!(
                    out,
                    "{:>8}{:>12}{:>9}  {name}",
                    number(found.mean_after),
                    number(found.rank_correlation),
                    percent(found.flat_after)
                );
            }
        }
        if !self.changed.is_empty() {
            out.push_str("\nmost changed\n");
            for (name, task, before, after) in &self.changed {
                let _ = writeln!(out, "  {name:<12} {before:.3} to {after:.3}  {task}");
            }
            let _ = writeln!(
                out,
                "\n`codeward explain {} {} --recipe {}` says why.",
                options.run.display(),
                self.changed[0].0,
                options.recipe
            );
        }
        out
    }
}

fn write_rows(path: &Path, scored: &[ScoredGroup<'_>]) -> Result<(), Failure> {
    let failed = |error: &std::io::Error| Failure::io(path, error, "name a file that can be written");
    let mut out = BufWriter::new(File::create(path).map_err(|error| failed(&error))?);
    for group in scored {
        for (at, (rollout, reward)) in group.group.rollouts.iter().zip(&group.rewards).enumerate() {
            let row = json!({
                "rollout": format!("{}.{}.{}", group.group.step, group.number, at + 1),
                "task_id": group.group.task_id, "before": rollout.reward.as_ref().and_then(Reward::value), "after": reward,
            });
            writeln!(out, "{row}").map_err(|error| failed(&error))?;
        }
    }
    out.flush().map_err(|error| failed(&error))
}
