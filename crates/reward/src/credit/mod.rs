//! What each part of a completion deserves: rewards for places and, in the end, for tokens.
//!
//! SRCode (arXiv 2602.23407) rewards secure tokens and punishes vulnerable sequences, learned from pairs of a vulnerable program and its
//! repair. The paper's formula is not public. **What is here is our own definition**, not a reproduction. In units of the
//! language ([`lexical_units`]), for a pair of a vulnerable program `v` and its repair `f`, and a completion `y`:
//!
//! 1. The shortest edit from `v` to `f` gives runs: what was taken out of `v` (vulnerable) and put into `f` (secure). A run takes in
//!    neighbours until it has [`CreditRules::least_run`] units; one above [`CreditRules::longest_run`] is cut into equal pieces.
//! 2. What occurs on the other side too says nothing and is dropped ([`Specificity`]).
//! 3. A unit of `y` is in `M+` if it lies in an n-gram of a secure run, and in `M-` if it lies in a vulnerable run of which at least
//!    [`CreditRules::whole_share`] occurs, in one piece. The first occurrence of each n-gram and of each vulnerable run counts.
//! 4. `r = a·w·[M+] / max(1, |M+|/k) - b·w·[M-]` with `a` = [`CreditRules::bonus`], `b` = [`CreditRules::penalty`],
//!    `k` = [`CreditRules::full_bonus_units`], and `w` the run's weight: 1, or how rare it is in a [`Corpus`], within [0.5, 2].
//! 5. `r` is cut to [-1, 1] ([`MOST_AT_ONE_PLACE`]); if the sum leaves [-3, 3] ([`MOST_IN_TOTAL`]), all of it shrinks in proportion.
//! 6. Where the completion does not parse or earns nothing for its function, the positive part is zero and the negative stays
//!    ([`Gate`]).
//!
//! Rewards belong to units, not to policy tokens, so that a finer tokenizer does not earn more; [`per_token_rewards`] spreads them.
//! [`finding_credit`] makes the same kind of spans from what the analyser finds, and [`hybrid_advantages`] joins them with GRPO.
//!
//! ```
//! use codeward_records::Language;
//! use codeward_reward::{CreditRules, Gate, RepairPair, RepairPatterns, per_token_rewards};
//!
//! let pair = RepairPair {
//!     vulnerable: "def load(text):\n    return yaml.load(text, Loader=yaml.Loader)\n".to_owned(),
//!     secure: "def load(text):\n    return yaml.safe_load(text)\n".to_owned(),
//!     cwe: None,
//! };
//! let patterns = RepairPatterns::new(Language::Python, &[pair], &CreditRules::default(), None)?;
//! assert!(patterns.credit("config = yaml.safe_load(body)", Gate::Open).total() > 0.0);
//! assert!(patterns.credit("config = yaml.load(text, Loader=yaml.Loader)", Gate::Open).total() < 0.0);
//!
//! let credit = patterns.credit("x = yaml.safe_load(y)", Gate::Open);
//! let tokens = per_token_rewards(&credit.spans, &[0..4, 4..8, 8..20, 20..21])?;
//! assert!(tokens[2] > 0.0 && tokens[0] == 0.0);
//! # Ok::<(), codeward_reward::CreditError>(())
//! ```
//!
//! # Two departures, and why
//!
//! To the letter ([`CreditRules::plain`]) the definition pays many vulnerable programs, since parts of a secure run are in them too, and
//! finds nothing wrong where a repair only adds a check. The default looks at what is matched ([`Specificity::Match`]) and at
//! the places of what is missing ([`CreditRules::context_of_nothing`]). Signs on the 1,041 real repairs of SVEN and SafeCoder in our
//! languages, by `cargo run -p codeward-reward --example credit_on_pairs -- sven/pairs.jsonl safecoder/pairs.jsonl`:
//!
//! | rules | vulnerable side: positive, zero, negative | secure side: positive, zero, negative |
//! |---|---|---|
//! | to the letter | 265, 159, 617 | 945, 82, 14 |
//! | default | 0, 11, 1030 | 984, 57, 0 |
//!
//! # What it cannot do
//!
//! Runs are spelled with the pair's own names: a vulnerable call under another name is not recognised. A short run such as `= True )` is
//! hardly specific; a corpus lowers its weight. A repair that only takes something out may leave no n-gram that is new, and one
//! that only adds to the start or end of a program leaves no place where it is missing. In a set of pairs, what one pair calls secure
//! may be another's weakness; specificity holds within a pair. Whoever wrote the repair decides what is secure.

mod changed;
mod diff;
mod findings;
mod lexer;
mod patterns;
mod projection;
#[cfg(test)]
mod tests;
mod weight;

pub use changed::{Changed, changed};
use codeward_records::SpanReward;
pub use findings::{FindingRules, finding_credit};
pub use lexer::lexical_units;
pub use patterns::{Credit, Gate, RepairPair, RepairPatterns};
pub use projection::{hybrid_advantages, per_token_rewards, with_scalar_at_end};
use serde::{Deserialize, Serialize};
pub use weight::Corpus;

/// No unit and no token has more than this, either way.
pub const MOST_AT_ONE_PLACE: f64 = 1.0;
/// The rewards of a completion sum to no more than this, either way.
pub const MOST_IN_TOTAL: f64 = 3.0;

/// The figures of the definition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CreditRules {
    /// `a`: what a unit in `M+` earns before weighing.
    pub bonus: f64,
    /// `b`: what a unit in `M-` costs before weighing.
    pub penalty: f64,
    /// `k`: beyond so many units in `M+` the bonus is shared, so that repeating does not pay.
    pub full_bonus_units: f64,
    /// Units in an n-gram of a secure run.
    pub ngram: usize,
    /// A shorter run takes in its neighbours, left and right in turns.
    pub least_run: usize,
    /// A longer run is cut.
    pub longest_run: usize,
    /// The share of a vulnerable run that has to occur in one piece.
    pub whole_share: f64,
    /// What occurs on the other side too is dropped.
    pub specificity: Specificity,
    /// Where an edit only takes out or only puts in, the other side is a run of no units. It takes in so many neighbours, half on
    /// each side: the place where a check is missing. 0 leaves such runs out.
    pub context_of_nothing: usize,
}

/// At which grain a pattern must not occur on the other side of its pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Specificity {
    /// Whole runs. Parts of a secure run may then earn something in the vulnerable program.
    Run,
    /// Whatever would be matched: n-grams of secure runs, and the part of a vulnerable run that is found. The secure program then has
    /// no penalty and the vulnerable one no bonus. A vulnerable run that the secure program has too takes in more neighbours, up to
    /// the longest run, until it is vulnerable only.
    Match,
    /// As `Match`, and against the other side of every pair of the set: for the few pairs of one task, which is solved in several ways, so
    /// that what is wrong in one of them is not held against another. The work grows with the square of the set.
    Set,
}

impl Default for CreditRules {
    /// The definition with our two additions: specificity of what is matched, and runs of no units.
    fn default() -> Self {
        Self { specificity: Specificity::Match, context_of_nothing: 6, ..Self::plain() }
    }
}

impl CreditRules {
    /// The definition to the letter. A repair that only adds a check then has no vulnerable run, and a secure run may earn something
    /// in the vulnerable program.
    pub fn plain() -> Self {
        Self {
            bonus: 0.2,
            penalty: 0.4,
            full_bonus_units: 16.0,
            ngram: 3,
            least_run: 3,
            longest_run: 32,
            whole_share: 0.8,
            specificity: Specificity::Run,
            context_of_nothing: 0,
        }
    }

    /// # Errors
    /// If a figure is out of its range.
    pub fn check(&self) -> Result<(), CreditError> {
        let amount = |value: f64| (0.0..=MOST_AT_ONE_PLACE).contains(&value);
        let figures = [
            ("bonus", amount(self.bonus)),
            ("penalty", amount(self.penalty)),
            ("full_bonus_units", self.full_bonus_units.is_finite() && self.full_bonus_units >= 1.0),
            ("ngram", self.ngram >= 1),
            ("least_run", self.least_run >= self.ngram),
            ("longest_run", self.longest_run >= 2 * self.least_run),
            // Below one half two parts of a run could both count as the run.
            ("whole_share", self.whole_share > 0.5 && self.whole_share <= 1.0),
            ("context_of_nothing", self.context_of_nothing == 0 || self.context_of_nothing >= self.least_run),
        ];
        match figures.into_iter().find(|(_, is_fine)| !is_fine) {
            Some((name, _)) => Err(CreditError::OutOfRange { name }),
            None => Ok(()),
        }
    }

    /// The least part of a run of this length that counts as the run.
    fn least_part(&self, length: usize) -> usize {
        // Not above a whole number by a rounding error: 0.8 · 5 is 4 in exact figures.
        ((self.whole_share * length as f64 - 1e-9).ceil() as usize).max(self.ngram.min(length))
    }
}

/// Why there is no credit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CreditError {
    /// A figure of the rules makes no sense.
    #[error("{name} is out of range")]
    OutOfRange {
        /// The figure's name.
        name: &'static str,
    },
    /// The two programs of a pair have too little in common for their difference to mean anything.
    #[error("pair {index} takes more than {most_edits} edits")]
    NoRepair {
        /// The pair's place.
        index: usize,
        /// Units taken out and put in, at most.
        most_edits: usize,
    },
    /// A span holds text that no token has.
    #[error("the tokens do not cover the span from {start} to {end}")]
    NotCovered {
        /// The span's first byte.
        start: usize,
        /// One past its last.
        end: usize,
    },
    /// Token spans overlap or are not in order.
    #[error("token {index} starts before the one before it ends")]
    Unordered {
        /// The token's place.
        index: usize,
    },
    /// A span's value is no number.
    #[error("the span from {start} to {end} has no finite value")]
    NotFinite {
        /// The span's first byte.
        start: usize,
        /// One past its last.
        end: usize,
    },
}

/// As `bounded`, for spans.
pub(crate) fn bounded_spans(spans: &mut [SpanReward]) {
    let mut values: Vec<f64> = spans.iter().map(|span| span.value).collect();
    bounded(&mut values);
    for (span, value) in spans.iter_mut().zip(values) {
        span.value = value;
    }
}

/// Cuts each value to what one place may have, then all in proportion to what they may have together.
fn bounded(values: &mut [f64]) {
    for value in values.iter_mut() {
        *value = value.clamp(-MOST_AT_ONE_PLACE, MOST_AT_ONE_PLACE);
    }
    let total: f64 = values.iter().sum();
    if total.abs() > MOST_IN_TOTAL {
        for value in values {
            *value *= MOST_IN_TOTAL / total.abs();
        }
    }
}
