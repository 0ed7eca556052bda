//! How each analyser is called, and how what it writes is read. One file an analyser.

mod bandit;
mod clang_tidy;
mod codeql;
mod cppcheck;
mod each;
mod eslint;
mod flawfinder;
mod gcc;
mod sarif;
mod semgrep;

use std::collections::BTreeMap;
use std::time::Duration;

use codeward_sandbox::{End, Limits, Outcome};

use super::analyser::Analyser;
use super::error::ExternalError;
use super::findings::Answers;
use super::place::{Breaks, Counting, Unit};
use super::quiet::quieten;
use crate::Language;

/// One run of an analyser on many files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) arguments: Vec<String>,
    /// Files besides the sources.
    pub(super) files: BTreeMap<String, Vec<u8>>,
    /// Where the sources lie, with its slash; the working folder when it is empty.
    pub(super) source_folder: &'static str,
    pub(super) env: BTreeMap<String, String>,
}

/// A local file of rules for Semgrep and Opengrep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFile {
    /// What it is called in messages.
    pub name: String,
    /// Its text, YAML or JSON.
    pub text: String,
}

/// What a call is made from.
pub(super) struct Asked<'a> {
    pub(super) analyser: Analyser,
    /// How the analyser's program is started.
    pub(super) command: &'a [String],
    pub(super) rules: &'a [RuleFile],
    pub(super) language: Language,
    /// Names of the files, which tell nothing but the language and a hash of what is in them.
    pub(super) names: &'a [String],
}

impl Asked<'_> {
    /// The command with more arguments.
    fn call(&self, arguments: &[&str]) -> Vec<String> {
        self.command.iter().cloned().chain(arguments.iter().map(|&argument| argument.to_owned())).collect()
    }

    fn call_on_files(&self, arguments: &[&str]) -> Vec<String> {
        self.call(arguments).into_iter().chain(self.names.iter().cloned()).collect()
    }

    fn garbled(&self, reason: impl std::fmt::Display) -> ExternalError {
        ExternalError::Garbled { analyser: self.analyser, reason: reason.to_string() }
    }

    fn not_read(&self, reason: impl Into<String>) -> ExternalError {
        let mut reason = reason.into();
        if let Some((at, _)) = reason.char_indices().nth(300) {
            reason.truncate(at);
        }
        ExternalError::NotRead { analyser: self.analyser, reason }
    }

    /// Every name with nothing said of it yet.
    fn silent(&self) -> Answers {
        self.names.iter().map(|name| (name.clone(), Ok(vec![]))).collect()
    }

    fn json<'t, T: serde::Deserialize<'t>>(&self, text: &'t [u8]) -> Result<T, ExternalError> {
        serde_json::from_slice(text).map_err(|error| self.garbled(error))
    }
}

/// How a run of this analyser on these files is made.
pub(super) fn call(asked: &Asked<'_>) -> Call {
    match asked.analyser {
        Analyser::Bandit => bandit::call(asked),
        Analyser::Semgrep | Analyser::Opengrep => semgrep::call(asked),
        Analyser::Cppcheck => cppcheck::call(asked),
        Analyser::Flawfinder => flawfinder::call(asked),
        Analyser::Gcc => gcc::call(asked),
        Analyser::ClangTidy => clang_tidy::call(asked),
        Analyser::Eslint => eslint::call(asked),
        Analyser::Codeql => codeql::call(asked),
    }
}

/// What the analyser said of each file. A file that is not in the answer was not spoken of.
pub(super) fn read(asked: &Asked<'_>, outcome: &Outcome) -> Result<Answers, ExternalError> {
    let analyser = asked.analyser;
    let end = outcome.end.to_string();
    let exits: &[i32] = match analyser {
        // One for findings.
        Analyser::Bandit | Analyser::Semgrep | Analyser::Opengrep => &[0, 1],
        _ => &[0],
    };
    match &outcome.end {
        End::Exited { code } if exits.contains(code) => {}
        End::Exited { .. } | End::Signalled { .. } | End::CompilerRejected { .. } => {
            return Err(ExternalError::Crashed { analyser, end, message: last_words(outcome) });
        }
        End::WallLimit | End::CpuLimit | End::MemoryLimit | End::OutputLimit | End::FileLimit => {
            return Err(ExternalError::OverLimit { analyser, end });
        }
    }
    match analyser {
        Analyser::Bandit => bandit::read(asked, outcome),
        Analyser::Semgrep | Analyser::Opengrep => semgrep::read(asked, outcome),
        Analyser::Cppcheck => each::read(asked, outcome, cppcheck::read_one),
        Analyser::Flawfinder => flawfinder::read(asked, outcome),
        Analyser::Gcc => each::read(asked, outcome, gcc::read_one),
        Analyser::ClangTidy => each::read(asked, outcome, clang_tidy::read_one),
        Analyser::Eslint => eslint::read(asked, outcome),
        Analyser::Codeql => codeql::read(asked, outcome),
    }
}

/// The end of what it wrote to standard error, on one line.
pub(super) fn last_words(outcome: &Outcome) -> String {
    let text = String::from_utf8_lossy(&outcome.stderr);
    let words = text.trim().lines().rev().take(3).collect::<Vec<_>>();
    let line = words.into_iter().rev().map(str::trim).collect::<Vec<_>>().join(" | ");
    line.char_indices().nth(300).map_or(line.clone(), |(at, _)| line[..at].to_owned())
}

/// The text that is laid out for an analyser, of the same length as the file's own.
pub(super) fn text_for(analyser: Analyser, source: &str) -> String {
    match analyser {
        Analyser::Cppcheck | Analyser::Gcc | Analyser::ClangTidy => quieten(source),
        _ => source.to_owned(),
    }
}

/// How an analyser counts.
pub(super) fn counting(analyser: Analyser) -> Counting {
    let (unit, breaks) = match analyser {
        Analyser::Bandit => (Unit::Bytes, Breaks::Return),
        Analyser::Flawfinder => (Unit::Characters, Breaks::Return),
        Analyser::Eslint => (Unit::Utf16, Breaks::Separators),
        Analyser::Codeql => (Unit::Utf16, Breaks::Newline),
        _ => (Unit::Bytes, Breaks::Newline),
    };
    Counting { unit, breaks }
}

/// How its version is asked for.
pub(super) fn version_arguments(analyser: Analyser) -> &'static [&'static str] {
    match analyser {
        Analyser::Gcc => &["-dumpfullversion"],
        Analyser::Semgrep | Analyser::Opengrep => &["semgrep-core", "-version"],
        Analyser::Codeql => &["version", "--format=terse"],
        Analyser::Eslint => &[],
        _ => &["--version"],
    }
}

/// Files besides the sources that its program needs in any case.
pub(super) fn own_files(analyser: Analyser) -> BTreeMap<String, Vec<u8>> {
    match analyser {
        Analyser::Eslint => BTreeMap::from([(eslint::DRIVER_NAME.to_owned(), eslint::DRIVER.as_bytes().to_vec())]),
        _ => BTreeMap::new(),
    }
}

/// What one run may use up: some of it is for starting, some for each file.
pub(super) fn limits(analyser: Analyser, num_files: usize) -> Limits {
    let (start, each, memory_mib) = match analyser {
        Analyser::Bandit | Analyser::Flawfinder => (10, 1, 1024),
        Analyser::Semgrep | Analyser::Opengrep => (20, 2, 4096),
        Analyser::Cppcheck | Analyser::Gcc | Analyser::ClangTidy => (10, each::SECONDS + 1, 2048),
        Analyser::Eslint => (15, 1, 2048),
        Analyser::Codeql => (600, 10, 16 << 10),
    };
    let time = Duration::from_secs(start + each * num_files as u64);
    let files_mib = if analyser == Analyser::Codeql { 4096 } else { 256 };
    Limits {
        wall: time,
        cpu: time * 2,
        memory_bytes: memory_mib << 20,
        output_bytes: 64 << 20,
        file_bytes: files_mib << 20,
        max_processes: 256,
    }
}
