//! Places as analysers name them, in lines and columns of their own counting, as spans of bytes.

use crate::syntax::Span;

/// What a tool counts columns in. Columns start at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Bytes,
    Characters,
    /// As JavaScript counts.
    Utf16,
}

/// What a tool takes for the end of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breaks {
    Newline,
    /// Python also ends lines at a carriage return by itself.
    Return,
    /// JavaScript also at U+2028 and U+2029.
    Separators,
}

/// How a tool counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counting {
    pub(super) unit: Unit,
    pub(super) breaks: Breaks,
}

/// Where a tool says that something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Line(usize),
    /// What is there is one word.
    Start {
        line: usize,
        column: usize,
    },
    Span {
        line: usize,
        column: usize,
        end_line: usize,
        end_column: usize,
    },
}

/// A text with its lines as a tool sees them.
pub(super) struct Lines<'s> {
    source: &'s str,
    unit: Unit,
    starts: Vec<usize>,
}

impl<'s> Lines<'s> {
    pub(super) fn new(source: &'s str, counting: Counting) -> Self {
        let ends = |(at, letter): (usize, char)| {
            let is_end = match letter {
                '\n' => true,
                '\r' => counting.breaks != Breaks::Newline && !source[at..].starts_with("\r\n"),
                '\u{2028}' | '\u{2029}' => counting.breaks == Breaks::Separators,
                _ => false,
            };
            is_end.then_some(at + letter.len_utf8())
        };
        let starts = std::iter::once(0).chain(source.char_indices().filter_map(ends)).collect();
        Self { source, unit: counting.unit, starts }
    }

    /// The bytes of a place; nothing where there is no such line.
    pub(super) fn span(&self, place: Place) -> Option<Span> {
        let span = match place {
            Place::Line(line) => {
                let text = self.line(line)?;
                let start = self.starts[line - 1] + (text.len() - text.trim_start().len());
                Span { start, end: start + text.trim().len() }
            }
            Place::Start { line, column } => {
                let start = self.byte(line, column)?;
                Span { start, end: start + word_length(&self.source[start..]) }
            }
            Place::Span { line, column, end_line, end_column } => {
                let (start, end) = (self.byte(line, column)?, self.byte(end_line, end_column)?);
                if end > start { Span { start, end } } else { self.span(Place::Start { line, column })? }
            }
        };
        Some(span)
    }

    fn line(&self, line: usize) -> Option<&'s str> {
        let start = *self.starts.get(line.checked_sub(1)?)?;
        let end = self.starts.get(line).copied().unwrap_or(self.source.len());
        Some(&self.source[start..end])
    }

    /// The byte of a column; the line's end for a column behind it.
    fn byte(&self, line: usize, column: usize) -> Option<usize> {
        let text = self.line(line)?.trim_end_matches(['\n', '\r', '\u{2028}', '\u{2029}']);
        let start = self.starts[line - 1];
        let before = column.saturating_sub(1);
        if self.unit == Unit::Bytes {
            let mut at = before.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            return Some(start + at);
        }
        let mut counted = 0;
        for (at, letter) in text.char_indices() {
            if counted >= before {
                return Some(start + at);
            }
            counted += if self.unit == Unit::Utf16 { letter.len_utf16() } else { 1 };
        }
        Some(start + text.len())
    }
}

/// The length of the word, or the one character, at the start of a text.
fn word_length(text: &str) -> usize {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$';
    match text.chars().next() {
        None | Some('\n' | '\r') => 0,
        Some(first) if is_part(first) => text.find(|letter| !is_part(letter)).unwrap_or(text.len()),
        Some(first) => first.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "é = 1\n  gets(x)  \r\n𝄞𝄞 + call(a,\n b)\n";

    fn at(unit: Unit, place: Place) -> Option<&'static str> {
        let lines = Lines::new(TEXT, Counting { unit, breaks: Breaks::Newline });
        lines.span(place).map(|span| &TEXT[span.range()])
    }

    #[test]
    fn columns_are_counted_as_their_tool_counts() {
        let call = |column, end_column| Place::Span { line: 3, column, end_line: 4, end_column };
        assert_eq!(at(Unit::Bytes, call(12, 4)), Some("call(a,\n b)"));
        assert_eq!(at(Unit::Utf16, call(8, 4)), Some("call(a,\n b)"));
        assert_eq!(at(Unit::Characters, call(6, 4)), Some("call(a,\n b)"));
        // In the middle of a character.
        assert_eq!(at(Unit::Bytes, Place::Start { line: 1, column: 2 }), Some("é"));
    }

    #[test]
    fn a_start_is_a_word_and_a_line_is_its_text() {
        assert_eq!(at(Unit::Bytes, Place::Start { line: 2, column: 3 }), Some("gets"));
        assert_eq!(at(Unit::Bytes, Place::Start { line: 2, column: 7 }), Some("("));
        assert_eq!(at(Unit::Bytes, Place::Start { line: 2, column: 99 }), Some(""));
        assert_eq!(at(Unit::Bytes, Place::Line(2)), Some("gets(x)"));
        assert_eq!(at(Unit::Bytes, Place::Line(99)), None);
        assert_eq!(at(Unit::Bytes, Place::Line(0)), None);
        let empty = Place::Span { line: 2, column: 3, end_line: 2, end_column: 3 };
        assert_eq!(at(Unit::Bytes, empty), Some("gets"));
    }

    #[test]
    fn lines_end_where_the_tool_ends_them() {
        let text = "a\rb\u{2028}c\r\nd";
        let third = |breaks| {
            let lines = Lines::new(text, Counting { unit: Unit::Bytes, breaks });
            lines.span(Place::Line(3)).map(|span| &text[span.range()])
        };
        assert_eq!(third(Breaks::Newline), None);
        assert_eq!(third(Breaks::Return), Some("d"));
        assert_eq!(third(Breaks::Separators), Some("c"));
    }
}
