//! What several commands set up: recipe, benchmark, model, engine.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;

use codeward_analysis::external::Installed;
use codeward_endpoint::{Endpoint, EndpointSettings};
use codeward_lm::{EngineOptions, LanguageModel, Tokenizer, open};
use codeward_reward::judge::{EndpointJudge, Judge, VulnerabilityJudge};
use codeward_reward::recipe::Analysers;
use codeward_reward::{Engine, Equipment, RewardRecipe, Store};
use codeward_sandbox::{Isolation, Sandbox, Settings};
use codeward_synthesis::Benchmark;
use codeward_training::{Pipeline, Recipe, RlRecipe};

use crate::arguments::{JudgeAddress, UnsafeIsolation};
use crate::bundled;
use crate::failure::Failure;
use crate::hub;
use crate::local_judge::LocalJudge;

/// A recipe by file or bundled name.
pub(crate) fn recipe(name: &str) -> Result<Recipe, Failure> {
    Ok(Recipe::parse(&recipe_text(name)?, name)?)
}

/// A pipeline by file, if it is one. Its stages name recipes beside that file, or bundled ones.
pub(crate) fn pipeline(name: &str) -> Result<Option<Pipeline>, Failure> {
    let text = recipe_text(name)?;
    if !Pipeline::is_meant_by(&text) {
        return Ok(None);
    }
    let folder = Path::new(name).parent().unwrap_or(Path::new(""));
    let read = |path: &str| match bundled::recipe(path) {
        Some(text) => Ok(text.to_owned()),
        None => fs::read_to_string(folder.join(path)),
    };
    Ok(Some(Pipeline::parse(&text, name, read)?))
}

/// The text of a recipe by file or bundled name.
fn recipe_text(name: &str) -> Result<String, Failure> {
    let path = Path::new(name);
    if let (Some(text), false) = (bundled::recipe(name), path.exists()) {
        return Ok(text.to_owned());
    }
    let known: Vec<&str> = bundled::RECIPES.iter().map(|(name, _)| *name).collect();
    let hint = format!("name a recipe file, or one of the bundled recipes: {}", known.join(", "));
    fs::read_to_string(path).map_err(|error| Failure::io(path, &error, hint))
}

/// A recipe that has to be one of reinforcement learning.
pub(crate) fn rl_recipe(name: &str) -> Result<RlRecipe, Failure> {
    match recipe(name)? {
        Recipe::Rl(recipe) => Ok(*recipe),
        Recipe::Sft(_) | Recipe::Preference(_) | Recipe::Rejection(_) => Err(Failure::new(
            format!("{name}: it is no recipe of reinforcement learning"),
            "this command needs a recipe of kind \"grpo\" or \"ppo\"",
        )),
    }
}

/// A benchmark by name or folder.
pub(crate) fn benchmark(name: &str) -> Result<Benchmark, Failure> {
    if name == "codeward-py" && !Path::new(name).exists() {
        return Ok(Benchmark::bundled()?);
    }
    Ok(Benchmark::open(Path::new(name))?)
}

/// A model by folder or by its name on a hub, put to work; `None` or `bundled` is the bundled one.
pub(crate) fn model(
    folder: Option<&Path>,
    options: &EngineOptions,
) -> Result<(Box<dyn LanguageModel>, Tokenizer), Failure> {
    match folder {
        Some(folder) if folder != Path::new("bundled") => load(&hub::place(folder)?, options),
        _ => load(bundled::model()?.path(), options),
    }
}

fn load(folder: &Path, options: &EngineOptions) -> Result<(Box<dyn LanguageModel>, Tokenizer), Failure> {
    Ok((open(folder, &on_engine(options))?, Tokenizer::load(folder)?))
}

/// The options with the engine that the command line names.
pub(crate) fn on_engine(options: &EngineOptions) -> EngineOptions {
    let engine = ENGINE.get().unwrap_or(&options.engine).clone();
    EngineOptions { engine, ..options.clone() }
}

/// Who computes language models in this process, if the command line says so; set once, before anything is run.
static ENGINE: OnceLock<String> = OnceLock::new();

/// Takes an engine for this process.
pub(crate) fn compute_with(engine: Option<&str>) {
    if let Some(engine) = engine {
        ENGINE.get_or_init(|| engine.to_owned());
    }
}

/// Threads for numeric work and workers of the sandbox.
pub(crate) fn num_workers() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// A sandbox as the environment asks for: `CODEWARD_PYTHON` names the interpreter.
pub(crate) fn sandbox(workers: usize) -> Result<Sandbox, Failure> {
    Ok(Sandbox::start_with(&sandbox_settings(workers))?)
}

pub(crate) fn sandbox_settings(workers: usize) -> Settings {
    Settings {
        workers,
        python: std::env::var_os("CODEWARD_PYTHON").map(PathBuf::from),
        weakest: *WEAKEST.get().unwrap_or(&Isolation::Full),
        ..Settings::default()
    }
}

/// What the command line accepts at the weakest; set once, before anything is run.
static WEAKEST: OnceLock<Isolation> = OnceLock::new();

/// Takes weaker isolation for this process, when it was asked for by name.
pub(crate) fn accept(level: Option<UnsafeIsolation>) {
    let isolation = match level {
        None => return,
        Some(UnsafeIsolation::Hardened) => Isolation::Hardened,
        Some(UnsafeIsolation::None) => Isolation::Unsafe,
    };
    WEAKEST.get_or_init(|| isolation);
}

/// A reward recipe by title, by file, or as the `[reward]` of a training recipe.
pub(crate) fn reward_recipe(name: &str) -> Result<RewardRecipe, Failure> {
    let path = Path::new(name);
    if !path.exists() {
        if bundled::recipe(name).is_some() {
            return Ok(rl_recipe(name)?.reward);
        }
        return Ok(RewardRecipe::by_title(name)?);
    }
    let text = fs::read_to_string(path).map_err(|error| Failure::io(path, &error, "name a recipe file"))?;
    if text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("kind")) {
        return Ok(rl_recipe(name)?.reward);
    }
    RewardRecipe::parse(&text).map_err(|error| {
        let failure = Failure::from(error);
        Failure { message: format!("{name}: {}", failure.message), ..failure }
    })
}

/// A reward engine on a fresh sandbox, with what its recipe needs.
pub(crate) fn engine(
    recipe: RewardRecipe,
    cache: Option<&Path>,
    judge: Option<&JudgeAddress>,
) -> Result<Engine, Failure> {
    let asks_outside = recipe.security.analyser != Analysers::Codeward;
    let installed =
        if asks_outside { Installed::find(std::env::var_os("PATH").as_deref()) } else { Installed::default() };
    let settings = Settings { shown: installed.shown().to_vec(), ..sandbox_settings(num_workers()) };
    let equipment = Equipment {
        judge: judge.map(|address| vulnerability_judge(&recipe, address)).transpose()?.flatten(),
        installed,
        store: cache.map(Store::open).transpose()?,
    };
    Ok(Engine::with(Sandbox::start_with(&settings)?, recipe, equipment)?)
}

fn vulnerability_judge(
    recipe: &RewardRecipe,
    address: &JudgeAddress,
) -> Result<Option<Arc<VulnerabilityJudge>>, Failure> {
    let model: Box<dyn Judge> = match (&address.judge_folder, &address.judge_url, &address.judge_model) {
        (Some(folder), _, _) => Box::new(LocalJudge::open(folder)?),
        (None, Some(url), Some(model)) => {
            let settings = EndpointSettings {
                api_key_env: address.judge_key_env.clone(),
                cache: address.judge_cache.clone(),
                ..EndpointSettings::new(url, model)
            };
            let endpoint = Endpoint::open(settings)
                .map_err(|error| Failure::new(error, "--judge-url is an address such as http://127.0.0.1:8000/v1"))?;
            Box::new(EndpointJudge::new(Arc::new(endpoint)))
        }
        _ => return Ok(None),
    };
    let judge = VulnerabilityJudge::new(recipe.judge.settings.clone(), model)
        .map_err(|error| Failure::new(error, "see [judge.settings] of the recipe"))?;
    Ok(Some(Arc::new(judge)))
}
