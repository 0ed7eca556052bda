//! Attention of one new token over the keys and values of the tokens before it.
//!
//! The past comes in two segments, so that completions of one prompt share the prompt's cache. Keys are stored in
//! blocks of sixteen positions with the positions innermost: a block's scores then fill one register per coordinate
//! and need no sum across lanes.

use std::ops::Range;

use super::attention::{HeadShape, first_seen};
use super::simd::{LANES, add, add_scaled, exponentiate, maximum, sum, vectorized};

/// Keys and values of a run of positions, in every layer.
pub(crate) struct KeyValueCache {
    shape: HeadShape,
    /// Positions, a whole number of blocks.
    capacity: usize,
    keys: Vec<f32>,   // [layers, num_key, capacity / 16, head_dim, 16]
    values: Vec<f32>, // [layers, num_key, capacity, head_dim]
}

impl KeyValueCache {
    /// Room for `positions`; the system provides the memory as it is touched.
    pub(crate) fn new(layers: usize, shape: HeadShape, positions: usize) -> Self {
        let capacity = positions.next_multiple_of(LANES);
        let size = layers * shape.num_key * capacity * shape.head_dim;
        Self { shape, capacity, keys: vec![0.0; size], values: vec![0.0; size] }
    }

    /// Stores the keys and values of one position from its `[queries | keys | values]` row.
    pub(crate) fn store(&mut self, layer: usize, position: usize, qkv: &[f32]) {
        assert!(position < self.capacity, "position {position} of {}", self.capacity);
        assert_eq!(qkv.len(), self.shape.row_width(), "a row of queries, keys and values");
        let head_dim = self.shape.head_dim;
        let (keys, values) = qkv[self.shape.query_width()..].split_at(self.shape.num_key * head_dim);
        for (head, (key, value)) in keys.chunks_exact(head_dim).zip(values.chunks_exact(head_dim)).enumerate() {
            let start = self.head_start(layer, head);
            let block = start + position / LANES * LANES * head_dim + position % LANES;
            for (slot, &coordinate) in self.keys[block..].iter_mut().step_by(LANES).zip(key) {
                *slot = coordinate;
            }
            self.values[start + position * head_dim..][..head_dim].copy_from_slice(value);
        }
    }

    /// Where a head's run begins, in keys and values alike.
    fn head_start(&self, layer: usize, head: usize) -> usize {
        (layer * self.shape.num_key + head) * self.capacity * self.shape.head_dim
    }

    /// The keys of the blocks that hold a range of positions, and the values of these positions.
    fn head(&self, layer: usize, head: usize, positions: &Range<usize>) -> (&[f32], &[f32]) {
        let (start, head_dim) = (self.head_start(layer, head), self.shape.head_dim);
        let blocks = positions.start / LANES * LANES..positions.end.next_multiple_of(LANES);
        (
            &self.keys[start + blocks.start * head_dim..start + blocks.end * head_dim],
            &self.values[start + positions.start * head_dim..start + positions.end * head_dim],
        )
    }
}

/// A run of positions in a cache.
#[derive(Clone)]
pub(crate) struct Segment<'a> {
    pub(crate) cache: &'a KeyValueCache,
    pub(crate) positions: Range<usize>,
}

impl<'a> Segment<'a> {
    /// What the last of `first + second` positions sees, where a cache holds the first of them and another the others.
    pub(crate) fn seen(
        caches: [&'a KeyValueCache; 2],
        first: usize,
        second: usize,
        window: Option<usize>,
    ) -> [Segment<'a>; 2] {
        let start = first_seen(first + second - 1, window);
        // An empty run begins at zero, so that no scores precede it.
        let before = if start < first { start..first } else { 0..0 };
        let after = start.saturating_sub(first)..second;
        let [a, b] = caches;
        [Segment { cache: a, positions: before }, Segment { cache: b, positions: after }]
    }

    /// Positions in the first block of keys that come before the run.
    fn skipped(&self) -> usize {
        self.positions.start % LANES
    }
}

/// Attends from one row to two segments, the second of which ends with the row's own position.
pub(crate) fn attend(
    output: &mut [f32], // [num_query * head_dim]
    query: &[f32],      // [num_query * head_dim]
    layer: usize,
    segments: &[Segment<'_>; 2],
    scores: &mut Vec<f32>,
) {
    let shape = segments[0].cache.shape;
    let [first, second] = [0, 1].map(|index| segments[index].skipped() + segments[index].positions.len());
    // What precedes the run in its first block of keys; the second run then begins a block or is the only one.
    let skipped = segments[0].skipped() + segments[1].skipped();
    assert!(segments[0].positions.is_empty() || segments[1].skipped() == 0, "one run after the other");
    assert!(output.len() == shape.query_width() && query.len() == output.len(), "a row of queries");
    assert!(first + second > 0, "something to attend to");
    // Each segment writes whole blocks; the second overwrites the first's excess.
    scores.resize(first + LANES + second.next_multiple_of(LANES), 0.0);
    for head in 0..shape.num_query {
        let span = head * shape.head_dim..(head + 1) * shape.head_dim;
        let [a, b] =
            [0, 1].map(|index| segments[index].cache.head(layer, head / shape.group(), &segments[index].positions));
        attend_head(&mut output[span.clone()], &query[span], a, b, skipped, shape.scale, scores);
    }
}

vectorized! {
    fn attend_head(
        output: &mut [f32],
        query: &[f32],
        first: (&[f32], &[f32]),
        second: (&[f32], &[f32]),
        skipped: usize,
        scale: f32,
        scores: &mut [f32],
    ) {
        let width = query.len();
        let (prefix, total) = (first.1.len() / width, (first.1.len() + second.1.len()) / width);
        score_blocks(scores, query, first.0, scale);
        // After the first run, if there is one, and what precedes it; before what precedes the second.
        let offset = if prefix > 0 { skipped + prefix } else { 0 };
        score_blocks(&mut scores[offset..], query, second.0, scale);
        let scores = &mut scores[skipped..skipped + total];
        let top = maximum(scores);
        exponentiate(scores, 1.0, top);
        let inverse = 1.0 / sum(scores);
        output.fill(0.0);
        add_values(output, &scores[..prefix], first.1);
        add_values(output, &scores[prefix..], second.1);
        for coordinate in output {
            *coordinate *= inverse;
        }
    }
}

/// Scores of whole blocks of keys.
#[expect(clippy::inline_always, reason = "it must be compiled inside the caller's vector unit")]
#[inline(always)]
fn score_blocks(scores: &mut [f32], query: &[f32], keys: &[f32], scale: f32) {
    let (quads, rest) = query.as_chunks::<4>();
    for (scores, block) in scores.as_chunks_mut::<LANES>().0.iter_mut().zip(keys.chunks_exact(query.len() * LANES)) {
        let (block_quads, block_rest) = block.as_chunks::<LANES>().0.as_chunks::<4>();
        // Independent sums, so that additions overlap.
        let [mut a, mut b, mut c, mut d] = [[0.0; LANES]; 4];
        for (coordinates, keys) in quads.iter().zip(block_quads) {
            a = add_scaled(a, coordinates[0], &keys[0]);
            b = add_scaled(b, coordinates[1], &keys[1]);
            c = add_scaled(c, coordinates[2], &keys[2]);
            d = add_scaled(d, coordinates[3], &keys[3]);
        }
        for (&coordinate, keys) in rest.iter().zip(block_rest) {
            a = add_scaled(a, coordinate, keys);
        }
        *scores = add_scaled([0.0; LANES], scale, &add(add(a, &b), &add(c, &d)));
    }
}

/// `output += weights * values`.
#[expect(clippy::inline_always, reason = "it must be compiled inside the caller's vector unit")]
#[inline(always)]
fn add_values(output: &mut [f32], weights: &[f32], values: &[f32]) {
    let width = output.len();
    let mut start = 0;
    while start + 4 * LANES <= width {
        add_columns::<4>(output, weights, values, start);
        start += 4 * LANES;
    }
    while start + LANES <= width {
        add_columns::<1>(output, weights, values, start);
        start += LANES;
    }
    for column in start..width {
        for (weight, row) in weights.iter().zip(values.chunks_exact(width)) {
            output[column] += weight * row[column];
        }
    }
}

/// The part of [`add_values`] for `REGISTERS` times sixteen columns, whose sums stay in registers.
#[expect(clippy::inline_always, reason = "it must be compiled inside the caller's vector unit")]
#[inline(always)]
fn add_columns<const REGISTERS: usize>(output: &mut [f32], weights: &[f32], values: &[f32], start: usize) {
    let width = output.len();
    let columns = start..start + REGISTERS * LANES;
    let mut sums = [[0.0; LANES]; REGISTERS];
    let (weight_pairs, weight_rest) = weights.as_chunks::<2>();
    let mut pairs = values.chunks_exact(2 * width);
    for (weights, rows) in weight_pairs.iter().zip(&mut pairs) {
        let (first, second) = rows.split_at(width);
        let (first, second) = (first[columns.clone()].as_chunks().0, second[columns.clone()].as_chunks().0);
        for ((sum, first), second) in sums.iter_mut().zip(first).zip(second) {
            // Two rows per addition to the sum, as each addition waits for the one before.
            let pair = add_scaled(add_scaled([0.0; LANES], weights[0], first), weights[1], second);
            *sum = add(*sum, &pair);
        }
    }
    for (&weight, row) in weight_rest.iter().zip(pairs.remainder().chunks_exact(width)) {
        for (sum, row) in sums.iter_mut().zip(row[columns.clone()].as_chunks().0) {
            *sum = add_scaled(*sum, weight, row);
        }
    }
    for (output, sum) in output[columns].as_chunks_mut().0.iter_mut().zip(&sums) {
        *output = add(*output, sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::attention;
    use crate::testing::Noise;

    /// None; within, at and across the boundaries of blocks and of caches; longer than everything.
    const WINDOWS: [Option<usize>; 7] = [None, Some(1), Some(3), Some(16), Some(29), Some(37), Some(100)];

    /// The batch kernel is checked against the definition; the cached one is checked against the batch kernel.
    #[test]
    fn agrees_with_attention_over_the_whole_sequence() {
        for head_dim in [6, 16, 64, 82] {
            let shape = HeadShape { num_query: 4, num_key: 2, head_dim, scale: 0.3 };
            let (rows, layers) = (45, 2);
            let width = shape.row_width();
            let qkv = Noise::new(10).vector(rows * width);
            for (prefix, window) in
                [0, 1, 16, 21, 44].into_iter().flat_map(|prefix| WINDOWS.map(|window| (prefix, window)))
            {
                let (mut wanted, mut sums) = (vec![0.0; rows * shape.query_width()], vec![0.0; rows * 4]);
                attention::forward(&mut wanted, &mut sums, &qkv, std::slice::from_ref(&(0..rows)), shape, window);
                let mut caches = [prefix, rows - prefix].map(|positions| KeyValueCache::new(layers, shape, positions));
                for (row, qkv) in qkv.chunks_exact(width).enumerate() {
                    let (segment, position) = if row < prefix { (0, row) } else { (1, row - prefix) };
                    caches[segment].store(1, position, qkv);
                }
                let [first, second] = &caches;
                let segments = Segment::seen([first, second], prefix, rows - prefix, window);
                let mut output = vec![f32::NAN; shape.query_width()];
                let query = &qkv[(rows - 1) * width..][..shape.query_width()];
                attend(&mut output, query, 1, &segments, &mut Vec::new());
                for (got, wanted) in output.iter().zip(&wanted[(rows - 1) * shape.query_width()..]) {
                    assert!(
                        (got - wanted).abs() < 2e-6,
                        "head {head_dim}, prefix {prefix}, {window:?}: {got} {wanted}"
                    );
                }
            }
        }
    }
}
