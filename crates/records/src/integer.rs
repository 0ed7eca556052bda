//! Whole numbers of any size.

use std::fmt;
use std::str::FromStr;

/// A whole number of any size, kept as a sign and hexadecimal digits: two are equal when they are written alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Integer {
    is_negative: bool,
    /// Lower case, no leading zeros, `0` for zero.
    digits: String,
}

/// Text that is no whole number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no whole number in decimal, or in hexadecimal after 0x")]
pub struct ParseIntegerError {
    text: String,
}

/// Above this many decimal digits a number has to be written in hexadecimal: turning one into the other takes quadratic time.
const MAX_DECIMAL_DIGITS: usize = 100_000;
const DIGITS_PER_STEP: usize = 9;

impl Integer {
    fn new(is_negative: bool, digits: &str) -> Self {
        let digits = digits.trim_start_matches('0').to_ascii_lowercase();
        if digits.is_empty() {
            return Self { is_negative: false, digits: "0".to_owned() };
        }
        Self { is_negative, digits }
    }

    /// From the digits to base 2^15, least significant first: the form that `marshal` writes.
    pub fn from_fifteen_bit_digits(is_negative: bool, places: &[u16]) -> Self {
        let (mut digits, mut held, mut num_bits) = (Vec::with_capacity(places.len() * 4), 0_u32, 0);
        for place in places {
            held |= u32::from(place & 0x7fff) << num_bits;
            num_bits += 15;
            while num_bits >= 4 {
                digits.push(held & 0xf);
                held >>= 4;
                num_bits -= 4;
            }
        }
        digits.push(held);
        let text: String =
            digits.iter().rev().map(|digit| char::from_digit(*digit, 16).expect("four bits are one digit")).collect();
        Self::new(is_negative, &text)
    }

    /// Sign and digits to base 2^15, least significant first.
    pub fn to_fifteen_bit_digits(&self) -> (bool, Vec<u16>) {
        let (mut places, mut held, mut num_bits) = (Vec::new(), 0_u32, 0);
        for digit in self.digits.chars().rev() {
            held |= digit.to_digit(16).expect("only digits are kept") << num_bits;
            num_bits += 4;
            if num_bits >= 15 {
                places.push((held & 0x7fff) as u16);
                held >>= 15;
                num_bits -= 15;
            }
        }
        if held > 0 {
            places.push(held as u16);
        }
        (self.is_negative, places)
    }

    /// The number when it fits.
    pub fn to_i64(&self) -> Option<i64> {
        let size = i128::from(u64::from_str_radix(&self.digits, 16).ok()?);
        i64::try_from(if self.is_negative { -size } else { size }).ok()
    }

    /// The nearest float, halves to even; None beyond the largest.
    pub fn to_f64(&self) -> Option<f64> {
        let (leading, rest) = self.digits.split_at(self.digits.len().min(16));
        let leading = u64::from_str_radix(leading, 16).expect("only digits are kept");
        // What follows the first 61 bits or more matters only by being there: it breaks the tie.
        let sticky = u64::from(rest.bytes().any(|digit| digit != b'0'));
        let size = (leading | sticky) as f64 * 2_f64.powi(i32::try_from(4 * rest.len()).ok()?);
        size.is_finite().then_some(if self.is_negative { -size } else { size })
    }
}

impl From<i64> for Integer {
    fn from(value: i64) -> Self {
        Self::new(value < 0, &format!("{:x}", value.unsigned_abs()))
    }
}

impl From<u64> for Integer {
    fn from(value: u64) -> Self {
        Self::new(false, &format!("{value:x}"))
    }
}

impl FromStr for Integer {
    type Err = ParseIntegerError;

    fn from_str(text: &str) -> Result<Self, ParseIntegerError> {
        let bad = || ParseIntegerError { text: text.chars().take(40).collect() };
        let (is_negative, size) = text.strip_prefix('-').map_or((false, text), |size| (true, size));
        if let Some(digits) = size.strip_prefix("0x") {
            let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            return is_number.then(|| Self::new(is_negative, digits)).ok_or_else(bad);
        }
        if size.is_empty() || size.len() > MAX_DECIMAL_DIGITS || !size.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(bad());
        }
        Ok(Self::new(is_negative, &hexadecimal(size.as_bytes())))
    }
}

/// Decimal digits as hexadecimal ones.
fn hexadecimal(digits: &[u8]) -> String {
    use std::fmt::Write as _;
    // To base 2^32, least significant first.
    let mut limbs: Vec<u32> = Vec::new();
    for step in digits.chunks(DIGITS_PER_STEP) {
        let mut carry = step.iter().fold(0_u64, |value, digit| value * 10 + u64::from(digit - b'0'));
        let factor = 10_u64.pow(step.len() as u32);
        for limb in &mut limbs {
            carry += u64::from(*limb) * factor;
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            limbs.push(carry as u32);
        }
    }
    limbs.iter().rev().fold(String::new(), |mut text, limb| {
        write!(text, "{limb:08x}").expect("writing to memory succeeds");
        text
    })
}

impl fmt::Display for Integer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative { "-" } else { "" };
        match u128::from_str_radix(&self.digits, 16) {
            Ok(size) => write!(formatter, "{sign}{size}"),
            Err(_) => write!(formatter, "{sign}0x{}", self.digits),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn integer(text: &str) -> Integer {
        text.parse().unwrap()
    }

    #[test]
    fn decimal_and_hexadecimal_are_one_number() {
        assert_eq!(integer("-0"), integer("0"));
        assert_eq!(integer("00255"), integer("0xFF"));
        // 2^200 and 10^40, by Python.
        assert_eq!(
            integer("1606938044258990275541962092341162602522202993782792835301376"),
            integer("0x100000000000000000000000000000000000000000000000000")
        );
        assert_eq!(
            integer("10000000000000000000000000000000000000000").to_string(),
            "0x1d6329f1c35ca4bfabb9f5610000000000"
        );
        for bad in ["", "-", "0x", "1e3", "+1", " 1", "0b1", "--1", "1_000"] {
            assert!(bad.parse::<Integer>().is_err(), "{bad}");
        }
    }

    #[test]
    fn floats_are_the_nearest_and_none_beyond_the_largest() {
        assert_eq!(integer("9007199254740993").to_f64(), Some(9_007_199_254_740_992.0));
        assert_eq!(integer("9007199254740995").to_f64(), Some(9_007_199_254_740_996.0));
        // One above the half between two floats: only the last of many digits says so.
        assert_eq!(
            integer("0x20000000000001000000000000000000000000001").to_f64(),
            Some(2_f64.powi(161) + 2_f64.powi(109))
        );
        assert_eq!(integer("0x20000000000001000000000000000000000000000").to_f64(), Some(2_f64.powi(161)));
        assert_eq!(integer(&format!("-0x1{}", "0".repeat(255))).to_f64(), Some(-(2_f64.powi(1020))));
        assert_eq!(integer(&format!("0x1{}", "0".repeat(256))).to_f64(), None);
    }

    proptest! {
        #[test]
        fn every_form_gives_the_number_back(value in any::<i128>(), small in any::<i64>()) {
            let number = integer(&value.to_string());
            prop_assert_eq!(number.to_string(), value.to_string());
            prop_assert_eq!(&number, &integer(&format!("{}0x{:x}", if value < 0 { "-" } else { "" }, value.unsigned_abs())));
            prop_assert_eq!(number.to_f64(), Some(value as f64));
            prop_assert_eq!(Integer::from(small).to_i64(), Some(small));
            let (is_negative, places) = number.to_fifteen_bit_digits();
            prop_assert_eq!(Integer::from_fifteen_bit_digits(is_negative, &places), number);
        }
    }
}
