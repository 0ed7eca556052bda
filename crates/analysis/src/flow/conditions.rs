//! What follows from a condition being true or false.

use std::rc::Rc;

use super::classes::{Classes, Labels, harmless_with_only, harmless_without};
use super::interpreter::{Interpreter, Operand};
use super::value::{Fact, Shape, Taint, Truth, Value, ValueRef, mix};
use crate::syntax::{BinaryOperator, Comparison, Constant, ExpressionId};

/// `not value`.
pub(in crate::flow) fn not(inner: &ValueRef) -> Value {
    if let Some(constant) = &inner.constant {
        return Value::constant(Constant::Boolean(!constant.is_truthy()));
    }
    let mut value = Value::unknown(mix(inner.key, 51));
    value.path = Some("not()".into());
    let truth = truth_of(inner);
    value.truth = Some(Rc::new(Truth { when_true: truth.when_false, when_false: truth.when_true }));
    let called = Shape::Called { receiver: None, positional: [Rc::clone(inner)].into(), keywords: [].into() };
    value.with_shape(called)
}

/// What follows from a resolved path being inside a folder: also that the member of an archive that it was made from was checked.
pub(in crate::flow) fn inside(path: &ValueRef) -> Vec<Fact> {
    let mut facts = path.facts(Classes::PATH);
    for taint in &path.taints {
        facts.extend(taint.keys_since_element().into_iter().map(|key| (key, Classes::PATH_MEMBER)));
    }
    facts
}

/// The facts that hold whichever of two lists of facts holds.
pub(in crate::flow) fn either(left: &[Fact], right: &[Fact]) -> Vec<Fact> {
    let all = |facts: &[Fact], key: u64| {
        facts.iter().filter(|fact| fact.0 == key).fold(Classes::NONE, |all, fact| all | fact.1)
    };
    let mut keys: Vec<u64> = left.iter().map(|fact| fact.0).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter()
        .map(|key| (key, all(left, key) & all(right, key)))
        .filter(|(_, classes)| !classes.is_empty())
        .collect()
}

pub(in crate::flow) fn set_truth(value: &mut Value, when_true: Vec<Fact>, when_false: Vec<Fact>) {
    value.truth = Some(Rc::new(Truth { when_true, when_false }));
}

/// `set(text) - allowed` is false when the text has only allowed characters.
pub(in crate::flow) fn set_difference(value: &mut Value, operator: BinaryOperator, left: &ValueRef, right: &ValueRef) {
    if operator == BinaryOperator::Subtract
        && let Some(text) = characters_of(left)
        && let Some(allowed) = allowed_characters(right)
    {
        let facts = text.facts(harmless_with_only(|letter| allowed.contains(letter)));
        set_truth(value, Vec::new(), facts);
    }
}

/// The text whose characters a set holds.
pub(in crate::flow) fn characters_of(set: &ValueRef) -> Option<&ValueRef> {
    match (&set.shape, set.path_text()) {
        (Shape::Called { positional, .. }, "set()" | "frozenset()") => positional.first(),
        _ => None,
    }
}

pub(in crate::flow) fn allowed_characters(set: &ValueRef) -> Option<String> {
    let inner = characters_of(set).unwrap_or(set);
    inner.texts().map(|texts| texts.concat())
}

/// What a text lacks that does not contain this.
pub(in crate::flow) fn harmless_lacking(text: &str) -> Classes {
    let mut letters = text.chars();
    if let (Some(letter), None) = (letters.next(), letters.next()) {
        return harmless_without(letter);
    }
    match text.to_ascii_uppercase().as_str() {
        ".." | "../" | "..\\" => Classes::PATH_UP,
        "//" => Classes::REDIRECT_SLASHES,
        "<!" | "<!DOCTYPE" | "<!ENTITY" | "!DOCTYPE" | "!ENTITY" | "DOCTYPE" | "ENTITY" => Classes::XML_DECLARATION,
        _ => Classes::NONE,
    }
}

/// What a text has that starts with this.
fn harmless_starting(prefix: &str) -> Classes {
    let mut letters = prefix.chars();
    let Some(first) = letters.next() else { return Classes::NONE };
    let second = letters.next();
    let mut harmless = Classes::NONE;
    if first != '-' {
        harmless = harmless | Classes::OPTION;
    }
    if !matches!(first, '=' | '+' | '-' | '@' | '\t' | '\r') {
        harmless = harmless | Classes::FORMULA;
    }
    if first == '/' {
        harmless = harmless | Classes::REDIRECT_HOST;
        if second.is_some_and(|second| !matches!(second, '/' | '\\')) {
            harmless = harmless | Classes::REDIRECT;
        }
    } else {
        harmless = harmless | Classes::PATH_ABSOLUTE;
    }
    if let Some((_, host)) = prefix.split_once("://")
        && host.len() > 1
        && host.ends_with('/')
    {
        harmless = harmless | Classes::HOST;
    }
    harmless
}

/// What a text lacks that starts with none of these.
fn harmless_not_starting(prefixes: &[&str]) -> Classes {
    let mut harmless = Classes::NONE;
    if prefixes.contains(&"-") {
        harmless = harmless | Classes::OPTION;
    }
    if ["=", "+", "-", "@"].iter().all(|sign| prefixes.contains(sign)) {
        harmless = harmless | Classes::FORMULA;
    }
    if prefixes.contains(&"//") {
        harmless = harmless | Classes::REDIRECT_SLASHES;
    }
    if prefixes.contains(&"/") {
        harmless = harmless | Classes::PATH_ABSOLUTE | Classes::REDIRECT_SLASHES;
    }
    harmless
}

/// `text.startswith(prefix)`.
pub(in crate::flow) fn starts_with(text: &ValueRef, prefix: &ValueRef) -> Truth {
    let mut truth = Truth::default();
    if let Some(prefixes) = prefix.texts() {
        let common = prefixes.iter().fold(Classes::ALL, |all, prefix| all & harmless_starting(prefix));
        truth.when_true = text.facts(common);
        truth.when_false = text.facts(harmless_not_starting(&prefixes));
    } else if prefix.is_built() {
        let outline = prefix.outline();
        truth.when_true = text.facts(harmless_starting(outline.trim_start_matches('\0')) & Classes::HOST);
    }
    // Every absolute path starts with the separator alone.
    let is_root = prefix.text() == Some("/") || matches!(prefix.path_text(), "os.sep" | "os.path.sep");
    if prefix.labels.has(Labels::ENDS_WITH_SEPARATOR) && !is_root && text.labels.has(Labels::RESOLVED_PATH) {
        truth.when_true.extend(inside(text));
    }
    truth
}

/// `isinstance(value, type)` and its kin.
pub(in crate::flow) fn has_type(value: &ValueRef, kind: &ValueRef) -> Truth {
    let paths: Vec<&str> = match &kind.shape {
        Shape::Sequence(_, kinds) => kinds.iter().map(|kind| kind.path_text()).collect(),
        _ => vec![kind.path_text()],
    };
    let numbers = |path: &&str| matches!(*path, "int" | "float" | "bool" | "complex");
    let plain = |path: &&str| numbers(path) || matches!(*path, "str" | "bytes");
    let when_true = if paths.iter().all(numbers) {
        value.facts(Classes::ALL)
    } else if paths.iter().all(plain) {
        value.facts(Classes::OPERATOR)
    } else {
        Vec::new()
    };
    let containers = |path: &&str| matches!(*path, "dict" | "list" | "collections.abc.Mapping");
    let when_false = if paths.contains(&"dict") && paths.iter().all(containers) {
        value.facts(Classes::OPERATOR)
    } else {
        Vec::new()
    };
    Truth { when_true, when_false }
}

/// What follows from a value being one of a container's members.
pub(in crate::flow) fn member(value: &ValueRef, container: &ValueRef) -> Truth {
    let mut truth = Truth::default();
    if let Some(literal) = value.characters() {
        truth.when_false = container.facts(harmless_lacking(literal));
        // A text whose inner part holds no quote is at most one literal.
        if let Shape::Part(text) = &container.shape
            && container.labels.has(Labels::INNER)
            && matches!(literal, "'" | "\"")
        {
            truth.when_false.extend(text.facts(Classes::CODE));
        }
        return truth;
    }
    let owner = if let Shape::Part(owner) = &value.shape { Some(owner) } else { None };
    if let Some(text) = container.characters() {
        if let (Some(owner), true) = (owner, value.labels.has(Labels::FIRST_CHARACTER)) {
            let letters: Vec<String> = text.chars().map(String::from).collect();
            let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
            truth.when_false = owner.facts(harmless_not_starting(&letters));
        } else {
            truth.when_true = value.facts(harmless_with_only(|letter| text.contains(letter)));
            if owner.is_some() {
                // One character of a text: whoever checks them all knows that the text lacks these.
                let lacking = text.chars().fold(Classes::NONE, |all, letter| all | harmless_without(letter));
                truth.when_false = value.facts(lacking);
            }
        }
        return truth;
    }
    if let (Some(owner), Some(texts), true) = (owner, container.texts(), value.labels.has(Labels::FIRST_CHARACTER)) {
        truth.when_false = owner.facts(harmless_not_starting(&texts));
        return truth;
    }
    if let Shape::Attribute(path, name) = &container.shape
        && name.as_ref() == "parents"
    {
        if path.labels.has(Labels::RESOLVED_PATH) {
            truth.when_true = inside(path);
        }
        return truth;
    }
    if value.path_text() == "os.sep" {
        truth.when_false = container.facts(Classes::PATH);
        return truth;
    }
    // Being one of a fixed number of values settles everything, unless the same input decides what they are.
    if !shares_input(value, container) {
        truth.when_true = value.facts(Classes::ALL);
    }
    if let (Some(texts), true) = (container.texts(), owner.is_some()) {
        let lacking = texts.iter().fold(Classes::NONE, |all, text| all | harmless_lacking(text));
        truth.when_false = value.facts(lacking);
    }
    truth
}

/// Whether the same input decides both.
fn shares_input(one: &Value, other: &Value) -> bool {
    let is_in_other = |own: &Taint| other.taints.iter().any(|taint| Rc::ptr_eq(&own.source, &taint.source));
    one.taints.iter().any(is_in_other)
}

/// `left == right`.
pub(in crate::flow) fn equal(left: &ValueRef, right: &ValueRef) -> Vec<Fact> {
    let mut facts = Vec::new();
    for (one, other) in [(left, right), (right, left)] {
        if other.constant.is_some() || other.taints.is_empty() {
            // Equality with a fixed value; a number says how long, not what.
            let classes = if one.path_text() == "len()" { Classes::SIZE } else { Classes::ALL };
            facts.extend(one.facts(classes));
        } else if !shares_input(one, other) {
            facts.extend(one.facts(Classes::HOST));
        }
        if let Shape::Called { positional, .. } = &one.shape {
            match (one.path_text(), positional.first()) {
                ("os.path.basename()", Some(name)) if name.key == other.key => facts.extend(name.facts(Classes::PATH)),
                ("os.path.commonpath()", Some(paths)) => {
                    for path in paths.items() {
                        if path.key != other.key && path.labels.has(Labels::RESOLVED_PATH) {
                            facts.extend(inside(path));
                        }
                    }
                }
                ("os.path.dirname()", Some(path)) if path.labels.has(Labels::RESOLVED_PATH) => {
                    facts.extend(inside(path));
                }
                ("type()", Some(value)) => facts.extend(has_type(value, other).when_true),
                _ => {}
            }
        }
        match &one.shape {
            Shape::Attribute(path, name) if name.as_ref() == "parent" && path.labels.has(Labels::RESOLVED_PATH) => {
                facts.extend(inside(path));
            }
            Shape::Attribute(path, name) if name.as_ref() == "name" && text_of_path(path).key == other.key => {
                facts.extend(other.facts(Classes::PATH));
            }
            _ => {}
        }
    }
    facts
}

/// What follows from an element of a text being another one than this.
fn differs(left: &ValueRef, right: &ValueRef) -> Vec<Fact> {
    match (&left.shape, right.characters()) {
        (Shape::Part(_), Some(text)) => left.facts(harmless_lacking(text)),
        _ => Vec::new(),
    }
}

/// What `Path(text)` was made from.
fn text_of_path(path: &ValueRef) -> &ValueRef {
    match (&path.shape, path.path_text()) {
        (Shape::Called { positional, .. }, "pathlib.Path()" | "pathlib.PurePath()") => {
            positional.first().unwrap_or(path)
        }
        _ => path,
    }
}

/// Whether a value is what a regular expression found, if anything.
fn is_match(value: &Value) -> bool {
    ["match()", "search()"].iter().any(|end| value.path_text().ends_with(end))
}

/// What follows from a value as such being true, and being false: what is empty can do no harm.
pub(in crate::flow) fn truth_of(value: &Value) -> Truth {
    match &value.truth {
        Some(truth) => Truth::clone(truth),
        None if value.taints.is_empty() => Truth::default(),
        None => Truth { when_true: Vec::new(), when_false: vec![(value.key, Classes::ALL)] },
    }
}

/// Truth of one comparison.
fn compare(left: &ValueRef, operator: Comparison, right: &ValueRef) -> Truth {
    let swap = |truth: Truth| Truth { when_true: truth.when_false, when_false: truth.when_true };
    match operator {
        Comparison::Equal => Truth { when_true: equal(left, right), when_false: differs(left, right) },
        Comparison::Is if left.path_text() == "type()" => {
            Truth { when_true: equal(left, right), when_false: Vec::new() }
        }
        Comparison::NotEqual => Truth { when_true: differs(left, right), when_false: equal(left, right) },
        Comparison::IsNot if left.path_text() == "type()" => {
            Truth { when_true: Vec::new(), when_false: equal(left, right) }
        }
        Comparison::In => member(left, right),
        Comparison::NotIn => swap(member(left, right)),
        // A match is an object or `None`.
        Comparison::Is | Comparison::IsNot if right.is_none() && is_match(left) => {
            let found = left.truth.as_deref().cloned().unwrap_or_default();
            if operator == Comparison::IsNot { found } else { swap(found) }
        }
        Comparison::Is | Comparison::IsNot => {
            let Some(truth) = right.boolean().and_then(|wanted| left.truth.as_ref().map(|truth| (wanted, truth)))
            else {
                return Truth::default();
            };
            let same = truth.0 == (operator == Comparison::Is);
            if same { Truth::clone(truth.1) } else { swap(Truth::clone(truth.1)) }
        }
        Comparison::Less | Comparison::LessEqual => {
            let mut truth = Truth { when_true: left.facts(Classes::SIZE), when_false: right.facts(Classes::SIZE) };
            if let (Some(text), Some(allowed)) = (characters_of(left), allowed_characters(right)) {
                truth.when_true.extend(text.facts(harmless_with_only(|letter| allowed.contains(letter))));
            }
            truth
        }
        Comparison::Greater | Comparison::GreaterEqual => {
            Truth { when_true: right.facts(Classes::SIZE), when_false: left.facts(Classes::SIZE) }
        }
    }
}

/// What a comparison of literals gives.
fn outcome(left: &Constant, operator: Comparison, right: &Constant) -> Option<bool> {
    match (operator, left, right) {
        (Comparison::Equal, ..) => Some(left == right),
        (Comparison::NotEqual, ..) => Some(left != right),
        (Comparison::Less, Constant::Integer(one), Constant::Integer(two)) => Some(one < two),
        (Comparison::LessEqual, Constant::Integer(one), Constant::Integer(two)) => Some(one <= two),
        (Comparison::Greater, Constant::Integer(one), Constant::Integer(two)) => Some(one > two),
        (Comparison::GreaterEqual, Constant::Integer(one), Constant::Integer(two)) => Some(one >= two),
        (Comparison::In, Constant::Text(one), Constant::Text(two)) => Some(two.contains(one.as_ref())),
        (Comparison::NotIn, Constant::Text(one), Constant::Text(two)) => Some(!two.contains(one.as_ref())),
        _ => None,
    }
}

impl Interpreter<'_> {
    pub(in crate::flow) fn compare(&mut self, left: ExpressionId, links: &[(Comparison, ExpressionId)]) -> Value {
        let mut left = self.operand(left);
        let mut value = Value::unknown(mix(left.value.key, 52));
        let mut truth: Option<Truth> = None;
        for (operator, right) in links {
            let right = self.operand(*right);
            (self.dialect.hooks.compare)(&left, *operator, &right, &mut self.report);
            value.key = mix(mix(value.key, right.value.key), *operator as u64);
            let known = (self.dialect.comparison)(&left.value, *operator, &right.value);
            let mut link = known.unwrap_or_else(|| compare(&left.value, *operator, &right.value));
            // Where types keep truth values apart from the rest, what is not null is what the question found.
            if self.dialect.types_name_values
                && right.value.is_none()
                && matches!(operator, Comparison::Is | Comparison::IsNot)
            {
                let found = truth_of(&left.value);
                link = match operator {
                    Comparison::IsNot => found,
                    _ => Truth { when_true: found.when_false, when_false: found.when_true },
                };
            }
            if let (Shape::OneOf(items), Comparison::In) = (&left.value.shape, operator) {
                // Whoever asks for each of these knows that the text lacks them all.
                let texts = items.iter().filter_map(|item| item.characters());
                let lacking = texts.fold(Classes::NONE, |all, text| all | harmless_lacking(text));
                let key = mix(mix(left.value.key, right.value.key), 53);
                self.containers.insert(key, Rc::clone(&right.value));
                link = Truth { when_true: Vec::new(), when_false: vec![(key, lacking)] };
            }
            truth = Some(match truth {
                None => link,
                Some(before) => Truth {
                    when_true: before.when_true.into_iter().chain(link.when_true).collect(),
                    when_false: either(&before.when_false, &link.when_false),
                },
            });
            value = Self::describe(value, &left, *operator, &right);
            left = right;
        }
        value.truth = truth.map(Rc::new);
        value
    }

    /// Keeps the sides of a comparison, for rules about how it is combined with others.
    fn describe(mut value: Value, left: &Operand, operator: Comparison, right: &Operand) -> Value {
        if let (Some(one), Some(two)) = (&left.value.constant, &right.value.constant)
            && let Some(outcome) = outcome(one, operator, two)
        {
            value.constant = Some(Constant::Boolean(outcome));
        }
        value.path = match operator {
            Comparison::Equal => Some("==()".into()),
            Comparison::NotEqual => Some("!=()".into()),
            _ => None,
        };
        let sides = [Rc::clone(&left.value), Rc::clone(&right.value)];
        value.with_shape(Shape::Called { receiver: None, positional: sides.into(), keywords: [].into() })
    }
}
