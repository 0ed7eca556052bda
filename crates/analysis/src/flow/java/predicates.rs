//! Calls that say something about a value.

use crate::flow::classes::Classes;
use crate::flow::classes::Labels;
use crate::flow::conditions::{equal, harmless_lacking, inside, member, starts_with};
use crate::flow::dialect::Question;
use crate::flow::interpreter::Interpreter;
use crate::flow::pattern_facts;
use crate::flow::value::{Fact, Shape, Truth, Value, ValueRef};

use super::{COOKIE_HTTP_ONLY, COOKIE_SECURE, FILLED, HARDENED};

/// Features of XML parsers that matter, by a part of their name, with the value that makes the parser safe.
const FEATURES: &[(&str, bool)] = &[
    ("disallow-doctype-decl", true),
    ("external-general-entities", false),
    ("secure-processing", true),
    ("supportDTD", false),
    ("isSupportingExternalEntities", false),
];

/// Methods that say which classes or entities a reader may take.
const CONFINES: &[&str] = &[
    "setEntityResolver",
    "setXMLResolver",
    "setObjectInputFilter",
    "allowTypes",
    "allowTypesByWildcard",
    "allowTypeHierarchy",
    "addPermission",
    "denyTypes",
    "setupDefaultSecurity",
    "allowTypesByRegExp",
    "accept",
];

/// Whether a setting keeps an XML parser from external entities.
fn hardens(method: &str, name: Option<&ValueRef>, setting: Option<&ValueRef>) -> bool {
    let ("setFeature" | "setProperty" | "setAttribute", Some(setting)) = (method, setting) else { return false };
    let Some(name) = name.and_then(|name| name.text()) else { return false };
    if name.contains("accessExternal") {
        return setting.text() == Some("");
    }
    FEATURES.iter().any(|(part, safe)| {
        name.contains(part)
            && (setting.boolean() == Some(*safe) || setting.text() == Some(if *safe { "true" } else { "false" }))
    })
}

/// Whether a method's name says that it asks where a path lies.
fn is_check(method: &str) -> bool {
    let lower = method.to_ascii_lowercase();
    method != "startsWith"
        && ["startswith", "isinside", "iswithin", "isunder", "ischild", "isdescendant"]
            .iter()
            .any(|word| lower.contains(word))
}

/// What follows from the result of a call that asks a question. Facts in the second part hold whenever the call returns at all.
pub(super) fn predicate(_: &Interpreter<'_>, question: &Question<'_>) -> (Option<Truth>, Vec<Fact>) {
    let (path, method) = (question.path, question.method);
    let argument = |at: usize| question.argument(at);
    let truth = |truth: Truth| (Some(truth), Vec::new());
    let when_true = |facts: Vec<Fact>| (Some(Truth { when_true: facts, when_false: Vec::new() }), Vec::new());
    let when_false = |facts: Vec<Fact>| (Some(Truth { when_true: Vec::new(), when_false: facts }), Vec::new());
    let none = (None, Vec::new());
    match (path, argument(0), argument(1)) {
        ("Objects.equals" | "StringUtils.equals", Some(one), Some(two)) => return when_true(equal(one, two)),
        ("Pattern.matches", Some(pattern), Some(text)) => {
            return pattern.text().map_or(none, |pattern| truth(pattern_facts::truth(pattern, "fullmatch", text)));
        }
        ("StringUtils.isNumeric" | "StringUtils.isAlphanumeric" | "StringUtils.isAlpha", Some(text), _) => {
            return when_true(text.facts(Classes::ALL.without(Classes::NAME | Classes::EXTENSION)));
        }
        (
            "Integer.parseInt" | "Long.parseLong" | "UUID.fromString" | "Integer.valueOf" | "Long.valueOf",
            Some(text),
            _,
        ) => {
            return (None, text.facts(Classes::ALL.without(Classes::SIZE)));
        }
        _ => {}
    }
    let filled: Vec<Fact> = question
        .positional
        .iter()
        .filter(|operand| operand.value.path_text().starts_with("new byte[]"))
        .map(|operand| (operand.value.key, FILLED))
        .collect();
    if !filled.is_empty() {
        return (None, filled);
    }
    if is_check(method) {
        // A method of somebody else's that is asked whether a resolved path lies where it should.
        let resolved = question.positional.iter().filter(|operand| operand.value.labels.has(Labels::RESOLVED_PATH));
        let facts: Vec<Fact> = resolved.flat_map(|operand| inside(&operand.value)).collect();
        if !facts.is_empty() {
            return when_true(facts);
        }
    }
    let Some(receiver) = question.receiver else { return none };
    if hardens(method, argument(0), argument(1)) || CONFINES.contains(&method) {
        return (None, vec![(receiver.key, HARDENED)]);
    }
    match (method, argument(0)) {
        ("setMaxAge", Some(age)) if age.integer() == Some(0) => {
            (None, vec![(receiver.key, COOKIE_SECURE | COOKIE_HTTP_ONLY)])
        }
        ("setSecure", Some(setting)) if setting.boolean() != Some(false) => (None, vec![(receiver.key, COOKIE_SECURE)]),
        ("setHttpOnly", Some(setting)) if setting.boolean() != Some(false) => {
            (None, vec![(receiver.key, COOKIE_HTTP_ONLY)])
        }
        ("equals" | "equalsIgnoreCase" | "contentEquals", Some(other)) => when_true(equal(receiver, other)),
        ("startsWith", Some(prefix)) => truth(prefixed(receiver, prefix)),
        ("endsWith", Some(suffix)) if suffix.text().is_some() => when_true(receiver.facts(Classes::EXTENSION)),
        ("matches", Some(pattern)) => {
            pattern.text().map_or(none, |pattern| truth(pattern_facts::truth(pattern, "fullmatch", receiver)))
        }
        ("matches" | "find" | "lookingAt", None) => matched(receiver, method).map_or(none, truth),
        ("contains", Some(part)) => match part.text() {
            Some(text) => when_false(receiver.facts(harmless_lacking(text))),
            None => truth(member(part, receiver)),
        },
        ("containsKey", Some(key)) => truth(member(key, receiver)),
        ("isAbsolute", None) => when_false(receiver.facts(Classes::PATH_ABSOLUTE)),
        ("isEmpty" | "isBlank", None) => when_true(receiver.facts(Classes::ALL)),
        _ => none,
    }
}

/// `path.startsWith(folder)`: of resolved paths, whether one is inside the other.
fn prefixed(receiver: &ValueRef, prefix: &ValueRef) -> Truth {
    let mut truth = starts_with(receiver, prefix);
    if receiver.labels.has(Labels::RESOLVED_PATH) {
        truth.when_true.extend(inside(receiver));
    }
    truth
}

/// `Pattern.compile(pattern).matcher(text).matches()`.
fn matched(matcher: &Value, method: &str) -> Option<Truth> {
    let Shape::Called { receiver: Some(pattern), positional, .. } = &matcher.shape else { return None };
    let Shape::Called { positional: patterns, .. } = &pattern.shape else { return None };
    let how = match method {
        "matches" => "fullmatch",
        "find" => "search",
        _ => "match",
    };
    Some(pattern_facts::truth(patterns.first()?.text()?, how, positional.first()?))
}
