//! Calls: who is called, what the rules are told, what comes back.

use std::rc::Rc;

use super::dialect::Question;
use super::interpreter::{Arguments, Call, Interpreter, Operand};
use super::value::{Shape, Source, SourceKind, Taint, Value, ValueRef, mix, text_key};
use crate::syntax::{Argument, ArgumentKind, ExpressionId, ExpressionKind, Span};

/// What was stored under a key is told apart for so many keys.
const MAX_STORED: usize = 32;

impl Interpreter<'_> {
    pub(in crate::flow) fn call(
        &mut self,
        callee: ExpressionId,
        arguments: &[Argument],
        is_new: bool,
        span: Span,
        here: u64,
    ) -> Value {
        let module = self.module;
        let callee_value = Rc::clone(&self.values[callee as usize]);
        let (mut method, mut receiver) = (Rc::<str>::from(""), None);
        match &module.expression(callee).kind {
            ExpressionKind::Attribute { base, name } => {
                method = Rc::clone(name);
                receiver = Some(self.operand(*base));
            }
            ExpressionKind::Name(name) => method = Rc::clone(name),
            _ => {}
        }
        // A bound method that was stored under a name: `run = connection.execute`.
        if receiver.is_none()
            && let Shape::Attribute(owner, name) = &callee_value.shape
        {
            method = Rc::clone(name);
            receiver = Some(Operand { value: Rc::clone(owner), span: module.span(callee) });
        }
        let path = callee_value.path.clone().unwrap_or_else(|| "".into());
        let mut event = Event {
            path: if is_new { format!("new {path}").into() } else { path },
            method,
            receiver,
            callee: Operand { value: callee_value, span: module.span(callee) },
            positional: Vec::new(),
            keywords: Vec::new(),
            splat: None,
            double_splat: None,
            span,
        };
        for argument in arguments {
            let operand = self.operand(argument.value);
            match &argument.kind {
                ArgumentKind::Positional => event.positional.push(operand),
                ArgumentKind::Keyword(name) => event.keywords.push((Rc::clone(name), operand)),
                ArgumentKind::Splat => match &operand.value.shape {
                    Shape::Sequence(_, items) => {
                        let items = items.iter().map(|item| Operand { value: Rc::clone(item), span: operand.span });
                        event.positional.extend(items);
                    }
                    _ => event.splat = Some(operand),
                },
                ArgumentKind::DoubleSplat => match &operand.value.shape {
                    Shape::Dictionary(entries)
                        if entries.iter().all(|(key, _)| key.as_ref().is_some_and(|k| k.text().is_some())) =>
                    {
                        for (key, value) in entries.iter() {
                            let name = key.as_ref().and_then(|key| key.text()).unwrap_or_default();
                            event.keywords.push((name.into(), Operand { value: Rc::clone(value), span: operand.span }));
                        }
                    }
                    _ => event.double_splat = Some(operand),
                },
            }
        }
        if event.path.as_ref() == "print"
            && let Some(stream) =
                arguments.iter().find(|argument| argument.kind == ArgumentKind::Keyword("file".into()))
        {
            for operand in event.positional.clone() {
                self.weaken(stream.value, &operand.value, span);
            }
        }
        self.announce(&event);
        self.announce_passed(&event);
        let result = Rc::new(self.result(&event, callee, here));
        for (at, value) in (self.dialect.written)(&event, &result) {
            if let Some(argument) = arguments.get(at) {
                self.weaken(argument.value, &Rc::new(value), span);
            }
        }
        (self.dialect.effect)(self, &event, arguments, here);
        Value::clone(&result)
    }

    /// Tells the rules.
    fn announce(&mut self, event: &Event) {
        let call = Call {
            path: &event.path,
            method: &event.method,
            receiver: event.receiver.clone(),
            callee: event.callee.clone(),
            positional: event.positional.clone(),
            keywords: event.keywords.clone(),
            splat: event.splat.clone(),
            double_splat: event.double_splat.clone(),
            span: event.span,
            environment: &self.environment,
            place: &self.place,
        };
        (self.dialect.hooks.call)(&call, &mut self.report);
    }

    /// A function handed to another to be called there: `map(eval, texts)`, `Thread(target=os.system, args=(text,))`.
    fn announce_passed(&mut self, event: &Event) {
        let is_function = |operand: &Operand| {
            let path = operand.value.path_text();
            !path.is_empty() && !path.contains(['(', '[']) && (self.dialect.hooks.is_dangerous_function)(path)
        };
        let handed = event.keywords.iter().find(|(name, _)| name.as_ref() == "target").map(|(_, operand)| operand);
        let (function, rest) = match (handed, event.positional.split_first()) {
            (Some(function), _) if is_function(function) => (function.clone(), event.positional.clone()),
            (_, Some((first, rest))) if is_function(first) => (first.clone(), rest.to_vec()),
            _ => return,
        };
        let mut positional: Vec<Operand> = Vec::new();
        for operand in rest {
            let is_many = matches!(event.path.as_ref(), "map" | "filter" | "functools.reduce" | "itertools.starmap");
            let value = if is_many { self.element(&operand.value, operand.span) } else { Rc::clone(&operand.value) };
            positional.push(Operand { value, span: operand.span });
        }
        if let Some((_, tuple)) = event.keywords.iter().find(|(name, _)| name.as_ref() == "args") {
            let items = tuple.value.items().iter();
            positional.extend(items.map(|item| Operand { value: Rc::clone(item), span: tuple.span }));
        }
        let passed = Event {
            path: function.value.path.clone().unwrap_or_else(|| "".into()),
            method: "".into(),
            receiver: None,
            callee: function,
            positional,
            keywords: event.keywords.clone(),
            splat: None,
            double_splat: None,
            span: event.span,
        };
        self.announce(&passed);
    }

    fn result(&mut self, event: &Event, callee: ExpressionId, here: u64) -> Value {
        let span = event.span;
        let path = Rc::clone(&event.path);
        if let (Shape::Lambda(body), true) = (&event.callee.value.shape, event.receiver.is_none()) {
            let mut value = Value::clone(body);
            for operand in event.arguments() {
                value.absorb(&operand.value, span);
            }
            return value;
        }
        if let Some(named) = (self.dialect.reflected)(self, event) {
            return named;
        }
        if let Shape::Function(function) = event.callee.value.shape {
            let rest = event.splat.as_ref().or(event.double_splat.as_ref()).map(|operand| Rc::clone(&operand.value));
            let parameters = &self.module.functions[function as usize].parameters;
            let takes_self = parameters
                .first()
                .is_some_and(|first| self.dialect.receivers.contains(&first.name.as_ref()))
                || self.dialect.has_declared_receivers && self.methods.values().any(|known| *known == Some(function));
            let arguments = Arguments {
                positional: event.positional.iter().map(|operand| Rc::clone(&operand.value)).collect(),
                keywords: event
                    .keywords
                    .iter()
                    .map(|(name, operand)| (Rc::clone(name), Rc::clone(&operand.value)))
                    .collect(),
                rest,
                is_method: takes_self && event.receiver.is_some(),
            };
            if let Some(value) = self.follow(function, &arguments) {
                return value;
            }
        }
        let receiver = event.receiver.as_ref().map(|operand| Rc::clone(&operand.value));
        let mut value = self.model(event, receiver.as_ref(), here);
        if value.path.is_none() && !path.is_empty() && path.len() < 150 {
            value.path = Some(format!("{path}()").into());
        }
        let question = Question {
            path: &path,
            method: &event.method,
            receiver: receiver.as_ref(),
            positional: &event.positional,
            is_foreign: !matches!(event.callee.value.shape, Shape::Function(_)),
        };
        let (truth, passed) = (self.dialect.predicate)(self, &question);
        if let Some(truth) = truth {
            value.truth = Some(Rc::new(truth));
        }
        self.environment.learn(&passed);
        self.mutate(event, callee);
        let positional = event.positional.iter().map(|operand| Rc::clone(&operand.value)).collect();
        let keywords =
            event.keywords.iter().map(|(name, operand)| (Rc::clone(name), Rc::clone(&operand.value))).collect();
        if matches!(value.shape, Shape::Opaque) && value.constant.is_none() {
            value = value.with_shape(Shape::Called { receiver, positional, keywords });
        }
        if self.dialect.returning_methods.contains(&event.method.as_ref()) {
            self.rebind(callee, &value);
        }
        let has_contents = self.dialect.outside_contents.contains(&path.as_ref()) && value.taints.is_empty();
        if self.dialect.outside_calls.contains(&path.as_ref()) || has_contents {
            let source = Source { kind: SourceKind::Outside, label: Rc::clone(&path), span };
            value.taints = vec![Taint::new(source, value.key)];
        }
        value
    }

    /// What the call returns.
    fn model(&mut self, event: &Event, receiver: Option<&ValueRef>, here: u64) -> Value {
        let span = event.span;
        let mut key = mix(text_key(&event.path), text_key(&event.method));
        if let Some(receiver) = receiver {
            key = mix(key, receiver.key);
        }
        for operand in event.positional.iter().chain(event.keywords.iter().map(|(_, operand)| operand)) {
            key = mix(key, operand.value.key);
        }
        let path = event.path.as_ref();
        if let Some(known) = (self.dialect.function)(self, event, key, here) {
            return known;
        }
        if self.dialect.container_calls.contains(&path)
            && let Some(inner) = event.positional.last()
        {
            let mut value = Value::unknown(key);
            value.absorb(&inner.value, span);
            value.labels = inner.value.labels;
            // `set(text)` keeps the text for comparisons with allowed characters.
            if matches!(inner.value.shape, Shape::Sequence(..) | Shape::Repeated(_) | Shape::Dictionary(_)) {
                return value.with_shape(inner.value.shape.clone());
            }
            return value;
        }
        if self.dialect.opaque_calls.contains(&path) {
            let mut value = Value::unknown(mix(key, here));
            (self.dialect.label)(path, &mut value);
            return value;
        }
        if let Some(receiver) = receiver
            && !is_module(receiver)
            && let Some(value) = (self.dialect.method)(self, event, receiver, key, span)
        {
            return value;
        }
        let mut value = Value::unknown(key);
        let harmless = (self.dialect.sanitised)(event);
        if let Some(receiver) = receiver {
            value.absorb_without(receiver, harmless, span);
        } else if matches!(event.callee.value.shape, Shape::Opaque | Shape::Part(_)) {
            value.absorb_without(&event.callee.value, harmless, span);
        }
        for operand in event.arguments() {
            value.absorb_without(&operand.value, harmless, span);
        }
        (self.dialect.label)(path, &mut value);
        value
    }

    /// `builder.append(one).append(two)`: the variable at the root now has this value.
    fn rebind(&mut self, callee: ExpressionId, value: &Value) {
        let module = self.module;
        let mut callee = callee;
        loop {
            let ExpressionKind::Attribute { base, name } = &module.expression(callee).kind else { return };
            if !self.dialect.returning_methods.contains(&name.as_ref()) {
                return;
            }
            match &module.expression(*base).kind {
                ExpressionKind::Name(root) => {
                    self.environment.names.insert(Rc::clone(root), Rc::new(Value::clone(value)));
                    return;
                }
                ExpressionKind::Call { callee: inner, .. } => callee = *inner,
                _ => return,
            }
        }
    }

    /// Calls that change what they are called on.
    fn mutate(&mut self, event: &Event, callee: ExpressionId) {
        let ExpressionKind::Attribute { base, .. } = &self.module.expression(callee).kind else { return };
        let ExpressionKind::Name(name) = &self.module.expression(*base).kind else {
            let method = event.method.as_ref();
            if self.dialect.adding_methods.contains(&method) || self.dialect.filling_methods.contains(&method) {
                for operand in event.positional.clone() {
                    self.weaken(*base, &operand.value, event.span);
                }
            }
            return;
        };
        let Some(known) = self.environment.names.get(name).cloned() else { return };
        let mut changed = Value::clone(&known);
        if let Some((key, value)) = (self.dialect.keyed_store)(event) {
            changed.absorb(&value, event.span);
            let entries = if let Shape::Dictionary(entries) = &known.shape { entries.to_vec() } else { Vec::new() };
            let same = key.key;
            let others = entries.into_iter().filter(|(known, _)| known.as_ref().is_none_or(|known| known.key != same));
            let entries = others.take(MAX_STORED).chain([(Some(Rc::new(key)), value)]).collect();
            changed = changed.with_shape(Shape::Dictionary(entries));
            self.environment.names.insert(Rc::clone(name), Rc::new(changed));
            return;
        }
        match event.method.as_ref() {
            method if self.dialect.adding_methods.contains(&method) => {
                let Some(operand) = event.positional.first() else { return };
                changed.absorb(&operand.value, event.span);
                changed.key = mix(known.key, mix(operand.value.key, 63));
                let shape = match &known.shape {
                    Shape::Sequence(kind, items) if items.len() < 32 && self.loops.is_empty() => {
                        Shape::Sequence(*kind, items.iter().chain([&operand.value]).cloned().collect())
                    }
                    Shape::Sequence(_, items) if items.is_empty() => Shape::Repeated(Rc::clone(&operand.value)),
                    Shape::Sequence(kind, items) => {
                        Shape::Sequence(*kind, items.iter().chain([&operand.value]).take(32).cloned().collect())
                    }
                    Shape::Repeated(element) => {
                        let joined = super::environment::join_values(element, &operand.value, event.span);
                        Shape::Repeated(Rc::new(joined))
                    }
                    other => other.clone(),
                };
                changed = changed.with_shape(shape);
            }
            "pop" if self.loops.is_empty() && event.positional.len() <= 1 => {
                let Shape::Sequence(kind, items) = &known.shape else { return };
                let at = event.positional.first().map_or(Some(-1), |at| at.value.integer());
                let at = at.map(|at| if at < 0 { at + items.len() as i64 } else { at });
                let Some(at) = at.and_then(|at| usize::try_from(at).ok()) else { return };
                let rest = items.iter().enumerate().filter(|(place, _)| *place != at).map(|(_, item)| Rc::clone(item));
                changed = changed.with_shape(Shape::Sequence(*kind, rest.collect()));
            }
            method if self.dialect.filling_methods.contains(&method) => {
                for operand in event.positional.clone() {
                    changed.absorb(&operand.value, event.span);
                }
                if event.method.as_ref() == "extend"
                    && let (Shape::Sequence(kind, one), Some(more)) = (&known.shape, event.positional.first())
                    && let Shape::Sequence(_, two) = &more.value.shape
                {
                    let all = one.iter().chain(two.iter()).take(64).cloned().collect();
                    changed = changed.with_shape(Shape::Sequence(*kind, all));
                } else if matches!(event.method.as_ref(), "extend" | "insert") {
                    changed.shape = Shape::Opaque;
                }
                // Writing to a stream does not change which stream it is.
                if self.dialect.writing_methods.contains(&method) {
                    changed.shape.clone_from(&known.shape);
                }
            }
            _ => return,
        }
        self.environment.names.insert(Rc::clone(name), Rc::new(changed));
    }
}

/// Whether a receiver is a module or class named by an import, so that its functions take no receiver.
fn is_module(receiver: &Value) -> bool {
    !receiver.path_text().is_empty()
        && !receiver.path_text().contains(['(', '['])
        && receiver.constant.is_none()
        && receiver.taints.is_empty()
        && receiver.path_text() != "self"
}

/// A call before its names are borrowed for the rules.
pub(in crate::flow) struct Event {
    pub(in crate::flow) path: Rc<str>,
    pub(in crate::flow) method: Rc<str>,
    pub(in crate::flow) receiver: Option<Operand>,
    pub(in crate::flow) callee: Operand,
    pub(in crate::flow) positional: Vec<Operand>,
    pub(in crate::flow) keywords: Vec<(Rc<str>, Operand)>,
    pub(in crate::flow) splat: Option<Operand>,
    pub(in crate::flow) double_splat: Option<Operand>,
    pub(in crate::flow) span: Span,
}

impl Event {
    pub(in crate::flow) fn keyword(&self, name: &str) -> Option<&ValueRef> {
        self.keywords.iter().find(|(known, _)| known.as_ref() == name).map(|(_, operand)| &operand.value)
    }

    pub(in crate::flow) fn arguments(&self) -> impl Iterator<Item = &Operand> {
        self.positional.iter().chain(&self.splat).chain(self.keywords.iter().map(|(_, v)| v)).chain(&self.double_splat)
    }
}
