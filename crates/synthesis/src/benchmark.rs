//! A set of families with its splits.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use codeward_records::Task;
use serde::Deserialize;

use crate::family::{Family, FamilyError, Pool};

/// The files of `benchmarks/codeward-py`, compiled in: path and text.
const BUNDLED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/codeward_py.rs"));

/// A named set of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Split {
    /// Seen instances of the rewarded families: what RL trains on.
    Rewarded,
    /// Unseen instances of the rewarded families.
    RewardedUnseen,
    /// Unseen instances of families that RL never trains on.
    Unrewarded,
}

impl Split {
    /// Every split, in the order of reports.
    pub const ALL: [Self; 3] = [Self::Rewarded, Self::RewardedUnseen, Self::Unrewarded];

    /// The name used in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rewarded => "rewarded",
            Self::RewardedUnseen => "rewarded-unseen",
            Self::Unrewarded => "unrewarded",
        }
    }
}

/// Which families are rewarded, as committed in `splits.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Splits {
    /// Families that RL trains on.
    pub rewarded: Vec<String>,
    /// Families that RL never sees.
    pub unrewarded: Vec<String>,
}

/// A benchmark that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BenchmarkError {
    /// A file could not be read.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A family is malformed.
    #[error(transparent)]
    Family(#[from] FamilyError),
    /// `splits.toml` does not parse.
    #[error("splits.toml: {0}")]
    Splits(Box<toml::de::Error>),
    /// The splits and the families do not agree.
    #[error("splits.toml: {family} {problem}")]
    Membership {
        /// The family.
        family: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A task id that no family makes.
    #[error("no task {0:?} in this benchmark")]
    UnknownTask(String),
}

/// Families and splits.
#[derive(Debug, Clone)]
pub struct Benchmark {
    families: Vec<Family>,
    splits: Splits,
}

impl Benchmark {
    /// The benchmark `codeward-py` that is part of the binary.
    ///
    /// # Errors
    /// When the committed files are malformed, which the tests rule out.
    pub fn bundled() -> Result<Self, BenchmarkError> {
        Self::from_files(BUNDLED.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())))
    }

    /// A benchmark laid out like `benchmarks/codeward-py`.
    ///
    /// # Errors
    /// When a file cannot be read or is malformed; the error names it.
    pub fn open(folder: &Path) -> Result<Self, BenchmarkError> {
        let mut files = Vec::new();
        let splits = folder.join("splits.toml");
        files.push(("splits.toml".to_owned(), read(&splits)?));
        for family in list(&folder.join("families"))? {
            for file in list(&family)? {
                let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                files.push((format!("families/{}/{}", name(&family), name(&file)), read(&file)?));
            }
        }
        Self::from_files(files.into_iter())
    }

    fn from_files(files: impl Iterator<Item = (String, String)>) -> Result<Self, BenchmarkError> {
        let mut splits = String::new();
        let mut folders: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        for (path, text) in files {
            match path.strip_prefix("families/").and_then(|rest| rest.split_once('/')) {
                Some((family, file)) => folders.entry(family.to_owned()).or_default().push((file.to_owned(), text)),
                None if path == "splits.toml" => splits = text,
                None => {}
            }
        }
        let families = folders
            .iter()
            .map(|(id, files)| {
                let files: Vec<_> = files.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
                Family::parse(id, &files)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let splits: Splits = toml::from_str(&splits).map_err(|error| BenchmarkError::Splits(Box::new(error)))?;
        check_membership(&families, &splits)?;
        Ok(Self { families, splits })
    }

    /// The families, by name.
    pub fn families(&self) -> &[Family] {
        &self.families
    }

    /// Which families are rewarded.
    pub fn splits(&self) -> &Splits {
        &self.splits
    }

    /// The family of this name.
    pub fn family(&self, id: &str) -> Option<&Family> {
        self.families.iter().find(|family| family.id == id)
    }

    /// The families of a split.
    pub fn families_of(&self, split: Split) -> impl Iterator<Item = &Family> {
        let names = match split {
            Split::Rewarded | Split::RewardedUnseen => &self.splits.rewarded,
            Split::Unrewarded => &self.splits.unrewarded,
        };
        self.families.iter().filter(|family| names.contains(&family.id))
    }

    /// The first `num_instances` instances of every family of a split, family by family.
    pub fn tasks(&self, split: Split, num_instances: usize) -> Vec<Task> {
        let pool = match split {
            Split::Rewarded => Pool::Seen,
            Split::RewardedUnseen | Split::Unrewarded => Pool::Unseen,
        };
        self.families_of(split)
            .flat_map(|family| (0..num_instances).map(move |index| family.instance(pool, index)))
            .collect()
    }

    /// The task of this id, made again.
    ///
    /// # Errors
    /// When the id is not of the form `family/seen|unseen/index` or names no family.
    pub fn task(&self, id: &str) -> Result<Task, BenchmarkError> {
        let parse = || {
            let mut parts = id.split('/');
            let family = self.family(parts.next()?)?;
            let pool = match parts.next()? {
                "seen" => Pool::Seen,
                "unseen" => Pool::Unseen,
                _ => return None,
            };
            let index = parts.next()?.parse().ok()?;
            let task = family.instance(pool, index);
            (task.id == id).then_some(task)
        };
        parse().ok_or_else(|| BenchmarkError::UnknownTask(id.to_owned()))
    }
}

fn check_membership(families: &[Family], splits: &Splits) -> Result<(), BenchmarkError> {
    let wrong = |family: &str, problem| Err(BenchmarkError::Membership { family: family.to_owned(), problem });
    for name in splits.rewarded.iter().chain(&splits.unrewarded) {
        if !families.iter().any(|family| family.id == *name) {
            return wrong(name, "is in no folder");
        }
    }
    for family in families {
        match (splits.rewarded.contains(&family.id), splits.unrewarded.contains(&family.id)) {
            (true, true) => return wrong(&family.id, "is both rewarded and unrewarded"),
            (false, false) => return wrong(&family.id, "is neither rewarded nor unrewarded"),
            (true, false) | (false, true) => {}
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, BenchmarkError> {
    fs::read_to_string(path).map_err(|source| BenchmarkError::Io { path: path.to_owned(), source })
}

/// The entries of a folder, by name.
fn list(folder: &Path) -> Result<Vec<PathBuf>, BenchmarkError> {
    let io = |source| BenchmarkError::Io { path: folder.to_owned(), source };
    let mut entries = fs::read_dir(folder)
        .map_err(io)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(io)?;
    entries.sort();
    Ok(entries)
}
