//! What an observer outside the program saw it do.

use std::time::Duration;

use codeward_records::{ObservedSubject, Predicate};
use codeward_sandbox::{Isolation, Network, Outcome, Program, SocketTried};
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
    /// Bytes received by the loopback listener, one entry for each connection.
    pub(crate) received: Option<Vec<Vec<u8>>>,
    /// Time by the clock.
    pub(crate) wall: Duration,
    /// How much more was seen than is listed, in all lists together.
    pub(crate) num_omitted: u64,
}

/// A test looks at something that nobody watched: it cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this sandbox does not watch for {subject:?}, which test {test} looks at")]
pub(crate) struct NotWatched {
    pub(crate) subject: ObservedSubject,
    pub(crate) test: String,
}

impl Observed {
    /// What the sandbox says was seen of this program.
    pub(crate) fn of(program: &Program, outcome: &Outcome) -> Self {
        let seen = &outcome.observed;
        let watched = |entries: Vec<String>| seen.is_complete.then_some(entries);
        let has_listener =
            program.network == Network::Loopback && outcome.isolation.strength() >= Isolation::Full.strength();
        Self {
            processes: watched(seen.processes.iter().map(|tried| tried.arguments.join(" ")).collect()),
            network: watched(seen.sockets.iter().map(socket_text).collect()),
            outside_files: watched(seen.outside_files.clone()),
            queries: watched(seen.queries.clone()).filter(|_| program.queries),
            received: has_listener.then(|| seen.received.clone()),
            wall: outcome.wall,
            num_omitted: seen.omitted,
        }
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
        let listed = |entries: &[String]| {
            // Nobody knows what is in the entries that are not kept.
            let is_certain = self.num_omitted == 0 || !is_about_all(predicate);
            is_certain && listed(entries, predicate)
        };
        match subject {
            ObservedSubject::WallMs => counted(milliseconds, predicate).unwrap_or(false),
            ObservedSubject::Received => self.received.as_ref().is_some_and(|connections| {
                let num_bytes: usize = connections.iter().map(Vec::len).sum();
                let sent = connections.iter().filter(|bytes| !bytes.is_empty());
                let entries: Vec<String> = sent.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
                counted(num_bytes as f64, predicate).unwrap_or_else(|| listed(&entries))
            }),
            subject => self.entries(subject).is_some_and(|entries| {
                let count = entries.len() as u64 + self.num_omitted;
                counted(count as f64, predicate).unwrap_or_else(|| listed(entries))
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

/// Predicates that hold only when no entry is otherwise.
fn is_about_all(predicate: &Predicate) -> bool {
    matches!(predicate, Predicate::Empty(true) | Predicate::NotContains(_) | Predicate::NotMatches(_))
}

/// A socket in words, such as `connect inet 10.0.0.1:80`.
fn socket_text(tried: &SocketTried) -> String {
    let address = tried.address.as_ref().map(|address| format!(" {address}")).unwrap_or_default();
    format!("{} {}{address}", tried.call, tried.family)
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
    fn what_is_not_kept_is_counted_and_fulfils_nothing_about_all() {
        let observed = Observed { queries: Some(vec!["select 1".to_owned()]), num_omitted: 5, ..Observed::default() };
        for (expectation, wanted) in [
            (json!({"observed": "queries", "contains": "select"}), true),
            (json!({"observed": "queries", "not_contains": "drop"}), false),
            (json!({"observed": "queries", "not_matches": "drop"}), false),
            (json!({"observed": "queries", "at_most": 5}), false),
            (json!({"observed": "queries", "at_least": 6}), true),
        ] {
            assert_eq!(fulfils(&observed, expectation.clone()), wanted, "{expectation}");
        }
    }

    #[test]
    fn received_bytes_are_text_and_counted_one_by_one() {
        let observed = |bytes: &[u8]| Observed { received: Some(vec![bytes.to_vec()]), ..Observed::default() };
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
