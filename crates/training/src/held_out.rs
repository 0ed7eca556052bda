//! How the policy does, in the course of a training, on tasks that it is not trained on.
//!
//! The tasks are neither the reward's nor the guard's nor those of the evaluation at the end, and they are judged as at the end: by
//! functional tests and attacks. They choose between checkpoints, so they are no evaluation themselves.

use std::collections::BTreeMap;

use codeward_records::Verdict;
use serde::{Deserialize, Serialize};

/// When it is looked at, and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeldOutSettings {
    /// Steps between evaluations, the untrained policy and the last step included; 0 never evaluates.
    pub every: u64,
    /// Instances of each rewarded family.
    pub instances_per_family: usize,
    /// Completions of each instance.
    pub samples_per_task: usize,
    /// Which state the run ends with.
    pub keep: KeptModel,
}

/// Which state a run ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptModel {
    /// The last that the guard let pass.
    #[default]
    Last,
    /// The one that did best on the held-out tasks; of equals the earliest.
    Best,
}

impl Default for HeldOutSettings {
    fn default() -> Self {
        Self { every: 0, instances_per_family: 4, samples_per_task: 1, keep: KeptModel::Last }
    }
}

impl HeldOutSettings {
    /// A recipe that holds nothing out is written as it was before there was such a thing, with the same hash.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it is time after a step.
    pub(crate) fn is_due(&self, step: u64, num_steps: u64) -> bool {
        self.every > 0 && (step.is_multiple_of(self.every) || step == num_steps)
    }
}

/// The number that states are compared by.
pub(crate) const FUNC_SECURE: &str = "evaluation/held_out_func_secure";

/// The numbers of an evaluation. Where nothing could be judged there are no shares.
pub(crate) fn metrics(verdicts: &[Verdict]) -> BTreeMap<String, f64> {
    let scored: Vec<(bool, bool)> = verdicts
        .iter()
        .filter_map(|verdict| match verdict {
            Verdict::Scored { functional, secure, .. } => Some((*functional, *secure)),
            Verdict::Unscored { .. } => None,
        })
        .collect();
    let mut values = BTreeMap::from([("evaluation/held_out_scored".to_owned(), scored.len() as f64)]);
    if !scored.is_empty() {
        let share = |holds: fn(&(bool, bool)) -> bool| {
            scored.iter().filter(|verdict| holds(verdict)).count() as f64 / scored.len() as f64
        };
        values.insert("evaluation/held_out_functional".to_owned(), share(|(functional, _)| *functional));
        values.insert("evaluation/held_out_secure".to_owned(), share(|(_, secure)| *secure));
        values.insert(FUNC_SECURE.to_owned(), share(|(functional, secure)| *functional && *secure));
    }
    values
}

#[cfg(test)]
mod tests {
    use codeward_records::UnscoredReason;

    use super::*;
    use crate::recipe::Recipe;

    #[test]
    fn shares_are_of_what_was_judged() {
        let scored = |functional, secure| Verdict::Scored { functional, secure, failed_tests: Vec::new() };
        let unscored = Verdict::Unscored { reason: UnscoredReason::SandboxFailed, detail: String::new() };
        let verdicts =
            [scored(true, true), scored(true, false), scored(false, true), scored(true, false), unscored.clone()];
        let values = metrics(&verdicts);
        assert_eq!(values["evaluation/held_out_scored"], 4.0);
        assert_eq!(values["evaluation/held_out_functional"], 0.75);
        assert_eq!(values["evaluation/held_out_secure"], 0.5);
        assert_eq!(values["evaluation/held_out_func_secure"], 0.25);
        assert_eq!(metrics(&[unscored]), BTreeMap::from([("evaluation/held_out_scored".to_owned(), 0.0)]));
    }

    #[test]
    fn it_is_due_every_few_steps_and_at_the_end() {
        let due = |every| {
            let settings = HeldOutSettings { every, ..Default::default() };
            (0..=5).filter(|step| settings.is_due(*step, 5)).collect::<Vec<u64>>()
        };
        assert_eq!(due(2), [0, 2, 4, 5]);
        assert_eq!(due(0), [0; 0]);
    }

    #[test]
    fn nothing_is_held_out_or_sampled_ahead_and_then_not_written() {
        let parse = |text: &str| Recipe::parse(&format!("kind = \"grpo\"\n{text}"), "r");
        let none = parse("").unwrap();
        assert!(!none.resolved().contains("held_out") && !none.resolved().contains("rollout_ahead"));
        let off = parse("[held_out]\nevery = 0\n[grpo]\nrollout_ahead = false\n").unwrap();
        assert_eq!(off.content_hash(), none.content_hash());
        let some = parse("[held_out]\nevery = 5\nkeep = \"best\"\n[grpo]\nrollout_ahead = true\n").unwrap();
        assert_eq!(Recipe::parse(&some.resolved(), "r").unwrap(), some);
        let error = parse("[held_out]\nkeep = \"best\"\n").unwrap_err();
        assert_eq!(error.to_string(), "r: held_out.every is 0");
        assert!(error.hint().contains("above 0 where held_out.keep"), "{}", error.hint());
    }
}
