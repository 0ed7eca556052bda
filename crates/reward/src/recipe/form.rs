//! From a table to a recipe: looked up, merged, checked.

use serde::Deserialize;
use toml::{Table, Value};

use super::{
    CreditRecipe, FunctionalRules, JudgeRules, LengthForm, LengthRules, Mode, RewardRecipe, Schedule, SecurityRules,
    SimilarityRules, StageGate, Term, UnscoredRules,
};
use crate::parts::Part;

/// What is wrong with a recipe.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// Not TOML, or keys and values that a recipe does not have.
    #[error("{0}")]
    Form(String),
    /// No built-in recipe has the name and mode, and the table has no terms of its own.
    #[error("no built-in recipe is {name:?}{}; those are {known}; a recipe of your own has [[terms]]", mode.map(|mode| format!(" in mode {:?}", mode.name())).unwrap_or_default())]
    Unknown {
        /// The name asked for.
        name: String,
        /// The mode asked for.
        mode: Option<Mode>,
        /// What there is.
        known: String,
    },
    /// A figure that makes no sense.
    #[error("{key}: {problem}")]
    Value {
        /// Where.
        key: String,
        /// What is wrong.
        problem: String,
    },
}

impl RecipeError {
    fn value(key: &str, problem: impl Into<String>) -> Self {
        Self::Value { key: key.to_owned(), problem: problem.into() }
    }
}

/// What a recipe may be asked about before it is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// What may go wrong, and how to mend it.
    pub text: String,
}

/// A recipe with all it says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    mode: Mode,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    min_characters: usize,
    #[serde(default)]
    functional: FunctionalRules,
    #[serde(default)]
    security: SecurityRules,
    #[serde(default)]
    judge: JudgeRules,
    #[serde(default)]
    length: LengthRules,
    #[serde(default)]
    similarity: SimilarityRules,
    terms: Vec<Term>,
    #[serde(default)]
    schedule: Schedule,
    #[serde(default)]
    unscored: UnscoredRules,
    #[serde(default)]
    credit: Option<CreditRecipe>,
}

impl TryFrom<Table> for RewardRecipe {
    type Error = RecipeError;

    /// A table with `terms` is a whole recipe; any other is a built-in one with some keys changed.
    fn try_from(table: Table) -> Result<Self, RecipeError> {
        let table = if table.contains_key("terms") { table } else { on_built_in(table)? };
        let written: Written = table.try_into().map_err(|error: toml::de::Error| form_error(&error))?;
        let recipe = Self {
            name: written.name,
            mode: written.mode,
            summary: written.summary,
            min_characters: written.min_characters,
            functional: written.functional,
            security: written.security,
            judge: written.judge,
            length: written.length,
            similarity: written.similarity,
            terms: written.terms,
            schedule: written.schedule,
            unscored: written.unscored,
            credit: written.credit,
        };
        recipe.check()?;
        Ok(recipe)
    }
}

fn form_error(error: &toml::de::Error) -> RecipeError {
    RecipeError::Form(error.message().to_owned())
}

fn on_built_in(changes: Table) -> Result<Table, RecipeError> {
    let name = match changes.get("name") {
        Some(Value::String(name)) => name.clone(),
        Some(_) => return Err(RecipeError::value("name", "is not a text")),
        None => "securecoderl".to_owned(),
    };
    let mode = changes.get("mode").cloned().map(Mode::deserialize).transpose().map_err(|error| form_error(&error))?;
    let mut table = super::built_in::table(&name, mode)?;
    merge(&mut table, changes);
    Ok(table)
}

/// Takes over what the changes say, table by table; anything else is replaced whole.
fn merge(table: &mut Table, changes: Table) {
    for (key, change) in changes {
        match (table.get_mut(&key), change) {
            (Some(Value::Table(old)), Value::Table(new)) if !new.contains_key("source") => merge(old, new),
            (_, change) => drop(table.insert(key, change)),
        }
    }
}

impl RewardRecipe {
    /// Reads a recipe. A file with `[[terms]]` is a whole recipe; any other names a built-in one and changes some of its keys.
    ///
    /// # Errors
    /// With the place and what is wrong there.
    pub fn parse(text: &str) -> Result<Self, RecipeError> {
        let table: Table = toml::from_str(text).map_err(|error| RecipeError::Form(error.to_string()))?;
        Self::try_from(table)
    }

    /// Checks what types cannot.
    ///
    /// # Errors
    /// With the first figure that makes no sense.
    pub fn check(&self) -> Result<(), RecipeError> {
        if self.terms.is_empty() {
            return Err(RecipeError::value("terms", "is empty: the reward would always be 0"));
        }
        for (at, term) in self.terms.iter().enumerate() {
            let key = format!("terms[{at}]");
            if !term.weight.is_finite() || term.weight == 0.0 {
                return Err(RecipeError::value(&format!("{key}.weight"), "has to be a finite number other than 0"));
            }
            if term.product.is_empty() {
                return Err(RecipeError::value(&format!("{key}.product"), "names no part"));
            }
        }
        let security = &self.security;
        let costs = [("high", security.high), ("medium", security.medium), ("low", security.low)];
        for (name, cost) in costs {
            if !(cost.is_finite() && cost >= 0.0) {
                return Err(RecipeError::value(&format!("security.{name}"), "has to be 0 or more"));
            }
        }
        if !(0.0..=1.0).contains(&security.low_confidence) {
            return Err(RecipeError::value("security.low_confidence", "is not in 0 to 1"));
        }
        if self.functional.max_tests == Some(0) {
            return Err(RecipeError::value("functional.max_tests", "is 0: no test would be run"));
        }
        self.similarity
            .checked_weights()
            .map_err(|error| RecipeError::value("similarity.weights", error.to_string()))?;
        for (key, value) in [("judge.unknown", self.judge.unknown), ("judge.failed", self.judge.failed)] {
            if value.is_some_and(|value| !(0.0..=1.0).contains(&value)) {
                return Err(RecipeError::value(key, "is not in 0 to 1"));
            }
        }
        if self.judge.parallel == 0 {
            return Err(RecipeError::value("judge.parallel", "is 0"));
        }
        if !(self.judge.deadline_s.is_finite() && self.judge.deadline_s > 0.0) {
            return Err(RecipeError::value("judge.deadline_s", "has to be above 0"));
        }
        self.judge.settings.check().map_err(|error| RecipeError::value("judge.settings", error.to_string()))?;
        if let Some((before, after)) = self.schedule.out_of_order() {
            return Err(RecipeError::value("schedule.switch", format!("step {after} stands after step {before}")));
        }
        if !self.unscored.value.is_finite() {
            return Err(RecipeError::value("unscored.value", "is not finite"));
        }
        let credit = match &self.credit {
            None => Ok(()),
            Some(CreditRecipe::Pairs { rules }) => rules.check(),
            Some(CreditRecipe::Findings { rules }) => rules.check(),
            Some(CreditRecipe::Both { pairs, findings }) => pairs.check().and_then(|()| findings.check()),
        };
        credit.map_err(|error| RecipeError::value("credit", error.to_string()))
    }

    /// What a careful reader would ask about this recipe. A faithful recipe is not asked: its faults are the published ones.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut texts = Vec::new();
        let uses = |part: Part| self.parts().any(|used| used == part);
        let security = [Part::Security, Part::AttacksWithstood, Part::Judge];
        if self.mode == Mode::Faithful {
            return Vec::new();
        }
        let pays_alone = self.terms.iter().find(|term| {
            term.weight > 0.0
                && term.gate.is_none()
                && term.parts().all(|part| security.contains(&part) || part == Part::Format)
        });
        if let Some(term) = pays_alone {
            texts.push(format!(
                "`{term}` pays security to code that does nothing: give it a gate, or multiply it with functional"
            ));
        }
        if security.iter().any(|part| uses(*part)) && !uses(Part::Functional) && !uses(Part::TestsPassed) {
            texts.push("no term asks for function: deleting the code is secure".to_owned());
        }
        if self.length.form == LengthForm::Lines && uses(Part::Length) {
            texts.push(
                "length in lines is negative for short code and moved by blank lines: length.form = \"units\""
                    .to_owned(),
            );
        }
        if uses(Part::AttacksWithstood) {
            texts.push(
                "the attack tests judge in evaluation too: what is trained on them cannot be measured with them"
                    .to_owned(),
            );
        }
        if self.terms.iter().any(|term| matches!(term.gate, Some(StageGate::Passes)) && term.weight < 0.0) {
            texts.push("a term of negative weight stands behind passing: passing costs".to_owned());
        }
        texts.into_iter().map(|text| Warning { text }).collect()
    }

    /// The parts that the terms may ask for, in the order in which they are named.
    pub fn parts(&self) -> impl Iterator<Item = Part> + '_ {
        self.terms.iter().flat_map(Term::parts)
    }

    /// Least and greatest value that the terms allow; not every value between need be reached.
    pub fn range(&self) -> (f64, f64) {
        let (least, greatest) = self
            .terms
            .iter()
            .map(|term| term.range(|part| self.part_range(part)))
            .fold((0.0, 0.0), |sum, term| (sum.0 + term.0, sum.1 + term.1));
        if self.min_characters > 0 { (least.min(0.0), greatest.max(0.0)) } else { (least, greatest) }
    }

    /// Least and greatest value of a part, as this recipe measures it.
    pub fn part_range(&self, part: Part) -> (f64, f64) {
        if part == Part::Length && self.length.form != LengthForm::Lines { (0.0, 1.0) } else { part.range() }
    }

    /// The recipe as a file that reads as the same recipe.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a recipe is plain data")
    }
}
