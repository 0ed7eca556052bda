//! Semgrep and Opengrep: the engine itself with rules from files, JSON. It reports to nobody and asks nobody for rules or
//! newer versions; inside there is nobody to ask.

use std::collections::BTreeMap;

use codeward_records::{Cwe, Level};
use codeward_sandbox::Outcome;
use serde::Deserialize;
use serde_json::Value;

use super::{Asked, Call};
use crate::external::analyser::Analyser;
use crate::external::error::ExternalError;
use crate::external::findings::{Answers, Said, classes};
use crate::external::place::Place;

/// Rules of ours, for when nobody names others.
pub(super) const OWN_RULES: &str = include_str!("semgrep.yaml");

/// Seconds that one rule may take on one file.
const RULE_SECONDS: &str = "5";

pub(super) fn call(asked: &Asked<'_>) -> Call {
    let mut options = vec!["osemgrep", "scan", "--experimental"];
    if asked.analyser == Analyser::Semgrep {
        options.extend(["--metrics=off", "--disable-version-check"]);
    }
    options.extend(["--no-git-ignore", "--disable-nosem", "--json", "--quiet", "--max-target-bytes=0"]);
    options.extend(["--timeout", RULE_SECONDS, "--timeout-threshold", "1", "--jobs", "1"]);
    let mut files = BTreeMap::new();
    if asked.rules.is_empty() {
        files.insert("rules.yaml".to_owned(), OWN_RULES.as_bytes().to_vec());
    }
    for (number, rules) in asked.rules.iter().enumerate() {
        files.insert(format!("rules{number}.yaml"), rules.text.as_bytes().to_vec());
    }
    options.extend(files.keys().flat_map(|name| ["--config", name]));
    let env = [("HOME", "/tmp"), ("SEMGREP_SEND_METRICS", "off"), ("SEMGREP_ENABLE_VERSION_CHECK", "0")];
    let env = env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Call { arguments: asked.call_on_files(&options), files, source_folder: "", env }
}

#[derive(Deserialize)]
struct Report {
    results: Vec<Match>,
    errors: Vec<Problem>,
    paths: Paths,
}

#[derive(Deserialize)]
struct Paths {
    scanned: Vec<String>,
}

#[derive(Deserialize)]
struct Problem {
    level: String,
    #[serde(rename = "type")]
    kind: Value,
    message: Option<String>,
    path: Option<String>,
}

#[derive(Deserialize)]
struct Match {
    check_id: String,
    path: String,
    start: Position,
    end: Position,
    extra: Extra,
}

#[derive(Deserialize)]
struct Position {
    line: usize,
    col: usize,
}

#[derive(Deserialize)]
struct Extra {
    message: String,
    severity: String,
    #[serde(default)]
    metadata: Value,
}

pub(super) fn read(asked: &Asked<'_>, outcome: &Outcome) -> Result<Answers, ExternalError> {
    let report: Report = asked.json(&outcome.stdout)?;
    let mut answers = asked.silent();
    answers.retain(|name, _| report.paths.scanned.contains(name));
    for result in report.results {
        let Some(answer) = answers.get_mut(&result.path) else {
            return Err(asked.garbled(format!("a result for {:?}, which it was not given", result.path)));
        };
        if let Ok(said) = answer {
            said.push(result.said());
        }
    }
    for problem in report.errors {
        let kind = problem.kind.as_str().or_else(|| problem.kind.get(0).and_then(Value::as_str)).unwrap_or("error");
        let message = format!("{kind}: {}", problem.message.unwrap_or_default());
        match problem.path {
            // Whatever it is, the file was not read to its end with every rule.
            Some(path) if asked.names.contains(&path) => drop(answers.insert(path, Err(asked.not_read(message)))),
            _ if problem.level == "error" => {
                return Err(ExternalError::NotWorking { analyser: asked.analyser, reason: message });
            }
            _ => {}
        }
    }
    Ok(answers)
}

impl Match {
    fn said(self) -> Said {
        let field = |name: &str| self.extra.metadata.get(name);
        let cwe: Vec<Cwe> = match field("cwe") {
            Some(Value::String(text)) => classes(text),
            Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).flat_map(classes).collect(),
            _ => vec![],
        };
        let confidence = field("confidence").and_then(Value::as_str).map_or(Level::Medium, level);
        Said {
            place: Place::Span {
                line: self.start.line,
                column: self.start.col,
                end_line: self.end.line,
                end_column: self.end.col,
            },
            severity: level(&self.extra.severity),
            confidence,
            cwe,
            rule: self.check_id,
            message: self.extra.message,
        }
    }
}

fn level(word: &str) -> Level {
    match word.to_ascii_uppercase().as_str() {
        "CRITICAL" | "HIGH" | "ERROR" => Level::High,
        "MEDIUM" | "WARNING" => Level::Medium,
        _ => Level::Low,
    }
}
