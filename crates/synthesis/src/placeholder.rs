//! Replacing placeholder words.

use std::collections::BTreeMap;

/// Replaces every whole word of `text` that is a key of `values`. Words are runs of letters, digits and underscores, so that
/// a reference stays valid Python before and after.
pub(crate) fn fill(text: &str, values: &BTreeMap<String, String>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let word_end = rest.find(|letter: char| !is_word(letter)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(word_end);
        filled.push_str(values.get(word).map_or(word, String::as_str));
        let gap_end = after.find(is_word).unwrap_or(after.len());
        let (gap, next) = after.split_at(gap_end);
        filled.push_str(gap);
        rest = next;
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn whole_words_only() {
        let values = values(&[("FN", "read"), ("NOTE", "title")]);
        assert_eq!(
            fill("def FN(NOTE): return NOTES[FN_X] + f\"{NOTE}\"", &values),
            "def read(title): return NOTES[FN_X] + f\"{title}\""
        );
        assert_eq!(fill("NOTE", &values), "title");
        assert_eq!(fill("ÄNOTE NOTE", &values), "ÄNOTE title");
    }

    proptest! {
        #[test]
        fn text_without_placeholders_is_untouched(text in "\\PC*") {
            prop_assert_eq!(fill(&text, &values(&[("\u{1}never", "x")])), text);
        }
    }
}
