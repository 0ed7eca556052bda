//! Calls and attributes that say something about a value.

use crate::flow::classes::{Classes, Labels, harmless_with_only};
use crate::flow::conditions::{allowed_characters, characters_of, has_type, inside, set_truth, starts_with};
use crate::flow::dialect::Question;
use crate::flow::interpreter::Interpreter;
use crate::flow::pattern_facts;
use crate::flow::value::{Fact, Shape, Truth, Value, ValueRef};

/// Attributes that say something about their owner.
pub(super) fn attribute(value: &mut Value, base: &ValueRef, name: &str) {
    match name {
        "hostname" | "netloc" | "host" => value.stand_for(base, Classes::HOST),
        "parts" => value.stand_for(base, Classes::PATH),
        "suffix" => value.stand_for(base, Classes::EXTENSION),
        "is_global" => set_truth(value, base.facts(Classes::REQUEST_HOST), Vec::new()),
        "is_private" => set_truth(value, Vec::new(), base.facts(Classes::REQUEST_HOST)),
        "file_size" | "size" | "st_size" | "content_length" => value.stand_for(base, Classes::SIZE),
        _ => {}
    }
}

/// Whether a function of another file says by its name that it raises unless its argument is in order.
fn checks(name: &str) -> bool {
    let name = name.trim_start_matches('_').to_ascii_lowercase();
    let of = ["path", "name", "safe", "valid", "injection", "allowed", "url"];
    ["validate", "ensure_", "sanitize_or_raise"].iter().any(|start| name.starts_with(start))
        || name.starts_with("check_") && of.iter().any(|word| name.contains(word))
}

/// Whether it says that its result is true only then.
fn approves(name: &str) -> bool {
    let name = name.trim_start_matches('_').to_ascii_lowercase();
    ["is_safe", "is_valid", "is_allowed", "is_permitted", "is_whitelisted"].iter().any(|start| name.starts_with(start))
}

/// What follows from the result of a call that asks a question. Facts in `passed` hold whenever the call returns at all.
pub(super) fn predicate(interpreter: &Interpreter<'_>, question: &Question<'_>) -> (Option<Truth>, Vec<Fact>) {
    let (path, method) = (question.path, question.method);
    let argument = |at: usize| question.argument(at);
    let truth = |truth: Truth| (Some(truth), Vec::new());
    let when_true = |facts: Vec<Fact>| (Some(Truth { when_true: facts, when_false: Vec::new() }), Vec::new());
    let when_false = |facts: Vec<Fact>| (Some(Truth { when_true: Vec::new(), when_false: facts }), Vec::new());
    let none = (None, Vec::new());
    match (path, argument(0), argument(1)) {
        ("isinstance", Some(value), Some(kind)) => return truth(has_type(value, kind)),
        ("os.path.isabs", Some(value), _) => return when_false(value.facts(Classes::PATH_ABSOLUTE)),
        ("all" | "any", Some(value), _) => {
            let (Shape::Repeated(element) | Shape::Part(element)) = &value.shape else { return none };
            let Some(inner) = &element.truth else { return none };
            return if path == "all" {
                when_true(interpreter.lift(&inner.when_true))
            } else {
                when_false(interpreter.lift(&inner.when_false))
            };
        }
        ("bool", Some(value), _) => return (value.truth.as_deref().cloned(), Vec::new()),
        ("re.match" | "re.fullmatch" | "re.search", Some(pattern), Some(text)) => {
            let how = path.trim_start_matches("re.");
            return pattern.characters().map_or(none, |pattern| truth(pattern_facts::truth(pattern, how, text)));
        }
        ("int" | "float" | "uuid.UUID", Some(value), _) => return (None, value.facts(Classes::ALL)),
        ("ipaddress.ip_address", Some(value), _) => {
            return (None, value.facts(Classes::ALL.without(Classes::REQUEST_HOST)));
        }
        _ => {}
    }
    if let (Some(value), true) = (argument(0), question.is_foreign) {
        if checks(method) {
            return (None, value.facts(Classes::ALL));
        }
        if approves(method) {
            return when_true(value.facts(Classes::ALL));
        }
    }
    let Some(receiver) = question.receiver else { return none };
    match (method, argument(0)) {
        ("startswith", Some(prefix)) => truth(starts_with(receiver, prefix)),
        ("endswith", Some(suffix)) if suffix.texts().is_some() => when_true(receiver.facts(Classes::EXTENSION)),
        ("isalnum" | "isdigit" | "isdecimal" | "isnumeric" | "isalpha", None) => {
            when_true(receiver.facts(Classes::ALL.without(Classes::NAME | Classes::EXTENSION)))
        }
        ("isidentifier", None) => {
            when_true(receiver.facts(Classes::ALL.without(Classes::NAME | Classes::EXTENSION | Classes::CODE)))
        }
        ("isprintable", None) => when_true(receiver.facts(Classes::LINES)),
        ("match" | "fullmatch" | "search", Some(text)) if receiver.path_text() == "re.compile()" => {
            let Shape::Called { positional, .. } = &receiver.shape else { return none };
            let pattern = positional.first().and_then(|pattern| pattern.characters());
            pattern.map_or(none, |pattern| truth(pattern_facts::truth(pattern, method, text)))
        }
        ("is_relative_to", Some(_)) if receiver.labels.has(Labels::RESOLVED_PATH) => when_true(inside(receiver)),
        ("relative_to", Some(_)) if receiver.labels.has(Labels::RESOLVED_PATH) => (None, inside(receiver)),
        ("issubset", Some(allowed)) => match (characters_of(receiver), allowed_characters(allowed)) {
            (Some(text), Some(allowed)) => when_true(text.facts(harmless_with_only(|letter| allowed.contains(letter)))),
            (None, _) => when_true(receiver.facts(Classes::KEYS)),
            _ => none,
        },
        ("index", Some(value)) if receiver.is_literal() => (None, value.facts(Classes::ALL)),
        _ => none,
    }
}
