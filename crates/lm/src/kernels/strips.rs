//! Products of few rows: a matrix is read once, a strip of columns at a time, while the sums of up to six rows stay in
//! registers. An engine for large products copies the matrix into an order of its own first, which takes longer than the
//! product of a few rows.
//!
//! Each sum is added up in the order that the engine takes, so that the result is the same to the bit, whichever rows are
//! beside a row and whoever computes it.

use std::ops::Range;

use super::matrix::{MatrixMut, Store};
use super::simd::{LANES, Lanes};

/// Columns of a strip.
pub(crate) const STRIP: usize = PIECES * LANES;
/// Registers across a strip.
const PIECES: usize = 4;
/// The longest sum that is added up in one go; a longer one is cut into equal parts.
const UNCUT_SUM: usize = 512;

/// How a matrix's numbers are kept.
pub(crate) trait Stored: Copy + Send + Sync {
    /// The number, exactly.
    fn wide(self) -> f32;
}

impl Stored for f32 {
    #[expect(clippy::inline_always, reason = "it must be compiled inside the caller's vector unit")]
    #[inline(always)]
    fn wide(self) -> f32 {
        self
    }
}

/// A number in bfloat16, by its bits.
impl Stored for u16 {
    #[expect(clippy::inline_always, reason = "it must be compiled inside the caller's vector unit")]
    #[inline(always)]
    fn wide(self) -> f32 {
        f32::from_bits(u32::from(self) << 16)
    }
}

/// [`STRIP`] columns of a matrix.
#[derive(Clone, Copy)]
pub(crate) struct Strip<'a, T> {
    /// From the strip's first number to its last.
    pub(crate) numbers: &'a [T],
    pub(crate) rows: usize,
    /// From one row to the next.
    pub(crate) stride: usize,
}

impl<'a, T> Strip<'a, T> {
    #[expect(clippy::inline_always, reason = "it must be compiled inside the caller's vector unit")]
    #[inline(always)]
    fn row(&self, row: usize) -> &'a [T; STRIP] {
        self.numbers[row * self.stride..].first_chunk().expect("a strip has whole rows")
    }
}

/// Whether this processor multiplies and adds with one rounding, as the engine does where it can.
pub(crate) fn is_fused() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// `output (+)= input * strip`, in the given columns of the output.
pub(crate) fn multiply_strip<T: Stored>(
    output: &mut MatrixMut<'_>,
    columns: &Range<usize>,
    store: Store,
    input: &[f32], // [rows, strip rows]
    strip: Strip<'_, T>,
) {
    let rows = input.len() / strip.rows.max(1);
    assert_eq!(input.len(), rows * strip.rows, "whole rows of {}", strip.rows);
    let mut row = 0;
    while row < rows {
        let input = &input[row * strip.rows..];
        // As many rows at a time as registers hold the sums of.
        row += match rows - row {
            6.. => add_rows::<T, 6>(output, row, columns, store, input, strip),
            4.. => add_rows::<T, 4>(output, row, columns, store, input, strip),
            3 => add_rows::<T, 3>(output, row, columns, store, input, strip),
            2 => add_rows::<T, 2>(output, row, columns, store, input, strip),
            _ => add_rows::<T, 1>(output, row, columns, store, input, strip),
        };
    }
}

/// Some rows of a strip's product; says how many.
fn add_rows<T: Stored, const ROWS: usize>(
    output: &mut MatrixMut<'_>,
    first: usize,
    columns: &Range<usize>,
    store: Store,
    input: &[f32],
    strip: Strip<'_, T>,
) -> usize {
    let pieces = strip.rows.div_ceil(UNCUT_SUM).max(1);
    let length = strip.rows.div_ceil(pieces).max(1);
    for start in (0..strip.rows).step_by(length) {
        let range = start..(start + length).min(strip.rows);
        let inputs: [&[f32]; ROWS] = std::array::from_fn(|row| &input[row * strip.rows..][range.clone()]);
        let sums = sums(&inputs, Strip { numbers: &strip.numbers[start * strip.stride..], ..strip });
        for (row, sums) in sums.iter().enumerate() {
            let output = &mut output.row(first + row)[columns.clone()];
            let sums = sums.as_flattened();
            if start == 0 && store == Store::Overwrite {
                output.copy_from_slice(&sums[..output.len()]);
            } else {
                for (output, sum) in output.iter_mut().zip(sums) {
                    *output += sum;
                }
            }
        }
    }
    ROWS
}

/// The sums of products of some rows with a strip, by the widest unit of this processor.
#[expect(unsafe_code, reason = "calls a function compiled for a vector unit that was found at run time")]
fn sums<T: Stored, const ROWS: usize>(inputs: &[&[f32]; ROWS], strip: Strip<'_, T>) -> [[Lanes; PIECES]; ROWS] {
    #[cfg(target_arch = "x86_64")]
    {
        use super::simd::{VectorUnit, vector_unit};

        #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
        fn avx512<T: Stored, const ROWS: usize>(
            inputs: &[&[f32]; ROWS],
            strip: Strip<'_, T>,
        ) -> [[Lanes; PIECES]; ROWS] {
            add_up::<T, ROWS, true>(inputs, strip)
        }
        #[target_feature(enable = "avx2,fma")]
        fn avx2<T: Stored, const ROWS: usize>(inputs: &[&[f32]; ROWS], strip: Strip<'_, T>) -> [[Lanes; PIECES]; ROWS] {
            add_up::<T, ROWS, true>(inputs, strip)
        }
        if is_fused() {
            match vector_unit() {
                // SAFETY: every feature of the variant was just found on this processor.
                VectorUnit::Avx512 => return unsafe { avx512(inputs, strip) },
                // SAFETY: as above.
                VectorUnit::Avx2 => return unsafe { avx2(inputs, strip) },
                VectorUnit::Baseline => {}
            }
        }
    }
    // Where the target has no instruction for it, a fused product would be a call for each number.
    add_up::<T, ROWS, { cfg!(not(target_arch = "x86_64")) }>(inputs, strip)
}

/// Row by row of the strip, all columns at once.
#[expect(clippy::inline_always, reason = "it must be compiled inside the caller's vector unit")]
#[inline(always)]
fn add_up<T: Stored, const ROWS: usize, const FUSED: bool>(
    inputs: &[&[f32]; ROWS],
    strip: Strip<'_, T>,
) -> [[Lanes; PIECES]; ROWS] {
    let mut sums = [[[0.0; LANES]; PIECES]; ROWS];
    let length = inputs[0].len();
    for input in inputs {
        assert_eq!(input.len(), length, "rows of one length");
    }
    for at in 0..length {
        let numbers = strip.row(at);
        let mut wide = [[0.0; LANES]; PIECES];
        for (wide, numbers) in wide.iter_mut().zip(numbers.as_chunks::<LANES>().0) {
            for lane in 0..LANES {
                wide[lane] = numbers[lane].wide();
            }
        }
        for (sums, input) in sums.iter_mut().zip(inputs) {
            let x = input[at];
            for (sums, wide) in sums.iter_mut().zip(&wide) {
                for lane in 0..LANES {
                    sums[lane] = if FUSED { x.mul_add(wide[lane], sums[lane]) } else { sums[lane] + x * wide[lane] };
                }
            }
        }
    }
    sums
}
