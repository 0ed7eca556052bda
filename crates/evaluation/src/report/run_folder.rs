//! Reading a run folder. Whatever a run has not written yet is absent, which is no error; what is there has to be sound.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use codeward_records::jsonl::{self, JsonlError};
use codeward_records::{Judged, Manifest, StepMetrics};
use serde::de::DeserializeOwned;

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The folder is missing or holds nothing that a run writes.
    #[error("{path}: not a run folder")]
    NotARun {
        /// The folder.
        path: PathBuf,
    },
    /// A file of the run could not be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A line of a file is not what it should be.
    #[error("{path}:{line}: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The parser's reason.
        reason: String,
        /// True when nothing follows the line, so that a write may have been cut off there.
        last_line: bool,
    },
    /// The manifest was written by a version that this one cannot read.
    #[error("{path}: format {found}, but this version reads format {supported}", supported = Manifest::FORMAT)]
    Format {
        /// The manifest.
        path: PathBuf,
        /// The format it declares.
        found: u32,
    },
    /// The report could not be put in place.
    #[error("{path}: {source}")]
    Write {
        /// The report.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl ReportError {
    /// What the user can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotARun { .. } => "give the folder that holds manifest.json, for example the one named with --out",
            Self::Read { .. } => "check that the file is readable text",
            Self::Malformed { last_line: true, .. } => {
                "the run may have been stopped while it wrote this line: resume the run, or remove the line"
            }
            Self::Malformed { .. } => "the file was changed after the run wrote it: restore it, or remove the line",
            Self::Format { .. } => "use the version of codeward that wrote the run",
            Self::Write { .. } => "check that the run folder is writable and the disk is not full",
        }
    }
}

/// What a run folder holds. `None` stands for a file that is not there.
#[derive(Debug)]
pub(super) struct RunFolder {
    pub(super) name: String,
    pub(super) manifest: Option<Manifest>,
    pub(super) recipe: Option<Recipe>,
    pub(super) metrics: Option<Vec<StepMetrics>>,
    pub(super) before: Option<Vec<Judged>>,
    pub(super) after: Option<Vec<Judged>>,
    /// Seconds by `time/...` key, summed over the steps.
    pub(super) timings: Option<BTreeMap<String, f64>>,
}

/// The resolved recipe as written, and the one setting of it that the report has to know.
#[derive(Debug)]
pub(super) struct Recipe {
    pub(super) text: String,
    pub(super) judge: Option<String>,
}

impl RunFolder {
    pub(super) fn read(run: &Path) -> Result<Self, ReportError> {
        let folder = Self {
            name: folder_name(run),
            manifest: manifest(&run.join("manifest.json"))?,
            recipe: recipe(&run.join("recipe.resolved.toml"))?,
            metrics: rows(&run.join("metrics.jsonl"))?,
            before: rows(&run.join("evaluation/before.jsonl"))?,
            after: rows(&run.join("evaluation/after.jsonl"))?,
            timings: timings(&run.join("timings.jsonl"))?,
        };
        let has_something = folder.manifest.is_some()
            || folder.recipe.is_some()
            || folder.metrics.is_some()
            || folder.before.is_some()
            || folder.after.is_some();
        if has_something { Ok(folder) } else { Err(ReportError::NotARun { path: run.to_owned() }) }
    }

    /// True when "secure" means that the analyser reports nothing, so that the page must not speak of attacks.
    pub(super) fn is_judged_by_analysis(&self) -> bool {
        self.recipe.as_ref().and_then(|recipe| recipe.judge.as_deref()) == Some("analysis")
    }
}

fn folder_name(run: &Path) -> String {
    run.file_name().map_or_else(|| "run".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn text(path: &Path) -> Result<Option<String>, ReportError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ReportError::Read { path: path.to_owned(), source }),
    }
}

fn manifest(path: &Path) -> Result<Option<Manifest>, ReportError> {
    /// The key that every version of the shape has.
    #[derive(serde::Deserialize)]
    struct Version {
        format: u32,
    }
    let Some(text) = text(path)? else { return Ok(None) };
    let malformed = |error: serde_json::Error| ReportError::Malformed {
        path: path.to_owned(),
        line: error.line().max(1),
        reason: error.to_string(),
        last_line: error.is_eof(),
    };
    let Version { format } = serde_json::from_str(&text).map_err(malformed)?;
    if format != Manifest::FORMAT {
        return Err(ReportError::Format { path: path.to_owned(), found: format });
    }
    serde_json::from_str(&text).map(Some).map_err(malformed)
}

fn recipe(path: &Path) -> Result<Option<Recipe>, ReportError> {
    let Some(text) = text(path)? else { return Ok(None) };
    let table: toml::Table = toml::from_str(&text).map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        ReportError::Malformed {
            path: path.to_owned(),
            line: text.get(..at).map_or(0, |above| above.matches('\n').count()) + 1,
            reason: error.message().to_owned(),
            last_line: false,
        }
    })?;
    let judge = table.get("evaluation").and_then(|evaluation| evaluation.get("judge"));
    let judge = judge.map(|judge| judge.as_str().map_or_else(|| judge.to_string(), str::to_owned));
    Ok(Some(Recipe { text, judge }))
}

fn rows<T: DeserializeOwned>(path: &Path) -> Result<Option<Vec<T>>, ReportError> {
    match jsonl::read(path) {
        Ok(rows) => Ok(Some(rows)),
        Err(JsonlError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(JsonlError::Io { path, source }) => Err(ReportError::Read { path, source }),
        Err(JsonlError::Line { path, line, source }) => {
            let num_lines = text(&path)?.map_or(0, |text| text.trim_end().lines().count());
            Err(ReportError::Malformed { path, line, reason: source.to_string(), last_line: line >= num_lines })
        }
    }
}

/// Durations are for people only, so any numeric key but the step counts, and other values are passed over.
fn timings(path: &Path) -> Result<Option<BTreeMap<String, f64>>, ReportError> {
    let Some(rows) = rows::<BTreeMap<String, serde_json::Value>>(path)? else { return Ok(None) };
    let mut sums = BTreeMap::new();
    for (key, value) in rows.into_iter().flatten() {
        if let (true, Some(value)) = (key != "step", value.as_f64()) {
            *sums.entry(key).or_insert(0.0) += value;
        }
    }
    Ok(Some(sums))
}
