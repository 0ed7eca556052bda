//! Which records are held out: a third of each set, by a hash of their names, the same for everybody who uses this rule.

use serde::Serialize;

/// On which side of the hold-out a record is. Rules are written looking at the open part only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Part {
    Open,
    Held,
}

impl Part {
    /// Held where the SHA-256 of the name, read as one number, is a multiple of three.
    pub(crate) fn of(id: &str) -> Self {
        // 256 leaves 1 when divided by 3, so the number leaves what the sum of its bytes leaves.
        let sum: u32 = sha256(id.as_bytes()).iter().map(|byte| u32::from(*byte)).sum();
        if sum.is_multiple_of(3) { Self::Held } else { Self::Open }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Held => "held",
        }
    }
}

/// The first `count` primes.
fn primes(count: usize) -> Vec<u64> {
    let mut found: Vec<u64> = Vec::with_capacity(count);
    let mut next = 2_u64;
    while found.len() < count {
        if found.iter().all(|prime| !next.is_multiple_of(*prime)) {
            found.push(next);
        }
        next += 1;
    }
    found
}

/// The first 32 bits behind the point of the `degree`-th root of a number: the largest whole root of `number << 32 * degree`.
fn root_fraction(number: u64, degree: u32) -> u32 {
    let target = u128::from(number) << (32 * degree);
    let (mut low, mut high) = (0_u128, 1_u128 << 37);
    while high - low > 1 {
        let middle = u128::midpoint(low, high);
        if middle.pow(degree) <= target { low = middle } else { high = middle }
    }
    (low & u128::from(u32::MAX)) as u32
}

/// FIPS 180-4, for texts of a few bytes; its constants are made from the primes that define them.
fn sha256(text: &[u8]) -> [u8; 32] {
    let primes = primes(64);
    let keys: Vec<u32> = primes.iter().map(|prime| root_fraction(*prime, 3)).collect();
    let mut state: [u32; 8] = std::array::from_fn(|at| root_fraction(primes[at], 2));
    let mut padded = text.to_vec();
    padded.push(0x80);
    padded.resize((padded.len() + 8).next_multiple_of(64) - 8, 0);
    padded.extend((text.len() as u64 * 8).to_be_bytes());
    for block in padded.chunks_exact(64) {
        let mut words: Vec<u32> =
            block.chunks_exact(4).map(|four| u32::from_be_bytes([four[0], four[1], four[2], four[3]])).collect();
        for at in 16..64 {
            let (early, late) = (words[at - 15], words[at - 2]);
            let first = early.rotate_right(7) ^ early.rotate_right(18) ^ (early >> 3);
            let second = late.rotate_right(17) ^ late.rotate_right(19) ^ (late >> 10);
            words.push(words[at - 16].wrapping_add(first).wrapping_add(words[at - 7]).wrapping_add(second));
        }
        let mut turning = state;
        for (word, key) in words.iter().zip(&keys) {
            turning = round(turning, word.wrapping_add(*key));
        }
        for (sum, part) in state.iter_mut().zip(turning) {
            *sum = sum.wrapping_add(part);
        }
    }
    let mut digest = [0; 32];
    for (four, word) in digest.chunks_exact_mut(4).zip(state) {
        four.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

fn round([a, b, c, d, e, f, g, h]: [u32; 8], added: u32) -> [u32; 8] {
    let choice = (e & f) ^ (!e & g);
    let majority = (a & b) ^ (a & c) ^ (b & c);
    let high = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
    let low = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
    let first = h.wrapping_add(high).wrapping_add(choice).wrapping_add(added);
    let second = low.wrapping_add(majority);
    [first.wrapping_add(second), a, b, c, d.wrapping_add(first), e, f, g]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> String {
        sha256(text.as_bytes()).map(|byte| format!("{byte:02x}")).concat()
    }

    #[test]
    fn digests_are_those_of_the_standard() {
        // The standard's own examples: no block filled, one, and two.
        assert_eq!(hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(
            hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        );
    }

    #[test]
    fn a_third_is_held() {
        // python3: int(hashlib.sha256(b"abc").hexdigest(), 16) % 3 == 1, of "b" 2, of "g" and "h" 0.
        assert_eq!(["abc", "b", "g", "h"].map(Part::of), [Part::Open, Part::Open, Part::Held, Part::Held]);
        let held = (0..3_000).filter(|number: &i32| Part::of(&number.to_string()) == Part::Held).count();
        assert_eq!(held, 1_021);
    }
}
