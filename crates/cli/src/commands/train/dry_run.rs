//! `codeward train --dry-run`: what a run would be. Reads no weights, runs nothing and writes nothing.

use std::fmt::Write as _;
use std::path::Path;

use codeward_lm::{AdapterConfig, ModelConfig};
use codeward_synthesis::Split;
use codeward_training::Recipe;
use serde_json::{Value, json};

use crate::bundled;
use crate::failure::Failure;
use crate::{hardening, hub, output, workbench};

/// What a run would be.
struct Plan<'a> {
    recipe: &'a Recipe,
    /// Of the model that is trained; nothing if it is made from the training text first.
    model: Option<ModelConfig>,
    adapter: Option<AdapterConfig>,
    out: &'a Path,
}

/// Prints what a run of the recipe would be.
pub(crate) fn tell(recipe: &Recipe, out: &Path, json: bool) -> Result<(), Failure> {
    let name = match recipe {
        Recipe::Rl(recipe) => &recipe.model,
        Recipe::Sft(recipe) => &recipe.model,
        Recipe::Preference(recipe) => &recipe.model,
    };
    let model = match name.as_str() {
        "scratch" => None,
        "bundled" => Some(ModelConfig::load(bundled::model()?.path())?),
        folder => Some(ModelConfig::load(&hub::place(Path::new(folder))?)?),
    };
    let plan = Plan { recipe, model, adapter: recipe.engine_options().adapter, out };
    if json { output::print_json(&plan.as_json()?) } else { output::print(&plan.describe(name)?) }
}

impl Plan<'_> {
    fn num_trained(&self) -> Option<usize> {
        let model = self.model.as_ref()?;
        Some(self.adapter.as_ref().map_or_else(|| model.num_parameters(), |adapter| adapter.num_parameters(model)))
    }

    /// What is trained on, and how often.
    fn work(&self) -> Result<String, Failure> {
        Ok(match self.recipe {
            Recipe::Rl(recipe) => {
                let benchmark = workbench::benchmark(&recipe.tasks.benchmark)?;
                let num_tasks = benchmark.tasks(Split::Rewarded, recipe.tasks.instances_per_family).len();
                let sizes = recipe.sizes();
                format!(
                    "{num_tasks} tasks of {}; {} steps of {} × {} rollouts, at most {} tokens each",
                    recipe.tasks.benchmark,
                    sizes.num_steps,
                    sizes.groups_per_step,
                    sizes.group_size,
                    recipe.sampling.max_new_tokens,
                )
            }
            Recipe::Preference(recipe) => {
                let benchmark = workbench::benchmark(&recipe.tasks.benchmark)?;
                let num_tasks = benchmark.tasks(Split::Rewarded, recipe.tasks.instances_per_family).len();
                format!(
                    "the repairs of {num_tasks} tasks of {}; {} passes in batches of {}",
                    recipe.tasks.benchmark, recipe.preference.num_epochs, recipe.preference.batch_size,
                )
            }
            Recipe::Sft(recipe) => format!(
                "{} documents of {}; {} passes in batches of {}",
                recipe.corpus.num_documents, recipe.corpus.benchmark, recipe.sft.num_epochs, recipe.sft.batch_size,
            ),
        })
    }

    fn micro_batch_tokens(&self) -> usize {
        match self.recipe {
            Recipe::Rl(recipe) => recipe.sizes().micro_batch_tokens,
            Recipe::Sft(recipe) => recipe.sft.micro_batch_tokens,
            Recipe::Preference(_) => 0,
        }
    }

    fn reference(&self) -> &'static str {
        let options = self.recipe.engine_options();
        match (options.reference, options.adapter) {
            (false, _) => "none",
            (true, None) => "a copy of the starting model",
            (true, Some(_)) => "the model without its adapter",
        }
    }

    fn describe(&self, name: &str) -> Result<String, Failure> {
        let mut text = String::new();
        let mut line = |key: &str, value: String| {
            let _ = writeln!(text, "{key:<12}{value}");
        };
        line("recipe", format!("{}, {}", self.kind(), self.recipe.content_hash()));
        let size = |count: usize| format!("{count} parameters");
        line(
            "model",
            match &self.model {
                Some(model) => format!("{name}, {:?}, {}", model.family, size(model.num_parameters())),
                None => "made anew; its size depends on the tokenizer that is trained first".to_owned(),
            },
        );
        let trained = self.adapter.as_ref().map_or_else(|| "all weights".to_owned(), ToString::to_string);
        line(
            "trained",
            match (self.num_trained(), &self.model) {
                (Some(count), Some(model)) if self.adapter.is_some() => {
                    let share = 100.0 * count as f64 / model.num_parameters() as f64;
                    format!("{trained}: {} ({share:.2} % of the model's)", size(count))
                }
                _ => trained,
            },
        );
        line("reference", self.reference().to_owned());
        line("work", self.work()?);
        line(
            "gradients",
            match self.micro_batch_tokens() {
                0 => "of a minibatch at once".to_owned(),
                most => format!("of {most} tokens at a time"),
            },
        );
        let parts = hardening::trained_parts(self.recipe.adapter());
        let state = if self.out.join("manifest.json").exists() { "holds a run already" } else { "new" };
        line("out", format!("{} ({state}): {} at the end", self.out.display(), parts.join(" and ")));
        Ok(text)
    }

    fn as_json(&self) -> Result<Value, Failure> {
        let adapter = self.adapter.as_ref().map(|adapter| {
            json!({
                "rank": adapter.rank,
                "factor": adapter.scale(),
                "targets": adapter.targets.iter().map(|linear| linear.name()).collect::<Vec<_>>(),
            })
        });
        Ok(json!({
            "kind": self.kind(),
            "recipe_hash": self.recipe.content_hash(),
            "num_parameters": self.model.as_ref().map(ModelConfig::num_parameters),
            "num_trained": self.num_trained(),
            "adapter": adapter,
            "reference": self.reference(),
            "work": self.work()?,
            "micro_batch_tokens": self.micro_batch_tokens(),
            "out": self.out,
            "saves": hardening::trained_parts(self.recipe.adapter()),
        }))
    }

    fn kind(&self) -> &str {
        match self.recipe {
            Recipe::Rl(recipe) => &recipe.kind,
            Recipe::Sft(recipe) => &recipe.kind,
            Recipe::Preference(recipe) => &recipe.kind,
        }
    }
}
