//! Root-mean-square normalisation: `y = x * (w + offset) / sqrt(mean(x^2) + eps)` per row.
//!
//! The offset is zero in most families and one in Gemma 3 (`Gemma3RMSNorm` in `transformers`).

use super::blocks::UNIT;
use super::simd::{dot, vectorized};

/// What a norm multiplies with.
#[derive(Clone, Copy)]
pub(crate) struct Norm<'a> {
    pub(crate) weight: &'a [f32], // [width]
    /// Added to every weight.
    pub(crate) offset: f32,
    /// Added to the mean square.
    pub(crate) eps: f32,
}

vectorized! {
    /// Normalises rows; keeps the inverse root per row for the backward.
    pub(crate) fn forward(
        output: &mut [f32],      // [rows, width]
        inverse: &mut [f32],     // [rows]
        input: &[f32],           // [rows, width]
        norm: Norm<'_>,
    ) {
        let Norm { weight, offset, eps } = norm;
        let width = weight.len();
        assert_eq!(input.len(), inverse.len() * width, "input of {} x {width}", inverse.len());
        assert_eq!(output.len(), input.len(), "output of the input's shape");
        for ((output, input), inverse) in output.chunks_exact_mut(width).zip(input.chunks_exact(width)).zip(inverse) {
            let scale = 1.0 / (dot(input, input) / width as f32 + eps).sqrt();
            *inverse = scale;
            for ((y, x), w) in output.iter_mut().zip(input).zip(weight) {
                *y = x * scale * (w + offset);
            }
        }
    }
}

vectorized! {
    /// Adds normalised rows to others; keeps the inverse root per row for the backward.
    pub(crate) fn forward_add(
        sum: &mut [f32],         // [rows, width], added to
        inverse: &mut [f32],     // [rows]
        input: &[f32],           // [rows, width]
        norm: Norm<'_>,
    ) {
        let Norm { weight, offset, eps } = norm;
        let width = weight.len();
        assert_eq!(input.len(), inverse.len() * width, "input of {} x {width}", inverse.len());
        assert_eq!(sum.len(), input.len(), "sums of the input's shape");
        for ((sum, input), inverse) in sum.chunks_exact_mut(width).zip(input.chunks_exact(width)).zip(inverse) {
            let scale = 1.0 / (dot(input, input) / width as f32 + eps).sqrt();
            *inverse = scale;
            for ((sum, x), w) in sum.iter_mut().zip(input).zip(weight) {
                *sum += x * scale * (w + offset);
            }
        }
    }
}

vectorized! {
    /// Adds the input's gradient to a residual gradient, if there is one, and sums the weight's gradient per unit of rows,
    /// unless there is no room for it.
    pub(crate) fn backward(
        d_input: &mut [f32],     // [rows, width], overwritten: d_residual + gradient
        d_residual: Option<&[f32]>, // [rows, width]
        d_weight: &mut [f32],    // [units, width] or empty, overwritten
        d_output: &[f32],        // [rows, width]
        input: &[f32],           // [rows, width]
        inverse: &[f32],         // [rows]
        norm: Norm<'_>,
    ) {
        let Norm { weight, offset, .. } = norm;
        let (rows, width) = (inverse.len(), weight.len());
        assert!(input.len() == rows * width && d_output.len() == input.len(), "inputs of {rows} x {width}");
        assert!(
            d_input.len() == input.len() && d_residual.is_none_or(|residual| residual.len() == input.len()),
            "gradients of {rows} x {width}"
        );
        let frozen = d_weight.is_empty();
        assert!(frozen || d_weight.len() == rows.div_ceil(UNIT) * width, "one row per unit");
        d_weight.fill(0.0);
        for (row, &scale) in inverse.iter().enumerate() {
            let span = row * width..(row + 1) * width;
            let (x, dy) = (&input[span.clone()], &d_output[span.clone()]);
            let dx = &mut d_input[span.clone()];
            let dw = if frozen { &mut [] } else { &mut d_weight[row / UNIT * width..][..width] };
            // dx first holds dy * w, whose product with x is the part of the gradient along x.
            for ((dx, dy), w) in dx.iter_mut().zip(dy).zip(weight) {
                *dx = dy * (w + offset);
            }
            let along = dot(dx, x) * scale * scale * scale / width as f32;
            if let Some(residual) = d_residual {
                for ((dx, x), residual) in dx.iter_mut().zip(x).zip(&residual[span]) {
                    *dx = residual + *dx * scale - x * along;
                }
            } else {
                for (dx, x) in dx.iter_mut().zip(x) {
                    *dx = *dx * scale - x * along;
                }
            }
            for ((dw, dy), x) in dw.iter_mut().zip(dy).zip(x) {
                *dw += dy * x * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::blocks::add_units;
    use crate::testing::{Noise, assert_gradient};

    const ROWS: usize = 19;
    const WIDTH: usize = 21;

    #[test]
    fn forward_matches_the_formula() {
        let (mut y, mut inverse) = ([0.0; 2], [0.0]);
        // The mean square is 12.5.
        let wanted = [3.0 / 12.5f32.sqrt(), 8.0 / 12.5f32.sqrt()];
        for (weight, offset) in [([1.0, 2.0], 0.0), ([0.0, 1.0], 1.0)] {
            let norm = Norm { weight: &weight, offset, eps: 0.0 };
            forward(&mut y, &mut inverse, &[3.0, 4.0], norm);
            assert!((y[0] - wanted[0]).abs() < 1e-6 && (y[1] - wanted[1]).abs() < 1e-6);
            let mut sum = [10.0, 20.0];
            forward_add(&mut sum, &mut inverse, &[3.0, 4.0], norm);
            assert!((sum[0] - 10.0 - wanted[0]).abs() < 1e-5 && (sum[1] - 20.0 - wanted[1]).abs() < 1e-5);
        }
    }

    #[test]
    fn backward_matches_finite_differences() {
        let mut noise = Noise::new(1);
        let (x, w) = (noise.vector(ROWS * WIDTH), noise.vector(WIDTH));
        let (upstream, residual) = (noise.vector(ROWS * WIDTH), noise.vector(ROWS * WIDTH));
        for (offset, with_residual) in [(0.0, true), (1.0, false)] {
            let run = |x: &[f32], weight: &[f32]| {
                let (mut y, mut inverse) = (vec![0.0; x.len()], vec![0.0; ROWS]);
                forward(&mut y, &mut inverse, x, Norm { weight, offset, eps: 1e-6 });
                (y, inverse)
            };
            let loss =
                |x: &[f32], w: &[f32]| run(x, w).0.iter().zip(&upstream).map(|(a, b)| f64::from(a * b)).sum::<f64>();
            let (mut dx, mut units, mut dw) = (vec![0.0; x.len()], vec![0.0; 2 * WIDTH], vec![0.0; WIDTH]);
            let d_residual = with_residual.then_some(residual.as_slice());
            let norm = Norm { weight: &w, offset, eps: 1e-6 };
            backward(&mut dx, d_residual, &mut units, &upstream, &x, &run(&x, &w).1, norm);
            add_units(&mut dw, &units);
            let kept = if with_residual { 1.0 } else { 0.0 };
            let own: Vec<f32> = dx.iter().zip(&residual).map(|(a, b)| a - kept * b).collect();
            assert_gradient("x", &x, &own, |x| loss(x, &w));
            assert_gradient("w", &w, &dw, |w| loss(&x, w));
        }
    }
}
