//! A scan for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use codeward_analysis::FileState;
use codeward_records::{Finding, Level};

use super::Scanned;
use super::excerpt::{excerpt, visible};

/// The whole report: what was found in each file, what could not be judged, and a summary.
pub(super) fn report(scanned: &[Scanned], with_trace: bool) -> String {
    let mut out = String::new();
    for file in scanned {
        if let Some(reason) = file.reason.as_deref() {
            let place = file.syntax_error.as_ref().map(|error| format!("{}:{}:", error.line, error.column));
            let path = visible(&file.path);
            let _ = writeln!(out, "{path}:{} {}: {}", place.unwrap_or_default(), words(file.state), visible(reason));
            if let Some(error) = &file.syntax_error {
                out.push_str(&excerpt(&file.source, error.start_byte, error.end_byte, "  "));
            }
            out.push('\n');
        }
        for finding in &file.findings {
            write_finding(&mut out, file, finding, with_trace);
        }
    }
    out.push_str(&summary(scanned));
    out
}

fn write_finding(out: &mut String, file: &Scanned, finding: &Finding, with_trace: bool) {
    let cwe = finding.cwe.first().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(
        out,
        "{}:{}:{}: {} {cwe} {} [{}] {}",
        visible(&file.path),
        finding.line,
        finding.column,
        level(finding.severity),
        finding.code,
        finding.rule,
        visible(&finding.message)
    );
    out.push_str(&excerpt(&file.source, finding.start_byte, finding.end_byte, "  "));
    if with_trace && !finding.trace.is_empty() {
        let _ = writeln!(out, "  how it gets there:");
        for (at, step) in finding.trace.iter().enumerate() {
            let _ = writeln!(out, "    {}. {}:{}: {}", at + 1, step.line, step.column, visible(&step.note));
            out.push_str(&excerpt(&file.source, step.start_byte, step.end_byte, "       "));
        }
    }
    out.push('\n');
}

/// How many findings in how many files, and how many files were something else than clean or with findings.
fn summary(scanned: &[Scanned]) -> String {
    let num_findings: usize = scanned.iter().map(|file| file.findings.len()).sum();
    let mut out = format!("{num_findings} findings in {} files", scanned.len());
    let mut states = BTreeMap::new();
    for file in scanned {
        *states.entry(file.state).or_insert(0_usize) += 1;
    }
    states.remove(&FileState::Clean);
    states.remove(&FileState::Findings);
    let states: Vec<_> = states.iter().map(|(state, count)| format!("{count} {}", words(*state))).collect();
    if !states.is_empty() {
        let _ = write!(out, " ({})", states.join(", "));
    }
    out.push('\n');
    out
}

/// A state as a person says it.
fn words(state: FileState) -> &'static str {
    match state {
        FileState::Clean => "clean",
        FileState::Findings => "with findings",
        FileState::Nothing => "without code",
        FileState::NotParseable => "not parseable",
        FileState::TooLarge => "too large",
        FileState::EngineError => "not analysed",
        FileState::Unreadable => "not readable",
    }
}

/// A level as it is written everywhere.
pub(crate) fn level(level: Level) -> &'static str {
    match level {
        Level::Low => "low",
        Level::Medium => "medium",
        Level::High => "high",
    }
}
