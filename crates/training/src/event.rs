//! What a run tells whoever watches it.

use codeward_records::StepMetrics;

use crate::alarms::Alarm;

/// Something that happened during training. Events carry no decision: a run without a listener is the same run.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// A checkpoint was found and training goes on after this step.
    Resumed {
        /// The checkpoint's step.
        step: u64,
    },
    /// A step is done.
    Step {
        /// Its numbers, as logged.
        metrics: &'a StepMetrics,
        /// How many steps the run has.
        num_steps: u64,
        /// Seconds it took.
        secs: f64,
    },
    /// A sign that something goes wrong, when it is first seen.
    Alarm {
        /// The step that showed it.
        step: u64,
        /// What it is.
        alarm: &'a Alarm,
    },
    /// The guard put the policy back to an earlier state.
    SteppedBack {
        /// The step at which function had fallen.
        step: u64,
        /// The step whose weights are back.
        to: u64,
        /// What the learning rate is multiplied by from here on.
        learning_rate_scale: f64,
    },
    /// The run ended early.
    Stopped {
        /// The last step.
        step: u64,
        /// Why, for a person.
        reason: &'a str,
    },
}
