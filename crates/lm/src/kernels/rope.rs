//! Rotary position embedding in the rotate-half convention: coordinate `i` pairs with coordinate `i + head_dim / 2`.

use super::simd::vectorized;

/// Cosines and sines for every position up to a longest one.
pub(crate) struct RotaryTable {
    half: usize,
    cosines: Vec<f32>, // [positions, head_dim / 2]
    sines: Vec<f32>,   // [positions, head_dim / 2]
}

impl RotaryTable {
    /// A table for positions below `positions`, with the radians per position of each pair.
    ///
    /// The angle is the product of two singles, as in the reference implementations; its cosine is taken in double.
    /// Cosines and sines are multiplied by `magnitude`, and so is then what is rotated.
    pub(crate) fn new(positions: usize, frequencies: &[f32], magnitude: f32) -> Self {
        let angles = (0..positions)
            .flat_map(|position| frequencies.iter().map(move |frequency| f64::from(position as f32 * frequency)));
        let numbers = angles.map(|angle| (angle.cos() as f32 * magnitude, angle.sin() as f32 * magnitude));
        let (cosines, sines) = numbers.unzip();
        Self { half: frequencies.len(), cosines, sines }
    }

    /// How many positions the table covers.
    pub(crate) fn num_positions(&self) -> usize {
        self.cosines.len() / self.half
    }

    /// Cosines and sines.
    #[cfg(feature = "libtorch")]
    pub(crate) fn numbers(&self) -> (&[f32], &[f32]) {
        (&self.cosines, &self.sines)
    }

    /// Rotates the leading heads of each row to the row's position.
    pub(crate) fn rotate(&self, rows: &mut [f32], width: usize, num_heads: usize, positions: &[u32]) {
        self.turn(rows, width, num_heads, positions, 1.0);
    }

    /// Rotates the other way, which is the backward: the transpose of a rotation.
    pub(crate) fn rotate_back(&self, rows: &mut [f32], width: usize, num_heads: usize, positions: &[u32]) {
        self.turn(rows, width, num_heads, positions, -1.0);
    }

    fn turn(&self, rows: &mut [f32], width: usize, num_heads: usize, positions: &[u32], direction: f32) {
        assert_eq!(rows.len(), positions.len() * width, "{} rows of {width}", positions.len());
        assert!(num_heads * 2 * self.half <= width, "{num_heads} heads in {width}");
        for (row, &position) in rows.chunks_exact_mut(width).zip(positions) {
            let span = position as usize * self.half..(position as usize + 1) * self.half;
            let heads = &mut row[..num_heads * 2 * self.half];
            turn_heads(heads, &self.cosines[span.clone()], &self.sines[span], direction);
        }
    }
}

vectorized! {
    fn turn_heads(heads: &mut [f32], cosines: &[f32], sines: &[f32], direction: f32) {
        let half = cosines.len();
        for head in heads.chunks_exact_mut(2 * half) {
            let (first, second) = head.split_at_mut(half);
            for (((a, b), cosine), sine) in first.iter_mut().zip(second).zip(cosines).zip(sines) {
                let (u, v, sine) = (*a, *b, direction * sine);
                *a = u * cosine - v * sine;
                *b = v * cosine + u * sine;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Noise;

    #[test]
    fn rotates_pairs_half_a_head_apart() {
        let table = RotaryTable::new(4, &[1.0, 0.1], 1.0);
        assert_eq!(table.num_positions(), 4);
        // Two heads to rotate and one number that is left alone; frequencies 1 and 100^(-1/2) = 0.1.
        let mut row = [1.0, 0.0, 0.0, 2.0, 0.0, 1.0, 1.0, 0.0, 5.0];
        table.rotate(&mut row, 9, 2, &[3]);
        let (c0, s0, c1, s1) = (3f32.cos(), 3f32.sin(), 0.3f32.cos(), 0.3f32.sin());
        let wanted = [c0, -2.0 * s1, s0, 2.0 * c1, -s0, c1, c0, s1, 5.0];
        for (got, wanted) in row.iter().zip(wanted) {
            assert!((got - wanted).abs() < 1e-6, "{row:?}");
        }
    }

    #[test]
    fn rotating_back_is_the_transpose() {
        // <R x, y> = <x, R' y> is what the backward must satisfy, whatever the magnitude.
        let table = RotaryTable::new(50, &[1.0, 0.1, 0.01, 0.001], 1.3);
        let mut noise = Noise::new(2);
        let (x, y) = (noise.vector(3 * 16), noise.vector(3 * 16));
        let (mut rotated, mut returned) = (x.clone(), y.clone());
        table.rotate(&mut rotated, 16, 2, &[0, 17, 49]);
        table.rotate_back(&mut returned, 16, 2, &[0, 17, 49]);
        let inner = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        assert!((inner(&rotated, &y) - inner(&x, &returned)).abs() < 1e-5);
    }
}
