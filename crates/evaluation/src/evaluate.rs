//! Sampling a model on a split and judging what it wrote.

use codeward_lm::{Ends, EngineError, LanguageModel, Prompt, SamplingParams, Tokenizer};
use codeward_records::{Judged, Task};
use codeward_reward::Engine;

/// How a model is evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluateSettings {
    /// Completions of each task.
    pub samples_per_task: u32,
    /// How tokens are drawn.
    pub sampling: SamplingParams,
    /// Texts that end a completion, which is cut where they begin.
    pub stop: Vec<String>,
    /// Every random draw comes from it.
    pub seed: u64,
}

/// Rows that are sampled and judged together; bounds the memory of the key-value cache.
const BATCH_ROWS: usize = 128;

/// Samples every task of a split and judges the completions by their functional and attack tests.
///
/// The draws of sample `k` of a task depend on the seed, the task's id and `k` alone, so samples of two models pair up. `listen` is told how many
/// rows of the split are done.
///
/// # Errors
/// If the model's engine fails.
pub fn evaluate(
    model: &mut dyn LanguageModel,
    tokenizer: &Tokenizer,
    engine: &Engine,
    split: &str,
    tasks: &[Task],
    settings: &EvaluateSettings,
    mut listen: impl FnMut(usize, usize),
) -> Result<Vec<Judged>, EngineError> {
    let rows: Vec<(&Task, u32)> =
        tasks.iter().flat_map(|task| (0..settings.samples_per_task).map(move |sample| (task, sample))).collect();
    let mut judged = Vec::with_capacity(rows.len());
    for batch in rows.chunks(BATCH_ROWS) {
        let completions = sample(model, tokenizer, batch, settings)?;
        let items: Vec<(&Task, &str)> =
            batch.iter().zip(&completions).map(|((task, _), completion)| (*task, completion.as_str())).collect();
        let parts = engine.judge(&items);
        for (((task, sample), completion), parts) in batch.iter().zip(&completions).zip(parts) {
            judged.push(Judged {
                split: split.to_owned(),
                task_id: task.id.clone(),
                family: task.family.clone(),
                cwe: task.cwe,
                sample: *sample,
                prompt: task.prompt.clone(),
                completion: completion.clone(),
                verdict: parts.verdict,
                findings: parts.findings,
            });
        }
        listen(judged.len(), rows.len());
    }
    Ok(judged)
}

fn sample(
    model: &mut dyn LanguageModel,
    tokenizer: &Tokenizer,
    rows: &[(&Task, u32)],
    settings: &EvaluateSettings,
) -> Result<Vec<String>, EngineError> {
    let tokens: Vec<Vec<u32>> = rows.iter().map(|(task, _)| tokenizer.encode(&task.prompt)).collect();
    let prompts: Vec<Prompt<'_>> = rows
        .iter()
        .zip(&tokens)
        .map(|((task, sample), tokens)| Prompt { tokens, seed: row_seed(settings.seed, &task.id, *sample) })
        .collect();
    let ends = Ends::new(tokenizer, &settings.stop);
    let sampled = model.complete(&prompts, &ends, &settings.sampling)?;
    Ok(sampled.iter().map(|row| row.text(tokenizer)).collect())
}

/// FNV-1a over the seed, the task's id and the sample's number.
fn row_seed(seed: u64, task_id: &str, sample: u32) -> u64 {
    let bytes = seed.to_le_bytes().into_iter().chain(task_id.bytes()).chain(sample.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
