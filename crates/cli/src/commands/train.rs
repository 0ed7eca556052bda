//! `codeward train`: any recipe.

use std::path::{Path, PathBuf};

use codeward_lm::{EngineOptions, LanguageModel, Model, ModelConfig, Tokenizer, start};
use codeward_records::Manifest;
use codeward_synthesis::{Corpus, CorpusSettings};
use codeward_training::{Example, ModelShape, Recipe, RunFolder, SftRecipe, derive_seed, fine_tune};
use serde_json::json;

use crate::Ending;
use crate::arguments::Train;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{hardening, output, workbench};

pub(crate) fn run(options: &Train) -> Result<Ending, Failure> {
    let out = options.out.clone().unwrap_or_else(|| default_folder(&options.recipe));
    let model = options.model.as_ref().map(|folder| folder.display().to_string());
    match workbench::recipe(&options.recipe)? {
        Recipe::Grpo(mut recipe) => {
            recipe.seed = options.seed.unwrap_or(recipe.seed);
            recipe.model = model.unwrap_or(recipe.model);
            let hardened = hardening::harden(&recipe, &out, options.resume, Some(&options.judge))?;
            if options.json { hardening::tell_json(&hardened)? } else { hardening::tell(&hardened)? }
        }
        Recipe::Sft(mut recipe) => {
            recipe.seed = options.seed.unwrap_or(recipe.seed);
            recipe.model = model.unwrap_or(recipe.model);
            let folder = supervise(&recipe, &out, options.resume)?;
            if options.json {
                output::print_json(&json!({ "model": folder.path("model") }))?;
            } else {
                output::print(&format!("model: {}\n", folder.path("model").display()))?;
            }
        }
    }
    Ok(Ending::Done)
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
    let (mut policy, tokenizer) = match &recipe.shape {
        Some(shape) => from_scratch(shape, &examples, recipe.seed)?,
        None => workbench::model(Some(Path::new(&recipe.model)), &EngineOptions::default())?,
    };
    let resolved = Recipe::Sft(Box::new(recipe.clone()));
    let text: String = examples.iter().flat_map(|example| [example.prompt.as_str(), &example.completion]).collect();
    let manifest = Manifest {
        format: Manifest::FORMAT,
        codeward: env!("CARGO_PKG_VERSION").to_owned(),
        seed: recipe.seed,
        recipe_hash: resolved.content_hash(),
        model_hash: policy.weights_hash()?,
        tasks_hash: format!("{:016x}", derive_seed(0, &text, &[])),
        threads: rayon::current_num_threads(),
        isolation: "nothing is run".to_owned(),
    };
    let folder = RunFolder::open(out, resume, &manifest, &resolved.resolved())?;
    {
        let mut progress = Progress::new("training", 1);
        fine_tune(recipe, &mut *policy, &tokenizer, &examples, &folder, |event| progress.event(&event))?;
    }
    hardening::save_model(&*policy, &tokenizer, &folder)?;
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
    Ok((start(Model::init(config, seed), &EngineOptions::default())?, tokenizer))
}
