//! What a scan says of one file: what an analysis says, and the ways in which there is no analysis.

use serde::{Deserialize, Serialize};

use crate::analyse::{AnalysisError, State};

/// What a scan says of one file as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// It was read to its end and nothing was found.
    Clean,
    /// It was read to its end and has findings.
    Findings,
    /// There is nothing in it to say anything of.
    Nothing,
    /// It is not in its language.
    NotParseable,
    /// It is over the limit of the analyser.
    TooLarge,
    /// The analyser gave up or failed.
    EngineError,
    /// It could not be read as text.
    Unreadable,
}

impl FileState {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Clean,
        Self::Findings,
        Self::Nothing,
        Self::NotParseable,
        Self::TooLarge,
        Self::EngineError,
        Self::Unreadable,
    ];

    /// Its name in JSON and SARIF.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Findings => "findings",
            Self::Nothing => "nothing",
            Self::NotParseable => "not_parseable",
            Self::TooLarge => "too_large",
            Self::EngineError => "engine_error",
            Self::Unreadable => "unreadable",
        }
    }

    /// Whether the file as a whole was looked at: only then does the absence of findings say anything.
    pub fn is_judged(self) -> bool {
        matches!(self, Self::Clean | Self::Findings | Self::Nothing)
    }
}

impl From<State> for FileState {
    fn from(state: State) -> Self {
        match state {
            State::Clean => Self::Clean,
            State::Findings => Self::Findings,
            State::NotParseable => Self::NotParseable,
            State::Nothing => Self::Nothing,
        }
    }
}

impl From<&AnalysisError> for FileState {
    fn from(error: &AnalysisError) -> Self {
        match error {
            AnalysisError::TooLarge { .. } => Self::TooLarge,
            AnalysisError::ParseDeadline { .. } | AnalysisError::TooComplex { .. } => Self::EngineError,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_their_json_and_only_three_states_are_judgements() {
        for state in FileState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
        let judged: Vec<_> =
            FileState::ALL.into_iter().filter(|state| state.is_judged()).map(FileState::name).collect();
        assert_eq!(judged, ["clean", "findings", "nothing"]);
    }
}
