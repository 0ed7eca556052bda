//! `codeward eval`: how often a model's code works, is secure, and both.

use codeward_evaluation::Summary;
use codeward_lm::EngineOptions;
use codeward_records::jsonl;
use codeward_reward::RewardRecipe;
use codeward_training::EvaluationSettings;

use crate::Ending;
use crate::arguments::Eval;
use crate::failure::Failure;
use crate::hardening::Judge;
use crate::{output, workbench};

pub(crate) fn run(options: &Eval) -> Result<Ending, Failure> {
    let benchmark = workbench::benchmark(&options.benchmark)?;
    let (mut model, tokenizer) = workbench::model(options.model.as_deref(), &EngineOptions::default())?;
    let engine = workbench::engine(RewardRecipe::default(), None, None)?;
    let settings = EvaluationSettings {
        judge: "tests".to_owned(),
        instances_per_family: options.instances,
        samples_per_task: options.samples,
        temperature: options.temperature,
        max_new_tokens: options.max_new_tokens,
        stop: options.stop.clone(),
    };
    let judge = Judge {
        benchmark: &benchmark,
        engine: &engine,
        tokenizer: &tokenizer,
        settings: &settings,
        seed: options.seed,
    };
    let rows = judge.evaluate(&mut *model, "evaluating")?;
    if let Some(path) = &options.rows {
        jsonl::write(path, &rows)?;
    }
    let summary = Summary::from_rows(&rows, &[], options.seed);
    if options.json {
        let value = serde_json::to_value(&summary).expect("a summary is plain data");
        output::print_json(&value["before"])?;
    } else {
        output::print(&summary.table())?;
        output::print("\nSecurity is judged by attack tests that ran the code.\n")?;
    }
    Ok(Ending::Done)
}
