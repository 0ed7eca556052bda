//! One text, read once.

use crate::analyse::{AnalysisError, MAX_BYTES};
use crate::language::Language;
use crate::parse::parse;

use super::comments::without_comments;
use super::flow::{DataFlow, TooComplex};
use super::syntax::sub_trees;
use super::tokens::{Tokens, is_space};
use super::tree::Outline;
use super::{Mode, SimilarityError};

/// How many steps drawing the data flow may take; a text of the allowed size without nested loops needs a tenth.
const FLOW_BUDGET: usize = 4_000_000;

/// A text with all that comparisons need, as reference or as candidate.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub(super) language: Language,
    tokens: Tokens,
    /// Tokens without comments, where there are comments.
    bare: Option<Tokens>,
    /// Sorted, and never empty: the whole tree is one.
    pub(super) sub_trees: Vec<u64>,
    pub(super) data_flow: DataFlow,
}

impl Prepared {
    /// Reads a text. Text that is not in its language is read as far as it can be.
    ///
    /// # Errors
    ///
    /// If the language cannot be compared, the text is larger than [`MAX_BYTES`], or reading it takes too long.
    pub fn new(language: Language, source: &str) -> Result<Self, SimilarityError> {
        let grammar: tree_sitter::Language = match language {
            Language::Python => tree_sitter_python::LANGUAGE.into(),
            Language::C => tree_sitter_c::LANGUAGE.into(),
            Language::Cpp => tree_sitter_cpp::LANGUAGE.into(),
            Language::Java => tree_sitter_java::LANGUAGE.into(),
            Language::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
            Language::Go => tree_sitter_go::LANGUAGE.into(),
            Language::TypeScript => return Err(SimilarityError::UnsupportedLanguage { language }),
        };
        if source.len() > MAX_BYTES {
            return Err(AnalysisError::TooLarge { bytes: source.len(), limit: MAX_BYTES }.into());
        }
        let source = source.trim_matches(is_space);
        let code = without_comments(language, source);
        let tree = parse(&grammar, &code)?;
        let outline = Outline::of(&tree, &code, false);
        let data_flow = |outline: &Outline| {
            let found = DataFlow::of(language, outline, FLOW_BUDGET);
            found.map_err(|TooComplex| SimilarityError::TooComplex { limit: FLOW_BUDGET })
        };
        let mut flow = data_flow(&outline)?;
        if !code.is_ascii() {
            flow.package = data_flow(&Outline::of(&tree, &code, true))?.package;
        }
        let tokens = Tokens::of(language, source);
        let bare = (code != source).then(|| Tokens::of(language, &code));
        Ok(Self { language, tokens, bare, sub_trees: sub_trees(&outline), data_flow: flow })
    }

    /// The tokens that count in a mode.
    pub(super) fn tokens(&self, mode: Mode) -> &Tokens {
        match (mode, &self.bare) {
            (Mode::Strict, Some(bare)) => bare,
            _ => &self.tokens,
        }
    }

    /// The language it was read in.
    pub fn language(&self) -> Language {
        self.language
    }

    /// Whether it has data-flow edges in a mode. As a reference without, it says nothing about a candidate's data flow.
    pub fn has_data_flow(&self, mode: Mode) -> bool {
        match mode {
            Mode::Package => !self.data_flow.package.is_empty(),
            Mode::Strict => !self.data_flow.ordered.is_empty(),
        }
    }
}
