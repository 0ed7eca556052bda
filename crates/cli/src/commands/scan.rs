//! `codeward scan`: weaknesses in source files.

mod configuration;
pub(crate) mod excerpt;
mod files;
mod others;
pub(crate) mod select;
pub(crate) mod text;

use std::fs::File;
use std::io::{self, Read as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use codeward_analysis::{Analysis, FileState, Language, MAX_BYTES, ScannedFile, SyntaxError, analyse};
use codeward_records::Finding;
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::Ending;
use crate::arguments::{Scan, ScanFormat};
use crate::failure::Failure;
use crate::output;
use files::{Files, Found};

/// A file with what the scan says of it.
pub(crate) struct Scanned {
    path: String,
    language: Option<Language>,
    source: String,
    state: FileState,
    /// Why nothing, or not everything, can be said of it.
    reason: Option<String>,
    findings: Vec<Finding>,
    syntax_error: Option<SyntaxError>,
}

pub(crate) fn run(options: &Scan) -> Result<Ending, Failure> {
    if options.rules {
        return list_rules();
    }
    let files = Files::find(options)?;
    if files.found.is_empty() {
        let names: Vec<_> = options.paths.iter().map(|path| path.display().to_string()).collect();
        return Err(Failure::new(
            format!("{}: no file to scan", names.join(", ")),
            "files below folders need the extension of a language that is read, and --all-files also reads hidden and ignored ones",
        ));
    }
    let mut origins: Vec<_> = files.configurations.iter().filter_map(|found| found.origin.as_ref()).collect();
    origins.dedup();
    for origin in origins {
        output::note(&format!("note: configured by {}", origin.display()));
    }
    let mut scanned: Vec<Scanned> = files.found.par_iter().map(scan).collect();
    let opinions = others::ask(&options.with, &scanned)?;
    let num_unread = opinions.num_unread;
    if options.agreement {
        let agreement = opinions.agreement(&scanned);
        match options.format {
            ScanFormat::Json => output::print_json(&agreement)?,
            _ => output::print(&agreement.to_string())?,
        }
        return Ok(ending(&scanned, num_unread, options));
    }
    opinions.join(&mut scanned);
    for (file, found) in scanned.iter_mut().zip(&files.found) {
        files.configurations[found.configuration].keep(&found.path, &mut file.findings);
        if file.state.is_judged() && file.state != FileState::Nothing {
            file.state = if file.findings.is_empty() { FileState::Clean } else { FileState::Findings };
        }
    }
    match options.format {
        ScanFormat::Text => output::print(&text::report(&scanned, options.trace))?,
        ScanFormat::Json => output::print_json(&rows(&scanned))?,
        ScanFormat::Sarif => output::print_json(&sarif(&scanned))?,
    }
    Ok(ending(&scanned, num_unread, options))
}

fn ending(scanned: &[Scanned], num_unread_by_others: usize, options: &Scan) -> Ending {
    let num_unjudged = scanned.iter().filter(|file| !file.state.is_judged()).count();
    if num_unjudged > 0 && !options.allow_unreadable {
        output::complain(&Failure::new(
            format!("{num_unjudged} of {} files could not be judged", scanned.len()),
            "leave them out with `exclude` in codeward.toml, or let them pass with --allow-unreadable",
        ));
        return Ending::Incomplete;
    }
    if num_unread_by_others > 0 && !options.allow_unreadable {
        output::complain(&Failure::new(
            format!("other analysers could not read a file {num_unread_by_others} times"),
            "the notes above say which; let them pass with --allow-unreadable",
        ));
        return Ending::Incomplete;
    }
    if scanned.iter().any(|file| !file.findings.is_empty()) { Ending::CheckFailed } else { Ending::Done }
}

fn list_rules() -> Result<Ending, Failure> {
    for rule in codeward_analysis::rules() {
        let severity = text::level(rule.severity);
        let cwe = rule.cwe.first().map(ToString::to_string).unwrap_or_default();
        output::print(&format!("{:<15} {:<32} {cwe:<9} {severity:<7} {}\n", rule.code, rule.name, rule.summary))?;
    }
    Ok(Ending::Done)
}

fn scan(found: &Found) -> Scanned {
    let mut scanned = Scanned {
        path: found.path.to_string_lossy().into_owned(),
        language: found.language.as_ref().ok().copied(),
        source: String::new(),
        state: FileState::Unreadable,
        reason: None,
        findings: Vec::new(),
        syntax_error: None,
    };
    let language = match &found.language {
        Ok(language) => *language,
        Err(reason) => {
            scanned.reason = Some(reason.clone());
            return scanned;
        }
    };
    match read(&found.path) {
        Ok(source) => scanned.source = source,
        Err((state, reason)) => {
            (scanned.state, scanned.reason) = (state, Some(reason));
            return scanned;
        }
    }
    match guarded(|| analyse(language, &scanned.source)) {
        Ok(Ok(analysis)) => {
            scanned.state = analysis.state().into();
            if scanned.state == FileState::NotParseable {
                scanned.reason = Some(format!("this is not {language}; nothing can be said of the file"));
            }
            Analysis { findings: scanned.findings, syntax_error: scanned.syntax_error, .. } = analysis;
        }
        Ok(Err(error)) => (scanned.state, scanned.reason) = (FileState::from(&error), Some(error.to_string())),
        Err(reason) => (scanned.state, scanned.reason) = (FileState::EngineError, Some(reason)),
    }
    scanned
}

/// Runs the analyser. Should it fail by a defect of its own, the other files must not suffer, and the file must not pass for clean.
fn guarded<T>(analyser: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(analyser)).map_err(|_| "the analyser failed; please report this file".to_owned())
}

/// The text of a file, or of standard input for `-`. No more is read than the analyser takes.
fn read(path: &Path) -> Result<String, (FileState, String)> {
    let unreadable = |error: io::Error| (FileState::Unreadable, error.to_string());
    let mut bytes = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    if path == Path::new("-") {
        io::stdin().take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
    } else {
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(unreadable)?;
    }
    if bytes.len() > MAX_BYTES {
        return Err((FileState::TooLarge, format!("over the limit of {MAX_BYTES} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| (FileState::Unreadable, format!("not UTF-8 text: {}", error.utf8_error())))
}

/// One row for each finding, and one without a rule for each file that was not judged or has nothing in it.
fn rows(scanned: &[Scanned]) -> Vec<Value> {
    let mut rows = Vec::new();
    for file in scanned {
        let head = json!({ "path": file.path, "language": file.language, "state": file.state });
        if !matches!(file.state, FileState::Clean | FileState::Findings) {
            rows.push(state_row(&head, file));
        }
        rows.extend(file.findings.iter().map(|finding| {
            let fields = serde_json::to_value(finding).expect("a finding is plain data");
            joined(&head, fields)
        }));
    }
    rows
}

fn state_row(head: &Value, file: &Scanned) -> Value {
    let place = file.syntax_error.as_ref().map(serde_json::to_value);
    let place = place.map_or(json!({}), |place| place.expect("a place is plain data"));
    let reason = file.reason.as_deref().unwrap_or("no statement in it");
    joined(&joined(head, place), json!({ "message": reason }))
}

fn joined(head: &Value, fields: Value) -> Value {
    let mut row = head.clone();
    if let (Some(row), Value::Object(fields)) = (row.as_object_mut(), fields) {
        row.extend(fields);
    }
    row
}

fn sarif(scanned: &[Scanned]) -> Value {
    codeward_analysis::sarif(scanned.iter().map(|file| ScannedFile {
        path: &file.path,
        source: &file.source,
        findings: &file.findings,
        state: file.state,
        reason: file.reason.as_deref().unwrap_or_default(),
        syntax_error: file.syntax_error.as_ref(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_defect_of_the_analyser_is_no_clean_file() {
        assert_eq!(guarded(|| 3), Ok(3));
        assert!(guarded(|| panic!("a defect")).is_err_and(|reason: String| reason.contains("the analyser failed")));
    }
}
