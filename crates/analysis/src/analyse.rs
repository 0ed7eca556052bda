//! The entry point: one parse, one walk, everything that is known of one text.

use std::time::Duration;

use codeward_records::Finding;
use serde::{Deserialize, Serialize};
use tree_sitter::Node;

use crate::flow::{C, Dialect, GO, Interpreter, JAVA, JAVASCRIPT, PYTHON};
use crate::language::Language;
use crate::memory;
use crate::parse::parse;
use crate::report::{Report, line_starts, place_back, position};
use crate::syntax::{Lowered, Module, Span, StatementKind, c, go, java, javascript, python};

/// Larger files are refused.
pub const MAX_BYTES: usize = 64 * 1024;

/// The interpreter gives up after this many evaluations.
const EVALUATION_BUDGET: usize = 400_000;

/// What the analysis of one file found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Analysis {
    /// Findings in the order of the text.
    pub findings: Vec<Finding>,
    /// The first place where the text is not in its language. The findings then cover only what could be read around it.
    pub syntax_error: Option<SyntaxError>,
    /// How much there was to read.
    pub content: Content,
}

/// How much there was to read: an answer without code is no secure code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// No statement: nothing, blanks or comments.
    Nothing,
    /// Statements, and no function among them.
    NoFunction,
    /// At least one function.
    Functions,
}

/// What an analysis says of a text as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It was read to its end and nothing was found.
    Clean,
    /// It was read to its end and has findings.
    Findings,
    /// It is not in its language: nothing can be said of it.
    NotParseable,
    /// There is nothing to say anything of.
    Nothing,
}

impl Analysis {
    /// What the analysis says of the text as a whole.
    pub fn state(&self) -> State {
        if self.syntax_error.is_some() {
            State::NotParseable
        } else if self.content == Content::Nothing {
            State::Nothing
        } else if self.findings.is_empty() {
            State::Clean
        } else {
            State::Findings
        }
    }
}

/// Where a text stops being in its language.
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

/// What it takes to read one language.
struct FrontEnd {
    /// Reads a text that is in the language as a whole, if there is a faster way than the tree that finds its way around what is
    /// broken; nothing if it has to go that way.
    read_whole: Option<fn(&str) -> Option<Module>>,
    grammar: tree_sitter::Language,
    lower: fn(&str, Node<'_>) -> Lowered,
    dialect: &'static Dialect,
    /// What to put around a text that is only a part of a file, so that it can be read.
    frames: &'static [Frame],
    /// Whether programs look after their memory themselves, which is a second reading of the same tree.
    memory: bool,
}

/// What a part of a file may be missing around it.
struct Frame {
    before: &'static str,
    after: &'static str,
    /// Whether a text that reads in this frame counts as its language: a whole function, if not a whole file.
    is_accepted: bool,
}

/// Members of an object, an argument with its comma, a call without its end.
const JAVASCRIPT_FRAMES: &[Frame] = &[
    Frame { before: "({", after: "})", is_accepted: false },
    Frame { before: "", after: "0", is_accepted: false },
    Frame { before: "", after: "})", is_accepted: false },
    Frame { before: "({", after: "}})", is_accepted: false },
];

/// Methods and constructors that stand alone.
const JAVA_FRAMES: &[Frame] = &[Frame { before: "class Fragment{", after: "\n}", is_accepted: true }];

impl FrontEnd {
    fn of(language: Language, source: &str) -> Self {
        let whole = |grammar: tree_sitter::Language, lower, dialect| Self {
            read_whole: None,
            grammar,
            lower,
            dialect,
            frames: &[],
            memory: false,
        };
        match language {
            Language::Python => Self {
                read_whole: Some(python::whole::read),
                ..whole(tree_sitter_python::LANGUAGE.into(), python::lower, &PYTHON)
            },
            Language::Go => whole(tree_sitter_go::LANGUAGE.into(), go::lower, &GO),
            Language::C => Self { memory: true, ..whole(tree_sitter_c::LANGUAGE.into(), c::lower, &C) },
            Language::Cpp => Self { memory: true, ..whole(tree_sitter_cpp::LANGUAGE.into(), c::lower_cpp, &C) },
            Language::Java => {
                Self { frames: JAVA_FRAMES, ..whole(tree_sitter_java::LANGUAGE.into(), java::lower, &JAVA) }
            }
            Language::JavaScript => {
                let grammar = tree_sitter_javascript::LANGUAGE.into();
                Self { frames: JAVASCRIPT_FRAMES, ..whole(grammar, javascript::lower, &JAVASCRIPT) }
            }
            Language::TypeScript => {
                // Where there are no tags, angle brackets are casts.
                let has_tags = source.contains("</") || source.contains("/>");
                let grammar = if has_tags {
                    tree_sitter_typescript::LANGUAGE_TSX
                } else {
                    tree_sitter_typescript::LANGUAGE_TYPESCRIPT
                };
                Self { frames: JAVASCRIPT_FRAMES, ..whole(grammar.into(), javascript::lower, &JAVASCRIPT) }
            }
        }
    }
}

/// Analyses one text.
///
/// # Errors
///
/// Only for limits of our own: the text's size, the parser's deadline, the interpreter's budget.
pub fn analyse(language: Language, source: &str) -> Result<Analysis, AnalysisError> {
    if source.len() > MAX_BYTES {
        return Err(AnalysisError::TooLarge { bytes: source.len(), limit: MAX_BYTES });
    }
    let front_end = FrontEnd::of(language, source);
    if let Some(module) = front_end.read_whole.and_then(|read| read(source)) {
        let findings = judge(&front_end, source, &module)?;
        return Ok(Analysis { findings, syntax_error: None, content: content(&module) });
    }
    let tree = parse(&front_end.grammar, source)?;
    let alone = (front_end.lower)(source, tree.root_node());
    if alone.error.is_some() {
        for frame in front_end.frames {
            if let Some(analysis) = analyse_framed(&front_end, frame, source, &alone)? {
                return Ok(analysis);
            }
        }
    }
    let findings = judge(&front_end, source, &alone.module)?;
    let syntax_error = alone.error.map(|span| syntax_error(source, span));
    Ok(Analysis { findings, syntax_error, content: content(&alone.module) })
}

/// Analyses a text that is only a part of a file: not in its language, but for what is missing around it.
fn analyse_framed(
    front_end: &FrontEnd,
    frame: &Frame,
    source: &str,
    alone: &Lowered,
) -> Result<Option<Analysis>, AnalysisError> {
    let framed = [frame.before, source, frame.after].concat();
    let tree = parse(&front_end.grammar, &framed)?;
    if tree.root_node().has_error() {
        return Ok(None);
    }
    let lowered = (front_end.lower)(&framed, tree.root_node());
    if lowered.error.is_some() {
        return Ok(None);
    }
    let findings = judge(front_end, &framed, &lowered.module)?;
    let findings = place_back(findings, frame.before.len(), source);
    let rejected = if frame.is_accepted { None } else { alone.error };
    let syntax_error = rejected.map(|span| syntax_error(source, span));
    Ok(Some(Analysis { findings, syntax_error, content: content(&lowered.module) }))
}

/// Runs the rules over a module.
fn judge(front_end: &FrontEnd, source: &str, module: &Module) -> Result<Vec<Finding>, AnalysisError> {
    let mut report = Report::new(source);
    (front_end.dialect.hooks.file)(source, &mut report);
    let interpreter = Interpreter::new(module, front_end.dialect, report, EVALUATION_BUDGET);
    let mut report = interpreter.run().ok_or(AnalysisError::TooComplex { limit: EVALUATION_BUDGET })?;
    if front_end.memory {
        memory::check(module, &mut report, EVALUATION_BUDGET)
            .ok_or(AnalysisError::TooComplex { limit: EVALUATION_BUDGET })?;
    }
    Ok(report.finish())
}

fn content(module: &Module) -> Content {
    let says_something = |kind: &StatementKind| !matches!(kind, StatementKind::Pass);
    if !module.functions.is_empty() {
        Content::Functions
    } else if module.body.iter().any(|statement| says_something(&statement.kind)) {
        Content::NoFunction
    } else {
        Content::Nothing
    }
}

fn syntax_error(source: &str, span: Span) -> SyntaxError {
    let (line, column) = position(&line_starts(source), span.start);
    SyntaxError { start_byte: span.start, end_byte: span.end, line, column }
}
