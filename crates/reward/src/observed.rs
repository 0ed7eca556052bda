//! What an observer outside the program saw it do.

use std::time::Duration;

use codeward_records::{ObservedSubject, Predicate};
use codeward_sandbox::Outcome;
use regex::Regex;

/// What was seen from outside. None is what nobody watched for, which is not the same as nothing seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Observed {
    /// Command lines of the programs started.
    pub(crate) processes: Option<Vec<String>>,
    /// Sockets made and addresses gone to.
    pub(crate) network: Option<Vec<String>>,
    /// Paths outside the scratch folder that were opened or tried.
    pub(crate) outside_files: Option<Vec<String>>,
    /// Statements sent to a database.
    pub(crate) queries: Option<Vec<String>>,
    /// Bytes received by the loopback listener.
    pub(crate) received: Option<Vec<u8>>,
    /// Time by the clock.
    pub(crate) wall: Duration,
}

/// A test looks at something that nobody watched: it cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this sandbox does not watch for {subject:?}, which test {test} looks at")]
pub(crate) struct NotWatched {
    pub(crate) subject: ObservedSubject,
    pub(crate) test: String,
}

impl Observed {
    /// What the sandbox says was seen.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        Self { wall: outcome.wall, ..Self::default() }
    }

    /// Whether somebody watched.
    pub(crate) fn watches(&self, subject: ObservedSubject) -> bool {
        match subject {
            ObservedSubject::Received => self.received.is_some(),
            ObservedSubject::WallMs => true,
            subject => self.entries(subject).is_some(),
        }
    }

    /// True when the expectation holds. What nobody watched fulfils nothing.
    pub(crate) fn fulfils(&self, subject: ObservedSubject, predicate: &Predicate) -> bool {
        let milliseconds = self.wall.as_secs_f64() * 1000.0;
        let received = || self.received.as_ref();
        match subject {
            ObservedSubject::WallMs => counted(milliseconds, predicate).unwrap_or(false),
            ObservedSubject::Received => received().is_some_and(|bytes| {
                let text = String::from_utf8_lossy(bytes).into_owned();
                let entries = if bytes.is_empty() { vec![] } else { vec![text] };
                counted(bytes.len() as f64, predicate).unwrap_or_else(|| listed(&entries, predicate))
            }),
            subject => self.entries(subject).is_some_and(|entries| {
                counted(entries.len() as f64, predicate).unwrap_or_else(|| listed(entries, predicate))
            }),
        }
    }

    fn entries(&self, subject: ObservedSubject) -> Option<&[String]> {
        let entries = match subject {
            ObservedSubject::Processes => &self.processes,
            ObservedSubject::Network => &self.network,
            ObservedSubject::OutsideFiles => &self.outside_files,
            ObservedSubject::Queries => &self.queries,
            ObservedSubject::Received | ObservedSubject::WallMs => &None,
        };
        entries.as_deref()
    }
}

/// The predicates on a count; None for the others.
fn counted(count: f64, predicate: &Predicate) -> Option<bool> {
    match predicate {
        Predicate::AtLeast(bound) => Some(count >= *bound),
        Predicate::AtMost(bound) => Some(count <= *bound),
        _ => None,
    }
}

/// The predicates on a list of texts.
fn listed(entries: &[String], predicate: &Predicate) -> bool {
    // A pattern that is none matches nothing, and does not hold as not matching either.
    let matching =
        |pattern: &str| Regex::new(pattern).ok().map(|pattern| entries.iter().any(|entry| pattern.is_match(entry)));
    match predicate {
        Predicate::Empty(wanted) => entries.is_empty() == *wanted,
        Predicate::Contains(part) => entries.iter().any(|entry| entry.contains(part)),
        Predicate::NotContains(part) => !entries.iter().any(|entry| entry.contains(part)),
        Predicate::Matches(pattern) => matching(pattern) == Some(true),
        Predicate::NotMatches(pattern) => matching(pattern) == Some(false),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use codeward_records::{RawExpectation, Subject};
    use serde_json::{Value, json};

    use super::*;

    fn fulfils(observed: &Observed, expectation: Value) -> bool {
        let expectation = serde_json::from_value::<RawExpectation>(expectation).unwrap().resolve().unwrap();
        let Subject::Observed(subject) = expectation.subject else { panic!("{expectation:?}") };
        observed.fulfils(subject, &expectation.predicate)
    }

    #[test]
    fn what_nobody_watched_fulfils_nothing() {
        let observed = Observed::default();
        for subject in ["processes", "network", "outside_files", "queries", "received"] {
            for predicate in [
                json!({"empty": true}),
                json!({"empty": false}),
                json!({"not_contains": "x"}),
                json!({"not_matches": "x"}),
                json!({"at_most": 5}),
                json!({"at_least": 0}),
            ] {
                let mut expectation = predicate;
                expectation["observed"] = json!(subject);
                assert!(!fulfils(&observed, expectation.clone()), "{expectation}");
            }
        }
        assert!(observed.watches(ObservedSubject::WallMs) && !observed.watches(ObservedSubject::Network));
    }

    #[test]
    fn lists_are_searched_and_counted() {
        let observed = Observed {
            processes: Some(vec!["/bin/sh -c ls".to_owned(), "ls".to_owned()]),
            network: Some(vec![]),
            ..Observed::default()
        };
        for (expectation, wanted) in [
            (json!({"observed": "processes", "empty": true}), false),
            (json!({"observed": "processes", "empty": false}), true),
            (json!({"observed": "processes", "contains": "sh -c"}), true),
            (json!({"observed": "processes", "not_contains": "sh -c"}), false),
            (json!({"observed": "processes", "not_contains": "rm"}), true),
            (json!({"observed": "processes", "matches": "^ls$"}), true),
            (json!({"observed": "processes", "not_matches": "^ls$"}), false),
            (json!({"observed": "processes", "not_matches": "("}), false),
            (json!({"observed": "processes", "at_most": 2}), true),
            (json!({"observed": "processes", "at_most": 1}), false),
            (json!({"observed": "processes", "at_least": 3}), false),
            (json!({"observed": "network", "empty": true}), true),
            (json!({"observed": "network", "contains": ""}), false),
        ] {
            assert_eq!(fulfils(&observed, expectation.clone()), wanted, "{expectation}");
        }
    }

    #[test]
    fn received_bytes_are_text_and_counted_one_by_one() {
        let observed = |bytes: &[u8]| Observed { received: Some(bytes.to_vec()), ..Observed::default() };
        assert!(fulfils(&observed(b"GET /\xff"), json!({"observed": "received", "contains": "GET /"})));
        assert!(fulfils(&observed(b"GET /\xff"), json!({"observed": "received", "at_least": 6})));
        assert!(!fulfils(&observed(b"GET /\xff"), json!({"observed": "received", "at_most": 5})));
        assert!(fulfils(&observed(b""), json!({"observed": "received", "empty": true})));
    }

    #[test]
    fn time_is_in_milliseconds() {
        let observed = Observed { wall: Duration::from_micros(1500), ..Observed::default() };
        assert!(fulfils(&observed, json!({"observed": "wall_ms", "at_most": 1.5})));
        assert!(!fulfils(&observed, json!({"observed": "wall_ms", "at_most": 1.4})));
        assert!(fulfils(&observed, json!({"observed": "wall_ms", "at_least": 1.5})));
    }
}
