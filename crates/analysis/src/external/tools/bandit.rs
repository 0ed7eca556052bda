//! Bandit: one run, JSON. Comments that ask it to look away are ignored.

use std::collections::BTreeMap;

use codeward_records::{Cwe, Level};
use codeward_sandbox::Outcome;
use serde::Deserialize;

use super::{Asked, Call};
use crate::external::error::ExternalError;
use crate::external::findings::{Answers, Said};
use crate::external::place::Place;

pub(super) fn call(asked: &Asked<'_>) -> Call {
    Call {
        arguments: asked.call_on_files(&["-q", "-f", "json", "--ignore-nosec"]),
        files: BTreeMap::new(),
        source_folder: "",
        env: BTreeMap::new(),
    }
}

#[derive(Deserialize)]
struct Report {
    errors: Vec<Failed>,
    metrics: BTreeMap<String, serde_json::Value>,
    results: Vec<Issue>,
}

#[derive(Deserialize)]
struct Failed {
    filename: String,
    reason: String,
}

#[derive(Deserialize)]
struct Issue {
    filename: String,
    test_id: String,
    #[serde(rename = "issue_text")]
    text: String,
    #[serde(rename = "issue_severity")]
    severity: String,
    #[serde(rename = "issue_confidence")]
    confidence: String,
    #[serde(rename = "issue_cwe")]
    class: Option<Class>,
    line_number: usize,
    line_range: Vec<usize>,
    col_offset: i64,
    end_col_offset: Option<i64>,
}

#[derive(Deserialize)]
struct Class {
    id: Option<u16>,
}

pub(super) fn read(asked: &Asked<'_>, outcome: &Outcome) -> Result<Answers, ExternalError> {
    let report: Report = asked.json(&outcome.stdout)?;
    let mut answers = asked.silent();
    // It counts the lines of every file that it has read.
    answers.retain(|name, _| report.metrics.contains_key(name) || report.metrics.contains_key(&format!("./{name}")));
    for failed in report.errors {
        let name = plain(&failed.filename).to_owned();
        answers.insert(name, Err(asked.not_read(failed.reason)));
    }
    for issue in report.results {
        let Some(answer) = answers.get_mut(plain(&issue.filename)) else {
            return Err(asked.garbled(format!("a result for {:?}, which it was not given", issue.filename)));
        };
        if let Ok(said) = answer {
            said.push(issue.said());
        }
    }
    Ok(answers)
}

fn plain(name: &str) -> &str {
    name.strip_prefix("./").unwrap_or(name)
}

impl Issue {
    fn said(self) -> Said {
        let column = usize::try_from(self.col_offset).unwrap_or(0) + 1;
        let end_line = self.line_range.iter().copied().max().unwrap_or(self.line_number).max(self.line_number);
        let place = match self.end_col_offset.and_then(|end| usize::try_from(end).ok()) {
            Some(end) => Place::Span { line: self.line_number, column, end_line, end_column: end + 1 },
            None => Place::Start { line: self.line_number, column },
        };
        Said {
            rule: self.test_id,
            place,
            message: self.text,
            severity: level(&self.severity),
            confidence: level(&self.confidence),
            cwe: self.class.and_then(|class| class.id).map(Cwe).into_iter().collect(),
        }
    }
}

fn level(word: &str) -> Level {
    match word {
        "HIGH" => Level::High,
        "MEDIUM" => Level::Medium,
        _ => Level::Low,
    }
}
