//! Reading statements in order, and expressions as they are evaluated.

use std::rc::Rc;

use super::rules::{
    ASSIGNED_IN_CONDITION, EMPTY_HANDLER, LEAK, LOCAL_ADDRESS, OBSOLETE_POINTER, UNCHECKED_IDENTITY, UNSET,
};
use super::state::{Allocator, Nullness, Number, State};
use super::{Reader, Variable, types};
use crate::syntax::{BinaryOperator, Constant, ExpressionId, ExpressionKind, Span, Statement, StatementKind};

/// Functions that give up privileges, and fail.
const PRIVILEGES: &[&str] = &[
    "setuid",
    "setgid",
    "seteuid",
    "setegid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setgroups",
    "chroot",
];

impl<'m> Reader<'m, '_, '_> {
    /// Notes what is called and which arrays get a terminator anywhere in a function.
    pub(super) fn survey(&mut self, statements: &'m [Statement]) {
        for statement in statements {
            match &statement.kind {
                StatementKind::Assign { targets, value } => {
                    let is_zero = self.number(*value) == Some(0)
                        || matches!(self.kind(*value), ExpressionKind::Constant(Constant::None));
                    for target in targets {
                        if let (ExpressionKind::Subscript { base, .. }, true) = (self.kind(*target), is_zero) {
                            self.terminated.extend(self.key(*base));
                        }
                    }
                }
                StatementKind::If { branches, otherwise } => {
                    for (_, body) in branches {
                        self.survey(body);
                    }
                    self.survey(otherwise);
                }
                StatementKind::While { body, .. }
                | StatementKind::For { body, .. }
                | StatementKind::With { body, .. } => {
                    self.survey(body);
                }
                StatementKind::Match { cases, .. } => {
                    for case in cases {
                        self.survey(&case.body);
                    }
                }
                StatementKind::Try { body, .. } => self.survey(body),
                _ => {}
            }
        }
    }

    pub(super) fn block(&mut self, statements: &'m [Statement]) {
        for statement in statements {
            if self.budget == 0 {
                return;
            }
            self.budget -= 1;
            if self.state.is_dead && !matches!(statement.kind, StatementKind::Label(_)) {
                continue;
            }
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &'m Statement) {
        match &statement.kind {
            StatementKind::Expression(id) => {
                self.statement_call(*id);
                self.visit(*id);
                if matches!(self.kind(*id), ExpressionKind::Name(name) if super::calls::leaves(name)) {
                    self.state.is_dead = true;
                }
            }
            StatementKind::Parts(parts) => {
                for part in parts {
                    self.visit(*part);
                }
            }
            StatementKind::Raise(parts) => {
                for part in parts {
                    self.visit(*part);
                }
                self.state.is_dead = true;
            }
            StatementKind::Assign { targets, value } => {
                for target in targets {
                    self.visit_target(*target);
                }
                self.visit(*value);
                for target in targets {
                    self.assign(*target, *value);
                }
            }
            StatementKind::Augment { target, operator, value } => {
                self.visit_target(*target);
                self.visit(*value);
                if let (Some(key), false) = (self.key(*target), matches!(operator, BinaryOperator::Or)) {
                    let place = self.state.place(&key);
                    place.max = None;
                    if *operator == BinaryOperator::Modulo {
                        place.has_upper = true;
                    }
                    place.is_unset = false;
                }
                self.advance(*target, *operator, *value);
                if *operator == BinaryOperator::Divide || *operator == BinaryOperator::Modulo {
                    self.check_divisor(*value);
                }
            }
            StatementKind::Declare { name, kind, size, value } => {
                self.declare(name, kind.as_deref().unwrap_or(""), *size, *value, statement.span);
            }
            StatementKind::Return(value) => {
                if let Some(value) = value {
                    self.visit(*value);
                    self.check_returned(*value);
                }
                self.leave(*value, statement.span);
                self.state.is_dead = true;
            }
            StatementKind::If { branches, otherwise } => self.if_statement(branches, otherwise),
            StatementKind::While { test, body, otherwise: _ } => self.while_statement(*test, body),
            StatementKind::For { target, iterable, body, otherwise: _ } => {
                self.visit(*iterable);
                self.breaks.push(Vec::new());
                let before = self.state.clone();
                if let Some(key) = self.key(*target) {
                    self.state.forget(&key);
                }
                self.check_erased(*iterable, body);
                self.block(body);
                self.after_loop(before);
            }
            StatementKind::Match { subject, cases } => {
                self.visit(*subject);
                let entry = self.state.clone();
                let mut after = entry.clone();
                self.breaks.push(Vec::new());
                for case in cases {
                    self.state = entry.clone();
                    self.touch(*subject);
                    self.block(&case.body);
                    after = after.join(std::mem::take(&mut self.state));
                }
                for state in self.breaks.pop().unwrap_or_default() {
                    after = after.join(state);
                }
                self.state = after;
            }
            StatementKind::Try { body, handlers, .. } => {
                let before = self.state.clone();
                self.block(body);
                let mut after = std::mem::take(&mut self.state);
                for handler in handlers {
                    if handler.body.is_empty() && handler.name.is_none() {
                        self.report.add(
                            &EMPTY_HANDLER,
                            handler.span,
                            "whatever went wrong is forgotten here; handle or log it",
                            None,
                        );
                    }
                    self.state = before.clone();
                    for place in self.state.places.values_mut() {
                        place.is_unset = false;
                    }
                    self.block(&handler.body);
                    after = after.join(std::mem::take(&mut self.state));
                }
                self.state = after;
            }
            StatementKind::With { body, .. } => self.block(body),
            StatementKind::Goto(label) => {
                let state = std::mem::take(&mut self.state);
                self.jumps.push((Rc::clone(label), state));
                self.state.is_dead = true;
            }
            StatementKind::Label(label) => {
                let arriving: Vec<_> = self.jumps.extract_if(.., |(to, _)| to == label).collect();
                for (_, state) in arriving {
                    self.state = std::mem::take(&mut self.state).join(state);
                }
                // Whoever jumps back here from below may have set anything.
                self.state.is_dead = false;
                for place in self.state.places.values_mut() {
                    place.is_unset = false;
                    place.max = None;
                }
            }
            StatementKind::Break => {
                let state = std::mem::take(&mut self.state);
                if let Some(open) = self.breaks.last_mut() {
                    open.push(state);
                }
                self.state.is_dead = true;
            }
            StatementKind::Continue => self.state.is_dead = true,
            _ => {}
        }
    }

    fn if_statement(&mut self, branches: &'m [(ExpressionId, Vec<Statement>)], otherwise: &'m [Statement]) {
        let mut after = State { is_dead: true, ..State::default() };
        for (test, body) in branches {
            self.check_escape(*test, body);
            self.check_condition(*test);
            self.visit(*test);
            let mut not_taken = self.state.clone();
            self.assume(*test, true);
            self.block(body);
            after = after.join(std::mem::take(&mut self.state));
            std::mem::swap(&mut self.state, &mut not_taken);
            self.assume(*test, false);
        }
        self.block(otherwise);
        self.state = std::mem::take(&mut self.state).join(after);
    }

    /// `if (a = 1)`.
    fn check_condition(&mut self, test: ExpressionId) {
        if let ExpressionKind::Named { value, .. } = self.kind(test)
            && matches!(self.kind(*value), ExpressionKind::Constant(Constant::Integer(_) | Constant::Boolean(_)))
        {
            self.report.add(
                &ASSIGNED_IN_CONDITION,
                self.span(test),
                "this sets the variable instead of comparing it; write ==",
                None,
            );
        }
    }

    fn while_statement(&mut self, test: ExpressionId, body: &'m [Statement]) {
        self.breaks.push(Vec::new());
        self.num_loops += 1;
        self.check_countdown(test, body);
        self.check_counter(test);
        self.check_walked(test, body);
        self.check_inner_loop(test, body);
        self.open_loops.push(test);
        self.visit(test);
        let is_endless = matches!(self.kind(test), ExpressionKind::Constant(constant) if constant.is_truthy());
        let mut before = self.state.clone();
        self.assume(test, true);
        self.block(body);
        self.num_loops -= 1;
        self.open_loops.pop();
        if is_endless {
            before.is_dead = true;
        } else {
            let end = std::mem::replace(&mut self.state, before);
            self.assume(test, false);
            before = std::mem::replace(&mut self.state, end);
        }
        if is_endless {
            self.state.is_dead = true;
        }
        self.after_loop(before);
    }

    /// Whoever left the loop goes on after it.
    fn after_loop(&mut self, before: State) {
        let mut after = before.join(std::mem::take(&mut self.state));
        for state in self.breaks.pop().unwrap_or_default() {
            after = after.join(state);
        }
        self.state = after;
    }

    fn declare(
        &mut self,
        name: &Rc<str>,
        kind: &str,
        size: Option<ExpressionId>,
        value: Option<ExpressionId>,
        span: Span,
    ) {
        if let Some(value) = value {
            self.visit(value);
        }
        let is_array = kind.ends_with("[]");
        let mut count = size.and_then(|size| self.number(size));
        if let Some(size) = size {
            self.visit(size);
            self.check_array_size(size);
        }
        if let (true, None, Some(value)) = (is_array, size, value) {
            count = match self.kind(value) {
                ExpressionKind::Sequence { items, .. } => i64::try_from(items.len()).ok(),
                ExpressionKind::Constant(Constant::Text(text)) => i64::try_from(text.len() + 1).ok(),
                _ => None,
            };
        }
        if kind.contains("auto_ptr") {
            self.report.add(&OBSOLETE_POINTER, span, "copying this pointer empties it; use std::unique_ptr", None);
        }
        self.state.forget(name);
        let count_name = size.filter(|_| count.is_none()).and_then(|size| self.key(size));
        let count_name = count_name.filter(|name| !self.variables.contains_key(name));
        self.variables
            .insert(Rc::clone(name), Variable { kind: kind.into(), count, count_name, is_array, is_parameter: false });
        if let Some(value) = value {
            if types::is_unsigned(kind) {
                self.check_difference(value);
            }
            self.assign_key(name, value, kind);
        } else {
            let is_unset = types::starts_unset(kind);
            self.state.place(name).is_unset = is_unset;
        }
    }

    /// The parts of a place that is written to.
    fn visit_target(&mut self, target: ExpressionId) {
        match self.kind(target) {
            ExpressionKind::Name(_) => {}
            ExpressionKind::Attribute { base, .. } => match self.kind(*base) {
                ExpressionKind::Name(_) => {}
                _ => self.visit(*base),
            },
            ExpressionKind::Subscript { base, index } => {
                self.visit_base(*base);
                self.visit(*index);
                self.follow(*base);
                self.check_index(*base, *index, true);
            }
            ExpressionKind::Dereference(inner) => {
                self.visit(*inner);
                self.follow(*inner);
            }
            _ => self.visit(target),
        }
    }

    fn visit_base(&mut self, base: ExpressionId) {
        if !matches!(self.kind(base), ExpressionKind::Name(_)) {
            self.visit(base);
        }
    }

    pub(super) fn assign(&mut self, target: ExpressionId, value: ExpressionId) {
        if let Some(key) = self.key(target) {
            let kind = self.variables.get(&key).map_or_else(|| "".into(), |variable| Rc::clone(&variable.kind));
            self.check_reallocated(&key, value);
            self.assign_key(&key, value, &kind);
        }
        if let ExpressionKind::Subscript { base, .. } = self.kind(target)
            && let Some(place) = self.key(*base).and_then(|key| self.state.places.get_mut(&key))
        {
            place.is_fixed = false;
        }
        self.escape(value);
    }

    /// A value that is kept elsewhere is no longer this function's to give back.
    fn escape(&mut self, value: ExpressionId) {
        if let Some(key) = self.key(self.bare(value))
            && let Some(place) = self.state.places.get_mut(&key)
        {
            place.is_owned = false;
        }
    }

    fn assign_key(&mut self, key: &Rc<str>, value: ExpressionId, kind: &str) {
        let place = self.value_of(value, kind);
        self.state.forget(key);
        self.state.places.insert(Rc::clone(key), place);
    }

    /// Reads an expression and all its parts.
    pub(super) fn visit(&mut self, id: ExpressionId) {
        if self.budget == 0 {
            return;
        }
        self.budget -= 1;
        match self.kind(id) {
            ExpressionKind::Name(name) => self.check_read(&Rc::clone(name), id),
            ExpressionKind::Call { callee, arguments } => {
                let arguments: Vec<_> = arguments.iter().map(|argument| argument.value).collect();
                self.call(*callee, &arguments, id);
            }
            ExpressionKind::New { arguments, .. } => {
                for argument in arguments {
                    self.visit(argument.value);
                    self.escape(argument.value);
                }
            }
            ExpressionKind::Attribute { base, .. } => self.visit(*base),
            ExpressionKind::Subscript { base, index } => {
                self.visit(*base);
                self.visit(*index);
                self.follow(*base);
                self.check_index(*base, *index, false);
            }
            ExpressionKind::Dereference(inner) => {
                self.visit(*inner);
                self.follow(*inner);
            }
            ExpressionKind::Address(inner) => {
                self.visit_target(*inner);
                if let Some(key) = self.key(*inner) {
                    let place = self.state.place(&key);
                    place.is_unset = false;
                    place.is_owned = false;
                }
            }
            ExpressionKind::Binary { operator, left, right } => {
                self.visit(*left);
                self.visit(*right);
                self.check_operation(*operator, *left, *right);
            }
            ExpressionKind::Boolean { is_and, left, right } => {
                self.visit(*left);
                let mut other = self.state.clone();
                self.assume(*left, *is_and);
                self.visit(*right);
                std::mem::swap(&mut self.state, &mut other);
                self.assume(*left, !*is_and);
                self.state = std::mem::take(&mut self.state).join(other);
            }
            ExpressionKind::Conditional { body, test, otherwise } => {
                self.visit(*test);
                let before = self.state.clone();
                let mut other = before.clone();
                self.assume(*test, true);
                self.visit(*body);
                std::mem::swap(&mut self.state, &mut other);
                self.assume(*test, false);
                self.visit(*otherwise);
                self.state = std::mem::take(&mut self.state).join(other);
                // What is chosen by a comparison is not what was compared.
                for (key, place) in &mut self.state.places {
                    place.has_upper &= before.places.get(key).is_some_and(|place| place.has_upper);
                }
            }
            ExpressionKind::Compare { left, links } => {
                self.visit(*left);
                for (operator, right) in links {
                    self.visit(*right);
                    self.check_comparison(*left, *operator, *right, id);
                }
            }
            ExpressionKind::Named { target, value } => {
                match self.kind(*value) {
                    // `x += y`: the place stands on both sides and is visited once, or deep nests would take forever.
                    ExpressionKind::Binary { operator, left, right } if left == target => {
                        match self.kind(*target) {
                            ExpressionKind::Name(_) => self.visit(*target),
                            _ => self.visit_target(*target),
                        }
                        self.visit(*right);
                        self.check_operation(*operator, *left, *right);
                        self.advance(*target, *operator, *right);
                    }
                    _ => {
                        self.visit_target(*target);
                        self.visit(*value);
                    }
                }
                self.assign(*target, *value);
            }
            ExpressionKind::Cast { value, .. } => {
                self.visit(*value);
                self.check_header(id);
            }
            ExpressionKind::Not(inner)
            | ExpressionKind::Negate(inner)
            | ExpressionKind::Invert(inner)
            | ExpressionKind::Splat(inner) => {
                self.visit(*inner);
            }
            ExpressionKind::Sequence { items, .. } => {
                for item in items {
                    self.visit(*item);
                    self.escape(*item);
                }
            }
            ExpressionKind::Other(parts) => {
                for part in parts {
                    if let Some(key) = self.key(*part) {
                        self.state.place(&key).is_unset = false;
                    }
                    self.visit(*part);
                    self.escape(*part);
                }
            }
            _ => {}
        }
    }

    fn check_operation(&mut self, operator: BinaryOperator, left: ExpressionId, right: ExpressionId) {
        if matches!(operator, BinaryOperator::Divide | BinaryOperator::Modulo) {
            self.check_divisor(right);
        }
        match operator {
            BinaryOperator::Add => self.check_scaled(left, right),
            BinaryOperator::Multiply => self.check_shifted_factor(left, right),
            BinaryOperator::Other => self.check_shift(left, right),
            _ => {}
        }
    }

    fn check_read(&mut self, name: &Rc<str>, id: ExpressionId) {
        let Some(place) = self.state.places.get_mut(name) else { return };
        if std::mem::take(&mut place.is_unset) {
            self.report.add(
                &UNSET,
                self.module.span(id),
                "nothing has been stored here yet; give it a first value",
                None,
            );
        }
    }

    /// A call whose result nobody looks at.
    fn statement_call(&mut self, id: ExpressionId) {
        let Some((name, _)) = self.as_call(id) else { return };
        if PRIVILEGES.contains(&name.as_ref())
            && let ExpressionKind::Call { callee, .. } = self.kind(self.bare(id))
        {
            let span = self.span(*callee);
            self.report.add(
                &UNCHECKED_IDENTITY,
                span,
                "when this fails the program keeps its privileges; check the result",
                None,
            );
        }
    }

    /// `return local;` where `local` is an array.
    fn check_returned(&mut self, value: ExpressionId) {
        let is_local =
            |variable: &Variable| variable.is_array && !variable.kind.starts_with("static") && !variable.is_parameter;
        let (inner, is_address) = match self.kind(self.bare(value)) {
            ExpressionKind::Address(inner) => (*inner, true),
            _ => (value, false),
        };
        let is_bad = self.variable(inner).is_some_and(|variable| {
            is_local(variable)
                || is_address
                    && !variable.kind.starts_with("static")
                    && !variable.is_parameter
                    && !variable.kind.contains('&')
        });
        let is_text =
            self.as_call(value).is_some_and(|(name, _)| name.as_ref() == "c_str") && self.is_local_text(value);
        if is_bad || is_text {
            self.report.add(
                &LOCAL_ADDRESS,
                self.span(value),
                "this memory is gone once the function returns; let the caller pass a buffer",
                None,
            );
        }
        if let Some(key) = self.key(self.bare(value)) {
            self.state.place(&key).is_owned = false;
        }
    }

    fn is_local_text(&self, value: ExpressionId) -> bool {
        let ExpressionKind::Call { callee, .. } = self.kind(self.bare(value)) else { return false };
        let ExpressionKind::Attribute { base, .. } = self.kind(*callee) else { return false };
        self.variable(*base).is_some_and(|variable| {
            matches!(variable.kind.as_ref(), "string" | "std::string") && !variable.is_parameter
        })
    }

    /// The function is left here.
    pub(super) fn leave(&mut self, value: Option<ExpressionId>, span: Span) {
        let mentioned = value.map(|value| self.span(value)).map(|span| self.report.written(span));
        let is_error = value.is_none_or(|value| {
            matches!(self.kind(self.bare(value)), ExpressionKind::Constant(_) | ExpressionKind::Negate(_))
        });
        let lost: Vec<_> = self
            .state
            .places
            .iter()
            .filter(|(key, place)| {
                place.is_owned
                    && place.freed.is_none()
                    && place.null == Nullness::NotNull
                    && place.allocator == Some(Allocator::Malloc)
                    && self
                        .variables
                        .get(*key)
                        .is_some_and(|variable| !variable.is_parameter && !variable.kind.contains("static"))
                    && !mentioned.is_some_and(|text| text.contains(key.as_ref()))
            })
            .map(|(key, _)| Rc::clone(key))
            .collect();
        if let (Some(key), true, true) = (lost.first(), is_error, span.end > span.start) {
            self.report.add(&LEAK, span, format!("the memory behind {key} is lost here; free it first"), None);
        }
        self.check_dangling();
    }

    /// What a value says of the place that it is stored in.
    fn value_of(&mut self, value: ExpressionId, kind: &str) -> super::state::Place {
        let bare = self.bare(value);
        let mut place = super::state::Place::default();
        match self.kind(bare) {
            ExpressionKind::Constant(Constant::None) => place.null = Nullness::Null,
            ExpressionKind::Constant(Constant::Integer(number)) => {
                place.has_upper = true;
                place.has_lower = true;
                place.max = None;
                if types::is_pointer(kind) && *number == 0 {
                    place.null = Nullness::Null;
                }
            }
            ExpressionKind::Address(_) => place.null = Nullness::NotNull,
            ExpressionKind::New { .. } => {
                place.null = Nullness::NotNull;
                place.allocator = Some(Allocator::New);
            }
            ExpressionKind::Call { .. } => self.result_of(bare, &mut place, kind),
            ExpressionKind::Binary { operator, left, right } => {
                let parts = [*left, *right];
                let is_bounded = |reader: &Self, part: ExpressionId| {
                    reader.number(part).is_some()
                        || reader
                            .key(reader.bare(part))
                            .and_then(|key| reader.state.places.get(&key).cloned())
                            .is_some_and(|known| known.has_upper)
                };
                if matches!(operator, BinaryOperator::Modulo | BinaryOperator::Other | BinaryOperator::Divide) {
                    place.has_upper = true;
                    place.has_lower = true;
                } else if parts.iter().all(|part| is_bounded(self, *part)) {
                    place.has_upper = true;
                }
                // A pointer into memory that may not be there.
                if let (BinaryOperator::Add, Some(known)) =
                    (operator, self.key(self.bare(*left)).and_then(|key| self.state.places.get(&key)))
                    && matches!(known.null, Nullness::Unchecked(_))
                    && types::is_pointer(kind)
                {
                    place.null = known.null;
                }
                if *operator == BinaryOperator::Multiply && self.may_wrap(bare)
                    || *operator == BinaryOperator::Add && self.adds_converted(bare)
                {
                    place.number = Number::Product;
                }
            }
            _ => {
                if let Some(key) = self.key(bare) {
                    if let Some(known) = self.state.places.get(&key) {
                        let known = known.clone();
                        let alias = Some(Rc::clone(&key)).filter(|_| types::is_pointer(kind));
                        place = super::state::Place {
                            alias,
                            followed: None,
                            is_owned: false,
                            asked: None,
                            is_unset: false,
                            ..known
                        };
                    }
                    if types::is_pointer(kind) {
                        place.alias = Some(Rc::clone(&key));
                    }
                    let is_data =
                        matches!(self.kind(bare), ExpressionKind::Subscript { .. } | ExpressionKind::Dereference(_));
                    let root = key.trim_start_matches('*').split(['.', '[']).next().unwrap_or("");
                    let from_caller = self.variables.get(root).is_some_and(|variable| variable.is_parameter);
                    let is_fresh = place.number == Number::Plain && !place.has_upper;
                    if is_data && from_caller && is_fresh && types::is_integer(kind) {
                        place.number = Number::Stored;
                    }
                }
            }
        }
        place
    }
}
