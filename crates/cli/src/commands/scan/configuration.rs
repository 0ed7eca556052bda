//! `codeward.toml`: what a project wants reported. Options on the command line replace its keys.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use codeward_analysis::RuleInfo;
use codeward_records::{Finding, Level};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::Deserialize;

use super::select::Selector;
use crate::arguments::Scan;
use crate::failure::Failure;

/// The name under which it is looked for.
pub(crate) const NAME: &str = "codeward.toml";

const HINT: &str = "keys are select, ignore, severity, confidence, exclude and the table per_path_ignore; `codeward scan --help` shows an example";

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    select: Option<Vec<String>>,
    ignore: Option<Vec<String>>,
    severity: Option<Level>,
    confidence: Option<Level>,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default)]
    per_path_ignore: BTreeMap<String, Vec<String>>,
}

/// What is reported below one path.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// The file that it comes from.
    pub(crate) origin: Option<PathBuf>,
    /// Empty for every rule.
    select: Vec<Selector>,
    ignore: Vec<Selector>,
    severity: Level,
    confidence: Level,
    exclude: Gitignore,
    per_path_ignore: Vec<(Gitignore, Vec<Selector>)>,
}

impl Configuration {
    /// What holds for a path that the user named.
    pub(crate) fn of(path: &Path, options: &Scan) -> Result<Self, Failure> {
        let origin = match &options.config {
            Some(file) => Some(file.clone()),
            None if options.no_config => None,
            None => found_above(path),
        };
        match &origin {
            Some(file) => Self::read(file, options),
            None => Self::resolve(&Written::default(), None, options),
        }
    }

    fn read(file: &Path, options: &Scan) -> Result<Self, Failure> {
        let text = fs::read_to_string(file)
            .map_err(|error| Failure::io(file, &error, "name a configuration that can be read"))?;
        let written: Written = toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count()) + 1;
            let reason = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
            Failure::new(format!("{}:{line}: {reason}", file.display()), HINT)
        })?;
        Self::resolve(&written, Some(file), options)
    }

    fn resolve(written: &Written, origin: Option<&Path>, options: &Scan) -> Result<Self, Failure> {
        let place = |key: &str| origin.map_or(String::new(), |file| format!("{}: {key}: ", file.display()));
        let chosen = |key: &str, words: &[String]| -> Result<Vec<Selector>, Failure> {
            words.iter().map(|word| selector(word, &place(key))).collect()
        };
        let of_option = |option: &str, key: &str, words: &[String], written: Option<&Vec<String>>| match words {
            [] => written.map_or_else(|| Ok(Vec::new()), |words| chosen(key, words)),
            words => words.iter().map(|word| selector(word, &format!("{option}: "))).collect(),
        };
        let root = match origin.map(|file| file.parent().unwrap_or(file)) {
            Some(folder) => real(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }),
            None => PathBuf::from("/"),
        };
        let patterns = |key: &str, globs: &[&String]| patterns(&root, globs, &place(key));
        let per_path_ignore = written.per_path_ignore.iter().map(|(glob, words)| {
            Ok((patterns("per_path_ignore", &[glob])?, chosen(&format!("per_path_ignore.{glob:?}"), words)?))
        });
        Ok(Self {
            origin: origin.map(Path::to_owned),
            select: of_option("--select", "select", &options.select, written.select.as_ref())?,
            ignore: of_option("--ignore", "ignore", &options.ignore, written.ignore.as_ref())?,
            severity: options.severity.map(Level::from).or(written.severity).unwrap_or(Level::Low),
            confidence: options.confidence.map(Level::from).or(written.confidence).unwrap_or(Level::Low),
            exclude: patterns("exclude", &written.exclude.iter().collect::<Vec<_>>())?,
            per_path_ignore: per_path_ignore.collect::<Result<_, Failure>>()?,
        })
    }

    /// Whether a file or folder that is met on the way is left out.
    pub(crate) fn exclusion(&self) -> impl Fn(&Path, bool) -> bool + Send + Sync + 'static {
        let exclude = self.exclude.clone();
        move |path, is_folder| !exclude.is_empty() && is_matched(&exclude, &real(path), is_folder)
    }

    /// Keeps what is to be reported of a file.
    pub(crate) fn keep(&self, path: &Path, findings: &mut Vec<Finding>) {
        let path = real(path);
        let left_out: Vec<&Selector> = self
            .per_path_ignore
            .iter()
            .filter(|(glob, _)| is_matched(glob, &path, false))
            .flat_map(|(_, selectors)| selectors)
            .chain(&self.ignore)
            .collect();
        let is_meant = |rule: &RuleInfo| {
            (self.select.is_empty() || self.select.iter().any(|selector| selector.matches(rule)))
                && !left_out.iter().any(|selector| selector.matches(rule))
        };
        findings.retain(|finding| {
            let rule = codeward_analysis::rules().find(|rule| rule.code == finding.code);
            finding.severity >= self.severity && finding.confidence >= self.confidence && rule.is_none_or(is_meant)
        });
    }
}

fn selector(word: &str, place: &str) -> Result<Selector, Failure> {
    Selector::parse(word).map_err(|reason| {
        let hint = "a code, a name, the beginning of either (CW-PY, py/sql) or a class (CWE-89); `codeward scan --rules` lists them";
        Failure::new(format!("{place}{reason}"), hint)
    })
}

fn patterns(root: &Path, globs: &[&String], place: &str) -> Result<Gitignore, Failure> {
    let mut builder = GitignoreBuilder::new(root);
    for glob in globs {
        builder
            .add_line(None, glob)
            .map_err(|error| Failure::new(format!("{place}{glob:?}: {error}"), "patterns are those of .gitignore"))?;
    }
    builder.build().map_err(|error| Failure::new(format!("{place}{error}"), "patterns are those of .gitignore"))
}

/// Whether a pattern matches the path or a folder that it lies in. Paths outside the root match nothing.
fn is_matched(globs: &Gitignore, path: &Path, is_folder: bool) -> bool {
    path.starts_with(globs.path()) && globs.matched_path_or_any_parents(path, is_folder).is_ignore()
}

/// The path from the root, without links and dots where the file system knows it.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}

/// The nearest configuration in the path's folder or above it.
fn found_above(path: &Path) -> Option<PathBuf> {
    let start = real(if path == Path::new("-") { Path::new(".") } else { path });
    start.ancestors().map(|folder| folder.join(NAME)).find(|file| file.is_file()).map(shortened)
}

/// As a path below the working folder, where it is one.
fn shortened(file: PathBuf) -> PathBuf {
    file.strip_prefix(real(Path::new("."))).map(Path::to_owned).unwrap_or(file)
}
