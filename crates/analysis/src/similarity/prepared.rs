//! One text, read once.

use std::cell::RefCell;
use std::sync::OnceLock;

use crate::analyse::{AnalysisError, MAX_BYTES};
use crate::language::Language;
use crate::parse::parse;

use super::comments::without_comments;
use super::flow::{DataFlow, TooComplex};
use super::grammar::Grammar;
use super::syntax::SubTrees;
use super::tokens::{Tokens, is_space};
use super::tree::Outline;
use super::{Mode, SimilarityError};

/// How many steps drawing the data flow may take; a text of the allowed size without nested loops needs a tenth.
const FLOW_BUDGET: usize = 4_000_000;

thread_local! {
    /// Each thread keeps its lists, whose memory is then there already.
    static READER: RefCell<Option<Reader>> = const { RefCell::new(None) };
}

struct Reader {
    outline: Outline,
    /// Of sub-trees.
    hashes: Vec<u64>,
}

/// A text with all that comparisons need, as reference or as candidate.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub(super) language: Language,
    source: Box<str>,
    /// Without comments, where there are comments.
    bare: Option<Box<str>>,
    tokens: OnceLock<Tokens>,
    bare_tokens: OnceLock<Tokens>,
    pub(super) sub_trees: SubTrees,
    pub(super) data_flow: DataFlow,
}

impl Prepared {
    /// Reads a text. Text that is not in its language is read as far as it can be.
    ///
    /// # Errors
    ///
    /// If the language cannot be compared, the text is larger than [`MAX_BYTES`], or reading it takes too long.
    pub fn new(language: Language, source: &str) -> Result<Self, SimilarityError> {
        let grammar = Grammar::of(language).ok_or(SimilarityError::UnsupportedLanguage { language })?;
        if source.len() > MAX_BYTES {
            return Err(AnalysisError::TooLarge { bytes: source.len(), limit: MAX_BYTES }.into());
        }
        let source = source.trim_matches(is_space);
        let code = without_comments(language, source);
        let (sub_trees, data_flow) = READER.with_borrow_mut(|reader| {
            let reader = reader.get_or_insert_with(|| Reader { outline: Outline::new(grammar), hashes: Vec::new() });
            read(reader, language, grammar, &code)
        })?;
        let bare = (code != source).then(|| code.into_boxed_str());
        let (tokens, bare_tokens) = (OnceLock::new(), OnceLock::new());
        Ok(Self { language, source: source.into(), bare, tokens, bare_tokens, sub_trees, data_flow })
    }

    /// The tokens that count in a mode.
    pub(super) fn tokens(&self, mode: Mode) -> &Tokens {
        match (mode, &self.bare) {
            (Mode::Strict, Some(bare)) => self.bare_tokens.get_or_init(|| Tokens::of(self.language, bare)),
            _ => self.tokens.get_or_init(|| Tokens::of(self.language, &self.source)),
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

/// Sub-trees and data flow of a text without comments.
fn read(
    reader: &mut Reader,
    language: Language,
    grammar: &'static Grammar,
    code: &str,
) -> Result<(SubTrees, DataFlow), SimilarityError> {
    let tree = parse(&grammar.parses, code)?;
    let outline = &mut reader.outline;
    outline.read(grammar, &tree, code);
    let data_flow = |outline: &Outline| {
        let found = DataFlow::of(language, outline, FLOW_BUDGET);
        found.map_err(|TooComplex| SimilarityError::TooComplex { limit: FLOW_BUDGET })
    };
    let mut flow = data_flow(outline)?;
    if !code.is_ascii() {
        outline.shift(code);
        flow.package = data_flow(outline)?.package;
    }
    Ok((SubTrees::of(tree, outline, &mut reader.hashes), flow))
}
