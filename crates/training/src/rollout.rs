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

/// What is sampled.
#[derive(Clone, Copy)]
pub struct Draw<'a> {
    /// The model's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// The tasks, one group each.
    pub tasks: &'a [&'a Task],
    /// Rollouts of each task.
    pub group_size: usize,
    /// How tokens are drawn.
    pub settings: &'a SamplingSettings,
    /// A row's draws depend on it, the step, the task's place and its place in the group, not on what else is in the batch.
    pub seed: u64,
    /// The step.
    pub step: u64,
}

/// Samples all groups in one batch. `done` is given each rollout as soon as it has ended, with its place when all are counted in order.
///
/// # Errors
/// If the model's engine fails.
pub fn sample_groups(
    model: &mut dyn LanguageModel,
    draw: &Draw<'_>,
    mut done: impl FnMut(usize, &Rollout),
) -> Result<Vec<RolloutGroup>, EngineError> {
    let Draw { tokenizer, tasks, group_size, settings, seed, step } = *draw;
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
    let mut rollouts: Vec<Option<Rollout>> = vec![None; rows.len()];
    model.generate(&rows, &ends, &settings.into(), &mut |place, row| {
        let rollout = Rollout {
            completion: row.text(tokenizer),
            finish_reason: if row.stopped { FinishReason::Stop } else { FinishReason::Length },
            tokens: row.tokens,
            old_logprobs: row.logprobs,
            reward: None,
        };
        done(place, &rollout);
        rollouts[place] = Some(rollout);
    })?;
    let mut rollouts = rollouts.into_iter().map(|rollout| rollout.expect("every prompt is completed"));
    let group = |(task, prompt_tokens): (&&Task, Vec<u32>)| RolloutGroup {
        step,
        task_id: task.id.clone(),
        prompt_tokens,
        rollouts: rollouts.by_ref().take(group_size).collect(),
    };
    Ok(tasks.iter().zip(prompts).map(group).collect())
}
