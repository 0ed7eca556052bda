//! Normalisation of each head of queries and keys, before they are rotated (`q_norm` and `k_norm` of Qwen3 and Gemma 3).
//!
//! Formula per head as in [`super::norm`]; all query heads share one weight, all key heads another. A row is
//! `[queries | keys | values]`; values stay as they are.

use super::attention::HeadShape;
use super::blocks::UNIT;
use super::norm::Norm;
use super::simd::{dot, vectorized};

vectorized! {
    /// Normalises the heads of rows in place; keeps what they were and the inverse root per head for the backward.
    pub(crate) fn forward(
        rows: &mut [f32],        // [rows, row_width]
        raw: &mut [f32],         // [rows, (num_query + num_key) * head_dim], overwritten
        inverse: &mut [f32],     // [rows, num_query + num_key], overwritten
        norm: Norm<'_>,          // weight: [2, head_dim], of queries and of keys
        shape: HeadShape,
    ) {
        let (heads, width) = (shape.num_query + shape.num_key, shape.head_dim);
        let (query_weight, key_weight) = norm.weight.split_at(width);
        let count = rows.len() / shape.row_width();
        assert_eq!(key_weight.len(), width, "two weights of {width}");
        assert_eq!(rows.len(), count * shape.row_width(), "whole rows of {}", shape.row_width());
        assert!(raw.len() == count * heads * width && inverse.len() == count * heads, "records of {count} rows");
        let records = raw.chunks_exact_mut(heads * width).zip(inverse.chunks_exact_mut(heads));
        for (row, (raw, inverse)) in rows.chunks_exact_mut(shape.row_width()).zip(records) {
            raw.copy_from_slice(&row[..heads * width]);
            let heads = row.chunks_exact_mut(width).zip(raw.chunks_exact(width)).zip(inverse);
            for (index, ((y, x), inverse)) in heads.enumerate() {
                let weight = if index < shape.num_query { query_weight } else { key_weight };
                let scale = 1.0 / (dot(x, x) / width as f32 + norm.eps).sqrt();
                *inverse = scale;
                for ((y, x), w) in y.iter_mut().zip(x).zip(weight) {
                    *y = x * scale * (w + norm.offset);
                }
            }
        }
    }
}

vectorized! {
    /// Replaces the gradient of normalised heads by that of the raw ones, and sums the weights' gradient per unit of
    /// rows, unless there is no room for it.
    pub(crate) fn backward(
        d_rows: &mut [f32],      // [rows, row_width]
        d_weight: &mut [f32],    // [units, 2, head_dim] or empty, overwritten
        raw: &[f32],             // [rows, (num_query + num_key) * head_dim]
        inverse: &[f32],         // [rows, num_query + num_key]
        norm: Norm<'_>,          // weight: [2, head_dim]
        shape: HeadShape,
    ) {
        let (heads, width) = (shape.num_query + shape.num_key, shape.head_dim);
        let (query_weight, key_weight) = norm.weight.split_at(width);
        let count = d_rows.len() / shape.row_width();
        assert_eq!(d_rows.len(), count * shape.row_width(), "whole rows of {}", shape.row_width());
        assert!(raw.len() == count * heads * width && inverse.len() == count * heads, "records of {count} rows");
        let frozen = d_weight.is_empty();
        assert!(frozen || d_weight.len() == count.div_ceil(UNIT) * 2 * width, "two weights per unit");
        d_weight.fill(0.0);
        let records = raw.chunks_exact(heads * width).zip(inverse.chunks_exact(heads));
        for (row, (d_row, (raw, inverse))) in d_rows.chunks_exact_mut(shape.row_width()).zip(records).enumerate() {
            let d_weight = if frozen { &mut [] } else { &mut d_weight[row / UNIT * 2 * width..][..2 * width] };
            let (d_query_weight, d_key_weight) = d_weight.split_at_mut(d_weight.len() / 2);
            for (index, ((d, x), &scale)) in
                d_row.chunks_exact_mut(width).zip(raw.chunks_exact(width)).zip(inverse).enumerate()
            {
                let (weight, dw) = if index < shape.num_query {
                    (query_weight, &mut *d_query_weight)
                } else {
                    (key_weight, &mut *d_key_weight)
                };
                for ((dw, d), x) in dw.iter_mut().zip(d.iter()).zip(x) {
                    *dw += *d * x * scale;
                }
                for (d, w) in d.iter_mut().zip(weight) {
                    *d *= w + norm.offset;
                }
                let along = dot(d, x) * scale * scale * scale / width as f32;
                for (d, x) in d.iter_mut().zip(x) {
                    *d = *d * scale - x * along;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::blocks::add_units;
    use crate::kernels::norm;
    use crate::testing::{Noise, assert_gradient};

    const SHAPE: HeadShape = HeadShape { num_query: 3, num_key: 1, head_dim: 10, scale: 1.0 };
    const ROWS: usize = 18;

    fn run(rows: &[f32], weight: &[f32], offset: f32) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let (mut rows, mut raw, mut inverse) = (rows.to_vec(), vec![f32::NAN; ROWS * 40], vec![f32::NAN; ROWS * 4]);
        forward(&mut rows, &mut raw, &mut inverse, Norm { weight, offset, eps: 1e-6 }, SHAPE);
        (rows, raw, inverse)
    }

    #[test]
    fn each_head_is_normalised_with_its_weight_and_values_stay() {
        let mut noise = Noise::new(20);
        let (rows, weight) = (noise.vector(ROWS * SHAPE.row_width()), noise.vector(20));
        let (got, raw, _) = run(&rows, &weight, 1.0);
        for (row, (got, before)) in got.chunks_exact(50).zip(rows.chunks_exact(50)).enumerate() {
            assert_eq!(raw[row * 40..][..40], before[..40]);
            assert_eq!(got[40..], before[40..]);
            for head in 0..4 {
                let weight = if head < 3 { &weight[..10] } else { &weight[10..] };
                let (mut wanted, mut inverse) = ([0.0; 10], [0.0]);
                let norm = Norm { weight, offset: 1.0, eps: 1e-6 };
                norm::forward(&mut wanted, &mut inverse, &before[head * 10..][..10], norm);
                assert_eq!(got[head * 10..][..10], wanted);
            }
        }
    }

    #[test]
    fn backward_matches_finite_differences() {
        let mut noise = Noise::new(21);
        let (rows, weight) = (noise.vector(ROWS * SHAPE.row_width()), noise.vector(20));
        let upstream = noise.vector(rows.len());
        for offset in [0.0, 1.0] {
            let loss = |rows: &[f32], weight: &[f32]| {
                run(rows, weight, offset).0.iter().zip(&upstream).map(|(a, b)| f64::from(a * b)).sum::<f64>()
            };
            let (_, raw, inverse) = run(&rows, &weight, offset);
            let (mut d_rows, mut units, mut d_weight) = (upstream.clone(), vec![f32::NAN; 2 * 20], vec![0.0; 20]);
            backward(&mut d_rows, &mut units, &raw, &inverse, Norm { weight: &weight, offset, eps: 1e-6 }, SHAPE);
            add_units(&mut d_weight, &units);
            assert_gradient("rows", &rows, &d_rows, |rows| loss(rows, &weight));
            assert_gradient("weights", &weight, &d_weight, |weight| loss(&rows, weight));
        }
    }
}
