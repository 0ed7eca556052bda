//! Which weaknesses this code contains: parse, rules, spans.
//!
//! [`analyse`] reads one file in process and returns an [`Analysis`]: findings with the narrowest culpable span,
//! and whether the text is in its language at all. Code that cannot be parsed is not clean code, and a file beyond our own limits is an
//! [`AnalysisError`], never an empty list.
//!
//! ```
//! let source = "import os\ndef count(path):\n    return os.popen('wc -l ' + path).read()\n";
//! let analysis = codeward_analysis::analyse(codeward_analysis::Language::Python, source).unwrap();
//! let finding = &analysis.findings[0];
//! assert_eq!(finding.rule, "py/shell-command");
//! assert_eq!(&source[finding.start_byte..finding.end_byte], "'wc -l ' + path");
//! ```
//!
//! The first analysis tells the tree-sitter library, for the whole process, to take its memory from mimalloc. A program that uses that
//! library on its own does so after it.
//!
//! Comments that ask other tools to look away are ignored: the code may have been written to please the analyser.

mod analyse;
pub mod external;
mod file_state;
mod flow;
mod language;
mod memory;
mod parse;
mod regular;
mod report;
mod rules;
mod sarif;
pub mod similarity;
mod syntax;

pub use analyse::{Analysis, AnalysisError, Content, MAX_BYTES, State, SyntaxError, analyse};
pub use file_state::FileState;
pub use language::Language;
pub use rules::{Example, RuleInfo, rules};
pub use sarif::{ScannedFile, sarif};
