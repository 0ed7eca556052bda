//! How GGUF stores numbers, and how they become single precision again.
//!
//! Numbers come in blocks of 32 or 256 with a scale, and in some formats a least value, that the block shares. The
//! formulas below give the same bits as the reference: products and sums are in single precision and in its order.

use half::{bf16, f16};

/// How the numbers of a tensor are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredType {
    /// Single precision.
    F32,
    /// Half precision.
    F16,
    /// Brain floating point.
    Bf16,
    /// 8 bits with a scale for each 32.
    Q8_0,
    /// 4 bits with a scale for each 32.
    Q4_0,
    /// 4 bits with a scale and a least value for each 32.
    Q4_1,
    /// 5 bits with a scale for each 32.
    Q5_0,
    /// 5 bits with a scale and a least value for each 32.
    Q5_1,
    /// 4 bits; 8 groups of 32 with scales and least values of 6 bits.
    Q4K,
    /// 5 bits; 8 groups of 32 with scales and least values of 6 bits.
    Q5K,
    /// 6 bits; 16 groups of 16 with scales of 8 bits.
    Q6K,
}

/// Numbers in a block of the `K` formats.
const LONG_BLOCK: usize = 256;
/// Numbers in a block of the other quantised formats.
const SHORT_BLOCK: usize = 32;

impl StoredType {
    /// All of them, with the format's number for each.
    const ALL: [(u32, Self); 11] = [
        (0, Self::F32),
        (1, Self::F16),
        (2, Self::Q4_0),
        (3, Self::Q4_1),
        (6, Self::Q5_0),
        (7, Self::Q5_1),
        (8, Self::Q8_0),
        (12, Self::Q4K),
        (13, Self::Q5K),
        (14, Self::Q6K),
        (30, Self::Bf16),
    ];

    /// The type with this number, if it is one that we read.
    pub(crate) fn from_code(code: u32) -> Option<Self> {
        Self::ALL.iter().find(|(number, _)| *number == code).map(|(_, kind)| *kind)
    }

    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Q8_0 => "Q8_0",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
        }
    }

    /// How many numbers share a block.
    pub(crate) fn block_numbers(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => 1,
            Self::Q8_0 | Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 => SHORT_BLOCK,
            Self::Q4K | Self::Q5K | Self::Q6K => LONG_BLOCK,
        }
    }

    /// How many bytes a block has.
    pub(crate) fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Q8_0 => 34,
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
        }
    }

    /// Turns whole blocks into numbers.
    ///
    /// # Panics
    /// If the lengths are not those of the same number of whole blocks.
    pub(crate) fn dequantise(self, bytes: &[u8], numbers: &mut [f32]) {
        assert_eq!(numbers.len() % self.block_numbers(), 0, "whole blocks");
        assert_eq!(bytes.len() / self.block_bytes(), numbers.len() / self.block_numbers(), "as many blocks as numbers");
        let blocks = bytes.chunks_exact(self.block_bytes()).zip(numbers.chunks_exact_mut(self.block_numbers()));
        match self {
            Self::F32 => blocks.for_each(|(block, out)| out[0] = f32::from_le_bytes(array(block, 0))),
            Self::F16 => blocks.for_each(|(block, out)| out[0] = half_at(block, 0)),
            Self::Bf16 => blocks.for_each(|(block, out)| out[0] = bf16::from_le_bytes(array(block, 0)).to_f32()),
            Self::Q8_0 => blocks.for_each(|(block, out)| q8_0(block, out)),
            Self::Q4_0 => blocks.for_each(|(block, out)| q4_0(block, out)),
            Self::Q4_1 => blocks.for_each(|(block, out)| q4_1(block, out)),
            Self::Q5_0 => blocks.for_each(|(block, out)| q5_0(block, out)),
            Self::Q5_1 => blocks.for_each(|(block, out)| q5_1(block, out)),
            Self::Q4K => blocks.for_each(|(block, out)| q4_k(block, out)),
            Self::Q5K => blocks.for_each(|(block, out)| q5_k(block, out)),
            Self::Q6K => blocks.for_each(|(block, out)| q6_k(block, out)),
        }
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("a slice of this length")
}

fn half_at(bytes: &[u8], at: usize) -> f32 {
    f16::from_le_bytes(array(bytes, at)).to_f32()
}

/// Block: scale, 32 signed bytes.
fn q8_0(block: &[u8], out: &mut [f32]) {
    let scale = half_at(block, 0);
    for (number, &byte) in out.iter_mut().zip(&block[2..]) {
        *number = f32::from(byte.cast_signed()) * scale;
    }
}

/// Block: scale, 16 bytes of two numbers each, of which the low halves come first.
fn q4_0(block: &[u8], out: &mut [f32]) {
    let scale = half_at(block, 0);
    let (low, high) = out.split_at_mut(SHORT_BLOCK / 2);
    for ((low, high), &byte) in low.iter_mut().zip(high).zip(&block[2..]) {
        *low = (f32::from(byte & 0xf) - 8.0) * scale;
        *high = (f32::from(byte >> 4) - 8.0) * scale;
    }
}

/// Block: scale, least value, 16 bytes of two numbers each.
fn q4_1(block: &[u8], out: &mut [f32]) {
    let (scale, least) = (half_at(block, 0), half_at(block, 2));
    let (low, high) = out.split_at_mut(SHORT_BLOCK / 2);
    for ((low, high), &byte) in low.iter_mut().zip(high).zip(&block[4..]) {
        *low = f32::from(byte & 0xf) * scale + least;
        *high = f32::from(byte >> 4) * scale + least;
    }
}

/// The fifth bit of number `index`, in its place.
fn fifth_bit(bits: u32, index: usize) -> u8 {
    ((bits >> index) & 1) as u8 * 16
}

/// Block: scale, the 32 highest bits, 16 bytes of two numbers each.
fn q5_0(block: &[u8], out: &mut [f32]) {
    let scale = half_at(block, 0);
    let bits = u32::from_le_bytes(array(block, 2));
    let (low, high) = out.split_at_mut(SHORT_BLOCK / 2);
    for (index, ((low, high), &byte)) in low.iter_mut().zip(high).zip(&block[6..]).enumerate() {
        *low = (f32::from((byte & 0xf) | fifth_bit(bits, index)) - 16.0) * scale;
        *high = (f32::from((byte >> 4) | fifth_bit(bits, index + 16)) - 16.0) * scale;
    }
}

/// Block: scale, least value, the 32 highest bits, 16 bytes of two numbers each.
fn q5_1(block: &[u8], out: &mut [f32]) {
    let (scale, least) = (half_at(block, 0), half_at(block, 2));
    let bits = u32::from_le_bytes(array(block, 4));
    let (low, high) = out.split_at_mut(SHORT_BLOCK / 2);
    for (index, ((low, high), &byte)) in low.iter_mut().zip(high).zip(&block[8..]).enumerate() {
        *low = f32::from((byte & 0xf) | fifth_bit(bits, index)) * scale + least;
        *high = f32::from((byte >> 4) | fifth_bit(bits, index + 16)) * scale + least;
    }
}

/// Scale and least value of one of the eight groups: six bits each, packed into twelve bytes. The first four groups
/// have theirs in the low bits of the first eight bytes; those of the others are put together from the last four bytes
/// and the bits that the first eight have left.
fn group_scale(packed: &[u8], group: usize) -> (f32, f32) {
    let (scale, least) = if group < 4 {
        (packed[group] & 63, packed[group + 4] & 63)
    } else {
        let low = packed[group + 4];
        ((low & 0xf) | ((packed[group - 4] >> 6) << 4), (low >> 4) | ((packed[group] >> 6) << 4))
    };
    (f32::from(scale), f32::from(least))
}

/// Block: scale and least value of all, the groups' scales, 128 bytes of two numbers each.
fn q4_k(block: &[u8], out: &mut [f32]) {
    let (scale, least) = (half_at(block, 0), half_at(block, 2));
    let packed = &block[4..16];
    for (pair, (bytes, out)) in block[16..].chunks_exact(32).zip(out.chunks_exact_mut(64)).enumerate() {
        let (low, high) = out.split_at_mut(32);
        for (half, out) in [low, high].into_iter().enumerate() {
            let (group, group_least) = group_scale(packed, 2 * pair + half);
            let (group, group_least) = (scale * group, least * group_least);
            for (number, byte) in out.iter_mut().zip(bytes) {
                *number = group * f32::from((byte >> (4 * half)) & 0xf) - group_least;
            }
        }
    }
}

/// Block: as Q4_K, with 32 bytes of highest bits before the numbers: bit `g` of byte `i` is that of number `i` of
/// group `g`.
fn q5_k(block: &[u8], out: &mut [f32]) {
    let (scale, least) = (half_at(block, 0), half_at(block, 2));
    let (packed, bits) = (&block[4..16], &block[16..48]);
    for (pair, (bytes, out)) in block[48..].chunks_exact(32).zip(out.chunks_exact_mut(64)).enumerate() {
        let (low, high) = out.split_at_mut(32);
        for (half, out) in [low, high].into_iter().enumerate() {
            let (group, group_least) = group_scale(packed, 2 * pair + half);
            let (group, group_least) = (scale * group, least * group_least);
            for ((number, byte), bits) in out.iter_mut().zip(bytes).zip(bits) {
                let fifth = ((bits >> (2 * pair + half)) & 1) * 16;
                *number = group * f32::from(((byte >> (4 * half)) & 0xf) + fifth) - group_least;
            }
        }
    }
}

/// Block: 128 bytes of low halves, 64 of the two bits above, sixteen signed scales, the scale of all. Each half of the
/// block has four runs of 32 numbers: runs 0 and 1 in the low halves of its 64 bytes, runs 2 and 3 in the high halves.
fn q6_k(block: &[u8], out: &mut [f32]) {
    let scale = half_at(block, 208);
    for (part, out) in out.chunks_exact_mut(LONG_BLOCK / 2).enumerate() {
        let low = &block[64 * part..][..64];
        let high = &block[128 + 32 * part..][..32];
        let groups = &block[192 + 8 * part..][..8];
        for (run, out) in out.chunks_exact_mut(32).enumerate() {
            for (index, number) in out.iter_mut().enumerate() {
                let low = (low[index + 32 * (run % 2)] >> (4 * (run / 2))) & 0xf;
                let high = (high[index] >> (2 * run)) & 3;
                let group = f32::from(groups[2 * run + index / 16].cast_signed());
                *number = scale * group * (f32::from(low | (high << 4)) - 32.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(kind: StoredType, bytes: &[u8]) -> Vec<f32> {
        let mut out = vec![f32::NAN; bytes.len() / kind.block_bytes() * kind.block_numbers()];
        kind.dequantise(bytes, &mut out);
        out
    }

    fn half(number: f32) -> [u8; 2] {
        f16::from_f32(number).to_le_bytes()
    }

    #[test]
    fn plain_numbers() {
        assert_eq!(numbers(StoredType::F32, &[0, 0, 0x20, 0xc1]), [-10.0]);
        assert_eq!(numbers(StoredType::F16, &[0x00, 0x3e, 0x00, 0xc0]), [1.5, -2.0]);
        assert_eq!(numbers(StoredType::Bf16, &[0xc0, 0x3f]), [1.5]);
    }

    #[test]
    fn signed_bytes_times_a_scale() {
        let mut block = half(0.5).to_vec();
        block.extend((0..32).map(|i| if i == 31 { 0x80 } else { i }));
        let found = numbers(StoredType::Q8_0, &block);
        assert_eq!(found[..4], [0.0, 0.5, 1.0, 1.5]);
        assert_eq!(found[31], -64.0);
    }

    /// Low half-bytes are numbers 0 to 15, high ones 16 to 31.
    #[test]
    fn half_bytes() {
        let bytes: Vec<u8> = (0..16).map(|i| i | ((15 - i) << 4)).collect();
        let found = numbers(StoredType::Q4_0, &[half(2.0).as_slice(), &bytes].concat());
        let expected: Vec<f32> = (0..16).map(|i| (f64::from(i) - 8.0) as f32 * 2.0).collect();
        assert_eq!(found[..16], expected);
        assert_eq!(found[16], 14.0);
        assert_eq!(found[31], -16.0);

        let found = numbers(StoredType::Q4_1, &[half(2.0).as_slice(), &half(-3.0), &bytes].concat());
        assert_eq!((found[0], found[1], found[16], found[31]), (-3.0, -1.0, 27.0, -3.0));
    }

    /// Bits 0 and 17 are set: number 0 of the low half-bytes, number 1 of the high ones.
    #[test]
    fn a_fifth_bit() {
        let bits = ((1_u32) | (1 << 17)).to_le_bytes();
        let bytes = [0x21; 16];
        let found = numbers(StoredType::Q5_0, &[half(1.0).as_slice(), &bits, &bytes].concat());
        assert_eq!((found[0], found[1]), (1.0, -15.0));
        assert_eq!((found[16], found[17]), (-14.0, 2.0));
        let found = numbers(StoredType::Q5_1, &[half(1.0).as_slice(), &half(100.0), &bits, &bytes].concat());
        assert_eq!((found[0], found[1], found[16], found[17]), (117.0, 101.0, 102.0, 118.0));
    }

    /// Group 1 has scale 5 and least value 7 in low bits; group 4 has scale 0x2a and least value 0x13, whose low four
    /// bits share byte 8 and whose high two bits are the tops of bytes 0 and 4.
    fn packed() -> [u8; 12] {
        let mut packed = [0; 12];
        packed[1] = 5;
        packed[5] = 7;
        packed[0] = 0b10 << 6;
        packed[4] = 0b01 << 6;
        packed[8] = 0xa | (0x3 << 4);
        packed
    }

    #[test]
    fn scales_of_six_bits() {
        assert_eq!(group_scale(&packed(), 1), (5.0, 7.0));
        assert_eq!(group_scale(&packed(), 4), (42.0, 19.0));
        assert_eq!(group_scale(&packed(), 0), (0.0, 0.0));
    }

    #[test]
    fn long_blocks_of_four_and_five_bits() {
        let head = [half(0.5).as_slice(), &half(2.0), &packed()].concat();
        let mut bytes = [0_u8; 128];
        bytes[3] = 0x90; // number 3 of group 1
        bytes[64] = 0x06; // number 0 of group 4
        let found = numbers(StoredType::Q4K, &[head.as_slice(), &bytes].concat());
        assert_eq!(found[32 + 3], 0.5 * 5.0 * 9.0 - 14.0);
        assert_eq!(found[32], -14.0);
        assert_eq!(found[128], 21.0 * 6.0 - 38.0);
        let mut bits = [0_u8; 32];
        bits[3] = 1 << 1;
        bits[0] = 1 << 4;
        let found = numbers(StoredType::Q5K, &[head.as_slice(), &bits, &bytes].concat());
        assert_eq!(found[32 + 3], 2.5 * 25.0 - 14.0);
        assert_eq!(found[128], 21.0 * 22.0 - 38.0);
        assert_eq!(found[129], -38.0);
    }

    #[test]
    fn long_blocks_of_six_bits() {
        let mut block = [0_u8; 210];
        block[64 + 32 + 5] = 0x70; // second half, run 3, number 5: low bits 7
        block[128 + 32 + 5] = 0b10 << 6; // and high bits 2: 39 - 32 = 7
        block[192 + 8 + 6] = 0xfd; // its group has scale -3
        block[208..].copy_from_slice(&half(0.25));
        let found = numbers(StoredType::Q6K, &block);
        assert_eq!(found[128 + 96 + 5], 0.25 * -3.0 * 7.0);
        assert_eq!(found[128 + 96 + 6], 0.25 * -3.0 * -32.0);
        assert_eq!(found[0], 0.0);
    }

    #[test]
    fn codes_and_names_agree_with_the_format() {
        assert_eq!(StoredType::from_code(14), Some(StoredType::Q6K));
        assert_eq!(StoredType::from_code(30).map(StoredType::name), Some("BF16"));
        assert_eq!(StoredType::from_code(10), None);
    }
}
