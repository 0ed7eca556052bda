//! Findings in SARIF 2.1.0, which code hosts and editors read.

use codeward_records::{Cwe, Finding, Level};
use serde_json::{Value, json};

use crate::rules::rules;

/// A file and what was found in it.
#[derive(Debug, Clone, Copy)]
pub struct ScannedFile<'a> {
    /// The path to show, with forward slashes.
    pub path: &'a str,
    /// The text that was analysed.
    pub source: &'a str,
    /// What was found.
    pub findings: &'a [Finding],
}

/// One SARIF log for the findings of several files.
pub fn sarif<'a>(files: impl IntoIterator<Item = ScannedFile<'a>>) -> Value {
    let mut results = Vec::new();
    for file in files {
        results.extend(file.findings.iter().map(|finding| result(&file, finding)));
    }
    let descriptions: Vec<Value> = rules()
        .map(|rule| {
            json!({
                "id": rule.name,
                "shortDescription": { "text": rule.summary },
                "defaultConfiguration": { "level": level(rule.severity) },
                "properties": {
                    "tags": tags(rule.cwe),
                    "precision": precision(rule.confidence),
                    "security-severity": security_severity(rule.severity),
                },
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "codeward",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": descriptions,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// Column of a byte, from 1, counted in characters.
fn column(source: &str, byte: usize) -> usize {
    let before = &source[..byte];
    before[before.rfind('\n').map_or(0, |at| at + 1)..].chars().count() + 1
}

fn result(file: &ScannedFile<'_>, finding: &Finding) -> Value {
    let index = rules().position(|rule| rule.name == finding.rule);
    json!({
        "ruleId": finding.rule,
        "ruleIndex": index.map_or(-1, |index| index as i64),
        "level": level(finding.severity),
        "message": { "text": finding.message },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": file.path },
                "region": {
                    "startLine": finding.line,
                    "startColumn": column(file.source, finding.start_byte),
                    "endLine": finding.end_line,
                    "endColumn": column(file.source, finding.end_byte),
                    "byteOffset": finding.start_byte,
                    "byteLength": finding.end_byte - finding.start_byte,
                },
            },
        }],
        "properties": { "confidence": finding.confidence, "trace": finding.trace, "tags": tags(&finding.cwe) },
    })
}

fn level(severity: Level) -> &'static str {
    match severity {
        Level::High => "error",
        Level::Medium => "warning",
        Level::Low => "note",
    }
}

fn precision(confidence: Level) -> &'static str {
    match confidence {
        Level::High => "high",
        Level::Medium => "medium",
        Level::Low => "low",
    }
}

fn security_severity(severity: Level) -> &'static str {
    match severity {
        Level::High => "8.0",
        Level::Medium => "5.5",
        Level::Low => "3.0",
    }
}

fn tags(classes: &[Cwe]) -> Vec<String> {
    let tag = |class: &Cwe| format!("external/cwe/cwe-{:03}", class.0);
    std::iter::once("security".to_owned()).chain(classes.iter().map(tag)).collect()
}
