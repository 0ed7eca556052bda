//! Biases: added to rows, and their gradient summed over rows.

use super::blocks::UNIT;
use super::simd::vectorized;

vectorized! {
    /// Adds the bias to every row.
    pub(crate) fn forward(rows: &mut [f32], bias: &[f32]) {
        assert!(rows.len().is_multiple_of(bias.len()), "whole rows of {}", bias.len());
        for row in rows.chunks_exact_mut(bias.len()) {
            for (y, b) in row.iter_mut().zip(bias) {
                *y += b;
            }
        }
    }
}

vectorized! {
    /// Sums the gradient of rows per unit of rows.
    pub(crate) fn backward(
        d_bias: &mut [f32],      // [units, width], overwritten
        d_rows: &[f32],          // [rows, width]
        width: usize,
    ) {
        assert_eq!(d_bias.len(), (d_rows.len() / width).div_ceil(UNIT) * width, "one row of {width} per unit");
        d_bias.fill(0.0);
        for (sums, rows) in d_bias.chunks_exact_mut(width).zip(d_rows.chunks(UNIT * width)) {
            for row in rows.chunks_exact(width) {
                for (sum, d) in sums.iter_mut().zip(row) {
                    *sum += d;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::blocks::add_units;

    #[test]
    fn backward_sums_the_rows() {
        let mut rows = vec![1.0; 3 * 20];
        forward(&mut rows, &[0.0, 1.0, 2.0]);
        assert_eq!(rows[57..], [1.0, 2.0, 3.0]);
        let (mut units, mut total) = (vec![f32::NAN; 6], vec![0.5; 3]);
        backward(&mut units, &rows, 3);
        add_units(&mut total, &units);
        assert_eq!(total, [20.5, 40.5, 60.5]);
    }
}
