//! The shortest edit between two sequences.

use std::ops::Range;

/// What was replaced by what; one of the two may be empty, and both together are as long as can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hunk {
    pub(super) old: Range<usize>,
    pub(super) new: Range<usize>,
}

/// The hunks between two sequences whose longest common subsequence is what is left, or nothing beyond `most_edits` deletions
/// and insertions. Of several shortest edits it is the one that the greedy algorithm finds from the front (Myers 1986, figure 2).
/// Memory grows with the square of the edits.
pub(super) fn hunks(old: &[u32], new: &[u32], most_edits: usize) -> Option<Vec<Hunk>> {
    let same = |(one, other): &(&u32, &u32)| one == other;
    let before = old.iter().zip(new).take_while(same).count();
    let (old_rest, new_rest) = (&old[before..], &new[before..]);
    let after = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(same).count();
    let (old_part, new_part) = (&old_rest[..old_rest.len() - after], &new_rest[..new_rest.len() - after]);

    let mut hunks = Vec::new();
    let (mut old_next, mut new_next) = (0, 0);
    for (old_at, new_at) in kept(old_part, new_part, most_edits)?.into_iter().chain([(old_part.len(), new_part.len())])
    {
        if old_next < old_at || new_next < new_at {
            hunks.push(Hunk { old: before + old_next..before + old_at, new: before + new_next..before + new_at });
        }
        (old_next, new_next) = (old_at + 1, new_at + 1);
    }
    Some(hunks)
}

/// Pairs of places that are the same in both, in order.
fn kept(old: &[u32], new: &[u32], most_edits: usize) -> Option<Vec<(usize, usize)>> {
    let (num_old, num_new) = (old.len() as isize, new.len() as isize);
    // Furthest place in `old` by diagonal (old minus new), one row for each number of edits; row `d` holds diagonals -d, 2-d, ..., d.
    let mut rows: Vec<Vec<isize>> = Vec::new();
    let num_edits = (0..=(most_edits.min(old.len() + new.len())) as isize).find(|&edits| {
        let last = rows.last();
        let mut row = Vec::with_capacity(edits as usize + 1);
        let mut reached = false;
        for diagonal in (-edits..=edits).step_by(2) {
            let mut place = last.map_or(0, |last| step(last, edits, diagonal).0);
            while place < num_old
                && place - diagonal < num_new
                && old[place as usize] == new[(place - diagonal) as usize]
            {
                place += 1;
            }
            reached |= place >= num_old && place - diagonal >= num_new;
            row.push(place);
        }
        rows.push(row);
        reached
    })?;

    let mut pairs = Vec::new();
    let (mut place, mut diagonal) = (num_old, num_old - num_new);
    for edits in (0..=num_edits).rev() {
        let (start, from) = match edits {
            0 => (0, 0),
            _ => step(&rows[edits as usize - 1], edits, diagonal),
        };
        while place > start {
            place -= 1;
            pairs.push((place as usize, (place - diagonal) as usize));
        }
        // Back over the edit itself: an insertion leaves the place, a deletion takes one.
        place = if from > diagonal { start } else { start - 1 };
        diagonal = from;
    }
    pairs.reverse();
    Some(pairs)
}

/// Where `edits` edits get on a diagonal before anything is kept, and the diagonal they come from.
fn step(last: &[isize], edits: isize, diagonal: isize) -> (isize, isize) {
    let at = |diagonal: isize| last[((diagonal + edits - 1) / 2) as usize];
    let inserts = diagonal == -edits || (diagonal != edits && at(diagonal - 1) < at(diagonal + 1));
    if inserts { (at(diagonal + 1), diagonal + 1) } else { (at(diagonal - 1) + 1, diagonal - 1) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Vec<u32> {
        text.chars().map(u32::from).collect()
    }

    #[test]
    fn hunks_are_what_changed() {
        let changed = |old: &str, new: &str| {
            hunks(&of(old), &of(new), 100)
                .unwrap()
                .into_iter()
                .map(|hunk| (old[hunk.old].to_owned(), new[hunk.new].to_owned()))
                .collect::<Vec<_>>()
        };
        let pair = |old: &str, new: &str| (old.to_owned(), new.to_owned());
        assert_eq!(changed("abc", "abc"), []);
        assert_eq!(changed("", "ab"), [pair("", "ab")]);
        assert_eq!(changed("run(x,true)", "run(x,false)"), [pair("tru", "fals")]);
        assert_eq!(changed("a;b;c", "a;check;b;"), [pair("", "check;"), pair("c", "")]);
        assert_eq!(hunks(&of("abc"), &of("xyz"), 5), None);
    }

    /// Length of the longest common subsequence, by the textbook.
    fn longest(old: &[u32], new: &[u32]) -> usize {
        let mut lengths = vec![vec![0; new.len() + 1]; old.len() + 1];
        for (i, one) in old.iter().enumerate() {
            for (j, other) in new.iter().enumerate() {
                lengths[i + 1][j + 1] =
                    if one == other { lengths[i][j] + 1 } else { lengths[i][j + 1].max(lengths[i + 1][j]) };
            }
        }
        lengths[old.len()][new.len()]
    }

    proptest! {
        #[test]
        fn what_is_left_is_a_longest_common_subsequence(
            old in prop::collection::vec(0u32..5, 0..40),
            new in prop::collection::vec(0u32..5, 0..40),
        ) {
            let hunks = hunks(&old, &new, 100).unwrap();
            let left = |whole: &[u32], cut: Vec<Range<usize>>| {
                let inside = |at: &usize| cut.iter().any(|range| range.contains(at));
                (0..whole.len()).filter(|at| !inside(at)).map(|at| whole[at]).collect::<Vec<_>>()
            };
            let old_left = left(&old, hunks.iter().map(|hunk| hunk.old.clone()).collect());
            let new_left = left(&new, hunks.iter().map(|hunk| hunk.new.clone()).collect());
            prop_assert_eq!(&old_left, &new_left);
            prop_assert_eq!(old_left.len(), longest(&old, &new));
            // Between two hunks something is kept on both sides.
            prop_assert!(hunks.windows(2).all(|pair| pair[0].old.end < pair[1].old.start && pair[0].new.end < pair[1].new.start));
        }
    }
}
