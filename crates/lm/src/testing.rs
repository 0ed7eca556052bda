//! What the tests of this crate share: reproducible noise and finite differences.

use crate::random::Stream;

/// Reproducible numbers, roughly uniform in -1..1.
pub(crate) struct Noise(Stream, u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Stream::new(seed), 0)
    }

    pub(crate) fn vector(&mut self, count: usize) -> Vec<f32> {
        (0..count)
            .map(|_| {
                self.1 += 1;
                (2.0 * self.0.uniform(self.1) - 1.0) as f32
            })
            .collect()
    }
}

/// Checks a gradient against central differences along random directions and at single coordinates.
///
/// The tolerance is relative to the larger of the directional derivative and the gradient's share of a random
/// direction; central differences of single-precision losses are good to about three digits.
pub(crate) fn assert_gradient(name: &str, at: &[f32], gradient: &[f32], loss: impl Fn(&[f32]) -> f64) {
    const STEP: f32 = 4e-3;
    const TOLERANCE: f64 = 4e-3;
    assert_eq!(at.len(), gradient.len(), "{name}: one derivative per input");
    let size = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
    let mut noise = Noise::new(99);
    let mut directions: Vec<Vec<f32>> = (0..4).map(|_| noise.vector(at.len())).collect();
    for index in [0, at.len() / 3, at.len() - 1] {
        let mut single = vec![0.0; at.len()];
        single[index] = 1.0;
        directions.push(single);
    }
    for direction in directions {
        let along: f64 = direction.iter().zip(gradient).map(|(d, g)| f64::from(d * g)).sum();
        let moved = |step: f32| -> Vec<f32> { at.iter().zip(&direction).map(|(x, d)| x + step * d).collect() };
        let difference = (loss(&moved(STEP)) - loss(&moved(-STEP))) / f64::from(2.0 * STEP);
        let length = direction.iter().map(|d| f64::from(*d).powi(2)).sum::<f64>().sqrt();
        let scale = along.abs().max(size * length / (at.len() as f64).sqrt());
        let error = (along - difference).abs() / scale;
        assert!(error < TOLERANCE, "{name}: gradient {along} against difference {difference}, error {error:e}");
    }
}
