//! Streams whose reading functions do not look at what is left, and comparisons longer than what they compare.

use super::Reader;
use super::rules::{COMPARE_LENGTH, STREAM_UNCHECKED};
use crate::syntax::{BinaryOperator, ExpressionId, ExpressionKind};

/// Enough for whatever is read.
const PLENTY: i64 = i64::MAX / 2;

/// Functions that say how many bytes of a stream are left.
pub(super) const LEFT: &[&str] = &["Stream_GetRemainingLength", "bytestream2_get_bytes_left"];

/// Words in the name of a function that looks at what is left.
const CHECKING: &[&str] =
    &["check", "ensure", "safe", "require", "required", "remaining", "capacity", "valid", "verify", "left"];

/// The bytes that a function takes from its stream without a look at what is left; 0 where an argument says how many.
fn taken(name: &str) -> Option<i64> {
    if matches!(name, "Stream_Read" | "Stream_Seek" | "Stream_Peek") {
        return Some(0);
    }
    let rest = ["Stream_Read_", "Stream_Seek_", "Stream_Peek_"].iter().find_map(|start| name.strip_prefix(start))?;
    let bits = rest.trim_end_matches("_BE").trim_start_matches('U').strip_prefix("INT")?;
    bits.parse::<i64>().ok().map(|bits| bits / 8)
}

impl Reader<'_, '_, '_> {
    /// A call that reads from a stream, or that may have looked at what is left of it.
    pub(super) fn check_stream(&mut self, name: &str, arguments: &[ExpressionId]) {
        let Some(fixed) = taken(name) else {
            let words = crate::rules::evidence::words(name);
            let asks = LEFT.contains(&name) || words.iter().any(|word| CHECKING.contains(&word.as_str()));
            for key in arguments.iter().filter_map(|argument| self.key(self.bare(*argument))).collect::<Vec<_>>() {
                if asks && !LEFT.contains(&name) {
                    self.state.place(&key).left = Some(PLENTY);
                } else if let Some(place) = self.state.places.get_mut(&key).filter(|place| place.left.is_some()) {
                    place.left = Some(PLENTY);
                }
            }
            return;
        };
        let Some(stream) = arguments.first().copied() else { return };
        let Some(key) = self.key(self.bare(stream)) else { return };
        let needed = match fixed {
            0 => arguments.last().and_then(|length| self.number(*length)).unwrap_or(0),
            fixed => fixed,
        };
        let left = self.state.place(&key).left;
        match left {
            Some(left) if left >= needed && !self.is_unasked(fixed, arguments) => {
                self.state.place(&key).left = Some(left - needed);
            }
            _ => {
                self.state.place(&key).left = Some(PLENTY);
                let span = self.span(stream);
                self.report.add(
                    &STREAM_UNCHECKED,
                    span,
                    "fewer bytes may be left than are read; compare the remaining length first",
                    None,
                );
            }
        }
    }

    /// Whether a length that is read was compared with nothing: what was asked is how much of something else is left.
    fn is_unasked(&self, fixed: i64, arguments: &[ExpressionId]) -> bool {
        let Some(length) = arguments.last().filter(|_| fixed == 0 && arguments.len() == 3) else { return false };
        let is_field = matches!(self.kind(self.bare(*length)), ExpressionKind::Attribute { .. });
        is_field
            && self
                .key(self.bare(*length))
                .is_some_and(|key| !self.state.places.get(&key).is_some_and(|place| place.has_upper))
    }

    /// `remaining(stream) >= number` holds.
    pub(super) fn assume_left(&mut self, remaining: ExpressionId, number: Option<i64>) {
        let Some((name, arguments)) = self.as_call(remaining) else { return };
        if LEFT.contains(&name.as_ref())
            && let Some(key) = arguments.first().and_then(|stream| self.key(self.bare(*stream)))
        {
            self.state.place(&key).left = Some(number.unwrap_or(PLENTY));
        }
    }

    /// `memcmp(a, b, strlen(a))`: `b` may be shorter.
    pub(super) fn compare_sized(&mut self, arguments: &[ExpressionId]) {
        let [one, two, length, ..] = arguments else { return };
        let measured = match self.kind(self.bare(*length)) {
            ExpressionKind::Binary { operator: BinaryOperator::Add, left, .. } => *left,
            _ => *length,
        };
        let Some((_, inner)) = self.as_call(measured).filter(|(name, _)| name.as_ref() == "strlen") else { return };
        let Some(text) = inner.first().and_then(|text| self.key(*text)) else { return };
        for (this, other) in [(*one, *two), (*two, *one)] {
            let Some(other_key) = self.key(self.bare(other)) else { continue };
            let was_measured = [&other_key, &text].iter().any(|key| {
                self.state
                    .places
                    .get(format!("length of {key}").as_str())
                    .is_some_and(|place| place.has_upper || place.has_lower)
            });
            let is_sized = self.lengths.iter().any(|(pointer, _)| *pointer == other_key);
            if self.key(self.bare(this)).as_ref() == Some(&text)
                && self.bytes_of(other).is_none()
                && !was_measured
                && !is_sized
            {
                let span = self.span(*length);
                self.report.add(
                    &COMPARE_LENGTH,
                    span,
                    format!("{other_key} may be shorter than this; compare both lengths first"),
                    None,
                );
                return;
            }
        }
    }
}
