//! What follows from conditions.

use std::rc::Rc;

use super::Reader;
use super::rules::CHECKED_LATE;
use super::state::Nullness;
use crate::syntax::{Comparison, Constant, ExpressionId, ExpressionKind};

/// Conditions with more parts than this are not taken apart.
const MAX_PARTS: usize = 200;

impl Reader<'_, '_, '_> {
    /// From here on the condition is known to be true or false.
    pub(super) fn assume(&mut self, test: ExpressionId, truth: bool) {
        match self.kind(test) {
            ExpressionKind::Not(inner) => self.assume(*inner, !truth),
            ExpressionKind::Cast { value, .. } => self.assume(*value, truth),
            ExpressionKind::Splat(inner) => self.assume(*inner, truth),
            ExpressionKind::Boolean { is_and, left, right } => {
                let (left, right) = (*left, *right);
                if *is_and == truth {
                    self.assume(left, truth);
                    self.assume(right, truth);
                } else {
                    self.touch(left);
                    self.touch(right);
                }
            }
            ExpressionKind::Compare { left, links } => {
                let mut left = *left;
                for (operator, right) in links {
                    self.assume_link(left, *operator, *right, truth);
                    left = *right;
                }
            }
            ExpressionKind::Named { target, value } => {
                self.touch(*value);
                self.assume_set(*target, truth);
            }
            ExpressionKind::Call { .. } => {
                let Some((name, arguments)) = self.as_call(test) else { return };
                if let ("IS_ERR" | "IS_ERR_OR_NULL" | "isnan", Some(first)) = (name.as_ref(), arguments.first()) {
                    self.assume_set(*first, !truth);
                }
                for argument in arguments {
                    self.touch(argument);
                }
            }
            ExpressionKind::Constant(constant) => {
                if constant.is_truthy() != truth {
                    self.state.is_dead = true;
                }
            }
            ExpressionKind::Other(_) => {}
            _ => {
                self.assume_set(test, truth);
                // That a number is not zero bounds it below only.
                if matches!(self.kind(self.bare(test)), ExpressionKind::Attribute { .. }) {
                    self.mark(test, false, true);
                } else {
                    self.touch_numbers(test);
                }
            }
        }
    }

    /// A pointer or a number is set, or it is null or zero.
    fn assume_set(&mut self, id: ExpressionId, is_set: bool) {
        let Some(key) = self.key(self.bare(id)) else { return };
        self.note_late_check(&key);
        let place = self.state.place(&key);
        place.was_compared = true;
        if is_set {
            place.null = Nullness::NotNull;
            place.has_lower = true;
        } else {
            place.null = Nullness::Null;
            place.is_owned = false;
            place.freed = None;
        }
    }

    /// A pointer that was followed above is compared with null here.
    fn note_late_check(&mut self, key: &Rc<str>) {
        let is_pointer = self.variables.get(key).is_some_and(|variable| super::types::is_pointer(&variable.kind));
        if !is_pointer || self.num_loops > 0 {
            return;
        }
        let place = self.state.place(key);
        let followed = place.followed.take().filter(|_| !place.was_compared && place.null == Nullness::Unknown);
        if let Some(span) = followed {
            self.report.add(
                &CHECKED_LATE,
                span,
                format!("{key} is followed here and compared with null further down; compare it first"),
                None,
            );
        }
    }

    fn is_nothing(&self, id: ExpressionId) -> bool {
        matches!(self.kind(self.bare(id)), ExpressionKind::Constant(Constant::None | Constant::Integer(0)))
    }

    fn assume_link(&mut self, left: ExpressionId, operator: Comparison, right: ExpressionId, truth: bool) {
        let operator = if truth { operator } else { opposite(operator) };
        for (one, other) in [(left, right), (right, left)] {
            if self.as_call(other).is_some_and(|(name, _)| matches!(name.as_ref(), "end" | "cend")) {
                self.assume_set(one, operator == Comparison::NotEqual);
            }
            if self.is_nothing(other) {
                match operator {
                    Comparison::Equal => self.assume_set(one, false),
                    Comparison::NotEqual => self.assume_set(one, true),
                    _ => {}
                }
            }
        }
        match operator {
            Comparison::Less | Comparison::LessEqual => self.bound(left, right, operator == Comparison::Less),
            Comparison::Greater | Comparison::GreaterEqual => self.bound(right, left, operator == Comparison::Greater),
            Comparison::Equal => {
                self.assume_left(left, None);
                self.assume_left(right, None);
                self.weigh(left);
                self.weigh(right);
                self.mark(left, true, true);
                self.mark(right, true, true);
            }
            _ => {
                self.touch_numbers(left);
                self.touch_numbers(right);
            }
        }
    }

    /// `small` is no more than `great`.
    fn bound(&mut self, small: ExpressionId, great: ExpressionId, is_strict: bool) {
        let are_weighed = self.number(small).is_none() && self.number(great).is_none();
        if are_weighed {
            self.weigh(small);
            self.weigh(great);
        }
        if let (Some(least), Some(key)) = (self.number(small), self.key(self.bare(great))) {
            let least = least.saturating_add(i64::from(is_strict));
            let place = self.state.place(&key);
            place.min = Some(place.min.map_or(least, |known| known.max(least)));
        }
        if let Some(key) = self.key(self.bare(small)) {
            self.state.place(&key).is_grown = false;
        }
        self.mark(small, true, false);
        self.assume_left(great, self.number(small).map(|number| number + i64::from(is_strict)));
        let is_sign = self.number(small).is_some_and(|number| number <= 1);
        self.mark(great, !is_sign && self.number(small).is_none(), true);
        // A place that is less than another number may itself be too great.
        if let (Some(key), Some(limit)) = (self.key(self.bare(small)), self.number(great)) {
            let limit = if is_strict { limit.saturating_sub(1) } else { limit };
            let place = self.state.place(&key);
            place.max = Some(place.max.map_or(limit, |known| known.min(limit)));
        }
        if let (Some(key), Some(limit)) = (self.key(self.bare(small)), self.key(self.bare(great))) {
            let limit = Some(limit).filter(|limit| !is_strict && !self.variables.contains_key(limit));
            self.state.place(&key).reaches = limit;
        }
    }

    /// The places in an expression were compared with something.
    fn mark(&mut self, id: ExpressionId, upper: bool, lower: bool) {
        let first = self.module.expression(id).first;
        let mut keys = Vec::new();
        for at in (first..=id).take(MAX_PARTS) {
            if matches!(
                self.kind(at),
                ExpressionKind::Name(_)
                    | ExpressionKind::Attribute { .. }
                    | ExpressionKind::Subscript { .. }
                    | ExpressionKind::Dereference(_)
            ) {
                keys.extend(self.key(at));
            }
            if let Some((name, arguments)) =
                self.as_call(at).filter(|_| matches!(self.kind(at), ExpressionKind::Call { .. }))
                && let (true, Some(text)) = (
                    name.contains("len") || name.as_ref() == "size",
                    arguments.first().and_then(|first| self.key(*first)),
                )
            {
                keys.push(format!("length of {text}").into());
            }
        }
        for key in keys {
            let place = self.state.place(&key);
            place.has_upper |= upper;
            place.has_lower |= lower;
        }
    }

    /// The places in an expression were compared with what is no plain number.
    fn weigh(&mut self, id: ExpressionId) {
        for key in self.mentioned(id) {
            self.state.place(&key).is_weighed = true;
        }
    }

    pub(super) fn touch_numbers(&mut self, id: ExpressionId) {
        self.weigh(id);
        self.mark(id, true, true);
    }

    /// Something about these places was looked at; what, is not known.
    pub(super) fn touch(&mut self, id: ExpressionId) {
        self.touch_numbers(id);
        let first = self.module.expression(id).first;
        for at in (first..=id).take(MAX_PARTS) {
            if let Some(key) = self.key(at)
                && let Some(place) = self.state.places.get_mut(&key)
            {
                place.was_compared = true;
                if !matches!(place.null, Nullness::NotNull) {
                    place.null = Nullness::Unknown;
                }
            }
        }
    }
}

fn opposite(operator: Comparison) -> Comparison {
    match operator {
        Comparison::Equal => Comparison::NotEqual,
        Comparison::NotEqual => Comparison::Equal,
        Comparison::Less => Comparison::GreaterEqual,
        Comparison::LessEqual => Comparison::Greater,
        Comparison::Greater => Comparison::LessEqual,
        Comparison::GreaterEqual => Comparison::Less,
        other => other,
    }
}
