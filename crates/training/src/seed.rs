//! Seeds for every draw, derived from the run's seed and the draw's place.

/// The seed of one draw: a hash of the run's seed, what is drawn, and where. Needs no state, so a resumed run draws the same.
pub fn derive_seed(seed: u64, purpose: &str, place: &[u64]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(purpose.as_bytes());
    for number in place {
        hasher.update(&number.to_le_bytes());
    }
    let bytes: [u8; 8] = hasher.finalize().as_bytes()[..8].try_into().expect("a hash has 32 bytes");
    u64::from_le_bytes(bytes)
}

/// The numbers below `len` in the order of a seed.
pub(crate) fn shuffled(len: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_by_cached_key(|item| (derive_seed(seed, "order", &[*item as u64]), *item));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_have_their_own_seeds_and_orders_are_permutations() {
        assert_eq!(derive_seed(1, "rollout", &[2, 3]), derive_seed(1, "rollout", &[2, 3]));
        assert_ne!(derive_seed(1, "rollout", &[2, 3]), derive_seed(1, "rollout", &[3, 2]));
        assert_ne!(derive_seed(1, "rollout", &[2]), derive_seed(2, "rollout", &[2]));
        let mut order = shuffled(50, 9);
        assert_ne!(order, (0..50).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..50).collect::<Vec<_>>());
    }
}
