//! Pointers: null, given back, gone.

use std::rc::Rc;

use super::rules::{
    DANGLING, DOUBLE_FREE, END_FOLLOWED, ERASED, FREED_NOT_HEAP, MISMATCHED, NULL_FOLLOWED, REALLOCATED, RELEASED,
    RESULT_TRUSTED, UNCHECKED_ALLOCATION, UNCHECKED_CALL, UNCHECKED_OPEN, UNCHECKED_SEARCH, USED_AFTER_FREE,
};
use super::state::{Allocator, Nullness, Origin, reaches_through};
use super::{Reader, types};
use crate::syntax::{ExpressionId, ExpressionKind, Statement, StatementKind};

impl<'m> Reader<'m, '_, '_> {
    /// A pointer is followed.
    pub(super) fn follow(&mut self, pointer: ExpressionId) {
        let bare = self.bare(pointer);
        if let ExpressionKind::Binary { left, .. } = self.kind(bare) {
            self.follow(*left);
            return;
        }
        let Some(key) = self.key(bare) else {
            return self.follow_result(bare);
        };
        if self.variables.get(&key).is_some_and(|variable| variable.is_array) {
            return;
        }
        let span = self.span(pointer);
        let place = self.state.place(&key);
        let alias = place.alias.clone();
        if !place.was_compared {
            place.followed.get_or_insert(span);
            if let Some(alias) = alias {
                let other = self.state.place(&alias);
                if !other.was_compared {
                    other.followed.get_or_insert(span);
                }
            }
        }
        let place = self.state.place(&key);
        if place.freed.take().is_some() {
            self.report.add(
                &USED_AFTER_FREE,
                span,
                format!("the memory behind {key} was given back; do not use it again"),
                None,
            );
            return;
        }
        let place = self.state.place(&key);
        if place.given_up.take().is_some() {
            self.report.add(
                &RELEASED,
                span,
                format!("the reference to {key} was given up before; do that after the last use"),
                None,
            );
        }
        let place = self.state.place(&key);
        let null = place.null;
        if null != Nullness::Unknown {
            place.null = Nullness::NotNull;
        }
        match null {
            Nullness::Unchecked(origin) => {
                let (rule, what) = match origin {
                    Origin::Allocation => (&UNCHECKED_ALLOCATION, "when there is no memory this is null"),
                    Origin::Opening => (&UNCHECKED_OPEN, "when the file cannot be opened this is null"),
                    Origin::Search => (&UNCHECKED_SEARCH, "when nothing is found this is null"),
                    Origin::Named => (&UNCHECKED_CALL, "the function may return null"),
                    Origin::Call => (&RESULT_TRUSTED, "the function may return null"),
                    Origin::Container => (&END_FOLLOWED, "when nothing is found this is the end"),
                };
                let with = if origin == Origin::Container { "the end" } else { "null" };
                self.report.add(rule, span, format!("{what}; compare {key} with {with} first"), None);
            }
            Nullness::Null => {
                self.report.add(&NULL_FOLLOWED, span, format!("{key} is null here; return before this"), None);
            }
            _ => {}
        }
    }

    /// `strchr(text, 'a')[1]`: a result that is followed at once.
    fn follow_result(&mut self, id: ExpressionId) {
        let Some((name, _)) = self.as_call(id) else { return };
        if super::calls::origin(&name, true) == Some(Origin::Search) {
            let span = self.span(id);
            self.report.add(
                &UNCHECKED_SEARCH,
                span,
                "when nothing is found this is null; keep it and compare it with null first",
                None,
            );
        }
    }

    /// A pointer is handed to a function that is not known to follow it.
    pub(super) fn pass(&mut self, argument: ExpressionId) {
        let Some(key) = self.key(self.bare(argument)) else { return };
        let Some(place) = self.state.places.get_mut(&key) else { return };
        if place.freed.take().is_some() {
            let span = self.span(argument);
            self.report.add(
                &USED_AFTER_FREE,
                span,
                format!("the memory behind {key} was given back; do not use it again"),
                None,
            );
        }
    }

    /// Memory is given back.
    pub(super) fn release(&mut self, argument: ExpressionId, name: &str) {
        let bare = self.bare(argument);
        let span = self.span(argument);
        let is_array = self.variable(bare).is_some_and(|variable| variable.is_array && !variable.is_parameter);
        let is_plain_free = matches!(name, "free" | "kfree" | "vfree" | "delete" | "delete[]");
        let is_address = matches!(
            self.kind(bare),
            ExpressionKind::Address(_) | ExpressionKind::Constant(crate::syntax::Constant::Text(_))
        );
        if is_plain_free && (is_array || is_address) || self.is_address_of_pointer(argument) {
            self.report.add(&FREED_NOT_HEAP, span, "this memory was not allocated; do not free it", None);
            return;
        }
        let Some(key) = self.key(bare) else { return };
        let allocator = self.state.place(&key).allocator;
        let fits = !matches!(
            (allocator, name),
            (Some(Allocator::Malloc), "delete" | "delete[]")
                | (Some(Allocator::New), "free" | "delete[]")
                | (Some(Allocator::NewArray), "free" | "delete")
        );
        if !fits {
            self.report.add(
                &MISMATCHED,
                span,
                "this memory was taken in another way than it is given back; use the counterpart",
                None,
            );
        }
        let place = self.state.place(&key);
        if place.freed.is_some() {
            self.report.add(&DOUBLE_FREE, span, format!("{key} was given back before; set it to null there"), None);
            return;
        }
        if place.null == Nullness::Null {
            return;
        }
        place.is_owned = false;
        let is_loop_field = self.num_loops > 0 && key.contains('[');
        self.state.forget_below(&key);
        if !is_loop_field {
            self.state.place(&key).freed = Some(span);
        }
    }

    /// `release((struct box *)&pointer)`: the cast hides that this is the address of the pointer.
    fn is_address_of_pointer(&self, argument: ExpressionId) -> bool {
        let ExpressionKind::Cast { value, .. } = self.kind(argument) else { return false };
        let ExpressionKind::Address(inner) = self.kind(self.bare(*value)) else { return false };
        let cast = self.report.written(self.span(argument));
        let stars = cast.split(')').next().map_or(0, |kind| kind.matches('*').count());
        stars == 1 && !cast.contains("void") && self.is_pointer(*inner)
    }

    /// Memory that other names lead to may move.
    pub(super) fn expire_aliases(&mut self, memory: ExpressionId) {
        let Some(key) = self.key(self.bare(memory)) else { return };
        let span = self.span(memory);
        for place in self.state.places.values_mut().filter(|place| place.alias.as_ref() == Some(&key)) {
            place.freed = Some(span);
        }
    }

    /// Fields that were given back and still point there when the function is left.
    pub(super) fn check_dangling(&mut self) {
        let freed: Vec<_> =
            self.state.places.iter().filter_map(|(key, place)| Some((Rc::clone(key), place.freed?))).collect();
        for (key, span) in &freed {
            let is_field = key.contains('.') && key.starts_with('*');
            let owner_is_gone = freed.iter().any(|(other, _)| other != key && reaches_through(key, other));
            let root = key.trim_start_matches('*').split(['.', '[']).next().unwrap_or("");
            let is_parameter = self.variables.get(root).is_some_and(|variable| variable.is_parameter);
            if is_field && !owner_is_gone && is_parameter {
                self.report.add(
                    &DANGLING,
                    *span,
                    "this field still points to the memory that was given back; set it to null",
                    None,
                );
            }
        }
    }

    /// `p = realloc(p, n)`.
    pub(super) fn check_reallocated(&mut self, key: &Rc<str>, value: ExpressionId) {
        let Some((name, arguments)) = self.as_call(value) else { return };
        if matches!(name.as_ref(), "realloc" | "reallocarray" | "krealloc")
            && let Some(first) = arguments.first()
            && self.key(*first).as_ref() == Some(key)
        {
            let span = self.span(*first);
            self.report.add(
                &REALLOCATED,
                span,
                "when this fails the old memory is lost; keep the result in another variable first",
                None,
            );
        }
    }

    /// `for (auto x : list) list.erase(...)`.
    pub(super) fn check_erased(&mut self, iterable: ExpressionId, body: &'m [Statement]) {
        let Some(list) = self.key(iterable) else { return };
        for statement in body {
            match &statement.kind {
                StatementKind::Expression(id) => {
                    let ExpressionKind::Call { callee, .. } = self.kind(*id) else { continue };
                    let ExpressionKind::Attribute { base, name } = self.kind(*callee) else { continue };
                    if matches!(name.as_ref(), "erase" | "push_back" | "insert" | "clear" | "emplace_back")
                        && self.key(*base).as_ref() == Some(&list)
                    {
                        let span = self.span(*callee);
                        self.report.add(
                            &ERASED,
                            span,
                            "the loop goes on with an iterator that is no longer valid; collect the changes first",
                            None,
                        );
                    }
                }
                StatementKind::If { branches, .. } => {
                    for (_, inner) in branches {
                        let leaves = matches!(
                            inner.last().map(|last| &last.kind),
                            Some(StatementKind::Break | StatementKind::Return(_))
                        );
                        if !leaves {
                            self.check_erased(iterable, inner);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Whether an expression is a pointer to a declared type.
    pub(super) fn is_pointer(&self, id: ExpressionId) -> bool {
        self.variable(id).is_some_and(|variable| types::is_pointer(&variable.kind) && !variable.is_array)
    }
}
