//! Causal attention within each sequence of a packed batch, with grouped queries, over all of the past or a window of it.
//!
//! A row of the input is `[queries | keys | values]`, rotated already. Scores exist for one block of queries at a time:
//! the forward keeps the logarithm of each softmax's denominator, and the backward computes the scores again from it.
//! One task handles one key head of one sequence, with the query heads that share it.

use std::ops::Range;

use rayon::prelude::*;

use super::matrix::{MatrixMut, MatrixRef, Store, multiply};
use super::simd::{LANES, dot, exp, exponentiate, maximum, sum, vectorized};
use super::transpose::transpose;

/// Query rows per block of scores.
const QUERY_BLOCK: usize = 64;

/// How a row of width `(num_query + 2 * num_key) * head_dim` divides into heads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadShape {
    pub(crate) num_query: usize,
    pub(crate) num_key: usize,
    pub(crate) head_dim: usize,
    /// What scores are multiplied with.
    pub(crate) scale: f32,
}

impl HeadShape {
    /// Width of all queries.
    pub(crate) fn query_width(self) -> usize {
        self.num_query * self.head_dim
    }

    /// Width of a whole row.
    pub(crate) fn row_width(self) -> usize {
        (self.num_query + 2 * self.num_key) * self.head_dim
    }

    /// Query heads per key head.
    pub(crate) fn group(self) -> usize {
        self.num_query / self.num_key
    }

    fn columns(self, head: usize) -> Range<usize> {
        head * self.head_dim..(head + 1) * self.head_dim
    }

    /// Query, key and value columns as seen by one query head.
    fn inputs(self, rows: MatrixRef<'_>, query_head: usize) -> [MatrixRef<'_>; 3] {
        let key_head = self.num_query + query_head / self.group();
        [query_head, key_head, key_head + self.num_key].map(|head| rows.column_range(self.columns(head)))
    }
}

/// The first position that a query sees: it sees itself and what is before it, within a window if there is one
/// (`sliding_window_overlay` in `transformers`).
pub(crate) fn first_seen(position: usize, window: Option<usize>) -> usize {
    window.map_or(0, |window| (position + 1).saturating_sub(window))
}

/// One key head of one sequence in the forward.
struct ForwardTask<'a> {
    rows: Range<usize>,
    key_head: usize,
    output: MatrixMut<'a>,   // [length, group * head_dim]
    log_sums: MatrixMut<'a>, // [length, group]
}

/// Attends; keeps the log-denominators for the backward.
pub(crate) fn forward(
    output: &mut [f32],   // [rows, num_query * head_dim]
    log_sums: &mut [f32], // [rows, num_query]
    qkv: &[f32],          // [rows, row_width]
    sequences: &[Range<usize>],
    shape: HeadShape,
    window: Option<usize>,
) {
    let rows = covered_rows(sequences);
    let qkv = MatrixRef::new(qkv, rows, shape.row_width());
    let mut output = MatrixMut::new(output, rows, shape.query_width());
    let mut log_sums = MatrixMut::new(log_sums, rows, shape.num_query);
    let mut tasks = Vec::with_capacity(sequences.len() * shape.num_key);
    for rows in sequences {
        let (here, rest) = output.split_rows(rows.len());
        let (sums_here, sums_rest) = log_sums.split_rows(rows.len());
        (output, log_sums) = (rest, sums_rest);
        let sums = sums_here.into_column_pieces(shape.group());
        let pieces = here.into_column_pieces(shape.group() * shape.head_dim).into_iter().zip(sums);
        tasks.extend(pieces.enumerate().map(|(key_head, (output, log_sums))| ForwardTask {
            rows: rows.clone(),
            key_head,
            output,
            log_sums,
        }));
    }
    tasks.into_par_iter().for_each_init(Scratch::default, |scratch, task| attend(task, qkv, shape, window, scratch));
}

/// The rows that the sequences cover, one after the other.
fn covered_rows(sequences: &[Range<usize>]) -> usize {
    let mut next = 0;
    for rows in sequences {
        assert!(rows.start == next && rows.end >= next, "sequences follow one another");
        next = rows.end;
    }
    next
}

/// Buffers of a thread, reused from task to task.
#[derive(Default)]
struct Scratch {
    keys: Vec<f32>,     // [head_dim, length]
    values: Vec<f32>,   // [head_dim, length]
    scores: Vec<f32>,   // [block, stride]
    d_scores: Vec<f32>, // [block, stride]
}

/// Scores of a block of queries with every key from the first that one of them sees up to the block's last; rows are
/// padded to whole lanes.
#[derive(Clone, Copy)]
struct Block {
    /// The first query.
    start: usize,
    /// The first key.
    first: usize,
    window: Option<usize>,
    /// Queries, and rows of scores.
    height: usize,
    /// Keys.
    width: usize,
    /// Numbers from one row of scores to the next.
    stride: usize,
}

impl Block {
    /// The blocks of a sequence.
    fn cover(length: usize, window: Option<usize>) -> impl Iterator<Item = Self> {
        (0..length).step_by(QUERY_BLOCK).map(move |start| {
            let (first, end) = (first_seen(start, window), (start + QUERY_BLOCK).min(length));
            let width = end - first;
            Self { start, first, window, height: end - start, width, stride: width.next_multiple_of(LANES) }
        })
    }

    fn queries(self) -> Range<usize> {
        self.start..self.start + self.height
    }

    fn keys(self) -> Range<usize> {
        self.first..self.first + self.width
    }

    /// The columns that a row's query sees.
    fn seen(self, row: usize) -> Range<usize> {
        let query = self.start + row;
        first_seen(query, self.window) - self.first..query + 1 - self.first
    }

    /// Makes room for the block's rows.
    fn fit(self, buffer: &mut Vec<f32>) {
        buffer.resize(self.height * self.stride, 0.0);
    }

    /// The rows without their padding.
    fn view(self, rows: &[f32]) -> MatrixRef<'_> {
        MatrixRef::new(rows, self.height, self.stride).column_range(0..self.width)
    }

    /// Writes a product to the rows, leaving their padding as it is.
    fn multiply(self, rows: &mut [f32], scale: f32, left: MatrixRef<'_>, right: MatrixRef<'_>) {
        let (mut rows, _) = MatrixMut::new(rows, self.height, self.stride).split_columns(self.width);
        multiply(&mut rows, Store::Overwrite, scale, left, right);
    }
}

fn attend(
    mut task: ForwardTask<'_>,
    qkv: MatrixRef<'_>,
    shape: HeadShape,
    window: Option<usize>,
    scratch: &mut Scratch,
) {
    let rows = qkv.row_range(task.rows.clone());
    let length = task.rows.len();
    let Scratch { keys, scores, .. } = scratch;
    let [_, key, value] = shape.inputs(rows, task.key_head * shape.group());
    transpose(keys, key);
    let keys = MatrixRef::new(keys, shape.head_dim, length); // [head_dim, length]
    for member in 0..shape.group() {
        let [query, _, _] = shape.inputs(rows, task.key_head * shape.group() + member);
        for block in Block::cover(length, window) {
            block.fit(scores);
            let (queries, past) = (query.row_range(block.queries()), keys.column_range(block.keys()));
            block.multiply(scores, shape.scale, queries, past);
            let mut sums = [0.0; QUERY_BLOCK];
            causal_softmax(scores, block, &mut sums[..block.height]);
            for (row, sum) in block.queries().zip(sums) {
                task.log_sums.row(row)[member] = sum;
            }
            let mut output = task.output.window(block.queries(), shape.columns(member));
            multiply(&mut output, Store::Overwrite, 1.0, block.view(scores), value.row_range(block.keys()));
        }
    }
}

vectorized! {
    /// Turns scores into weights, each row over what its query sees.
    fn causal_softmax(scores: &mut [f32], block: Block, log_sums: &mut [f32]) {
        for (index, (row, log_sum)) in scores.chunks_exact_mut(block.stride).zip(log_sums).enumerate() {
            let seen = block.seen(index);
            // Whole lanes: what is not seen vanishes in the sums, and is cleared after.
            let (past, future) = row.split_at_mut(seen.end.next_multiple_of(LANES));
            past[..seen.start].fill(f32::NEG_INFINITY);
            past[seen.end..].fill(f32::NEG_INFINITY);
            let top = maximum(past);
            exponentiate(past, 1.0, top);
            let sum = sum(past);
            *log_sum = top + sum.ln();
            let inverse = 1.0 / sum;
            for chunk in past.as_chunks_mut::<LANES>().0 {
                for weight in chunk {
                    *weight *= inverse;
                }
            }
            past[..seen.start].fill(0.0);
            past[seen.end..].fill(0.0);
            future.fill(0.0);
        }
    }
}

/// One key head of one sequence in the backward.
struct BackwardTask<'a> {
    rows: Range<usize>,
    key_head: usize,
    d_query: MatrixMut<'a>, // [length, group * head_dim]
    d_key: MatrixMut<'a>,   // [length, head_dim]
    d_value: MatrixMut<'a>, // [length, head_dim]
}

/// What the forward took and gave.
#[derive(Clone, Copy)]
pub(crate) struct ForwardRecord<'a> {
    pub(crate) qkv: &'a [f32],      // [rows, row_width]
    pub(crate) output: &'a [f32],   // [rows, num_query * head_dim]
    pub(crate) log_sums: &'a [f32], // [rows, num_query]
}

/// The gradient of the packed queries, keys and values.
pub(crate) fn backward(
    d_qkv: &mut [f32], // [rows, row_width], overwritten
    d_output: &[f32],  // [rows, num_query * head_dim]
    record: ForwardRecord<'_>,
    sequences: &[Range<usize>],
    shape: HeadShape,
    window: Option<usize>,
) {
    let rows = covered_rows(sequences);
    let views = Views {
        qkv: MatrixRef::new(record.qkv, rows, shape.row_width()),
        output: MatrixRef::new(record.output, rows, shape.query_width()),
        log_sums: MatrixRef::new(record.log_sums, rows, shape.num_query),
        d_output: MatrixRef::new(d_output, rows, shape.query_width()),
    };
    let mut rest = MatrixMut::new(d_qkv, rows, shape.row_width());
    let mut tasks = Vec::with_capacity(sequences.len() * shape.num_key);
    for rows in sequences {
        let (here, below) = rest.split_rows(rows.len());
        rest = below;
        let (query, key_value) = here.split_columns(shape.query_width());
        let (key, value) = key_value.split_columns(shape.num_key * shape.head_dim);
        let keys = key.into_column_pieces(shape.head_dim).into_iter().zip(value.into_column_pieces(shape.head_dim));
        let pieces = query.into_column_pieces(shape.group() * shape.head_dim).into_iter().zip(keys);
        tasks.extend(pieces.enumerate().map(|(key_head, (d_query, (d_key, d_value)))| BackwardTask {
            rows: rows.clone(),
            key_head,
            d_query,
            d_key,
            d_value,
        }));
    }
    tasks
        .into_par_iter()
        .for_each_init(Scratch::default, |scratch, task| propagate(task, &views, shape, window, scratch));
}

/// The forward's record and the output's gradient as matrices over all rows.
struct Views<'a> {
    qkv: MatrixRef<'a>,
    output: MatrixRef<'a>,
    log_sums: MatrixRef<'a>,
    d_output: MatrixRef<'a>,
}

fn propagate(
    mut task: BackwardTask<'_>,
    views: &Views<'_>,
    shape: HeadShape,
    window: Option<usize>,
    scratch: &mut Scratch,
) {
    let Scratch { keys, values, scores: weights, d_scores } = scratch;
    let length = task.rows.len();
    let rows = views.qkv.row_range(task.rows.clone());
    let [_, key, value] = shape.inputs(rows, task.key_head * shape.group());
    transpose(keys, key);
    transpose(values, value);
    let keys = MatrixRef::new(keys, shape.head_dim, length); // [head_dim, length]
    let values = MatrixRef::new(values, shape.head_dim, length); // [head_dim, length]
    task.d_key.fill(0.0);
    task.d_value.fill(0.0);
    for member in 0..shape.group() {
        let head = task.key_head * shape.group() + member;
        let [query, _, _] = shape.inputs(rows, head);
        let columns = shape.columns(head);
        let output = views.output.row_range(task.rows.clone()).column_range(columns.clone());
        let d_output = views.d_output.row_range(task.rows.clone()).column_range(columns);
        for block in Block::cover(length, window) {
            block.fit(weights);
            block.fit(d_scores);
            let (queries, d_block) = (query.row_range(block.queries()), d_output.row_range(block.queries()));
            block.multiply(weights, shape.scale, queries, keys.column_range(block.keys()));
            // The gradient of the weights, before that of the softmax.
            block.multiply(d_scores, 1.0, d_block, values.column_range(block.keys()));
            let (mut sums, mut along) = ([0.0; QUERY_BLOCK], [0.0; QUERY_BLOCK]);
            for (index, row) in block.queries().enumerate() {
                sums[index] = views.log_sums.row(task.rows.start + row)[head];
                along[index] = row_dot(output.row(row), d_output.row(row));
            }
            score_gradient(weights, d_scores, block, &sums, &along);
            let (weights, d_scores) = (block.view(weights), block.view(d_scores));
            let past = block.keys();
            let mut d_query = task.d_query.window(block.queries(), shape.columns(member));
            multiply(&mut d_query, Store::Overwrite, shape.scale, d_scores, key.row_range(past.clone()));
            let mut d_key = task.d_key.window(past.clone(), 0..shape.head_dim);
            multiply(&mut d_key, Store::Accumulate, shape.scale, d_scores.transposed(), queries);
            let mut d_value = task.d_value.window(past, 0..shape.head_dim);
            multiply(&mut d_value, Store::Accumulate, 1.0, weights.transposed(), d_block);
        }
    }
}

vectorized! {
    fn row_dot(a: &[f32], b: &[f32]) -> f32 {
        dot(a, b)
    }
}

vectorized! {
    /// Turns scores into weights by the kept denominators, and the weights' gradient into that of the scores.
    ///
    /// `along` is the inner product of each row's output with its gradient, which equals that of the weights with theirs.
    fn score_gradient(
        scores: &mut [f32],
        d_weights: &mut [f32],
        block: Block,
        log_sums: &[f32],
        along: &[f32],
    ) {
        let rows = scores.chunks_exact_mut(block.stride).zip(d_weights.chunks_exact_mut(block.stride));
        for (index, ((row, d_row), (log_sum, along))) in rows.zip(log_sums.iter().zip(along)).enumerate() {
            let seen = block.seen(index);
            // By value: behind references the compiler must assume that the stores change them.
            let (log_sum, along) = (*log_sum, *along);
            let chunks = row.as_chunks_mut::<LANES>().0[..seen.end.div_ceil(LANES)].iter_mut();
            for (chunk, d_chunk) in chunks.zip(d_row.as_chunks_mut::<LANES>().0) {
                let (mut weights, mut d_scores) = (*chunk, *d_chunk);
                for lane in 0..LANES {
                    weights[lane] = exp(weights[lane] - log_sum);
                    d_scores[lane] = weights[lane] * (d_scores[lane] - along);
                }
                (*chunk, *d_chunk) = (weights, d_scores);
            }
            for row in [row, d_row] {
                row[..seen.start].fill(0.0);
                row[seen.end..].fill(0.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Noise, assert_gradient};

    const SHAPE: HeadShape = HeadShape { num_query: 4, num_key: 2, head_dim: 6, scale: 0.37 };
    /// None, one within a block, one across blocks.
    const WINDOWS: [Option<usize>; 3] = [None, Some(3), Some(QUERY_BLOCK + 5)];

    fn run(qkv: &[f32], sequences: &[Range<usize>], window: Option<usize>) -> (Vec<f32>, Vec<f32>) {
        let rows = covered_rows(sequences);
        let (mut output, mut sums) = (vec![f32::NAN; rows * SHAPE.query_width()], vec![f32::NAN; rows * 4]);
        forward(&mut output, &mut sums, qkv, sequences, SHAPE, window);
        (output, sums)
    }

    #[test]
    fn forward_matches_the_definition_in_double_precision() {
        // The second sequence crosses block boundaries.
        let sequences = [0..5, 5..5 + 2 * QUERY_BLOCK + 9, 5 + 2 * QUERY_BLOCK + 9..5 + 2 * QUERY_BLOCK + 10];
        let rows = covered_rows(&sequences);
        let qkv = Noise::new(8).vector(rows * SHAPE.row_width());
        let at = |row: usize, head: usize, i: usize| f64::from(qkv[row * SHAPE.row_width() + head * 6 + i]);
        for window in WINDOWS {
            let (output, _) = run(&qkv, &sequences, window);
            for (sequence, row) in
                sequences.iter().flat_map(|sequence| sequence.clone().map(move |row| (sequence, row)))
            {
                let first =
                    window.map_or(sequence.start, |window| sequence.start.max((row + 1).saturating_sub(window)));
                for head in 0..4 {
                    let (key_head, value_head) = (4 + head / 2, 6 + head / 2);
                    let score =
                        |past: usize| 0.37 * (0..6).map(|i| at(row, head, i) * at(past, key_head, i)).sum::<f64>();
                    let sum: f64 = (first..=row).map(|past| score(past).exp()).sum();
                    for i in 0..6 {
                        let weight = |past: usize| score(past).exp() / sum;
                        let wanted: f64 = (first..=row).map(|past| weight(past) * at(past, value_head, i)).sum();
                        let got = f64::from(output[row * 24 + head * 6 + i]);
                        assert!((got - wanted).abs() < 2e-6, "{window:?}, row {row} head {head}: {got} {wanted}");
                    }
                }
            }
        }
    }

    #[test]
    fn backward_matches_finite_differences() {
        let sequences = [0..3, 3..2 * QUERY_BLOCK + 10];
        let rows = covered_rows(&sequences);
        let mut noise = Noise::new(9);
        let qkv: Vec<f32> = noise.vector(rows * SHAPE.row_width()).iter().map(|x| 1.5 * x).collect();
        let upstream = noise.vector(rows * SHAPE.query_width());
        for window in WINDOWS {
            let (output, sums) = run(&qkv, &sequences, window);
            let mut gradient = vec![f32::NAN; qkv.len()];
            let record = ForwardRecord { qkv: &qkv, output: &output, log_sums: &sums };
            backward(&mut gradient, &upstream, record, &sequences, SHAPE, window);
            assert_gradient("qkv", &qkv, &gradient, |qkv| {
                run(qkv, &sequences, window).0.iter().zip(&upstream).map(|(a, b)| f64::from(a * b)).sum()
            });
        }
    }
}
