//! Calls, attributes and parameters that say something about a value.

use super::patterns::regular;
use crate::flow::classes::{Classes, Labels};
use crate::flow::conditions::{allowed_characters, inside, starts_with};
use crate::flow::dialect::Question;
use crate::flow::interpreter::Interpreter;
use crate::flow::pattern_facts;
use crate::flow::value::{Fact, Shape, Truth, Value, ValueRef, mix, text_key};
use crate::syntax::{Comparison, Parameter};

/// What a parameter is known to be, by its name and by the others.
pub(super) fn parameter(all: &[Parameter], at: usize) -> Option<Value> {
    let parameter = &all[at];
    let name = parameter.name.as_ref();
    let is_answer = |name: &str| matches!(name, "res" | "response" | "_res" | "resp" | "reply" | "rsp");
    let kind = parameter.annotation.as_deref().unwrap_or_default();
    let next_is_answer = all.get(at + 1).is_some_and(|next| is_answer(&next.name));
    let path = match name {
        _ if kind.ends_with("Response") && !kind.starts_with('@') => "res",
        _ if kind.contains("Request") && !kind.starts_with('@') => "req",
        "req" | "request" | "_req" => "req",
        _ if next_is_answer => "req",
        _ if is_answer(name) => "res",
        "ctx" | "context" if at == 0 => "ctx",
        "event" if all.get(at + 1).is_some_and(|next| matches!(next.name.as_ref(), "context" | "_context")) => "lambda",
        "err" | "error" | "e" | "ex" if at == 0 => {
            let mut error = Value::unknown(mix(text_key(name), 95));
            error.labels = Labels::ERROR_TEXT;
            return Some(error);
        }
        "next" | "cb" | "callback" | "done" | "resolve" | "reject" => {
            return Some(Value::unknown(mix(text_key(name), 96)));
        }
        _ if matches!(kind, "number" | "boolean" | "bigint" | "Date") => {
            return Some(Value::unknown(mix(text_key(name), 97)));
        }
        _ => return None,
    };
    Some(Value::path(path))
}

/// Attributes that say something about their owner.
pub(super) fn attribute(value: &mut Value, base: &ValueRef, name: &str) {
    match name {
        "hostname" | "host" | "origin" => value.stand_for(base, Classes::HOST),
        "length" | "size" | "byteLength" => {
            value.taints.clear();
            value.stand_for(base, Classes::SIZE);
        }
        "stack" if base.labels.has(Labels::ERROR_TEXT) => value.labels = value.labels | Labels::STACK,
        _ => {}
    }
}

/// What follows from the result of a call that asks a question. Facts in the second part hold whenever the call returns at all.
pub(super) fn predicate(_: &Interpreter<'_>, question: &Question<'_>) -> (Option<Truth>, Vec<Fact>) {
    let when_true = |facts: Vec<Fact>| (Some(Truth { when_true: facts, when_false: Vec::new() }), Vec::new());
    let when_false = |facts: Vec<Fact>| (Some(Truth { when_true: Vec::new(), when_false: facts }), Vec::new());
    let none = (None, Vec::new());
    let argument = |at: usize| question.argument(at);
    match (question.path, argument(0)) {
        ("Number.isInteger" | "Number.isFinite" | "isFinite" | "Number.isSafeInteger", Some(value)) => {
            return when_true(value.facts(Classes::ALL));
        }
        ("isNaN" | "Number.isNaN", Some(value)) => return when_false(value.facts(Classes::ALL)),
        ("path.isAbsolute", Some(value)) => return when_false(value.facts(Classes::PATH_ABSOLUTE)),
        ("net.isIP" | "net.isIPv4" | "net.isIPv6", Some(value)) => {
            return when_true(value.facts(Classes::ALL.without(Classes::REQUEST_HOST)));
        }
        ("Array.isArray", Some(value)) => return when_false(value.facts(Classes::NONE)),
        ("Boolean", Some(value)) => return (value.truth.as_deref().cloned(), Vec::new()),
        _ => {}
    }
    let Some(receiver) = question.receiver else { return none };
    let literal_words = |value: &ValueRef| value.truth.is_none() && value.taints.is_empty();
    match (question.method, argument(0)) {
        ("test", Some(text)) => match regular(receiver) {
            Some((pattern, flags)) if !flags.contains('m') => {
                (Some(pattern_facts::truth(&pattern, "search", text)), Vec::new())
            }
            _ => none,
        },
        ("match" | "search", Some(pattern)) => match regular(pattern) {
            Some((pattern, flags)) if !flags.contains('m') => {
                (Some(pattern_facts::truth(&pattern, "search", receiver)), Vec::new())
            }
            _ => none,
        },
        ("startsWith", Some(prefix)) => {
            let mut truth = starts_with(receiver, prefix);
            if receiver.labels.has(Labels::RESOLVED_PATH) && prefix.taints.is_empty() && prefix.text() != Some("/") {
                truth.when_true.extend(inside(receiver));
            }
            (Some(truth), Vec::new())
        }
        ("endsWith", Some(suffix)) => {
            let mut known = Classes::EXTENSION;
            let is_host = suffix.outline().starts_with('.');
            if is_host {
                known = known | Classes::HOST;
            }
            when_true(receiver.facts(known))
        }
        ("includes" | "has" | "hasOwnProperty", Some(value)) => member(receiver, value, question.method),
        ("isAlphanumeric" | "isInt" | "isNumeric" | "isUUID" | "isAlpha" | "isMongoId", Some(value)) => {
            when_true(value.facts(Classes::ALL.without(Classes::NAME)))
        }
        ("call", Some(_)) if question.path.ends_with("hasOwnProperty.call") => match argument(1) {
            Some(key) if literal_words(receiver) => when_true(key.facts(Classes::NAME)),
            _ => none,
        },
        _ => none,
    }
}

/// Whether this is a name by which an object's prototype is reached.
fn is_prototype(name: &str) -> bool {
    matches!(name, "__proto__" | "constructor" | "prototype")
}

/// `container.includes(value)`: the container is a list of what is allowed, or a text that is looked through.
fn member(container: &ValueRef, value: &ValueRef, method: &str) -> (Option<Truth>, Vec<Fact>) {
    let truth = |when_true: Vec<Fact>, when_false: Vec<Fact>| (Some(Truth { when_true, when_false }), Vec::new());
    if let Some(text) = value.text() {
        if is_prototype(text) {
            return truth(Vec::new(), container.facts(Classes::NAME));
        }
        return truth(Vec::new(), container.facts(crate::flow::conditions::harmless_lacking(text)));
    }
    if container.is_tainted(Classes::ALL) && method != "hasOwnProperty" {
        return (None, Vec::new());
    }
    // One character of a text, looked for among the allowed ones.
    if matches!(value.shape, Shape::Part(_))
        && let Some(allowed) = allowed_characters(container)
        && !matches!(container.shape, Shape::Sequence(..))
    {
        return truth(
            value.facts(crate::flow::classes::harmless_with_only(|letter| allowed.contains(letter))),
            Vec::new(),
        );
    }
    let refuses = container.texts().is_some_and(|texts| texts.into_iter().any(is_prototype));
    let otherwise = if refuses { value.facts(Classes::NAME) } else { Vec::new() };
    truth(value.facts(Classes::ALL), otherwise)
}

/// `text.indexOf(part) === -1` and the like, and comparisons with `true`, `false` and `null`.
pub(super) fn comparison(left: &ValueRef, operator: Comparison, right: &ValueRef) -> Option<Truth> {
    let swap = |truth: Truth| Truth { when_true: truth.when_false, when_false: truth.when_true };
    if let (Some(wanted), Some(truth)) = (right.boolean(), left.truth.as_deref()) {
        let is_same = match operator {
            Comparison::Equal => wanted,
            Comparison::NotEqual => !wanted,
            _ => return None,
        };
        return Some(if is_same { truth.clone() } else { swap(truth.clone()) });
    }
    if right.is_none() {
        // What is not there can do no harm.
        let absent = left.truth.as_deref().cloned();
        let found = absent.unwrap_or_else(|| Truth { when_true: Vec::new(), when_false: left.facts(Classes::ALL) });
        return match operator {
            Comparison::Equal => Some(swap(found)),
            Comparison::NotEqual => Some(found),
            _ => None,
        };
    }
    if right.text().is_some_and(is_prototype) && matches!(operator, Comparison::Equal | Comparison::NotEqual) {
        let found = Truth { when_true: left.facts(Classes::ALL), when_false: left.facts(Classes::NAME) };
        return Some(if operator == Comparison::Equal { found } else { swap(found) });
    }
    if left.path_text() == "indexOf()" {
        let Shape::Called { receiver: Some(receiver), positional, .. } = &left.shape else { return None };
        let value = positional.first()?;
        let contains = member(receiver, value, "includes").0.unwrap_or_default();
        return match (operator, right.integer()?) {
            (Comparison::Equal, -1) | (Comparison::Less, 0) => Some(swap(contains)),
            (Comparison::NotEqual | Comparison::Greater, -1) | (Comparison::GreaterEqual, 0) => Some(contains),
            (Comparison::Equal | Comparison::NotEqual, 0) => {
                let mut starts = starts_with(receiver, value);
                if receiver.labels.has(Labels::RESOLVED_PATH) && value.taints.is_empty() && value.text() != Some("/") {
                    starts.when_true.extend(inside(receiver));
                }
                Some(if operator == Comparison::Equal { starts } else { swap(starts) })
            }
            _ => None,
        };
    }
    None
}
