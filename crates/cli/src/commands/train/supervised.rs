//! Supervised training: what is learned, and the run.

use std::path::Path;

use codeward_lm::{EngineOptions, LanguageModel, Model, ModelConfig, Tokenizer, start};
use codeward_records::{Language, jsonl};
use codeward_reward::changed;
use codeward_synthesis::{Corpus, CorpusSettings, Split};
use codeward_training::{Example, ModelShape, Recipe, RunFolder, SftRecipe, derive_seed, fine_tune};
use serde::Deserialize;

use super::{comparisons, unrun_manifest};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{hardening, output, workbench};

/// Runs supervised training in `out`, or continues it there.
pub(super) fn run(recipe: &SftRecipe, out: &Path, resume: bool) -> Result<RunFolder, Failure> {
    let examples = examples(recipe)?;
    let resolved = Recipe::Sft(Box::new(recipe.clone()));
    let (mut policy, tokenizer) = match &recipe.shape {
        Some(shape) => from_scratch(shape, &examples, recipe.seed)?,
        None => workbench::model(Some(Path::new(&recipe.model)), &resolved.engine_options())?,
    };
    let manifest = unrun_manifest(&resolved, policy.weights_hash()?, examples_hash(&examples));
    let folder = RunFolder::open(out, resume, &manifest, &resolved.resolved())?;
    {
        let mut progress = Progress::new("training", 1);
        fine_tune(recipe, &mut *policy, &tokenizer, &examples, &folder, |event| progress.event(&event))?;
    }
    hardening::save_trained(&*policy, &tokenizer, recipe.adapter.as_ref(), &folder)?;
    Ok(folder)
}

/// The hash of what is learned.
pub(super) fn examples_hash(examples: &[Example]) -> String {
    let text: String = examples.iter().flat_map(|example| [example.prompt.as_str(), &example.completion]).collect();
    format!("{:016x}", derive_seed(0, &text, &[]))
}

/// What is learned: the corpus, then the files, then the repairs.
pub(super) fn examples(recipe: &SftRecipe) -> Result<Vec<Example>, Failure> {
    let mut examples = Vec::new();
    if let Some(corpus) = &recipe.corpus {
        let settings = CorpusSettings {
            num_documents: corpus.num_documents,
            secure_share: corpus.secure_share,
            general_name_share: corpus.general_name_share,
        };
        let documents = Corpus::make(&workbench::benchmark(&corpus.benchmark)?, &settings, recipe.seed);
        examples.extend(documents.into_iter().map(|document| Example {
            origin: document.family,
            prompt: document.prompt,
            completion: document.completion,
            changed: None,
        }));
    }
    let changed_only = recipe.sft.changed_tokens_only;
    for file in &recipe.examples.files {
        examples.extend(of_file(Path::new(file), changed_only)?);
    }
    if recipe.examples.repairs_per_family > 0 {
        let benchmark = workbench::benchmark(&recipe.examples.benchmark)?;
        for task in benchmark.tasks(Split::Rewarded, recipe.examples.repairs_per_family) {
            examples.extend(comparisons(&task).into_iter().map(|pair| Example {
                origin: task.id.clone(),
                prompt: pair.prompt,
                completion: pair.better.text,
                changed: changed_only.then_some(pair.better.changed),
            }));
        }
    }
    let before = examples.len();
    examples.retain(|example| example.changed.as_ref().is_none_or(|places| !places.is_empty()));
    if examples.len() < before {
        let left_out = before - examples.len();
        output::note(&format!("{left_out} of {before} examples are left out: their repair only takes something away"));
    }
    Ok(examples)
}

/// A line of a file of examples.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    prompt: String,
    completion: String,
    /// The code that the completion repairs.
    original: Option<String>,
    /// The language of both.
    language: Option<Language>,
}

fn of_file(path: &Path, changed_only: bool) -> Result<Vec<Example>, Failure> {
    const HINT: &str = "each line is {\"prompt\": \"…\", \"completion\": \"…\"}, and may have \"original\", the code that \
        the completion repairs, and its \"language\"";
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::io(path, &error, "see examples.files of the recipe"))?;
    let rows: Vec<Row> = jsonl::read(path).map_err(|error| Failure::new(error, HINT))?;
    // The same lines that the reader takes.
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(|(at, _)| at + 1);
    let example = |(line, row): (usize, Row)| {
        let origin = format!("{}:{line}", path.display());
        let wrong = |what: &str| Failure::new(format!("{origin}: {what}"), HINT);
        if row.prompt.is_empty() || row.completion.is_empty() {
            return Err(wrong("prompt and completion may not be empty"));
        }
        let changed = if changed_only {
            let original = row.original.ok_or_else(|| wrong("sft.changed_tokens_only needs \"original\""))?;
            let places = changed(row.language.unwrap_or(Language::Python), &original, &row.completion);
            Some(places.ok_or_else(|| wrong("the completion has too little in common with \"original\""))?.new)
        } else {
            None
        };
        Ok(Example { origin, prompt: row.prompt, completion: row.completion, changed })
    };
    lines.zip(rows).map(example).collect()
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
