//! What is known at one place: names and facts.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use super::classes::Classes;
use super::value::{Fact, Shape, Value, ValueRef, mix};
use crate::syntax::{SequenceKind, Span};

/// What each name stands for. Copies share their content until one of them changes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(Rc<BTreeMap<Rc<str>, ValueRef>>);

impl Names {
    fn is_shared_with(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for Names {
    type Target = BTreeMap<Rc<str>, ValueRef>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Names {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Rc::make_mut(&mut self.0)
    }
}

/// Names and facts at one place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    pub(crate) names: Names,
    /// What the checks passed so far say about values.
    pub(crate) facts: BTreeMap<u64, Classes>,
    /// No execution comes here.
    pub(crate) is_dead: bool,
}

impl Environment {
    pub(crate) fn learn(&mut self, facts: &[Fact]) {
        for (key, classes) in facts {
            let known = self.facts.entry(*key).or_default();
            *known = *known | *classes;
        }
    }

    /// What holds on both ways to a place.
    pub(crate) fn join(mut self, other: Self, place: Span) -> Self {
        if self.is_dead {
            return other;
        }
        if other.is_dead {
            return self;
        }
        // Input that a way has cleared stays cleared on that way, so the facts are worked in before the ways meet.
        let differing = if self.names.is_shared_with(&other.names) { None } else { Some(&other.names) };
        for (name, right) in differing.into_iter().flat_map(|names| names.iter()) {
            let joined = match self.names.get(name) {
                Some(left) if Rc::ptr_eq(left, right) => continue,
                Some(left) => Rc::new(join_values(&self.masked(left), &other.masked(right), place)),
                None => other.masked(right),
            };
            self.names.insert(Rc::clone(name), joined);
        }
        self.facts = self
            .facts
            .iter()
            .filter_map(|(key, left)| other.facts.get(key).map(|right| (*key, *left & *right)))
            .collect();
        self
    }

    /// The value without the input that facts have made harmless.
    pub(crate) fn masked(&self, value: &ValueRef) -> ValueRef {
        if self.facts.is_empty() || value.taints.is_empty() {
            return Rc::clone(value);
        }
        let harmless = |keys: &mut dyn Iterator<Item = u64>| {
            keys.filter_map(|key| self.facts.get(&key)).fold(Classes::NONE, |all, classes| all | *classes)
        };
        let own = harmless(&mut std::iter::once(value.key));
        let is_touched = |taint: &super::value::Taint| taint.classes.has_any(own | harmless(&mut taint.keys()));
        if !value.taints.iter().any(is_touched) {
            return Rc::clone(value);
        }
        let mut masked = Value::clone(value);
        for taint in &mut masked.taints {
            let settled = own | harmless(&mut taint.keys());
            taint.classes = taint.classes.without(settled);
        }
        masked.taints.retain(|taint| !taint.classes.is_empty());
        Rc::new(masked)
    }
}

/// One value or the other.
pub(crate) fn join_values(left: &ValueRef, right: &ValueRef, place: Span) -> Value {
    if Rc::ptr_eq(left, right) {
        return Value::clone(left);
    }
    let key = if left.key == right.key { left.key } else { mix(mix(left.key, right.key), 77) };
    let mut joined = Value::unknown(key);
    if left.constant == right.constant {
        joined.constant.clone_from(&left.constant);
    }
    let is_absent = |value: &Value| value.is_none();
    joined.path = match (&left.path, &right.path) {
        (Some(one), Some(two)) if one == two => Some(Rc::clone(one)),
        (Some(one), None) if is_absent(right) || right.constant.is_some() => Some(Rc::clone(one)),
        (None, Some(two)) if is_absent(left) || left.constant.is_some() => Some(Rc::clone(two)),
        _ => None,
    };
    // A name that may be a dangerous function is that function.
    if joined.path.is_none() {
        joined.path = [left, right].into_iter().find_map(|value| value.path.clone().filter(|path| !path.contains('(')));
    }
    joined.absorb(left, place);
    joined.absorb(right, place);
    let both = left.labels & right.labels;
    joined.labels = joined.labels | both;
    joined.stands_for = left.stands_for.iter().filter(|fact| right.stands_for.contains(fact)).copied().collect();
    let shape = match (&left.shape, &right.shape) {
        (Shape::Text(_), _) => left.shape.clone(),
        (_, Shape::Text(_)) => right.shape.clone(),
        (Shape::Opaque, other) | (other, Shape::Opaque) => other.clone(),
        (Shape::Sequence(SequenceKind::Tuple, one), Shape::Sequence(SequenceKind::Tuple, two))
            if one.len() == two.len() =>
        {
            let parts = one.iter().zip(two.iter());
            Shape::Sequence(SequenceKind::Tuple, parts.map(|(a, b)| Rc::new(join_values(a, b, place))).collect())
        }
        (Shape::Sequence(kind, one), Shape::Sequence(_, two)) => {
            Shape::Sequence(*kind, if one.len() >= two.len() { Rc::clone(one) } else { Rc::clone(two) })
        }
        (one, _) => one.clone(),
    };
    joined.with_shape(shape)
}
