//! One summand of a reward: a weight, the parts that are multiplied, and a gate.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::partial_credit::Stage;
use crate::parts::{Part, Parts};

/// How far a completion has to get before a term counts.
///
/// The published SecureCodeRL reward pays security to any code, so that a clean program that does nothing (0.76) beats a working one
/// with a high finding (0.60), and garbage earns 0.40. A gate closes that way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StageGate {
    /// It compiles, and there is something in it.
    Parses,
    /// It runs without an exception.
    Runs,
    /// It runs and produces something.
    Produces,
    /// It passes every functional test.
    Passes,
}

impl StageGate {
    /// True when the stage is past the gate.
    pub fn is_open(self, stage: Stage) -> bool {
        match self {
            Self::Parses => stage >= Stage::Parses,
            Self::Runs => stage >= Stage::Runs,
            Self::Produces => stage >= Stage::Produces,
            Self::Passes => matches!(stage, Stage::Passes { passed, total } if passed == total),
        }
    }
}

/// A part, or what is missing from it to 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operand {
    /// The part.
    pub part: Part,
    /// One less the part counts, written `!part`.
    pub is_complement: bool,
}

/// What is multiplied: the first of its operands that was measured. Written `functional|similarity` or `!tamper`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Factor(Vec<Operand>);

/// One summand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// What the product is multiplied with.
    pub weight: f64,
    /// What is multiplied.
    pub product: Vec<Factor>,
    /// Below it the term is 0, whatever was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<StageGate>,
}

impl Operand {
    /// Its value, when its part was measured.
    pub fn value(self, parts: &Parts) -> Option<f64> {
        let value = parts.get(self.part)?;
        Some(if self.is_complement { 1.0 - value } else { value })
    }

    fn range(self, of: &impl Fn(Part) -> (f64, f64)) -> (f64, f64) {
        let (least, greatest) = of(self.part);
        if self.is_complement { (1.0 - greatest, 1.0 - least) } else { (least, greatest) }
    }
}

impl Factor {
    /// Its operands in order of preference; never none.
    pub fn operands(&self) -> &[Operand] {
        &self.0
    }

    /// The same without a part; none when nothing is left.
    pub(super) fn without(&self, part: Part) -> Option<Self> {
        let left: Vec<Operand> = self.0.iter().copied().filter(|operand| operand.part != part).collect();
        (!left.is_empty()).then_some(Self(left))
    }

    /// The first operand that was measured, with its value.
    pub fn value(&self, parts: &Parts) -> Option<(Operand, f64)> {
        self.0.iter().find_map(|operand| Some((*operand, operand.value(parts)?)))
    }

    fn range(&self, of: &impl Fn(Part) -> (f64, f64)) -> (f64, f64) {
        self.0
            .iter()
            .map(|operand| operand.range(of))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |one, other| (one.0.min(other.0), one.1.max(other.1)))
    }
}

impl Term {
    /// The parts that it may ask for.
    pub fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        self.product.iter().flat_map(|factor| factor.0.iter().map(|operand| operand.part))
    }

    /// Least and greatest value, the gate included, for parts of these ranges.
    pub fn range(&self, of: impl Fn(Part) -> (f64, f64)) -> (f64, f64) {
        let (mut least, mut greatest) = (self.weight, self.weight);
        for factor in &self.product {
            let (low, high) = factor.range(&of);
            let ends = [least * low, least * high, greatest * low, greatest * high];
            least = ends.into_iter().fold(f64::INFINITY, f64::min);
            greatest = ends.into_iter().fold(f64::NEG_INFINITY, f64::max);
        }
        if self.gate.is_some() {
            (least.min(0.0), greatest.max(0.0))
        } else {
            (least.min(greatest), greatest.max(least))
        }
    }
}

/// A text that names no part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no part; parts are {known}, each also with `!` before it for one less the part, and with `|` between for the first that was measured", known = known())]
pub struct UnknownPart {
    text: String,
}

fn known() -> String {
    Part::ALL.map(Part::name).join(", ")
}

impl FromStr for Factor {
    type Err = UnknownPart;

    fn from_str(text: &str) -> Result<Self, UnknownPart> {
        let operand = |word: &str| {
            let word = word.trim();
            let (is_complement, name) = word.strip_prefix('!').map_or((false, word), |name| (true, name));
            let part = Part::ALL.into_iter().find(|part| part.name() == name);
            part.map(|part| Operand { part, is_complement }).ok_or_else(|| UnknownPart { text: word.to_owned() })
        };
        text.split('|').map(operand).collect::<Result<Vec<_>, _>>().map(Self)
    }
}

impl TryFrom<String> for Factor {
    type Error = UnknownPart;

    fn try_from(text: String) -> Result<Self, UnknownPart> {
        text.parse()
    }
}

impl From<Factor> for String {
    fn from(factor: Factor) -> Self {
        factor.to_string()
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, operand) in self.0.iter().enumerate() {
            let bar = if at > 0 { "|" } else { "" };
            let mark = if operand.is_complement { "!" } else { "" };
            write!(formatter, "{bar}{mark}{}", operand.part.name())?;
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.weight)?;
        for factor in &self.product {
            write!(formatter, " × {factor}")?;
        }
        match self.gate {
            None => Ok(()),
            Some(StageGate::Parses) => formatter.write_str(" if it parses"),
            Some(StageGate::Runs) => formatter.write_str(" if it runs"),
            Some(StageGate::Produces) => formatter.write_str(" if it produces something"),
            Some(StageGate::Passes) => formatter.write_str(" if it passes every functional test"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_read_as_they_are_written() {
        for text in ["functional", "!tamper", "functional|similarity", "judge|!tamper"] {
            assert_eq!(text.parse::<Factor>().unwrap().to_string(), text);
        }
        assert_eq!("functional | similarity".parse::<Factor>().unwrap().to_string(), "functional|similarity");
        for wrong in ["", "|", "functionality", "!!tamper", "functional,security"] {
            assert!(wrong.parse::<Factor>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_first_measured_part_counts() {
        let factor: Factor = "functional|!similarity".parse().unwrap();
        let mut parts = Parts::default();
        assert_eq!(factor.value(&parts), None);
        parts.set(Part::Similarity, 0.25);
        assert_eq!(factor.value(&parts).unwrap().1, 0.75);
        parts.set(Part::Functional, 0.5);
        assert_eq!(factor.value(&parts).unwrap().1, 0.5);
    }

    #[test]
    fn ranges_follow_signs() {
        let term = |weight, product: &[&str], gate| Term {
            weight,
            product: product.iter().map(|text| text.parse().unwrap()).collect(),
            gate,
        };
        assert_eq!(term(2.0, &["length", "judge"], None).range(Part::range), (-4.0, 2.0));
        assert_eq!(term(-1.0, &["functional"], None).range(Part::range), (-1.0, 0.0));
        assert_eq!(term(0.5, &["!tamper"], Some(StageGate::Runs)).range(Part::range), (0.0, 0.5));
    }
}
