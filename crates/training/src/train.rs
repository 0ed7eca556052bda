//! The loop: task → rollout → reward → advantage → update, then logging and checkpoint.

use std::thread::Scope;
use std::time::Instant;

use codeward_lm::{EngineError, LanguageModel, Tokenizer, TokenizerError};
use codeward_records::Task;
use codeward_reward::Engine;

use crate::alarms::DIVERGENCE;
use crate::checkpoint::{Checkpoint, CheckpointError, Purpose, Shelf};
use crate::event::Event;
use crate::guard::GuardDecision;
use crate::held_out::KeptModel;
use crate::journal::Journal;
use crate::pause::is_pause_wanted;
use crate::recipe::RlRecipe;
use crate::run_folder::{RunFolder, RunFolderError};
use crate::stages::{Clock, Run, reward_metrics};
use crate::update::update;

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
    /// An example has more tokens than the model has positions.
    #[error("{origin}: the example has {tokens} tokens, and the model has {positions} positions")]
    TooLong {
        /// Where the example is from.
        origin: String,
        /// Its tokens, prompt and end token included.
        tokens: usize,
        /// The model's positions.
        positions: usize,
    },
    /// Changed places of an example cannot be laid over its tokens.
    #[error("{origin}: {reason}")]
    Unplaced {
        /// Where the example is from.
        origin: String,
        /// Why not.
        reason: String,
    },
    /// No completion of a round was good enough to learn from.
    #[error("round {round}: no completion has a reward of {threshold} or more")]
    NothingKept {
        /// The round, from 1.
        round: u64,
        /// The reward that was asked for.
        threshold: f64,
    },
    /// There is nothing to train on.
    #[error("no tasks to train on")]
    NoTasks,
    /// Somebody asked for an end; everything is saved.
    #[error("stopped after step {step}, as asked")]
    Paused {
        /// The last step.
        step: u64,
    },
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
    /// The step whose policy it ended with.
    pub kept_step: u64,
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
    /// What states are compared on, where the recipe asks for it.
    pub held_out: &'a [Task],
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
    listen: impl FnMut(Event<'_>),
) -> Result<Trained, TrainError> {
    if course.tasks.is_empty() {
        return Err(TrainError::NoTasks);
    }
    let has_credit = course.recipe.advantage.token_credit != 0.0;
    let aligner = has_credit.then(|| course.tokenizer.aligner()).transpose()?;
    let run = Run { course, aligner };
    std::thread::scope(|scope| run.steps(scope, policy, folder, listen))
}

impl Run<'_> {
    /// All steps of the run, from the newest checkpoint on.
    fn steps<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        policy: &mut dyn LanguageModel,
        folder: &RunFolder,
        mut listen: impl FnMut(Event<'_>),
    ) -> Result<Trained, TrainError> {
        let recipe = self.course.recipe;
        let shelf = Shelf {
            folder: folder.path("checkpoints"),
            tokenizer: self.course.tokenizer,
            keep: recipe.checkpoint.keep,
        };
        let (mut state, kept) = match shelf.resume(policy, &mut listen)? {
            Some(found) => {
                listen(Event::Resumed { step: found.state.step });
                folder.forget_after(Some(found.state.step))?;
                (found.state, found.ahead)
            }
            None => (self.begin(policy, folder, &shelf)?, None),
        };
        let num_steps = recipe.sizes().num_steps;
        let mut journal = Journal::open(folder, &recipe.alarms, state.step)?;
        let mut best = shelf.best()?;
        let (mut step, mut saved) = (state.step, state.step);
        let mut ahead = kept.map(|groups| self.restore(scope, groups, step + 1));
        while step < num_steps {
            if is_pause_wanted() {
                if saved != step {
                    let state = Checkpoint { step, ..state };
                    shelf.save(Purpose::Pause, &state, policy, ahead.as_ref().map(|batch| batch.groups.as_slice()))?;
                }
                return Err(TrainError::Paused { step });
            }
            step += 1;
            let started = Instant::now();
            let mut clock = Clock::default();

            let batch = match ahead.take() {
                Some(batch) => batch,
                None => self.sample(scope, policy, step, &mut clock)?,
            };
            if recipe.sizes().rollout_ahead && step < num_steps {
                ahead = Some(self.sample(scope, policy, step + 1, &mut clock)?);
            }
            let (mut chosen, mut groups) = batch.rewarded(&mut clock);
            let mut values = reward_metrics(&groups);
            if recipe.sizes().refill_rounds > 0 {
                values.extend(clock.time("refill", || self.refill(scope, policy, &mut chosen, &mut groups, step))?);
            }
            if recipe.canary.share > 0.0 {
                values.extend(clock.time("canary", || self.try_canaries(&chosen, &groups, step)));
            }
            self.check_unscored(step, &groups)?;
            let targets = clock.time("advantage", || self.targets(policy, &groups, &mut values))?;
            let rate = recipe.optimiser.rate_at(step, num_steps) * state.guard.learning_rate_scale;
            values.extend(clock.time("update", || update(policy, recipe, &groups, &targets, step, rate))?);
            if !values["optim/grad_norm"].is_finite() {
                return Err(TrainError::NotFinite { step });
            }

            let held_out = self.hold_out(step, policy, &mut values, &mut clock)?;
            let decision = self.guard(step, policy, &mut state.guard, &mut values, &mut clock)?;
            folder.write_rollouts(step, &groups)?;
            let alarms = journal.log(step, num_steps, values, clock.finish(started), &mut listen)?;
            if alarms.iter().any(|alarm| alarm.name == DIVERGENCE) {
                state = shelf.go_back(policy, &mut listen)?.unwrap_or(state);
                listen(Event::Stopped { step, reason: "the policy left the reference; the last good policy is kept" });
                break;
            }
            if let Some(decision @ (GuardDecision::StepBack | GuardDecision::Stop)) = decision {
                // Weights and optimiser go back; the guard keeps what it learned and the steps are not repeated. What was sampled ahead is
                // of the policy that is given up.
                ahead = None;
                let Some(good) = shelf.go_back(policy, &mut listen)? else { continue };
                state = Checkpoint { guard: state.guard, ..good };
                let learning_rate_scale = state.guard.learning_rate_scale;
                listen(Event::SteppedBack { step, to: good.step, learning_rate_scale });
                if decision == GuardDecision::Stop {
                    let reason = "function fell again and again; the last good policy is kept";
                    listen(Event::Stopped { step, reason });
                    break;
                }
                continue;
            }
            let waiting = ahead.as_ref().map(|batch| batch.groups.as_slice());
            let is_better = |rate: &f64| best.and_then(|best| best.held_out).is_none_or(|reached| *rate > reached);
            if let Some(rate) = held_out.filter(is_better) {
                let reached = Checkpoint { step, held_out: Some(rate), ..state };
                shelf.save(Purpose::Best, &reached, policy, None)?;
                best = Some(reached);
            }
            if decision.is_some() {
                state.step = step;
                shelf.save(Purpose::Good, &state, policy, waiting)?;
                saved = step;
            }
        }
        let mut kept_step = state.step;
        if let (KeptModel::Best, Some(best)) = (recipe.held_out.keep, best) {
            shelf.take_best(best.step, policy)?;
            kept_step = best.step;
            listen(Event::TookBest { step: best.step, held_out: best.held_out.unwrap_or_default() });
        }
        Ok(Trained { step, kept_step, step_backs: state.guard.step_backs })
    }
}
