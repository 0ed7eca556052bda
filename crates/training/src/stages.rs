//! The stages of a step, as the loop calls them by name.

use std::collections::BTreeMap;
use std::thread::Scope;
use std::time::{Duration, Instant};

use codeward_lm::{Aligner, EngineError, LanguageModel};
use codeward_records::{FinishReason, Reward, RolloutGroup, StepMetrics, Task, Verdict};
use codeward_reward::Asking;
use codeward_reward::canary::watch;

use crate::checkpoint::{Checkpoint, Purpose, Shelf};
use crate::credit::token_credit;
use crate::guard::{Guard, GuardDecision};
use crate::rollout::{Draw, sample_groups};
use crate::run_folder::RunFolder;
use crate::scoring::Scoring;
use crate::seed::{derive_seed, shuffled};
use crate::target::Targets;
use crate::train::{Course, TrainError};
use crate::{grpo, held_out, ppo};

/// A course under way.
pub(crate) struct Run<'a> {
    pub(crate) course: Course<'a>,
    /// Where tokens have credit of their own.
    pub(crate) aligner: Option<Aligner>,
}

/// The rollouts of a step, whose rewards are under way.
pub(crate) struct Batch<'scope> {
    tasks: Vec<&'scope Task>,
    pub(crate) groups: Vec<RolloutGroup>,
    scoring: Scoring<'scope, Reward>,
}

impl<'scope> Batch<'scope> {
    /// The tasks and their groups, once every rollout has its reward.
    pub(crate) fn rewarded(mut self, clock: &mut Clock) -> (Vec<&'scope Task>, Vec<RolloutGroup>) {
        let (rewards, time) = self.scoring.finish();
        clock.add("reward", time.busy);
        clock.add("reward_wait", time.waited);
        let rollouts = self.groups.iter_mut().flat_map(|group| &mut group.rollouts);
        for (rollout, reward) in rollouts.zip(rewards) {
            rollout.reward = Some(reward);
        }
        (self.tasks, self.groups)
    }
}

/// Seconds by stage.
#[derive(Default)]
pub(crate) struct Clock {
    values: BTreeMap<String, f64>,
}

impl Clock {
    pub(crate) fn time<T>(&mut self, stage: &str, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = work();
        self.add(stage, started.elapsed());
        result
    }

    fn add(&mut self, stage: &str, time: Duration) {
        *self.values.entry(format!("time/{stage}_secs")).or_default() += time.as_secs_f64();
    }

    /// The seconds of a step that began then, and the share of it in which nothing was done but to wait for rewards.
    pub(crate) fn finish(mut self, started: Instant) -> BTreeMap<String, f64> {
        let whole = started.elapsed();
        self.add("step", whole);
        let waited = self.values.get("time/reward_wait_secs").copied().unwrap_or_default();
        self.values.insert("time/reward_wait_fraction".to_owned(), waited / whole.as_secs_f64());
        self.values
    }
}

impl Run<'_> {
    /// The state before the first step: the guard's baseline is taken, and everything is saved as step 0 once it is written down.
    pub(crate) fn begin(
        &self,
        policy: &mut dyn LanguageModel,
        folder: &RunFolder,
        shelf: &Shelf<'_>,
    ) -> Result<Checkpoint, TrainError> {
        folder.forget_after(None)?;
        let baseline = self.probe_rate(policy)?;
        let state = Checkpoint::new(0, Guard::new(baseline));
        let mut values: BTreeMap<String, f64> =
            baseline.map(|rate| ("probe/functional".to_owned(), rate)).into_iter().collect();
        if let Some(rate) = self.hold_out(0, policy, &mut values, &mut Clock::default())? {
            let state = Checkpoint { held_out: Some(rate), ..state };
            shelf.save(Purpose::Best, &state, policy, None)?;
        }
        folder.log(&StepMetrics { step: 0, values }, &StepMetrics { step: 0, values: BTreeMap::new() })?;
        shelf.save(Purpose::Good, &state, policy, None)?;
        Ok(state)
    }

    /// The tasks of a step: the next ones in the epoch's order, which is shuffled anew for every pass.
    pub(crate) fn choose_tasks(&self, step: u64) -> Vec<&Task> {
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

    /// Starts the rollouts of a step, and their rewards as they end.
    pub(crate) fn sample<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        policy: &mut dyn LanguageModel,
        step: u64,
        clock: &mut Clock,
    ) -> Result<Batch<'scope>, EngineError> {
        let tasks = self.choose_tasks(step);
        clock.time("rollout", || self.begin_batch(scope, policy, tasks, self.course.recipe.seed, step))
    }

    fn begin_batch<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        policy: &mut dyn LanguageModel,
        tasks: Vec<&'scope Task>,
        seed: u64,
        step: u64,
    ) -> Result<Batch<'scope>, EngineError> {
        let recipe = self.course.recipe;
        let group_size = recipe.sizes().group_size;
        let scoring = self.reward(scope, &tasks, step);
        let draw = Draw {
            tokenizer: self.course.tokenizer,
            tasks: &tasks,
            group_size,
            settings: &recipe.sampling,
            seed,
            step,
        };
        let groups = sample_groups(policy, &draw, |place, rollout| scoring.give(place, &rollout.completion))?;
        Ok(Batch { tasks, groups, scoring })
    }

    /// The rollouts of a step that were sampled before an interruption; their rewards are worked out anew.
    pub(crate) fn restore<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        groups: Vec<RolloutGroup>,
        step: u64,
    ) -> Batch<'scope> {
        let tasks = self.choose_tasks(step);
        let scoring = self.reward(scope, &tasks, step);
        let rollouts = groups.iter().flat_map(|group| &group.rollouts);
        rollouts.enumerate().for_each(|(place, rollout)| scoring.give(place, &rollout.completion));
        Batch { tasks, groups, scoring }
    }

    /// What scores the rollouts of tasks with the reward as it is in this step.
    fn reward<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        tasks: &[&'scope Task],
        step: u64,
    ) -> Scoring<'scope, Reward> {
        let engine = self.course.engine;
        let asking = Asking { step, ..Asking::default() };
        let size = self.course.recipe.sizes().group_size;
        Scoring::start(scope, task_of_each(tasks, size), move |items| engine.score_with(items, &asking))
    }

    /// Puts further tasks in the place of groups that teach nothing, round by round, until every place is taken or the rounds are over.
    /// The tasks of a round depend on seed, step and round alone, so that a run that is continued draws the same.
    pub(crate) fn refill<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        policy: &mut dyn LanguageModel,
        tasks: &mut [&'scope Task],
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
            let found = self.begin_batch(scope, policy, others, seed, step)?.rewarded(&mut Clock::default());
            num_sampled += found.1.len();
            for (at, (task, group)) in places.into_iter().zip(found.0.into_iter().zip(found.1)) {
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
    pub(crate) fn targets(
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
    pub(crate) fn try_canaries(&self, tasks: &[&Task], groups: &[RolloutGroup], step: u64) -> BTreeMap<String, f64> {
        let seed = derive_seed(self.course.recipe.seed, "canary", &[step]);
        let report = watch(self.course.engine, &items_of(tasks, groups), self.course.recipe.canary.share, seed, step);
        BTreeMap::from([
            ("canary/checked".to_owned(), report.checked as f64),
            ("canary/alarms".to_owned(), report.alarms.len() as f64),
            ("canary/unscored".to_owned(), report.unscored as f64),
        ])
    }

    pub(crate) fn check_unscored(&self, step: u64, groups: &[RolloutGroup]) -> Result<(), TrainError> {
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
    pub(crate) fn guard(
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
        let (size, engine) = (recipe.guard.samples_per_task, self.course.engine);
        // The draws are the same at every probe, so that two probes differ by the policy alone.
        let seed = derive_seed(recipe.seed, "probe", &[]);
        let shares = self.look(policy, self.course.probe, size, seed, |items| engine.tests_passed(items))?;
        let scored: Vec<f64> = shares.into_iter().flatten().collect();
        let passed = scored.iter().filter(|share| **share == 1.0).count();
        Ok((!scored.is_empty()).then(|| passed as f64 / scored.len() as f64))
    }

    /// Evaluates the policy on the held-out tasks when it is time, and gives the share of working and secure code.
    pub(crate) fn hold_out(
        &self,
        step: u64,
        policy: &mut dyn LanguageModel,
        values: &mut BTreeMap<String, f64>,
        clock: &mut Clock,
    ) -> Result<Option<f64>, EngineError> {
        let recipe = self.course.recipe;
        if !recipe.held_out.is_due(step, recipe.sizes().num_steps) {
            return Ok(None);
        }
        let (size, engine) = (recipe.held_out.samples_per_task, self.course.engine);
        // As for the probe.
        let seed = derive_seed(recipe.seed, "held out", &[]);
        let judged = clock
            .time("held_out", || self.look(policy, self.course.held_out, size, seed, |items| engine.judge(items)))?;
        let verdicts: Vec<Verdict> = judged.into_iter().map(|judged| judged.verdict).collect();
        let found = held_out::metrics(&verdicts);
        let rate = found.get(held_out::FUNC_SECURE).copied();
        values.extend(found);
        Ok(rate)
    }

    /// Samples completions of tasks that the policy is not trained on, and has them scored as they end.
    fn look<T: Send>(
        &self,
        policy: &mut dyn LanguageModel,
        tasks: &[Task],
        group_size: usize,
        seed: u64,
        score: impl Fn(&[(&Task, &str)]) -> Vec<T> + Send,
    ) -> Result<Vec<T>, EngineError> {
        let tasks: Vec<&Task> = tasks.iter().collect();
        let settings = &self.course.recipe.sampling;
        let draw = Draw { tokenizer: self.course.tokenizer, tasks: &tasks, group_size, settings, seed, step: 0 };
        std::thread::scope(|scope| {
            let scoring = Scoring::start(scope, task_of_each(&tasks, group_size), score);
            sample_groups(policy, &draw, |place, rollout| scoring.give(place, &rollout.completion))?;
            Ok(scoring.finish().0)
        })
    }
}

/// The task of each rollout, when all are counted in order.
fn task_of_each<'a>(tasks: &[&'a Task], group_size: usize) -> Vec<&'a Task> {
    tasks.iter().flat_map(|task| std::iter::repeat_n(*task, group_size)).collect()
}

/// Every rollout with its task.
pub(crate) fn items_of<'a>(tasks: &[&'a Task], groups: &'a [RolloutGroup]) -> Vec<(&'a Task, &'a str)> {
    let of_group = |(task, group): (&&'a Task, &'a RolloutGroup)| {
        let task = *task;
        group.rollouts.iter().map(move |rollout| (task, rollout.completion.as_str()))
    };
    tasks.iter().zip(groups).flat_map(of_group).collect()
}

/// The numbers of a step's rollouts and rewards.
pub(crate) fn reward_metrics(groups: &[RolloutGroup]) -> BTreeMap<String, f64> {
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
