//! `codeward scan`: weaknesses in Python files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use codeward_analysis::{Analysis, Language, ScannedFile, analyse};
use serde_json::{Value, json};

use crate::Ending;
use crate::arguments::{Scan, ScanFormat};
use crate::failure::Failure;
use crate::{input, output};

/// A file with what was found in it.
struct Scanned {
    path: String,
    source: String,
    analysis: Analysis,
}

pub(crate) fn run(options: &Scan) -> Result<Ending, Failure> {
    if options.rules {
        return list_rules();
    }
    let mut files = Vec::new();
    for path in &options.paths {
        collect(path, &mut files)?;
    }
    let scanned = files.iter().map(|path| scan(path)).collect::<Result<Vec<_>, _>>()?;
    let found = scanned.iter().any(|file| !file.analysis.findings.is_empty());
    match options.format {
        ScanFormat::Text => output::print(&text(&scanned))?,
        ScanFormat::Json => output::print_json(&rows(&scanned))?,
        ScanFormat::Sarif => {
            let files = scanned.iter().map(|file| ScannedFile {
                path: &file.path,
                source: &file.source,
                findings: &file.analysis.findings,
            });
            output::print_json(&codeward_analysis::sarif(files))?;
        }
    }
    Ok(if found { Ending::CheckFailed } else { Ending::Done })
}

fn list_rules() -> Result<Ending, Failure> {
    for rule in codeward_analysis::rules() {
        let severity = level(rule.severity);
        output::print(&format!(
            "{:<36} {:<9} {severity:<7} {}\n",
            rule.name,
            rule.cwe.first().map(ToString::to_string).unwrap_or_default(),
            rule.summary
        ))?;
    }
    Ok(Ending::Done)
}

/// Every Python file below a folder, by name; a file named by the user is taken whatever it is called.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    let unreadable = |error: io::Error| Failure::io(path, &error, "name a folder that can be read");
    let mut folders = vec![path.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let kind = entry.file_type().map_err(unreadable)?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if entry.path().extension().is_some_and(|extension| extension == "py") {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    files.append(&mut found);
    Ok(())
}

fn scan(path: &Path) -> Result<Scanned, Failure> {
    let bytes = input::read(path)?;
    let name = path.display().to_string();
    let source = String::from_utf8(bytes).map_err(|error| {
        Failure::new(format!("{name}: not UTF-8 text: {}", error.utf8_error()), "save the file as UTF-8")
    })?;
    let analysis = analyse(Language::Python, &source)
        .map_err(|error| Failure::new(format!("{name}: {error}"), "leave the file out, or split it"))?;
    Ok(Scanned { path: name, source, analysis })
}

fn level(level: codeward_records::Level) -> &'static str {
    match level {
        codeward_records::Level::Low => "low",
        codeward_records::Level::Medium => "medium",
        codeward_records::Level::High => "high",
    }
}

fn rows(scanned: &[Scanned]) -> Vec<Value> {
    scanned
        .iter()
        .flat_map(|file| {
            file.analysis.findings.iter().map(|finding| {
                let mut row = json!({ "path": file.path });
                let fields = serde_json::to_value(finding).expect("a finding is plain data");
                if let (Some(row), Value::Object(fields)) = (row.as_object_mut(), fields) {
                    row.extend(fields);
                }
                row
            })
        })
        .collect()
}

fn text(scanned: &[Scanned]) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    let mut count = 0;
    for file in scanned {
        if let Some(error) = &file.analysis.syntax_error {
            let _ = writeln!(
                out,
                "{}:{}:{}: syntax error: nothing can be said of this file",
                file.path, error.line, error.column
            );
        }
        for finding in &file.analysis.findings {
            count += 1;
            let cwe = finding.cwe.first().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(
                out,
                "{}:{}:{}: {} {cwe} [{}] {}",
                file.path,
                finding.line,
                finding.column,
                level(finding.severity),
                finding.rule,
                finding.message
            );
            if let Some(line) = file.source.lines().nth(finding.line - 1) {
                let end = if finding.end_line == finding.line { finding.end_column } else { line.len() + 1 };
                let (start, end) = (finding.column - 1, (end - 1).min(line.len()));
                let width = line.get(start..end).map_or(1, |span| span.chars().count().max(1));
                let indent = line.get(..start).map_or(0, |before| before.chars().count());
                let _ = writeln!(out, "    {line}\n    {}{}", " ".repeat(indent), "^".repeat(width));
            }
        }
    }
    let files = scanned.len();
    let _ = writeln!(out, "{count} findings in {files} files");
    out
}
