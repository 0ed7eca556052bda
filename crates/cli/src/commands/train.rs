//! `codeward train`: any recipe.

mod dry_run;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use codeward_lm::{EngineOptions, LanguageModel, Model, ModelConfig, Tokenizer, start};
use codeward_records::{Manifest, Task};
use codeward_reward::{RepairPair, changed, repair_pairs};
use codeward_synthesis::{Corpus, CorpusSettings, Split};
use codeward_training::{
    AdapterSettings, Comparison, Completion, Example, ModelShape, PreferenceRecipe, Recipe, RunFolder, SftRecipe,
    derive_seed, fine_tune, prefer,
};

use crate::Ending;
use crate::arguments::Train;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{hardening, output, workbench};

pub(crate) fn run(options: &Train) -> Result<Ending, Failure> {
    let out = options.out.clone().unwrap_or_else(|| default_folder(&options.recipe));
    let model = options.model.as_ref().map(|folder| folder.display().to_string());
    let mut recipe = workbench::recipe(&options.recipe)?;
    let (own_seed, own_model) = match &mut recipe {
        Recipe::Rl(recipe) => (&mut recipe.seed, &mut recipe.model),
        Recipe::Sft(recipe) => (&mut recipe.seed, &mut recipe.model),
        Recipe::Preference(recipe) => (&mut recipe.seed, &mut recipe.model),
    };
    *own_seed = options.seed.unwrap_or(*own_seed);
    *own_model = model.unwrap_or_else(|| own_model.clone());
    if options.dry_run {
        dry_run::tell(&recipe, &out, options.json)?;
        return Ok(Ending::Done);
    }
    match recipe {
        Recipe::Rl(recipe) => {
            let hardened = hardening::harden(&recipe, &out, options.resume, Some(&options.judge))?;
            if options.json { hardening::tell_json(&hardened)? } else { hardening::tell(&hardened)? }
        }
        Recipe::Sft(recipe) => {
            let folder = supervise(&recipe, &out, options.resume)?;
            tell(&folder, recipe.adapter.as_ref(), options.json)?;
        }
        Recipe::Preference(recipe) => {
            let folder = compare(&recipe, &out, options.resume)?;
            tell(&folder, recipe.adapter.as_ref(), options.json)?;
        }
    }
    Ok(Ending::Done)
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

/// Supervised training on the corpus that the families make.
fn supervise(recipe: &SftRecipe, out: &Path, resume: bool) -> Result<RunFolder, Failure> {
    let benchmark = workbench::benchmark(&recipe.corpus.benchmark)?;
    let settings = CorpusSettings {
        num_documents: recipe.corpus.num_documents,
        secure_share: recipe.corpus.secure_share,
        general_name_share: recipe.corpus.general_name_share,
    };
    let examples: Vec<Example> = Corpus::make(&benchmark, &settings, recipe.seed)
        .into_iter()
        .map(|document| Example { prompt: document.prompt, completion: document.completion })
        .collect();
    let resolved = Recipe::Sft(Box::new(recipe.clone()));
    let (mut policy, tokenizer) = match &recipe.shape {
        Some(shape) => from_scratch(shape, &examples, recipe.seed)?,
        None => workbench::model(Some(Path::new(&recipe.model)), &resolved.engine_options())?,
    };
    let text: String = examples.iter().flat_map(|example| [example.prompt.as_str(), &example.completion]).collect();
    let tasks_hash = format!("{:016x}", derive_seed(0, &text, &[]));
    let manifest = unrun_manifest(&resolved, policy.weights_hash()?, tasks_hash);
    let folder = RunFolder::open(out, resume, &manifest, &resolved.resolved())?;
    {
        let mut progress = Progress::new("training", 1);
        fine_tune(recipe, &mut *policy, &tokenizer, &examples, &folder, |event| progress.event(&event))?;
    }
    hardening::save_trained(&*policy, &tokenizer, recipe.adapter.as_ref(), &folder)?;
    Ok(folder)
}

/// A tokenizer for the examples and a fresh model of the shape.
fn from_scratch(
    shape: &ModelShape,
    examples: &[Example],
    seed: u64,
) -> Result<(Box<dyn LanguageModel>, Tokenizer), Failure> {
    let hint = "see [shape] in recipes/tiny-base/recipe.toml for one that works";
    let texts = examples.iter().map(|example| format!("{}{}", example.prompt, example.completion));
    let tokenizer = Tokenizer::train_bpe(texts, shape.vocab_size).map_err(|error| Failure::new(error, hint))?;
    let config = ModelConfig {
        hidden_size: shape.hidden_size,
        intermediate_size: shape.intermediate_size,
        num_hidden_layers: shape.num_layers,
        num_attention_heads: shape.num_heads,
        num_key_value_heads: shape.num_kv_heads,
        head_dim: shape.hidden_size / shape.num_heads.max(1),
        vocab_size: tokenizer.vocab_size(),
        max_position_embeddings: shape.max_positions,
        bos_token_id: None,
        eos_token_id: Some(tokenizer.eos_id()),
        ..ModelConfig::tiny()
    };
    config.validate().map_err(|error| Failure::new(error, hint))?;
    Ok((start(Model::init(config, seed), &workbench::on_engine(&EngineOptions::default()))?, tokenizer))
}
