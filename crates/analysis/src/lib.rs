//! Which weaknesses this code contains: parse, rules, spans.
//!
//! [`analyse_python`] reads one Python file in process and returns an [`Analysis`]: findings with the narrowest culpable span,
//! and whether the text is Python at all. Code that cannot be parsed is not clean code, and a file beyond our own limits is an
//! [`AnalysisError`], never an empty list.
//!
//! ```
//! let source = "import os\ndef count(path):\n    return os.popen('wc -l ' + path).read()\n";
//! let analysis = codeward_analysis::analyse_python(source).unwrap();
//! let finding = &analysis.findings[0];
//! assert_eq!(finding.rule, "py/shell-command");
//! assert_eq!(&source[finding.start_byte..finding.end_byte], "'wc -l ' + path");
//! ```
//!
//! Comments that ask other tools to look away are ignored: the code may have been written to please the analyser.

mod flow;
mod python;
mod regular;
mod report;
mod rules;
mod sarif;
mod syntax;

pub use python::{Analysis, AnalysisError, MAX_BYTES, SyntaxError, analyse_python};
pub use rules::{RuleInfo, rules};
pub use sarif::{ScannedFile, sarif};
