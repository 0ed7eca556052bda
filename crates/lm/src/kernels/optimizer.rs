//! The optimiser's arithmetic: gradient norm and AdamW in one pass over memory.

use rayon::prelude::*;

use super::simd::{dot, vectorized};

/// Numbers per task. Fixed, as the norm is summed in this order.
const CHUNK: usize = 1 << 14;

/// The Euclidean norm.
pub(crate) fn norm(values: &[f32]) -> f32 {
    let squares: Vec<f64> = values.par_chunks(CHUNK).map(|chunk| f64::from(square_sum(chunk))).collect();
    squares.iter().sum::<f64>().sqrt() as f32
}

vectorized! {
    fn square_sum(values: &[f32]) -> f32 {
        dot(values, values)
    }
}

/// The factors of one AdamW update, bias correction and clipping included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UpdateFactors {
    pub(crate) beta1: f32,
    pub(crate) beta2: f32,
    pub(crate) eps: f32,
    /// What every gradient is multiplied with, to clip the norm.
    pub(crate) gradient_scale: f32,
    /// Learning rate over the first moment's bias correction.
    pub(crate) step_size: f32,
    /// One over the root of the second moment's bias correction.
    pub(crate) root_correction: f32,
    /// What a weight keeps after decay.
    pub(crate) retention: f32,
}

/// Updates weights and both moments; the first `decayed` weights are subject to decay.
pub(crate) fn adamw(
    weights: &mut [f32],
    gradients: &[f32],
    first: &mut [f32],
    second: &mut [f32],
    decayed: usize,
    factors: UpdateFactors,
) {
    let count = weights.len();
    assert!(gradients.len() == count && first.len() == count && second.len() == count && decayed <= count);
    let (head, tail) = weights.split_at_mut(decayed);
    let (first_head, first_tail) = first.split_at_mut(decayed);
    let (second_head, second_tail) = second.split_at_mut(decayed);
    update_all(head, &gradients[..decayed], first_head, second_head, factors);
    let undecayed = UpdateFactors { retention: 1.0, ..factors };
    update_all(tail, &gradients[decayed..], first_tail, second_tail, undecayed);
}

fn update_all(weights: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32], factors: UpdateFactors) {
    weights
        .par_chunks_mut(CHUNK)
        .zip(gradients.par_chunks(CHUNK))
        .zip(first.par_chunks_mut(CHUNK))
        .zip(second.par_chunks_mut(CHUNK))
        .for_each(|(((weights, gradients), first), second)| update(weights, gradients, first, second, factors));
}

vectorized! {
    fn update(weights: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32], factors: UpdateFactors) {
        let UpdateFactors { beta1, beta2, eps, gradient_scale, step_size, root_correction, retention } = factors;
        for (((w, g), m), v) in weights.iter_mut().zip(gradients).zip(first).zip(second) {
            let g = g * gradient_scale;
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * g * g;
            *w = *w * retention - step_size * *m / (v.sqrt() * root_correction + eps);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Noise;

    #[test]
    fn norm_matches_double_precision() {
        let values = Noise::new(6).vector(3 * CHUNK + 5);
        let exact = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        assert!((f64::from(norm(&values)) / exact - 1.0).abs() < 1e-6);
        assert_eq!(norm(&[]), 0.0);
        assert!(norm(&[1.0, f32::NAN]).is_nan());
    }

    #[test]
    fn two_updates_match_the_textbook() {
        // Textbook AdamW in double precision, by its own symbols.
        let (lr, b1, b2, eps, decay) = (0.01f64, 0.9f64, 0.99f64, 1e-8f64, 0.1f64);
        let gradients = [[0.5f32, -2.0, 0.5], [0.25, 1.0, 0.25]];
        let mut weights = [1.0f32, -1.0, 1.0];
        let (mut first, mut second) = ([0.0f32; 3], [0.0f32; 3]);
        let mut expected = weights.map(f64::from);
        let (mut m, mut v) = ([0.0f64; 3], [0.0f64; 3]);
        for (index, gradient) in gradients.iter().enumerate() {
            let t = index as i32 + 1;
            for i in 0..3 {
                let g = f64::from(gradient[i]);
                m[i] = b1 * m[i] + (1.0 - b1) * g;
                v[i] = b2 * v[i] + (1.0 - b2) * g * g;
                let (m_hat, v_hat) = (m[i] / (1.0 - b1.powi(t)), v[i] / (1.0 - b2.powi(t)));
                let decay = if i < 2 { decay } else { 0.0 };
                expected[i] -= lr * (m_hat / (v_hat.sqrt() + eps) + decay * expected[i]);
            }
            let factors = UpdateFactors {
                beta1: b1 as f32,
                beta2: b2 as f32,
                eps: eps as f32,
                gradient_scale: 1.0,
                step_size: (lr / (1.0 - b1.powi(t))) as f32,
                root_correction: (1.0 / (1.0 - b2.powi(t)).sqrt()) as f32,
                retention: (1.0 - lr * decay) as f32,
            };
            adamw(&mut weights, gradient, &mut first, &mut second, 2, factors);
        }
        for (got, expected) in weights.iter().zip(expected) {
            assert!((f64::from(*got) - expected).abs() < 1e-6, "{weights:?}");
        }
        assert_ne!(weights[0], weights[2], "the last weight does not decay");
    }
}
