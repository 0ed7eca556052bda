//! Why there are no findings where an external analyser was asked. None of it means that nothing is wrong with the code.

use thiserror::Error;

use super::analyser::Analyser;
use crate::Language;

/// Why an analyser has nothing to say of a file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExternalError {
    /// It is not on this machine.
    #[error("{analyser} is not installed")]
    NotInstalled {
        /// Which.
        analyser: Analyser,
    },
    /// It is on this machine, and does not work inside the sandbox.
    #[error("{analyser} does not work inside the sandbox: {reason}")]
    NotWorking {
        /// Which.
        analyser: Analyser,
        /// What was seen.
        reason: String,
    },
    /// It is not made for this language.
    #[error("{analyser} does not read {language}")]
    OtherLanguage {
        /// Which.
        analyser: Analyser,
        /// What it was asked to read.
        language: Language,
    },
    /// The file is larger than any analyser is given.
    #[error("{analyser} is not given files of {num_bytes} bytes, above {limit}")]
    TooLarge {
        /// Which.
        analyser: Analyser,
        /// The file's size.
        num_bytes: usize,
        /// The largest that is given.
        limit: usize,
    },
    /// It says that it could not read the file, or not all of it.
    #[error("{analyser} could not read the file: {reason}")]
    NotRead {
        /// Which.
        analyser: Analyser,
        /// What it says.
        reason: String,
    },
    /// It did not end within its limits on this file.
    #[error("{analyser} was ended at its limits: {end}")]
    OverLimit {
        /// Which.
        analyser: Analyser,
        /// At which.
        end: String,
    },
    /// It fell over this file.
    #[error("{analyser} crashed: {end}: {message}")]
    Crashed {
        /// Which.
        analyser: Analyser,
        /// How it ended.
        end: String,
        /// Its last words.
        message: String,
    },
    /// What it wrote is not what it is known to write.
    #[error("{analyser} wrote what makes no sense: {reason}")]
    Garbled {
        /// Which.
        analyser: Analyser,
        /// What was wrong with it.
        reason: String,
    },
}

impl ExternalError {
    /// A word for it, for records and scripts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotInstalled { .. } => "not_installed",
            Self::NotWorking { .. } => "not_working",
            Self::OtherLanguage { .. } => "other_language",
            Self::TooLarge { .. } => "too_large",
            Self::NotRead { .. } => "not_read",
            Self::OverLimit { .. } => "over_limit",
            Self::Crashed { .. } => "crashed",
            Self::Garbled { .. } => "garbled",
        }
    }

    /// What a person can do about it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotInstalled { analyser } | Self::NotWorking { analyser, .. } => Some(analyser.hint()),
            _ => None,
        }
    }

    /// Whether the same file would end the same way: what depends on time or on the machine is not remembered.
    pub(super) fn is_lasting(&self) -> bool {
        matches!(self, Self::NotRead { .. })
    }
}
