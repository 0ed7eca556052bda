//! GCC's own analyser, for C: started for each file, JSON.

use codeward_records::{Cwe, Level};
use serde::Deserialize;

use super::each::{self, Ran};
use super::{Asked, Call};
use crate::external::error::ExternalError;
use crate::external::findings::Said;
use crate::external::place::Place;

pub(super) fn call(asked: &Asked<'_>) -> Call {
    let options = [
        "-fanalyzer",
        "-Wformat",
        "-Wformat-security",
        // By it a file could turn warnings off; other forms are blanked.
        "-D_Pragma(x)=",
        "-fdiagnostics-format=json",
        "-std=gnu17",
        "-S",
        "-o",
        "/dev/null",
    ];
    each::call(asked, &options, "")
}

#[derive(Deserialize)]
struct Diagnostic {
    kind: String,
    message: String,
    option: Option<String>,
    #[serde(default)]
    locations: Vec<Location>,
    /// What follows on something said before, whether or not it has to do with it.
    #[serde(default)]
    children: Vec<Diagnostic>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    cwe: Option<u16>,
}

#[derive(Deserialize)]
struct Location {
    caret: Point,
    start: Option<Point>,
    finish: Option<Point>,
}

#[derive(Deserialize)]
struct Point {
    file: String,
    line: i64,
    #[serde(rename = "byte-column")]
    column: i64,
}

pub(super) fn read_one(asked: &Asked<'_>, ran: &Ran<'_>) -> Result<Vec<Said>, ExternalError> {
    // Messages of the driver may stand around it.
    let Some(json) = ran.stderr.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"[")) else {
        return Err(ran.crashed(asked));
    };
    let mut diagnostics: Vec<Diagnostic> = asked.json(json)?;
    let mut at = 0;
    while at < diagnostics.len() {
        let children = std::mem::take(&mut diagnostics[at].children);
        diagnostics.extend(children);
        at += 1;
    }
    if let Some(error) = diagnostics.iter().find(|one| one.kind.contains("error")) {
        return Err(asked.not_read(error.message.clone()));
    }
    if ran.code != 0 {
        return Err(ran.crashed(asked));
    }
    Ok(diagnostics.into_iter().filter_map(|one| one.said(ran.name)).collect())
}

impl Diagnostic {
    fn said(self, name: &str) -> Option<Said> {
        let rule = self.option?;
        if !(rule.starts_with("-Wanalyzer-") || rule.starts_with("-Wformat-")) {
            return None;
        }
        let location = self.locations.into_iter().find(|location| location.caret.file == name)?;
        let place = location.place()?;
        let confidence = if rule.contains("possible") { Level::Low } else { Level::Medium };
        let cwe = self.metadata.and_then(|metadata| metadata.cwe).map(Cwe).into_iter().collect();
        Some(Said { rule, place, message: self.message, severity: Level::Medium, confidence, cwe })
    }
}

impl Location {
    fn place(&self) -> Option<Place> {
        let start = self.start.as_ref().unwrap_or(&self.caret);
        let (line, column) = start.numbers()?;
        // The last column is inside.
        Some(match self.finish.as_ref().and_then(Point::numbers) {
            Some((end_line, end)) => Place::Span { line, column, end_line, end_column: end + 1 },
            None => Place::Start { line, column },
        })
    }
}

impl Point {
    fn numbers(&self) -> Option<(usize, usize)> {
        Some((usize::try_from(self.line).ok()?, usize::try_from(self.column).ok()?))
    }
}
