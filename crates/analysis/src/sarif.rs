//! Findings in SARIF 2.1.0, which code hosts and editors read.

use std::fmt::Write as _;

use codeward_records::{Cwe, Finding, Level, Step};
use serde_json::{Value, json};

use crate::analyse::SyntaxError;
use crate::file_state::FileState;
use crate::rules::{RuleInfo, rules};

/// A file and what a scan says of it.
#[derive(Debug, Clone, Copy)]
pub struct ScannedFile<'a> {
    /// The path to show, with forward slashes.
    pub path: &'a str,
    /// The text that was analysed; empty where it could not be read.
    pub source: &'a str,
    /// What was found.
    pub findings: &'a [Finding],
    /// What the scan says of the file as a whole.
    pub state: FileState,
    /// Why the file was not judged, one sentence; empty if it was.
    pub reason: &'a str,
    /// Where it stops being in its language.
    pub syntax_error: Option<&'a SyntaxError>,
}

/// One SARIF log for several files.
///
/// Each file is an artifact with its state; a file that was not judged is also a notification, and the invocation then counts as failed
/// unless the only trouble is text that is not in its language.
pub fn sarif<'a>(files: impl IntoIterator<Item = ScannedFile<'a>>) -> Value {
    let (mut results, mut artifacts, mut notifications) = (Vec::new(), Vec::new(), Vec::new());
    let mut successful = true;
    for (at, file) in files.into_iter().enumerate() {
        results.extend(file.findings.iter().map(|finding| result(&file, at, finding)));
        artifacts.push(json!({
            "location": { "uri": uri(file.path) },
            "roles": ["analysisTarget"],
            "properties": { "state": file.state.name() },
        }));
        if !file.state.is_judged() {
            notifications.push(notification(&file, at));
            successful &= file.state == FileState::NotParseable;
        }
    }
    let descriptions: Vec<Value> = rules().map(description).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "codeward",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": descriptions,
            } },
            "invocations": [{
                "executionSuccessful": successful,
                "toolExecutionNotifications": notifications,
            }],
            "artifacts": artifacts,
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn description(rule: &'static RuleInfo) -> Value {
    let markdown = rule.markdown();
    let full = if rule.does().is_empty() { rule.summary } else { rule.does() };
    json!({
        "id": rule.code,
        "name": rule.name,
        "shortDescription": { "text": rule.summary },
        "fullDescription": { "text": full },
        "help": { "text": help_text(rule), "markdown": markdown },
        "helpUri": rule.links().first(),
        "defaultConfiguration": { "level": level(rule.severity) },
        "properties": {
            "tags": tags(rule.cwe),
            "precision": precision(rule.confidence),
            "security-severity": security_severity(rule.severity),
        },
    })
}

fn help_text(rule: &RuleInfo) -> String {
    let why = if rule.why().is_empty() { String::new() } else { format!("{} ", rule.why()) };
    format!("{}. {why}What to do: {}.", rule.summary, rule.fix)
}

/// A path as a relative reference, or as a `file:` URI where it starts at the root.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    if path.starts_with('/') {
        out.push_str("file://");
    } else if path.split('/').next().is_some_and(|first| first.contains(':')) {
        // Otherwise the first part would read as a scheme.
        out.push_str("./");
    }
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Line and column of a byte, from 1, the column counted in characters.
fn place(source: &str, byte: usize) -> (usize, usize) {
    let before = &source[..byte];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

fn region(source: &str, start: usize, end: usize) -> Value {
    let ((start_line, start_column), (end_line, end_column)) = (place(source, start), place(source, end));
    json!({
        "startLine": start_line,
        "startColumn": start_column,
        "endLine": end_line,
        "endColumn": end_column,
        "byteOffset": start,
        "byteLength": end - start,
    })
}

fn physical_location(file: &ScannedFile<'_>, index: usize, start: usize, end: usize) -> Value {
    json!({
        "artifactLocation": { "uri": uri(file.path), "index": index },
        "region": region(file.source, start, end),
    })
}

fn notification(file: &ScannedFile<'_>, index: usize) -> Value {
    let physical = match file.syntax_error {
        Some(error) => physical_location(file, index, error.start_byte, error.end_byte),
        None => json!({ "artifactLocation": { "uri": uri(file.path), "index": index } }),
    };
    json!({
        "level": "error",
        "descriptor": { "id": file.state.name() },
        "message": { "text": file.reason },
        "locations": [{ "physicalLocation": physical }],
    })
}

fn result(file: &ScannedFile<'_>, file_index: usize, finding: &Finding) -> Value {
    let index = rules().position(|rule| rule.code == finding.code);
    let mut result = json!({
        "ruleId": finding.code,
        "level": level(finding.severity),
        "message": { "text": finding.message },
        "locations": [{ "physicalLocation": physical_location(file, file_index, finding.start_byte, finding.end_byte) }],
    });
    // What other analysers found names no rule of ours.
    if let Some(index) = index {
        result["ruleIndex"] = index.into();
    }
    if !finding.trace.is_empty() {
        result["codeFlows"] = code_flows(file, file_index, &finding.trace);
    }
    result["properties"] = json!({ "confidence": finding.confidence, "tags": tags(&finding.cwe) });
    result
}

fn code_flows(file: &ScannedFile<'_>, index: usize, trace: &[Step]) -> Value {
    let last = trace.len() - 1;
    let location = |(at, step): (usize, &Step)| {
        json!({
            "location": {
                "physicalLocation": physical_location(file, index, step.start_byte, step.end_byte),
                "message": { "text": step.note },
            },
            "importance": if at == 0 || at == last { "essential" } else { "important" },
        })
    };
    let locations: Vec<Value> = trace.iter().enumerate().map(location).collect();
    json!([{ "threadFlows": [{ "locations": locations }] }])
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_references_that_name_the_same_file() {
        for (path, expected) in [
            ("src/a.py", "src/a.py"),
            ("/tmp/a.py", "file:///tmp/a.py"),
            ("my file#1?.py", "my%20file%231%3F.py"),
            ("é/100%.py", "%C3%A9/100%25.py"),
            ("http:/a.py", "./http:/a.py"),
        ] {
            assert_eq!(uri(path), expected);
        }
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(place("a\né = f(x)", 9), (2, 7));
        assert_eq!(place("", 0), (1, 1));
    }
}
