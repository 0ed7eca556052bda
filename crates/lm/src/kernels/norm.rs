//! Root-mean-square normalisation: `y = x * w / sqrt(mean(x^2) + eps)` per row.

use super::blocks::UNIT;
use super::simd::{dot, vectorized};

vectorized! {
    /// Normalises rows; keeps the inverse root per row for the backward.
    pub(crate) fn forward(
        output: &mut [f32],      // [rows, width]
        inverse: &mut [f32],     // [rows]
        input: &[f32],           // [rows, width]
        weight: &[f32],          // [width]
        eps: f32,
    ) {
        let width = weight.len();
        assert_eq!(input.len(), inverse.len() * width, "input of {} x {width}", inverse.len());
        assert_eq!(output.len(), input.len(), "output of the input's shape");
        for ((output, input), inverse) in output.chunks_exact_mut(width).zip(input.chunks_exact(width)).zip(inverse) {
            let scale = 1.0 / (dot(input, input) / width as f32 + eps).sqrt();
            *inverse = scale;
            for ((y, x), w) in output.iter_mut().zip(input).zip(weight) {
                *y = x * scale * w;
            }
        }
    }
}

vectorized! {
    /// Adds the input's gradient to a residual gradient, and sums the weight's gradient per unit of rows.
    pub(crate) fn backward(
        d_input: &mut [f32],     // [rows, width], overwritten: d_residual + gradient
        d_residual: &[f32],      // [rows, width]
        d_weight: &mut [f32],    // [units, width], overwritten
        d_output: &[f32],        // [rows, width]
        input: &[f32],           // [rows, width]
        inverse: &[f32],         // [rows]
        weight: &[f32],          // [width]
    ) {
        let (rows, width) = (inverse.len(), weight.len());
        assert!(input.len() == rows * width && d_output.len() == input.len(), "inputs of {rows} x {width}");
        assert!(d_input.len() == input.len() && d_residual.len() == input.len(), "gradients of {rows} x {width}");
        assert_eq!(d_weight.len(), rows.div_ceil(UNIT) * width, "one row per unit");
        d_weight.fill(0.0);
        for (row, &scale) in inverse.iter().enumerate() {
            let span = row * width..(row + 1) * width;
            let (x, dy) = (&input[span.clone()], &d_output[span.clone()]);
            let (dx, residual) = (&mut d_input[span.clone()], &d_residual[span]);
            let dw = &mut d_weight[row / UNIT * width..][..width];
            // dx first holds dy * w, whose product with x is the part of the gradient along x.
            for ((dx, dy), w) in dx.iter_mut().zip(dy).zip(weight) {
                *dx = dy * w;
            }
            let along = dot(dx, x) * scale * scale * scale / width as f32;
            for ((dx, x), residual) in dx.iter_mut().zip(x).zip(residual) {
                *dx = residual + *dx * scale - x * along;
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

    #[test]
    fn forward_matches_the_formula() {
        let (mut y, mut inverse) = ([0.0; 2], [0.0]);
        forward(&mut y, &mut inverse, &[3.0, 4.0], &[1.0, 2.0], 0.0);
        // The mean square is 12.5.
        assert!((y[0] - 3.0 / 12.5f32.sqrt()).abs() < 1e-6 && (y[1] - 8.0 / 12.5f32.sqrt()).abs() < 1e-6);
    }

    #[test]
    fn backward_matches_finite_differences() {
        let (rows, width) = (19, 21);
        let mut noise = Noise::new(1);
        let (x, w) = (noise.vector(rows * width), noise.vector(width));
        let (upstream, residual) = (noise.vector(rows * width), noise.vector(rows * width));
        let loss = |x: &[f32], w: &[f32]| {
            let (mut y, mut inverse) = (vec![0.0; x.len()], vec![0.0; rows]);
            forward(&mut y, &mut inverse, x, w, 1e-6);
            y.iter().zip(&upstream).map(|(a, b)| f64::from(a * b)).sum::<f64>()
        };
        let (mut y, mut inverse) = (vec![0.0; x.len()], vec![0.0; rows]);
        forward(&mut y, &mut inverse, &x, &w, 1e-6);
        let (mut dx, mut units, mut dw) = (vec![0.0; x.len()], vec![0.0; 2 * width], vec![0.0; width]);
        backward(&mut dx, &residual, &mut units, &upstream, &x, &inverse, &w);
        add_units(&mut dw, &units);
        let own: Vec<f32> = dx.iter().zip(&residual).map(|(a, b)| a - b).collect();
        assert_gradient("x", &x, &own, |x| loss(x, &w));
        assert_gradient("w", &w, &dw, |w| loss(&x, w));
    }
}
