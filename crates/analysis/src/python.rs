//! The entry point for Python.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use codeward_records::Finding;
use serde::{Deserialize, Serialize};
use tree_sitter::{ParseOptions, ParseState, Parser};

use crate::flow::Interpreter;
use crate::report::{Report, line_starts, position};
use crate::syntax::{Span, lower};

/// Larger files are refused.
pub const MAX_BYTES: usize = 64 * 1024;

/// The parser is stopped after this long.
const PARSE_DEADLINE: Duration = Duration::from_secs(2);

/// The interpreter gives up after this many evaluations.
const EVALUATION_BUDGET: usize = 400_000;

/// What the analysis of one file found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Analysis {
    /// Findings in the order of the text.
    pub findings: Vec<Finding>,
    /// The first place where the text is not Python. The findings then cover only what could be read around it.
    pub syntax_error: Option<SyntaxError>,
}

/// Where a text stops being Python.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyntaxError {
    /// First byte of the place.
    pub start_byte: usize,
    /// One past its last byte; equal to the first where something is missing.
    pub end_byte: usize,
    /// Line of the first byte, from 1.
    pub line: usize,
    /// Column of the first byte in UTF-8 bytes, from 1.
    pub column: usize,
}

/// One of our own limits: the file is unscored, which is not the same as clean.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnalysisError {
    /// The file is larger than [`MAX_BYTES`].
    #[error("source of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// Size of the file.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The parser did not finish in time.
    #[error("parsing took longer than {} ms", .limit.as_millis())]
    ParseDeadline {
        /// The limit.
        limit: Duration,
    },
    /// The interpreter needed more evaluations than it may use.
    #[error("analysis needed more than {limit} evaluations")]
    TooComplex {
        /// The limit.
        limit: usize,
    },
}

/// Analyses one Python file.
///
/// # Errors
///
/// Only for limits of our own: the file's size, the parser's deadline, the interpreter's budget.
pub fn analyse_python(source: &str) -> Result<Analysis, AnalysisError> {
    if source.len() > MAX_BYTES {
        return Err(AnalysisError::TooLarge { bytes: source.len(), limit: MAX_BYTES });
    }
    let mut parser = Parser::new();
    parser
        .set_language(&tree_sitter_python::LANGUAGE.into())
        .expect("the grammar was generated for a version that this parser reads");
    let started = Instant::now();
    let mut progress = |_: &ParseState| {
        if started.elapsed() > PARSE_DEADLINE { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let bytes = source.as_bytes();
    let options = ParseOptions::new().progress_callback(&mut progress);
    let tree = parser
        .parse_with_options(&mut |at, _| bytes.get(at..).unwrap_or_default(), None, Some(options))
        .ok_or(AnalysisError::ParseDeadline { limit: PARSE_DEADLINE })?;
    let lowered = lower(source, tree.root_node());
    let interpreter = Interpreter::new(&lowered.module, Report::new(source), EVALUATION_BUDGET);
    let report = interpreter.run().ok_or(AnalysisError::TooComplex { limit: EVALUATION_BUDGET })?;
    let syntax_error = lowered.error.map(|span| syntax_error(source, span));
    Ok(Analysis { findings: report.finish(), syntax_error })
}

fn syntax_error(source: &str, span: Span) -> SyntaxError {
    let (line, column) = position(&line_starts(source), span.start);
    SyntaxError { start_byte: span.start, end_byte: span.end, line, column }
}
