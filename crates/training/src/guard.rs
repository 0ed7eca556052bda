//! What protects function while security is learned.
//!
//! A policy that learns too fast forgets how to write working code, and no term of the reward brings it back in time. So a small
//! probe of tasks that the reward never touches is sampled every few steps and only its functional tests are run. When the probe has
//! fallen by more than the tolerance, the policy goes back to the last checkpoint and continues with half the learning rate.

use serde::{Deserialize, Serialize};

/// When the guard looks, and what it does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GuardSettings {
    /// Steps between probes; each passed probe saves a checkpoint.
    pub every: u64,
    /// Instances of each probed family.
    pub instances_per_family: usize,
    /// Completions of each instance.
    pub samples_per_task: usize,
    /// How far the functional rate may fall below that of step 0.
    pub tolerance: f64,
    /// What a step back multiplies the learning rate by.
    pub learning_rate_factor: f64,
    /// After this many steps back the run ends at the last good state.
    pub max_step_backs: u32,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self {
            every: 10,
            instances_per_family: 2,
            samples_per_task: 1,
            tolerance: 0.05,
            learning_rate_factor: 0.5,
            max_step_backs: 4,
        }
    }
}

/// What to do after a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuardDecision {
    /// Function holds: keep this state.
    Keep,
    /// Function fell: go back to the last kept state.
    StepBack,
    /// Function fell once too often: end at the last kept state.
    Stop,
}

/// The guard's memory, saved with every checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// The probe's functional rate before training; absent when nothing could be scored.
    pub baseline: Option<f64>,
    /// How often the policy went back.
    pub step_backs: u32,
    /// What the learning rate is multiplied by.
    pub learning_rate_scale: f64,
}

impl Guard {
    /// A guard that has seen the untrained policy's rate.
    pub fn new(baseline: Option<f64>) -> Self {
        Self { baseline, step_backs: 0, learning_rate_scale: 1.0 }
    }

    /// Decides on a probe's functional rate. A probe that could not be scored decides nothing.
    pub fn decide(&mut self, settings: &GuardSettings, rate: Option<f64>) -> GuardDecision {
        let (Some(baseline), Some(rate)) = (self.baseline, rate) else {
            return GuardDecision::Keep;
        };
        if rate >= baseline - settings.tolerance {
            return GuardDecision::Keep;
        }
        self.step_backs += 1;
        self.learning_rate_scale *= settings.learning_rate_factor;
        if self.step_backs > settings.max_step_backs { GuardDecision::Stop } else { GuardDecision::StepBack }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_keeps_steps_back_and_stops() {
        let settings = GuardSettings { tolerance: 0.05, max_step_backs: 1, ..Default::default() };
        let mut guard = Guard::new(Some(0.9));
        assert_eq!(guard.decide(&settings, Some(0.86)), GuardDecision::Keep);
        assert_eq!(guard.decide(&settings, None), GuardDecision::Keep);
        assert_eq!(guard.learning_rate_scale, 1.0);
        assert_eq!(guard.decide(&settings, Some(0.84)), GuardDecision::StepBack);
        assert_eq!((guard.step_backs, guard.learning_rate_scale), (1, 0.5));
        assert_eq!(guard.decide(&settings, Some(0.5)), GuardDecision::Stop);
        assert_eq!(Guard::new(None).decide(&settings, Some(0.0)), GuardDecision::Keep);
    }
}
