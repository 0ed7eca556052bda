//! Signs that a run is going wrong, read off its own numbers.
//!
//! An alarm changes nothing: it is said, and counted in `metrics.jsonl` under `alarm/`, so that who reads the curves later sees when.
//! Only a divergence above [`AlarmSettings::stop_at_kl`] ends the run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The alarm that ends a run.
pub(crate) const DIVERGENCE: &str = "divergence";

/// From where on something is a sign.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlarmSettings {
    /// Steps that are averaged, and steps at the start that later ones are compared with.
    pub window: usize,
    /// Entropy below this share of the start's: the policy has stopped trying anything.
    pub entropy_share: f64,
    /// Completions that are longer or shorter than at the start by this share.
    pub length_drift: f64,
    /// A larger share of groups whose rewards are all equal: there is little to learn from.
    pub flat_group_fraction: f64,
    /// A larger share of completions cut off at the limit.
    pub truncated_fraction: f64,
    /// A larger share of tokens held by a clip: updates are too large.
    pub clip_fraction: f64,
    /// A reward that has risen by more than this while the probe's function has fallen by more than this: the reward is being gamed.
    pub parting: f64,
    /// A divergence from the reference above this ends the run; `inf` is never.
    pub stop_at_kl: f64,
}

impl Default for AlarmSettings {
    fn default() -> Self {
        Self {
            window: 5,
            entropy_share: 0.1,
            length_drift: 0.5,
            flat_group_fraction: 0.8,
            truncated_fraction: 0.5,
            clip_fraction: 0.5,
            parting: 0.05,
            stop_at_kl: f64::INFINITY,
        }
    }
}

impl AlarmSettings {
    /// A recipe that says nothing of alarms is written as it was before there were any, with the same hash.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A sign.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// Its name, as it stands behind `alarm/`.
    pub name: &'static str,
    /// What was seen, for a person.
    pub detail: String,
}

/// The numbers of a run so far, step by step.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    steps: Vec<BTreeMap<String, f64>>,
}

impl History {
    /// Adds a step's numbers, in order.
    pub(crate) fn push(&mut self, values: &BTreeMap<String, f64>) {
        self.steps.push(values.clone());
    }

    /// The mean of a number over the last steps that have it, once so many have.
    fn recent(&self, name: &str, window: usize) -> Option<f64> {
        mean(self.steps.iter().rev().filter_map(|values| values.get(name)).take(window), window)
    }

    /// The mean over the first steps that have it, once there are twice as many, so that nothing is compared with itself.
    fn first(&self, name: &str, window: usize) -> Option<f64> {
        let with = || self.steps.iter().filter_map(|values| values.get(name));
        (with().count() >= 2 * window).then(|| mean(with().take(window), window)).flatten()
    }

    /// The signs that the newest step shows.
    pub(crate) fn alarms(&self, settings: &AlarmSettings) -> Vec<Alarm> {
        let window = settings.window.max(1);
        let mut alarms = Vec::new();
        let mut ring = |name, detail| alarms.push(Alarm { name, detail });
        let both = |name: &str| Some((self.first(name, window)?, self.recent(name, window)?));
        if let Some((first, recent)) = both("policy/entropy")
            && recent < settings.entropy_share * first
        {
            ring(
                "entropy_collapse",
                format!("entropy fell from {first:.4} to {recent:.4}: the policy tries nothing new"),
            );
        }
        if let Some((first, recent)) = both("rollout/tokens_mean")
            && (recent - first).abs() > settings.length_drift * first
        {
            ring("length_drift", format!("completions went from {first:.0} to {recent:.0} tokens"));
        }
        for (name, number, limit, what) in [
            ("flat_groups", "reward/flat_group_fraction", settings.flat_group_fraction, "groups have equal rewards"),
            ("truncation", "rollout/truncated_fraction", settings.truncated_fraction, "completions were cut off"),
            ("clipping", "policy/clip_fraction", settings.clip_fraction, "tokens were held by a clip"),
        ] {
            if let Some(recent) = self.recent(number, window)
                && recent > limit
            {
                ring(name, format!("{:.0} % of {what}", 100.0 * recent));
            }
        }
        if let Some((first, recent)) = both("reward/mean")
            && let Some((before, now)) = self.probes()
            && recent > first + settings.parting
            && now < before - settings.parting
        {
            let detail = format!(
                "the reward rose from {first:.2} to {recent:.2} while held-out function fell from {before:.2} to {now:.2}"
            );
            ring("reward_parts_from_function", detail);
        }
        if let Some(divergence) = self.steps.last().and_then(|values| values.get("kl/approx"))
            && *divergence > settings.stop_at_kl
        {
            ring(DIVERGENCE, format!("the divergence from the reference is {divergence:.3}"));
        }
        alarms
    }

    /// What the guard's probe said first and last.
    fn probes(&self) -> Option<(f64, f64)> {
        let mut probes = self.steps.iter().filter_map(|values| values.get("probe/functional")).copied();
        let first = probes.next()?;
        Some((first, probes.next_back()?))
    }
}

fn mean<'a>(values: impl Iterator<Item = &'a f64>, count: usize) -> Option<f64> {
    let values: Vec<f64> = values.copied().collect();
    (values.len() == count).then(|| values.iter().sum::<f64>() / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of the alarms of the last step of a run with these curves.
    fn names(curves: &[(&str, &[f64])]) -> Vec<&'static str> {
        let num_steps = curves.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
        let mut history = History::default();
        for step in 0..num_steps {
            let of_step = curves.iter().filter_map(|(name, values)| Some(((*name).to_owned(), *values.get(step)?)));
            history.push(&of_step.filter(|(_, value)| value.is_finite()).collect());
        }
        let settings = AlarmSettings { window: 2, stop_at_kl: 0.5, ..AlarmSettings::default() };
        history.alarms(&settings).iter().map(|alarm| alarm.name).collect()
    }

    #[test]
    fn each_sign_is_seen_and_nothing_else() {
        let calm: &[f64] = &[0.5; 6];
        assert_eq!(names(&[("policy/entropy", calm), ("rollout/tokens_mean", calm), ("kl/approx", calm)]), [""; 0]);
        assert_eq!(names(&[("policy/entropy", &[1.0, 1.0, 0.5, 0.09, 0.08])]), ["entropy_collapse"]);
        assert_eq!(names(&[("rollout/tokens_mean", &[50.0, 60.0, 90.0, 90.0])]), ["length_drift"]);
        assert_eq!(names(&[("rollout/tokens_mean", &[50.0, 60.0, 20.0, 20.0])]), ["length_drift"]);
        assert_eq!(names(&[("reward/flat_group_fraction", &[0.1, 0.9, 0.8])]), ["flat_groups"]);
        assert_eq!(names(&[("rollout/truncated_fraction", &[0.6, 0.6])]), ["truncation"]);
        assert_eq!(names(&[("policy/clip_fraction", &[0.1, 0.9, 0.2])]), ["clipping"]);
        assert_eq!(names(&[("kl/approx", &[0.1, 0.6])]), ["divergence"]);
        assert_eq!(names(&[("kl/approx", &[0.6, 0.1])]), [""; 0]);
    }

    #[test]
    fn a_reward_that_rises_alone_is_a_sign() {
        let risen: &[f64] = &[0.3, 0.3, 0.5, 0.6];
        let probe = |last| ["probe/functional"].map(|name| (name, [0.8, f64::NAN, f64::NAN, last]));
        let [(name, fallen)] = probe(0.7);
        assert_eq!(names(&[("reward/mean", risen), (name, &fallen)]), ["reward_parts_from_function"]);
        let [(name, kept)] = probe(0.78);
        assert_eq!(names(&[("reward/mean", risen), (name, &kept)]), [""; 0]);
        assert_eq!(names(&[("reward/mean", &[0.3; 4]), (name, &fallen)]), [""; 0]);
    }

    #[test]
    fn too_few_steps_show_nothing() {
        assert_eq!(names(&[("policy/entropy", &[1.0, 0.0, 0.0]), ("policy/clip_fraction", &[1.0])]), [""; 0]);
    }
}
