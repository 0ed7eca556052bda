//! How long tests take, as far as it was seen: so that long ones can be started first.
//!
//! Programs take alike in one family's tests, whatever the task; families differ a hundredfold. A batch ends with its last test, and
//! if that is a long one, the other workers wait for it. Nothing but the order of starts depends on what is learned here.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use codeward_records::{Task, TestCase};

/// Families that are remembered. Beyond, all are forgotten.
const MOST_REMEMBERED: usize = 1 << 12;
/// How much of what is expected the newest run replaces.
const SHARE_OF_NEWEST: f64 = 0.25;

/// Seconds that a family's test is expected to take, by the names of both.
#[derive(Default)]
pub(crate) struct Durations {
    expected: Mutex<HashMap<String, HashMap<String, f64>>>,
}

impl Durations {
    /// Remembers a run.
    pub(crate) fn learn(&self, task: &Task, test: &TestCase, taken: Duration) {
        let taken = taken.as_secs_f64();
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = expected.get_mut(&task.family).and_then(|tests| tests.get_mut(&test.name)) {
            *known += SHARE_OF_NEWEST * (taken - *known);
            return;
        }
        if expected.len() >= MOST_REMEMBERED {
            expected.clear();
        }
        expected.entry(task.family.clone()).or_default().insert(test.name.clone(), taken);
    }

    /// The numbers of all tests in the order in which to start them: programs, whose tests stand in `ranges`, with the longest
    /// first, and the tests of one program together. What was never seen may take any time, so it comes before all else; among
    /// equals the given order stays.
    pub(crate) fn longest_first<'a>(
        &self,
        ranges: &[Range<usize>],
        test: impl Fn(usize) -> (&'a Task, &'a TestCase),
    ) -> Vec<usize> {
        let expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = |at: usize| {
            let (task, test) = test(at);
            let known = expected.get(&task.family).and_then(|tests| tests.get(&test.name));
            known.copied().unwrap_or(f64::INFINITY)
        };
        let mut programs: Vec<(f64, &Range<usize>)> =
            ranges.iter().map(|range| (range.clone().map(seconds).sum(), range)).collect();
        programs.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        programs.into_iter().flat_map(|(_, range)| range.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use codeward_records::{Cwe, Language};

    use super::*;

    fn task(family: &str) -> Task {
        Task {
            id: format!("{family}/0"),
            family: family.to_owned(),
            language: Language::Python,
            cwe: Cwe(78),
            prompt: String::new(),
            adapter: String::new(),
            tests: Vec::new(),
            references: Vec::new(),
        }
    }

    #[test]
    fn what_takes_long_starts_first_and_what_was_never_seen_before_it() {
        let durations = Durations::default();
        let (quick, slow, new) = (task("quick"), task("slow"), task("new"));
        let [one, two] = ["one", "two"].map(|name| {
            let text = format!(r#"{{"name": "{name}", "kind": "functional", "act": "pass"}}"#);
            serde_json::from_str::<TestCase>(&text).unwrap()
        });
        let seen = |task, test, milliseconds| durations.learn(task, test, Duration::from_millis(milliseconds));
        for (task, test, milliseconds) in [(&quick, &one, 3), (&quick, &two, 40), (&slow, &one, 50), (&slow, &two, 2)] {
            seen(task, test, milliseconds);
        }
        let tests = [(&quick, &one), (&quick, &two), (&slow, &one), (&slow, &two), (&new, &one), (&quick, &one)];
        let order = || durations.longest_first(&[0..2, 2..4, 4..5, 5..6, 6..6], |at| tests[at]);
        assert_eq!(order(), [4, 2, 3, 0, 1, 5]);
        // A quarter of what is expected is what was seen last: 40 + (80 - 40) / 4.
        seen(&quick, &two, 80);
        assert_eq!(order(), [4, 0, 1, 2, 3, 5]);
        assert!((durations.expected.lock().unwrap()["quick"]["two"] - 0.05).abs() < 1e-12);
    }
}
