//! The n-gram parts: BLEU over tokens between white space, and its recall form with weights for keywords.
//!
//! With `c` the candidate's and `r` the reference's counts of one n-gram, for the orders n = 1 to 4:
//!
//! - n-gram match: `p_n = Σ min(c, r) / max(1, Σ c)`, brevity penalty `b = 1` if the candidate is longer, else `exp(1 - |r| / |c|)`;
//! - keyword-weighted match: `p_n = Σ w·min(c, r) / max(1, Σ w·r)` where `w` is 1 for a keyword and 0.2 for any other token if n = 1, and 1
//!   for the longer ones.
//!
//! Either is `b · exp(Σ ln(p_n) / 4)`, a numerator of 0 smoothed to 0.1 (method 1 of Chen and Cherry, "A Systematic Comparison of
//! Smoothing Techniques for Sentence-Level BLEU", 2014), and 0 where no token is shared. CodeBLEU: Ren et al., arXiv 2009.10297.

use crate::language::Language;

use super::hash::{common, mix, quick};
use super::keywords::keyword_hashes;

/// The longest n-grams.
const ORDERS: usize = 4;

/// What a token that is no keyword weighs.
const PLAIN_WEIGHT: f64 = 0.2;

/// What stands in for no match at all.
const SMOOTHED_NUMERATOR: f64 = 0.1;

/// The length of any reference that the package's keyword-weighted match takes for its brevity penalty: it measures a pair, the
/// tokens and their weights, instead of the tokens.
const PACKAGE_REFERENCE_LENGTH: usize = 2;

/// The tokens of one snippet, counted.
#[derive(Debug, Clone)]
pub(super) struct Tokens {
    count: usize,
    /// The n-grams of each order, sorted, as often as they occur, one order behind the other.
    grams: Vec<u64>,
    /// Different tokens in the order of their first appearance.
    vocabulary: Vec<Word>,
}

#[derive(Debug, Clone)]
struct Word {
    hash: u64,
    count: usize,
    weight: f64,
}

/// White space as Python's `str.split` and `str.strip` see it: Unicode's, and four separators of ASCII.
pub(super) fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\x1c'..='\x1f')
}

impl Tokens {
    /// Counts a text's tokens.
    pub(super) fn of(language: Language, source: &str) -> Self {
        let tokens = source.split(is_space).filter(|token| !token.is_empty());
        let hashes: Vec<u64> = tokens.map(|token| quick(token.as_bytes())).collect();
        let mut grams = Vec::with_capacity(ORDERS * hashes.len());
        let mut last: Vec<u64> = vec![0; hashes.len()];
        for order in 0..ORDERS {
            // Each n-gram is the one that begins there and is a token shorter, and its last token.
            last.truncate(hashes.len().saturating_sub(order));
            last.iter_mut().zip(hashes.iter().skip(order)).for_each(|(gram, token)| *gram = mix(*gram, *token));
            let start = grams.len();
            grams.extend_from_slice(&last);
            grams[start..].sort_unstable();
        }
        Self { count: hashes.len(), grams, vocabulary: vocabulary(language, &hashes) }
    }

    /// The n-grams of one order, from 0 for single tokens.
    fn grams(&self, order: usize) -> &[u64] {
        let start: usize = (0..order).map(|shorter| self.count.saturating_sub(shorter)).sum();
        &self.grams[start..start + self.count.saturating_sub(order)]
    }

    /// How often the 1-gram of a token occurs.
    fn occurrences(&self, token: u64) -> usize {
        let key = mix(0, token);
        let words = self.grams(0);
        let start = words.partition_point(|word| *word < key);
        words[start..].iter().take_while(|word| **word == key).count()
    }
}

fn vocabulary(language: Language, hashes: &[u64]) -> Vec<Word> {
    let keywords = keyword_hashes(language);
    let mut words: Vec<Word> = Vec::with_capacity(hashes.len());
    // Words by hash, from 1; at most half of the places are taken.
    let mut table: Vec<u32> = vec![0; (2 * hashes.len()).next_power_of_two()];
    let mask = table.len() - 1;
    for &hash in hashes {
        let mut place = hash as usize & mask;
        loop {
            match table[place] as usize {
                0 => {
                    let weight = if keywords.binary_search(&hash).is_ok() { 1.0 } else { PLAIN_WEIGHT };
                    words.push(Word { hash, count: 1, weight });
                    table[place] = words.len() as u32;
                    break;
                }
                known if words[known - 1].hash == hash => {
                    words[known - 1].count += 1;
                    break;
                }
                _ => place = (place + 1) & mask,
            }
        }
    }
    words
}

/// The n-gram match, 0 to 1.
pub(super) fn ngram_match(reference: &Tokens, candidate: &Tokens) -> f64 {
    let precisions = std::array::from_fn(|order| {
        let (wanted, given) = (reference.grams(order), candidate.grams(order));
        (common(wanted, given) as f64, given.len().max(1) as f64)
    });
    bleu(precisions, reference.count, candidate.count)
}

/// The keyword-weighted match, 0 to 1, with the brevity penalty of the package or of the reference's own length.
pub(super) fn weighted_match(reference: &Tokens, candidate: &Tokens, is_length_real: bool) -> f64 {
    let mut recalls: [(f64, f64); ORDERS] = std::array::from_fn(|order| {
        let (wanted, given) = (reference.grams(order), candidate.grams(order));
        (common(wanted, given) as f64, wanted.len().max(1) as f64)
    });
    let (mut shared, mut all) = (0.0, 0.0);
    for word in &reference.vocabulary {
        shared += word.count.min(candidate.occurrences(word.hash)) as f64 * word.weight;
        all += word.count as f64 * word.weight;
    }
    recalls[0] = (shared, f64::max(all, 1.0));
    let reference_length = if is_length_real { reference.count } else { PACKAGE_REFERENCE_LENGTH };
    bleu(recalls, reference_length, candidate.count)
}

/// The brevity penalty times the geometric mean, smoothed.
fn bleu(matches: [(f64, f64); ORDERS], reference_length: usize, candidate_length: usize) -> f64 {
    if matches[0].0 == 0.0 || candidate_length == 0 {
        return 0.0;
    }
    let penalty = if candidate_length > reference_length {
        1.0
    } else {
        (1.0 - reference_length as f64 / candidate_length as f64).exp()
    };
    let smoothed = matches.map(|(shared, all)| if shared == 0.0 { SMOOTHED_NUMERATOR / all } else { shared / all });
    penalty * smoothed.map(|share| share.ln() / ORDERS as f64).iter().sum::<f64>().exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Tokens {
        Tokens::of(Language::Python, text)
    }

    #[test]
    fn hand_counted_matches() {
        let reference = tokens("return a + b + c");
        let candidate = tokens("return a + b");
        // Four of four 1-grams, three of three, two of two, one of one; two tokens short of six.
        assert!((ngram_match(&reference, &candidate) - (-0.5_f64).exp()).abs() < 1e-15);
        // 1-grams: 1 + 0.2 * 3 of 1 + 0.2 * 5, then 3 of 5, 2 of 4, 1 of 3.
        let mean = ((1.6 / 2.0) * (3.0 / 5.0) * (2.0 / 4.0) * (1.0 / 3.0_f64)).powf(0.25);
        assert!((weighted_match(&reference, &candidate, false) - mean).abs() < 1e-15);
        assert!((weighted_match(&reference, &candidate, true) - mean * (-0.5_f64).exp()).abs() < 1e-15);
    }

    #[test]
    fn nothing_shared_is_nothing() {
        assert_eq!(ngram_match(&tokens("a b"), &tokens("c d")), 0.0);
        assert_eq!(ngram_match(&tokens("a b"), &tokens("")), 0.0);
        assert_eq!(weighted_match(&tokens(""), &tokens(""), false), 0.0);
    }

    #[test]
    fn separators_of_ascii_are_spaces() {
        assert_eq!(tokens("a\x1cb\u{a0}c").count, 3);
        assert_eq!(tokens("a\u{200b}b").count, 1);
    }

    /// How many n-grams two texts share, counted as they are written.
    fn shared(reference: &str, candidate: &str, length: usize) -> usize {
        let words = |text: &str| text.split(is_space).filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let [reference, candidate]: [Vec<String>; 2] = [words(reference), words(candidate)];
        let mut left: Vec<&[String]> = candidate.windows(length).collect();
        let mut is_there = |gram: &&[String]| {
            let place = left.iter().position(|other| other == gram);
            place.map(|place| left.swap_remove(place)).is_some()
        };
        reference.windows(length).filter(|gram| is_there(gram)).count()
    }

    proptest::proptest! {
        #[test]
        fn n_grams_are_counted_as_written(one in "([ab] ?|if |\\x1c|\u{a0}){0,30}", other in "([ab] ?|if |\\x1c|\u{a0}){0,30}") {
            let (reference, candidate) = (tokens(&one), tokens(&other));
            for order in 0..ORDERS {
                let found = common(reference.grams(order), candidate.grams(order));
                proptest::prop_assert_eq!(found, shared(&one, &other, order + 1));
            }
            let counted: usize = reference.vocabulary.iter().map(|word| word.count).sum();
            proptest::prop_assert_eq!(counted, reference.count);
            let found: usize =
                reference.vocabulary.iter().map(|word| word.count.min(candidate.occurrences(word.hash))).sum();
            proptest::prop_assert_eq!(found, shared(&one, &other, 1));
        }
    }
}
