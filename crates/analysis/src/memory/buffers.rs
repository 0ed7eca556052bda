//! Buffers: what is written to them, and how much of it there is.

use std::rc::Rc;

use super::rules::{
    APPEND_SIZE, COPY_EXCEEDS, COPY_LENGTH, COPY_UNBOUNDED, DEST_OFFSET, FORMAT_UNBOUNDED, LENGTH_NEGATIVE,
    LENGTH_SHORT, POINTER_SIZE, PRODUCT, SCAN_UNBOUNDED, SCAN_WIDE, SET_SWAPPED, SIZED_BY_SOURCE, SUM, TEXT_EXCEEDS,
    UNTERMINATED,
};
use super::state::Number;
use super::{Reader, types};
use crate::syntax::{BinaryOperator, Constant, ExpressionId, ExpressionKind};

/// Functions that write a number of bytes: positions of the memory and of the number.
const SIZED: &[(&str, usize, usize)] = &[
    ("memcpy", 0, 2),
    ("memmove", 0, 2),
    ("memset", 0, 2),
    ("strncpy", 0, 2),
    ("read", 1, 2),
    ("recv", 1, 2),
    ("recvfrom", 1, 2),
    ("pread", 1, 2),
    ("fgets", 0, 1),
    ("snprintf", 0, 1),
    ("vsnprintf", 0, 1),
    ("readlink", 1, 2),
    ("getcwd", 0, 1),
    ("SSL_read", 1, 2),
    ("BIO_read", 1, 2),
    ("copy_from_user", 0, 2),
    ("bcopy", 1, 2),
    ("strlcpy", 0, 2),
    ("gethostname", 0, 1),
    ("wmemcpy", 0, 2),
    ("strftime", 0, 1),
    ("lstrcpyn", 0, 2),
    ("RAND_bytes", 0, 1),
];

impl Reader<'_, '_, '_> {
    fn text_of(&self, id: ExpressionId) -> Option<Rc<str>> {
        match self.kind(self.bare(id)) {
            ExpressionKind::Constant(Constant::Text(text)) => Some(Rc::clone(text)),
            _ => None,
        }
    }

    /// Whether a text can be of any length, as far as this function knows.
    fn is_unbounded_text(&self, id: ExpressionId) -> bool {
        let bare = self.bare(id);
        if self.text_of(bare).is_some() || self.bytes_of(bare).is_some() {
            return false;
        }
        if let ExpressionKind::Conditional { body, otherwise, .. } = self.kind(bare) {
            return self.is_unbounded_text(*body) || self.is_unbounded_text(*otherwise);
        }
        let Some(key) = self.key(bare) else {
            return !matches!(self.kind(bare), ExpressionKind::Call { .. });
        };
        let length: Rc<str> = format!("length of {key}").into();
        !self.state.places.get(&length).is_some_and(|place| place.has_upper)
    }

    /// `strcpy` and `strcat`.
    pub(super) fn copy_text(&mut self, arguments: &[ExpressionId], is_append: bool) {
        let [to, from, ..] = arguments else { return };
        let span = self.span(*from);
        let size = self.bytes_of(*to);
        if let (Some(text), Some(size)) = (self.text_of(*from), size) {
            if i64::try_from(text.len()).is_ok_and(|length| length + 1 > size) {
                self.report.add(
                    &TEXT_EXCEEDS,
                    span,
                    format!("this text and its end need {} bytes, there are {size}", text.len() + 1),
                    None,
                );
            }
            return;
        }
        let exact =
            self.key(*to).and_then(|key| self.state.places.get(&key)).and_then(|place| place.exact_length_of.clone());
        if let (Some(exact), false) = (exact, is_append) {
            if self.key(*from) == Some(exact) {
                self.report.add(
                    &LENGTH_SHORT,
                    span,
                    "the memory was taken without a byte for the end of the text; add one",
                    None,
                );
            }
            return;
        }
        if (size.is_some() || self.has_own_length(*to)) && self.is_unbounded_text(*from) {
            self.report.add(
                &COPY_UNBOUNDED,
                span,
                "a longer text than the buffer overwrites what follows it; use snprintf with its size",
                None,
            );
        } else if let (Some(size), Some(length), false) = (size, self.bytes_of(*from), is_append)
            && length > size
        {
            self.report.add(
                &COPY_UNBOUNDED,
                span,
                format!("this holds up to {length} bytes, the buffer {size}; use snprintf with its size"),
                None,
            );
        }
    }

    /// `sprintf` of a text into a buffer of fixed size.
    pub(super) fn print_text(&mut self, arguments: &[ExpressionId]) {
        let [to, template, values @ ..] = arguments else { return };
        let size = self.bytes_of(*to).or_else(|| self.has_own_length(*to).then_some(i64::MAX));
        let (Some(size), Some(text)) = (size, self.text_of(*template)) else { return };
        let mut values = values.iter();
        let mut fixed = 1_i64;
        let mut rest = text.as_ref();
        while let Some((before, after)) = rest.split_once('%') {
            fixed += i64::try_from(before.len()).unwrap_or(0);
            let Some(end) =
                after.find(|letter: char| letter.is_ascii_alphabetic() && !"hlLqjzt".contains(letter) || letter == '%')
            else {
                break;
            };
            let (flags, conversion) = (&after[..end], after[end..].chars().next());
            rest = &after[end + 1..];
            if conversion == Some('%') {
                fixed += 1;
                continue;
            }
            for _ in flags.matches('*') {
                values.next();
            }
            let Some(value) = values.next() else { break };
            if matches!(conversion, Some('d' | 'i' | 'u' | 'x' | 'X' | 'o')) {
                fixed += self.printed_width(flags, conversion == Some('d') || conversion == Some('i'), *value);
            } else if conversion == Some('c') {
                fixed += 1;
            }
            if conversion == Some('s') && !flags.contains('.') {
                if let Some(literal) = self.text_of(*value) {
                    fixed += i64::try_from(literal.len()).unwrap_or(0);
                } else if self.is_unbounded_text(*value)
                    || self.bytes_of(*value).is_some_and(|bytes| bytes.saturating_add(fixed) > size.saturating_add(1))
                {
                    let span = self.span(*value);
                    self.report.add(
                        &FORMAT_UNBOUNDED,
                        span,
                        "a longer text than the buffer overwrites what follows it; use snprintf with its size",
                        None,
                    );
                    return;
                }
            }
        }
        fixed += i64::try_from(rest.len()).unwrap_or(0);
        if fixed > size {
            let span = self.span(*template);
            self.report.add(
                &TEXT_EXCEEDS,
                span,
                format!("this text and its end can need {fixed} bytes, there are {size}"),
                None,
            );
        }
    }

    /// The bytes that a number can take where nothing bounds it; where nothing is known of it, those that it must take.
    fn printed_width(&self, flags: &str, is_signed: bool, value: ExpressionId) -> i64 {
        let digits: String = flags.chars().skip_while(|flag| !matches!(flag, '1'..='9')).collect();
        let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
        let least = digits.parse::<i64>().unwrap_or(1);
        let bare = self.bare(value);
        let key = self.key(bare);
        let kind = key.as_ref().and_then(|key| self.variables.get(key)).map(|variable| Rc::clone(&variable.kind));
        let place = key.as_ref().and_then(|key| self.state.places.get(key));
        let masked = self.report.written(self.span(value)).rsplit_once('&').map(|(_, mask)| mask.trim());
        let mask = masked.and_then(|mask| mask.strip_prefix("0x")).and_then(|mask| i64::from_str_radix(mask, 16).ok());
        let number = self.number(bare).or(mask.filter(|_| matches!(self.kind(bare), ExpressionKind::Binary { .. })));
        let most = if let Some(number) = number {
            i64::try_from(number.to_string().len()).unwrap_or(1)
        } else if place.is_some_and(|place| place.number == Number::Input && !place.has_upper && !place.has_lower) {
            match kind.as_deref().and_then(types::size) {
                Some(1) => 3,
                Some(2) => 5,
                Some(4) => 10 + i64::from(is_signed),
                Some(8) if flags.contains('l') => 19 + i64::from(is_signed),
                _ => 1,
            }
        } else {
            1
        };
        least.max(most)
    }

    /// The numbers that `scanf` stores may be of any size.
    fn scan_numbers(&mut self, arguments: &[ExpressionId]) {
        for argument in arguments {
            if let ExpressionKind::Address(inner) = self.kind(self.bare(*argument))
                && let Some(key) = self.key(*inner)
            {
                self.state.forget(&key);
                self.state.place(&key).number = Number::Input;
            }
        }
    }

    pub(super) fn scan(&mut self, arguments: &[ExpressionId], at: usize) {
        self.scan_numbers(arguments.get(at + 1..).unwrap_or_default());
        let Some(text) = arguments.get(at).and_then(|template| self.text_of(*template)) else { return };
        let span = self.span(arguments[at]);
        let mut values = arguments[at + 1..].iter();
        for part in text.split('%').skip(1) {
            if part.is_empty() || part.starts_with('*') {
                continue;
            }
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            let value = values.next();
            let conversion = part[digits.len()..].chars().next();
            if !matches!(conversion, Some('s' | '[')) {
                continue;
            }
            match (digits.parse::<i64>(), value.and_then(|value| self.bytes_of(*value))) {
                (Err(_), _) => {
                    self.report.add(
                        &SCAN_UNBOUNDED,
                        span,
                        "a longer word than the buffer overwrites what follows it; give a width such as %63s",
                        None,
                    );
                    return;
                }
                (Ok(width), Some(size)) if width >= size => {
                    self.report.add(
                        &SCAN_WIDE,
                        span,
                        format!("the width leaves no byte for the end of the text; use %{}s", size - 1),
                        None,
                    );
                    return;
                }
                _ => {}
            }
        }
    }

    /// Functions that are told how many bytes to write.
    pub(super) fn copy_sized(&mut self, name: &str, arguments: &[ExpressionId]) {
        let Some((_, to, length)) = SIZED.iter().find(|(known, ..)| *known == name) else { return };
        let (Some(to), Some(length)) = (arguments.get(*to), arguments.get(*length)) else { return };
        let span = self.span(*length);
        let start = match self.kind(self.bare(*to)) {
            ExpressionKind::Binary { operator: BinaryOperator::Add, left, .. } => *left,
            _ => *to,
        };
        let is_array = self.variable(start).is_some_and(|variable| variable.is_array);
        let unit = if name == "wmemcpy" { 4 } else { 1 };
        if let (Some(size), Some(number)) = (self.bytes_of(*to), self.number(*length)) {
            if number.saturating_mul(unit) > size {
                self.report.add(
                    &COPY_EXCEEDS,
                    span,
                    format!("there are {size} bytes, and up to {number} are written; use the size of the buffer"),
                    None,
                );
            } else if name == "strncpy"
                && number == size
                && arguments.get(1).is_some_and(|from| self.text_of(*from).is_none())
            {
                self.check_terminated(*to, *length);
            }
            return;
        }
        if self.is_offset_forgotten(*to, *length) {
            self.report.add(
                &DEST_OFFSET,
                span,
                "fewer bytes are left behind the offset; subtract it from the size",
                None,
            );
            return;
        }
        self.check_swapped(name, arguments);
        if matches!(name, "snprintf" | "vsnprintf" | "fgets" | "getcwd" | "strftime") {
            return;
        }
        self.check_pointer_size(*to, *length);
        let mentions_source = self.as_call(*length).is_some_and(|(called, inner)| {
            called.as_ref() == "strlen"
                && inner.first().and_then(|inner| self.key(*inner)) == arguments.get(1).and_then(|from| self.key(*from))
        });
        if mentions_source && is_array && arguments.get(1).is_some_and(|from| self.is_unbounded_text(*from)) {
            self.report.add(
                &SIZED_BY_SOURCE,
                span,
                "this is the length of what is copied, not the size of the buffer; use the lesser of both",
                None,
            );
            return;
        }
        let Some(key) = self.key(self.bare(*length)) else { return };
        let place = self.state.place(&key).clone();
        if !place.has_upper && self.is_length_of_other(*to, arguments.get(1).copied(), &key) {
            self.report.add(
                &SIZED_BY_SOURCE,
                span,
                "this is the length of what is copied, not the size of the buffer; use the lesser of both",
                None,
            );
            return;
        }
        let kind = self.variables.get(&key).map_or_else(|| "".into(), |variable| Rc::clone(&variable.kind));
        let from_outside = place.number == Number::Input || key.contains('.') || key.starts_with('*');
        if is_array && !place.has_upper && from_outside {
            self.report.add(
                &COPY_LENGTH,
                span,
                format!("{key} was compared with no upper bound; compare it with the size of the buffer"),
                None,
            );
        } else if place.has_upper && !place.has_lower && types::is_signed(&kind) && place.number == Number::Input {
            self.report.add(
                &LENGTH_NEGATIVE,
                span,
                format!("{key} may be less than zero, which is a great length; compare it with zero too"),
                None,
            );
        }
    }

    /// Whether a buffer of the caller comes with its length, and nobody has looked at that.
    fn has_own_length(&self, to: ExpressionId) -> bool {
        let Some(key) = self.key(self.bare(to)) else { return false };
        self.lengths.iter().find(|(pointer, _)| *pointer == key).is_some_and(|(_, length)| {
            let place = self.state.places.get(length);
            !place.is_some_and(|place| place.has_upper || place.has_lower || place.was_compared)
        })
    }

    /// `memcpy(to, from, from_length)` where there is a `to_length` that nobody looked at.
    fn is_length_of_other(&self, to: ExpressionId, from: Option<ExpressionId>, length: &Rc<str>) -> bool {
        let length_of = |id: ExpressionId| {
            let key = self.key(self.bare(id))?;
            self.lengths.iter().find(|(pointer, _)| *pointer == key).map(|(_, length)| length)
        };
        let (Some(own), Some(others)) = (length_of(to), from.and_then(length_of)) else { return false };
        let was_compared =
            self.state.places.get(own).is_some_and(|place| place.has_upper || place.has_lower || place.was_compared);
        others == length && own != others && !was_compared
    }

    /// `recv(s, line + used, sizeof(line))`.
    fn is_offset_forgotten(&self, to: ExpressionId, length: ExpressionId) -> bool {
        let ExpressionKind::Binary { operator: BinaryOperator::Add, left, right } = self.kind(self.bare(to)) else {
            return false;
        };
        let Some(array) = self.key(*left).filter(|_| self.variable(*left).is_some_and(|variable| variable.is_array))
        else {
            return false;
        };
        let Some(offset) = self.key(self.bare(*right)) else { return false };
        let text = self.report.written(self.span(length));
        text.contains("sizeof") && text.contains(array.as_ref()) && !text.contains(offset.as_ref())
    }

    fn check_terminated(&mut self, to: ExpressionId, length: ExpressionId) {
        let Some(key) = self.key(to) else { return };
        if !self.terminated.contains(&key) {
            let span = self.span(length);
            self.report.add(
                &UNTERMINATED,
                span,
                "a text that fills the buffer has no end; copy one byte less and set the last to zero",
                None,
            );
        }
    }

    /// `memset(p, n, 0)`.
    fn check_swapped(&mut self, name: &str, arguments: &[ExpressionId]) {
        if let ("memset", [_, _, length]) = (name, arguments)
            && self.number(*length) == Some(0)
            && self.number(arguments[1]) != Some(0)
        {
            let span = self.span(*length);
            self.report.add(&SET_SWAPPED, span, "no byte is set; the number of bytes comes last", None);
        }
    }

    /// `memset(p, 0, sizeof(p))` with a pointer.
    fn check_pointer_size(&mut self, to: ExpressionId, length: ExpressionId) {
        let Some((name, arguments)) = self.as_call(length) else { return };
        let Some(only) = arguments.first().filter(|_| name.as_ref() == "sizeof") else { return };
        if self.is_pointer(*only) && self.key(*only).is_some() && self.key(*only) == self.key(self.bare(to)) {
            let span = self.span(length);
            self.report.add(
                &POINTER_SIZE,
                span,
                "this is the size of the pointer, not of what it points to; dereference it",
                None,
            );
        }
    }

    /// `strncat(line, text, sizeof(line))`.
    pub(super) fn append_sized(&mut self, arguments: &[ExpressionId]) {
        let [to, _, length, ..] = arguments else { return };
        if let (Some(size), Some(number)) = (self.bytes_of(*to), self.number(*length))
            && number >= size
        {
            let span = self.span(*length);
            self.report.add(
                &APPEND_SIZE,
                span,
                "this many bytes are added to those that are there; subtract strlen and one",
                None,
            );
        }
    }

    /// The argument of an allocation.
    pub(super) fn check_allocation(&mut self, size: ExpressionId) {
        let span = self.span(size);
        let bare = self.bare(size);
        if let Some((name, arguments)) = self.as_call(size)
            && let ("sizeof", Some(only)) = (name.as_ref(), arguments.first())
            && self.is_pointer(*only)
            && matches!(self.kind(*only), ExpressionKind::Name(_))
        {
            self.report.add(
                &POINTER_SIZE,
                span,
                "this is the size of the pointer, not of what it points to; dereference it",
                None,
            );
        }
        match self.kind(bare) {
            ExpressionKind::Binary { operator: BinaryOperator::Multiply, .. } if self.may_wrap(bare) => {
                self.report.add(
                    &PRODUCT,
                    span,
                    "a great product wraps around to a small size; use calloc, or compare the factors first",
                    None,
                );
            }
            ExpressionKind::Binary { operator: BinaryOperator::Add, left, right } => {
                let is_product = |id: ExpressionId| {
                    matches!(
                        self.kind(self.bare(id)),
                        ExpressionKind::Binary { operator: BinaryOperator::Multiply, .. }
                    )
                };
                if (is_product(*left) && self.may_wrap(*left)) || (is_product(*right) && self.may_wrap(*right)) {
                    self.report.add(
                        &PRODUCT,
                        span,
                        "a great product wraps around to a small size; compare the factors first",
                        None,
                    );
                } else if self.may_wrap(bare) {
                    self.report.add(
                        &SUM,
                        span,
                        "a great sum wraps around to a small size; compare the parts first",
                        None,
                    );
                }
            }
            _ => {
                let Some(key) = self.key(bare) else { return };
                let place = self.state.place(&key);
                if place.number == Number::Product && !place.has_upper {
                    self.report.add(
                        &PRODUCT,
                        span,
                        "a great product wraps around to a small size; use calloc, or compare the factors first",
                        None,
                    );
                }
            }
        }
    }
}
