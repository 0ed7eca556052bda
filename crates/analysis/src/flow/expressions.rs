//! Evaluating expressions: one pass over a range of the arena, no recursion.

use std::rc::Rc;

use super::classes::{Classes, Labels};
use super::environment::join_values;
use super::interpreter::{Interpreter, Operand};
use super::value::{Piece, Shape, Source, SourceKind, Taint, Truth, Value, ValueRef, mix, text_key};
use super::{conditions, format};
use crate::syntax::{BinaryOperator, Constant, ExpressionId, ExpressionKind, Module, SequenceKind, Span, TextPiece};

/// Longer dotted paths are cut off.
const MAX_PATH: usize = 160;

/// Longer literal texts are not taken apart into characters.
const MAX_LETTERS: usize = 16;

/// The path of a value that is either input or a literal page of this site.
pub(crate) const INPUT_OR_PAGE: &str = "input or page";

/// Marks the key of an element.
const ELEMENT: u64 = 0x51;

/// The plain names that an assignment target binds.
pub(in crate::flow) fn target_names(module: &Module, target: ExpressionId) -> Vec<Rc<str>> {
    let mut names = Vec::new();
    let mut open = vec![target];
    while let Some(id) = open.pop() {
        match &module.expression(id).kind {
            ExpressionKind::Name(name) | ExpressionKind::Attribute { name, .. } => names.push(Rc::clone(name)),
            ExpressionKind::Subscript { base, index } => {
                if let ExpressionKind::Constant(Constant::Text(text)) = &module.expression(*index).kind {
                    names.push(Rc::clone(text));
                }
                open.push(*base);
            }
            ExpressionKind::Sequence { items, .. } => open.extend(items.iter().rev()),
            ExpressionKind::Splat(inner) => open.push(*inner),
            _ => {}
        }
    }
    names
}

impl Interpreter<'_> {
    /// Evaluates an expression and everything below it.
    pub(in crate::flow) fn evaluate(&mut self, id: ExpressionId) -> ValueRef {
        let first = self.module.expression(id).first;
        let depth = self.scopes.len();
        for at in first..=id {
            if self.budget == 0 {
                break;
            }
            self.budget -= 1;
            let value = self.step(at);
            let value = self.environment.masked(&Rc::new(value));
            self.values[at as usize] = value;
        }
        self.scopes.truncate(depth);
        Rc::clone(&self.values[id as usize])
    }

    fn value(&self, id: ExpressionId) -> &ValueRef {
        &self.values[id as usize]
    }

    fn step(&mut self, id: ExpressionId) -> Value {
        let module = self.module;
        let expression = module.expression(id);
        let span = expression.span;
        let here = u64::from(id) + 0x1_0000_0000;
        match &expression.kind {
            ExpressionKind::Constant(constant) => Value::constant(constant.clone()),
            ExpressionKind::Text(pieces) => self.formatted(pieces, span),
            ExpressionKind::Joined(parts) => {
                let operands: Vec<_> = parts.iter().map(|part| self.operand(*part)).collect();
                let (first, rest) = operands.split_first().expect("adjacent literals are at least two");
                let mut joined = Value::clone(&first.value);
                for part in rest {
                    joined = format::concatenate(&Rc::new(joined), first.span, &part.value, part.span, span);
                }
                joined
            }
            ExpressionKind::Name(name) => self.name(name, span),
            ExpressionKind::Attribute { base, name } => {
                let base = self.operand(*base);
                self.attribute(&base.value, name, span)
            }
            ExpressionKind::Subscript { base, index } => {
                let (base, index) = (self.operand(*base), self.operand(*index));
                (self.dialect.hooks.subscript)(&base, &index, &mut self.report);
                self.subscript(&base.value, &index.value, span)
            }
            ExpressionKind::Slice { lower, upper } => {
                let ends = [lower, upper].map(|end| end.map(|end| Rc::clone(self.value(end))));
                let mut value = Value::unknown(here);
                value.path = Some("slice".into());
                value.key = ends.iter().fold(9, |key, end| mix(key, end.as_ref().map_or(0, |end| end.key)));
                let none = Rc::new(Value::constant(Constant::None));
                let ends = ends.map(|end| end.unwrap_or_else(|| Rc::clone(&none)));
                value.with_shape(Shape::Sequence(SequenceKind::Tuple, ends.into()))
            }
            ExpressionKind::Call { callee, arguments } => self.call(*callee, arguments, false, span, here),
            ExpressionKind::New { callee, arguments } => self.call(*callee, arguments, true, span, here),
            ExpressionKind::Cast { kind, value } => {
                let mut value = Value::clone(self.value(*value));
                if self.dialect.number_types.contains(&kind.as_ref()) {
                    // A number can only be too large.
                    value.taints.iter_mut().for_each(|taint| taint.classes = taint.classes & Classes::SIZE);
                    value.taints.retain(|taint| !taint.classes.is_empty());
                }
                if value.constant.is_none()
                    && let Some(path) = self.type_path(kind)
                    && (self.dialect.type_decides)(value.path_text(), &path)
                {
                    value.path = Some(path);
                }
                value
            }
            ExpressionKind::Closure(function) => {
                self.define(*function);
                Value::unknown(here).with_shape(Shape::Function(*function))
            }
            ExpressionKind::Binary { operator, left, right } => {
                let (left, right) = (self.operand(*left), self.operand(*right));
                self.binary(*operator, &left, &right, span)
            }
            ExpressionKind::Not(inner) => conditions::not(self.value(*inner)),
            ExpressionKind::Negate(inner) => {
                let inner = self.value(*inner);
                match inner.constant {
                    Some(Constant::Integer(number)) => Value::constant(Constant::Integer(number.wrapping_neg())),
                    _ => derived(inner, 11, span),
                }
            }
            ExpressionKind::Invert(inner) => derived(self.value(*inner), 12, span),
            ExpressionKind::Boolean { is_and, left, right } => {
                let (left, right) = (self.operand(*left), self.operand(*right));
                (self.dialect.hooks.boolean)(*is_and, &left, &right, &mut self.report);
                boolean(*is_and, &left.value, &right.value, span)
            }
            ExpressionKind::Compare { left, links } => self.compare(*left, links),
            ExpressionKind::Conditional { body, test, otherwise } => {
                let (body, otherwise) = (self.value(*body), self.value(*otherwise));
                match self.value(*test).constant.as_ref().map(Constant::is_truthy) {
                    Some(true) => Value::clone(body),
                    Some(false) => Value::clone(otherwise),
                    None => {
                        let mut value = join_values(body, otherwise, span);
                        note_default(&mut value, body, otherwise);
                        value
                    }
                }
            }
            ExpressionKind::Sequence { kind, items } => {
                let items: Vec<_> = items.iter().map(|item| Rc::clone(self.value(*item))).collect();
                sequence(*kind, items, span)
            }
            ExpressionKind::Dictionary(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|(key, value)| (key.map(|key| self.operand(key)), self.operand(*value)))
                    .collect();
                (self.dialect.hooks.dictionary)(&entries, &mut self.report);
                let mut value = Value::unknown(here);
                for (_, entry) in &entries {
                    value.absorb(&entry.value, span);
                }
                let entries = entries.into_iter().map(|(key, value)| (key.map(|key| key.value), value.value)).collect();
                value.with_shape(Shape::Dictionary(entries))
            }
            ExpressionKind::Comprehension { key, element } => {
                let element = Rc::clone(self.value(*element));
                let mut value = Value::unknown(mix(element.key, 13));
                value.absorb(&element, span);
                if let Some(key) = key {
                    let key = Rc::clone(self.value(*key));
                    value.absorb(&key, span);
                    return value.with_shape(Shape::Dictionary([(Some(key), element)].into()));
                }
                value.with_shape(Shape::Repeated(element))
            }
            ExpressionKind::Lambda { body } => {
                let body = Rc::clone(self.value(*body));
                derived(&body, here, span).with_shape(Shape::Lambda(body))
            }
            ExpressionKind::Splat(inner)
            | ExpressionKind::Await(inner)
            | ExpressionKind::Address(inner)
            | ExpressionKind::Dereference(inner) => Value::clone(self.value(*inner)),
            ExpressionKind::Named { target, value } => {
                let value = Rc::clone(self.value(*value));
                self.assign(*target, &value);
                Value::clone(&value)
            }
            ExpressionKind::Yield(inner) => {
                inner.map_or_else(|| Value::unknown(here), |inner| Value::clone(self.value(inner)))
            }
            ExpressionKind::Other(parts) => {
                let mut value = Value::unknown(here);
                for part in parts {
                    let part = Rc::clone(self.value(*part));
                    value.absorb(&part, span);
                }
                value
            }
            ExpressionKind::ScopeStart => {
                self.scopes.push(self.environment.clone());
                Value::unknown(here)
            }
            ExpressionKind::ScopeAssume { test, truth } => {
                let value = Rc::clone(self.value(*test));
                let dead = self.environment.is_dead;
                self.assume(&value, *truth);
                // Both sides of an expression are read; only whole statements can be unreachable.
                self.environment.is_dead = dead;
                Value::unknown(here)
            }
            ExpressionKind::ScopeBind { target, iterable } => {
                let values = Rc::clone(self.value(*iterable));
                let element = self.element(&values, module.span(*iterable));
                self.assign(*target, &element);
                Value::unknown(here)
            }
            ExpressionKind::ScopeParameters(names) => {
                for name in names {
                    let mut value = Value::unknown(mix(here, text_key(name)));
                    let source = Source { kind: SourceKind::Inner, label: Rc::clone(name), span };
                    value.taints.push(Taint::new(source, value.key));
                    self.environment.names.insert(Rc::clone(name), Rc::new(value));
                }
                Value::unknown(here)
            }
            ExpressionKind::ScopeEnd => {
                if let Some(outer) = self.scopes.pop() {
                    self.environment = outer;
                }
                Value::unknown(here)
            }
        }
    }

    fn formatted(&mut self, pieces: &[TextPiece], span: Span) -> Value {
        let mut parts = Vec::new();
        for piece in pieces {
            match piece {
                TextPiece::Literal(text) => parts.push(Piece::Literal(Rc::clone(text))),
                TextPiece::Hole { value, conversion, format } => {
                    let operand = self.operand(*value);
                    let is_quoted = matches!(conversion, Some('r' | 'a'));
                    let is_number = format
                        .as_deref()
                        .is_some_and(|f| f.ends_with(['d', 'x', 'X', 'b', 'o', 'e', 'f', 'g', '%', 'n']));
                    parts.extend(format::hole(&operand, is_quoted, is_number));
                }
            }
        }
        let text = format::text(parts, span);
        (self.dialect.hooks.text)(&Operand { value: Rc::new(text.clone()), span }, &self.environment, &mut self.report);
        text
    }

    fn name(&mut self, name: &Rc<str>, span: Span) -> Value {
        if let Some(known) = self.environment.names.get(name) {
            let mut value = Value::clone(known);
            if let Some(constant) = (self.dialect.constant)(value.path_text()) {
                return Value::constant(constant);
            }
            if value.taints.is_empty() && self.dialect.outside_names.contains(&value.path_text()) {
                Self::mark_outside(&mut value, span);
            }
            return value;
        }
        if self.dialect.members_are_names
            && let Some(Some(method)) = self.methods.get(name)
        {
            return Value::path(Rc::clone(name)).with_shape(Shape::Function(*method));
        }
        let path = (self.dialect.canonical)(name);
        if let Some(constant) = (self.dialect.constant)(&path) {
            return Value::constant(constant);
        }
        let mut value = Value::path(path);
        if self.dialect.outside_names.contains(&value.path_text()) {
            Self::mark_outside(&mut value, span);
        }
        value
    }

    fn mark_outside(value: &mut Value, span: Span) {
        let label = Rc::clone(value.path.as_ref().expect("only paths are marked"));
        value.taints.push(Taint::new(Source { kind: SourceKind::Outside, label, span }, value.key));
    }

    /// An attribute of a value.
    pub(in crate::flow) fn attribute(&mut self, base: &ValueRef, name: &str, span: Span) -> Value {
        if name == "__call__" {
            return Value::clone(base);
        }
        let mut value = Value::unknown(mix(mix(base.key, text_key(name)), 14));
        if self.dialect.attributes_are_entries
            && let Some(entry) = base.entry(name)
        {
            return Value::clone(entry);
        }
        if let Some(path) = &base.path
            && path.len() + name.len() < MAX_PATH
        {
            let path = (self.dialect.canonical)(&format!("{path}.{name}"));
            if let Some(known) = self.environment.names.get(&path) {
                return Value::clone(known);
            }
            if base.taints.is_empty()
                && let Some(constant) = (self.dialect.constant)(&path)
            {
                return Value::constant(constant);
            }
            value.path = Some(path);
        }
        if base.path_text() == "self" || base.path_text().starts_with(['<']) || base.path_text().starts_with("new <") {
            if let Some(Some(method)) = self.methods.get(name) {
                return value.with_shape(Shape::Function(*method));
            }
            if let Some(field) = self.fields.get(name) {
                return Value::clone(field);
            }
        }
        value.absorb_without(base, attribute_harmless(base, name), span);
        if self.dialect.outside_names.contains(&value.path_text())
            && value.taints.is_empty()
            && value.path_text() != "os.environ"
        {
            Self::mark_outside(&mut value, span);
        }
        match value.path_text() {
            "os.sep" | "os.path.sep" => value.labels = value.labels | Labels::ENDS_WITH_SEPARATOR,
            _ => {}
        }
        (self.dialect.attribute)(&mut value, base, name);
        let is_text_of_path = matches!(name, "parent" | "name") && base.labels.has(Labels::RESOLVED_PATH);
        if is_text_of_path && name == "parent" {
            value.labels = value.labels | Labels::RESOLVED_PATH;
        }
        value.with_shape(Shape::Attribute(Rc::clone(base), name.into()))
    }

    /// An element or a slice of a value.
    pub(in crate::flow) fn subscript(&mut self, base: &ValueRef, index: &ValueRef, span: Span) -> Value {
        let key = mix(mix(base.key, index.key), 15);
        // `vars(os)["system"]` and the like name an attribute.
        let path = base.path_text();
        if let Some(name) = index.text() {
            if path == "sys.modules" {
                return Value::path((self.dialect.canonical)(name));
            }
            let owner = if matches!(path, "globals()" | "locals()" | "__builtins__" | "vars()") {
                match &base.shape {
                    Shape::Called { positional, .. } => positional.first().map(|owner| owner.path_text().to_owned()),
                    _ => None,
                }
                .or(Some(String::new()))
            } else {
                path.strip_suffix(".__dict__").map(str::to_owned)
            };
            match owner {
                Some(owner) if owner.is_empty() => return self.name(&name.into(), span),
                Some(owner) => return Value::path((self.dialect.canonical)(&format!("{owner}.{name}"))),
                None => {}
            }
            if let Some(entry) = base.entry(name) {
                return Value::clone(entry);
            }
        }
        if let Some(part) = base.text().and_then(|text| part_of_text(text, index)) {
            return Value::constant(Constant::Text(part.into()));
        }
        if let (Shape::Sequence(_, items), Some(at)) = (&base.shape, index.integer()) {
            let at = if at < 0 { at + items.len() as i64 } else { at };
            if let Some(item) = usize::try_from(at).ok().and_then(|at| items.get(at)) {
                return Value::clone(item);
            }
        }
        if let Shape::Dictionary(entries) = &base.shape
            && !(entries.is_empty() && self.dialect.attributes_are_entries)
        {
            // A table: whatever the key, the result is one of its values.
            let mut value = Value::unknown(key);
            for (_, entry) in entries.iter() {
                value.absorb(entry, span);
            }
            // Only a key that is in a fixed table leads to something.
            if entries.iter().all(|(key, _)| key.as_ref().is_some_and(|key| key.is_literal())) {
                conditions::set_truth(&mut value, index.facts(Classes::ALL), Vec::new());
            }
            return value;
        }
        let mut value = Value::unknown(key);
        if base.path_text() == "slice" {
            return value;
        }
        value.path = base.path.as_ref().filter(|path| path.len() < MAX_PATH).map(|path| format!("{path}[]").into());
        let ends = index.items();
        let is_slice = index.path_text() == "slice";
        let is_start_cut = is_slice && ends[0].integer().is_some_and(|at| at > 0);
        let harmless = if is_start_cut { Classes::OPTION } else { Classes::NONE };
        if let Shape::Repeated(element) = &base.shape
            && !is_slice
        {
            // What the elements are says more than what the whole was made from.
            value.absorb(element, span);
            value.path.clone_from(&element.path);
        } else {
            value.absorb_without(base, harmless, span);
        }
        value.labels = value.labels | (base.labels & Labels::TEXT);
        let is_first = index.integer() == Some(0)
            || is_slice && ends[1].integer() == Some(1) && matches!(ends[0].integer(), None | Some(0));
        if matches!(index.integer(), Some(-1 | 1)) {
            value.stand_for(base, Classes::EXTENSION);
        }
        if is_slice && ends[0].integer() == Some(1) && ends[1].integer() == Some(-1) {
            value.labels = value.labels | Labels::INNER;
        }
        if is_first {
            value.labels = value.labels | Labels::FIRST_CHARACTER;
        }
        value.with_shape(Shape::Part(Rc::clone(base)))
    }

    /// Any element of a value.
    pub(in crate::flow) fn element(&mut self, container: &ValueRef, span: Span) -> ValueRef {
        if let Some(letters) = literal_letters(container) {
            let all = Value::unknown(mix(container.key, ELEMENT));
            return Rc::new(all.with_shape(Shape::OneOf(letters.into())));
        }
        let element = match &container.shape {
            Shape::Sequence(_, items) if !items.is_empty() => {
                let mut all = Rc::clone(&items[0]);
                for item in &items[1..] {
                    all = Rc::new(join_values(&all, item, span));
                }
                if items.len() > 1 && items.iter().all(|item| item.constant.is_some()) {
                    return Rc::new(Value::clone(&all).with_shape(Shape::OneOf(Rc::clone(items))));
                }
                return all;
            }
            Shape::Repeated(element) => {
                self.containers.insert(element.key, Rc::clone(container));
                return Rc::clone(element);
            }
            Shape::Dictionary(entries) if !entries.is_empty() => {
                let mut all: Option<ValueRef> = None;
                for key in entries.iter().filter_map(|(key, _)| key.as_ref()) {
                    all = Some(match all {
                        Some(all) => Rc::new(join_values(&all, key, span)),
                        None => Rc::clone(key),
                    });
                }
                all.map_or_else(|| Value::unknown(mix(container.key, ELEMENT)), |all| Value::clone(&all))
            }
            _ => {
                let mut element = Value::unknown(mix(container.key, ELEMENT));
                element.path =
                    container.path.as_ref().filter(|path| path.len() < MAX_PATH).map(|path| format!("{path}[]").into());
                element.absorb(container, span);
                element.taints = element.taints.iter().map(super::value::Taint::as_element).collect();
                element.with_shape(Shape::Part(Rc::clone(container)))
            }
        };
        self.containers.insert(element.key, Rc::clone(container));
        Rc::new(element)
    }

    /// Binds the names of a target.
    pub(in crate::flow) fn assign(&mut self, target: ExpressionId, value: &ValueRef) {
        let mut open = vec![(target, Rc::clone(value))];
        while let Some((target, value)) = open.pop() {
            match &self.module.expression(target).kind {
                ExpressionKind::Name(name) => {
                    self.environment.names.insert(Rc::clone(name), value);
                }
                ExpressionKind::Splat(inner) => open.push((*inner, value)),
                ExpressionKind::Sequence { items, .. } => {
                    let span = self.module.span(target);
                    for (at, item) in items.iter().enumerate() {
                        let part = match &value.shape {
                            Shape::Sequence(_, parts) if parts.len() == items.len() => Rc::clone(&parts[at]),
                            _ if let Some(part) = (self.dialect.unpack)(&value, at, items.len()) => Rc::new(part),
                            _ => {
                                let index = Rc::new(Value::constant(Constant::Integer(at as i64)));
                                Rc::new(self.subscript(&value, &index, span))
                            }
                        };
                        open.push((*item, part));
                    }
                }
                ExpressionKind::Attribute { base, .. } | ExpressionKind::Subscript { base, .. } => {
                    let span = self.module.span(target);
                    self.weaken(*base, &value, span);
                }
                _ => {}
            }
        }
    }

    pub(in crate::flow) fn binary(
        &mut self,
        operator: BinaryOperator,
        left: &Operand,
        right: &Operand,
        span: Span,
    ) -> Value {
        if let (Some(one), Some(two)) = (left.value.integer(), right.value.integer())
            && let Some(result) = calculated(operator, one, two)
        {
            return Value::constant(Constant::Integer(result));
        }
        let value = match operator {
            BinaryOperator::Add => match (&left.value.shape, &right.value.shape) {
                (Shape::Sequence(kind, one), Shape::Sequence(_, two)) => {
                    sequence(*kind, one.iter().chain(two.iter()).cloned().collect(), span)
                }
                (Shape::Sequence(..) | Shape::Repeated(_), _) | (_, Shape::Sequence(..) | Shape::Repeated(_)) => {
                    let one = self.element(&left.value, left.span);
                    let two = self.element(&right.value, right.span);
                    let element = Rc::new(join_values(&one, &two, span));
                    let mut value = Value::unknown(mix(mix(left.value.key, right.value.key), 16));
                    value.absorb(&element, span);
                    value.with_shape(Shape::Repeated(element))
                }
                _ => format::concatenate(&left.value, left.span, &right.value, right.span, span),
            },
            BinaryOperator::Modulo => format::percent(left, right, span),
            BinaryOperator::Multiply if left.value.characters().is_some() && right.value.taints.is_empty() => {
                let value = Value::unknown(mix(mix(left.value.key, right.value.key), 17 + operator as u64));
                value.with_shape(Shape::Repeated(Rc::clone(&left.value)))
            }
            BinaryOperator::Divide if let Some(joined) = (self.dialect.divide)(left, right, span) => joined,
            BinaryOperator::Multiply if left.value.integer().is_some() && right.value.integer().is_some() => {
                Value::constant(Constant::Float(f64::INFINITY))
            }
            _ => {
                let mut value = Value::unknown(mix(mix(left.value.key, right.value.key), 17 + operator as u64));
                value.absorb(&left.value, span);
                value.absorb(&right.value, span);
                conditions::set_difference(&mut value, operator, &left.value, &right.value);
                value
            }
        };
        if matches!(operator, BinaryOperator::Add | BinaryOperator::Modulo) {
            let operand = Operand { value: Rc::new(value), span };
            (self.dialect.hooks.text)(&operand, &self.environment, &mut self.report);
            return Value::clone(&operand.value);
        }
        value
    }
}

/// The result on two integers, where it is the same in every language.
fn calculated(operator: BinaryOperator, left: i64, right: i64) -> Option<i64> {
    match operator {
        BinaryOperator::Add => left.checked_add(right),
        BinaryOperator::Subtract => left.checked_sub(right),
        BinaryOperator::Multiply => left.checked_mul(right),
        BinaryOperator::Modulo if left >= 0 && right > 0 => Some(left % right),
        BinaryOperator::Or => Some(left | right),
        _ => None,
    }
}

/// An element or a slice of a literal text.
fn part_of_text(text: &str, index: &Value) -> Option<String> {
    let letters: Vec<char> = text.chars().collect();
    let place = |at: i64| usize::try_from(if at < 0 { at + letters.len() as i64 } else { at }).ok();
    if let Some(at) = index.integer() {
        return letters.get(place(at)?).map(char::to_string);
    }
    let [lower, upper] = index.items() else { return None };
    let end = |end: &Value, missing: usize| if end.is_none() { Some(missing) } else { place(end.integer()?) };
    let (start, end) = (end(lower, 0)?, end(upper, letters.len())?.min(letters.len()));
    (index.path_text() == "slice").then(|| letters.get(start..end).unwrap_or_default().iter().collect())
}

/// What an attribute of a value is known to lack.
fn attribute_harmless(base: &Value, name: &str) -> Classes {
    let path = base.path_text();
    match name {
        "name" | "stem" if path.starts_with("pathlib.") || base.labels.has(Labels::RESOLVED_PATH) => Classes::PATH,
        "port" => Classes::ALL,
        _ => Classes::NONE,
    }
}

fn derived(inner: &ValueRef, salt: u64, span: Span) -> Value {
    let mut value = Value::unknown(mix(inner.key, salt));
    value.absorb(inner, span);
    value
}

fn sequence(kind: SequenceKind, items: Vec<ValueRef>, span: Span) -> Value {
    let mut value = Value::unknown(items.iter().fold(19, |key, item| mix(key, item.key)));
    for item in &items {
        value.absorb(item, span);
    }
    value.with_shape(Shape::Sequence(kind, items.into()))
}

/// `left and right` or `left or right`.
fn boolean(is_and: bool, left: &ValueRef, right: &ValueRef, span: Span) -> Value {
    let mut value = join_values(left, right, span);
    match left.constant.as_ref().map(Constant::is_truthy) {
        Some(truth) if truth == is_and => value = Value::clone(right),
        Some(_) => value = Value::clone(left),
        None => {
            // `False` on one side of `and` decides; so does `True` on one side of `or`. Another default says nothing of the value.
            let decides = |constant: &Constant| match constant {
                Constant::Boolean(truth) => *truth != is_and,
                _ => is_and && !constant.is_truthy(),
            };
            value.constant = right.constant.clone().filter(decides);
        }
    }
    let one = conditions::truth_of(left);
    let two = conditions::truth_of(right);
    let all = |a: &[super::value::Fact], b: &[super::value::Fact]| a.iter().chain(b).copied().collect::<Vec<_>>();
    value.truth = Some(Rc::new(if is_and {
        Truth {
            when_true: all(&one.when_true, &two.when_true),
            when_false: conditions::either(&one.when_false, &two.when_false),
        }
    } else {
        Truth {
            when_true: conditions::either(&one.when_true, &two.when_true),
            when_false: all(&one.when_false, &two.when_false),
        }
    }));
    value.key = mix(mix(left.key, right.key), 21 + u64::from(is_and));
    if !is_and {
        note_default(&mut value, left, right);
    }
    value
}

/// The characters of a short literal text.
pub(in crate::flow) fn literal_letters(text: &Value) -> Option<Vec<ValueRef>> {
    let letters = text.text().filter(|text| !text.is_empty() && text.len() <= MAX_LETTERS)?;
    Some(letters.chars().map(|c| Rc::new(Value::constant(Constant::Text(c.to_string().into())))).collect())
}

/// Notes that a value is either input as it came or a page of this site.
fn note_default(value: &mut Value, left: &ValueRef, right: &ValueRef) {
    let is_page = |value: &Value| value.text().is_some_and(|text| text.starts_with('/') && !text.starts_with("//"));
    let is_input = |value: &ValueRef| value.taints.iter().any(|taint| taint.enters_as(value));
    if is_page(left) && is_input(right) || is_page(right) && is_input(left) {
        value.path = Some(INPUT_OR_PAGE.into());
    }
}
