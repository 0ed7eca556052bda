//! C, C++, Go, Java and JavaScript cut into what runs, what is quoted and what is a comment.

use std::borrow::Cow;

use codeward_records::Language;

use super::{Kind, Piece, Pieces};

/// How a slash is read where the grammar would be needed to tell a division from a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slash {
    Divides,
    Opens,
}

/// The pieces of `code`. In JavaScript a comment is one only when it is one under both readings of doubtful slashes.
pub(super) fn pieces(code: &str, language: Language) -> Vec<Piece> {
    let read = |slash| Lexer::new(code, language, slash).run();
    let mut pieces = read(Slash::Divides);
    if language == Language::JavaScript {
        let other = read(Slash::Opens);
        for piece in pieces.iter_mut().filter(|piece| piece.kind == Kind::Comment) {
            if !other.contains(piece) {
                piece.kind = Kind::Quoted;
            }
        }
    }
    pieces
}

/// Java with those Unicode escapes decoded that can begin or end a comment or a string: the compiler decodes them before it
/// looks for either, so that code can hide behind `//` and an escaped end of line.
pub(super) fn decode_java(code: &str) -> Cow<'_, str> {
    if !code.contains("\\u") {
        return Cow::Borrowed(code);
    }
    let mut decoded = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find('\\') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        let digits = rest[1..].trim_start_matches('u');
        let is_escape = digits.len() < rest.len() - 1;
        let letter = digits.get(..4).filter(|_| is_escape).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        if let Some(letter) = letter.and_then(char::from_u32).filter(|letter| "/*\"'\n\r".contains(*letter)) {
            decoded.push(if letter == '\r' { '\n' } else { letter });
            rest = &digits[4..];
        } else {
            // A backslash before another one takes it along: `\\u002f` is no escape.
            let length = if rest[1..].starts_with('\\') { 2 } else { 1 };
            decoded.push_str(&rest[..length]);
            rest = &rest[length..];
        }
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

/// What stood before, as far as the meaning of a slash depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// A value: a slash divides it.
    Value,
    /// Something that a value follows: a slash opens a pattern.
    Operator,
    /// It takes the grammar to tell.
    Doubtful,
}

/// Words of JavaScript that a value follows.
const BEFORE_VALUES: &[&str] = &[
    "return",
    "typeof",
    "case",
    "in",
    "delete",
    "void",
    "throw",
    "new",
    "else",
    "do",
    "instanceof",
    "default",
    "extends",
];

/// Words that are keywords in some places and names in others.
const DOUBTFUL_WORDS: &[&str] = &["yield", "await", "of", "let", "async"];

/// Words whose parentheses a statement follows.
const HEADS: &[&str] = &["if", "while", "for", "with"];

struct Lexer<'a> {
    code: &'a str,
    bytes: &'a [u8],
    language: Language,
    slash: Slash,
    at: usize,
    pieces: Pieces,
    before: Before,
    /// The last word, when nothing came after it, and whether a dot stood before it.
    word: Option<(&'a str, bool)>,
    after_dot: bool,
    /// For each open parenthesis whether it is the head of a statement.
    heads: Vec<bool>,
    /// For each open brace whether it interrupts a template.
    braces: Vec<bool>,
}

impl<'a> Lexer<'a> {
    fn new(code: &'a str, language: Language, slash: Slash) -> Self {
        Self {
            code,
            bytes: code.as_bytes(),
            language,
            slash,
            at: 0,
            pieces: Pieces::default(),
            before: Before::Operator,
            word: None,
            after_dot: false,
            heads: Vec::new(),
            braces: Vec::new(),
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn is_c(&self) -> bool {
        matches!(self.language, Language::C | Language::Cpp)
    }

    fn run(mut self) -> Vec<Piece> {
        if self.language == Language::JavaScript && self.code.starts_with("#!") {
            self.line_comment();
        }
        while let Some(byte) = self.byte(self.at) {
            match byte {
                b'/' => self.slash(),
                b'"' => self.double_quote(),
                b'\'' => self.quoted(b'\'', true, false),
                b'`' if self.language == Language::Go => self.quoted(b'`', false, true),
                b'`' if self.language == Language::JavaScript => self.template(),
                b'0'..=b'9' => self.number(),
                byte if is_word(byte) => self.word(),
                byte if byte.is_ascii_whitespace() => self.at += 1,
                _ => self.mark(byte),
            }
        }
        self.pieces.finish(self.bytes.len())
    }

    /// The position after the line breaks that a backslash takes out of C, from `at`.
    fn spliced(&self, mut at: usize) -> usize {
        while self.is_c() && self.byte(at) == Some(b'\\') {
            match (self.byte(at + 1), self.byte(at + 2)) {
                (Some(b'\n'), _) => at += 2,
                (Some(b'\r'), Some(b'\n')) => at += 3,
                _ => break,
            }
        }
        at
    }

    fn slash(&mut self) {
        let next = self.spliced(self.at + 1);
        match self.byte(next) {
            Some(b'/') => self.line_comment(),
            Some(b'*') => self.block_comment(next + 1),
            _ if self.language == Language::JavaScript && self.opens_pattern() => {
                if !self.pattern() {
                    self.mark(b'/');
                }
            }
            _ => self.mark(b'/'),
        }
    }

    fn line_comment(&mut self) {
        let start = self.at;
        while let Some(byte) = self.byte(self.at) {
            let next = self.spliced(self.at);
            if next > self.at {
                self.at = next;
            } else if byte == b'\n' {
                break;
            } else {
                self.at += 1;
            }
        }
        self.pieces.push(Kind::Comment, start, self.at);
    }

    fn block_comment(&mut self, inside: usize) {
        let start = self.at;
        self.at = inside;
        while let Some(byte) = self.byte(self.at) {
            self.at += 1;
            let next = self.spliced(self.at);
            if byte == b'*' && self.byte(next) == Some(b'/') {
                self.at = next + 1;
                break;
            }
        }
        self.pieces.push(Kind::Comment, start, self.at);
    }

    fn double_quote(&mut self) {
        if self.language == Language::Java && self.code[self.at..].starts_with("\"\"\"") {
            let start = self.at;
            self.at += 3;
            while self.at < self.bytes.len() && !self.code.as_bytes()[self.at..].starts_with(b"\"\"\"") {
                self.at += if self.bytes[self.at] == b'\\' { 2 } else { 1 };
            }
            self.end_quoted(start, self.at + 3);
        } else {
            self.quoted(b'"', true, false);
        }
    }

    /// A quote up to `close`, or to the end of its line.
    fn quoted(&mut self, close: u8, has_escapes: bool, has_lines: bool) {
        let start = self.at;
        let mut at = start + 1;
        while let Some(byte) = self.byte(at) {
            match byte {
                b'\\' if has_escapes && self.byte(at + 1) == Some(b'\r') && self.byte(at + 2) == Some(b'\n') => at += 3,
                b'\\' if has_escapes => at += 2,
                b'\n' if !has_lines => break,
                _ => {
                    at += 1;
                    if byte == close {
                        break;
                    }
                }
            }
        }
        self.end_quoted(start, at);
    }

    fn end_quoted(&mut self, start: usize, end: usize) {
        // An escape at the very end, or one of a letter of several bytes, was stepped over in bytes.
        let mut end = end.min(self.bytes.len());
        while !self.code.is_char_boundary(end) {
            end += 1;
        }
        self.at = end;
        self.pieces.push(Kind::Quoted, start, end);
        self.value();
    }

    /// The text of a template, from its opening or from the brace that ends an interruption.
    fn template(&mut self) {
        let start = self.at;
        let mut at = start + 1;
        let mut is_interrupted = false;
        while let Some(byte) = self.byte(at) {
            at += match byte {
                b'\\' => 2,
                b'$' if self.byte(at + 1) == Some(b'{') => {
                    is_interrupted = true;
                    2
                }
                _ => 1,
            };
            if byte == b'`' || is_interrupted {
                break;
            }
        }
        self.end_quoted(start, at);
        if is_interrupted {
            self.braces.push(true);
            self.before = Before::Operator;
        }
    }

    fn value(&mut self) {
        self.before = Before::Value;
        self.word = None;
        self.after_dot = false;
    }

    fn number(&mut self) {
        while let Some(byte) = self.byte(self.at) {
            let separates =
                byte == b'\'' && self.language == Language::Cpp && self.byte(self.at + 1).is_some_and(is_word);
            if !(is_word(byte) || byte == b'.' || separates) {
                break;
            }
            self.at += 1;
        }
        self.value();
    }

    fn word(&mut self) {
        let start = self.at;
        while self.byte(self.at).is_some_and(is_word) {
            self.at += 1;
        }
        let word = &self.code[start..self.at];
        if self.language == Language::Cpp
            && matches!(word, "R" | "LR" | "uR" | "UR" | "u8R")
            && self.byte(self.at) == Some(b'"')
        {
            self.raw_string();
            return;
        }
        self.before = match word {
            _ if self.after_dot => Before::Value,
            word if BEFORE_VALUES.contains(&word) => Before::Operator,
            word if DOUBTFUL_WORDS.contains(&word) => Before::Doubtful,
            _ => Before::Value,
        };
        self.word = Some((word, self.after_dot));
        self.after_dot = false;
    }

    /// A raw string of C++, from its quote.
    fn raw_string(&mut self) {
        let start = self.at;
        let inside = &self.code[start + 1..];
        let open = inside.find('(').filter(|length| *length <= 16);
        let end = open.and_then(|length| {
            let close = format!("){}\"", &inside[..length]);
            let found = inside[length + 1..].find(&close)?;
            Some(start + 1 + length + 1 + found + close.len())
        });
        match end {
            Some(end) => self.end_quoted(start, end),
            None => self.quoted(b'"', true, false),
        }
    }

    fn opens_pattern(&self) -> bool {
        match self.before {
            Before::Value => false,
            Before::Operator => true,
            Before::Doubtful => self.slash == Slash::Opens,
        }
    }

    /// A pattern with its flags; false when it is not closed on its line, and then nothing is read.
    fn pattern(&mut self) -> bool {
        let start = self.at;
        let mut at = start + 1;
        let mut is_in_class = false;
        loop {
            match self.byte(at) {
                None | Some(b'\n') => return false,
                Some(b'\\') => at += 1,
                Some(b'[') => is_in_class = true,
                Some(b']') => is_in_class = false,
                Some(b'/') if !is_in_class => break,
                Some(_) => {}
            }
            at += 1;
        }
        at += 1;
        while self.byte(at).is_some_and(is_word) {
            at += 1;
        }
        self.end_quoted(start, at);
        true
    }

    /// Anything else: operators and brackets.
    fn mark(&mut self, byte: u8) {
        let word = self.word.take();
        let after_dot = byte == b'.';
        match byte {
            b'(' => {
                self.heads.push(word.is_some_and(|(word, after_dot)| !after_dot && HEADS.contains(&word)));
                self.before = Before::Operator;
            }
            b')' => {
                let is_head = self.heads.pop().unwrap_or(false);
                self.before = if is_head { Before::Operator } else { Before::Value };
            }
            b'{' => {
                self.braces.push(false);
                self.before = Before::Operator;
            }
            b'}' => {
                if self.braces.pop() == Some(true) {
                    self.template();
                    return;
                }
                self.before = Before::Doubtful;
            }
            b']' => self.before = Before::Value,
            b'+' | b'-' if self.at > 0 && self.bytes[self.at - 1] == byte => self.before = Before::Doubtful,
            _ => self.before = Before::Operator,
        }
        self.after_dot = after_dot;
        self.at += 1;
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}
