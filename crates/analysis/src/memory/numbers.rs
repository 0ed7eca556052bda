//! Numbers: lengths, products, divisors, indexes.

use super::rules::{
    BELOW_ZERO, COMPARED_TEXT, COUNTDOWN, DIVISOR, GREAT_ARRAY, INDEX_INPUT, INDEX_NEGATIVE, INDEX_READ, INDEX_STORED,
    LENGTH_IGNORED, OFF_BY_ONE, OUT_OF_RANGE, PRINTED_LENGTH, SCALED_TWICE, SUM_COMPARED, TERMINATED_PAST,
};
use std::rc::Rc;

use super::state::Number;
use super::{Reader, types};
use crate::syntax::{
    BinaryOperator, Comparison, Constant, ExpressionId, ExpressionKind, Function, Parameter, Span, Statement,
    StatementKind,
};

/// Words in the name of a parameter that says how long another is.
pub(super) const LENGTH_WORDS: &[&str] = &[
    "len",
    "length",
    "size",
    "bytes",
    "avail",
    "remaining",
    "buflen",
    "datalen",
    "nbytes",
    "caplen",
    "buffsize",
    "bufsize",
    "count",
];

/// Whether a field's name says that it is a number of elements.
fn counts(name: &str) -> bool {
    let is_count = |word: &String| {
        matches!(
            word.as_str(),
            "count" | "num" | "number" | "size" | "length" | "len" | "total" | "n" | "max" | "cells"
        )
    };
    crate::rules::evidence::words(name).iter().any(is_count)
}

impl<'m> Reader<'m, '_, '_> {
    /// Notes which parameter says how many bytes are behind another: the next one after a pointer to bytes that is called so.
    pub(super) fn pair_lengths(&mut self, function: &Function) {
        for pair in function.parameters.windows(2) {
            let [pointer, length] = pair else { continue };
            let kind = |parameter: &Parameter| parameter.annotation.clone().unwrap_or_else(|| "".into());
            let is_bytes = types::element_size(&kind(pointer)) == Some(1)
                || kind(pointer).contains("char *")
                || kind(pointer).contains("ut8 *");
            let words = crate::rules::evidence::words(&length.name);
            let is_length =
                types::is_integer(&kind(length)) && words.iter().any(|word| LENGTH_WORDS.contains(&word.as_str()));
            if is_bytes && is_length && kind(pointer).matches('*').count() == 1 {
                self.lengths.push((Rc::clone(&pointer.name), Rc::clone(&length.name)));
            }
        }
    }

    /// An element at a fixed place is read, and nobody asked whether there are so many.
    pub(super) fn check_length_read(&mut self, pointer: ExpressionId, index: Option<i64>, span: Span) {
        let Some(key) = self.key(self.bare(pointer)) else { return };
        let origin = self.state.places.get(&key).and_then(|place| place.alias.clone());
        let is_one = |name: &Rc<str>| *name == key || origin.as_ref() == Some(name);
        let Some(at) = self.lengths.iter().position(|(name, _)| is_one(name)) else { return };
        let length = Rc::clone(&self.lengths[at].1);
        let place = self.state.place(&length).clone();
        let is_short = place.min.zip(index).is_some_and(|(least, index)| (1..=index).contains(&least));
        if index.is_some_and(|index| index < 1) {
            return;
        }
        let was_looked_at = place.has_upper || place.has_lower || place.was_compared;
        if !was_looked_at || is_short && !place.is_weighed {
            self.report.add(
                &LENGTH_IGNORED,
                span,
                format!("{length} may be less than this needs; compare it first"),
                None,
            );
            self.lengths.remove(at);
        }
    }

    /// A number is added to a place: what is known of it does not hold any more.
    pub(super) fn advance(&mut self, target: ExpressionId, operator: BinaryOperator, value: ExpressionId) {
        let Some(key) = self.key(target) else { return };
        self.check_moved(&key, operator, value);
        let is_outside = operator == BinaryOperator::Add
            && self.mentioned(value).iter().any(|part| {
                self.state.places.get(part).is_some_and(|known| {
                    !known.has_upper
                        && matches!(known.number, Number::Input | Number::Stored)
                        && self.variables.get(part).is_some_and(|variable| !variable.is_parameter)
                })
            });
        let is_integer = self.variables.get(&key).is_some_and(|variable| types::is_integer(&variable.kind));
        let is_measured = self.as_call(value).is_some();
        let can_grow = is_integer
            && self.num_loops > 0
            && operator == BinaryOperator::Add
            && self.number(value).is_none()
            && !is_measured
            && self.mentioned(value).iter().any(|part| part.contains('.'));
        let place = self.state.place(&key);
        let was_weighed = std::mem::replace(&mut place.is_weighed, true);
        place.min = None;
        place.was_moved = true;
        place.is_grown |= can_grow && !was_weighed;
        if is_outside && is_integer {
            place.number = Number::Input;
            place.has_upper = false;
        }
    }

    /// A pointer that comes with its length is moved on, and nobody asked whether there is so much.
    fn check_moved(&mut self, key: &Rc<str>, operator: BinaryOperator, value: ExpressionId) {
        self.state.place(key).alias = None;
        let Some(at) = self.lengths.iter().position(|(name, _)| name == key) else { return };
        let length = Rc::clone(&self.lengths[at].1);
        let is_unasked = self
            .state
            .places
            .get(&length)
            .is_none_or(|place| !place.has_upper && !place.has_lower && !place.was_compared);
        if is_unasked && operator == BinaryOperator::Add && self.number(value).is_some_and(|number| number > 1) {
            let span = self.span(value);
            self.report.add(&LENGTH_IGNORED, span, format!("{length} may be less than this; compare it first"), None);
        }
        self.lengths.remove(at);
    }

    /// `READ16(data + 4)`: a macro or a conversion reads behind a fixed offset.
    pub(super) fn check_offset_read(&mut self, argument: ExpressionId) {
        let (pointer, offset) = match self.kind(self.bare(argument)) {
            ExpressionKind::Binary { operator: BinaryOperator::Add, left, right } => (*left, *right),
            ExpressionKind::Address(inner) => match self.kind(*inner) {
                ExpressionKind::Subscript { base, index } => (*base, *index),
                _ => return,
            },
            _ => return,
        };
        if let Some(offset) = self.number(offset) {
            let span = self.span(argument);
            self.check_length_read(pointer, Some(offset.saturating_add(1)), span);
        }
    }

    /// Whether a product may be too great for its type: some factor is no constant and was not compared with anything.
    pub(super) fn may_wrap(&self, id: ExpressionId) -> bool {
        match self.kind(self.bare(id)) {
            ExpressionKind::Binary { operator: BinaryOperator::Multiply | BinaryOperator::Add, left, right } => {
                self.may_wrap(*left) || self.may_wrap(*right)
            }
            ExpressionKind::Name(_) | ExpressionKind::Attribute { .. } | ExpressionKind::Dereference(_) => {
                self.number(id).is_none() && self.key(self.bare(id)).is_some_and(|key| self.is_unbounded_input(&key))
            }
            _ => false,
        }
    }

    /// Whether a number came from outside the function and was not compared with anything.
    fn is_unbounded_input(&self, key: &str) -> bool {
        let place = self.state.places.get(key);
        if place.is_some_and(|place| place.has_upper) {
            return false;
        }
        let is_input = place.is_some_and(|place| place.number == Number::Input);
        let root = key.trim_start_matches('*').split(['.', '[']).next().unwrap_or("");
        let is_field = key.contains('.') && self.variables.get(root).is_some_and(|variable| variable.is_parameter);
        is_input || is_field
    }

    pub(super) fn check_index(&mut self, base: ExpressionId, index: ExpressionId, is_write: bool) {
        let span = self.span(index);
        self.check_counted(base, index);
        if let Some(number) = self.number(index).filter(|_| !is_write) {
            self.check_length_read(base, Some(number), span);
        }
        if self.is_own_size(base, index) {
            self.report.add(
                &OUT_OF_RANGE,
                span,
                "an index counts from 0 on, and this is the number of elements; stay below it",
                None,
            );
            return;
        }
        let count = self.variable(base).filter(|variable| variable.is_array).and_then(|variable| variable.count);
        if let (Some(number), Some(count)) = (self.number(index), count) {
            if number >= count || number < 0 {
                self.report.add(
                    &OUT_OF_RANGE,
                    span,
                    format!("the array has {count} elements, from 0 on; stay below that"),
                    None,
                );
            }
            return;
        }
        let Some(key) = self.key(self.bare(index)) else { return };
        let place = self.state.place(&key).clone();
        if let (Some(max), Some(count)) = (place.max, count)
            && max == count
        {
            self.report.add(
                &OFF_BY_ONE,
                span,
                format!("the index reaches {max} in an array of {count} elements; stop one earlier"),
                None,
            );
            return;
        }
        if let (Some(name), true) =
            (&place.reaches, self.variable(base).is_some_and(|variable| variable.count_name == place.reaches))
        {
            self.report.add(
                &OFF_BY_ONE,
                span,
                format!("the index reaches {name} in an array of {name} elements; stop one earlier"),
                None,
            );
            return;
        }
        if let (Some(limit), Some(list)) = (&place.reaches, self.key(base))
            && let (Some((owner, count)), Some((other, _))) = (limit.rsplit_once('.'), list.rsplit_once('.'))
            && owner == other
            && counts(count)
        {
            self.report.add(
                &OFF_BY_ONE,
                span,
                format!(
                    "the index may be as great as {count}, and the last element is one before that; stop one earlier"
                ),
                None,
            );
            return;
        }
        match &place.number {
            Number::ReadInto(buffer) if is_write && self.key(base).as_ref() == Some(buffer) && place.max.is_none() => {
                self.report.add(
                    &TERMINATED_PAST,
                    span,
                    "when the buffer was filled this is one past its end; read one byte less",
                    None,
                );
                return;
            }
            Number::Printed if is_write && !place.has_upper => {
                self.report.add(
                    &PRINTED_LENGTH,
                    span,
                    "this is the length that the text would have had; compare it with the size of the buffer",
                    None,
                );
                return;
            }
            _ => {}
        }
        let is_array = self.variable(base).is_some_and(|variable| variable.is_array);
        let is_parameter = self.variables.get(&key).is_some_and(|variable| variable.is_parameter);
        let is_signed = self.variables.get(&key).is_some_and(|variable| types::is_signed(&variable.kind));
        let is_table = self.variable(base).is_none_or(|variable| variable.is_array)
            && self.key(base).is_some_and(|key| !key.contains('*'));
        if place.number == Number::Stored && !place.has_upper && !place.has_lower && is_table {
            self.report.add(
                &INDEX_STORED,
                span,
                format!("{key} was read from data and compared with nothing; compare it with the number of elements"),
                None,
            );
            return;
        }
        if place.number == Number::Input && !place.has_upper && !(place.has_lower && self.num_loops > 0) {
            let is_global = self.variable(base).is_none();
            let is_handed = self.variable(base).is_some_and(|variable| variable.is_parameter);
            if is_parameter || is_array || is_global || is_handed {
                let rule = if is_write { &INDEX_INPUT } else { &INDEX_READ };
                self.report.add(
                    rule,
                    span,
                    format!("{key} was compared with no upper bound; compare it with the number of elements"),
                    None,
                );
            }
        } else if place.number == Number::Input
            && place.has_upper
            && !place.has_lower
            && is_signed
            && !self.counters.contains(&key)
        {
            self.report.add(
                &INDEX_NEGATIVE,
                span,
                format!("{key} may be less than zero; compare it with zero too"),
                None,
            );
        }
    }

    /// `line[sizeof(line)]`, or `line[SIZE]` where the array has SIZE elements.
    fn is_own_size(&self, base: ExpressionId, index: ExpressionId) -> bool {
        let Some(name) = self.key(base) else { return false };
        if let Some((called, arguments)) = self.as_call(index) {
            let is_size = matches!(called.as_ref(), "sizeof" | "ARRAY_SIZE" | "nitems" | "countof" | "_countof");
            let is_pointer = self.is_pointer(base);
            return is_size
                && !is_pointer
                && arguments.first().and_then(|only| self.key(*only)).as_ref() == Some(&name);
        }
        let count_name = self.variable(base).and_then(|variable| variable.count_name.clone());
        count_name.is_some() && self.key(index) == count_name
    }

    /// A loop that counts an index down and stops at nothing but what the memory holds.
    pub(super) fn check_countdown(&mut self, test: ExpressionId, body: &'m [Statement]) {
        let ExpressionKind::Compare { left, .. } = self.kind(test) else { return };
        let counted = |id: ExpressionId| -> Option<std::rc::Rc<str>> {
            let is_down = |operator: BinaryOperator| operator == BinaryOperator::Subtract;
            match self.kind(id) {
                // `i--` is `(i = i - 1) + 1`.
                ExpressionKind::Binary { left, .. } => match self.kind(*left) {
                    ExpressionKind::Named { target, value } => match self.kind(*value) {
                        ExpressionKind::Binary { operator, .. } if is_down(*operator) => self.key(*target),
                        _ => None,
                    },
                    _ => None,
                },
                ExpressionKind::Named { target, value } => match self.kind(*value) {
                    ExpressionKind::Binary { operator, .. } if is_down(*operator) => self.key(*target),
                    _ => None,
                },
                _ => None,
            }
        };
        let mut down = Vec::new();
        for statement in body {
            match &statement.kind {
                StatementKind::Expression(id) => down.extend(counted(*id)),
                StatementKind::Augment { target, operator: BinaryOperator::Subtract, .. } => {
                    down.extend(self.key(*target));
                }
                StatementKind::If { .. } | StatementKind::Break | StatementKind::Return(_) => return,
                _ => {}
            }
        }
        let index = match self.kind(self.bare(*left)) {
            ExpressionKind::Subscript { index, .. } => *index,
            ExpressionKind::Dereference(pointer) => *pointer,
            _ => return,
        };
        let first = self.module.expression(index).first;
        let names: Vec<_> = (first..=index).filter_map(|at| self.key(at)).collect();
        if names.iter().any(|name| down.contains(name)) {
            let span = self.span(index);
            self.report.add(
                &COUNTDOWN,
                span,
                "nothing stops this before the start of the memory; compare it with the start too",
                None,
            );
        }
    }

    pub(super) fn check_divisor(&mut self, divisor: ExpressionId) {
        let Some(key) = self.key(self.bare(divisor)) else { return };
        let place = self.state.place(&key).clone();
        let is_integer = self.variables.get(&key).is_some_and(|variable| types::is_integer(&variable.kind));
        if is_integer && place.number == Number::Input && !place.has_lower && !place.has_upper {
            let span = self.span(divisor);
            self.report.add(&DIVISOR, span, format!("{key} may be zero; compare it with zero first"), None);
        }
    }

    /// `pointer + n * sizeof(*pointer)`: the compiler multiplies once more.
    pub(super) fn check_scaled(&mut self, left: ExpressionId, right: ExpressionId) {
        for (pointer, offset) in [(left, right), (right, left)] {
            let Some(variable) = self.variable(pointer) else { continue };
            let is_wide = types::element_size(&variable.kind).is_some_and(|size| size > 1);
            let ExpressionKind::Binary { operator: BinaryOperator::Multiply, left: one, right: two } =
                self.kind(self.bare(offset))
            else {
                continue;
            };
            let is_size = |id: ExpressionId| self.as_call(id).is_some_and(|(name, _)| name.as_ref() == "sizeof");
            if is_wide && (is_size(*one) || is_size(*two)) && matches!(self.kind(pointer), ExpressionKind::Name(_)) {
                let span = self.span(offset);
                self.report.add(
                    &SCALED_TWICE,
                    span,
                    "an offset of a pointer counts elements, not bytes; leave out sizeof",
                    None,
                );
            }
        }
    }

    pub(super) fn check_comparison(
        &mut self,
        left: ExpressionId,
        operator: Comparison,
        right: ExpressionId,
        whole: ExpressionId,
    ) {
        let span = self.span(whole);
        self.check_wrapped(left, operator, right);
        for side in [left, right] {
            self.check_difference(side);
        }
        let is_text =
            |id: ExpressionId| matches!(self.kind(self.bare(id)), ExpressionKind::Constant(Constant::Text(_)));
        if matches!(operator, Comparison::Equal | Comparison::NotEqual)
            && (is_text(left) && self.is_pointer(right) || is_text(right) && self.is_pointer(left))
        {
            self.report.add(&COMPARED_TEXT, span, "this compares addresses, not texts; use strcmp", None);
        }
        if matches!(operator, Comparison::Less | Comparison::LessEqual | Comparison::Greater | Comparison::GreaterEqual)
        {
            self.check_sum(left, right);
            self.check_sum(right, left);
        }
        let is_unsigned = self.variable(left).is_some_and(|variable| types::is_unsigned(&variable.kind));
        if operator == Comparison::Less && self.number(right) == Some(0) && is_unsigned {
            self.report.add(&BELOW_ZERO, span, "an unsigned number is never less than zero; use a signed type", None);
        }
    }

    /// `from + length > size`: the sum may have wrapped around.
    fn check_sum(&mut self, sum: ExpressionId, limit: ExpressionId) {
        let ExpressionKind::Binary { operator: BinaryOperator::Add, left, right } = self.kind(sum) else { return };
        let is_free = |id: ExpressionId| {
            self.variable(id).is_some_and(|variable| {
                variable.is_parameter
                    && types::is_unsigned(&variable.kind)
                    && types::size(&variable.kind).is_none_or(|size| size >= 4)
            })
        };
        let is_bounded = |id: ExpressionId| {
            let place = self.key(self.bare(id)).and_then(|key| self.state.places.get(&key));
            place.is_none_or(|place| place.number != Number::Input || place.has_upper)
        };
        if is_free(*left)
            && is_free(*right)
            && !(is_bounded(*left) && is_bounded(*right))
            && self.number(limit).is_none()
        {
            let span = self.span(sum);
            self.report.add(
                &SUM_COMPARED,
                span,
                "a great sum wraps around and passes; compare one with what is left after the other",
                None,
            );
        }
    }

    /// `char line[n]` with a length from outside.
    pub(super) fn check_array_size(&mut self, size: ExpressionId) {
        if self.number(size).is_some() {
            return;
        }
        let Some(key) = self.key(self.bare(size)) else { return };
        let place = self.state.place(&key).clone();
        let is_parameter =
            self.variables.get(&key).is_some_and(|variable| variable.is_parameter && types::is_integer(&variable.kind));
        if is_parameter && !place.has_upper {
            let span = self.span(size);
            self.report.add(
                &GREAT_ARRAY,
                span,
                format!("a great {key} runs past the end of the stack; allocate it, or compare it with a limit"),
                None,
            );
        }
    }
}
