//! The run folder: the unit of audit.
//!
//! ```text
//! manifest.json            identity: seed, hashes, threads, isolation
//! recipe.resolved.toml     the recipe with every default written out
//! metrics.jsonl            one line a step, reproducible values only
//! timings.jsonl            one line a step, durations; differs between runs
//! tensorboard/             both, as TensorBoard reads them
//! rollouts/step-000001.jsonl.zst
//! checkpoints/step-000010/ weights or adapter, optimiser, guard
//! cache/tests.redb         results of tests that are known; may be removed
//! evaluation/before.jsonl  judged samples
//! model/                   the trained model in Hugging Face layout
//! adapter/                 or, where an adapter was trained, that, in PEFT's layout
//! report.html
//! ```

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use codeward_records::{Manifest, RolloutGroup, StepMetrics};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::event_file::EventFile;

/// A folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunFolderError {
    /// The system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// There is a run already.
    #[error("{path} holds a run already")]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// The run in the folder is a different one.
    #[error("{path} holds another run: its {what} is {found}, not {wanted}")]
    Other {
        /// The folder.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// In the folder.
        found: String,
        /// In this run.
        wanted: String,
    },
    /// A file does not hold what it should.
    #[error("{path}: {reason}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl RunFolderError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => "choose a folder that can be written with --out",
            Self::Occupied { .. } => "add --resume to continue it, or choose another folder with --out",
            Self::Other { .. } => "resume with the settings of that run, or choose another folder with --out",
            Self::Corrupt { .. } => "remove the file to have it made again, or choose another folder with --out",
        }
    }
}

/// The numbers of a run as TensorBoard reads them.
#[derive(Debug)]
pub struct Curves {
    path: PathBuf,
    file: EventFile,
}

impl Curves {
    /// Adds the numbers of a step.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn log(&mut self, metrics: &StepMetrics, timings: &StepMetrics) -> Result<(), RunFolderError> {
        let values = metrics.values.iter().chain(&timings.values).map(|(name, value)| (name.clone(), *value)).collect();
        let all = StepMetrics { step: metrics.step, values };
        self.file.log(&all).map_err(|source| RunFolderError::Io { path: self.path.clone(), source })
    }
}

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    root: PathBuf,
}

impl RunFolder {
    /// Opens the folder of a run: a new one, or with `resume` one that holds the same run. Nothing is left behind on failure.
    ///
    /// # Errors
    /// When the folder cannot be written, holds a run and `resume` is false, or holds another run.
    pub fn open(root: &Path, resume: bool, manifest: &Manifest, recipe: &str) -> Result<Self, RunFolderError> {
        let folder = Self { root: root.to_owned() };
        let path = folder.path("manifest.json");
        if path.exists() {
            if !resume {
                return Err(RunFolderError::Occupied { path: root.to_owned() });
            }
            folder.check_same(manifest)?;
            return Ok(folder);
        }
        for part in ["", "rollouts", "checkpoints", "evaluation"] {
            let path = folder.path(part);
            fs::create_dir_all(&path).map_err(|source| RunFolderError::Io { path, source })?;
        }
        folder.write("recipe.resolved.toml", recipe.as_bytes())?;
        folder.write_json("manifest.json", manifest)?;
        Ok(folder)
    }

    /// An existing run, to read.
    ///
    /// # Errors
    /// When there is no manifest.
    pub fn existing(root: &Path) -> Result<(Self, Manifest), RunFolderError> {
        let folder = Self { root: root.to_owned() };
        let manifest = folder.read_json("manifest.json")?;
        Ok((folder, manifest))
    }

    fn check_same(&self, wanted: &Manifest) -> Result<(), RunFolderError> {
        let found: Manifest = self.read_json("manifest.json")?;
        let pairs = [
            ("seed", found.seed.to_string(), wanted.seed.to_string()),
            ("recipe hash", found.recipe_hash, wanted.recipe_hash.clone()),
            ("model hash", found.model_hash, wanted.model_hash.clone()),
            ("tasks hash", found.tasks_hash, wanted.tasks_hash.clone()),
            ("thread count", found.threads.to_string(), wanted.threads.to_string()),
        ];
        for (what, found, wanted) in pairs {
            if found != wanted {
                return Err(RunFolderError::Other { path: self.root.clone(), what, found, wanted });
            }
        }
        Ok(())
    }

    /// A path below the folder.
    pub fn path(&self, below: &str) -> PathBuf {
        if below.is_empty() { self.root.clone() } else { self.root.join(below) }
    }

    /// Writes a file through a temporary neighbour.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write(&self, below: &str, bytes: &[u8]) -> Result<(), RunFolderError> {
        let path = self.path(below);
        write_atomically(&path, bytes).map_err(|source| RunFolderError::Io { path, source })
    }

    /// Writes a value as indented JSON.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write_json<T: Serialize>(&self, below: &str, value: &T) -> Result<(), RunFolderError> {
        let mut bytes = serde_json::to_vec_pretty(value).expect("run files are plain data");
        bytes.push(b'\n');
        self.write(below, &bytes)
    }

    /// Reads a JSON file.
    ///
    /// # Errors
    /// When it is absent or malformed.
    pub fn read_json<T: DeserializeOwned>(&self, below: &str) -> Result<T, RunFolderError> {
        let path = self.path(below);
        let bytes = fs::read(&path).map_err(|source| RunFolderError::Io { path: path.clone(), source })?;
        serde_json::from_slice(&bytes).map_err(|error| RunFolderError::Corrupt { path, reason: error.to_string() })
    }

    /// Appends the lines of a step to `metrics.jsonl` and `timings.jsonl`.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn log(&self, metrics: &StepMetrics, timings: &StepMetrics) -> Result<(), RunFolderError> {
        for (file, line) in [("metrics.jsonl", metrics), ("timings.jsonl", timings)] {
            let path = self.path(file);
            let mut bytes = serde_json::to_vec(line).expect("metrics are plain data");
            bytes.push(b'\n');
            fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(&path)
                .and_then(|mut out| out.write_all(&bytes))
                .map_err(|source| RunFolderError::Io { path, source })?;
        }
        Ok(())
    }

    /// What was logged so far, step by step.
    ///
    /// # Errors
    /// When the file is there and cannot be read, or a line is malformed.
    pub fn metrics(&self) -> Result<Vec<StepMetrics>, RunFolderError> {
        let path = self.path("metrics.jsonl");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(RunFolderError::Io { path, source }),
        };
        let parse = |(at, line): (usize, &str)| {
            serde_json::from_str(line).map_err(|error| RunFolderError::Corrupt {
                path: path.clone(),
                reason: format!("line {}: {error}", at + 1),
            })
        };
        text.lines().enumerate().map(parse).collect()
    }

    /// TensorBoard's file, cut back to `step`, to which [`RunFolder::log`]'s lines are to be added.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn curves(&self, step: Option<u64>) -> Result<Curves, RunFolderError> {
        let path = self.path("tensorboard");
        let file = EventFile::open(&path, step).map_err(|source| RunFolderError::Io { path: path.clone(), source })?;
        Ok(Curves { path, file })
    }

    /// Drops what was logged after `step`: those steps are run again. A last line that was cut off is dropped too.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn forget_after(&self, step: Option<u64>) -> Result<(), RunFolderError> {
        for file in ["metrics.jsonl", "timings.jsonl"] {
            let Ok(text) = fs::read_to_string(self.path(file)) else { continue };
            let kept: String = text
                .split_inclusive('\n')
                .filter(|line| {
                    serde_json::from_str::<StepMetrics>(line)
                        .is_ok_and(|line| step.is_some_and(|step| line.step <= step))
                })
                .collect();
            self.write(file, kept.as_bytes())?;
        }
        Ok(())
    }

    /// Keeps the rollouts of a step.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write_rollouts(&self, step: u64, groups: &[RolloutGroup]) -> Result<(), RunFolderError> {
        let below = format!("rollouts/step-{step:06}.jsonl.zst");
        let mut lines = Vec::new();
        for group in groups {
            serde_json::to_writer(&mut lines, group).expect("rollouts are plain data");
            lines.push(b'\n');
        }
        let packed = zstd::encode_all(lines.as_slice(), 3)
            .map_err(|source| RunFolderError::Io { path: self.path(&below), source })?;
        self.write(&below, &packed)
    }
}

impl RunFolder {
    /// The steps whose rollouts are kept, in order.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn rollout_steps(&self) -> Result<Vec<u64>, RunFolderError> {
        let folder = self.path("rollouts");
        let entries = fs::read_dir(&folder).map_err(|source| RunFolderError::Io { path: folder.clone(), source })?;
        let mut steps: Vec<u64> = entries
            .filter_map(|entry| {
                let name = entry.ok()?.file_name();
                name.to_str()?.strip_prefix("step-")?.strip_suffix(".jsonl.zst")?.parse().ok()
            })
            .collect();
        steps.sort_unstable();
        Ok(steps)
    }

    /// The rollouts of a step.
    ///
    /// # Errors
    /// When the system refuses or the file does not hold rollouts.
    pub fn read_rollouts(&self, step: u64) -> Result<Vec<RolloutGroup>, RunFolderError> {
        let path = self.path(&format!("rollouts/step-{step:06}.jsonl.zst"));
        let io = |source| RunFolderError::Io { path: path.clone(), source };
        let text = zstd::decode_all(fs::File::open(&path).map_err(io)?).map_err(io)?;
        text.split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .enumerate()
            .map(|(at, line)| {
                serde_json::from_slice(line).map_err(|error| RunFolderError::Corrupt {
                    path: path.clone(),
                    reason: format!("line {}: {error}", at + 1),
                })
            })
            .collect()
    }
}

pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    let mut out = fs::File::create(&partial)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    drop(out);
    fs::rename(&partial, path)
}
