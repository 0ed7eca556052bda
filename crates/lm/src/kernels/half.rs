//! Products of single-precision rows with matrices that are kept in bfloat16: half the bytes to read for each token that is
//! decoded, which is what decoding few rows waits for.
//!
//! A matrix is cut into panels of [`STRIP`] columns, each contiguous, so that memory is read in order. Numbers are widened in
//! registers, where they are exact: a product is that of the rounded matrix in single precision. Every row is summed in the
//! same order, whichever rows are beside it and whichever thread computes it.

use std::ops::Range;

use half::bf16;
use rayon::prelude::*;

use super::matrix::{MatrixMut, MatrixRef, Store};
use super::strips::{STRIP, Strip, multiply_strip};

/// Tasks per thread, so that one that is held up leaves work to others.
const TASKS_PER_THREAD: usize = 2;

/// A matrix in bfloat16.
#[derive(Default)]
pub(crate) struct HalfMatrix {
    rows: usize,
    columns: usize,
    /// The last panel is filled up with zeros.
    numbers: Vec<u16>, // [panels, rows, STRIP]
}

impl HalfMatrix {
    /// Rounds a matrix to the nearest numbers.
    pub(crate) fn rounded(matrix: MatrixRef<'_>) -> Self {
        let (rows, columns) = (matrix.num_rows(), matrix.num_columns());
        let mut numbers = vec![0; columns.div_ceil(STRIP) * rows * STRIP];
        numbers.par_chunks_exact_mut(rows * STRIP).enumerate().for_each(|(panel, numbers)| {
            let range = panel * STRIP..((panel + 1) * STRIP).min(columns);
            for (row, numbers) in numbers.chunks_exact_mut(STRIP).enumerate() {
                for (number, x) in numbers.iter_mut().zip(&matrix.row(row)[range.clone()]) {
                    *number = bf16::from_f32(*x).to_bits();
                }
            }
        });
        Self { rows, columns, numbers }
    }

    pub(crate) fn num_columns(&self) -> usize {
        self.columns
    }

    pub(crate) fn num_panels(&self) -> usize {
        self.columns.div_ceil(STRIP)
    }

    fn panel(&self, panel: usize) -> Strip<'_, u16> {
        let numbers = &self.numbers[panel * self.rows * STRIP..][..self.rows * STRIP];
        Strip { numbers, rows: self.rows, stride: STRIP }
    }
}

/// `output (+)= input * weight`, for some panels of the weight; the output has their columns only.
pub(crate) fn multiply_panels(
    mut output: MatrixMut<'_>,
    store: Store,
    input: &[f32], // [rows, weight rows]
    weight: &HalfMatrix,
    panels: Range<usize>,
) {
    assert!(panels.end <= weight.num_panels(), "panels {panels:?} of {}", weight.num_panels());
    for (at, panel) in panels.enumerate() {
        let columns = at * STRIP..at * STRIP + STRIP.min(weight.columns - panel * STRIP);
        multiply_strip(&mut output, &columns, store, input, weight.panel(panel));
    }
}

/// The product with all panels, by all threads.
pub(crate) fn multiply_panels_divided(output: &mut [f32], store: Store, input: &[f32], weight: &HalfMatrix) {
    let panels = weight.num_panels();
    let tasks = (TASKS_PER_THREAD * rayon::current_num_threads()).min(panels);
    let mut rest = MatrixMut::new(output, output.len() / weight.columns, weight.columns);
    let mut pieces = Vec::with_capacity(tasks);
    for task in 0..tasks {
        let range = task * panels / tasks..(task + 1) * panels / tasks;
        let columns = (range.end * STRIP).min(weight.columns) - range.start * STRIP;
        let (piece, remaining) = rest.split_columns(columns);
        rest = remaining;
        pieces.push((piece, range));
    }
    pieces
        .into_par_iter()
        .with_max_len(1)
        .for_each(|(piece, range)| multiply_panels(piece, store, input, weight, range));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::matrix::multiply_rows;

    fn noise(count: usize, salt: usize) -> Vec<f32> {
        (0..count).map(|i| (((i + salt) * 104_729 % 1009) as f32 - 500.0) / 333.0).collect()
    }

    fn product(rows: usize, store: Store, input: &[f32], weight: &HalfMatrix, start: &[f32]) -> Vec<f32> {
        let mut output = start.to_vec();
        let destination = MatrixMut::new(&mut output, rows, weight.num_columns());
        multiply_panels(destination, store, input, weight, 0..weight.num_panels());
        output
    }

    #[test]
    fn a_product_is_that_of_the_rounded_matrix() {
        for (inner, columns) in [(1, 1), (7, 3), (40, 64), (64, 90), (576, 129), (700, 64), (1536, 65)] {
            let weight = noise(inner * columns, 3);
            let rounded: Vec<f32> = weight.iter().map(|x| bf16::from_f32(*x).to_f32()).collect();
            let packed = HalfMatrix::rounded(MatrixRef::new(&weight, inner, columns));
            for rows in [1, 2, 3, 5, 6, 13] {
                let (input, start) = (noise(rows * inner, 9), noise(rows * columns, 20));
                for store in [Store::Overwrite, Store::Accumulate] {
                    let found = product(rows, store, &input, &packed, &start);
                    let mut wanted = start.clone();
                    multiply_rows(&mut wanted, store, &input, MatrixRef::new(&rounded, inner, columns));
                    for (found, wanted) in found.iter().zip(&wanted) {
                        let error = (found - wanted).abs();
                        assert!(error < 2e-6 * inner as f32, "{rows} rows, {inner} x {columns}: {found} {wanted}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_row_does_not_depend_on_the_rows_beside_it() {
        let (inner, columns) = (1100, 150);
        let weight = HalfMatrix::rounded(MatrixRef::new(&noise(inner * columns, 1), inner, columns));
        let (input, start) = (noise(23 * inner, 2), noise(23 * columns, 3));
        for store in [Store::Overwrite, Store::Accumulate] {
            let all = product(23, store, &input, &weight, &start);
            let mut divided = start.clone();
            multiply_panels_divided(&mut divided, store, &input, &weight);
            assert_eq!(divided, all);
            for rows in [0..1, 1..3, 4..7, 5..9, 2..7, 0..6, 3..16] {
                let (input, start) =
                    (&input[rows.start * inner..rows.end * inner], &start[rows.start * columns..rows.end * columns]);
                let wanted = &all[rows.start * columns..rows.end * columns];
                assert_eq!(product(rows.len(), store, input, &weight, start), wanted, "rows {rows:?}");
            }
        }
    }

    #[test]
    fn numbers_are_rounded_to_the_nearest_and_ties_to_even() {
        // 1 + 2^-8 lies between 1 and 1 + 2^-7, 1 + 3 * 2^-8 between 1 + 2^-7 and 1 + 2^-6.
        let numbers = [1.0 + 1.0 / 256.0, 1.0 + 3.0 / 256.0, 1.0 + 1.1 / 256.0, -3.0];
        let weight = HalfMatrix::rounded(MatrixRef::new(&numbers, 1, 4));
        let found = product(1, Store::Overwrite, &[1.0], &weight, &[0.0; 4]);
        assert_eq!(found, [1.0, 1.0 + 1.0 / 64.0, 1.0 + 1.0 / 128.0, -3.0]);
    }
}
