//! The main job: evaluate, train, evaluate again, report. `quickstart` and `train` with a recipe of kind `grpo` both run it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use codeward_evaluation::{EvaluateSettings, Summary, evaluate, report::write_report};
use codeward_lm::{EngineError, LanguageModel, ModelConfig, Precision, SamplingParams, Tokenizer};
use codeward_records::{Judged, Manifest, Task, jsonl};
use codeward_reward::{Engine, Store};
use codeward_synthesis::{Benchmark, Pool, Split};
use codeward_training::{AdapterSettings, Course, EvaluationSettings, Recipe, RlRecipe, RunFolder, derive_seed, train};

use crate::arguments::JudgeAddress;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::{interruption, memory, output, workbench};

/// The splits that are evaluated: the trained-on instances themselves are not.
const EVALUATED: [Split; 2] = [Split::RewardedUnseen, Split::Unrewarded];

/// Instances of the probe start here, beyond everything that training draws.
const FIRST_PROBE_INSTANCE: usize = 100_000;

/// Instances that are held out start here, beyond those of the probe.
const FIRST_HELD_OUT_INSTANCE: usize = 200_000;

/// A finished run.
pub(crate) struct Hardened {
    pub(crate) summary: Summary,
    pub(crate) steps: u64,
    pub(crate) step_backs: u32,
    pub(crate) seconds: f64,
    pub(crate) report: PathBuf,
}

/// Runs the main job in `out`, or continues it there.
pub(crate) fn harden(
    recipe: &RlRecipe,
    out: &Path,
    resume: bool,
    judge: Option<&JudgeAddress>,
) -> Result<Hardened, Failure> {
    let started = Instant::now();
    let benchmark = workbench::benchmark(&recipe.tasks.benchmark)?;
    let resolved = Recipe::Rl(Box::new(recipe.clone()));
    let options = memory::obey(recipe, resolved.engine_options(), &benchmark)?;
    let (mut policy, tokenizer) = workbench::model(Some(Path::new(&recipe.model)), &options)?;
    let mut engine = workbench::engine(recipe.reward.clone(), None, judge)?;
    let tasks = benchmark.tasks(Split::Rewarded, recipe.tasks.instances_per_family);
    let probe = probe_tasks(&benchmark, recipe.guard.instances_per_family);
    let held_out = held_out_tasks(&benchmark, recipe, [&tasks, &probe]);
    let most_new_tokens = recipe.sampling.max_new_tokens.max(recipe.evaluation.max_new_tokens);
    fits(most_new_tokens, policy.config(), &tokenizer, &tasks)?;

    let manifest = Manifest {
        format: Manifest::FORMAT,
        codeward: env!("CARGO_PKG_VERSION").to_owned(),
        seed: recipe.seed,
        recipe_hash: resolved.content_hash(),
        model_hash: policy.weights_hash()?,
        tasks_hash: tasks_hash(&tasks),
        threads: rayon::current_num_threads(),
        isolation: isolation(&engine),
    };
    let folder = RunFolder::open(out, resume, &manifest, &resolved.resolved())?;

    engine.keep_results(Store::open(&folder.path("cache/tests.redb"))?);

    let judge = Judge {
        benchmark: &benchmark,
        engine: &engine,
        tokenizer: &tokenizer,
        settings: &recipe.evaluation,
        seed: recipe.seed,
    };
    let before = judge.rows(&mut *policy, &folder, "before")?;
    interruption::between_stages()?;
    let trained = {
        let mut progress = Progress::new("training", recipe.sizes().num_steps);
        {
            let course = Course {
                recipe,
                tokenizer: &tokenizer,
                engine: &engine,
                tasks: &tasks,
                probe: &probe,
                held_out: &held_out,
            };
            train(course, &mut *policy, &folder, |event| progress.event(&event))?
        }
    };
    save_trained(&*policy, &tokenizer, resolved.adapter(), &folder)?;
    if !folder.path("evaluation/after.jsonl").exists() {
        interruption::between_stages()?;
    }
    let after = judge.rows(&mut *policy, &folder, "after")?;

    let summary = Summary::from_rows(&before, &after, recipe.seed);
    folder.write_json("summary.json", &summary)?;
    let report = write_report(out)?;
    Ok(Hardened {
        summary,
        steps: trained.step,
        step_backs: trained.step_backs,
        seconds: started.elapsed().as_secs_f64(),
        report,
    })
}

/// How strongly the engine's sandbox isolates, as manifests say it.
pub(crate) fn isolation(engine: &Engine) -> String {
    let level = serde_json::to_value(engine.isolation()).ok();
    level.and_then(|level| level.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Prompts and completions have to fit into the model's positions.
pub(crate) fn fits(
    most_new_tokens: usize,
    model: &ModelConfig,
    tokenizer: &Tokenizer,
    tasks: &[Task],
) -> Result<(), Failure> {
    let longest = tasks.iter().map(|task| tokenizer.encode(&task.prompt).len()).max().unwrap_or(0);
    let wanted = longest + most_new_tokens;
    let positions = model.max_position_embeddings;
    if wanted <= positions {
        return Ok(());
    }
    Err(Failure::new(
        format!(
            "a prompt of {longest} tokens and max_new_tokens make {wanted}, and the model has {positions} positions"
        ),
        "lower sampling.max_new_tokens and evaluation.max_new_tokens in the recipe",
    ))
}

/// What the guard watches: working code on instances that neither training nor evaluation uses.
fn probe_tasks(benchmark: &Benchmark, num_instances: usize) -> Vec<Task> {
    benchmark
        .families()
        .iter()
        .flat_map(|family| {
            (FIRST_PROBE_INSTANCE..FIRST_PROBE_INSTANCE + num_instances)
                .map(move |index| family.instance(Pool::Seen, index))
        })
        .collect()
}

/// What states of the policy are compared on: instances of the rewarded families whose prompts nothing else has, neither training, nor the
/// probe, nor the evaluation at the end.
fn held_out_tasks(benchmark: &Benchmark, recipe: &RlRecipe, others: [&[Task]; 2]) -> Vec<Task> {
    if recipe.held_out.every == 0 {
        return Vec::new();
    }
    let evaluated = EVALUATED.map(|split| benchmark.tasks(split, recipe.evaluation.instances_per_family));
    let mut taken: HashSet<String> = others
        .into_iter()
        .chain(evaluated.iter().map(Vec::as_slice))
        .flatten()
        .map(|task| task.prompt.clone())
        .collect();
    let wanted = recipe.held_out.instances_per_family;
    let mut found = Vec::new();
    for family in benchmark.families_of(Split::Rewarded) {
        // A family may have fewer different prompts than are wanted.
        let instances = (FIRST_HELD_OUT_INSTANCE..FIRST_HELD_OUT_INSTANCE + 50 * wanted)
            .map(|index| family.instance(Pool::Seen, index));
        found.extend(instances.filter(|task| taken.insert(task.prompt.clone())).take(wanted));
    }
    found
}

pub(crate) fn tasks_hash(tasks: &[Task]) -> String {
    let text: String = tasks.iter().map(Task::content_hash).collect();
    format!("{:016x}", derive_seed(0, &text, &[tasks.len() as u64]))
}

/// The folders of a run that hold what was trained.
pub(crate) fn trained_parts(adapter: Option<&AdapterSettings>) -> Vec<&'static str> {
    let parts = [("adapter", adapter.is_some()), ("model", adapter.is_none_or(|adapter| adapter.save_merged))];
    parts.into_iter().filter(|(_, is_there)| *is_there).map(|(part, _)| part).collect()
}

/// What was trained: `model` in Hugging Face layout; or `adapter` in PEFT's layout, and the model only if the recipe asks for it.
pub(crate) fn save_trained(
    policy: &dyn LanguageModel,
    tokenizer: &Tokenizer,
    adapter: Option<&AdapterSettings>,
    folder: &RunFolder,
) -> Result<(), Failure> {
    for part in trained_parts(adapter) {
        save_folder(part, tokenizer, folder, |path| match part {
            "adapter" => policy.save_adapter(path),
            _ => policy.save_model(path, Precision::Bf16),
        })?;
    }
    Ok(())
}

/// A folder of the run with a tokenizer and what `save` writes. It appears whole or not at all.
fn save_folder(
    name: &str,
    tokenizer: &Tokenizer,
    folder: &RunFolder,
    save: impl FnOnce(&Path) -> Result<(), EngineError>,
) -> Result<(), Failure> {
    let hint = "free some disk space, then continue with --resume";
    let (target, partial) = (folder.path(name), folder.path(&format!("{name}.partial")));
    let io = |error: std::io::Error| Failure::io(&partial, &error, hint);
    for stale in [&partial, &target] {
        if stale.exists() {
            std::fs::remove_dir_all(stale).map_err(io)?;
        }
    }
    std::fs::create_dir_all(&partial).map_err(io)?;
    save(&partial).map_err(|error| Failure::new(error, hint))?;
    tokenizer.save(&partial).map_err(|error| Failure::new(error, hint))?;
    std::fs::rename(&partial, &target).map_err(io)
}

/// Everything that an evaluation needs beside the model.
pub(crate) struct Judge<'a> {
    pub(crate) benchmark: &'a Benchmark,
    pub(crate) engine: &'a Engine,
    pub(crate) tokenizer: &'a Tokenizer,
    pub(crate) settings: &'a EvaluationSettings,
    pub(crate) seed: u64,
}

impl Judge<'_> {
    /// The judged rows of `evaluation/<name>.jsonl`, made now unless a complete file is there.
    pub(crate) fn rows(
        &self,
        model: &mut dyn LanguageModel,
        folder: &RunFolder,
        name: &str,
    ) -> Result<Vec<Judged>, Failure> {
        let path = folder.path(&format!("evaluation/{name}.jsonl"));
        if path.exists() {
            return Ok(jsonl::read(&path)?);
        }
        let rows = self.evaluate(model, name)?;
        jsonl::write(&path, &rows)?;
        Ok(rows)
    }

    /// Samples and judges both splits.
    pub(crate) fn evaluate(&self, model: &mut dyn LanguageModel, name: &str) -> Result<Vec<Judged>, Failure> {
        let settings = EvaluateSettings {
            samples_per_task: self.settings.samples_per_task,
            sampling: SamplingParams {
                temperature: self.settings.temperature,
                max_new_tokens: self.settings.max_new_tokens,
                ..SamplingParams::default()
            },
            stop: self.settings.stop.clone(),
            seed: derive_seed(self.seed, "evaluation", &[]),
        };
        let mut rows = Vec::new();
        for split in EVALUATED {
            let tasks = self.benchmark.tasks(split, self.settings.instances_per_family);
            let length = tasks.len() as u64 * u64::from(self.settings.samples_per_task);
            let mut progress = Progress::new(&format!("{name}, {}", split.name()), length);
            let judged = evaluate(model, self.tokenizer, self.engine, split.name(), &tasks, &settings, |done, all| {
                progress.at(done as u64, all as u64, "");
            });
            rows.extend(judged?);
        }
        Ok(rows)
    }
}

/// What people see at the end.
pub(crate) fn tell(hardened: &Hardened) -> Result<(), Failure> {
    output::print(&hardened.summary.table())?;
    output::print(&format!(
        "\nSecurity is judged by attack tests that ran the code; the reward came from functional tests and the analyser.\n{} steps, {} steps back, {:.0} s. Report: {}\n",
        hardened.steps,
        hardened.step_backs,
        hardened.seconds,
        hardened.report.display()
    ))
}

/// What scripts see at the end.
pub(crate) fn tell_json(hardened: &Hardened) -> Result<(), Failure> {
    let mut value = serde_json::to_value(&hardened.summary).expect("a summary is plain data");
    if let Some(fields) = value.as_object_mut() {
        fields.insert("steps".to_owned(), hardened.steps.into());
        fields.insert("step_backs".to_owned(), hardened.step_backs.into());
        fields.insert("seconds".to_owned(), hardened.seconds.into());
        fields.insert("report".to_owned(), hardened.report.display().to_string().into());
    }
    output::print_json(&value)
}
