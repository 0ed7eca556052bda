//! ESLint with its security plugin: one run of a driver of ours that hands it text after text, JSON.

use std::collections::BTreeMap;

use codeward_records::Level;
use codeward_sandbox::Outcome;
use serde::Deserialize;

use super::{Asked, Call};
use crate::external::error::ExternalError;
use crate::external::findings::{Answers, Said};
use crate::external::place::Place;

pub(super) const DRIVER: &str = include_str!("eslint.cjs");
pub(super) const DRIVER_NAME: &str = "driver.cjs";

pub(super) fn call(asked: &Asked<'_>) -> Call {
    let files = super::own_files(asked.analyser);
    Call { arguments: asked.call_on_files(&[]), files, source_folder: "", env: BTreeMap::new() }
}

#[derive(Deserialize)]
struct Report {
    files: BTreeMap<String, Read>,
}

#[derive(Deserialize)]
struct Read {
    messages: Option<Vec<Message>>,
    failure: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    rule_id: Option<String>,
    #[serde(default)]
    fatal: bool,
    #[serde(rename = "message")]
    text: String,
    line: Option<usize>,
    column: Option<usize>,
    end_line: Option<usize>,
    end_column: Option<usize>,
}

pub(super) fn read(asked: &Asked<'_>, outcome: &Outcome) -> Result<Answers, ExternalError> {
    let report: Report = asked.json(&outcome.stdout)?;
    let mut answers = Answers::new();
    for (name, read) in report.files {
        let answer = match read {
            Read { messages: Some(messages), .. } => said(asked, messages),
            Read { failure, .. } => Err(asked.not_read(failure.unwrap_or_default())),
        };
        answers.insert(name, answer);
    }
    Ok(answers)
}

fn said(asked: &Asked<'_>, messages: Vec<Message>) -> Result<Vec<Said>, ExternalError> {
    if let Some(fatal) = messages.iter().find(|message| message.fatal) {
        return Err(asked.not_read(fatal.text.clone()));
    }
    let mut all = Vec::new();
    for message in messages {
        // Without a rule it is about the file's comments, which are not obeyed.
        let Some(rule) = message.rule_id.as_deref().and_then(|rule| rule.strip_prefix("security/")) else { continue };
        let (Some(line), Some(column)) = (message.line, message.column) else {
            return Err(asked.garbled("a message without a place"));
        };
        let place = match (message.end_line, message.end_column) {
            (Some(end_line), Some(end_column)) => Place::Span { line, column, end_line, end_column },
            _ => Place::Start { line, column },
        };
        let (severity, confidence) = (Level::Medium, Level::Low);
        all.push(Said { rule: rule.to_owned(), place, message: message.text, severity, confidence, cwe: vec![] });
    }
    Ok(all)
}
