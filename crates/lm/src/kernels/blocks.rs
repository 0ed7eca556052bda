//! Row blocks: how the rows of a batch are dealt out to threads.

use std::ops::Range;

/// Rows whose partial sums are added up before they meet others. Blocks are made of whole units, so that sums over all
/// rows do not depend on how many threads there are.
pub(crate) const UNIT: usize = 16;
/// The most rows in a block: large enough for full-speed products, small enough that a block's data stays in cache.
const MOST_ROWS: usize = 256;

/// A division of the rows of a batch into contiguous blocks.
pub(crate) struct RowBlocks {
    ranges: Vec<Range<usize>>,
}

impl RowBlocks {
    /// Divides `rows` evenly into as many blocks as keep every thread busy.
    pub(crate) fn new(rows: usize) -> Self {
        let units = rows.div_ceil(UNIT);
        let threads = rayon::current_num_threads();
        let blocks = (rows.div_ceil(MOST_ROWS * threads) * threads).min(units);
        let ranges = (0..blocks)
            .map(|block| {
                let start = block * units / blocks * UNIT;
                let end = ((block + 1) * units / blocks * UNIT).min(rows);
                start..end
            })
            .collect();
        Self { ranges }
    }

    /// The blocks, as ranges of rows.
    pub(crate) fn ranges(&self) -> &[Range<usize>] {
        &self.ranges
    }

    /// Cuts a buffer with `width` numbers per row along the blocks.
    pub(crate) fn cut<'a, T>(&self, buffer: &'a mut [T], width: usize) -> Vec<&'a mut [T]> {
        let rows = self.ranges.last().map_or(0, |range| range.end);
        assert_eq!(buffer.len(), rows * width, "{rows} rows of {width}");
        let mut rest = buffer;
        let mut pieces = Vec::with_capacity(self.ranges.len());
        for range in &self.ranges {
            let (piece, remaining) = rest.split_at_mut(range.len() * width);
            pieces.push(piece);
            rest = remaining;
        }
        pieces
    }

    /// Cuts a buffer that has `width` numbers per unit of rows.
    pub(crate) fn cut_units<'a>(&self, buffer: &'a mut [f32], width: usize) -> Vec<&'a mut [f32]> {
        let mut rest = buffer;
        let mut pieces = Vec::with_capacity(self.ranges.len());
        for range in &self.ranges {
            let (piece, remaining) = rest.split_at_mut(range.len().div_ceil(UNIT) * width);
            pieces.push(piece);
            rest = remaining;
        }
        assert!(rest.is_empty(), "one row of {width} per unit");
        pieces
    }
}

/// Adds the partial sums of all units, in order, to `total`.
pub(crate) fn add_units(total: &mut [f32], units: &[f32]) {
    assert!(units.len().is_multiple_of(total.len()), "whole rows of {}", total.len());
    for unit in units.chunks_exact(total.len()) {
        for (sum, part) in total.iter_mut().zip(unit) {
            *sum += part;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_the_rows_in_whole_units() {
        for rows in [0, 1, 15, 16, 17, 160, 255, 256, 257, 2720, 10_000] {
            let blocks = RowBlocks::new(rows);
            let mut next = 0;
            for range in blocks.ranges() {
                assert_eq!(range.start, next);
                assert!(range.start % UNIT == 0 && !range.is_empty() && range.len() <= MOST_ROWS + UNIT);
                next = range.end;
            }
            assert_eq!(next, rows);
        }
    }
}
