//! How numbers are written for people: shares as percent, differences as percentage points, probabilities.

use codeward_records::Interval;

/// A share as percent with one decimal, for example `71.2%`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}

/// A difference of shares in points with its sign, for example `+2.8`; no sign when it rounds to zero.
pub(crate) fn points(difference: f64) -> String {
    let text = format!("{:+.1}", difference * 100.0);
    if text[1..] == *"0.0" { "0.0".to_owned() } else { text }
}

/// The bounds of an interval of shares, for example `[64.0, 78.1]`, in percent.
pub(crate) fn percent_bounds(interval: Interval) -> String {
    format!("[{:.1}, {:.1}]", interval.low * 100.0, interval.high * 100.0)
}

/// The bounds of an interval of differences, in points.
pub(crate) fn point_bounds(interval: Interval) -> String {
    format!("[{}, {}]", points(interval.low), points(interval.high))
}

/// A p-value with its comparison, for example `= 0.031` or `< 0.001`.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("= {p:.3}") }
}

/// A whole number with the noun that fits it: `1 pair`, `2 pairs`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_and_roundings() {
        assert_eq!(percent(0.7123), "71.2%");
        assert_eq!([points(0.028), points(-0.0004), points(0.0), points(-1.0)], ["+2.8", "0.0", "0.0", "-100.0"]);
        assert_eq!(point_bounds(Interval { value: 0.1, low: -0.05, high: 0.25 }), "[-5.0, +25.0]");
        assert_eq!([p_value(0.0001), p_value(0.0312), p_value(1.0)], ["< 0.001", "= 0.031", "= 1.000"]);
        assert_eq!([count(1, "pair"), count(0, "pair")], ["1 pair", "0 pairs"]);
    }
}
