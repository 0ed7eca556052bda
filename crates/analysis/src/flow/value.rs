//! What is known about one value.

use std::rc::Rc;

use super::classes::{Classes, Labels};
use crate::syntax::{Constant, FunctionId, SequenceKind, Span};

/// A shared value.
pub(crate) type ValueRef = Rc<Value>;

/// Values nest no deeper than this; below, they are opaque. It bounds the stack that dropping one takes.
const MAX_DEPTH: u16 = 24;

/// More places than this on one value are not told apart.
const MAX_TAINTS: usize = 12;

/// A chain remembers this many steps.
const MAX_CHAIN: u16 = 40;

/// Where input comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SourceKind {
    /// A parameter: whoever calls decides.
    Parameter,
    /// A parameter of a lambda, or an element that the language hands over.
    Inner,
    /// Plainly from outside: a web request, standard input, the command line.
    Outside,
}

/// One entry of outside input.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) kind: SourceKind,
    pub(crate) label: Rc<str>,
    pub(crate) span: Span,
}

/// A value that the input went through, newest first.
#[derive(Debug)]
struct Link {
    key: u64,
    span: Span,
    length: u16,
    /// Taken out of a container at this step.
    is_element: bool,
    before: Option<Rc<Link>>,
}

/// Input that a value carries.
#[derive(Debug, Clone)]
pub(crate) struct Taint {
    pub(crate) classes: Classes,
    pub(crate) source: Rc<Source>,
    chain: Rc<Link>,
}

impl Taint {
    pub(crate) fn new(source: Source, key: u64) -> Self {
        let chain = Rc::new(Link { key, span: source.span, length: 1, is_element: false, before: None });
        Self { classes: Classes::ALL, source: Rc::new(source), chain }
    }

    /// The same input, one step further.
    pub(crate) fn through(&self, key: u64, span: Span) -> Self {
        if self.chain.key == key || self.chain.length >= MAX_CHAIN {
            return self.clone();
        }
        let length = self.chain.length + 1;
        let chain = Link { key, span, length, is_element: false, before: Some(Rc::clone(&self.chain)) };
        Self { classes: self.classes, source: Rc::clone(&self.source), chain: Rc::new(chain) }
    }

    /// The same input, whose last step took it out of a container.
    pub(crate) fn as_element(&self) -> Self {
        let Link { key, span, length, ref before, .. } = *self.chain;
        let chain = Rc::new(Link { key, span, length, is_element: true, before: before.clone() });
        Self { classes: self.classes, source: Rc::clone(&self.source), chain }
    }

    /// The keys since the input was last taken out of a container, newest first; none if it never was.
    pub(crate) fn keys_since_element(&self) -> Vec<u64> {
        let mut keys = Vec::new();
        let links = std::iter::successors(Some(&self.chain), |link| link.before.as_ref());
        for link in links {
            keys.push(link.key);
            if link.is_element {
                return keys;
            }
        }
        Vec::new()
    }

    /// Whether this is the value by which the input entered.
    pub(crate) fn enters_as(&self, value: &Value) -> bool {
        self.keys().last() == Some(value.key)
    }

    /// The keys of the values that the input went through, newest first.
    pub(crate) fn keys(&self) -> impl Iterator<Item = u64> + '_ {
        std::iter::successors(Some(&self.chain), |link| link.before.as_ref()).map(|link| link.key)
    }

    /// Where the input went, source first.
    pub(crate) fn steps(&self) -> Vec<Span> {
        let mut spans: Vec<_> =
            std::iter::successors(Some(&self.chain), |link| link.before.as_ref()).map(|link| link.span).collect();
        spans.reverse();
        spans.dedup();
        spans
    }
}

/// A part of a text that was put together.
#[derive(Debug, Clone)]
pub(crate) enum Piece {
    Literal(Rc<str>),
    Hole { value: ValueRef, span: Span },
}

/// What a value is made of, as far as it is known.
#[derive(Debug, Clone, Default)]
pub(crate) enum Shape {
    #[default]
    Opaque,
    Text(Rc<[Piece]>),
    Sequence(SequenceKind, Rc<[ValueRef]>),
    /// A key is absent for `**mapping`.
    Dictionary(Rc<[(Option<ValueRef>, ValueRef)]>),
    /// Made by a comprehension or a loop: some number of this element.
    Repeated(ValueRef),
    /// One of these literals: an element of a literal collection.
    OneOf(Rc<[ValueRef]>),
    /// A function of this file.
    Function(FunctionId),
    /// A lambda that returns this.
    Lambda(ValueRef),
    /// The result of a call: positional arguments, then keyword arguments.
    Called {
        receiver: Option<ValueRef>,
        positional: Rc<[ValueRef]>,
        keywords: Rc<[(Rc<str>, ValueRef)]>,
    },
    /// An element or a slice of a value.
    Part(ValueRef),
    /// An attribute of a value.
    Attribute(ValueRef, Rc<str>),
}

/// A statement about a value: it can do no harm in these classes.
pub(crate) type Fact = (u64, Classes);

/// What follows from a value being true, and from its being false.
#[derive(Debug, Clone, Default)]
pub(crate) struct Truth {
    pub(crate) when_true: Vec<Fact>,
    pub(crate) when_false: Vec<Fact>,
}

/// What is known about one value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Value {
    /// Equal for expressions that must have equal values.
    pub(crate) key: u64,
    /// The dotted path of what it names; `()` marks a call's result: `sqlite3.connect().cursor`.
    pub(crate) path: Option<Rc<str>>,
    pub(crate) constant: Option<Constant>,
    pub(crate) shape: Shape,
    pub(crate) taints: Vec<Taint>,
    pub(crate) labels: Labels,
    /// A fact about this value in these classes is a fact about those values too.
    pub(crate) stands_for: Vec<Fact>,
    pub(crate) truth: Option<Rc<Truth>>,
    pub(crate) depth: u16,
}

impl Value {
    /// Nothing is known; not input.
    pub(crate) fn unknown(key: u64) -> Self {
        Self { key, ..Self::default() }
    }

    pub(crate) fn constant(constant: Constant) -> Self {
        let key = constant_key(&constant);
        let labels = if matches!(constant, Constant::Text(_)) { Labels::TEXT } else { Labels::NONE };
        let mut value = Self { key, constant: Some(constant), labels, ..Self::default() };
        if value.text().is_some_and(|text| text.ends_with('/')) {
            value.labels = value.labels | Labels::ENDS_WITH_SEPARATOR;
        }
        value
    }

    pub(crate) fn path(path: impl Into<Rc<str>>) -> Self {
        let path = path.into();
        Self { key: text_key(&path), path: Some(path), ..Self::default() }
    }

    /// The literal text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.constant {
            Some(Constant::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The literal text or bytes.
    pub(crate) fn characters(&self) -> Option<&str> {
        match &self.constant {
            Some(Constant::Text(text) | Constant::Bytes(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn integer(&self) -> Option<i64> {
        match self.constant {
            Some(Constant::Integer(number)) => Some(number),
            Some(Constant::Boolean(value)) => Some(i64::from(value)),
            _ => None,
        }
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        match self.constant {
            Some(Constant::Boolean(value)) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        self.constant == Some(Constant::None)
    }

    pub(crate) fn path_text(&self) -> &str {
        self.path.as_deref().unwrap_or("")
    }

    /// Where the value can do harm.
    pub(crate) fn classes(&self) -> Classes {
        self.taints.iter().fold(Classes::NONE, |all, taint| all | taint.classes)
    }

    pub(crate) fn is_tainted(&self, classes: Classes) -> bool {
        self.classes().has_any(classes)
    }

    /// The first input that can do harm in these classes.
    pub(crate) fn taint(&self, classes: Classes) -> Option<&Taint> {
        self.taints.iter().find(|taint| taint.classes.has_any(classes))
    }

    /// Whether the value is literal all the way down.
    pub(crate) fn is_literal(&self) -> bool {
        if self.constant.is_some() {
            return true;
        }
        match &self.shape {
            Shape::Sequence(_, items) => items.iter().all(|item| item.is_literal()),
            Shape::Dictionary(entries) => entries
                .iter()
                .all(|(key, value)| key.as_ref().is_some_and(|key| key.is_literal()) && value.is_literal()),
            _ => false,
        }
    }

    /// The texts of a literal text, or of a literal collection of texts.
    pub(crate) fn texts(&self) -> Option<Vec<&str>> {
        if let Some(text) = self.characters() {
            return Some(vec![text]);
        }
        let Shape::Sequence(_, items) = &self.shape else { return None };
        items.iter().map(|item| item.characters()).collect()
    }

    /// The text's pieces: one literal, what it was put together from, or one hole.
    pub(crate) fn pieces(self: &Rc<Self>, span: Span) -> Vec<Piece> {
        if let Some(text) = self.characters() {
            return vec![Piece::Literal(text.into())];
        }
        match &self.shape {
            Shape::Text(pieces) => pieces.iter().map(|piece| self.restricted(piece)).collect(),
            _ => vec![Piece::Hole { value: Rc::clone(self), span }],
        }
    }

    /// A piece of this text, without the input that a check of the whole text has made harmless.
    fn restricted(&self, piece: &Piece) -> Piece {
        let Piece::Hole { value, span } = piece else { return piece.clone() };
        let alive = |taint: &Taint| {
            let same = self.taints.iter().filter(|own| Rc::ptr_eq(&own.source, &taint.source));
            same.fold(Classes::NONE, |all, own| all | own.classes)
        };
        if value.taints.iter().all(|taint| taint.classes.without(alive(taint)).is_empty()) {
            return piece.clone();
        }
        let mut restricted = Self::clone(value);
        for taint in &mut restricted.taints {
            taint.classes = taint.classes & alive(taint);
        }
        restricted.taints.retain(|taint| !taint.classes.is_empty());
        Piece::Hole { value: Rc::new(restricted), span: *span }
    }

    /// Whether the text was put together from literals and other values.
    pub(crate) fn is_built(&self) -> bool {
        matches!(&self.shape, Shape::Text(_))
    }

    /// The literal pieces, with each hole as one NUL.
    pub(crate) fn outline(&self) -> String {
        if let Some(text) = self.characters() {
            return text.to_owned();
        }
        let Shape::Text(pieces) = &self.shape else { return "\0".to_owned() };
        pieces.iter().map(|piece| if let Piece::Literal(text) = piece { text.as_ref() } else { "\0" }).collect()
    }

    /// The values that it is made of.
    pub(crate) fn items(&self) -> &[ValueRef] {
        match &self.shape {
            Shape::Sequence(_, items) => items,
            Shape::Repeated(item) => std::slice::from_ref(item),
            _ => &[],
        }
    }

    /// The value under a literal key of a literal dictionary.
    pub(crate) fn entry(&self, name: &str) -> Option<&ValueRef> {
        let Shape::Dictionary(entries) = &self.shape else { return None };
        entries.iter().rev().find(|(key, _)| key.as_ref().and_then(|key| key.text()) == Some(name)).map(|(_, v)| v)
    }

    /// Adds input from another value, all of it having passed through this one.
    pub(crate) fn absorb(&mut self, other: &Self, span: Span) {
        self.absorb_without(other, Classes::NONE, span);
    }

    /// As [`Value::absorb`], leaving out what can no longer do harm.
    pub(crate) fn absorb_without(&mut self, other: &Self, harmless: Classes, span: Span) {
        for taint in &other.taints {
            let classes = taint.classes.without(harmless);
            if classes.is_empty() {
                continue;
            }
            let mut taint = taint.through(self.key, span);
            taint.classes = classes;
            self.add_taint(taint);
        }
        self.labels = self.labels | other.labels.without(Labels::WHOLE_PATH | Labels::TEXT);
    }

    /// Adds input from another value that may do harm in these classes again: an escape was undone.
    pub(crate) fn absorb_restored(&mut self, other: &Self, restored: Classes, span: Span) {
        for taint in &other.taints {
            let mut taint = taint.through(self.key, span);
            taint.classes = taint.classes | restored;
            self.add_taint(taint);
        }
    }

    pub(crate) fn add_taint(&mut self, taint: Taint) {
        let same = |one: &Taint| Rc::ptr_eq(&one.source, &taint.source) && one.chain.key == taint.chain.key;
        if let Some(present) = self.taints.iter_mut().find(|one| same(one)) {
            present.classes = present.classes | taint.classes;
        } else if self.taints.len() < MAX_TAINTS {
            self.taints.push(taint);
        }
    }

    /// Sets the shape, unless that would nest too deep.
    pub(crate) fn with_shape(mut self, shape: Shape) -> Self {
        let depth = match &shape {
            Shape::Opaque | Shape::Function(_) | Shape::OneOf(_) => 0,
            Shape::Text(pieces) => {
                let depth = |piece: &Piece| if let Piece::Hole { value, .. } = piece { value.depth } else { 0 };
                pieces.iter().map(depth).max().unwrap_or(0)
            }
            Shape::Sequence(_, items) => items.iter().map(|item| item.depth).max().unwrap_or(0),
            Shape::Dictionary(entries) => entries
                .iter()
                .map(|(key, value)| value.depth.max(key.as_ref().map_or(0, |k| k.depth)))
                .max()
                .unwrap_or(0),
            Shape::Repeated(value) | Shape::Lambda(value) | Shape::Part(value) | Shape::Attribute(value, _) => {
                value.depth
            }
            Shape::Called { receiver, positional, keywords } => {
                let inner = positional.iter().chain(keywords.iter().map(|(_, value)| value)).chain(receiver);
                inner.map(|value| value.depth).max().unwrap_or(0)
            }
        };
        if depth < MAX_DEPTH {
            self.depth = depth + 1;
            self.shape = shape;
        }
        self
    }

    /// What a fact about this value says, about it and about what it stands for.
    pub(crate) fn facts(&self, classes: Classes) -> Vec<Fact> {
        let mut facts = vec![(self.key, classes)];
        facts.extend(
            self.stands_for
                .iter()
                .map(|(key, limit)| (*key, *limit & classes))
                .filter(|(_, classes)| !classes.is_empty()),
        );
        facts
    }

    /// Makes facts about this value, limited to these classes, facts about the other one too.
    pub(crate) fn stand_for(&mut self, other: &Self, classes: Classes) {
        self.stands_for.extend(other.facts(classes));
        self.stands_for.truncate(16);
    }
}

/// A key that depends on both.
pub(crate) fn mix(left: u64, right: u64) -> u64 {
    (left.rotate_left(23) ^ right).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31)
}

/// The key of a text.
pub(crate) fn text_key(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn constant_key(constant: &Constant) -> u64 {
    match constant {
        Constant::Text(text) => mix(1, text_key(text)),
        Constant::Bytes(text) => mix(2, text_key(text)),
        Constant::Integer(number) => mix(3, number.cast_unsigned()),
        Constant::Float(number) => mix(4, number.to_bits()),
        Constant::Boolean(value) => mix(5, u64::from(*value)),
        Constant::None => mix(6, 0),
    }
}
