//! Sampling groups of completions.

use codeward_lm::{Ends, EngineError, LanguageModel, Prompt, SamplingParams, Tokenizer};
use codeward_records::{FinishReason, Rollout, RolloutGroup, Task};

use crate::recipe::SamplingSettings;
use crate::seed::derive_seed;

impl From<&SamplingSettings> for SamplingParams {
    fn from(settings: &SamplingSettings) -> Self {
        Self {
            temperature: settings.temperature,
            top_p: settings.top_p,
            top_k: settings.top_k,
            max_new_tokens: settings.max_new_tokens,
            ..Self::default()
        }
    }
}

/// Samples `group_size` rollouts of every task in one batch. A row's draws depend on the seed, the step, the task's place and its
/// place in the group, not on what else is in the batch.
///
/// # Errors
/// If the model's engine fails.
pub fn sample_groups(
    model: &mut dyn LanguageModel,
    tokenizer: &Tokenizer,
    tasks: &[&Task],
    group_size: usize,
    settings: &SamplingSettings,
    seed: u64,
    step: u64,
) -> Result<Vec<RolloutGroup>, EngineError> {
    let prompts: Vec<Vec<u32>> = tasks.iter().map(|task| tokenizer.encode(&task.prompt)).collect();
    let rows: Vec<Prompt<'_>> = prompts
        .iter()
        .enumerate()
        .flat_map(|(at, tokens)| {
            (0..group_size).map(move |member| Prompt {
                tokens,
                seed: derive_seed(seed, "rollout", &[step, at as u64, member as u64]),
            })
        })
        .collect();
    let ends = Ends::new(tokenizer, &settings.stop);
    let mut sampled = model.complete(&rows, &ends, &settings.into())?.into_iter();
    let groups = tasks
        .iter()
        .zip(&prompts)
        .map(|(task, prompt_tokens)| RolloutGroup {
            step,
            task_id: task.id.clone(),
            prompt_tokens: prompt_tokens.clone(),
            rollouts: sampled
                .by_ref()
                .take(group_size)
                .map(|row| Rollout {
                    completion: row.text(tokenizer),
                    finish_reason: if row.stopped { FinishReason::Stop } else { FinishReason::Length },
                    tokens: row.tokens,
                    old_logprobs: row.logprobs,
                    reward: None,
                })
                .collect(),
        })
        .collect();
    Ok(groups)
}
