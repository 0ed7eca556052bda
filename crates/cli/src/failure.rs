//! An error as the person at the terminal sees it: one line, and a hint.

use std::fmt::Display;
use std::io;
use std::path::Path;

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What happened and where, one line.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(message: impl Display, hint: impl Display) -> Self {
        Self { message: message.to_string(), hint: Some(hint.to_string()) }
    }

    pub(crate) fn io(path: &Path, source: &io::Error, hint: impl Display) -> Self {
        Self::new(format!("{}: {source}", path.display()), hint)
    }
}

impl From<codeward_training::RecipeError> for Failure {
    fn from(error: codeward_training::RecipeError) -> Self {
        Self::new(&error, error.hint())
    }
}

impl From<codeward_reward::RecipeError> for Failure {
    fn from(error: codeward_reward::RecipeError) -> Self {
        Self::new(
            &error,
            "`codeward recipes list` shows the built-in ones; `codeward recipes show NAME` prints one to start from",
        )
    }
}

impl From<codeward_reward::EquipmentError> for Failure {
    fn from(error: codeward_reward::EquipmentError) -> Self {
        use codeward_reward::EquipmentError;
        let hint = match &error {
            EquipmentError::NoJudge { .. } => "name one with --judge-url and --judge-model, or --judge-folder",
            EquipmentError::NoAnalyser { .. } => {
                "install it (`pip install bandit`) on the PATH, or set security.analyser = \"codeward\" in the recipe"
            }
            _ => "`codeward recipes check` says what a recipe needs",
        };
        Self::new(&error, hint)
    }
}

impl From<codeward_reward::StoreError> for Failure {
    fn from(error: codeward_reward::StoreError) -> Self {
        Self::new(&error, "name another file with --cache, or remove it: it only saves work")
    }
}

impl From<codeward_training::RunFolderError> for Failure {
    fn from(error: codeward_training::RunFolderError) -> Self {
        Self::new(&error, error.hint())
    }
}

impl From<codeward_training::TrainError> for Failure {
    fn from(error: codeward_training::TrainError) -> Self {
        use codeward_training::{CheckpointError, TrainError};
        let hint = match &error {
            TrainError::RunFolder(inner) => inner.hint(),
            TrainError::Checkpoint(CheckpointError::Foreign { source }) | TrainError::Engine(source) => {
                source.hint().unwrap_or("continue with --resume")
            }
            TrainError::Checkpoint(_) => "free some disk space, then continue with --resume",
            TrainError::Unscored { .. } => {
                "see what `codeward doctor` says of the sandbox, then continue with --resume"
            }
            TrainError::Tokenizer(_) => {
                "leave advantage.token_credit out of the recipe, or train a model with a tokenizer.json that we read"
            }
            TrainError::NoTasks => "the recipe's benchmark or corpus is empty",
            TrainError::NotFinite { .. } => "lower optimiser.learning_rate in the recipe",
        };
        Self::new(&error, hint)
    }
}

impl From<codeward_synthesis::BenchmarkError> for Failure {
    fn from(error: codeward_synthesis::BenchmarkError) -> Self {
        use codeward_synthesis::BenchmarkError;
        let hint = match &error {
            BenchmarkError::Io { .. } => "name a folder with splits.toml and families/, or codeward-py",
            BenchmarkError::UnknownTask(_) => "task ids look like cwe089_find_user/unseen/3",
            BenchmarkError::Family(_) | BenchmarkError::Splits(_) | BenchmarkError::Membership { .. } => {
                "benchmarks/codeward-py/README.md describes the format"
            }
        };
        Self::new(&error, hint)
    }
}

impl From<codeward_lm::LoadError> for Failure {
    fn from(error: codeward_lm::LoadError) -> Self {
        Self { message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}

impl From<codeward_lm::EngineError> for Failure {
    fn from(error: codeward_lm::EngineError) -> Self {
        Self { message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}

impl From<codeward_lm::ChatError> for Failure {
    fn from(error: codeward_lm::ChatError) -> Self {
        Self { message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}

impl From<codeward_lm::InspectError> for Failure {
    fn from(error: codeward_lm::InspectError) -> Self {
        Self { message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}

impl From<codeward_lm::ConvertError> for Failure {
    fn from(error: codeward_lm::ConvertError) -> Self {
        Self { message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}

impl From<codeward_hub::HubError> for Failure {
    fn from(error: codeward_hub::HubError) -> Self {
        Self { message: error.to_string(), hint: error.hint() }
    }
}

impl From<codeward_sandbox::SandboxError> for Failure {
    fn from(error: codeward_sandbox::SandboxError) -> Self {
        let hint = error.hint().unwrap_or("`codeward doctor` shows what this host enforces").to_owned();
        Self::new(&error, hint)
    }
}

impl From<codeward_evaluation::report::ReportError> for Failure {
    fn from(error: codeward_evaluation::report::ReportError) -> Self {
        let hint = error.hint().to_owned();
        Self::new(&error, hint)
    }
}

impl From<codeward_records::jsonl::JsonlError> for Failure {
    fn from(error: codeward_records::jsonl::JsonlError) -> Self {
        Self::new(&error, "remove the file to have it made again")
    }
}

impl From<codeward_lm::TokenizerError> for Failure {
    fn from(error: codeward_lm::TokenizerError) -> Self {
        Self { message: error.to_string(), hint: error.hint().map(str::to_owned) }
    }
}
