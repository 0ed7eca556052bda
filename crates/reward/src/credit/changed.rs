//! What a repair changed.

use std::ops::Range;

use codeward_records::Language;

use super::diff::hunks;
use super::lexer::lexical_units;

/// The most units that may differ: above, the one is no repair of the other.
const MOST_EDITS: usize = 1000;

/// The places of two programs that the other does not have, in bytes, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changed {
    /// Places of the first.
    pub old: Vec<Range<usize>>,
    /// Places of the second.
    pub new: Vec<Range<usize>>,
}

/// The places in which two programs differ, by the shortest edit between their lexical units; nothing where they differ too much to
/// be versions of one program. Comments and blanks are no units, so what differs in them alone is no change.
pub fn changed(language: Language, old: &str, new: &str) -> Option<Changed> {
    let (old_units, new_units) = (lexical_units(language, old), lexical_units(language, new));
    let mut numbers = std::collections::HashMap::new();
    let mut number = |text| {
        let next = numbers.len() as u32;
        *numbers.entry(text).or_insert(next)
    };
    let old_words: Vec<u32> = old_units.iter().map(|unit| number(&old[unit.clone()])).collect();
    let new_words: Vec<u32> = new_units.iter().map(|unit| number(&new[unit.clone()])).collect();
    let place = |units: &[Range<usize>], run: &Range<usize>| {
        (!run.is_empty()).then(|| units[run.start].start..units[run.end - 1].end)
    };
    let hunks = hunks(&old_words, &new_words, MOST_EDITS)?;
    Some(Changed {
        old: hunks.iter().filter_map(|hunk| place(&old_units, &hunk.old)).collect(),
        new: hunks.iter().filter_map(|hunk| place(&new_units, &hunk.new)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_a_place() {
        let old = "def load(text):\n    # quick\n    return yaml.load(text)\n";
        let new = "def load(text):\n    return yaml.safe_load(text)  # safe\n";
        let places = changed(Language::Python, old, new).unwrap();
        let texts = |text: &'static str, ranges: &[Range<usize>]| -> Vec<&str> {
            ranges.iter().map(|range| &text[range.clone()]).collect()
        };
        assert_eq!(texts(old, &places.old), ["load"]);
        assert_eq!(texts(new, &places.new), ["safe_load"]);
    }

    #[test]
    fn what_was_only_added_has_no_place_in_the_old() {
        let places = changed(Language::Python, "x = read(n)\n", "if n < 9:\n    x = read(n)\n").unwrap();
        assert_eq!((places.old.len(), places.new.len(), places.new[0].clone()), (0, 1, 0..9));
        assert_eq!(changed(Language::Python, "x = 1", "x = 1  # one").unwrap(), Changed::default());
        let (one, other) = ("a ".repeat(600), "b ".repeat(600));
        assert_eq!(changed(Language::Python, &one, &other), None);
    }
}
