//! What a test expects to see, judged outside the process under test.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An expectation as written in a task file: one subject, exactly one predicate.
///
/// A subject is a named observation that the test made inside the sandbox, a file in its scratch folder afterwards, or what an
/// observer outside saw the program do.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawExpectation {
    /// Name of an observation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Path of a file below the scratch folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What an observer outside saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<ObservedSubject>,
    /// The observation returned exactly this.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub equals: Option<Value>,
    /// The observation raised, or returned something else.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub not_equals: Option<Value>,
    /// The text of the returned value, of the file, or of something that was observed contains this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// The observation raised, or its text does not contain this; the file is absent or does not contain it;
    /// nothing that was observed contains it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_contains: Option<String>,
    /// The text of the returned value, or of something that was observed, matches this regular expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
    /// The observation raised, or its text does not match; nothing that was observed matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_matches: Option<String>,
    /// Whether the call raised an exception.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised: Option<bool>,
    /// The returned number, or the count of what was observed, is at least this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// The returned number, or the count of what was observed, is at most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// Both observations returned, and the values differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differs_from: Option<String>,
    /// Both observations returned, and the values are equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_as: Option<String>,
    /// The file exists (true) or does not (false).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
    /// The file exists and neither group nor others have any permission on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private: Option<bool>,
    /// Whether nothing was observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty: Option<bool>,
}

/// Keeps a JSON `null`, which is Python's `None`, apart from an absent key.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What an observer outside the program sees of it: lists of what was tried, whether or not it was let happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObservedSubject {
    /// Programs that it started, each as its command line.
    Processes,
    /// Sockets that it made and addresses that it went to.
    Network,
    /// Files outside its scratch folder that it tried to open, each as its path.
    OutsideFiles,
    /// Statements that it sent to a database.
    Queries,
    /// The bytes that a listener on the loopback device received. They are counted one by one.
    Received,
    /// How long it ran by the clock, in milliseconds.
    WallMs,
}

/// What an expectation looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A named observation.
    Observation(String),
    /// A file below the scratch folder.
    File(String),
    /// What an observer outside saw.
    Observed(ObservedSubject),
}

/// What must hold of the subject. The fields of [`RawExpectation`] say what each means.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each case is the field of the same name in RawExpectation")]
pub enum Predicate {
    Equals(Value),
    NotEquals(Value),
    Contains(String),
    NotContains(String),
    Matches(String),
    NotMatches(String),
    Raised(bool),
    AtLeast(f64),
    AtMost(f64),
    DiffersFrom(String),
    SameAs(String),
    Exists(bool),
    Private,
    Empty(bool),
}

/// A checked expectation.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// What it looks at.
    pub subject: Subject,
    /// What must hold.
    pub predicate: Predicate,
}

/// An expectation that says nothing, or more than one thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpectationError {
    /// None or several of `value`, `file` and `observed`.
    #[error("an expectation names one of `value`, `file` and `observed`")]
    Subject,
    /// No predicate or several.
    #[error("an expectation has exactly one predicate, found {found}")]
    Predicates {
        /// How many were given.
        found: usize,
    },
    /// A predicate that does not apply to the subject.
    #[error("`{predicate}` does not apply to a {subject}")]
    Mismatch {
        /// The predicate's key.
        predicate: &'static str,
        /// `value`, `file`, `observed` or `wall_ms`.
        subject: &'static str,
    },
}

impl RawExpectation {
    /// Checks the shape and gives the typed form.
    ///
    /// # Errors
    /// When the subject or the predicate is missing, doubled or mismatched.
    pub fn resolve(&self) -> Result<Expectation, ExpectationError> {
        let subject = match (&self.value, &self.file, self.observed) {
            (Some(name), None, None) => Subject::Observation(name.clone()),
            (None, Some(path), None) => Subject::File(path.clone()),
            (None, None, Some(observed)) => Subject::Observed(observed),
            _ => return Err(ExpectationError::Subject),
        };
        let mut found: Vec<(&'static str, Predicate)> = Vec::new();
        let mut add = |key, predicate: Option<Predicate>| found.extend(predicate.map(|predicate| (key, predicate)));
        add("equals", self.equals.clone().map(Predicate::Equals));
        add("not_equals", self.not_equals.clone().map(Predicate::NotEquals));
        add("contains", self.contains.clone().map(Predicate::Contains));
        add("not_contains", self.not_contains.clone().map(Predicate::NotContains));
        add("matches", self.matches.clone().map(Predicate::Matches));
        add("not_matches", self.not_matches.clone().map(Predicate::NotMatches));
        add("raised", self.raised.map(Predicate::Raised));
        add("at_least", self.at_least.map(Predicate::AtLeast));
        add("at_most", self.at_most.map(Predicate::AtMost));
        add("differs_from", self.differs_from.clone().map(Predicate::DiffersFrom));
        add("same_as", self.same_as.clone().map(Predicate::SameAs));
        add("exists", self.exists.map(Predicate::Exists));
        add("private", self.private.filter(|wanted| *wanted).map(|_| Predicate::Private));
        add("empty", self.empty.map(Predicate::Empty));
        let [(key, predicate)] = found.as_slice() else {
            return Err(ExpectationError::Predicates { found: found.len() });
        };
        let (name, fits) = match subject {
            Subject::Observation(_) => ("value", !matches!(*key, "exists" | "private" | "empty")),
            Subject::File(_) => ("file", matches!(*key, "contains" | "not_contains" | "exists" | "private")),
            Subject::Observed(ObservedSubject::WallMs) => ("wall_ms", matches!(*key, "at_least" | "at_most")),
            Subject::Observed(_) => (
                "observed",
                matches!(
                    *key,
                    "empty" | "contains" | "not_contains" | "matches" | "not_matches" | "at_least" | "at_most"
                ),
            ),
        };
        if !fits {
            return Err(ExpectationError::Mismatch { predicate: key, subject: name });
        }
        Ok(Expectation { subject, predicate: predicate.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Expectation, ExpectationError> {
        serde_json::from_str::<RawExpectation>(text).unwrap().resolve()
    }

    #[test]
    fn one_subject_and_one_predicate() {
        assert_eq!(
            parse(r#"{"value": "text", "equals": 3}"#).unwrap(),
            Expectation {
                subject: Subject::Observation("text".to_owned()),
                predicate: Predicate::Equals(Value::from(3))
            }
        );
        let none = parse(r#"{"value": "text", "equals": null}"#).unwrap();
        assert_eq!(none.predicate, Predicate::Equals(Value::Null));
        assert_eq!(parse(r#"{"equals": 3}"#), Err(ExpectationError::Subject));
        assert_eq!(parse(r#"{"value": "a", "file": "b", "equals": 3}"#), Err(ExpectationError::Subject));
        assert_eq!(parse(r#"{"value": "a"}"#), Err(ExpectationError::Predicates { found: 0 }));
        assert_eq!(
            parse(r#"{"value": "a", "equals": 3, "at_most": 4}"#),
            Err(ExpectationError::Predicates { found: 2 })
        );
    }

    #[test]
    fn files_and_values_have_their_own_predicates() {
        assert_eq!(
            parse(r#"{"file": "a", "equals": 3}"#),
            Err(ExpectationError::Mismatch { predicate: "equals", subject: "file" })
        );
        assert_eq!(
            parse(r#"{"value": "a", "private": true}"#),
            Err(ExpectationError::Mismatch { predicate: "private", subject: "value" })
        );
    }
    #[test]
    fn what_was_observed_is_searched_and_counted_and_time_is_only_measured() {
        let network = |predicate| Expectation { subject: Subject::Observed(ObservedSubject::Network), predicate };
        assert_eq!(parse(r#"{"observed": "network", "empty": true}"#), Ok(network(Predicate::Empty(true))));
        assert_eq!(parse(r#"{"observed": "network", "at_most": 2}"#), Ok(network(Predicate::AtMost(2.0))));
        for (text, predicate, subject) in [
            (r#"{"observed": "queries", "equals": []}"#, "equals", "observed"),
            (r#"{"observed": "wall_ms", "contains": "1"}"#, "contains", "wall_ms"),
            (r#"{"value": "a", "empty": true}"#, "empty", "value"),
        ] {
            assert_eq!(parse(text), Err(ExpectationError::Mismatch { predicate, subject }));
        }
        assert_eq!(parse(r#"{"observed": "network", "file": "a", "empty": true}"#), Err(ExpectationError::Subject));
    }
}
