//! How similar a text is to a reference: CodeBLEU in two modes, and the structure of the syntax trees by itself.
//!
//! A text is prepared once with [`Prepared::new`]: comments taken out, parsed, sub-trees hashed, data flow drawn. Comparing two prepared
//! texts with [`codebleu`] and [`ast_similarity`] is then a walk along sorted lists, so that a reference is kept for a whole group of
//! completions. What only some comparisons ask for is made by the first that does: the tokens that count in a mode, and the prints of
//! sub-trees with errors where both texts have some.
//!
//! ```
//! use codeward_analysis::Language;
//! use codeward_analysis::similarity::{Mode, Prepared, Weights, ast_similarity, codebleu};
//!
//! let reference = Prepared::new(Language::Python, "def area(w, h):\n    a = w * h\n    return a\n").unwrap();
//! let renamed = Prepared::new(Language::Python, "def area(x, y):\n    s = x * y\n    return s\n").unwrap();
//! let similarity = codebleu(&reference, &renamed, &Weights::SECCODERX, Mode::Strict).unwrap();
//! assert_eq!((similarity.syntax, similarity.data_flow), (1.0, Some(1.0)));
//! assert!(similarity.score < 1.0);
//! assert_eq!(ast_similarity(&reference, &renamed).unwrap(), 1.0);
//! ```
//!
//! # CodeBLEU
//!
//! Ren et al., "CodeBLEU: a Method for Automatic Evaluation of Code Synthesis", arXiv 2009.10297, as the PyPI package `codebleu`
//! 0.7.0 computes it. With weights α, β, γ, δ:
//!
//! `score = α·ngram + β·weighted_ngram + γ·syntax + δ·data_flow`
//!
//! - `ngram` and `weighted_ngram`: BLEU-4 over tokens between white space, and its recall form in which a token that is no keyword weighs
//!   0.2; both smoothed.
//! - `syntax`: the share of the reference's sub-trees, by their s-expression, that the candidate has too.
//! - `data_flow`: the share of the reference's data-flow edges that the candidate has too, each used once.
//!
//! ## [`Mode::Package`]
//!
//! Equal to the package, to the last digits, on CPython 3.11 (others were not tried) with the grammar versions that this crate links and
//! `PYTHONHASHSEED=0` (with a random seed, Python's default, the package's own data-flow figure changes from run to run: it
//! compares lists in the order of Python sets). This includes:
//!
//! - a data flow of 0 counts as 1 in the score, whether the reference has no edges or the candidate matches none: an empty answer gets δ;
//! - the brevity penalty of `weighted_ngram` takes every reference for two tokens long, so short answers go unpunished;
//! - a sub-tree of the candidate matches as many equal ones of the reference as there are, and code beyond the reference costs nothing;
//! - a Python file with an assignment such as `self.name = 'x'` has no data flow: both sides have three parts, and the package raises inside;
//! - a Python text that `tokenize` cannot read keeps its comments; C and C++ data flow is drawn by the rules for C#;
//! - a tree of more than 992 levels has no data flow (in the package the limit shrinks with the depth of its caller's stack).
//!
//! ## [`Mode::Strict`]
//!
//! What a reward should pay for. It differs as follows:
//!
//! - a candidate that matches no edge gets 0 for the data flow; where the reference has no edges the part is missing, and its weight is
//!   shared among the other three in proportion to theirs: `score = (α·ngram + β·weighted_ngram + γ·syntax)·(α+β+γ+δ)/(α+β+γ)`, or 0 where
//!   they have none;
//! - comments (in Python docstrings too) and blank lines are no tokens, while the package takes them out for syntax and data flow only;
//! - `weighted_ngram` is penalised for brevity by the reference's own length;
//! - each sub-tree of the candidate matches one of the reference;
//! - sources of an edge are in the order of their first appearance, so that a consistent change of names changes nothing;
//! - names are read where they stand, while the package reads them shifted behind a character beyond ASCII;
//! - where the package gives up a file's data flow, an incomplete statement is read as an ordinary node and `a.b = 'c'` as one assignment.
//!
//! On texts without comments its first three parts are never above the package's, and neither is its score where a data flow is empty. Extra code is still
//! free: that is what [`ast_similarity`] is for.
//!
//! # Structure
//!
//! [`ast_similarity`] is the Dice coefficient of the two multisets of sub-trees, `2·|A ∩ B| / (|A| + |B|)`: symmetric, 0 to 1,
//! and 1 only for equal trees but for names, literals and operators. It asks for no tokens and no data flow, and both missing and
//! extra code cost.

mod comments;
mod flow;
mod grammar;
mod hash;
mod keywords;
mod prepared;
mod print;
mod python_set;
mod syntax;
mod tokens;
mod tree;
mod words;

use serde::{Deserialize, Serialize};

use crate::analyse::AnalysisError;
use crate::language::Language;

pub use comments::without_comments;
pub use prepared::Prepared;

/// The languages that can be compared: those of the package that this crate reads.
pub const LANGUAGES: [Language; 6] =
    [Language::Python, Language::C, Language::Cpp, Language::Java, Language::JavaScript, Language::Go];

/// Why two texts were not compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimilarityError {
    /// The package has no rules for the language.
    #[error("similarity of {language} is not defined")]
    UnsupportedLanguage {
        /// The language.
        language: Language,
    },
    /// The text is too large, or parsing it took too long.
    #[error(transparent)]
    Limit(#[from] AnalysisError),
    /// Drawing the data flow took too many steps: loop bodies are read twice, so nested ones exponentially often.
    #[error("data flow needed more than {limit} steps")]
    TooComplex {
        /// The limit.
        limit: usize,
    },
    /// The texts are in different languages.
    #[error("reference is {reference} and candidate is {candidate}")]
    LanguagesDiffer {
        /// The reference's language.
        reference: Language,
        /// The candidate's language.
        candidate: Language,
    },
    /// A weight is negative or not finite, or all are 0.
    #[error("weights {weights:?} are not four finite numbers from 0 on with a sum above 0")]
    Weights {
        /// What they were, as text.
        weights: String,
    },
}

/// Which CodeBLEU; see the [module](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// As the package computes it.
    Package,
    /// Without its free credit.
    Strict,
}

/// The weights of CodeBLEU's four parts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    ngram: f64,
    weighted_ngram: f64,
    syntax: f64,
    data_flow: f64,
}

impl Weights {
    /// A quarter each: the package's default.
    pub const EQUAL: Self = Self { ngram: 0.25, weighted_ngram: 0.25, syntax: 0.25, data_flow: 0.25 };

    /// Those of SecCoderX's reward: syntax 0.7, the others 0.1.
    pub const SECCODERX: Self = Self { ngram: 0.1, weighted_ngram: 0.1, syntax: 0.7, data_flow: 0.1 };

    /// Weights of n-grams, keyword-weighted n-grams, syntax and data flow. The score lies between 0 and their sum.
    ///
    /// # Errors
    ///
    /// If one is negative or not finite, or their sum is 0 or not finite.
    pub fn new(ngram: f64, weighted_ngram: f64, syntax: f64, data_flow: f64) -> Result<Self, SimilarityError> {
        let all = [ngram, weighted_ngram, syntax, data_flow];
        let sum: f64 = all.iter().sum();
        if all.iter().any(|weight| *weight < 0.0 || weight.is_nan()) || sum == 0.0 || !sum.is_finite() {
            return Err(SimilarityError::Weights { weights: format!("{all:?}") });
        }
        Ok(Self { ngram, weighted_ngram, syntax, data_flow })
    }
}

/// CodeBLEU and its parts, each 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeBleu {
    /// The weighted sum.
    pub score: f64,
    /// The n-gram match.
    pub ngram: f64,
    /// The keyword-weighted n-gram match.
    pub weighted_ngram: f64,
    /// The share of the reference's sub-trees.
    pub syntax: f64,
    /// The share of the reference's data-flow edges; none where it has none.
    pub data_flow: Option<f64>,
}

/// Compares a candidate with a reference by CodeBLEU.
///
/// # Errors
///
/// If the two are in different languages.
pub fn codebleu(
    reference: &Prepared,
    candidate: &Prepared,
    weights: &Weights,
    mode: Mode,
) -> Result<CodeBleu, SimilarityError> {
    same_language(reference, candidate)?;
    let is_strict = mode == Mode::Strict;
    let ngram = tokens::ngram_match(reference.tokens(mode), candidate.tokens(mode));
    let weighted_ngram = tokens::weighted_match(reference.tokens(mode), candidate.tokens(mode), is_strict);
    let shared = if is_strict { hash::common } else { hash::present };
    let found = reference.sub_trees.shared(&candidate.sub_trees, shared);
    let syntax = found as f64 / reference.sub_trees.len() as f64;
    let (wanted, given) = if is_strict {
        (&reference.data_flow.ordered, &candidate.data_flow.ordered)
    } else {
        (&reference.data_flow.package, &candidate.data_flow.package)
    };
    let data_flow = (!wanted.is_empty()).then(|| hash::common(wanted, given) as f64 / wanted.len() as f64);
    let others = weights.ngram * ngram + weights.weighted_ngram * weighted_ngram + weights.syntax * syntax;
    let score = match (mode, data_flow) {
        (Mode::Package, found) => others + weights.data_flow * found.filter(|share| *share > 0.0).unwrap_or(1.0),
        (Mode::Strict, Some(share)) => others + weights.data_flow * share,
        (Mode::Strict, None) => {
            let rest = weights.ngram + weights.weighted_ngram + weights.syntax;
            if rest > 0.0 { others * (1.0 + weights.data_flow / rest) } else { 0.0 }
        }
    };
    Ok(CodeBleu { score, ngram, weighted_ngram, syntax, data_flow })
}

/// How alike two syntax trees are in structure, 0 to 1: the Dice coefficient of their sub-trees. It does not matter which text
/// comes first.
///
/// # Errors
///
/// If the two are in different languages.
pub fn ast_similarity(one: &Prepared, other: &Prepared) -> Result<f64, SimilarityError> {
    same_language(one, other)?;
    let shared = one.sub_trees.shared(&other.sub_trees, hash::common);
    Ok((2 * shared) as f64 / (one.sub_trees.len() + other.sub_trees.len()) as f64)
}

fn same_language(reference: &Prepared, candidate: &Prepared) -> Result<(), SimilarityError> {
    let (reference, candidate) = (reference.language, candidate.language);
    if reference == candidate { Ok(()) } else { Err(SimilarityError::LanguagesDiffer { reference, candidate }) }
}
