//! Transposition. The matrix engine packs strided operands slowly; copies that are used more than once are made here.

use rayon::prelude::*;

use super::matrix::MatrixRef;
use super::simd::vectorized;

/// Side of the square that is turned at a time.
const TILE: usize = 16;

/// Writes the transpose of a matrix with contiguous rows: row `i` of the result is column `i` of the source.
pub(crate) fn transpose(result: &mut Vec<f32>, source: MatrixRef<'_>) {
    let (rows, columns) = (source.num_rows(), source.num_columns());
    result.resize(rows * columns, 0.0);
    for (strip, result) in result.chunks_mut((TILE * rows).max(1)).enumerate() {
        transpose_strip(result, source, strip * TILE);
    }
}

/// [`transpose`] on all threads.
pub(crate) fn transpose_parallel(result: &mut Vec<f32>, source: MatrixRef<'_>) {
    let (rows, columns) = (source.num_rows(), source.num_columns());
    result.resize(rows * columns, 0.0);
    result.par_chunks_mut((TILE * rows).max(1)).enumerate().for_each(|(strip, result)| {
        transpose_strip(result, source, strip * TILE);
    });
}

vectorized! {
    /// Transposes up to a tile's width of columns from `start` on.
    fn transpose_strip(
        result: &mut [f32],  // [columns of the strip, rows]
        source: MatrixRef<'_>,
        start: usize,
    ) {
        let rows = source.num_rows();
        let width = result.len() / rows;
        let mut row = 0;
        while width == TILE && row + TILE <= rows {
            let mut tile = [[0.0; TILE]; TILE];
            for (offset, line) in tile.iter_mut().enumerate() {
                line.copy_from_slice(&source.row(row + offset)[start..start + TILE]);
            }
            for (column, result) in result.chunks_exact_mut(rows).enumerate() {
                for (value, line) in result[row..row + TILE].iter_mut().zip(&tile) {
                    *value = line[column];
                }
            }
            row += TILE;
        }
        for row in row..rows {
            for (column, &value) in source.row(row)[start..start + width].iter().enumerate() {
                result[column * rows + row] = value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Noise;

    #[test]
    fn every_element_finds_its_place() {
        for (rows, columns) in [(37, 21), (16, 16), (1, 40), (50, 3), (48, 64), (0, 5)] {
            let numbers = Noise::new(13).vector(rows * columns);
            let source = MatrixRef::new(&numbers, rows, columns);
            let (mut result, mut parallel) = (vec![9.0; 7], Vec::new());
            transpose(&mut result, source);
            transpose_parallel(&mut parallel, source);
            assert_eq!(result, parallel);
            assert_eq!(result.len(), numbers.len());
            for row in 0..rows {
                for column in 0..columns {
                    assert_eq!(result[column * rows + row], numbers[row * columns + column]);
                }
            }
        }
    }
}
