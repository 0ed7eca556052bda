//! Low-rank additions to products: `y = x W + s (x A') B'`, with `A` of `[rank, inputs]` and `B` of `[outputs, rank]`
//! (Hu et al. 2021, arXiv 2106.09685, equation 3; rows are multiplied from the left here).
//!
//! With `u = s x A'`, which is kept, and `v = s dy B`: `dB = dy' u`, `dA = v' x`, and `dx` gains `v A`. Nothing has the
//! size of `W`. Products that share an input share their reductions: these lie one below the other, as one matrix, and
//! each expansion writes to its own columns of the output.

use std::ops::Range;

use rayon::prelude::*;

use super::matrix::{MatrixMut, MatrixRef, Store, multiply, multiply_row_views};
use super::transpose::transpose;

/// Rows of a matrix that are merged at a time.
const MERGED_ROWS: usize = 64;

/// The additions to one product.
pub(crate) struct LowRank<'a> {
    pub(crate) reduce: MatrixRef<'a>, // [ranks, inputs]
    /// Columns of the output, and what adds to them.
    pub(crate) expand: Vec<(Range<usize>, MatrixRef<'a>)>, // [outputs, rank]
    pub(crate) scale: f32,
    /// Copies with the other side outermost, which the forward multiplies with.
    turned: Turned,
}

struct Turned {
    reduce: Vec<f32>,      // [inputs, ranks]
    expand: Vec<Vec<f32>>, // [rank, outputs]
}

impl<'a> LowRank<'a> {
    /// Additions to a product.
    pub(crate) fn new(reduce: MatrixRef<'a>, expand: Vec<(Range<usize>, MatrixRef<'a>)>, scale: f32) -> Self {
        let turn = |matrix| {
            let mut turned = Vec::new();
            transpose(&mut turned, matrix);
            turned
        };
        let turned = Turned {
            reduce: if expand.is_empty() { Vec::new() } else { turn(reduce) },
            expand: expand.iter().map(|(_, matrix)| turn(*matrix)).collect(),
        };
        Self { reduce, expand, scale, turned }
    }

    /// Numbers per row between reductions and expansions.
    pub(crate) fn num_ranks(&self) -> usize {
        self.reduce.num_rows()
    }

    /// Each expansion, with its columns of the reduced rows.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (Range<usize>, &Range<usize>, MatrixRef<'_>)> {
        let mut end = 0;
        self.expand.iter().map(move |(columns, expand)| {
            let start = end;
            end += expand.num_columns();
            (start..end, columns, *expand)
        })
    }
}

/// Adds to the rows of a product.
pub(crate) fn forward(
    output: &mut [f32],  // [rows, outputs]
    reduced: &mut [f32], // [rows, ranks], overwritten: scaled
    input: &[f32],       // [rows, inputs]
    low_rank: &LowRank<'_>,
) {
    let ranks = low_rank.num_ranks();
    if ranks == 0 {
        return;
    }
    reduce(reduced, input, low_rank);
    let rows = reduced.len() / ranks;
    let reduced = MatrixRef::new(reduced, rows, ranks);
    let outputs = output.len() / rows;
    let mut output = MatrixMut::new(output, rows, outputs);
    for ((ranks, columns, _), expand) in low_rank.parts().zip(&low_rank.turned.expand) {
        let destination = output.window(0..rows, columns.clone());
        let expand = MatrixRef::new(expand, ranks.len(), columns.len());
        multiply_row_views(destination, Store::Accumulate, 1.0, reduced.column_range(ranks), expand);
    }
}

/// The first half of [`forward`]: what it keeps.
pub(crate) fn reduce(
    reduced: &mut [f32], // [rows, ranks], overwritten: scaled
    input: &[f32],       // [rows, inputs]
    low_rank: &LowRank<'_>,
) {
    let (inputs, ranks) = (low_rank.reduce.num_columns(), low_rank.num_ranks());
    if ranks == 0 {
        return;
    }
    let rows = reduced.len() / ranks;
    multiply_row_views(
        MatrixMut::new(reduced, rows, ranks),
        Store::Overwrite,
        low_rank.scale,
        MatrixRef::new(input, rows, inputs),
        MatrixRef::new(&low_rank.turned.reduce, inputs, ranks),
    );
}

/// Takes the gradient of a product's rows to that of the reduced rows, and adds what reaches the input, if that matters.
pub(crate) fn backward(
    d_input: Option<&mut [f32]>, // [rows, inputs], added to
    d_reduced: &mut [f32],       // [rows, ranks], overwritten: scaled
    d_output: &[f32],            // [rows, outputs]
    low_rank: &LowRank<'_>,
) {
    let (inputs, ranks) = (low_rank.reduce.num_columns(), low_rank.num_ranks());
    if ranks == 0 {
        return;
    }
    let rows = d_reduced.len() / ranks;
    let d_output = MatrixRef::new(d_output, rows, d_output.len() / rows);
    let mut reduced = MatrixMut::new(d_reduced, rows, ranks);
    for (ranks, columns, expand) in low_rank.parts() {
        let destination = reduced.window(0..rows, ranks);
        let d_output = d_output.column_range(columns.clone());
        multiply_row_views(destination, Store::Overwrite, low_rank.scale, d_output, expand);
    }
    if let Some(d_input) = d_input {
        let d_reduced = MatrixRef::new(d_reduced, rows, ranks);
        let destination = MatrixMut::new(d_input, rows, inputs);
        multiply_row_views(destination, Store::Accumulate, 1.0, d_reduced, low_rank.reduce);
    }
}

/// Adds the whole products to matrices that lie one below the other, outputs outermost.
pub(crate) fn merge(weight: &mut [f32], low_rank: &LowRank<'_>) {
    let inputs = low_rank.reduce.num_columns();
    for (ranks, columns, expand) in low_rank.parts() {
        let reduce = low_rank.reduce.row_range(ranks);
        weight[columns.start * inputs..columns.end * inputs].par_chunks_mut(MERGED_ROWS * inputs).enumerate().for_each(
            |(piece, weight)| {
                let rows = weight.len() / inputs;
                let mut weight = MatrixMut::new(weight, rows, inputs);
                let start = piece * MERGED_ROWS;
                multiply(&mut weight, Store::Accumulate, low_rank.scale, expand.row_range(start..start + rows), reduce);
            },
        );
    }
}

/// Adds the whole products to matrices that lie side by side, inputs outermost.
pub(crate) fn merge_transposed(weight: &mut [f32], low_rank: &LowRank<'_>) {
    let outputs = weight.len() / low_rank.reduce.num_columns();
    weight.par_chunks_mut(MERGED_ROWS * outputs).enumerate().for_each(|(piece, weight)| {
        let rows = weight.len() / outputs;
        let start = piece * MERGED_ROWS;
        let mut weight = MatrixMut::new(weight, rows, outputs);
        for (ranks, columns, expand) in low_rank.parts() {
            let reduce = low_rank.reduce.row_range(ranks).column_range(start..start + rows).transposed();
            let mut weight = weight.window(0..rows, columns.clone());
            multiply(&mut weight, Store::Accumulate, low_rank.scale, reduce, expand.transposed());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Noise, assert_gradient};

    const ROWS: usize = 17;
    const INPUTS: usize = 9;
    const OUTPUTS: usize = 12;
    const RANK: usize = 3;
    /// The middle of the output has no addition.
    const COLUMNS: [Range<usize>; 2] = [0..5, 8..12];
    const SCALE: f32 = 0.7;

    fn low_rank<'a>(reduce: &'a [f32], expand: &'a [f32]) -> LowRank<'a> {
        let (first, second) = expand.split_at(5 * RANK);
        let expand = vec![
            (COLUMNS[0].clone(), MatrixRef::new(first, 5, RANK)),
            (COLUMNS[1].clone(), MatrixRef::new(second, 4, RANK)),
        ];
        LowRank::new(MatrixRef::new(reduce, 2 * RANK, INPUTS), expand, SCALE)
    }

    fn outputs(input: &[f32], reduce: &[f32], expand: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let rows = input.len() / INPUTS;
        let (mut output, mut reduced) = (vec![0.0; rows * OUTPUTS], vec![f32::NAN; rows * 2 * RANK]);
        forward(&mut output, &mut reduced, input, &low_rank(reduce, expand));
        (output, reduced)
    }

    #[test]
    fn forward_is_the_product_that_is_merged() {
        let mut noise = Noise::new(11);
        let [input, reduce, expand] = [ROWS * INPUTS, 2 * RANK * INPUTS, 9 * RANK].map(|count| noise.vector(count));
        let (output, _) = outputs(&input, &reduce, &expand);
        let mut weight = vec![0.0; OUTPUTS * INPUTS];
        merge(&mut weight, &low_rank(&reduce, &expand));
        let mut transposed = vec![0.0; OUTPUTS * INPUTS];
        merge_transposed(&mut transposed, &low_rank(&reduce, &expand));
        for (at, x) in weight.iter().enumerate() {
            assert!((x - transposed[at % INPUTS * OUTPUTS + at / INPUTS]).abs() < 1e-6);
        }
        for (row, x) in output.chunks_exact(OUTPUTS).zip(input.chunks_exact(INPUTS)) {
            for (y, w) in row.iter().zip(weight.chunks_exact(INPUTS)) {
                let wanted: f64 = x.iter().zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
                assert!((f64::from(*y) - wanted).abs() < 2e-6, "{y} against {wanted}");
            }
            assert_eq!(row[5..8], [0.0; 3]);
        }
    }

    #[test]
    fn a_row_does_not_depend_on_the_rows_beside_it() {
        let mut noise = Noise::new(12);
        let [input, reduce, expand] = [ROWS * INPUTS, 2 * RANK * INPUTS, 9 * RANK].map(|count| noise.vector(count));
        let (all, _) = outputs(&input, &reduce, &expand);
        for rows in [0..1, 4..6, 5..16] {
            let (some, _) = outputs(&input[rows.start * INPUTS..rows.end * INPUTS], &reduce, &expand);
            assert_eq!(some, all[rows.start * OUTPUTS..rows.end * OUTPUTS]);
        }
    }

    #[test]
    fn backward_matches_finite_differences() {
        let mut noise = Noise::new(13);
        let [input, reduce, expand, d_output] =
            [ROWS * INPUTS, 2 * RANK * INPUTS, 9 * RANK, ROWS * OUTPUTS].map(|count| noise.vector(count));
        let loss = |input: &[f32], reduce: &[f32], expand: &[f32]| -> f64 {
            let (output, _) = outputs(input, reduce, expand);
            output.iter().zip(&d_output).map(|(y, d)| f64::from(*y) * f64::from(*d)).sum()
        };
        let (_, reduced) = outputs(&input, &reduce, &expand);
        let (mut d_input, mut d_reduced) = (vec![0.0; input.len()], vec![f32::NAN; reduced.len()]);
        backward(Some(&mut d_input), &mut d_reduced, &d_output, &low_rank(&reduce, &expand));
        assert_gradient("input", &input, &d_input, |input| loss(input, &reduce, &expand));
        // The gradients of both matrices, by their definition.
        let mut d_reduce = vec![0.0; reduce.len()];
        let mut d_expand = vec![0.0; expand.len()];
        for row in 0..ROWS {
            for at in 0..2 * RANK {
                for i in 0..INPUTS {
                    d_reduce[at * INPUTS + i] += d_reduced[row * 2 * RANK + at] * input[row * INPUTS + i];
                }
            }
            for (number, column) in COLUMNS.into_iter().flatten().enumerate() {
                let part = usize::from(column >= 8) * RANK;
                for at in 0..RANK {
                    d_expand[number * RANK + at] +=
                        d_output[row * OUTPUTS + column] * reduced[row * 2 * RANK + part + at];
                }
            }
        }
        assert_gradient("reduce", &reduce, &d_reduce, |reduce| loss(&input, reduce, &expand));
        assert_gradient("expand", &expand, &d_expand, |expand| loss(&input, &reduce, expand));
    }
}
