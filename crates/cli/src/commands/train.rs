//! `codeward train`: any recipe, and pipelines of recipes.

mod dry_run;
mod pipeline;
mod rejection;
mod supervised;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use codeward_records::{Manifest, Task};
use codeward_reward::{RepairPair, changed, repair_pairs};
use codeward_synthesis::Split;
use codeward_training::{AdapterSettings, Comparison, Completion, PreferenceRecipe, Recipe, RunFolder, prefer};

use crate::Ending;
use crate::arguments::{JudgeAddress, Train};
use crate::failure::Failure;
use crate::hardening::Hardened;
use crate::progress::Progress;
use crate::{hardening, output, workbench};

pub(crate) fn run(options: &Train) -> Result<Ending, Failure> {
    let out = options.out.clone().unwrap_or_else(|| default_folder(&options.recipe));
    let model = options.model.as_ref().map(|folder| folder.display().to_string());
    if let Some(mut pipeline) = workbench::pipeline(&options.recipe)? {
        for stage in &mut pipeline.stages {
            stage.recipe.set_seed(options.seed.unwrap_or(stage.recipe.seed()));
        }
        if let Some(model) = model {
            pipeline.stages[0].recipe.set_model(model);
        }
        return pipeline::run(pipeline, &out, options);
    }
    let mut recipe = workbench::recipe(&options.recipe)?;
    recipe.set_seed(options.seed.unwrap_or(recipe.seed()));
    if let Some(model) = model {
        recipe.set_model(model);
    }
    if options.dry_run {
        dry_run::tell(&recipe, &out, options.json)?;
        return Ok(Ending::Done);
    }
    match (run_recipe(&recipe, &out, options.resume, &options.judge)?, options.json) {
        (Outcome::Judged(hardened), true) => hardening::tell_json(&hardened)?,
        (Outcome::Judged(hardened), false) => hardening::tell(&hardened)?,
        (Outcome::Trained(folder), as_json) => tell(&folder, recipe.adapter(), as_json)?,
    }
    Ok(Ending::Done)
}

/// A recipe that was run.
enum Outcome {
    /// With an evaluation before and after.
    Judged(Box<Hardened>),
    /// Without one.
    Trained(RunFolder),
}

/// Runs a recipe in `out`, or continues it there.
fn run_recipe(recipe: &Recipe, out: &Path, resume: bool, judge: &JudgeAddress) -> Result<Outcome, Failure> {
    Ok(match recipe {
        Recipe::Rl(recipe) => Outcome::Judged(Box::new(hardening::harden(recipe, out, resume, Some(judge))?)),
        Recipe::Rejection(recipe) => Outcome::Judged(Box::new(rejection::run(recipe, out, resume, judge)?)),
        Recipe::Sft(recipe) => Outcome::Trained(supervised::run(recipe, out, resume)?),
        Recipe::Preference(recipe) => Outcome::Trained(compare(recipe, out, resume)?),
    })
}

/// Says where what was trained is.
fn tell(folder: &RunFolder, adapter: Option<&AdapterSettings>, as_json: bool) -> Result<(), Failure> {
    let parts = hardening::trained_parts(adapter);
    if as_json {
        let paths: BTreeMap<&str, PathBuf> = parts.iter().map(|part| (*part, folder.path(part))).collect();
        return output::print_json(&paths);
    }
    let lines = parts.iter().map(|part| format!("{part}: {}\n", folder.path(part).display()));
    output::print(&lines.collect::<String>())
}

/// Training on the repairs that references of the rewarded families show.
fn compare(recipe: &PreferenceRecipe, out: &Path, resume: bool) -> Result<RunFolder, Failure> {
    let benchmark = workbench::benchmark(&recipe.tasks.benchmark)?;
    let tasks = benchmark.tasks(Split::Rewarded, recipe.tasks.instances_per_family);
    let pairs: Vec<Comparison> = tasks.iter().flat_map(comparisons).collect();
    let resolved = Recipe::Preference(Box::new(recipe.clone()));
    let (mut policy, tokenizer) = workbench::model(Some(Path::new(&recipe.model)), &resolved.engine_options())?;
    let manifest = unrun_manifest(&resolved, policy.weights_hash()?, hardening::tasks_hash(&tasks));
    let folder = RunFolder::open(out, resume, &manifest, &resolved.resolved())?;
    {
        let mut progress = Progress::new("training", 1);
        prefer(recipe, &mut *policy, &tokenizer, &pairs, &folder, |event| progress.event(&event))?;
    }
    hardening::save_trained(&*policy, &tokenizer, recipe.adapter.as_ref(), &folder)?;
    Ok(folder)
}

/// The repairs among a task's references, but for those that differ too much to be one.
fn comparisons(task: &Task) -> Vec<Comparison> {
    let comparison = |pair: RepairPair| {
        let places = changed(task.language, &pair.vulnerable, &pair.secure)?;
        Some(Comparison {
            prompt: task.prompt.clone(),
            better: Completion { text: pair.secure, changed: places.new },
            worse: Completion { text: pair.vulnerable, changed: places.old },
        })
    };
    repair_pairs(task).into_iter().filter_map(comparison).collect()
}

/// What a run is that executes nothing.
fn unrun_manifest(recipe: &Recipe, model_hash: String, tasks_hash: String) -> Manifest {
    Manifest {
        format: Manifest::FORMAT,
        codeward: env!("CARGO_PKG_VERSION").to_owned(),
        seed: recipe.seed(),
        recipe_hash: recipe.content_hash(),
        model_hash,
        tasks_hash,
        threads: rayon::current_num_threads(),
        isolation: "nothing is run".to_owned(),
    }
}

/// `runs/<name of the recipe>`.
fn default_folder(recipe: &str) -> PathBuf {
    let path = Path::new(recipe);
    let name = match path.file_stem() {
        Some(stem) if stem == "recipe" => path.parent().and_then(Path::file_name).unwrap_or(stem),
        Some(stem) => stem,
        None => path.as_os_str(),
    };
    Path::new("runs").join(name)
}
