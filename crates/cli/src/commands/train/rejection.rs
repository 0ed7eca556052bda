//! Training on the policy's own best completions, with an evaluation before and after.

use std::path::Path;
use std::time::Instant;

use codeward_evaluation::Summary;
use codeward_evaluation::report::write_report;
use codeward_records::Manifest;
use codeward_reward::Store;
use codeward_synthesis::Split;
use codeward_training::{Recipe, RejectionRecipe, RunFolder, Selection, learn_from_best};

use super::unrun_manifest;
use crate::arguments::JudgeAddress;
use crate::failure::Failure;
use crate::hardening::{self, Hardened, Judge};
use crate::progress::Progress;
use crate::workbench;

/// Runs rejection sampling in `out`, or continues it there.
pub(super) fn run(
    recipe: &RejectionRecipe,
    out: &Path,
    resume: bool,
    judge: &JudgeAddress,
) -> Result<Hardened, Failure> {
    let started = Instant::now();
    let benchmark = workbench::benchmark(&recipe.tasks.benchmark)?;
    let resolved = Recipe::Rejection(Box::new(recipe.clone()));
    let (mut policy, tokenizer) = workbench::model(Some(Path::new(&recipe.model)), &resolved.engine_options())?;
    let mut engine = workbench::engine(recipe.reward.clone(), None, Some(judge))?;
    let tasks = benchmark.tasks(Split::Rewarded, recipe.tasks.instances_per_family);
    let most_new_tokens = recipe.sampling.max_new_tokens.max(recipe.evaluation.max_new_tokens);
    hardening::fits(most_new_tokens, policy.config(), &tokenizer, &tasks)?;
    let manifest = Manifest {
        isolation: hardening::isolation(&engine),
        ..unrun_manifest(&resolved, policy.weights_hash()?, hardening::tasks_hash(&tasks))
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
    let steps = {
        let mut progress = Progress::new("sampling and training", 1);
        let selection = Selection { recipe, tokenizer: &tokenizer, engine: &engine, tasks: &tasks };
        learn_from_best(selection, &mut *policy, &folder, |event| progress.event(&event))?
    };
    hardening::save_trained(&*policy, &tokenizer, recipe.adapter.as_ref(), &folder)?;
    let after = judge.rows(&mut *policy, &folder, "after")?;
    let summary = Summary::from_rows(&before, &after, recipe.seed);
    folder.write_json("summary.json", &summary)?;
    let report = write_report(out)?;
    Ok(Hardened { summary, steps, step_backs: 0, seconds: started.elapsed().as_secs_f64(), report })
}
