//! Words in names.
//!
//! Names are short: looking for the first byte finds a word sooner than preparing a search does.

/// Whether a word stands somewhere in a name.
pub(super) fn holds(name: &str, word: &str) -> bool {
    let Some((first, rest)) = word.as_bytes().split_first() else { return true };
    let name = name.as_bytes();
    (0..name.len()).any(|at| name[at] == *first && name[at + 1..].starts_with(rest))
}

/// Whether one of the words does.
pub(super) fn holds_any(name: &str, words: &[&str]) -> bool {
    words.iter().any(|word| holds(name, word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn as_the_library_finds_it(name in "[ab\u{e9}]{0,9}", word in "[ab\u{e9}]{0,3}") {
            prop_assert_eq!(holds(&name, &word), name.contains(&word));
        }
    }
}
