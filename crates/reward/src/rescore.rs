//! What another recipe makes of the same completions.

use serde::Serialize;

/// A group's values under two recipes; none where a completion was not scored.
pub type GroupValues = Vec<(Option<f64>, Option<f64>)>;

/// Two recipes on the same completions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Completions in all.
    pub num_rollouts: usize,
    /// Groups in all.
    pub num_groups: usize,
    /// Completions that only one of the two scored.
    pub num_scored_by_one: usize,
    /// Completions that both scored, with different values.
    pub num_changed: usize,
    /// Mean value under the first, of what it scored.
    pub mean_before: Option<f64>,
    /// Mean value under the second, of what it scored.
    pub mean_after: Option<f64>,
    /// Mean of the absolute changes, of what both scored.
    pub mean_absolute_change: Option<f64>,
    /// Spearman's rank correlation of the group advantages under the two, of what both scored. None where one of them is flat.
    pub rank_correlation: Option<f64>,
    /// Share of groups in which the first gives everybody the same: nothing is learned from them.
    pub flat_before: f64,
    /// The same share under the second.
    pub flat_after: f64,
}

/// Compares two recipes by the values that they gave.
pub fn compare(groups: &[GroupValues]) -> Comparison {
    let all = || groups.iter().flatten();
    let both: Vec<(f64, f64)> = all().filter_map(|(before, after)| Some(((*before)?, (*after)?))).collect();
    let mut advantages = (Vec::new(), Vec::new());
    for group in groups {
        let scored: Vec<(f64, f64)> =
            group.iter().filter_map(|(before, after)| Some(((*before)?, (*after)?))).collect();
        advantages.0.extend(group_advantages(&scored.iter().map(|pair| pair.0).collect::<Vec<_>>()));
        advantages.1.extend(group_advantages(&scored.iter().map(|pair| pair.1).collect::<Vec<_>>()));
    }
    let changes: Vec<f64> = both.iter().map(|(before, after)| (after - before).abs()).collect();
    let flat = |values: Vec<Vec<f64>>| {
        values.iter().filter(|values| is_flat(values)).count() as f64 / groups.len().max(1) as f64
    };
    let before = groups.iter().map(|group| group.iter().filter_map(|pair| pair.0).collect()).collect();
    let after = groups.iter().map(|group| group.iter().filter_map(|pair| pair.1).collect()).collect();
    Comparison {
        num_rollouts: all().count(),
        num_groups: groups.len(),
        num_scored_by_one: all().filter(|(before, after)| before.is_some() != after.is_some()).count(),
        num_changed: changes.iter().filter(|change| **change > 1e-12).count(),
        mean_before: mean(&all().filter_map(|pair| pair.0).collect::<Vec<_>>()),
        mean_after: mean(&all().filter_map(|pair| pair.1).collect::<Vec<_>>()),
        mean_absolute_change: mean(&changes),
        rank_correlation: spearman(&advantages.0, &advantages.1),
        flat_before: flat(before),
        flat_after: flat(after),
    }
}

/// The share of flat groups to be expected if groups of another size were drawn from the values that each task got: the chance that
/// all are equal is the sum over values of `share ^ size`.
pub fn expected_flat(groups: &[Vec<f64>], group_size: u32) -> f64 {
    let chance = |values: &[f64]| {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let runs = sorted.chunk_by(|one, other| (one - other).abs() <= 1e-12);
        runs.map(|run| (run.len() as f64 / values.len() as f64).powi(group_size.cast_signed())).sum::<f64>()
    };
    let chances: Vec<f64> = groups.iter().map(|values| if values.is_empty() { 1.0 } else { chance(values) }).collect();
    mean(&chances).unwrap_or(0.0)
}

/// `(r - mean) / std` with the standard deviation of the sample, as GRPO has it; zeros for a flat group.
pub fn group_advantages(values: &[f64]) -> Vec<f64> {
    let Some(mean) = mean(values).filter(|_| !is_flat(values)) else { return vec![0.0; values.len()] };
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64;
    values.iter().map(|value| (value - mean) / variance.sqrt()).collect()
}

fn is_flat(values: &[f64]) -> bool {
    values.windows(2).all(|pair| (pair[0] - pair[1]).abs() <= 1e-12)
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Spearman's rank correlation; equal values share their ranks. None where one side is all equal or there are fewer than two.
fn spearman(one: &[f64], other: &[f64]) -> Option<f64> {
    let (one, other) = (ranks(one), ranks(other));
    let centre = (one.len() as f64 - 1.0) / 2.0;
    let product = |left: &[f64], right: &[f64]| -> f64 {
        left.iter().zip(right).map(|(left, right)| (left - centre) * (right - centre)).sum()
    };
    let spread = (product(&one, &one) * product(&other, &other)).sqrt();
    (spread > 0.0).then(|| product(&one, &other) / spread)
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|one, other| values[*one].total_cmp(&values[*other]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for run in order.chunk_by(|one, other| (values[*one] - values[*other]).abs() <= 1e-12) {
        let shared = start as f64 + (run.len() as f64 - 1.0) / 2.0;
        for at in run {
            ranks[*at] = shared;
        }
        start += run.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advantages_are_those_of_grpo() {
        let half = 0.5_f64.sqrt();
        let found = group_advantages(&[1.0, 0.0]);
        assert!((found[0] - half).abs() < 1e-12 && (found[1] + half).abs() < 1e-12, "{found:?}");
        assert_eq!(group_advantages(&[0.3, 0.3, 0.3]), [0.0; 3]);
        assert_eq!(group_advantages(&[]), [] as [f64; 0]);
    }

    #[test]
    fn ranks_of_equal_values_are_shared() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [2.5, 0.0, 2.5, 1.0]);
        assert!((spearman(&[1.0, 2.0, 3.0], &[10.0, 100.0, 1000.0]).unwrap() - 1.0).abs() < 1e-12);
        assert!((spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]).unwrap() + 1.0).abs() < 1e-12);
        // Ranks 0, 1.5, 1.5, 3 against 0, 2, 1, 3: 4.5 over the root of 4.5 times 5.
        assert!(
            (spearman(&[1.0, 2.0, 2.0, 4.0], &[1.0, 3.0, 2.0, 4.0]).unwrap() - 4.5 / 22.5_f64.sqrt()).abs() < 1e-12
        );
        assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), None);
    }

    #[test]
    fn a_comparison_counts_what_changed_and_what_is_flat() {
        let groups = vec![
            vec![(Some(0.0), Some(0.0)), (Some(1.0), Some(0.5))],
            vec![(Some(1.0), Some(1.0)), (Some(1.0), Some(0.0))],
            vec![(None, Some(1.0)), (Some(0.5), Some(1.0))],
        ];
        let found = compare(&groups);
        assert_eq!((found.num_rollouts, found.num_groups, found.num_scored_by_one, found.num_changed), (6, 3, 1, 3));
        assert_eq!((found.mean_before, found.mean_after), (Some(0.7), Some(3.5 / 6.0)));
        assert_eq!(found.mean_absolute_change, Some((0.5 + 1.0 + 0.5) / 5.0));
        assert_eq!((found.flat_before, found.flat_after), (2.0 / 3.0, 1.0 / 3.0));
    }

    #[test]
    fn larger_groups_are_less_often_flat() {
        let groups = vec![vec![1.0, 1.0, 0.0, 0.0], vec![1.0; 4]];
        assert_eq!(expected_flat(&groups, 2), f64::midpoint(0.5, 1.0));
        assert_eq!(expected_flat(&groups, 4), f64::midpoint(0.125, 1.0));
    }
}
