//! Rejection sampling: the policy learns from its own best completions.
//!
//! In every round it samples some completions of each task, the reward says which are good, and supervised training goes over those
//! (RAFT, arXiv 2304.06767; ReST, arXiv 2308.08998). The samples are kept batch by batch as they are scored, so a run that is killed
//! samples none of them again.
//!
//! Steps are numbered through: those of a round that sample, then those that learn.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use codeward_lm::{LanguageModel, Tokenizer};
use codeward_records::{FinishReason, Reward, Rollout, RolloutGroup, Task};
use codeward_reward::{Asking, Engine, RewardRecipe};
use serde::{Deserialize, Serialize};

use crate::adapter::AdapterSettings;
use crate::event::Event;
use crate::passes::{Logbook, Passes};
use crate::recipe::{
    CheckpointSettings, EvaluationSettings, OptimiserSettings, Ranges, RecipeError, SamplingSettings, TaskSettings,
    default_model, default_seed,
};
use crate::rollout::{Draw, sample_groups};
use crate::run_folder::RunFolder;
use crate::seed::derive_seed;
use crate::sft::{Document, Example, batches, documents, learn, lengths};
use crate::sft_recipe::SftSettings;
use crate::stages::{items_of, reward_metrics};
use crate::train::TrainError;

/// Which of the good completions of a task are learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// The one with the greatest reward.
    Best,
    /// Every distinct one.
    All,
}

/// How much is sampled, and what of it is learned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RejectionSettings {
    /// Rounds of sampling and learning; each samples from what the one before has learned.
    pub num_rounds: u64,
    /// Completions of each task in a round.
    pub samples_per_task: usize,
    /// Tasks that are sampled and scored at a time.
    pub tasks_per_step: usize,
    /// Which good completions are learned.
    pub keep: Keep,
    /// The reward from which on a completion is good.
    pub threshold: f64,
    /// A larger share of unscored completions in a step ends the run with an error.
    pub max_unscored_fraction: f64,
}

impl Default for RejectionSettings {
    fn default() -> Self {
        Self {
            num_rounds: 1,
            samples_per_task: 8,
            tasks_per_step: 16,
            keep: Keep::Best,
            threshold: 0.5,
            max_unscored_fraction: 0.1,
        }
    }
}

/// A recipe of kind `rejection`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RejectionRecipe {
    /// Always `rejection`.
    pub kind: String,
    /// Every random draw comes from it.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// `bundled`, or a folder in Hugging Face layout.
    #[serde(default = "default_model")]
    pub model: String,
    /// A low-rank adapter to train in place of the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<AdapterSettings>,
    /// What is sampled.
    #[serde(default)]
    pub tasks: TaskSettings,
    /// How much of it, and what is learned.
    #[serde(default)]
    pub rejection: RejectionSettings,
    /// How it is learned, in every round.
    #[serde(default)]
    pub sft: SftSettings,
    /// The optimiser; its schedule begins anew in every round.
    #[serde(default)]
    pub optimiser: OptimiserSettings,
    /// How completions are drawn.
    #[serde(default)]
    pub sampling: SamplingSettings,
    /// How completions are scored.
    #[serde(default)]
    pub reward: RewardRecipe,
    /// When the state is saved.
    #[serde(default)]
    pub checkpoint: CheckpointSettings,
    /// How the model is evaluated before and after.
    #[serde(default)]
    pub evaluation: EvaluationSettings,
}

impl RejectionRecipe {
    pub(crate) fn check(&self, ranges: &Ranges<'_>) -> Result<(), RecipeError> {
        let rejection = &self.rejection;
        ranges.positive("rejection.num_rounds", rejection.num_rounds as f64)?;
        ranges.positive("rejection.samples_per_task", rejection.samples_per_task as f64)?;
        ranges.positive("rejection.tasks_per_step", rejection.tasks_per_step as f64)?;
        ranges.of(rejection.threshold.is_finite(), "rejection.threshold", &rejection.threshold, "a finite number")?;
        ranges.share("rejection.max_unscored_fraction", rejection.max_unscored_fraction)?;
        self.sft.check(ranges)?;
        let is_whole = !self.sft.changed_tokens_only;
        ranges.of(is_whole, "sft.changed_tokens_only", &"true", "false: what the policy wrote repairs nothing")?;
        ranges.positive("tasks.instances_per_family", self.tasks.instances_per_family as f64)?;
        ranges.positive("optimiser.learning_rate", self.optimiser.learning_rate)?;
        ranges.positive("sampling.temperature", f64::from(self.sampling.temperature))?;
        ranges.positive("sampling.max_new_tokens", self.sampling.max_new_tokens as f64)?;
        ranges.check_stop("sampling.stop", &self.sampling.stop)?;
        ranges.check_stop("evaluation.stop", &self.evaluation.stop)?;
        ranges.positive("checkpoint.every", self.checkpoint.every as f64)?;
        ranges.positive("checkpoint.keep", self.checkpoint.keep as f64)?;
        let judge = &self.evaluation.judge;
        ranges.of(judge == "tests", "evaluation.judge", &format!("{judge:?}"), "\"tests\"")
    }
}

/// Everything that rejection sampling reads and never changes.
#[derive(Clone, Copy)]
pub struct Selection<'a> {
    /// What to do.
    pub recipe: &'a RejectionRecipe,
    /// The model's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// What scores completions.
    pub engine: &'a Engine,
    /// What is sampled.
    pub tasks: &'a [Task],
}

/// Has `policy` learn from the best of its own completions, from where the folder's run stands. Says how many steps it took.
///
/// # Errors
/// When the folder or a checkpoint cannot be written, when too many completions are unscored or none is good enough, when numbers
/// overflow, or when the engine fails.
pub fn learn_from_best(
    selection: Selection<'_>,
    policy: &mut dyn LanguageModel,
    folder: &RunFolder,
    mut listen: impl FnMut(Event<'_>),
) -> Result<u64, TrainError> {
    let recipe = selection.recipe;
    if selection.tasks.is_empty() {
        return Err(TrainError::NoTasks);
    }
    let mut logbook = Logbook::open(policy, selection.tokenizer, folder, &recipe.checkpoint, &mut listen)?;
    let mut first = 0;
    for round in 0..recipe.rejection.num_rounds {
        let groups = selection.sample_round(first, policy, &mut logbook, &mut listen)?;
        first += selection.num_sampling_steps();
        let examples = selection.examples(&groups);
        let documents = documents(&recipe.sft, policy, selection.tokenizer, &examples)?;
        if documents.is_empty() {
            return Err(TrainError::NothingKept { round: round + 1, threshold: recipe.rejection.threshold });
        }
        let lengths = lengths(&documents);
        let passes = Passes {
            num_items: documents.len(),
            batches: batches(&recipe.sft, &lengths),
            num_epochs: recipe.sft.num_epochs,
            seed: derive_seed(recipe.seed, "round", &[round]),
            optimiser: &recipe.optimiser,
            checkpoint: &recipe.checkpoint,
        };
        passes.run(policy, &mut logbook, first, &mut listen, |policy, chosen, rate| {
            let batch: Vec<&Document> = chosen.iter().map(|index| &documents[*index]).collect();
            learn(policy, &recipe.sft, &recipe.optimiser, &batch, rate)
        })?;
        first += passes.num_steps();
    }
    Ok(first)
}

impl Selection<'_> {
    fn num_sampling_steps(&self) -> u64 {
        self.tasks.len().div_ceil(self.recipe.rejection.tasks_per_step) as u64
    }

    /// The scored completions of a round whose steps begin after `first`: those that the folder has, and new ones.
    fn sample_round(
        &self,
        first: u64,
        policy: &mut dyn LanguageModel,
        logbook: &mut Logbook<'_>,
        listen: &mut dyn FnMut(Event<'_>),
    ) -> Result<Vec<RolloutGroup>, TrainError> {
        let mut all = Vec::new();
        for (step, tasks) in (first + 1..).zip(self.tasks.chunks(self.recipe.rejection.tasks_per_step)) {
            let started = Instant::now();
            let is_past = step <= logbook.step;
            if !is_past {
                logbook.pause(policy)?;
            }
            if !is_past && !logbook.folder.rollout_steps()?.contains(&step) {
                logbook.folder.write_rollouts(step, &self.sample(policy, tasks, step)?)?;
            }
            // Read back even what was just written, so that a run that is continued sees the same numbers to the last bit.
            let groups = logbook.folder.read_rollouts(step)?;
            if !is_past {
                let values = self.measure(step, &groups)?;
                let timing = ("time/sample_secs", started.elapsed().as_secs_f64());
                logbook.log(values, first + self.num_sampling_steps(), timing, listen)?;
            }
            all.extend(groups);
        }
        Ok(all)
    }

    fn sample(
        &self,
        policy: &mut dyn LanguageModel,
        tasks: &[Task],
        step: u64,
    ) -> Result<Vec<RolloutGroup>, TrainError> {
        let (recipe, tasks) = (self.recipe, tasks.iter().collect::<Vec<&Task>>());
        let draw = Draw {
            tokenizer: self.tokenizer,
            tasks: &tasks,
            group_size: recipe.rejection.samples_per_task,
            settings: &recipe.sampling,
            seed: recipe.seed,
            step,
        };
        let mut groups = sample_groups(policy, &draw, |_, _| {})?;
        let rewards = self.engine.score_with(&items_of(&tasks, &groups), &Asking { step, ..Asking::default() });
        for (rollout, reward) in groups.iter_mut().flat_map(|group| &mut group.rollouts).zip(rewards) {
            rollout.reward = Some(reward);
        }
        Ok(groups)
    }

    /// The numbers of a step's completions.
    fn measure(&self, step: u64, groups: &[RolloutGroup]) -> Result<BTreeMap<String, f64>, TrainError> {
        let rollouts: Vec<&Rollout> = groups.iter().flat_map(|group| &group.rollouts).collect();
        let reason = |rollout: &&Rollout| match &rollout.reward {
            Some(Reward::Unscored { detail, .. }) => Some(detail.clone()),
            _ => None,
        };
        let reasons: Vec<String> = rollouts.iter().filter_map(reason).collect();
        let (unscored, total) = (reasons.len(), rollouts.len());
        if unscored as f64 > self.recipe.rejection.max_unscored_fraction * total as f64 {
            let detail = reasons.into_iter().next().unwrap_or_default();
            return Err(TrainError::Unscored { step, unscored, total, detail });
        }
        let kept: Vec<usize> = groups.iter().map(|group| kept(&self.recipe.rejection, group).len()).collect();
        let taught = kept.iter().filter(|count| **count > 0).count();
        let mut values = reward_metrics(groups);
        values.insert("rejection/kept_fraction".to_owned(), kept.iter().sum::<usize>() as f64 / total as f64);
        values.insert("rejection/taught_fraction".to_owned(), taught as f64 / groups.len() as f64);
        Ok(values)
    }

    /// What is learned of a round.
    fn examples(&self, groups: &[RolloutGroup]) -> Vec<Example> {
        let of_group = |(task, group): (&Task, &RolloutGroup)| {
            let example = |rollout: &Rollout| Example {
                origin: task.id.clone(),
                prompt: task.prompt.clone(),
                completion: rollout.completion.clone(),
                changed: None,
            };
            kept(&self.recipe.rejection, group).into_iter().map(example).collect::<Vec<_>>()
        };
        self.tasks.iter().zip(groups).flat_map(of_group).collect()
    }
}

/// The completions of a task that are learned: ended by themselves, scored, good enough, and each only once.
fn kept<'a>(settings: &RejectionSettings, group: &'a RolloutGroup) -> Vec<&'a Rollout> {
    let mut seen = HashSet::new();
    let mut good: Vec<(&Rollout, f64)> = group
        .rollouts
        .iter()
        .filter(|rollout| rollout.finish_reason == FinishReason::Stop)
        .filter_map(|rollout| Some((rollout, rollout.reward.as_ref()?.value()?)))
        .filter(|(rollout, value)| *value >= settings.threshold && seen.insert(rollout.completion.as_str()))
        .collect();
    if settings.keep == Keep::Best {
        // The sort is stable: of equals the one that was drawn first.
        good.sort_by(|one, other| other.1.total_cmp(&one.1));
        good.truncate(1);
    }
    good.into_iter().map(|(rollout, _)| rollout).collect()
}

#[cfg(test)]
mod tests {
    use codeward_records::UnscoredReason;

    use super::*;

    fn group(rollouts: &[(&str, Option<f64>, FinishReason)]) -> RolloutGroup {
        let rollouts = rollouts.iter().map(|(completion, value, finish_reason)| Rollout {
            completion: (*completion).to_owned(),
            tokens: vec![1],
            old_logprobs: vec![-1.0],
            finish_reason: *finish_reason,
            reward: Some(match value {
                Some(value) => Reward::Scored { value: *value, parts: BTreeMap::new(), spans: Vec::new() },
                None => Reward::Unscored {
                    reason: UnscoredReason::SandboxFailed,
                    detail: "no sandbox".to_owned(),
                    retryable: true,
                },
            }),
        });
        RolloutGroup { step: 1, task_id: "t".to_owned(), prompt_tokens: vec![0], rollouts: rollouts.collect() }
    }

    #[test]
    fn what_is_good_whole_and_new_is_kept() {
        use FinishReason::{Length, Stop};
        let group = group(&[
            ("a", Some(0.6), Stop),
            ("b", Some(0.9), Stop),
            ("b", Some(0.9), Stop),
            ("c", Some(1.0), Length),
            ("d", Some(0.4), Stop),
            ("e", None, Stop),
            ("f", Some(0.9), Stop),
        ]);
        let texts = |keep, threshold| -> Vec<&str> {
            let settings = RejectionSettings { keep, threshold, ..RejectionSettings::default() };
            kept(&settings, &group).iter().map(|rollout| rollout.completion.as_str()).collect()
        };
        assert_eq!(texts(Keep::All, 0.5), ["a", "b", "f"]);
        assert_eq!(texts(Keep::Best, 0.5), ["b"]);
        assert_eq!(texts(Keep::All, 0.95), [""; 0]);
        assert_eq!(texts(Keep::Best, 0.95), [""; 0]);
    }
}
