//! How a completion's length compares with the reference's, after SecCoderX (arXiv 2602.07422, stage 4).

/// The published buckets, by numbers of lines, computed with whole numbers: a quotient never falls on the wrong side of a bound.
///
/// | `(lines - reference) / reference` | value |
/// |---|---|
/// | below -0.5 | -2 |
/// | -0.5 to -0.3 | -0.5 |
/// | above -0.3, to 0.5 | 1 |
/// | above 0.5, or either text empty | 0 |
pub fn published_length(lines: usize, reference: usize) -> f64 {
    if lines == 0 || reference == 0 {
        return 0.0;
    }
    let (lines, reference) = (lines as i128, reference as i128);
    let difference = lines - reference;
    if 2 * difference > reference {
        0.0
    } else if 10 * difference > -3 * reference {
        1.0
    } else if 2 * difference >= -reference {
        -0.5
    } else {
        -2.0
    }
}

/// The mended form: a gate in 0 to 1, from numbers of lexical units, which neither comments nor line breaks move. Half the reference is
/// enough; beyond four times the reference and 64 units the gate closes in proportion. Without a reference it is open. Ours.
pub fn length_gate(units: usize, reference: usize) -> f64 {
    if reference == 0 {
        return 1.0;
    }
    (units as f64 / (0.5 * reference as f64)).min(1.0).min(padding_gate(units, reference))
}

/// Only the upper side of [`length_gate`]: where tests say what works, a short answer that works is a good one. Ours.
pub fn padding_gate(units: usize, reference: usize) -> f64 {
    let generous = (4 * reference).max(64) as f64;
    if reference > 0 && units as f64 > generous { generous / units as f64 } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_published_buckets_of_ten_lines() {
        let buckets: Vec<f64> = (4..=16).map(|lines| published_length(lines, 10)).collect();
        assert_eq!(buckets, [-2.0, -0.5, -0.5, -0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
        assert_eq!((published_length(0, 10), published_length(10, 0)), (0.0, 0.0));
    }

    #[test]
    fn the_gate_is_open_around_the_reference() {
        assert_eq!([0, 25, 50, 100, 400, 800].map(|units| length_gate(units, 100)), [0.0, 0.5, 1.0, 1.0, 1.0, 0.5]);
        assert_eq!([0, 25, 100, 400, 800].map(|units| padding_gate(units, 100)), [1.0, 1.0, 1.0, 1.0, 0.5]);
        assert_eq!((length_gate(64, 4), length_gate(128, 4), length_gate(0, 0)), (1.0, 0.5, 1.0));
    }

    proptest! {
        #[test]
        fn whole_numbers_and_floats_agree_on_the_buckets(lines in 1_usize..5_000, reference in 1_usize..5_000) {
            let change = (lines as f64 - reference as f64) / reference as f64;
            let expected = if change > 0.5 { 0.0 } else if change > -0.3 { 1.0 } else if change >= -0.5 { -0.5 } else { -2.0 };
            prop_assert_eq!(published_length(lines, reference), expected);
        }

        #[test]
        fn the_gate_stays_in_its_range(units in 0_usize..100_000, reference in 0_usize..100_000) {
            prop_assert!((0.0..=1.0).contains(&length_gate(units, reference)));
        }
    }
}
