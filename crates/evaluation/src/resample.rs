//! Bootstrap intervals over tasks.
//!
//! Samples of one task resemble each other, so a resample draws whole tasks with replacement and keeps every sample of a
//! drawn task. Drawing rows instead would make the intervals too narrow.

use codeward_records::Interval;

/// How many resamples an interval is taken from.
pub const RESAMPLES: usize = 2_000;

/// Share of resamples left out at each end of a 95% interval.
const TAIL: f64 = 0.025;

/// The splitmix64 generator: one 64-bit counter, scrambled on the way out.
#[derive(Debug, Clone)]
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`. The bias of the multiply-and-shift is below `bound / 2^64`.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

/// What the rows of one task add up to: how many rows, and one sum per metric.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct TaskTotals {
    pub(crate) rows: u32,
    pub(crate) sums: [i32; 3],
}

/// The range that a mean can take at all.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Range {
    /// A share: 0 to 1.
    Share,
    /// A difference of two shares: -1 to 1.
    Difference,
}

impl Range {
    fn ends(self) -> (f64, f64) {
        match self {
            Self::Share => (0.0, 1.0),
            Self::Difference => (-1.0, 1.0),
        }
    }
}

/// Mean over rows of each metric with its 95% interval; `None` without rows.
///
/// The interval is the percentile interval of the resamples. When all tasks agree, resamples cannot vary and that interval
/// would claim certainty; [`unanimous_bounds`] takes its place.
pub(crate) fn means(tasks: &[TaskTotals], range: Range, seed: u64) -> Option<[Interval; 3]> {
    let rows: u32 = tasks.iter().map(|task| task.rows).sum();
    if rows == 0 {
        return None;
    }
    let resampled = resample(tasks, seed);
    let mut out = [Interval { value: 0.0, low: 0.0, high: 0.0 }; 3];
    for (metric, interval) in out.iter_mut().enumerate() {
        let value = f64::from(tasks.iter().map(|task| task.sums[metric]).sum::<i32>()) / f64::from(rows);
        let (low, high) = bounds(value, &resampled[metric], tasks.len(), range);
        *interval = Interval { value, low, high };
    }
    Some(out)
}

/// Means of every resample, sorted, per metric.
fn resample(tasks: &[TaskTotals], seed: u64) -> [Vec<f64>; 3] {
    let mut draws = SplitMix64(seed);
    let mut means = [const { Vec::new() }; 3];
    for _ in 0..RESAMPLES {
        let mut rows = 0u32;
        let mut sums = [0i32; 3];
        for _ in tasks {
            let task = &tasks[draws.below(tasks.len())];
            rows += task.rows;
            for (sum, more) in sums.iter_mut().zip(task.sums) {
                *sum += more;
            }
        }
        for (mean, sum) in means.iter_mut().zip(sums) {
            mean.push(f64::from(sum) / f64::from(rows));
        }
    }
    for mean in &mut means {
        mean.sort_by(f64::total_cmp);
    }
    means
}

fn bounds(value: f64, sorted: &[f64], num_tasks: usize, range: Range) -> (f64, f64) {
    if sorted[0] == sorted[sorted.len() - 1] {
        return unanimous_bounds(value, num_tasks, range);
    }
    (percentile(sorted, TAIL), percentile(sorted, 1.0 - TAIL))
}

/// Bounds for tasks that all have the mean `value`.
///
/// By Clopper and Pearson's exact bound, a share of up to `1 - 0.025^(1 / num_tasks)` of all tasks could behave otherwise
/// without having shown up among `num_tasks`; those are taken to lie at the end of the range. For a share of 0 or 1 this is
/// the exact binomial interval; for a single task it is close to the whole range.
fn unanimous_bounds(value: f64, num_tasks: usize, range: Range) -> (f64, f64) {
    let unseen = 1.0 - TAIL.powf(1.0 / num_tasks as f64);
    let (lowest, highest) = range.ends();
    (value + (lowest - value) * unseen, value + (highest - value) * unseen)
}

/// Percentile with linear interpolation between neighbours.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (at - at.floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_gives_the_published_sequence() {
        // The first outputs of splitmix64 for seed 1234567, as listed with the algorithm's reference implementation.
        let mut draws = SplitMix64(1_234_567);
        assert_eq!(
            [draws.next(), draws.next(), draws.next()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn draws_below_a_bound_cover_it_evenly() {
        let mut draws = SplitMix64(5);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[draws.below(7)] += 1;
        }
        // The standard deviation of each count is about 93; five of them either way.
        assert!(counts.iter().all(|count| (9_535..=10_465).contains(count)), "{counts:?}");
    }

    #[test]
    fn percentiles_interpolate() {
        assert_eq!(percentile(&[0.0, 10.0], 0.25), 2.5);
        assert_eq!(percentile(&[1.0, 2.0, 3.0], 0.5), 2.0);
        assert_eq!(percentile(&[4.0], 0.975), 4.0);
    }

    #[test]
    fn the_interval_of_independent_tasks_matches_the_normal_one() {
        // 400 tasks of one row, 30% ones: the normal interval is 0.3 +- 1.96 * sqrt(0.3 * 0.7 / 400) = 0.3 +- 0.0449.
        let tasks: Vec<TaskTotals> =
            (0..400).map(|task| TaskTotals { rows: 1, sums: [i32::from(task < 120), 0, 1] }).collect();
        let [mixed, none, all] = means(&tasks, Range::Share, 9).unwrap();
        assert_eq!(mixed.value, 0.3);
        assert!((mixed.low - 0.2551).abs() < 0.006 && (mixed.high - 0.3449).abs() < 0.006, "{mixed:?}");
        // 1 - 0.025^(1/400) = 0.009180
        assert!((none.high - 0.009_180).abs() < 1e-6 && none.low == 0.0, "{none:?}");
        assert!((all.low - 0.990_820).abs() < 1e-6 && all.high == 1.0, "{all:?}");
    }

    #[test]
    fn rows_of_one_task_stay_together() {
        // Ten rows a task that all agree carry the information of one: the interval is that of 40 rows, not of 400.
        let clustered: Vec<TaskTotals> =
            (0..40).map(|task| TaskTotals { rows: 10, sums: [if task < 20 { 10 } else { 0 }, 0, 0] }).collect();
        let [interval, ..] = means(&clustered, Range::Share, 1).unwrap();
        // 0.5 +- 1.96 * sqrt(0.25 / 40) = 0.5 +- 0.155
        assert!((interval.low - 0.345).abs() < 0.03 && (interval.high - 0.655).abs() < 0.03, "{interval:?}");
    }

    #[test]
    fn tasks_that_all_agree_leave_room_for_others() {
        let one = [TaskTotals { rows: 8, sums: [4, 8, 0] }];
        // 1 - 0.025^(1/1) = 0.975 of the way to either end of the range.
        let [half, all, none] = means(&one, Range::Share, 3).unwrap();
        assert!((half.low - 0.0125).abs() < 1e-12 && (half.high - 0.9875).abs() < 1e-12, "{half:?}");
        assert!((all.low - 0.025).abs() < 1e-12 && all.high == 1.0, "{all:?}");
        assert!(none.low == 0.0 && (none.high - 0.975).abs() < 1e-12, "{none:?}");
        // Two tasks that improved throughout: 1 - 2 * (1 - 0.025^(1/2)) = -0.6838, no proof of an improvement.
        let two = [TaskTotals { rows: 1, sums: [1, 0, -1] }; 2];
        let [better, same, worse] = means(&two, Range::Difference, 3).unwrap();
        assert!((better.low + 0.683_772).abs() < 1e-6 && better.high == 1.0, "{better:?}");
        assert!((same.low + 0.841_886).abs() < 1e-6 && same.low == -same.high, "{same:?}");
        assert_eq!((worse.low, worse.high), (-better.high, -better.low));
        assert_eq!(means(&[], Range::Share, 3), None);
    }
}
