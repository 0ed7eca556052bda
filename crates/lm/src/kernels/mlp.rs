//! The gated activation of the feed-forward layer: `y = a(gate) * up`.
//!
//! Both activations are `a(g) = g * sigmoid(s(g))`: with `s(g) = g` it is SiLU; with
//! `s(g) = 2 sqrt(2 / pi) (g + 0.044715 g^3)` it is GELU in its tanh form (Hendrycks and Gimpel 2016), as
//! `(1 + tanh(x)) / 2 = sigmoid(2 x)`. A row of the input holds all gates, then all ups, as one product computes both.

use super::simd::{exp, vectorized};

/// What is done to the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// `g * sigmoid(g)`.
    Silu,
    /// The tanh form of GELU.
    GeluTanh,
}

/// Twice the root of two over pi.
const SLOPE: f32 = std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::SQRT_2;
const CUBIC: f32 = 0.044_715;

/// Gates rows.
pub(crate) fn forward(
    output: &mut [f32], // [rows, width]
    gate_up: &[f32],    // [rows, 2 * width]
    width: usize,
    activation: Activation,
) {
    assert_eq!(gate_up.len(), 2 * output.len(), "two inputs per output");
    assert!(output.len().is_multiple_of(width), "whole rows of {width}");
    match activation {
        Activation::Silu => silu_forward(output, gate_up, width),
        Activation::GeluTanh => gelu_forward(output, gate_up, width),
    }
}

/// The gradient of both inputs.
pub(crate) fn backward(
    d_gate_up: &mut [f32], // [rows, 2 * width], overwritten
    d_output: &[f32],      // [rows, width]
    gate_up: &[f32],       // [rows, 2 * width]
    width: usize,
    activation: Activation,
) {
    assert!(gate_up.len() == 2 * d_output.len() && d_gate_up.len() == gate_up.len(), "two inputs per output");
    assert!(d_output.len().is_multiple_of(width), "whole rows of {width}");
    match activation {
        Activation::Silu => silu_backward(d_gate_up, d_output, gate_up, width),
        Activation::GeluTanh => gelu_backward(d_gate_up, d_output, gate_up, width),
    }
}

vectorized! {
    fn silu_forward(output: &mut [f32], gate_up: &[f32], width: usize) {
        for (output, input) in output.chunks_exact_mut(width).zip(gate_up.chunks_exact(2 * width)) {
            let (gate, up) = input.split_at(width);
            for ((y, gate), up) in output.iter_mut().zip(gate).zip(up) {
                *y = gate / (1.0 + exp(-gate)) * up;
            }
        }
    }
}

vectorized! {
    fn gelu_forward(output: &mut [f32], gate_up: &[f32], width: usize) {
        for (output, input) in output.chunks_exact_mut(width).zip(gate_up.chunks_exact(2 * width)) {
            let (gate, up) = input.split_at(width);
            for ((y, gate), up) in output.iter_mut().zip(gate).zip(up) {
                let s = SLOPE * gate * (1.0 + CUBIC * gate * gate);
                *y = gate / (1.0 + exp(-s)) * up;
            }
        }
    }
}

vectorized! {
    fn silu_backward(d_gate_up: &mut [f32], d_output: &[f32], gate_up: &[f32], width: usize) {
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

vectorized! {
    fn gelu_backward(d_gate_up: &mut [f32], d_output: &[f32], gate_up: &[f32], width: usize) {
        let rows = d_gate_up.chunks_exact_mut(2 * width).zip(gate_up.chunks_exact(2 * width));
        for ((d_input, input), d_output) in rows.zip(d_output.chunks_exact(width)) {
            let (gate, up) = input.split_at(width);
            let (d_gate, d_up) = d_input.split_at_mut(width);
            for ((((d_gate, d_up), dy), gate), up) in d_gate.iter_mut().zip(d_up).zip(d_output).zip(gate).zip(up) {
                let square = CUBIC * gate * gate;
                let sigmoid = 1.0 / (1.0 + exp(-(SLOPE * gate * (1.0 + square))));
                *d_up = dy * gate * sigmoid;
                let slope = SLOPE * (1.0 + 3.0 * square);
                *d_gate = dy * up * sigmoid * (1.0 + gate * (1.0 - sigmoid) * slope);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Noise, assert_gradient};

    const BOTH: [Activation; 2] = [Activation::Silu, Activation::GeluTanh];

    #[test]
    fn forward_matches_the_formula() {
        let silu = |g: f64| g / (1.0 + (-g).exp());
        let gelu =
            |g: f64| 0.5 * g * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (g + 0.044_715 * g.powi(3))).tanh());
        for gate in [1.0f32, -2.0, 0.0, 0.3, -6.0, 30.0, -40.0] {
            for (activation, formula) in
                [(Activation::Silu, &silu as &dyn Fn(f64) -> f64), (Activation::GeluTanh, &gelu)]
            {
                let mut y = [f32::NAN];
                forward(&mut y, &[gate, 3.0], 1, activation);
                let wanted = 3.0 * formula(f64::from(gate));
                assert!(
                    (f64::from(y[0]) - wanted).abs() < 2e-6 * wanted.abs().max(0.1),
                    "{activation:?} {gate}: {y:?}"
                );
            }
        }
    }

    #[test]
    fn backward_matches_finite_differences() {
        let (rows, width) = (3, 37);
        let mut noise = Noise::new(3);
        let input: Vec<f32> = noise.vector(rows * 2 * width).iter().map(|x| 2.0 * x).collect();
        let upstream = noise.vector(rows * width);
        for activation in BOTH {
            let mut gradient = vec![0.0; input.len()];
            backward(&mut gradient, &upstream, &input, width, activation);
            assert_gradient("gate and up", &input, &gradient, |input| {
                let mut y = vec![0.0; rows * width];
                forward(&mut y, input, width, activation);
                y.iter().zip(&upstream).map(|(a, b)| f64::from(a * b)).sum()
            });
        }
    }
}
