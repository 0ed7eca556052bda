//! Reproducible randomness: a counter-based generator, so that a draw depends on a seed and a position and nothing else.

/// A stream of independent draws, addressed by position.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stream {
    key: u64,
}

impl Stream {
    /// The stream of a seed. Neighbouring seeds give unrelated streams.
    pub(crate) fn new(seed: u64) -> Self {
        Self { key: mix(seed ^ 0x636f_6465_7761_7264) }
    }

    /// A stream of its own for a part of what this one is for.
    pub(crate) fn substream(self, number: u64) -> Self {
        Self { key: mix(self.key ^ mix(number.wrapping_add(1))) }
    }

    /// 64 random bits.
    fn bits(self, position: u64) -> u64 {
        // The increment of splitmix64: odd, so that positions never collide.
        mix(self.key.wrapping_add(position.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// A number from 0 up to, not including, 1, on a grid of 2^-53.
    pub(crate) fn uniform(self, position: u64) -> f64 {
        (self.bits(position) >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// A standard normal number (Box and Muller).
    pub(crate) fn normal(self, position: u64) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform(2 * position)).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform(2 * position + 1)).cos()
    }
}

/// The finaliser of splitmix64 (Steele, Lea and Flood 2014): every input bit reaches every output bit.
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_distributions() {
        let stream = Stream::new(7);
        let count = 100_000;
        let mean = |f: &dyn Fn(u64) -> f64| (0..count).map(f).sum::<f64>() / count as f64;
        assert!((mean(&|i| stream.uniform(i)) - 0.5).abs() < 5e-3);
        assert!((mean(&|i| stream.uniform(i).powi(2)) - 1.0 / 3.0).abs() < 5e-3);
        assert!(mean(&|i| stream.normal(i)).abs() < 1e-2);
        assert!((mean(&|i| stream.normal(i).powi(2)) - 1.0).abs() < 2e-2);
    }

    #[test]
    fn neighbouring_seeds_and_substreams_are_unrelated() {
        let streams = [Stream::new(0), Stream::new(1), Stream::new(0).substream(0), Stream::new(0).substream(1)];
        for (index, a) in streams.iter().enumerate() {
            for b in &streams[index + 1..] {
                let covariance =
                    (0..10_000).map(|i| (a.uniform(i) - 0.5) * (b.uniform(i) - 0.5)).sum::<f64>() / 10_000.0;
                assert!(covariance.abs() < 4e-3, "{covariance}");
            }
        }
    }
}
