//! Vector units: one body, compiled for each unit that matters, chosen when the program runs.
//!
//! Only the plain loops of the kernels go through here; matrix products choose their unit themselves. The bodies are
//! ordinary safe Rust written in lanes, so that the compiler can use the widest registers of the unit at hand.

/// Accumulators per reduction: one 512-bit register, or two or four narrower ones.
pub(crate) const LANES: usize = 16;
/// As many numbers as are computed side by side. Passed by value, so that they stay in registers.
pub(crate) type Lanes = [f32; LANES];

/// The vector units that get their own compilation of a kernel.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum VectorUnit {
    /// 512-bit registers.
    Avx512,
    /// 256-bit registers.
    Avx2,
    /// What every processor of the target has.
    Baseline,
}

/// The widest unit of this processor. The standard library caches the probe.
#[cfg(target_arch = "x86_64")]
pub(crate) fn vector_unit() -> VectorUnit {
    let wide = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq");
    match is_x86_feature_detected!("avx2") {
        true if wide => VectorUnit::Avx512,
        true => VectorUnit::Avx2,
        false => VectorUnit::Baseline,
    }
}

/// Defines a function whose body is compiled once per vector unit.
///
/// A function cannot do this: the target features are attributes of the compiled item.
macro_rules! vectorized {
    ($(#[$attribute:meta])* $visibility:vis fn $name:ident($($argument:ident: $kind:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$attribute])*
        #[expect(unsafe_code, reason = "calls a function compiled for a vector unit that was found at run time")]
        $visibility fn $name($($argument: $kind),*) $(-> $result)? {
            // The body must be compiled inside each of the variants below.
            #[inline(always)]
            fn portable($($argument: $kind),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2")]
                fn avx512($($argument: $kind),*) $(-> $result)? { portable($($argument),*) }
                #[target_feature(enable = "avx2")]
                fn avx2($($argument: $kind),*) $(-> $result)? { portable($($argument),*) }
                match $crate::kernels::simd::vector_unit() {
                    // SAFETY: every feature of the variant was just found on this processor.
                    $crate::kernels::simd::VectorUnit::Avx512 => return unsafe { avx512($($argument),*) },
                    // SAFETY: as above.
                    $crate::kernels::simd::VectorUnit::Avx2 => return unsafe { avx2($($argument),*) },
                    $crate::kernels::simd::VectorUnit::Baseline => {}
                }
            }
            portable($($argument),*)
        }
    };
}
pub(crate) use vectorized;

/// The exponential without a branch or a call, so that loops over it vectorise. Relative error below 3e-7.
///
/// Below -87 the result stays at that of -87 (1.6e-38), above 88 at that of 88.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding this moves the integer part of a small float into the lowest mantissa bits, rounded to nearest.
    const TO_INTEGER: f32 = 12_582_912.0;
    // The natural logarithm of two in two parts: the first times a small integer is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + TO_INTEGER;
    let n = shifted - TO_INTEGER;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    // The Taylor polynomial of degree six; |r| is at most half the logarithm of two.
    let p = 1.0 / 120.0 + r * (1.0 / 720.0);
    let p = 1.0 / 6.0 + r * (1.0 / 24.0 + r * p);
    let p = 1.0 + r * (1.0 + r * (0.5 + r * p));
    // The low bits of `shifted` hold n; shifting them to the exponent drops the rest.
    f32::from_bits(shifted.to_bits().wrapping_add(127) << 23) * p
}

/// `sums + a * b`, lane by lane.
#[expect(clippy::inline_always, reason = "it must be compiled inside the caller's vector unit")]
#[inline(always)]
pub(crate) fn add_product(mut sums: Lanes, a: &Lanes, b: &Lanes) -> Lanes {
    for lane in 0..LANES {
        sums[lane] += a[lane] * b[lane];
    }
    sums
}

/// `sums + scale * values`, lane by lane.
#[expect(clippy::inline_always, reason = "it must be compiled inside the caller's vector unit")]
#[inline(always)]
pub(crate) fn add_scaled(mut sums: Lanes, scale: f32, values: &Lanes) -> Lanes {
    for lane in 0..LANES {
        sums[lane] += scale * values[lane];
    }
    sums
}

/// `a + b`, lane by lane.
#[expect(clippy::inline_always, reason = "it must be compiled inside the caller's vector unit")]
#[inline(always)]
pub(crate) fn add(mut a: Lanes, b: &Lanes) -> Lanes {
    for lane in 0..LANES {
        a[lane] += b[lane];
    }
    a
}

/// Adds up lanes as a balanced tree, always in the same order.
#[expect(clippy::inline_always, reason = "it must be compiled inside the caller's vector unit")]
#[inline(always)]
pub(crate) fn sum_lanes(lanes: Lanes) -> f32 {
    let (mut eight, mut four) = ([0.0; 8], [0.0; 4]);
    for lane in 0..8 {
        eight[lane] = lanes[lane] + lanes[lane + 8];
    }
    for lane in 0..4 {
        four[lane] = eight[lane] + eight[lane + 4];
    }
    (four[0] + four[2]) + (four[1] + four[3])
}

/// Replaces scores by their exponentials relative to `top`, after scaling.
#[expect(clippy::inline_always, reason = "it must be compiled inside the caller's vector unit")]
#[inline(always)]
pub(crate) fn exponentiate(scores: &mut [f32], scale: f32, top: f32) {
    let (chunks, rest) = scores.as_chunks_mut::<LANES>();
    for chunk in chunks {
        let mut lanes = *chunk;
        for score in &mut lanes {
            *score = exp(*score * scale - top);
        }
        *chunk = lanes;
    }
    for score in rest {
        *score = exp(*score * scale - top);
    }
}

/// The sum of all elements.
#[expect(clippy::inline_always, reason = "it must be compiled inside the caller's vector unit")]
#[inline(always)]
pub(crate) fn sum(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for chunk in chunks {
        sums = add(sums, chunk);
    }
    sum_lanes(sums) + rest.iter().sum::<f32>()
}

/// The inner product of two vectors of equal length.
#[expect(clippy::inline_always, reason = "it must be compiled inside the caller's vector unit")]
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "vectors of one length");
    let ((a_chunks, a_rest), (b_chunks, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        sums = add_product(sums, a, b);
    }
    let mut sum = sum_lanes(sums);
    for (x, y) in a_rest.iter().zip(b_rest) {
        sum += x * y;
    }
    sum
}

/// The largest element; minus infinity for an empty slice.
#[expect(clippy::inline_always, reason = "it must be compiled inside the caller's vector unit")]
#[inline(always)]
pub(crate) fn maximum(values: &[f32]) -> f32 {
    // A comparison, not `f32::max`: it maps to one instruction.
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut tops = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            tops[lane] = larger(tops[lane], chunk[lane]);
        }
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            tops[lane] = larger(tops[lane], tops[lane + width]);
        }
        width /= 2;
    }
    rest.iter().fold(tops[0], |a, &b| larger(a, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_matches_the_double_precision_exponential() {
        let mut worst = 0.0f64;
        for step in -87_000..=88_000 {
            let x = step as f32 / 1000.0;
            let expected = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) - expected).abs() / expected);
        }
        assert!(worst < 3e-7, "worst relative error {worst:e}");
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-1000.0), exp(-87.0));
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn reductions_match_plain_loops_at_every_length() {
        for length in 0..70 {
            let a: Vec<f32> = (0..length).map(|i| (i * 7 % 11) as f32 - 5.0).collect();
            let b: Vec<f32> = (0..length).map(|i| (i * 5 % 13) as f32 - 6.0).collect();
            // Small integers, so that the order of addition does not matter.
            assert_eq!(dot(&a, &b), a.iter().zip(&b).map(|(x, y)| x * y).sum::<f32>());
            assert_eq!(maximum(&a), a.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        }
    }
}
