//! Which files are read: those that the user names, and those below the folders that the user names.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use codeward_analysis::Language;
use ignore::{DirEntry, WalkBuilder};

use super::configuration::Configuration;
use crate::arguments::Scan;
use crate::failure::Failure;

/// A file to read, or a place that could not be looked into.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// The language that it is to be read as, or why it cannot be read.
    pub(super) language: Result<Language, String>,
    /// Its place in [`Files::configurations`].
    pub(super) configuration: usize,
}

/// What is to be read, and under which configurations.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) found: Vec<Found>,
    pub(super) configurations: Vec<Configuration>,
    seen: BTreeSet<PathBuf>,
}

impl Files {
    /// Every file to read, in the order of the arguments and below each by path; each once.
    ///
    /// A file that the user names is read whatever leaves it out elsewhere.
    pub(super) fn find(options: &Scan) -> Result<Self, Failure> {
        let mut files = Self::default();
        for path in &options.paths {
            files.configurations.push(Configuration::of(path, options)?);
            if path.is_dir() {
                files.walk(path, options);
            } else {
                files.add(path, language_of(path, options.language));
            }
        }
        Ok(files)
    }

    fn add(&mut self, path: &Path, language: Result<Language, String>) {
        let path: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
        if self.seen.insert(path.clone()) {
            self.found.push(Found { path, language, configuration: self.configurations.len() - 1 });
        }
    }

    fn walk(&mut self, root: &Path, options: &Scan) {
        let configuration = self.configurations.last().expect("one was pushed for this path");
        let mut builder = WalkBuilder::new(root);
        // What the person at this machine ignores everywhere must not change the result.
        builder.standard_filters(!options.all_files).git_global(false).require_git(false);
        let is_excluded = configuration.exclusion();
        builder.filter_entry(move |entry| entry.depth() == 0 || !is_excluded(entry.path(), is_folder(entry)));
        let (mut files, mut troubles) = (Vec::new(), Vec::new());
        for entry in builder.build() {
            match entry {
                Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_file()) => files.push(entry.into_path()),
                Ok(_) => {}
                Err(error) => troubles.push(error.to_string()),
            }
        }
        files.sort();
        for file in files {
            let known = Language::from_path(&file);
            if let Some(language) = known.filter(|known| options.language.is_none_or(|wanted| wanted == *known)) {
                self.add(&file, Ok(language));
            }
        }
        troubles.sort();
        if !troubles.is_empty() {
            self.add(root, Err(troubles.join("; ")));
        }
    }
}

fn is_folder(entry: &DirEntry) -> bool {
    entry.file_type().is_some_and(|kind| kind.is_dir())
}

fn language_of(path: &Path, wanted: Option<Language>) -> Result<Language, String> {
    let of_stdin = (path == Path::new("-")).then_some(Language::Python);
    if of_stdin.is_none()
        && let Err(error) = std::fs::metadata(path)
    {
        return Err(error.to_string());
    }
    wanted
        .or(of_stdin)
        .or_else(|| Language::from_path(path))
        .ok_or_else(|| "its name does not say which language it is in; name it with --language".to_owned())
}
