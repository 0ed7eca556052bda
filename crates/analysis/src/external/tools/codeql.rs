//! CodeQL: a database of all files of one language, and the standard suite of security queries on it, SARIF.
//!
//! The command follows CodeQL's manual. It has not been run with CodeQL itself here.

use std::collections::BTreeMap;

use codeward_sandbox::Outcome;

use super::sarif::{self, Result as Row};
use super::{Asked, Call};
use crate::Language;
use crate::external::error::ExternalError;
use crate::external::findings::{Answers, Said};

/// Both steps write to standard error; what was found is the only thing on standard output.
const SCRIPT: &str = "\"$@\" database create /tmp/database \"--language=$CODEQL_LANGUAGE\" --source-root=/tmp/sources \
    \"--build-mode=$CODEQL_BUILD\" --threads=1 >&2 &&\n\
    \"$@\" database analyze /tmp/database \"$CODEQL_SUITE\" --format=sarif-latest --output=/tmp/found.sarif --threads=1 >&2 &&\n\
    cat /tmp/found.sarif\n";

pub(super) fn call(asked: &Asked<'_>) -> Call {
    let language = match asked.language {
        Language::Python => "python",
        Language::JavaScript | Language::TypeScript => "javascript",
        Language::Java => "java",
        Language::Go => "go",
        Language::C | Language::Cpp => "cpp",
    };
    let build = if asked.language == Language::Go { "autobuild" } else { "none" };
    let suite = format!("codeql/{language}-queries:codeql-suites/{language}-security-extended.qls");
    let env = [("CODEQL_LANGUAGE", language), ("CODEQL_BUILD", build), ("CODEQL_SUITE", &suite), ("HOME", "/tmp")];
    let shell = ["/bin/sh", "-c", SCRIPT, "sh"].map(str::to_owned);
    Call {
        arguments: [shell.to_vec(), asked.call(&[])].concat(),
        files: BTreeMap::new(),
        source_folder: "sources/",
        env: env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
    }
}

pub(super) fn read(asked: &Asked<'_>, outcome: &Outcome) -> std::result::Result<Answers, ExternalError> {
    sarif::read(asked, &outcome.stdout, said)
}

fn said(row: Row) -> Said {
    let confidence = row.precision.unwrap_or(codeward_records::Level::Medium);
    Said { rule: row.rule, place: row.place, message: row.message, severity: row.level, confidence, cwe: row.cwe }
}
