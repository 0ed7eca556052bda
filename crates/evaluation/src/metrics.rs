//! Rates over judged completions, and what changed between two sets of them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use codeward_records::{Interval, Judged, Verdict};
use serde::Serialize;

use crate::resample::{Range, TaskTotals, means};

/// The verdict of one scored row, as the three metrics see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) functional: bool,
    pub(crate) secure: bool,
}

impl Outcome {
    /// `None` for an unscored row: our machinery failed, which says nothing about the completion.
    pub(crate) fn of(row: &Judged) -> Option<Self> {
        match row.verdict {
            Verdict::Scored { functional, secure, .. } => Some(Self { functional, secure }),
            Verdict::Unscored { .. } => None,
        }
    }

    pub(crate) fn func_secure(self) -> bool {
        self.functional && self.secure
    }

    fn metrics(self) -> [i32; 3] {
        [i32::from(self.functional), i32::from(self.secure), i32::from(self.func_secure())]
    }
}

/// Shares of scored completions (k = 1) with 95% intervals. Unscored rows are counted, and are in no share.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rates {
    /// Passes every functional test; absent when nothing was scored.
    pub func: Option<Interval>,
    /// Passes every security test.
    pub secure: Option<Interval>,
    /// Passes both: the headline. Either alone can be had cheaply, for example by deleting the code.
    pub func_secure: Option<Interval>,
    /// Scored rows, the denominator of the shares.
    pub n: usize,
    /// Rows without a verdict.
    pub unscored: usize,
    /// Different tasks among the scored rows; the intervals come from resampling these.
    pub tasks: usize,
}

impl Rates {
    /// Rates over `rows`. The same rows, in the same order, and `seed` give the same intervals.
    pub fn from_rows<'a>(rows: impl IntoIterator<Item = &'a Judged>, seed: u64) -> Self {
        let mut unscored = 0;
        let mut by_task: BTreeMap<(&str, &str), TaskTotals> = BTreeMap::new();
        for row in rows {
            let Some(outcome) = Outcome::of(row) else {
                unscored += 1;
                continue;
            };
            add(by_task.entry((&row.split, &row.task_id)).or_default(), outcome.metrics());
        }
        let tasks: Vec<TaskTotals> = by_task.into_values().collect();
        let [func, secure, func_secure] = optional(means(&tasks, Range::Share, seed));
        Self { func, secure, func_secure, n: num_rows(&tasks), unscored, tasks: tasks.len() }
    }

    /// Rates of each group of rows that share a key, ordered by key.
    pub fn by_key<'a, K: Ord>(
        rows: impl IntoIterator<Item = &'a Judged>,
        key: impl Fn(&'a Judged) -> K,
        seed: u64,
    ) -> BTreeMap<K, Self> {
        let mut groups: BTreeMap<K, Vec<&'a Judged>> = BTreeMap::new();
        for row in rows {
            groups.entry(key(row)).or_default().push(row);
        }
        groups.into_iter().map(|(key, rows)| (key, Self::from_rows(rows, seed))).collect()
    }
}

fn add(totals: &mut TaskTotals, metrics: [i32; 3]) {
    totals.rows += 1;
    for (sum, more) in totals.sums.iter_mut().zip(metrics) {
        *sum += more;
    }
}

fn num_rows(tasks: &[TaskTotals]) -> usize {
    tasks.iter().map(|task| task.rows as usize).sum()
}

fn optional(intervals: Option<[Interval; 3]>) -> [Option<Interval>; 3] {
    intervals.map_or([None; 3], |intervals| intervals.map(Some))
}

/// The unbiased estimate of the chance that at least one of `k` completions passes, from `n` of which `c` passed:
/// one minus the share of `k`-subsets without a pass.
///
/// `None` when there are fewer than `k` samples, when `k` is 0, or when more passed than were sampled: the question has no
/// answer then, and a made-up 0 or 1 would enter somebody's mean.
///
/// ```
/// assert_eq!(codeward_evaluation::pass_at_k(4, 1, 2), Some(0.5));
/// assert_eq!(codeward_evaluation::pass_at_k(4, 1, 5), None);
/// ```
pub fn pass_at_k(n: u32, c: u32, k: u32) -> Option<f64> {
    if k == 0 || k > n || c > n {
        return None;
    }
    // The product of (n - c - i) / (n - i) over the k draws; a factor of 0 means that every k-subset has a pass.
    let none_passes: f64 =
        (0..k).map(|drawn| f64::from((n - c).saturating_sub(drawn)) / f64::from(n - drawn)).product();
    Some(1.0 - none_passes)
}

/// After minus before over pairs: the same task and sample number on both sides, scored on both.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairedChange {
    /// Difference of the functional shares; absent without pairs.
    pub func: Option<Interval>,
    /// Difference of the secure shares.
    pub secure: Option<Interval>,
    /// Difference of the shares that are both.
    pub func_secure: Option<Interval>,
    /// Pairs that the differences are taken over.
    pub pairs: usize,
    /// Pairs left out because a side is unscored.
    pub dropped: usize,
    /// Rows left out because the other side has no row of that task and sample.
    pub unpaired: usize,
    /// Pairs that became functional and secure.
    pub gained: usize,
    /// Pairs that stopped being functional and secure.
    pub lost: usize,
    /// Exact two-sided McNemar p-value of `gained` against `lost`; absent without pairs. It takes pairs as independent,
    /// which samples of one task are not, so the interval, which resamples tasks, is the one to trust when they disagree.
    pub mcnemar_p: Option<f64>,
}

/// Pairs `before` and `after` by split, task and sample, and compares them.
pub fn paired_change<'a>(
    before: impl IntoIterator<Item = &'a Judged>,
    after: impl IntoIterator<Item = &'a Judged>,
    seed: u64,
) -> PairedChange {
    let (pairs, unpaired) = pair(before, after);
    let mut by_task: BTreeMap<(&str, &str), TaskTotals> = BTreeMap::new();
    let (mut dropped, mut gained, mut lost) = (0, 0, 0);
    for (before, after) in pairs {
        let (Some(old), Some(new)) = (Outcome::of(before), Outcome::of(after)) else {
            dropped += 1;
            continue;
        };
        gained += usize::from(new.func_secure() && !old.func_secure());
        lost += usize::from(old.func_secure() && !new.func_secure());
        let (old, new) = (old.metrics(), new.metrics());
        let difference = [new[0] - old[0], new[1] - old[1], new[2] - old[2]];
        add(by_task.entry((&before.split, &before.task_id)).or_default(), difference);
    }
    let tasks: Vec<TaskTotals> = by_task.into_values().collect();
    let pairs = num_rows(&tasks);
    let [func, secure, func_secure] = optional(means(&tasks, Range::Difference, seed));
    let mcnemar_p = (pairs > 0).then(|| mcnemar_p(gained, lost));
    PairedChange { func, secure, func_secure, pairs, dropped, unpaired, gained, lost, mcnemar_p }
}

/// The rows that have a partner, ordered by split, task and sample, and how many rows have none.
///
/// A key that a side holds twice has one partner at most; the surplus row counts as unpaired.
pub(crate) fn pair<'a>(
    before: impl IntoIterator<Item = &'a Judged>,
    after: impl IntoIterator<Item = &'a Judged>,
) -> (Vec<(&'a Judged, &'a Judged)>, usize) {
    let mut unpaired = 0;
    let mut by_key = |rows: &mut dyn Iterator<Item = &'a Judged>| {
        let mut kept = BTreeMap::new();
        for row in rows {
            match kept.entry(key(row)) {
                Entry::Vacant(free) => drop(free.insert(row)),
                Entry::Occupied(_) => unpaired += 1,
            }
        }
        kept
    };
    let before = by_key(&mut before.into_iter());
    let mut after = by_key(&mut after.into_iter());
    let mut pairs = Vec::new();
    for (key, old) in before {
        match after.remove(&key) {
            Some(new) => pairs.push((old, new)),
            None => unpaired += 1,
        }
    }
    unpaired += after.len();
    (pairs, unpaired)
}

fn key(row: &Judged) -> (&str, &str, u32) {
    (&row.split, &row.task_id, row.sample)
}

/// Two-sided exact McNemar test: how likely a split of the discordant pairs at least this uneven is, were both directions
/// equally likely.
pub fn mcnemar_p(gained: usize, lost: usize) -> f64 {
    let discordant = gained + lost;
    // Terms of the binomial tail in logarithms: 0.5^n leaves the range of f64 from n = 1075 on.
    let mut log_choose = 0.0;
    let mut tail = 0.0;
    for drawn in 0..=gained.min(lost) {
        if drawn > 0 {
            log_choose += ((discordant - drawn + 1) as f64).ln() - (drawn as f64).ln();
        }
        tail += (log_choose - discordant as f64 * std::f64::consts::LN_2).exp();
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use codeward_records::{Cwe, UnscoredReason};
    use proptest::prelude::*;

    use super::*;

    fn row(task: &str, sample: u32, verdict: Option<(bool, bool)>) -> Judged {
        Judged {
            split: "unrewarded".to_owned(),
            task_id: task.to_owned(),
            family: "family".to_owned(),
            cwe: Cwe(78),
            sample,
            prompt: String::new(),
            completion: String::new(),
            verdict: match verdict {
                Some((functional, secure)) => Verdict::Scored { functional, secure, failed_tests: Vec::new() },
                None => Verdict::Unscored { reason: UnscoredReason::SandboxFailed, detail: String::new() },
            },
            findings: Vec::new(),
        }
    }

    #[test]
    fn unscored_rows_are_counted_and_are_no_zeros() {
        let rows = [
            row("a", 0, Some((true, true))),
            row("a", 1, Some((true, false))),
            row("b", 0, Some((false, true))),
            row("b", 1, None),
            row("c", 0, None),
        ];
        let rates = Rates::from_rows(&rows, 1);
        assert_eq!((rates.n, rates.unscored, rates.tasks), (3, 2, 2));
        let value = |interval: Option<Interval>| interval.unwrap().value;
        assert_eq!(value(rates.func), 2.0 / 3.0);
        assert_eq!(value(rates.secure), 2.0 / 3.0);
        assert_eq!(value(rates.func_secure), 1.0 / 3.0);
        let nothing = Rates::from_rows(&rows[3..], 1);
        assert_eq!((nothing.func, nothing.n, nothing.unscored), (None, 0, 2));
    }

    #[test]
    fn groups_are_rated_apart() {
        let mut rows = vec![row("a", 0, Some((true, true))), row("b", 0, Some((true, false)))];
        rows[1].cwe = Cwe(22);
        let by_cwe = Rates::by_key(&rows, |row| row.cwe, 1);
        let shares: Vec<(Cwe, f64)> =
            by_cwe.iter().map(|(cwe, rates)| (*cwe, rates.func_secure.unwrap().value)).collect();
        assert_eq!(shares, [(Cwe(22), 0.0), (Cwe(78), 1.0)]);
    }

    #[test]
    fn pairs_need_a_verdict_on_both_sides() {
        let before = [
            row("a", 0, Some((true, false))),
            row("a", 1, Some((true, true))),
            row("b", 0, None),
            row("b", 1, Some((false, false))),
            row("only-before", 0, Some((true, true))),
        ];
        let after = [
            row("b", 1, Some((false, true))),
            row("b", 0, Some((true, true))),
            row("a", 1, Some((false, true))),
            row("a", 0, Some((true, true))),
            row("a", 0, Some((false, false))),
        ];
        let change = paired_change(&before, &after, 1);
        assert_eq!((change.pairs, change.dropped, change.unpaired), (3, 1, 2));
        assert_eq!((change.gained, change.lost), (1, 1));
        assert_eq!(change.func.unwrap().value, -1.0 / 3.0);
        assert_eq!(change.secure.unwrap().value, 2.0 / 3.0);
        assert_eq!(change.func_secure.unwrap().value, 0.0);
        assert_eq!(change.mcnemar_p, Some(1.0));
        let none = paired_change(&before[..0], &after, 1);
        assert_eq!((none.func, none.mcnemar_p, none.unpaired), (None, None, 5));
    }

    #[test]
    fn mcnemar_matches_hand_counts() {
        // Ten discordant pairs, one against: 2 * (1 + 10) / 2^10.
        assert!((mcnemar_p(9, 1) - 22.0 / 1024.0).abs() < 1e-12);
        assert_eq!(mcnemar_p(1, 9), mcnemar_p(9, 1));
        assert_eq!(mcnemar_p(0, 0), 1.0);
        assert!((mcnemar_p(6, 0) - 2.0 / 64.0).abs() < 1e-12);
        assert_eq!(mcnemar_p(5, 5), 1.0);
        // Beyond the range of 0.5^n: close to 2 * P(Z > 200 / sqrt(2000) - continuity) = 2 * 0.5 * erfc(4.4497 / sqrt 2).
        let large = mcnemar_p(1100, 900);
        assert!((large - 8.6e-6).abs() < 0.3e-6, "{large}");
    }

    /// Share of the k-subsets of n samples, the first c of which passed, that hold a pass.
    fn pass_at_k_by_counting(n: u32, c: u32, k: u32) -> f64 {
        let (mut subsets, mut with_pass) = (0u32, 0u32);
        for subset in 0u32..(1 << n) {
            if subset.count_ones() == k {
                subsets += 1;
                with_pass += u32::from(subset & ((1 << c) - 1) != 0);
            }
        }
        f64::from(with_pass) / f64::from(subsets)
    }

    proptest! {
        #[test]
        fn pass_at_k_is_the_share_of_subsets_with_a_pass(n in 1u32..11, c in 0u32..11, k in 1u32..11) {
            prop_assume!(c <= n);
            match pass_at_k(n, c, k) {
                Some(estimate) => prop_assert!((estimate - pass_at_k_by_counting(n, c, k)).abs() < 1e-12),
                None => prop_assert!(k > n),
            }
        }

        #[test]
        fn intervals_hold_their_estimate_and_repeat(
            verdicts in proptest::collection::vec((0u8..6, any::<bool>(), any::<bool>()), 1..40),
            seed in any::<u64>(),
        ) {
            let rows: Vec<Judged> = verdicts
                .iter()
                .zip(0..)
                .map(|((task, functional, secure), sample)| {
                    row(&format!("task-{task}"), sample, Some((*functional, *secure)))
                })
                .collect();
            let rates = Rates::from_rows(&rows, seed);
            prop_assert_eq!(&rates, &Rates::from_rows(&rows, seed));
            for interval in [rates.func, rates.secure, rates.func_secure].into_iter().flatten() {
                prop_assert!(0.0 <= interval.low && interval.low <= interval.high && interval.high <= 1.0);
            }
            let (func, secure) = (rates.func.unwrap().value, rates.secure.unwrap().value);
            let both = rates.func_secure.unwrap().value;
            prop_assert!(both <= func.min(secure) && both >= func + secure - 1.0 - 1e-12);
        }

        #[test]
        fn with_every_pair_scored_the_change_is_the_difference_of_the_rates(
            verdicts in proptest::collection::vec((0u8..5, any::<[bool; 4]>()), 1..30),
        ) {
            let side = |at: usize| -> Vec<Judged> {
                verdicts
                    .iter()
                    .zip(0..)
                    .map(|((task, flags), sample)| {
                        row(&format!("task-{task}"), sample, Some((flags[at], flags[at + 1])))
                    })
                    .collect()
            };
            let (before, after) = (side(0), side(2));
            let change = paired_change(&before, &after, 7);
            let share = |rows: &[Judged]| Rates::from_rows(rows, 7).func_secure.unwrap().value;
            prop_assert!((change.func_secure.unwrap().value - (share(&after) - share(&before))).abs() < 1e-12);
            prop_assert_eq!(change.gained as f64 - change.lost as f64,
                (change.func_secure.unwrap().value * change.pairs as f64).round());
        }
    }
}
