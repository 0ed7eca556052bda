//! Whether an output is the expected one. Runs outside the sandbox.

use codeward_records::{Comparison, TextPolicy, Tolerance};

/// The first line, from 1, in which the output is not the expected one; None when it is.
pub(crate) fn first_difference(found: &[u8], expected: &str, comparison: &Comparison) -> Option<usize> {
    let expected = expected.as_bytes();
    if comparison.text == TextPolicy::Exact && comparison.tolerance.is_none() {
        return (found != expected).then(|| {
            let same = found.iter().zip(expected).take_while(|(left, right)| left == right).count();
            found[..same].split(|byte| *byte == b'\n').count()
        });
    }
    let (found, expected) = (lines(found, comparison.text), lines(expected, comparison.text));
    let longest = found.len().max(expected.len());
    (0..longest)
        .find(|at| match (found.get(*at), expected.get(*at)) {
            (Some(found), Some(expected)) => !line_is(found, expected, comparison.tolerance),
            _ => true,
        })
        .map(|at| at + 1)
}

/// The lines; without white space at their ends and empty lines at the end of the text where those do not matter.
fn lines(text: &[u8], policy: TextPolicy) -> Vec<&[u8]> {
    let lines = text.split(|byte| *byte == b'\n');
    if policy == TextPolicy::Exact {
        return lines.collect();
    }
    let mut lines: Vec<&[u8]> = lines.map(trim_end).collect();
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines
}

/// Without the white space at the end that Python's `str.rstrip` would take off, as far as it is ASCII.
fn trim_end(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c)).map_or(0, |at| at + 1);
    &line[..end]
}

fn line_is(found: &[u8], expected: &[u8], tolerance: Option<Tolerance>) -> bool {
    if found == expected {
        return true;
    }
    let Some(tolerance) = tolerance else { return false };
    let words =
        |line| std::str::from_utf8(line).ok().map(|line: &str| line.split_ascii_whitespace().collect::<Vec<_>>());
    words(found).zip(words(expected)).is_some_and(|(found, expected)| {
        found.len() == expected.len()
            && found
                .iter()
                .zip(expected)
                .all(|(found, expected)| *found == expected || near(found, expected, tolerance))
    })
}

/// Two numbers within the tolerance, of which one at least is no whole number: whole numbers are exact.
fn near(found: &str, expected: &str, tolerance: Tolerance) -> bool {
    let is_whole = |word: &str| word.trim_start_matches(['+', '-']).bytes().all(|digit| digit.is_ascii_digit());
    let number = |word: &str| word.parse::<f64>().ok();
    let Some((left, right)) = number(found).zip(number(expected)) else { return false };
    if is_whole(found) && is_whole(expected) {
        return false;
    }
    (left.is_nan() && right.is_nan())
        || left == right
        || ((left - right).abs().is_finite()
            && (left - right).abs() <= tolerance.absolute.max(tolerance.relative * left.abs().max(right.abs())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_differ(found: &str, expected: &str) -> Option<usize> {
        first_difference(found.as_bytes(), expected, &Comparison::default())
    }

    #[test]
    fn white_space_at_the_end_does_not_matter_by_default() {
        assert_eq!(lines_differ("1 2 \r\n3\n\n \n", "1 2\n3"), None);
        assert_eq!(lines_differ("", "\n\n"), None);
        assert_eq!(lines_differ("1  2\n", "1 2\n"), Some(1));
        assert_eq!(lines_differ(" 1\n", "1\n"), Some(1));
        assert_eq!(lines_differ("1\n\n2\n", "1\n2\n"), Some(2));
        assert_eq!(lines_differ("1\n", "1\n2\n"), Some(2));
        assert_eq!(lines_differ("1\n2\n", "1\n"), Some(2));
        assert_eq!(lines_differ("", "1"), Some(1));
        assert_eq!(lines_differ("0.30000000000000004\n", "0.3\n"), Some(1));
    }

    #[test]
    fn every_byte_matters_when_asked() {
        let exact = Comparison { text: TextPolicy::Exact, ..Comparison::default() };
        assert_eq!(first_difference(b"1\n2\n", "1\n2\n", &exact), None);
        assert_eq!(first_difference(b"1\n2", "1\n2\n", &exact), Some(2));
        assert_eq!(first_difference(b"1 \n2\n", "1\n2\n", &exact), Some(1));
        assert_eq!(first_difference(b"\xff", "\u{fffd}", &exact), Some(1));
        assert_eq!(first_difference(b"\xff", "\u{fffd}", &Comparison::default()), Some(1));
    }

    #[test]
    fn numbers_may_be_off_by_the_tolerance_word_by_word() {
        let near = Comparison { tolerance: Some(Tolerance { relative: 0.0, absolute: 0.01 }), ..Comparison::default() };
        let differ = |found: &str, expected: &str| first_difference(found.as_bytes(), expected, &near);
        assert_eq!(differ("x  0.301 1e2\n", "x 0.3 100.005\n"), None);
        assert_eq!(differ("3.0\n", "3\n"), None);
        assert_eq!(differ("nan -inf\n", "NaN -inf\n"), None);
        assert_eq!(differ("0.32\n", "0.3\n"), Some(1));
        assert_eq!(differ("0.3 0.3\n", "0.3\n"), Some(1));
        assert_eq!(differ("y 0.3\n", "x 0.3\n"), Some(1));
        assert_eq!(differ("inf\n", "1.0\n"), Some(1));
        // Two whole numbers are not made alike by any tolerance.
        let wide = Comparison { tolerance: Some(Tolerance { relative: 1.0, absolute: 9.0 }), ..Comparison::default() };
        assert_eq!(first_difference(b"3\n", "4\n", &wide), Some(1));
        assert_eq!(first_difference(b"3.0\n", "4\n", &wide), None);
    }
}
