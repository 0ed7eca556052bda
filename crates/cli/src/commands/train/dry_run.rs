//! `codeward train --dry-run`: what a run would be. Reads no weights, runs nothing and writes nothing.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use codeward_lm::{AdapterConfig, ModelConfig};
use codeward_synthesis::Split;
use codeward_training::{Pipeline, Recipe, SftSettings};
use serde_json::{Value, json};

use super::{pipeline, supervised};
use crate::bundled;
use crate::failure::Failure;
use crate::{hardening, hub, output, workbench};

/// The model that a run would train.
#[derive(Clone)]
enum Subject {
    /// It is there.
    Known(ModelConfig),
    /// It is made from the training text first.
    Scratch,
    /// It has to be downloaded first.
    Absent,
}

/// What a run would be.
struct Plan<'a> {
    recipe: &'a Recipe,
    model: Subject,
    adapter: Option<AdapterConfig>,
    out: PathBuf,
}

/// Prints what a run of the recipe would be.
pub(crate) fn tell(recipe: &Recipe, out: &Path, json: bool) -> Result<(), Failure> {
    let plan = Plan::of(recipe, subject(recipe.model())?, out.to_owned());
    if json { output::print_json(&plan.as_json()?) } else { output::print(&plan.describe(recipe.model())?) }
}

/// Prints what a run of a pipeline would be, stage by stage.
pub(crate) fn tell_stages(pipeline: &Pipeline, out: &Path, json: bool) -> Result<(), Failure> {
    let first = &pipeline.stages[0].recipe;
    let model = subject(first.model())?;
    let (mut text, mut rows) = (String::new(), Vec::new());
    for (at, stage) in pipeline.stages.iter().enumerate() {
        let folder = pipeline::folder_of(at, stage);
        let plan = Plan::of(&stage.recipe, model.clone(), out.join(&folder));
        let name = match at {
            0 => first.model().to_owned(),
            _ => format!("what {} makes", pipeline::folder_of(at - 1, &pipeline.stages[at - 1])),
        };
        let _ = write!(text, "{}stage {folder}\n{}", if at == 0 { "" } else { "\n" }, plan.describe(&name)?);
        rows.push(plan.as_json()?);
    }
    if json { output::print_json(&json!({"stages": rows})) } else { output::print(&text) }
}

fn subject(name: &str) -> Result<Subject, Failure> {
    Ok(match name {
        "scratch" => Subject::Scratch,
        "bundled" => Subject::Known(ModelConfig::load(bundled::model()?.path())?),
        name => match hub::place_if_here(Path::new(name))? {
            Some(folder) => Subject::Known(ModelConfig::load(&folder)?),
            None => Subject::Absent,
        },
    })
}

impl<'a> Plan<'a> {
    fn of(recipe: &'a Recipe, model: Subject, out: PathBuf) -> Self {
        Self { recipe, model, adapter: recipe.engine_options().adapter, out }
    }

    fn config(&self) -> Option<&ModelConfig> {
        match &self.model {
            Subject::Known(config) => Some(config),
            Subject::Scratch | Subject::Absent => None,
        }
    }

    fn num_trained(&self) -> Option<usize> {
        let model = self.config()?;
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
            Recipe::Rejection(recipe) => {
                let benchmark = workbench::benchmark(&recipe.tasks.benchmark)?;
                let num_tasks = benchmark.tasks(Split::Rewarded, recipe.tasks.instances_per_family).len();
                let rejection = &recipe.rejection;
                format!(
                    "{} rounds of {} completions of {num_tasks} tasks of {}, at most {} tokens each; {} passes over what is kept, in batches of {}",
                    rejection.num_rounds,
                    rejection.samples_per_task,
                    recipe.tasks.benchmark,
                    recipe.sampling.max_new_tokens,
                    recipe.sft.num_epochs,
                    batch(&recipe.sft),
                )
            }
            Recipe::Sft(recipe) => {
                let num_examples = supervised::examples(recipe)?.len();
                let from = match (&recipe.corpus, recipe.examples.repairs_per_family, recipe.examples.files.len()) {
                    (Some(corpus), _, _) => format!("documents of {} and other examples", corpus.benchmark),
                    (None, 0, 1) => format!("examples of {}", recipe.examples.files[0]),
                    (None, 0, count) => format!("examples of {count} files"),
                    (None, _, 0) => format!("repairs of {}", recipe.examples.benchmark),
                    (None, _, _) => format!("repairs of {} and examples of files", recipe.examples.benchmark),
                };
                let only =
                    if recipe.sft.changed_tokens_only { ", of which only what was changed is learned" } else { "" };
                let from = if recipe.corpus.is_some() { from.replace(" and other examples", "") } else { from };
                format!(
                    "{num_examples} {from}{only}; {} passes in batches of {}",
                    recipe.sft.num_epochs,
                    batch(&recipe.sft)
                )
            }
        })
    }

    fn micro_batch_tokens(&self) -> usize {
        match self.recipe {
            Recipe::Rl(recipe) => recipe.sizes().micro_batch_tokens,
            Recipe::Sft(recipe) => recipe.sft.micro_batch_tokens,
            Recipe::Rejection(recipe) => recipe.sft.micro_batch_tokens,
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
        line("recipe", format!("{}, {}", self.recipe.kind(), self.recipe.content_hash()));
        let size = |count: usize| format!("{count} parameters");
        line(
            "model",
            match &self.model {
                Subject::Known(model) => format!("{name}, {:?}, {}", model.family, size(model.num_parameters())),
                Subject::Scratch => "made anew; its size depends on the tokenizer that is trained first".to_owned(),
                Subject::Absent => format!("{name}, which is not here yet: --download brings it"),
            },
        );
        let trained = self.adapter.as_ref().map_or_else(|| "all weights".to_owned(), ToString::to_string);
        line(
            "trained",
            match (self.num_trained(), self.config()) {
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
            "kind": self.recipe.kind(),
            "recipe_hash": self.recipe.content_hash(),
            "num_parameters": self.config().map(ModelConfig::num_parameters),
            "num_trained": self.num_trained(),
            "adapter": adapter,
            "reference": self.reference(),
            "work": self.work()?,
            "micro_batch_tokens": self.micro_batch_tokens(),
            "out": &self.out,
            "saves": hardening::trained_parts(self.recipe.adapter()),
        }))
    }
}

/// What a step learns from.
fn batch(settings: &SftSettings) -> String {
    match settings.batch_tokens {
        0 => settings.batch_size.to_string(),
        tokens => format!("{tokens} tokens"),
    }
}
