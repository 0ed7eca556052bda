//! How the parts of a reward are measured and weighed: data, with a hash.
//!
//! A recipe is a sum of products of parts. Each [`Term`] has a weight, the parts that are multiplied, and a gate that a completion has to
//! pass before the term counts. How a part is measured has a table of its own. Published rewards and ours are the same kind of file;
//! those that come with Codeward are [built in](RewardRecipe::built_in), and a recipe may name one of them and change single keys:
//!
//! ```toml
//! name = "securecoderl"
//! mode = "corrected"
//!
//! [functional]
//! credit = "binary"
//! ```

mod built_in;
mod form;
mod length;
mod rules;
mod schedule;
mod term;
mod weigh;
mod what_if;

use serde::{Deserialize, Serialize};

pub use form::{RecipeError, Warning};
pub use length::{length_gate, padding_gate, published_length};
pub use rules::{
    Analysers, CreditRecipe, FunctionalRules, JudgeRules, LengthForm, LengthRules, Penalties, SecurityRules,
    SimilarityRules, Unparseable, UnscoredPolicy, UnscoredRules,
};
pub use schedule::{CreditShare, Schedule, Switch};
pub use term::{Factor, Operand, StageGate, Term};
pub use weigh::Weighed;
pub use what_if::WhatIf;

/// Whether a paper's reward runs as published or with its known defects mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// As published, defects included.
    Faithful,
    /// Known defects mended.
    Corrected,
    /// Ours: no paper states it.
    Ours,
}

impl Mode {
    /// As recipes write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Faithful => "faithful",
            Self::Corrected => "corrected",
            Self::Ours => "ours",
        }
    }
}

/// What a completion is worth, as data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct RewardRecipe {
    /// The recipe's family.
    pub name: String,
    /// Published, mended or ours.
    pub mode: Mode,
    /// What it is, in a sentence.
    pub summary: String,
    /// Code of fewer characters is worth 0.
    pub min_characters: usize,
    /// How the functional part grows.
    pub functional: FunctionalRules,
    /// What findings cost.
    pub security: SecurityRules,
    /// How the vulnerability judge is asked and what its answers are worth.
    pub judge: JudgeRules,
    /// How length is measured against the reference.
    pub length: LengthRules,
    /// How likeness to the reference is measured.
    pub similarity: SimilarityRules,
    /// What is added up.
    pub terms: Vec<Term>,
    /// How the functional part changes in the course of a training.
    pub schedule: Schedule,
    /// What becomes of a completion that could not be scored.
    pub unscored: UnscoredRules,
    /// Where single places of a completion get credit from, beside what findings cost.
    pub credit: Option<CreditRecipe>,
}

impl Default for RewardRecipe {
    /// SecureCodeRL, corrected.
    fn default() -> Self {
        Self::built_in("securecoderl", Some(Mode::Corrected)).expect("it is built in, as tests show")
    }
}

impl RewardRecipe {
    /// Content hash of the resolved recipe.
    pub fn content_hash(&self) -> String {
        let text = serde_json::to_vec(self).expect("a recipe is plain data");
        blake3::hash(&text).to_hex()[..16].to_owned()
    }

    /// Name and mode, as people write them.
    pub fn title(&self) -> String {
        format!("{}/{}", self.name, self.mode.name())
    }
}
