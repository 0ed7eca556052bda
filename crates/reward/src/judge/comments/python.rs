//! Python cut into what runs, what is quoted, what is a comment and what is a docstring.

use super::{Kind, Piece, Pieces};

/// Where the lexer is, besides ordinary code.
enum Level {
    /// In the literal part of an f-string.
    Literal(Quote),
    /// In a replacement field; the number counts its open brackets.
    Field(usize),
    /// In the format after the colon of a field.
    Format,
}

/// How a string began.
#[derive(Clone, Copy)]
struct Quote {
    mark: u8,
    is_triple: bool,
}

struct Lexer<'a> {
    bytes: &'a [u8],
    at: usize,
    pieces: Pieces,
    levels: Vec<Level>,
    /// Open brackets outside f-strings.
    depth: usize,
    /// Nothing of the statement was read yet.
    is_statement_start: bool,
}

/// The pieces of `code`.
pub(super) fn pieces(code: &str) -> Vec<Piece> {
    let mut lexer = Lexer {
        bytes: code.as_bytes(),
        at: 0,
        pieces: Pieces::default(),
        levels: Vec::new(),
        depth: 0,
        is_statement_start: true,
    };
    while lexer.at < lexer.bytes.len() {
        match lexer.levels.last() {
            Some(Level::Literal(quote)) => {
                let quote = *quote;
                lexer.literal(quote);
            }
            Some(Level::Format) => lexer.format(),
            Some(Level::Field(_)) | None => lexer.code(),
        }
    }
    lexer.pieces.finish(code.len())
}

impl Lexer<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// One token of code, also within a field.
    fn code(&mut self) {
        let byte = self.bytes[self.at];
        match byte {
            b'#' => {
                let start = self.at;
                self.at = self.line_end(start);
                self.pieces.push(Kind::Comment, start, self.at);
            }
            b'"' | b'\'' => self.string(self.at),
            b'\n' | b';' => {
                self.is_statement_start |= self.depth == 0 && self.levels.is_empty();
                self.at += 1;
            }
            b' ' | b'\t' | b'\r' | b'\x0c' => self.at += 1,
            // The next line belongs to this one.
            b'\\' if self.byte(self.at + 1) == Some(b'\n') => {
                self.is_statement_start = false;
                self.at += 2;
            }
            byte if is_word(byte) => self.word(),
            _ => self.mark(byte),
        }
    }

    fn line_end(&self, from: usize) -> usize {
        self.bytes[from..].iter().position(|byte| *byte == b'\n').map_or(self.bytes.len(), |length| from + length)
    }

    /// A word, which may be the prefix of a string.
    fn word(&mut self) {
        let start = self.at;
        while self.byte(self.at).is_some_and(is_word) {
            self.at += 1;
        }
        let is_prefix =
            self.at - start <= 2 && self.bytes[start..self.at].iter().all(|byte| b"rRbBuUfFtT".contains(byte));
        if is_prefix && matches!(self.byte(self.at), Some(b'"' | b'\'')) {
            self.string(start);
        } else {
            self.is_statement_start = false;
        }
    }

    /// Brackets and operators; within a field, its end and its format.
    fn mark(&mut self, byte: u8) {
        self.is_statement_start = false;
        let depth = match self.levels.last_mut() {
            Some(Level::Field(depth)) => depth,
            _ => &mut self.depth,
        };
        let is_outermost = *depth == 0;
        match byte {
            b'(' | b'[' | b'{' => *depth += 1,
            b')' | b']' | b'}' => *depth = depth.saturating_sub(1),
            _ => {}
        }
        let is_field = matches!(self.levels.last(), Some(Level::Field(_)));
        if is_field && is_outermost {
            match byte {
                b'}' => {
                    self.levels.pop();
                }
                b':' => *self.levels.last_mut().expect("a field is open") = Level::Format,
                _ => {}
            }
        }
        self.at += 1;
    }

    /// A string whose prefix begins at `start` and whose quote is here.
    fn string(&mut self, start: usize) {
        let prefix = &self.bytes[start..self.at];
        let is_formatted = prefix.iter().any(|byte| b"fFtT".contains(byte));
        let is_bytes = prefix.iter().any(|byte| b"bB".contains(byte));
        let mark = self.bytes[self.at];
        let is_triple = self.byte(self.at + 1) == Some(mark) && self.byte(self.at + 2) == Some(mark);
        let quote = Quote { mark, is_triple };
        let may_be_docstring =
            std::mem::take(&mut self.is_statement_start) && !is_formatted && !is_bytes && self.levels.is_empty();
        self.pieces.push(Kind::Code, start, start);
        self.at += if is_triple { 3 } else { 1 };
        if is_formatted {
            self.levels.push(Level::Literal(quote));
            self.pieces.push(Kind::Quoted, start, self.at);
            return;
        }
        while self.at < self.bytes.len() && !self.ends_here(quote) {
            self.step();
        }
        let is_closed = self.byte(self.at) == Some(quote.mark);
        self.close(quote);
        let kind = if may_be_docstring && is_closed && self.statement_ends() { Kind::Docstring } else { Kind::Quoted };
        self.pieces.push(kind, start, self.at);
    }

    /// One step in a string. A backslash takes the next letter along, in raw strings too.
    fn step(&mut self) {
        self.at += if self.bytes[self.at] == b'\\' { 2 } else { 1 };
        self.at = self.at.min(self.bytes.len());
    }

    /// The string's end is here: its quote, or the end of a line that it may not cross.
    fn ends_here(&self, quote: Quote) -> bool {
        if quote.is_triple {
            self.bytes[self.at..].starts_with(&[quote.mark; 3])
        } else {
            self.bytes[self.at] == quote.mark || self.bytes[self.at] == b'\n'
        }
    }

    fn close(&mut self, quote: Quote) {
        if self.byte(self.at) == Some(quote.mark) {
            self.at += if quote.is_triple { 3 } else { 1 };
        }
        // An escape was stepped over in bytes, and may have ended inside a letter.
        while self.byte(self.at).is_some_and(|byte| (0x80..0xC0).contains(&byte)) {
            self.at += 1;
        }
    }

    /// Nothing more of the statement follows on this line.
    fn statement_ends(&self) -> bool {
        let rest = self.bytes[self.at..].iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
        matches!(rest, None | Some(b'\n' | b';' | b'#'))
    }

    /// The literal part of an f-string, up to a field or its end.
    fn literal(&mut self, quote: Quote) {
        let start = self.at;
        while self.at < self.bytes.len() {
            if self.ends_here(quote) {
                self.close(quote);
                self.levels.pop();
                break;
            }
            match (self.bytes[self.at], self.byte(self.at + 1)) {
                (b'{', Some(b'{')) => self.at += 2,
                // A backslash does not quote a brace, only what a brace cannot be.
                (b'\\', Some(b'{')) => self.at += 1,
                (b'{', _) => {
                    self.at += 1;
                    self.levels.push(Level::Field(0));
                    break;
                }
                _ => self.step(),
            }
        }
        while self.byte(self.at).is_some_and(|byte| (0x80..0xC0).contains(&byte)) {
            self.at += 1;
        }
        self.pieces.push(Kind::Quoted, start, self.at);
    }

    /// The innermost f-string may have lines.
    fn is_in_triple(&self) -> bool {
        let quote = self.levels.iter().rev().find_map(|level| match level {
            Level::Literal(quote) => Some(quote),
            _ => None,
        });
        quote.is_some_and(|quote| quote.is_triple)
    }

    /// The format of a field, which is literal but for fields of its own.
    fn format(&mut self) {
        let start = self.at;
        while let Some(byte) = self.byte(self.at) {
            match byte {
                b'}' => {
                    self.at += 1;
                    self.levels.pop();
                    break;
                }
                b'{' => {
                    self.at += 1;
                    self.levels.push(Level::Field(0));
                    break;
                }
                // The string ends without the field's end: no Python, and the rest is code again.
                b'\n' if !self.is_in_triple() => {
                    self.levels.clear();
                    break;
                }
                _ => self.at += 1,
            }
        }
        self.pieces.push(Kind::Quoted, start, self.at);
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}
