//! The parts of a reward: what each measures, its range, and what it costs to know.
//!
//! Every scored completion carries the full set of keys. A part that the recipe did not ask for, or that the task gives no means to
//! measure, is `null`: not measured, which is not zero.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The answer has the form that was asked for.
    Format,
    /// The code is in its language.
    Syntax,
    /// How far the code got under its functional tests.
    Functional,
    /// The share of functional tests that pass.
    TestsPassed,
    /// What the analyser's findings leave of one.
    Security,
    /// The share of attack tests that the code withstands.
    AttacksWithstood,
    /// What the vulnerability judge says.
    Judge,
    /// Whether the code is about as long as its reference.
    Length,
    /// CodeBLEU with the reference.
    Similarity,
    /// Shared structure of the syntax trees of code and reference.
    Structure,
    /// Signs of meddling with the tests.
    Tamper,
    /// How much of the code repeats itself, beyond what ordinary code does.
    Repetition,
}

/// What has to be done to know a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cost {
    /// Reading the text.
    Text,
    /// Parsing and analysing it: tens of microseconds.
    Analysis,
    /// Running programs in the sandbox: milliseconds.
    Sandbox,
    /// Asking a language model: seconds, and money or a GPU.
    Model,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 12] = [
        Self::Format,
        Self::Syntax,
        Self::Functional,
        Self::TestsPassed,
        Self::Security,
        Self::AttacksWithstood,
        Self::Judge,
        Self::Length,
        Self::Similarity,
        Self::Structure,
        Self::Tamper,
        Self::Repetition,
    ];

    /// Its key in rewards and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Syntax => "syntax",
            Self::Functional => "functional",
            Self::TestsPassed => "tests_passed",
            Self::Security => "security",
            Self::AttacksWithstood => "attacks_withstood",
            Self::Judge => "judge",
            Self::Length => "length",
            Self::Similarity => "similarity",
            Self::Structure => "structure",
            Self::Tamper => "tamper",
            Self::Repetition => "repetition",
        }
    }

    /// The least and the greatest value.
    pub fn range(self) -> (f64, f64) {
        match self {
            // The published buckets go down to -2; the mended guard stays in 0 to 1.
            Self::Length => (-2.0, 1.0),
            _ => (0.0, 1.0),
        }
    }

    /// One sentence for a person who reads a reward.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Format => "1 when the code stands in a fenced block, else 0",
            Self::Syntax => "1 when the code is in its language, else 0",
            Self::Functional => {
                "how far the code got under its functional tests: parsed, ran, produced, passed; the recipe says in which steps"
            }
            Self::TestsPassed => "share of functional tests that pass",
            Self::Security => {
                "1 less what the analyser's findings cost: 1.0 for one of high and 0.5 for one of medium severity, at most 1"
            }
            Self::AttacksWithstood => "share of attack tests that the code withstands",
            Self::Judge => {
                "1 when the vulnerability judge calls the code safe, 0 when unsafe, between them when it is unsure"
            }
            Self::Length => "whether the code is about as long as its reference; the recipe says in which steps",
            Self::Similarity => "CodeBLEU with the reference",
            Self::Structure => "share of the syntax trees of code and reference that is the same, whatever the names",
            Self::Tamper => "1 when something looked like meddling with the tests, else 0",
            Self::Repetition => "share of the code that repeats itself, beyond what ordinary code does",
        }
    }

    /// What has to be done to know it.
    pub fn cost(self) -> Cost {
        match self {
            Self::Format | Self::Length | Self::Repetition => Cost::Text,
            Self::Syntax | Self::Security | Self::Similarity | Self::Structure => Cost::Analysis,
            Self::Functional | Self::TestsPassed | Self::AttacksWithstood | Self::Tamper => Cost::Sandbox,
            Self::Judge => Cost::Model,
        }
    }
}

/// The value of every part, where it was measured.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parts([Option<f64>; Part::ALL.len()]);

impl Parts {
    /// The value of one part.
    pub fn get(&self, part: Part) -> Option<f64> {
        self.0[part as usize]
    }

    /// Notes a value.
    pub fn set(&mut self, part: Part, value: f64) {
        debug_assert!(value >= part.range().0 && value <= part.range().1, "{}: {value}", part.name());
        self.0[part as usize] = Some(value);
    }

    /// Every key with its value.
    pub fn to_map(&self) -> BTreeMap<String, Option<f64>> {
        Part::ALL.iter().map(|part| (part.name().to_owned(), self.get(*part))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_there_measured_or_not() {
        let mut parts = Parts::default();
        parts.set(Part::Security, 0.5);
        let map = parts.to_map();
        assert_eq!(map.len(), Part::ALL.len());
        assert_eq!((map["security"], map["judge"]), (Some(0.5), None));
        for (at, part) in Part::ALL.into_iter().enumerate() {
            assert_eq!(part as usize, at);
            assert_eq!(serde_json::to_value(part).unwrap(), part.name());
        }
    }
}
