//! The gated activation of the feed-forward layer: `y = silu(gate) * up`, with `silu(g) = g / (1 + e^-g)`.
//!
//! A row of the input holds all gates, then all ups, as one product computes both.

use super::simd::{exp, vectorized};

vectorized! {
    /// Gates rows.
    pub(crate) fn forward(
        output: &mut [f32],      // [rows, width]
        gate_up: &[f32],         // [rows, 2 * width]
        width: usize,
    ) {
        assert_eq!(gate_up.len(), 2 * output.len(), "two inputs per output");
        assert!(output.len().is_multiple_of(width), "whole rows of {width}");
        for (output, input) in output.chunks_exact_mut(width).zip(gate_up.chunks_exact(2 * width)) {
            let (gate, up) = input.split_at(width);
            for ((y, gate), up) in output.iter_mut().zip(gate).zip(up) {
                *y = gate / (1.0 + exp(-gate)) * up;
            }
        }
    }
}

vectorized! {
    /// The gradient of both inputs.
    pub(crate) fn backward(
        d_gate_up: &mut [f32],   // [rows, 2 * width], overwritten
        d_output: &[f32],        // [rows, width]
        gate_up: &[f32],         // [rows, 2 * width]
        width: usize,
    ) {
        assert!(gate_up.len() == 2 * d_output.len() && d_gate_up.len() == gate_up.len(), "two inputs per output");
        assert!(d_output.len().is_multiple_of(width), "whole rows of {width}");
        let rows = d_gate_up.chunks_exact_mut(2 * width).zip(gate_up.chunks_exact(2 * width));
        for ((d_input, input), d_output) in rows.zip(d_output.chunks_exact(width)) {
            let (gate, up) = input.split_at(width);
            let (d_gate, d_up) = d_input.split_at_mut(width);
            for ((((d_gate, d_up), dy), gate), up) in d_gate.iter_mut().zip(d_up).zip(d_output).zip(gate).zip(up) {
                let sigmoid = 1.0 / (1.0 + exp(-gate));
                *d_up = dy * gate * sigmoid;
                *d_gate = dy * up * sigmoid * (1.0 + gate * (1.0 - sigmoid));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Noise, assert_gradient};

    #[test]
    fn forward_matches_the_formula() {
        let mut y = [0.0; 2];
        forward(&mut y, &[1.0, -2.0, 3.0, 0.5], 2);
        let silu = |g: f64| g / (1.0 + (-g).exp());
        assert!((f64::from(y[0]) - 3.0 * silu(1.0)).abs() < 1e-6 && (f64::from(y[1]) - 0.5 * silu(-2.0)).abs() < 1e-6);
    }

    #[test]
    fn backward_matches_finite_differences() {
        let (rows, width) = (3, 37);
        let mut noise = Noise::new(3);
        let (input, upstream) = (noise.vector(rows * 2 * width), noise.vector(rows * width));
        let mut gradient = vec![0.0; input.len()];
        backward(&mut gradient, &upstream, &input, width);
        assert_gradient("gate and up", &input, &gradient, |input| {
            let mut y = vec![0.0; rows * width];
            forward(&mut y, input, width);
            y.iter().zip(&upstream).map(|(a, b)| f64::from(a * b)).sum()
        });
    }
}
