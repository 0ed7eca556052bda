//! `codeward canaries`: tries reward hacks on completions, and shows which of them a reward falls for.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use codeward_analysis::external::{Analyser, Installed};
use codeward_endpoint::{Endpoint, EndpointSettings};
use codeward_records::Task;
use codeward_reward::canary::{CanaryReport, canaries, watch};
use codeward_reward::judge::{EndpointJudge, VulnerabilityJudge};
use codeward_reward::recipe::Analysers;
use codeward_reward::{Engine, Equipment, EquipmentError, Part, RewardRecipe};
use codeward_sandbox::{Sandbox, Settings};
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
    let recipe = reward_recipe(&options.recipe)?;
    let benchmark = workbench::benchmark(&options.benchmark)?;
    let items = material(options, &recipe, &benchmark)?;
    let (title, hash) = (recipe.title(), recipe.content_hash());
    let engine = engine(recipe, options)?;
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

/// A reward recipe by file, or by the title of one that is built in.
fn reward_recipe(name: &str) -> Result<RewardRecipe, Failure> {
    let path = Path::new(name);
    if !path.exists() {
        return RewardRecipe::by_title(name)
            .map_err(|error| Failure::new(format!("--recipe: {error}"), "name one of these, or a TOML file"));
    }
    let hint = "a reward recipe has [[terms]], or names a built-in one and changes some of its keys";
    let text = fs::read_to_string(path).map_err(|error| Failure::io(path, &error, hint))?;
    RewardRecipe::parse(&text).map_err(|error| Failure::new(format!("{name}: {error}"), hint))
}

/// What is changed: rows of a file, rollouts of a run, or the benchmark's references.
fn material(options: &Canaries, recipe: &RewardRecipe, benchmark: &Benchmark) -> Result<Vec<Item>, Failure> {
    let of_row = |row: score::Item| Item { task: row.task, completion: row.completion };
    if let Some(file) = &options.file {
        return Ok(score::read_rows(file, benchmark)?.into_iter().map(of_row).collect());
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
    for group in folder.read_rollouts()? {
        let task = benchmark.task(&group.task_id)?;
        items.extend(
            group.rollouts.into_iter().map(|rollout| Item { task: task.clone(), completion: rollout.completion }),
        );
    }
    Ok(items)
}

fn engine(recipe: RewardRecipe, options: &Canaries) -> Result<Engine, Failure> {
    let installed = match recipe.security.analyser {
        Analysers::Codeward => Installed::default(),
        Analysers::Bandit => Installed::find(std::env::var_os("PATH").as_deref()).only(&[Analyser::Bandit]),
    };
    let shown = installed.shown().to_vec();
    let sandbox = Sandbox::start_with(&Settings { shown, ..workbench::sandbox_settings(workbench::num_workers()) })?;
    let judge = match (&options.judge_url, &options.judge_model) {
        (Some(url), Some(model)) => Some(Arc::new(judge(&recipe, url, model, options.judge_key_env.as_deref())?)),
        _ => None,
    };
    Engine::with(sandbox, recipe, Equipment { judge, installed, ..Equipment::default() }).map_err(|error| {
        let hint = match &error {
            EquipmentError::NoJudge { .. } => "give --judge-url and --judge-model",
            EquipmentError::NoAnalyser { .. } => {
                "install it so that it is on PATH, or set security.analyser = \"codeward\" in a recipe of your own"
            }
            _ => "`codeward doctor` shows what this host has",
        };
        Failure::new(error.to_string(), hint)
    })
}

/// A judge behind a server, asked in the recipe's way.
fn judge(recipe: &RewardRecipe, url: &str, model: &str, key: Option<&str>) -> Result<VulnerabilityJudge, Failure> {
    let hint = "--judge-url is the address up to and with the version, such as http://127.0.0.1:8000/v1";
    let mut settings = EndpointSettings::new(url, model);
    settings.api_key_env = key.map(str::to_owned);
    let endpoint = Endpoint::open(settings).map_err(|error| Failure::new(format!("--judge-url: {error}"), hint))?;
    VulnerabilityJudge::new(recipe.judge.settings.clone(), Box::new(EndpointJudge::new(Arc::new(endpoint))))
        .map_err(|error| Failure::new(error, "see [judge.settings] of the recipe"))
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
