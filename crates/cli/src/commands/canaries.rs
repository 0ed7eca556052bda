//! `codeward canaries`: tries reward hacks on completions, and shows which of them a reward falls for.

use std::fmt::Write as _;
use std::path::Path;

use codeward_records::{Rollout, Task};
use codeward_reward::canary::{CanaryReport, canaries, watch};
use codeward_reward::{Part, RewardRecipe};
use codeward_synthesis::Benchmark;
use codeward_training::RunFolder;
use serde_json::json;

use super::score;
use crate::Ending;
use crate::arguments::Canaries;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{output, workbench};

/// Completions that are watched together. Each makes some forty programs.
const BATCH: usize = 16;

/// Alarms that are shown one by one.
const MOST_SHOWN: usize = 10;

/// A completion to be changed.
struct Item {
    task: Task,
    completion: String,
}

pub(crate) fn run(options: &Canaries) -> Result<Ending, Failure> {
    if !(0.0..=1.0).contains(&options.share) {
        return Err(Failure::new(format!("--share: {} is not in 0 to 1", options.share), "1.0 takes every completion"));
    }
    let recipe = workbench::reward_recipe(&options.recipe)?;
    let benchmark = workbench::benchmark(&options.benchmark)?;
    let items = material(options, &recipe, &benchmark)?;
    let (title, hash) = (recipe.title(), recipe.content_hash());
    let engine = workbench::engine(recipe, None, Some(&options.judge))?;
    let mut report = CanaryReport::default();
    let mut progress = Progress::new("canaries", items.len() as u64);
    for (number, batch) in items.chunks(BATCH).enumerate() {
        let first = number * BATCH;
        let pairs: Vec<(&Task, &str)> = batch.iter().map(|item| (&item.task, item.completion.as_str())).collect();
        report.extend(watch(&engine, &pairs, options.share, options.seed, options.step), first);
        progress.at((first + batch.len()) as u64, items.len() as u64, "");
    }
    drop(progress);
    if options.json {
        output::print_json(&json!({ "recipe": title, "recipe_hash": hash, "report": report }))?;
    } else {
        output::print(&text(&title, &report))?;
    }
    match (report.alarms.is_empty(), report.checked) {
        (false, _) => Ok(Ending::CheckFailed),
        (true, 0) => Err(Failure::new(
            format!("nothing could be checked: {} completions, {} pairs unscored", report.sampled, report.unscored),
            "raise --share, or see with `codeward score` why nothing is scored",
        )),
        (true, _) => Ok(Ending::Done),
    }
}

/// What is changed: rows of a file, rollouts of a run, or the benchmark's references.
fn material(options: &Canaries, recipe: &RewardRecipe, benchmark: &Benchmark) -> Result<Vec<Item>, Failure> {
    let of_row = |row: score::Item| Item { task: row.task, completion: row.completion };
    if let Some(file) = &options.file {
        return Ok(score::read_rows(file, benchmark, None)?.into_iter().map(of_row).collect());
    }
    if let Some(run) = &options.run {
        return rollouts(run, benchmark);
    }
    // Our references are bare programs; a recipe that pays for a fenced block is shown them in one.
    let wants_fence = recipe.parts().any(|part| part == Part::Format);
    let form = |item: Item| Item {
        completion: if wants_fence {
            format!("```{}\n{}```\n", item.task.language, item.completion)
        } else {
            item.completion
        },
        ..item
    };
    Ok(score::references(benchmark).into_iter().map(of_row).map(form).collect())
}

fn rollouts(run: &Path, benchmark: &Benchmark) -> Result<Vec<Item>, Failure> {
    let (folder, _) = RunFolder::existing(run)?;
    let mut items = Vec::new();
    for step in folder.rollout_steps()? {
        for group in folder.read_rollouts(step)? {
            let task = benchmark.task(&group.task_id)?;
            let of_task = |rollout: Rollout| Item { task: task.clone(), completion: rollout.completion };
            items.extend(group.rollouts.into_iter().map(of_task));
        }
    }
    Ok(items)
}

/// The table, the first alarms, and what they come to.
fn text(title: &str, report: &CanaryReport) -> String {
    let mut out = format!("{title}: {} completions\n\n", report.sampled);
    let _ = writeln!(
        out,
        "{:<22} {:<14} {:>7} {:>7} {:>8} {:>8} {:>12}",
        "canary", "reward", "checked", "alarms", "unscored", "skipped", "largest rise"
    );
    for count in &report.canaries {
        let rise = count.largest_rise.map_or_else(|| "-".to_owned(), |rise| format!("{rise:+.4}"));
        let _ = writeln!(
            out,
            "{:<22} {:<14} {:>7} {:>7} {:>8} {:>8} {rise:>12}",
            count.canary,
            count.expectation.name(),
            count.checked,
            count.alarms,
            count.unscored,
            count.skipped
        );
    }
    if !report.alarms.is_empty() {
        out.push_str("\nAlarms\n");
    }
    for alarm in report.alarms.iter().take(MOST_SHOWN) {
        let summary = canaries().iter().find(|canary| canary.name == alarm.canary).map_or("", |canary| canary.summary);
        let _ = writeln!(
            out,
            "  {}, completion {}: {:.4} -> {:.4}, {}: {} ({summary})",
            alarm.task,
            alarm.item,
            alarm.before,
            alarm.after,
            alarm.expectation.name(),
            alarm.canary
        );
    }
    if report.alarms.len() > MOST_SHOWN {
        let _ = writeln!(out, "  and {} more; --json lists all", report.alarms.len() - MOST_SHOWN);
    }
    let ringing = report.ringing();
    let verdict = if ringing.is_empty() {
        "no alarm".to_owned()
    } else {
        format!("{} alarms; falls for {}", report.alarms.len(), ringing.join(", "))
    };
    let _ = writeln!(out, "\n{} pairs compared, {} unscored: {verdict}", report.checked, report.unscored);
    out
}
