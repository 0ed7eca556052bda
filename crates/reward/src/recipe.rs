//! How the parts of a reward are weighed: data, with a hash.

use serde::{Deserialize, Serialize};

use crate::partial_credit::Stage;

/// Whether a paper's reward runs as published or with its known defects mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Known defects mended.
    Corrected,
}

/// How the functional part grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartialCredit {
    /// In stages, then by tests passed.
    Staged,
    /// 1 when every functional test passes, else 0.
    Binary,
}

/// How far a completion has to get before its security counts.
///
/// The published reward pays security to any code, so that a clean program that does nothing (0.76) beats a working one with a high
/// finding (0.60). A gate closes that way out; below the gate the security part is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecurityGate {
    /// It compiles.
    Parses,
    /// It runs without an exception.
    Runs,
    /// It passes every functional test.
    Passes,
}

impl SecurityGate {
    /// True when the stage is past the gate.
    pub fn is_open(self, stage: Stage) -> bool {
        match self {
            Self::Parses => stage >= Stage::Parses,
            Self::Runs => stage >= Stage::Runs,
            Self::Passes => matches!(stage, Stage::Passes { passed, total } if passed == total),
        }
    }
}

/// The SecureCodeRL reward: `functional_weight * R_func + security_weight * R_sec`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RewardRecipe {
    /// The recipe's family.
    pub name: String,
    /// Published or mended.
    pub mode: Mode,
    /// Weight of the functional part.
    pub functional_weight: f64,
    /// Weight of the security part.
    pub security_weight: f64,
    /// How the functional part grows.
    pub partial_credit: PartialCredit,
    /// When security counts.
    pub security_gate: SecurityGate,
}

impl Default for RewardRecipe {
    fn default() -> Self {
        Self {
            name: "securecoderl".to_owned(),
            mode: Mode::Corrected,
            functional_weight: 0.6,
            security_weight: 0.4,
            partial_credit: PartialCredit::Staged,
            security_gate: SecurityGate::Parses,
        }
    }
}

impl RewardRecipe {
    /// Content hash of the resolved recipe.
    pub fn content_hash(&self) -> String {
        let text = serde_json::to_vec(self).expect("a recipe is plain data");
        blake3::hash(&text).to_hex()[..16].to_owned()
    }
}
