//! Running statements in order.

use std::rc::Rc;

use super::classes::Labels;
use super::conditions;
use super::environment::{Environment, join_values};
use super::interpreter::{Frame, Interpreter, Loop, Operand, names_function};
use super::value::{Shape, Value, ValueRef, mix, text_key};
use crate::syntax::{
    BinaryOperator, Constant, ExpressionId, ExpressionKind, Handler, MatchCase, Span, Statement, StatementKind,
};

/// Loops nested deeper than this are read once instead of twice.
const MAX_REPEATED_LOOPS: usize = 3;

/// Loops over at most this many literals are run once for each.
const MAX_UNROLLED: usize = 12;

/// Such loops are taken apart only this deep.
const MAX_UNROLLED_LOOPS: usize = 2;

/// Entries of a dictionary are told apart up to this many.
const MAX_ENTRIES: usize = 64;

impl<'m> Interpreter<'m> {
    pub(in crate::flow) fn block(&mut self, statements: &'m [Statement]) {
        for statement in statements {
            let is_label = matches!(statement.kind, StatementKind::Label(_));
            if self.budget == 0 {
                return;
            }
            if self.environment.is_dead && !is_label {
                continue;
            }
            self.statement(statement);
        }
    }

    /// A label: whoever jumped here joins whoever came from above.
    fn land(&mut self, label: &str, span: Span) {
        let Some(frame) = self.frames.last_mut() else { return };
        let arriving: Vec<_> = frame.jumps.extract_if(.., |(to, _)| to.as_ref() == label).collect();
        for (_, environment) in arriving {
            self.environment = std::mem::take(&mut self.environment).join(environment, span);
        }
    }

    fn statement(&mut self, statement: &'m Statement) {
        self.budget = self.budget.saturating_sub(1);
        self.place.targets.clear();
        match &statement.kind {
            StatementKind::Expression(id) => {
                let value = self.evaluate(*id);
                if let ExpressionKind::Yield(Some(inner)) = self.module.expression(*id).kind {
                    self.note_return(inner, &value);
                }
            }
            StatementKind::Assign { targets, value } => self.assign_statement(targets, *value),
            StatementKind::Declare { name, kind, size, value } => {
                if let Some(size) = size {
                    self.evaluate(*size);
                }
                self.declare(name, kind.as_deref(), *value);
            }
            StatementKind::Augment { target, operator, value } => {
                self.augment(*target, *operator, *value, statement.span);
            }
            StatementKind::Return(value) => {
                let result = match value {
                    Some(id) => {
                        let result = self.evaluate(*id);
                        self.note_return(*id, &result);
                        result
                    }
                    None => Rc::new(Value::constant(Constant::None)),
                };
                self.leave(result);
            }
            StatementKind::Raise(parts) => {
                for part in parts {
                    self.evaluate(*part);
                }
                self.environment.is_dead = true;
            }
            StatementKind::Assert(test) => {
                let value = self.evaluate(*test);
                self.assume(&value, true);
            }
            StatementKind::If { branches, otherwise } => self.if_statement(branches, otherwise, statement.span),
            StatementKind::While { test, body, otherwise } => {
                self.looping(statement.span, body, otherwise, Some(*test), |this| {
                    let value = this.evaluate(*test);
                    this.assume(&value, true);
                    None
                });
            }
            StatementKind::For { target, iterable, body, otherwise } => {
                let values = self.evaluate(*iterable);
                if let Some(items) = few_literals(&values).filter(|_| self.loops.len() < MAX_UNROLLED_LOOPS) {
                    self.unrolled(*target, &items, statement.span, body, otherwise);
                    return;
                }
                self.looping(statement.span, body, otherwise, None, |this| {
                    let element = this.element(&values, this.module.span(*iterable));
                    this.assign(*target, &element);
                    Some(Rc::clone(&values))
                });
            }
            StatementKind::Try { body, handlers, otherwise, finally } => {
                self.try_statement(body, handlers, otherwise, finally, statement.span);
            }
            StatementKind::With { items, body } => self.with_statement(items, body, statement.span),
            StatementKind::Match { subject, cases } => self.match_statement(*subject, cases, statement.span),
            StatementKind::Function(function) => {
                let definition = &self.module.functions[*function as usize];
                let parts = definition.parameters.iter().filter_map(|parameter| parameter.default);
                for id in parts.chain(definition.decorators.iter().copied()) {
                    self.evaluate(id);
                }
                for id in &definition.decorators {
                    let operand = self.operand(*id);
                    (self.dialect.hooks.decorator)(&operand, &mut self.report);
                }
                for parameter in &definition.parameters {
                    if let Some(default) = parameter.default {
                        let operand = self.operand(default);
                        (self.dialect.hooks.assign)(&parameter.name, &operand, &mut self.report);
                    }
                }
                let value = Value::unknown(text_key(&definition.name)).with_shape(Shape::Function(*function));
                let is_member = self.frames.last().is_some_and(|frame| frame.is_class);
                if !(is_member && self.dialect.members_are_names) {
                    self.environment.names.insert(Rc::clone(&definition.name), Rc::new(value));
                }
                self.define(*function);
            }
            StatementKind::Class { name, bases, body } => {
                // Marked, so that a class of this file is not taken for a module of the same name.
                let mut path = Value::path(format!("<{name}>"));
                for base in bases {
                    let value = self.evaluate(base.value);
                    // A subclass is called like its base where no method of the file says otherwise.
                    if value.path.is_some() && !value.path_text().starts_with("object") {
                        path.key = mix(path.key, value.key);
                    }
                }
                let before = self.environment.names.clone();
                self.frames.push(Frame { is_class: true, ..Frame::default() });
                self.block(body);
                self.frames.pop();
                self.environment.is_dead = false;
                for (field, value) in std::mem::take(&mut self.environment.names).iter() {
                    if !before.contains_key(field) && names_function(value) {
                        self.fields.insert(Rc::clone(field), Rc::clone(value));
                    }
                }
                self.environment.names = before;
                self.environment.names.insert(Rc::clone(name), Rc::new(path));
            }
            StatementKind::Import(bindings) => {
                for (name, path) in bindings {
                    let path = (self.dialect.canonical)(path);
                    self.environment.names.insert(Rc::clone(name), Rc::new(Value::path(path)));
                }
            }
            StatementKind::Break => {
                if let Some(current) = self.loops.last_mut() {
                    current.breaks.push(self.environment.clone());
                }
                self.environment.is_dead = true;
            }
            StatementKind::Continue => {
                if let Some(current) = self.loops.last_mut() {
                    current.continues.push(self.environment.clone());
                }
                self.environment.is_dead = true;
            }
            StatementKind::Goto(label) => {
                if let Some(frame) = self.frames.last_mut() {
                    frame.jumps.push((Rc::clone(label), self.environment.clone()));
                }
                self.environment.is_dead = true;
            }
            StatementKind::Label(label) => self.land(label, statement.span),
            StatementKind::Delete(parts) => {
                for part in parts {
                    if let ExpressionKind::Name(name) = &self.module.expression(*part).kind {
                        self.environment.names.remove(name);
                    }
                }
            }
            StatementKind::Parts(parts) => {
                for part in parts {
                    self.evaluate(*part);
                }
            }
            StatementKind::Pass => {}
        }
    }

    pub(in crate::flow) fn operand(&self, id: ExpressionId) -> Operand {
        Operand { value: Rc::clone(&self.values[id as usize]), span: self.module.span(id) }
    }

    /// Tells the rules, and the function's frame, what is returned or yielded.
    fn note_return(&mut self, id: ExpressionId, value: &ValueRef) {
        let operand = Operand { value: Rc::clone(value), span: self.module.span(id) };
        (self.dialect.hooks.returned)(&operand, &mut self.report);
        if self.frames.last().is_some_and(|frame| frame.is_route) {
            let live = Operand { value: self.environment.masked(&operand.value), span: operand.span };
            (self.dialect.hooks.responded)(&live, &mut self.report);
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.returned.push(operand);
        }
    }

    fn leave(&mut self, value: ValueRef) {
        let environment = self.environment.clone();
        if let Some(frame) = self.frames.last_mut() {
            frame.returns.push((value, environment));
        }
        self.environment.is_dead = true;
    }

    /// From here on the value is known to be true or false.
    pub(in crate::flow) fn assume(&mut self, value: &Value, truth: bool) {
        if value.constant.as_ref().is_some_and(|constant| constant.is_truthy() != truth) {
            self.environment.is_dead = true;
        }
        let facts = conditions::truth_of(value);
        self.environment.learn(if truth { &facts.when_true } else { &facts.when_false });
    }

    fn declare(&mut self, name: &Rc<str>, kind: Option<&str>, value: Option<ExpressionId>) {
        self.place.targets.push(Rc::clone(name));
        let mut declared = match value {
            Some(id) => {
                let operand = Operand { value: self.evaluate(id), span: self.module.span(id) };
                (self.dialect.hooks.assign)(name, &operand, &mut self.report);
                Value::clone(&operand.value)
            }
            None => Value::unknown(text_key(name)),
        };
        if let Some(path) = kind.and_then(|kind| self.type_path(kind)).filter(|_| declared.constant.is_none()) {
            // What made the value says more about it than the type it is kept under.
            declared.path.get_or_insert(path);
        }
        self.environment.names.insert(Rc::clone(name), Rc::new(declared));
    }

    fn assign_statement(&mut self, targets: &[ExpressionId], value: ExpressionId) {
        for target in targets {
            self.place.targets.extend(super::expressions::target_names(self.module, *target));
        }
        let result = self.evaluate(value);
        let operand = Operand { value: Rc::clone(&result), span: self.module.span(value) };
        for target in targets {
            for name in super::expressions::target_names(self.module, *target) {
                (self.dialect.hooks.assign)(&name, &operand, &mut self.report);
            }
        }
        for target in targets {
            self.store(*target, &operand);
        }
    }

    /// Stores to a name, an attribute or an element, or unpacks into several.
    fn store(&mut self, target: ExpressionId, operand: &Operand) {
        match &self.module.expression(target).kind {
            ExpressionKind::Attribute { base, name } => {
                self.evaluate(target);
                let receiver = self.operand(*base);
                if receiver.value.path_text() == "self" && names_function(&operand.value) {
                    self.fields.insert(Rc::clone(name), Rc::clone(&operand.value));
                }
                (self.dialect.hooks.attribute_store)(&receiver, name, operand, &mut self.report);
                self.weaken(*base, &operand.value, operand.span);
                if self.dialect.attributes_are_entries {
                    let index = Rc::new(Value::constant(Constant::Text(Rc::clone(name))));
                    self.reshape(*base, &index, &operand.value);
                }
                self.set_field(*base, name, &operand.value);
            }
            ExpressionKind::Subscript { base, index } => {
                self.evaluate(target);
                let (receiver, index) = (self.operand(*base), self.operand(*index));
                (self.dialect.hooks.element_store)(&receiver, &index, operand, &mut self.report);
                self.weaken(*base, &operand.value, operand.span);
                self.reshape(*base, &index.value, &operand.value);
            }
            _ => self.assign(target, &operand.value),
        }
    }

    /// The variable below an expression may now hold this value too.
    pub(in crate::flow) fn weaken(&mut self, base: ExpressionId, value: &ValueRef, span: Span) {
        let mut base = base;
        let name = loop {
            match &self.module.expression(base).kind {
                ExpressionKind::Name(name) => break Rc::clone(name),
                ExpressionKind::Attribute { base: inner, .. }
                | ExpressionKind::Subscript { base: inner, .. }
                | ExpressionKind::Address(inner)
                | ExpressionKind::Dereference(inner) => base = *inner,
                _ => return,
            }
        };
        let Some(known) = self.environment.names.get(&name) else { return };
        if value.taints.is_empty() && value.labels == Labels::NONE {
            return;
        }
        let mut weaker = Value::clone(known);
        weaker.absorb(value, span);
        self.environment.names.insert(name, Rc::new(weaker));
    }

    /// A structure that was written out has another value in one of its fields.
    fn set_field(&mut self, base: ExpressionId, field: &Rc<str>, value: &ValueRef) {
        let ExpressionKind::Name(name) = &self.module.expression(base).kind else { return };
        let Some(known) = self.environment.names.get(name) else { return };
        let Shape::Called { receiver, positional, keywords } = &known.shape else { return };
        if !known.path_text().starts_with("new ") || keywords.len() >= MAX_ENTRIES {
            return;
        }
        let kept = keywords.iter().filter(|(known, _)| known != field).cloned();
        let keywords = kept.chain([(Rc::clone(field), Rc::clone(value))]).collect();
        let shape = Shape::Called { receiver: receiver.clone(), positional: Rc::clone(positional), keywords };
        let mut changed = Value::clone(known);
        changed.shape = Shape::Opaque;
        self.environment.names.insert(Rc::clone(name), Rc::new(changed.with_shape(shape)));
    }

    /// A named container has a new element, so what was known of all its elements no longer is.
    fn reshape(&mut self, base: ExpressionId, index: &ValueRef, value: &ValueRef) {
        let ExpressionKind::Name(name) = &self.module.expression(base).kind else { return };
        let Some(known) = self.environment.names.get(name) else { return };
        let shape = match &known.shape {
            Shape::Dictionary(entries) if entries.len() < MAX_ENTRIES => {
                let entry = (Some(Rc::clone(index)), Rc::clone(value));
                Shape::Dictionary(entries.iter().cloned().chain([entry]).collect())
            }
            Shape::Dictionary(_) | Shape::Sequence(..) | Shape::Repeated(_) => Shape::Opaque,
            _ => return,
        };
        let mut changed = Value::clone(known);
        changed.shape = Shape::Opaque;
        self.environment.names.insert(Rc::clone(name), Rc::new(changed.with_shape(shape)));
    }

    fn augment(&mut self, target: ExpressionId, operator: BinaryOperator, value: ExpressionId, span: Span) {
        self.place.targets = super::expressions::target_names(self.module, target);
        let left = self.evaluate(target);
        let right = self.evaluate(value);
        let left = Operand { value: left, span: self.module.span(target) };
        let right = Operand { value: right, span: self.module.span(value) };
        let result = self.binary(operator, &left, &right, span);
        let result = self.environment.masked(&Rc::new(result));
        self.store(target, &Operand { value: result, span: right.span });
    }

    fn if_statement(&mut self, branches: &'m [(ExpressionId, Vec<Statement>)], otherwise: &'m [Statement], span: Span) {
        let mut after: Option<Environment> = None;
        for (test, body) in branches {
            let value = self.evaluate(*test);
            let mut not_taken = self.environment.clone();
            self.assume(&value, true);
            self.block(body);
            let taken = std::mem::take(&mut self.environment);
            after = Some(match after {
                Some(after) => after.join(taken, span),
                None => taken,
            });
            std::mem::swap(&mut self.environment, &mut not_taken);
            self.assume(&value, false);
        }
        self.block(otherwise);
        if let Some(after) = after {
            self.environment = std::mem::take(&mut self.environment).join(after, span);
        }
    }

    /// Runs a loop's body until what it assigns has come round once, then joins all ways out.
    fn looping(
        &mut self,
        span: Span,
        body: &'m [Statement],
        otherwise: &'m [Statement],
        test: Option<ExpressionId>,
        mut head: impl FnMut(&mut Self) -> Option<ValueRef>,
    ) {
        let passes = if self.loops.len() < MAX_REPEATED_LOOPS { 2 } else { 1 };
        let mut before = self.environment.clone();
        self.loops.push(Loop::default());
        let mut every_element = Vec::new();
        for _ in 0..passes {
            let container = head(self);
            self.block(body);
            let current = self.loops.last_mut().expect("pushed above");
            let continues = std::mem::take(&mut current.continues);
            let can_stop_early = !current.breaks.is_empty();
            let mut end = std::mem::take(&mut self.environment);
            for environment in continues {
                end = end.join(environment, span);
            }
            if !end.is_dead && !can_stop_early && container.is_some() {
                let known: Vec<_> = end.facts.iter().map(|(key, classes)| (*key, *classes)).collect();
                every_element = self.lift(&known);
                every_element.retain(|(key, _)| !before.facts.contains_key(key));
            }
            before = before.join(end, span);
            self.environment = before.clone();
        }
        let finished = self.loops.pop().expect("pushed above");
        self.environment.learn(&every_element);
        if let Some(test) = test {
            let value = Rc::clone(&self.values[test as usize]);
            self.assume(&value, false);
        }
        self.block(otherwise);
        for environment in finished.breaks {
            self.environment = std::mem::take(&mut self.environment).join(environment, span);
        }
    }

    /// Runs a loop over a few literals once for each of them.
    fn unrolled(
        &mut self,
        target: ExpressionId,
        items: &[ValueRef],
        span: Span,
        body: &'m [Statement],
        otherwise: &'m [Statement],
    ) {
        self.loops.push(Loop::default());
        for item in items {
            if self.environment.is_dead {
                break;
            }
            self.assign(target, item);
            self.block(body);
            let current = self.loops.last_mut().expect("pushed above");
            for environment in std::mem::take(&mut current.continues) {
                self.environment = std::mem::take(&mut self.environment).join(environment, span);
            }
        }
        let finished = self.loops.pop().expect("pushed above");
        self.block(otherwise);
        for environment in finished.breaks {
            self.environment = std::mem::take(&mut self.environment).join(environment, span);
        }
    }

    fn try_statement(
        &mut self,
        body: &'m [Statement],
        handlers: &'m [Handler],
        otherwise: &'m [Statement],
        finally: &'m [Statement],
        span: Span,
    ) {
        let before = self.environment.clone();
        self.block(body);
        let mut failed = self.environment.clone();
        failed.is_dead = false;
        let mut failed = before.clone().join(failed, span);
        failed.facts = before.facts;
        self.block(otherwise);
        let mut after = std::mem::take(&mut self.environment);
        for handler in handlers {
            self.environment = failed.clone();
            self.handler(handler);
            after = std::mem::take(&mut self.environment).join(after, span);
        }
        let is_dead = after.is_dead;
        self.environment = if is_dead { failed } else { after };
        self.block(finally);
        self.environment.is_dead |= is_dead;
    }

    fn handler(&mut self, handler: &'m Handler) {
        let caught = handler.exception.map(|id| self.evaluate(id));
        if let Some(name) = &handler.name {
            let mut error = Value::unknown(mix(handler.span.start as u64, 31));
            // The text of a `ValueError` is as a rule one's own.
            if caught.as_ref().is_none_or(|caught| caught.path_text() != "ValueError") {
                error.labels = Labels::ERROR_TEXT;
            }
            self.environment.names.insert(Rc::clone(name), Rc::new(error));
        }
        (self.dialect.hooks.handler)(handler, caught.as_ref(), &mut self.report);
        self.block(&handler.body);
    }

    fn with_statement(&mut self, items: &[(ExpressionId, Option<ExpressionId>)], body: &'m [Statement], span: Span) {
        let mut suppresses = false;
        for (value, target) in items {
            if let Some(target) = target {
                self.place.targets.extend(super::expressions::target_names(self.module, *target));
            }
            let entered = self.evaluate(*value);
            suppresses |= entered.path_text() == "contextlib.suppress()";
            if let Some(target) = target {
                self.assign(*target, &entered);
            }
        }
        let before = suppresses.then(|| self.environment.clone());
        self.block(body);
        if let Some(before) = before {
            self.environment = std::mem::take(&mut self.environment).join(before, span);
        }
    }

    fn match_statement(&mut self, subject: ExpressionId, cases: &'m [MatchCase], span: Span) {
        let value = self.evaluate(subject);
        let before = self.environment.clone();
        let mut after: Option<Environment> = None;
        let mut is_exhaustive = false;
        for case in cases {
            let literals = case.literals.as_ref().filter(|literals| !literals.is_empty() && case.guard.is_none());
            let is_met = literals.zip(value.constant.as_ref()).map(|(literals, value)| literals.contains(value));
            if is_met == Some(false) {
                continue;
            }
            is_exhaustive |= is_met == Some(true);
            self.environment = before.clone();
            if case.literals.as_ref().is_some_and(|literals| !literals.is_empty()) {
                self.environment.learn(&value.facts(super::classes::Classes::ALL));
            }
            for name in &case.names {
                let part = self.element(&value, span);
                let part = Rc::new(join_values(&part, &value, span));
                self.environment.names.insert(Rc::clone(name), part);
            }
            is_exhaustive |= case.literals.is_none() && case.guard.is_none() && case.names.is_empty();
            if let Some(guard) = case.guard {
                let guard = self.evaluate(guard);
                self.assume(&guard, true);
            }
            self.block(&case.body);
            let end = std::mem::take(&mut self.environment);
            after = Some(match after {
                Some(after) => after.join(end, span),
                None => end,
            });
            if is_met == Some(true) {
                break;
            }
        }
        self.environment = match after {
            Some(after) if is_exhaustive => after,
            Some(after) => after.join(before, span),
            None => before,
        };
    }
}

/// The literals that a loop runs over, when they are few.
fn few_literals(values: &Value) -> Option<Vec<ValueRef>> {
    let items = match &values.shape {
        Shape::Sequence(_, items) => items.to_vec(),
        _ => super::expressions::literal_letters(values)?,
    };
    let are_few = !items.is_empty() && items.len() <= MAX_UNROLLED && items.iter().all(|item| item.is_literal());
    are_few.then_some(items)
}
