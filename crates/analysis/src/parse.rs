//! Text to syntax tree: for a limited time, by a parser that every thread keeps.
#![expect(unsafe_code, reason = "the parser's C library is told where to take its memory")]

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Once;
use std::time::{Duration, Instant};

use libmimalloc_sys::{mi_calloc, mi_free, mi_malloc, mi_realloc};
use tree_sitter::{Language, ParseOptions, ParseState, Parser, Tree};

use crate::analyse::AnalysisError;

/// The parser is stopped after this long.
const DEADLINE: Duration = Duration::from_secs(2);

thread_local! {
    /// A parser keeps the memory of its stack and of nodes that it gave back for the next text.
    static PARSER: RefCell<Parser> = RefCell::new(new_parser());
}

/// Parses a text, for as long as the deadline allows.
pub(crate) fn parse(grammar: &Language, source: &str) -> Result<Tree, AnalysisError> {
    PARSER.with_borrow_mut(|parser| parse_with(parser, grammar, source))
}

/// A tree is thousands of small pieces of memory, made and given back with every text: the allocator decides an eighth of the time
/// (`docs/experiment-log.md`).
fn new_parser() -> Parser {
    static ALLOCATOR: Once = Once::new();
    ALLOCATOR.call_once(|| {
        // SAFETY: the four functions belong to one allocator and keep the contracts of C's own. No parser and no tree exists
        // yet, so nothing that another allocator gave is given back to this one: this is the only place where they are made.
        unsafe { tree_sitter::set_allocator(Some(mi_malloc), Some(mi_calloc), Some(mi_realloc), Some(mi_free)) };
    });
    Parser::new()
}

fn parse_with(parser: &mut Parser, grammar: &Language, source: &str) -> Result<Tree, AnalysisError> {
    // What is left of a text whose deadline came.
    parser.reset();
    parser.set_language(grammar).expect("the grammar was generated for a version that this parser reads");
    let started = Instant::now();
    let mut progress = |_: &ParseState| {
        if started.elapsed() > DEADLINE { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let bytes = source.as_bytes();
    let options = ParseOptions::new().progress_callback(&mut progress);
    parser
        .parse_with_options(&mut |at, _| bytes.get(at..).unwrap_or_default(), None, Some(options))
        .ok_or(AnalysisError::ParseDeadline { limit: DEADLINE })
}
