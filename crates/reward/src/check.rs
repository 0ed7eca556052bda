//! Whether what was seen is what was expected. Runs outside the sandbox.

use std::collections::BTreeMap;

use codeward_records::{Expectation, Predicate, Subject};
use codeward_sandbox::{FileKind, FileSeen};
use regex::Regex;
use serde_json::Value;

use crate::observation::Seen;
use crate::observed::Observed;

/// The permission bits of everyone but the owner.
const GROUP_AND_OTHERS: u32 = 0o077;

/// What there is to look at after a test.
pub(crate) struct Evidence<'a> {
    pub(crate) seen: &'a BTreeMap<String, Seen>,
    pub(crate) files: &'a BTreeMap<String, FileSeen>,
    pub(crate) observed: &'a Observed,
}

impl Evidence<'_> {
    /// True when the expectation holds. An observation that was never made fulfils nothing.
    pub(crate) fn fulfils(&self, expectation: &Expectation) -> bool {
        match &expectation.subject {
            Subject::Observation(name) => {
                self.seen.get(name).is_some_and(|seen| self.observation_fulfils(seen, &expectation.predicate))
            }
            Subject::File(path) => file_fulfils(self.files.get(path), &expectation.predicate),
            Subject::Observed(subject) => self.observed.fulfils(*subject, &expectation.predicate),
        }
    }

    fn observation_fulfils(&self, seen: &Seen, predicate: &Predicate) -> bool {
        let returned = match seen {
            Seen::Returned(value) => Some(value),
            Seen::Raised(_) => None,
        };
        let other = |name: &String| match self.seen.get(name) {
            Some(Seen::Returned(value)) => Some(value),
            Some(Seen::Raised(_)) | None => None,
        };
        // A pattern that is none neither matches nor holds as not matching.
        let matches =
            |pattern: &str, value: &Value| Regex::new(pattern).ok().map(|regex| regex.is_match(&text_of(value)));
        match predicate {
            Predicate::Equals(wanted) => returned.is_some_and(|value| equal(value, wanted)),
            Predicate::NotEquals(unwanted) => returned.is_none_or(|value| !equal(value, unwanted)),
            Predicate::Contains(part) => returned.is_some_and(|value| text_of(value).contains(part)),
            Predicate::NotContains(part) => returned.is_none_or(|value| !text_of(value).contains(part)),
            Predicate::Matches(pattern) => returned.is_some_and(|value| matches(pattern, value) == Some(true)),
            Predicate::NotMatches(pattern) => returned.is_none_or(|value| matches(pattern, value) == Some(false)),
            Predicate::Raised(wanted) => returned.is_none() == *wanted,
            Predicate::AtLeast(bound) => returned.and_then(Value::as_f64).is_some_and(|value| value >= *bound),
            Predicate::AtMost(bound) => returned.and_then(Value::as_f64).is_some_and(|value| value <= *bound),
            Predicate::SameAs(name) => returned.zip(other(name)).is_some_and(|(left, right)| equal(left, right)),
            Predicate::DiffersFrom(name) => returned.zip(other(name)).is_some_and(|(left, right)| !equal(left, right)),
            Predicate::Exists(_) | Predicate::Private | Predicate::Empty(_) => false,
        }
    }
}

fn file_fulfils(file: Option<&FileSeen>, predicate: &Predicate) -> bool {
    let contains = |part: &str| {
        file.is_some_and(|file| file.kind == FileKind::File && String::from_utf8_lossy(&file.content).contains(part))
    };
    match predicate {
        Predicate::Exists(wanted) => file.is_some() == *wanted,
        Predicate::Private => file.is_some_and(|file| file.mode & GROUP_AND_OTHERS == 0),
        Predicate::Contains(part) => contains(part),
        Predicate::NotContains(part) => !contains(part),
        _ => false,
    }
}

/// Equality as Python has it for plain data, except that `True` is not 1: numbers compare by value, everything else by form.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || left.as_f64().zip(right.as_f64()).is_some_and(|(left, right)| left == right)
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| equal(value, other)))
        }
        _ => left == right,
    }
}

/// The text of a value: a string as it is, anything else as JSON the way Python's `json.dumps` spaces it.
fn text_of(value: &Value) -> String {
    fn write(value: &Value, out: &mut String) {
        match value {
            Value::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at > 0 { ", " } else { "" });
                    write(item, out);
                }
                out.push(']');
            }
            Value::Object(items) => {
                out.push('{');
                for (at, (key, item)) in items.iter().enumerate() {
                    out.push_str(if at > 0 { ", " } else { "" });
                    out.push_str(&Value::from(key.as_str()).to_string());
                    out.push_str(": ");
                    write(item, out);
                }
                out.push('}');
            }
            other => out.push_str(&other.to_string()),
        }
    }
    match value {
        Value::String(text) => text.clone(),
        other => {
            let mut out = String::new();
            write(other, &mut out);
            out
        }
    }
}

#[cfg(test)]
mod tests {
    use codeward_records::RawExpectation;
    use serde_json::json;

    use super::*;

    fn fulfils(seen: &[(&str, Seen)], expectation: Value) -> bool {
        let seen = seen.iter().map(|(name, seen)| ((*name).to_owned(), seen.clone())).collect();
        let evidence = Evidence { seen: &seen, files: &BTreeMap::new(), observed: &Observed::default() };
        evidence.fulfils(&serde_json::from_value::<RawExpectation>(expectation).unwrap().resolve().unwrap())
    }

    #[test]
    fn a_missing_observation_fulfils_nothing() {
        for predicate in [json!({"value": "x", "not_contains": "a"}), json!({"value": "x", "raised": true})] {
            assert!(!fulfils(&[], predicate));
        }
    }

    #[test]
    fn a_raise_fulfils_the_negative_predicates_only() {
        let raised = [("x", Seen::Raised("ValueError".to_owned()))];
        assert!(fulfils(&raised, json!({"value": "x", "not_contains": "a"})));
        assert!(fulfils(&raised, json!({"value": "x", "not_equals": 1})));
        assert!(fulfils(&raised, json!({"value": "x", "raised": true})));
        assert!(!fulfils(&raised, json!({"value": "x", "contains": ""})));
        assert!(!fulfils(&raised, json!({"value": "x", "equals": null})));
        assert!(!fulfils(&raised, json!({"value": "x", "at_most": 5})));
    }

    #[test]
    fn numbers_compare_by_value_and_booleans_are_not_numbers() {
        let returned = |value: Value| [("x", Seen::Returned(value))];
        assert!(fulfils(&returned(json!(3.0)), json!({"value": "x", "equals": 3})));
        assert!(!fulfils(&returned(json!(true)), json!({"value": "x", "equals": 1})));
        assert!(fulfils(&returned(json!([1, {"a": 2.0}])), json!({"value": "x", "equals": [1.0, {"a": 2}]})));
        assert!(fulfils(&returned(json!({"a": [1, 2]})), json!({"value": "x", "contains": "\"a\": [1, 2]"})));
    }

    #[test]
    fn a_pattern_that_is_none_holds_neither_way() {
        let returned = [("x", Seen::Returned(json!("ab")))];
        for (pattern, matches, does_not) in [("^a", true, false), ("^b", false, true), ("(", false, false)] {
            assert_eq!(fulfils(&returned, json!({"value": "x", "matches": pattern})), matches, "{pattern}");
            assert_eq!(fulfils(&returned, json!({"value": "x", "not_matches": pattern})), does_not, "{pattern}");
        }
    }

    #[test]
    fn files_exist_are_private_or_hold_text() {
        let file = |mode| FileSeen { kind: FileKind::File, mode, size: 2, content: b"ok".to_vec() };
        assert!(file_fulfils(Some(&file(0o600)), &Predicate::Private));
        assert!(!file_fulfils(Some(&file(0o640)), &Predicate::Private));
        assert!(!file_fulfils(None, &Predicate::Private));
        assert!(file_fulfils(None, &Predicate::Exists(false)));
        assert!(file_fulfils(Some(&file(0o600)), &Predicate::Contains("ok".to_owned())));
        assert!(file_fulfils(None, &Predicate::NotContains("ok".to_owned())));
    }
}
