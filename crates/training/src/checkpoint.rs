//! Saving and finding the state of a run.
//!
//! A checkpoint is a folder `checkpoints/step-000010` with the model in Hugging Face layout (F32), the optimiser's state and `state.json`. It is
//! written under another name and renamed when complete, so a checkpoint that is there is whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use codeward_lm::{Model, Precision, Tokenizer, Trainer};
use serde::{Deserialize, Serialize};

use crate::guard::Guard;

/// What a checkpoint remembers beside weights and optimiser.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The last step that is in it.
    pub step: u64,
    /// The guard's memory.
    pub guard: Guard,
}

/// A checkpoint that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The model's files could not be written or read.
    #[error("{path}: {reason}")]
    Model {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

fn name(step: u64) -> String {
    format!("step-{step:06}")
}

impl Checkpoint {
    /// Saves the state and drops all but the `keep` newest checkpoints.
    ///
    /// # Errors
    /// When a file cannot be written; an unfinished checkpoint is never taken for a whole one.
    pub fn save(
        &self,
        folder: &Path,
        trainer: &Trainer,
        tokenizer: &Tokenizer,
        keep: usize,
    ) -> Result<(), CheckpointError> {
        let target = folder.join(name(self.step));
        let partial = folder.join(format!("{}.partial", name(self.step)));
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| CheckpointError::Io { path, source }
        };
        let model =
            |error: &dyn std::fmt::Display| CheckpointError::Model { path: partial.clone(), reason: error.to_string() };
        for stale in [&partial, &target] {
            if stale.exists() {
                fs::remove_dir_all(stale).map_err(io(stale))?;
            }
        }
        fs::create_dir_all(&partial).map_err(io(&partial))?;
        trainer.model().save(&partial, Precision::F32).map_err(|error| model(&error))?;
        tokenizer.save(&partial).map_err(|error| model(&error))?;
        trainer.save_state(&partial.join("optimiser.safetensors")).map_err(|error| model(&error))?;
        let state = serde_json::to_vec_pretty(self).expect("a checkpoint's state is plain data");
        fs::write(partial.join("state.json"), state).map_err(io(&partial))?;
        fs::rename(&partial, &target).map_err(io(&target))?;
        for old in Self::list(folder)?.iter().rev().skip(keep) {
            let path = folder.join(name(*old));
            fs::remove_dir_all(&path).map_err(io(&path))?;
        }
        Ok(())
    }

    /// The newest checkpoint that can be read, with its trainer; older ones are tried when the newest is damaged.
    ///
    /// # Errors
    /// When the folder cannot be listed. Damaged checkpoints are passed over.
    pub fn newest(folder: &Path) -> Result<Option<(Self, Trainer)>, CheckpointError> {
        for step in Self::list(folder)?.iter().rev() {
            if let Ok(found) = Self::load(&folder.join(name(*step))) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn load(path: &Path) -> Result<(Self, Trainer), CheckpointError> {
        let wrong = |reason: String| CheckpointError::Model { path: path.to_owned(), reason };
        let state = fs::read(path.join("state.json"))
            .map_err(|source| CheckpointError::Io { path: path.join("state.json"), source })?;
        let state: Self = serde_json::from_slice(&state).map_err(|error| wrong(error.to_string()))?;
        let model = Model::load(path).map_err(|error| wrong(error.to_string()))?;
        let mut trainer = Trainer::new(model);
        trainer.load_state(&path.join("optimiser.safetensors")).map_err(|error| wrong(error.to_string()))?;
        Ok((state, trainer))
    }

    /// The steps that have a whole checkpoint, ascending.
    fn list(folder: &Path) -> Result<Vec<u64>, CheckpointError> {
        let io = |source| CheckpointError::Io { path: folder.to_owned(), source };
        let mut steps = Vec::new();
        for entry in fs::read_dir(folder).map_err(io)? {
            let file_name = entry.map_err(io)?.file_name();
            let step: Option<u64> =
                file_name.to_str().and_then(|name| name.strip_prefix("step-")).and_then(|step| step.parse().ok());
            steps.extend(step);
        }
        steps.sort_unstable();
        Ok(steps)
    }
}
