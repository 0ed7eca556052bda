//! How much a run says: what is in every program says little.

use std::collections::{BTreeSet, HashMap};

use codeward_records::Language;

use super::lexer::lexical_units;

/// A run weighs at least so much, and at most so much.
const WEIGHTS: (f64, f64) = (0.5, 2.0);

/// Programs that say which n-grams are common.
#[derive(Debug, Clone)]
pub struct Corpus {
    ngram: usize,
    num_programs: usize,
    /// In how many programs an n-gram occurs, by its units with a zero after each.
    programs_with: HashMap<String, usize>,
}

impl Corpus {
    /// Counts n-grams of so many units; use the figure of the rules.
    pub fn new<'a>(language: Language, ngram: usize, programs: impl IntoIterator<Item = &'a str>) -> Self {
        let mut corpus = Self { ngram: ngram.max(1), num_programs: 0, programs_with: HashMap::new() };
        for program in programs {
            let units: Vec<&str> = lexical_units(language, program).into_iter().map(|span| &program[span]).collect();
            for key in units.windows(corpus.ngram).map(key).collect::<BTreeSet<_>>() {
                *corpus.programs_with.entry(key).or_default() += 1;
            }
            corpus.num_programs += 1;
        }
        corpus
    }

    /// The mean of `ln((1 + N) / (1 + N(n-gram)))` over a run's n-grams, within [0.5, 2]. `N` counts programs.
    pub(super) fn weight(&self, run: &[&str]) -> f64 {
        let num_ngrams = run.windows(self.ngram).count();
        if num_ngrams == 0 {
            return 1.0;
        }
        let rarity = |ngram: &[&str]| {
            let found = self.programs_with.get(&key(ngram)).copied().unwrap_or(0);
            ((1 + self.num_programs) as f64 / (1 + found) as f64).ln()
        };
        let mean = run.windows(self.ngram).map(rarity).sum::<f64>() / num_ngrams as f64;
        mean.clamp(WEIGHTS.0, WEIGHTS.1)
    }
}

fn key(units: &[&str]) -> String {
    units.iter().flat_map(|unit| [unit, "\0"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_program_has_weighs_least() {
        let programs = ["a(b, c)", "a(b, d)", "a(b, e)", "x = y"];
        let corpus = Corpus::new(Language::Python, 3, programs);
        // `a ( b` is in 3 of 4: ln(5/4) = 0.22, below the least.
        assert_eq!(corpus.weight(&["a", "(", "b"]), 0.5);
        // `x = y` is in 1 of 4: ln(5/2).
        assert!((corpus.weight(&["x", "=", "y"]) - 2.5f64.ln()).abs() < 1e-12);
        // Both n-grams unknown: ln 5 = 1.61; a run of one known and one unknown n-gram has the mean.
        assert!((corpus.weight(&["p", "q", "r", "s"]) - 5f64.ln()).abs() < 1e-12);
        assert!((corpus.weight(&["x", "=", "y", "z"]) - f64::midpoint(2.5f64.ln(), 5f64.ln())).abs() < 1e-12);
        let many = Corpus::new(Language::Python, 3, std::iter::repeat_n("a = b", 20));
        assert_eq!(many.weight(&["p", "q", "r"]), 2.0);
        assert_eq!(many.weight(&["p"]), 1.0);
    }
}
