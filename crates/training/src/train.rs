//! The loop: task → rollout → reward → advantage → update, then logging and checkpoint.

use std::collections::BTreeMap;
use std::time::Instant;

use codeward_lm::{Aligner, EngineError, LanguageModel, Tokenizer, TokenizerError};
use codeward_records::{FinishReason, Reward, RolloutGroup, StepMetrics, Task};
use codeward_reward::canary::watch;
use codeward_reward::{Asking, Engine};

use crate::alarms::{Alarm, DIVERGENCE, History};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::credit::token_credit;
use crate::event::Event;
use crate::guard::{Guard, GuardDecision};
use crate::recipe::RlRecipe;
use crate::rollout::sample_groups;
use crate::run_folder::{RunFolder, RunFolderError};
use crate::seed::{derive_seed, shuffled};
use crate::target::Targets;
use crate::update::update;
use crate::{grpo, ppo};

/// A run that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The run folder failed.
    #[error(transparent)]
    RunFolder(#[from] RunFolderError),
    /// A checkpoint failed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Too many rollouts had no reward.
    #[error("step {step}: {unscored} of {total} rollouts are unscored: {detail}")]
    Unscored {
        /// The step.
        step: u64,
        /// How many have no reward.
        unscored: usize,
        /// How many there are.
        total: usize,
        /// One of the reasons.
        detail: String,
    },
    /// The model's engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Places in the text cannot be laid over this tokenizer's tokens.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// There is nothing to train on.
    #[error("no tasks to train on")]
    NoTasks,
    /// A number stopped being one.
    #[error("step {step}: the gradient is not finite")]
    NotFinite {
        /// The step.
        step: u64,
    },
}

/// A finished run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trained {
    /// The last step.
    pub step: u64,
    /// How often the guard went back.
    pub step_backs: u32,
}

/// Everything that training reads and never changes.
#[derive(Clone, Copy)]
pub struct Course<'a> {
    /// What to do.
    pub recipe: &'a RlRecipe,
    /// The model's tokenizer.
    pub tokenizer: &'a Tokenizer,
    /// What scores completions.
    pub engine: &'a Engine,
    /// What the policy is rewarded on.
    pub tasks: &'a [Task],
    /// What the guard watches; only the functional tests of these are run.
    pub probe: &'a [Task],
}

/// A course under way.
struct Run<'a> {
    course: Course<'a>,
    /// Where tokens have credit of their own.
    aligner: Option<Aligner>,
}

/// Trains `policy` on the course's tasks, guarded by its probe, from the folder's newest checkpoint if there is one. Where the loss asks
/// for a divergence, the policy was opened with a reference.
///
/// # Errors
/// When the folder or a checkpoint cannot be written, when too many rollouts are unscored, when numbers overflow, or when the engine
/// fails.
pub fn train(
    course: Course<'_>,
    policy: &mut dyn LanguageModel,
    folder: &RunFolder,
    mut listen: impl FnMut(Event<'_>),
) -> Result<Trained, TrainError> {
    let (recipe, tokenizer) = (course.recipe, course.tokenizer);
    if course.tasks.is_empty() {
        return Err(TrainError::NoTasks);
    }
    let aligner = (recipe.advantage.token_credit != 0.0).then(|| tokenizer.aligner()).transpose()?;
    let run = Run { course, aligner };
    let checkpoints = folder.path("checkpoints");
    let mut state = match Checkpoint::newest(&checkpoints, policy)? {
        Some(state) => {
            listen(Event::Resumed { step: state.step });
            folder.forget_after(Some(state.step))?;
            state
        }
        None => run.begin(policy, folder)?,
    };
    let mut curves = folder.curves((state.step > 0).then_some(state.step))?;
    let num_steps = recipe.sizes().num_steps;
    let mut history = History::default();
    folder.metrics()?.iter().for_each(|metrics| history.push(&metrics.values));
    let mut ringing: Vec<Alarm> = history.alarms(&recipe.alarms);
    let mut step = state.step;
    while step < num_steps {
        step += 1;
        let started = Instant::now();
        let mut clock = Clock::default();

        let mut chosen = run.choose_tasks(step);
        let mut groups = clock.time("rollout", || run.sample(policy, &chosen, step))?;
        clock.time("reward", || run.reward(&chosen, &mut groups, step));
        let mut values = reward_metrics(&groups);
        if recipe.sizes().refill_rounds > 0 {
            values.extend(clock.time("refill", || run.refill(policy, &mut chosen, &mut groups, step))?);
        }
        values.extend(clock.time_if(recipe.canary.share > 0.0, "canary", || run.try_canaries(&chosen, &groups, step)));
        run.check_unscored(step, &groups)?;
        let targets = clock.time("advantage", || run.targets(policy, &groups, &mut values))?;
        let rate = recipe.optimiser.rate_at(step, num_steps) * state.guard.learning_rate_scale;
        values.extend(clock.time("update", || update(policy, recipe, &groups, &targets, step, rate))?);
        if !values["optim/grad_norm"].is_finite() {
            return Err(TrainError::NotFinite { step });
        }

        let decision = run.guard(step, policy, &mut state.guard, &mut values, &mut clock)?;
        history.push(&values);
        let alarms = history.alarms(&recipe.alarms);
        values.extend(alarms.iter().map(|alarm| (format!("alarm/{}", alarm.name), 1.0)));
        let (metrics, timings) = (StepMetrics { step, values }, StepMetrics { step, values: clock.values });
        folder.write_rollouts(step, &groups)?;
        folder.log(&metrics, &timings)?;
        curves.log(&metrics, &timings)?;
        listen(Event::Step { metrics: &metrics, num_steps, secs: started.elapsed().as_secs_f64() });
        let is_new = |alarm: &&Alarm| !ringing.iter().any(|other| other.name == alarm.name);
        alarms.iter().filter(is_new).for_each(|alarm| listen(Event::Alarm { step, alarm }));
        if alarms.iter().any(|alarm| alarm.name == DIVERGENCE) {
            state = Checkpoint::newest(&checkpoints, policy)?.unwrap_or(state);
            listen(Event::Stopped { step, reason: "the policy left the reference; the last good policy is kept" });
            break;
        }
        ringing = alarms;
        match decision {
            Some(GuardDecision::Keep) => {
                state.step = step;
                state.save(&checkpoints, policy, tokenizer, recipe.checkpoint.keep)?;
            }
            Some(decision) => {
                // Weights and optimiser go back; the guard keeps what it learned and the steps are not repeated.
                let guard = state.guard;
                let Some(kept) = Checkpoint::newest(&checkpoints, policy)? else { continue };
                state = Checkpoint { guard, ..kept };
                let learning_rate_scale = guard.learning_rate_scale;
                listen(Event::SteppedBack { step, to: kept.step, learning_rate_scale });
                if decision == GuardDecision::Stop {
                    listen(Event::Stopped {
                        step,
                        reason: "function fell again and again; the last good policy is kept",
                    });
                    break;
                }
            }
            None => {}
        }
    }
    Ok(Trained { step, step_backs: state.guard.step_backs })
}

/// Seconds by stage.
#[derive(Default)]
struct Clock {
    values: BTreeMap<String, f64>,
}

impl Clock {
    fn time<T>(&mut self, stage: &str, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = work();
        self.values.insert(format!("time/{stage}_secs"), started.elapsed().as_secs_f64());
        result
    }

    /// As [`Clock::time`], or nothing at all.
    fn time_if<T: Default>(&mut self, is_on: bool, stage: &str, work: impl FnOnce() -> T) -> T {
        if is_on { self.time(stage, work) } else { T::default() }
    }
}

impl Run<'_> {
    /// The state before the first step: the guard's baseline is taken and everything is saved as step 0.
    fn begin(&self, policy: &mut dyn LanguageModel, folder: &RunFolder) -> Result<Checkpoint, TrainError> {
        folder.forget_after(None)?;
        let baseline = self.probe_rate(policy)?;
        let state = Checkpoint { step: 0, guard: Guard::new(baseline) };
        state.save(&folder.path("checkpoints"), policy, self.course.tokenizer, self.course.recipe.checkpoint.keep)?;
        let values = baseline.map(|rate| ("probe/functional".to_owned(), rate)).into_iter().collect();
        folder.log(&StepMetrics { step: 0, values }, &StepMetrics { step: 0, values: BTreeMap::new() })?;
        Ok(state)
    }

    /// The tasks of a step: the next ones in the epoch's order, which is shuffled anew for every pass.
    fn choose_tasks(&self, step: u64) -> Vec<&Task> {
        let wanted = self.course.recipe.sizes().groups_per_step;
        let first = (step - 1) as usize * wanted;
        (first..first + wanted)
            .map(|place| {
                let (epoch, at) = (place / self.course.tasks.len(), place % self.course.tasks.len());
                let order =
                    shuffled(self.course.tasks.len(), derive_seed(self.course.recipe.seed, "epoch", &[epoch as u64]));
                &self.course.tasks[order[at]]
            })
            .collect()
    }

    fn sample(
        &self,
        policy: &mut dyn LanguageModel,
        tasks: &[&Task],
        step: u64,
    ) -> Result<Vec<RolloutGroup>, EngineError> {
        let recipe = self.course.recipe;
        sample_groups(
            policy,
            self.course.tokenizer,
            tasks,
            recipe.sizes().group_size,
            &recipe.sampling,
            recipe.seed,
            step,
        )
    }

    fn reward(&self, tasks: &[&Task], groups: &mut [RolloutGroup], step: u64) {
        let items = items_of(tasks, groups);
        let rewards = self.course.engine.score_with(&items, &Asking { step, ..Asking::default() });
        let rollouts = groups.iter_mut().flat_map(|group| &mut group.rollouts);
        for (rollout, reward) in rollouts.zip(rewards) {
            rollout.reward = Some(reward);
        }
    }

    /// Puts further tasks in the place of groups that teach nothing, round by round, until every place is taken or the rounds are over.
    /// The tasks of a round depend on seed, step and round alone, so that a run that is continued draws the same.
    fn refill<'a>(
        &'a self,
        policy: &mut dyn LanguageModel,
        tasks: &mut [&'a Task],
        groups: &mut [RolloutGroup],
        step: u64,
    ) -> Result<BTreeMap<String, f64>, EngineError> {
        let recipe = self.course.recipe;
        let mut num_sampled = 0;
        for round in 1..=recipe.sizes().refill_rounds as u64 {
            let places: Vec<usize> = (0..groups.len()).filter(|at| grpo::is_flat(&groups[*at])).collect();
            if places.is_empty() {
                break;
            }
            let order = shuffled(self.course.tasks.len(), derive_seed(recipe.seed, "refill", &[step, round]));
            let others: Vec<&Task> =
                order.iter().cycle().take(places.len()).map(|at| &self.course.tasks[*at]).collect();
            let seed = derive_seed(recipe.seed, "refill rollouts", &[round]);
            let size = recipe.sizes().group_size;
            let mut found = sample_groups(policy, self.course.tokenizer, &others, size, &recipe.sampling, seed, step)?;
            self.reward(&others, &mut found, step);
            num_sampled += found.len();
            for ((at, task), group) in places.into_iter().zip(others).zip(found) {
                (tasks[at], groups[at]) = (task, group);
            }
        }
        let flat = groups.iter().filter(|group| grpo::is_flat(group)).count();
        Ok(BTreeMap::from([
            ("refill/groups".to_owned(), num_sampled as f64),
            ("refill/flat_group_fraction".to_owned(), flat as f64 / groups.len() as f64),
        ]))
    }

    /// What is to become of every rollout, as the algorithm has it.
    fn targets(
        &self,
        policy: &mut dyn LanguageModel,
        groups: &[RolloutGroup],
        values: &mut BTreeMap<String, f64>,
    ) -> Result<Targets, EngineError> {
        let recipe = self.course.recipe;
        let credit = self.aligner.as_ref().map(|aligner| {
            let (credit, numbers) = token_credit(aligner, groups);
            values.extend(numbers);
            credit
        });
        let credit = credit.as_ref().map(|credit| (credit, recipe.advantage.token_credit));
        match &recipe.ppo {
            Some(settings) => ppo::targets(settings, policy, groups, credit, recipe.sampling.temperature),
            None => Ok(grpo::targets(&recipe.advantage, groups, credit)),
        }
    }

    /// Tries reward hacks on a share of the rollouts, with the reward as it is in this step.
    fn try_canaries(&self, tasks: &[&Task], groups: &[RolloutGroup], step: u64) -> BTreeMap<String, f64> {
        let seed = derive_seed(self.course.recipe.seed, "canary", &[step]);
        let report = watch(self.course.engine, &items_of(tasks, groups), self.course.recipe.canary.share, seed, step);
        BTreeMap::from([
            ("canary/checked".to_owned(), report.checked as f64),
            ("canary/alarms".to_owned(), report.alarms.len() as f64),
            ("canary/unscored".to_owned(), report.unscored as f64),
        ])
    }

    fn check_unscored(&self, step: u64, groups: &[RolloutGroup]) -> Result<(), TrainError> {
        let rollouts: Vec<_> = groups.iter().flat_map(|group| &group.rollouts).collect();
        let details: Vec<&String> = rollouts
            .iter()
            .filter_map(|rollout| match &rollout.reward {
                Some(Reward::Unscored { detail, .. }) => Some(detail),
                _ => None,
            })
            .collect();
        let (unscored, total) = (details.len(), rollouts.len());
        if unscored as f64 <= self.course.recipe.sizes().max_unscored_fraction * total as f64 {
            return Ok(());
        }
        let detail = details.first().map_or_else(String::new, |detail| (*detail).clone());
        Err(TrainError::Unscored { step, unscored, total, detail })
    }

    /// Probes the policy when it is time; otherwise decides nothing.
    fn guard(
        &self,
        step: u64,
        policy: &mut dyn LanguageModel,
        guard: &mut Guard,
        values: &mut BTreeMap<String, f64>,
        clock: &mut Clock,
    ) -> Result<Option<GuardDecision>, EngineError> {
        let settings = &self.course.recipe.guard;
        if !step.is_multiple_of(settings.every) && step != self.course.recipe.sizes().num_steps {
            return Ok(None);
        }
        let rate = clock.time("probe", || self.probe_rate(policy))?;
        let decision = guard.decide(settings, rate);
        values.extend(rate.map(|rate| ("probe/functional".to_owned(), rate)));
        values.insert("guard/step_backs".to_owned(), f64::from(guard.step_backs));
        values.insert("guard/learning_rate_scale".to_owned(), guard.learning_rate_scale);
        Ok(Some(decision))
    }

    /// Share of the probe's completions that pass every functional test; `None` when none could be scored.
    fn probe_rate(&self, policy: &mut dyn LanguageModel) -> Result<Option<f64>, EngineError> {
        let recipe = self.course.recipe;
        let tasks: Vec<&Task> = self.course.probe.iter().collect();
        let size = recipe.guard.samples_per_task;
        // The draws are the same at every probe, so that two probes differ by the policy alone.
        let seed = derive_seed(recipe.seed, "probe", &[]);
        let groups = sample_groups(policy, self.course.tokenizer, &tasks, size, &recipe.sampling, seed, 0)?;
        let scored: Vec<f64> =
            self.course.engine.tests_passed(&items_of(&tasks, &groups)).into_iter().flatten().collect();
        let passed = scored.iter().filter(|share| **share == 1.0).count();
        Ok((!scored.is_empty()).then(|| passed as f64 / scored.len() as f64))
    }
}

/// Every rollout with its task.
fn items_of<'a>(tasks: &[&'a Task], groups: &'a [RolloutGroup]) -> Vec<(&'a Task, &'a str)> {
    let of_group = |(task, group): (&&'a Task, &'a RolloutGroup)| {
        let task = *task;
        group.rollouts.iter().map(move |rollout| (task, rollout.completion.as_str()))
    };
    tasks.iter().zip(groups).flat_map(of_group).collect()
}

/// The numbers of a step's rollouts and rewards.
fn reward_metrics(groups: &[RolloutGroup]) -> BTreeMap<String, f64> {
    let rollouts: Vec<_> = groups.iter().flat_map(|group| &group.rollouts).collect();
    let count = rollouts.len() as f64;
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let part = |name: &str| mean(rollouts.iter().filter_map(|rollout| rollout.reward.as_ref()?.part(name)).collect());
    let values: Vec<f64> =
        rollouts.iter().filter_map(|rollout| rollout.reward.as_ref().and_then(Reward::value)).collect();
    let flat = groups.iter().filter(|group| grpo::is_flat(group)).count();
    let truncated = rollouts.iter().filter(|rollout| rollout.finish_reason == FinishReason::Length).count();
    let tests_passed = |rollout: &&&codeward_records::Rollout| {
        rollout.reward.as_ref().and_then(|reward| reward.part("tests_passed")) == Some(1.0)
    };
    let functional = rollouts.iter().filter(tests_passed).count();
    let unscored = rollouts.len() - values.len();
    BTreeMap::from([
        ("reward/functional".to_owned(), part("functional")),
        ("reward/security".to_owned(), part("security")),
        ("reward/syntax".to_owned(), part("syntax")),
        ("reward/all_tests_fraction".to_owned(), functional as f64 / values.len().max(1) as f64),
        ("reward/mean".to_owned(), mean(values)),
        ("reward/unscored_fraction".to_owned(), unscored as f64 / count),
        ("reward/flat_group_fraction".to_owned(), flat as f64 / groups.len() as f64),
        ("rollout/truncated_fraction".to_owned(), truncated as f64 / count),
        ("rollout/tokens_mean".to_owned(), mean(rollouts.iter().map(|rollout| rollout.tokens.len() as f64).collect())),
    ])
}
