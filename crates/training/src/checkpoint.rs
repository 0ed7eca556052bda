//! Saving and finding the state of a run.
//!
//! A checkpoint is a folder `checkpoints/step-000010` with what training changes (the model in Hugging Face layout in F32, or the adapter
//! in the layout of PEFT), the optimiser's state, the tokenizer and `state.json`. It is written under another name and renamed when
//! complete, so a checkpoint that is there is whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use codeward_lm::{EngineError, LanguageModel, LoadError, Tokenizer};
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
    /// The checkpoint is one of another training than this.
    #[error(transparent)]
    Foreign {
        /// What differs.
        source: EngineError,
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
        policy: &dyn LanguageModel,
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
        policy.save_checkpoint(&partial).map_err(|error| model(&error))?;
        tokenizer.save(&partial).map_err(|error| model(&error))?;
        let state = serde_json::to_vec_pretty(self).expect("a checkpoint's state is plain data");
        fs::write(partial.join("state.json"), state).map_err(io(&partial))?;
        fs::rename(&partial, &target).map_err(io(&target))?;
        for old in Self::list(folder)?.iter().rev().skip(keep) {
            let path = folder.join(name(*old));
            fs::remove_dir_all(&path).map_err(io(&path))?;
        }
        Ok(())
    }

    /// Takes the policy back to the newest checkpoint that can be read; older ones are tried when the newest is damaged. Without one
    /// the policy stays as it is.
    ///
    /// # Errors
    /// When the folder cannot be listed, or a whole checkpoint is that of another training. Damaged checkpoints are passed over.
    pub fn newest(folder: &Path, policy: &mut dyn LanguageModel) -> Result<Option<Self>, CheckpointError> {
        for step in Self::list(folder)?.iter().rev() {
            match Self::load(&folder.join(name(*step)), policy) {
                Ok(found) => return Ok(Some(found)),
                Err(error @ CheckpointError::Foreign { .. }) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(None)
    }

    fn load(path: &Path, policy: &mut dyn LanguageModel) -> Result<Self, CheckpointError> {
        let wrong = |reason: String| CheckpointError::Model { path: path.to_owned(), reason };
        let state = fs::read(path.join("state.json"))
            .map_err(|source| CheckpointError::Io { path: path.join("state.json"), source })?;
        let state: Self = serde_json::from_slice(&state).map_err(|error| wrong(error.to_string()))?;
        policy.load_checkpoint(path).map_err(|error| match error {
            EngineError::Load(LoadError::Foreign { .. }) => CheckpointError::Foreign { source: error },
            error => wrong(error.to_string()),
        })?;
        Ok(state)
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
