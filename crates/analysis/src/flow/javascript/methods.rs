//! Methods of texts, lists, promises and elements.

use std::rc::Rc;

use super::patterns::regular;
use crate::flow::calls::Event;
use crate::flow::classes::{Classes, Labels, harmless_without};
use crate::flow::conditions::harmless_lacking;
use crate::flow::format;
use crate::flow::interpreter::{Interpreter, Operand};
use crate::flow::pattern_facts;
use crate::flow::value::{Piece, Shape, Source, SourceKind, Taint, Value, ValueRef, mix};
use crate::syntax::{Constant, Span};

/// Methods whose result says nothing of what they were given.
pub(super) const OPAQUE: &[&str] = &[
    "query",
    "execute",
    "findOne",
    "findAll",
    "findById",
    "findByPk",
    "findMany",
    "findUnique",
    "findFirst",
    "findOneAndUpdate",
    "updateOne",
    "deleteOne",
    "insertOne",
    "insertMany",
    "count",
    "countDocuments",
    "aggregate",
    "all",
    "run",
    "each",
    "sendStatus",
    "charCodeAt",
    "codePointAt",
    "localeCompare",
    "getTime",
    "toISOString",
    "createElement",
    "getElementById",
    "appendChild",
    "hasOwnProperty",
    "includes",
    "startsWith",
    "endsWith",
    "test",
    "has",
    "isInt",
];

impl Interpreter<'_> {
    /// Methods whose effect on input is known. `None` leaves the call to the general rule: everything goes through.
    pub(super) fn javascript_method(
        &mut self,
        event: &Event,
        receiver: &ValueRef,
        key: u64,
        span: Span,
    ) -> Option<Value> {
        if let Some(known) = self.callbacks(event, Some(receiver), key, span) {
            return Some(known);
        }
        if receiver.path_text().starts_with("jquery()") {
            return Some(Self::element_method(event, receiver, key, span));
        }
        let receiver_span = event.receiver.as_ref().map_or(span, |operand| operand.span);
        let first = event.positional.first();
        let mut value = Value::unknown(key);
        match event.method.as_ref() {
            "replace" | "replaceAll" => return self.replaced(event, receiver, value, span),
            "join" => {
                let comma = Operand { value: Rc::new(Value::constant(Constant::Text(",".into()))), span };
                let separator = first.unwrap_or(&comma);
                let element = self.element(receiver, receiver_span);
                let items = Operand { value: Rc::clone(receiver), span: receiver_span };
                let text = format::join(&separator.value, separator.span, &items, &element, span);
                return Some(self.tell(text, span));
            }
            "concat" => {
                if matches!(receiver.shape, Shape::Sequence(..) | Shape::Repeated(_)) {
                    let other = first?;
                    let left = Operand { value: Rc::clone(receiver), span: receiver_span };
                    return Some(self.binary(crate::syntax::BinaryOperator::Add, &left, other, span));
                }
                let mut text = Rc::clone(receiver);
                for part in &event.positional {
                    text = Rc::new(format::concatenate(&text, receiver_span, &part.value, part.span, span));
                }
                return Some(self.tell(Value::clone(&text), span));
            }
            "toString" | "trim" | "trimStart" | "trimEnd" | "toLowerCase" | "toUpperCase" | "normalize" | "valueOf"
            | "toLocaleLowerCase" | "clone" => {
                if let Some(text) = receiver.characters() {
                    return Some(Value::constant(Constant::Text(text.into())));
                }
                let harmless = if event.method.as_ref() == "toString" { Classes::OPERATOR } else { Classes::NONE };
                value.absorb_without(receiver, harmless, span);
                value.stand_for(receiver, Classes::ALL);
                value.labels = receiver.labels;
                if receiver.path_text().starts_with("crypto.") {
                    value.path.clone_from(&receiver.path);
                }
                if receiver.is_built() {
                    value = value.with_shape(receiver.shape.clone());
                }
            }
            "slice" | "substring" | "substr" => {
                let is_start_cut = first.is_some_and(|first| first.value.integer().is_some_and(|at| at > 0));
                value.absorb_without(receiver, if is_start_cut { Classes::OPTION } else { Classes::NONE }, span);
                if let Shape::Repeated(_) = &receiver.shape {
                    return Some(value.with_shape(receiver.shape.clone()));
                }
                if event.positional.len() == 2 {
                    value.absorb_without(receiver, Classes::SIZE, span);
                }
                return Some(value.with_shape(Shape::Part(Rc::clone(receiver))));
            }
            "split" => {
                let separator = first.and_then(|separator| separator.value.text());
                let harmless = separator.filter(|text| !text.is_empty()).map_or(Classes::NONE, harmless_lacking);
                let mut part = Value::unknown(mix(key, 1));
                part.absorb_without(receiver, harmless, span);
                value.stand_for(receiver, Classes::PATH | Classes::EXTENSION);
                value.absorb(receiver, span);
                return Some(
                    value.with_shape(Shape::Repeated(Rc::new(part.with_shape(Shape::Part(Rc::clone(receiver)))))),
                );
            }
            "indexOf" | "lastIndexOf" | "search" => value.path = Some("indexOf()".into()),
            "charAt" | "at" => {
                value.absorb(receiver, span);
                return Some(value.with_shape(Shape::Part(Rc::clone(receiver))));
            }
            "get" if matches!(receiver.shape, Shape::Dictionary(_)) => {
                return Some(self.subscript(receiver, &first?.value, span));
            }
            "get" | "pop" | "shift" | "param" | "json" | "text" => {
                // The key says where to look, not what is found.
                value.absorb(receiver, span);
            }
            "digest" => {
                value.labels = receiver.labels;
                value.path = Some(format!("{}.digest()", receiver.path_text()).into());
            }
            "update" if receiver.path_text().starts_with("crypto.create") => {
                value.labels = receiver.labels;
                value.path = Some(format!("{}.update()", receiver.path_text()).into());
                if let Some(first) = first {
                    value.absorb(&first.value, span);
                }
            }
            "call" | "apply" => return None,
            method if OPAQUE.contains(&method) => {}
            _ => return None,
        }
        Some(value)
    }

    /// Tells the rules of a text that was put together.
    fn tell(&mut self, text: Value, span: Span) -> Value {
        let operand = Operand { value: Rc::new(text), span };
        (self.dialect.hooks.text)(&operand, &self.environment, &mut self.report);
        Value::clone(&operand.value)
    }

    /// Methods of what `$(...)` found.
    fn element_method(event: &Event, receiver: &ValueRef, key: u64, span: Span) -> Value {
        let mut value = Value::unknown(mix(key, span.start as u64));
        let reads = match event.method.as_ref() {
            "val" | "text" => event.positional.is_empty(),
            "attr" | "data" | "prop" => event.positional.len() == 1,
            "html" | "is" | "hasClass" | "index" | "width" | "height" | "size" => return value,
            _ => false,
        };
        if reads {
            let source = Source { kind: SourceKind::Outside, label: Rc::clone(&event.method), span };
            value.taints.push(Taint::new(source, value.key));
            return value;
        }
        value.path = Some("jquery()".into());
        value.with_shape(Shape::Called {
            receiver: Some(Rc::clone(receiver)),
            positional: event.positional.iter().map(|operand| Rc::clone(&operand.value)).collect(),
            keywords: [].into(),
        })
    }

    fn replaced(&mut self, event: &Event, receiver: &ValueRef, mut value: Value, span: Span) -> Option<Value> {
        let (old, new) = (&event.positional.first()?.value, &event.positional.get(1)?.value);
        // A literal template with a marker replaced by a value is a text put together from both.
        if let (Some(template), Some(marker), None) = (receiver.text(), old.text(), new.text())
            && !marker.is_empty()
            && template.contains(marker)
        {
            let hole = Operand { value: Rc::clone(new), span: event.positional[1].span };
            let mut pieces = Vec::new();
            for (at, part) in template.split(marker).enumerate() {
                if at > 0 {
                    pieces.extend(format::hole(&hole, false, false));
                }
                if !part.is_empty() {
                    pieces.push(Piece::Literal(part.into()));
                }
            }
            return Some(self.tell(format::text(pieces, span), span));
        }
        let harmless = match (regular(old), new.text()) {
            (Some((pattern, flags)), text) if flags.contains('g') => {
                let replacement = text.unwrap_or_default();
                let doubles = pattern.chars().count() == 1 && replacement.len() > 1 && replacement.contains(&pattern);
                if doubles {
                    escaped(&pattern, replacement)
                } else if matches!(pattern.as_str(), "\\.\\." | "\\.{2,}" | "\\.\\.+") {
                    Classes::PATH_UP | Classes::PATH_MEMBER
                } else {
                    pattern_facts::substituted(&pattern, replacement)
                }
            }
            (Some((pattern, _)), Some(""))
                if pattern.starts_with("^(\\.\\.") && receiver.labels.has(Labels::RESOLVED_PATH) =>
            {
                Classes::PATH
            }
            (None, Some(replacement)) if event.method.as_ref() == "replaceAll" => match old.text() {
                Some(old) if old.chars().count() == 1 => {
                    if replacement.contains(old) {
                        escaped(old, replacement)
                    } else {
                        old.chars().fold(Classes::NONE, |all, letter| all | harmless_without(letter))
                    }
                }
                _ => Classes::NONE,
            },
            _ => Classes::NONE,
        };
        value.absorb_without(receiver, harmless, span);
        value.absorb(new, span);
        value.labels = value.labels | (receiver.labels & Labels::TEXT);
        Some(value)
    }
}

/// What a character can no longer do after it was replaced by an escape that contains it: `&` by `&amp;`, `'` by `''`.
fn escaped(old: &str, new: &str) -> Classes {
    match old {
        "'" if matches!(new, "''" | "\\'") => Classes::SQL,
        "\"" if new == "\\\"" => Classes::HTML_DOUBLE_QUOTE,
        _ => Classes::NONE,
    }
}
