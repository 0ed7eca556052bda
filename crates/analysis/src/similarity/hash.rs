//! Hashes that stand for tokens, token sequences, sub-trees and data-flow edges.
//!
//! Sixty-four bits each: two different things of one pair of snippets share one with a probability below 1e-9, and nothing that
//! is stored depends on them.

/// SipHash with one round per block and three at the end, both keys zero.
///
/// It is what CPython from 3.11 on hashes strings with when its hash seed is zero, which [`super::python_set`] needs.
pub(super) fn sip(bytes: &[u8]) -> u64 {
    let mut state = Sip {
        v0: 0x736f_6d65_7073_6575,
        v1: 0x646f_7261_6e64_6f6d,
        v2: 0x6c79_6765_6e65_7261,
        v3: 0x7465_6462_7974_6573,
    };
    let (blocks, rest) = bytes.as_chunks::<8>();
    for block in blocks {
        state.absorb(u64::from_le_bytes(*block));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    state.absorb(u64::from_le_bytes(last) | ((bytes.len() as u64) << 56));
    state.v2 ^= 0xff;
    for _ in 0..3 {
        state.round();
    }
    state.v0 ^ state.v1 ^ state.v2 ^ state.v3
}

struct Sip {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl Sip {
    fn absorb(&mut self, block: u64) {
        self.v3 ^= block;
        self.round();
        self.v0 ^= block;
    }

    fn round(&mut self) {
        self.v0 = self.v0.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(13) ^ self.v0;
        self.v0 = self.v0.rotate_left(32);
        self.v2 = self.v2.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(16) ^ self.v2;
        self.v0 = self.v0.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(21) ^ self.v0;
        self.v2 = self.v2.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(17) ^ self.v2;
        self.v2 = self.v2.rotate_left(32);
    }
}

/// Appends one value to the hash of a sequence.
pub(super) fn mix(sequence: u64, value: u64) -> u64 {
    let mut mixed = sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ value;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The hash of a text, quicker than [`sip`].
pub(super) fn quick(bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<8>();
    let start = mix(0, bytes.len() as u64);
    let sequence = blocks.iter().fold(start, |sequence, block| mix(sequence, u64::from_le_bytes(*block)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(sequence, u64::from_le_bytes(last))
}

/// How many entries two sorted lists have in common, each entry used once.
pub(super) fn common(one: &[u64], other: &[u64]) -> usize {
    let (mut at, mut other_at, mut count) = (0, 0, 0);
    while let (Some(left), Some(right)) = (one.get(at), other.get(other_at)) {
        match left.cmp(right) {
            std::cmp::Ordering::Less => at += 1,
            std::cmp::Ordering::Greater => other_at += 1,
            std::cmp::Ordering::Equal => {
                at += 1;
                other_at += 1;
                count += 1;
            }
        }
    }
    count
}

/// How many entries of the first sorted list occur in the second at all.
pub(super) fn present(one: &[u64], other: &[u64]) -> usize {
    let (mut at, mut other_at, mut count) = (0, 0, 0);
    while let (Some(left), Some(right)) = (one.get(at), other.get(other_at)) {
        match left.cmp(right) {
            std::cmp::Ordering::Less => at += 1,
            std::cmp::Ordering::Greater => other_at += 1,
            std::cmp::Ordering::Equal => {
                at += 1;
                count += 1;
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_hash_as_in_cpython_with_seed_zero() {
        // `PYTHONHASHSEED=0 python3.11 -c "print([hash(x) % 2**64 for x in ('a', 'index', 'longer than one block')])"`.
        let known = [4_644_417_185_603_328_019, 13_119_188_579_454_344_921, 17_986_967_384_065_762_943];
        let texts = ["a", "index", "longer than one block"];
        assert_eq!(texts.map(|text| sip(text.as_bytes())), known);
    }

    #[test]
    fn lists_are_compared_as_multisets_or_by_presence() {
        assert_eq!(common(&[1, 2, 2, 3], &[2, 3, 3, 4]), 2);
        assert_eq!(present(&[1, 2, 2, 3], &[2, 3, 3, 4]), 3);
        assert_eq!(present(&[], &[1]), 0);
    }
}
