//! Findings in SARIF 2.1.0, which code hosts and editors read.

use codeward_records::{Cwe, Finding, Level};
use serde_json::{Value, json};

use crate::rules::rules;

/// One SARIF log for the findings of several files, each given with its path.
pub fn sarif<'a>(files: impl IntoIterator<Item = (&'a str, &'a [Finding])>) -> Value {
    let mut results = Vec::new();
    for (path, findings) in files {
        results.extend(findings.iter().map(|finding| result(path, finding)));
    }
    let descriptions: Vec<Value> = rules()
        .iter()
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

fn result(path: &str, finding: &Finding) -> Value {
    let index = rules().iter().position(|rule| rule.name == finding.rule);
    json!({
        "ruleId": finding.rule,
        "ruleIndex": index.map_or(-1, |index| index as i64),
        "level": level(finding.severity),
        "message": { "text": finding.message },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": { "uri": path },
                "region": {
                    "startLine": finding.line,
                    "endLine": finding.end_line,
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
