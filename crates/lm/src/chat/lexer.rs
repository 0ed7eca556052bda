//! From the text of a template to tokens, with the white space around tags cut as Hugging Face has it: the line break
//! after a block goes, and so does the space before one that begins its line.

use super::ChatError;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// Text that is written as it stands.
    Text(String),
    /// `{{`
    EmitBegin,
    /// `}}`
    EmitEnd,
    /// `{%`
    BlockBegin,
    /// `%}`
    BlockEnd,
    Name(String),
    String(String),
    Integer(i64),
    Float(f64),
    /// An operator or a bracket.
    Sign(&'static str),
}

/// A token and the line where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) line: u32,
}

/// Longest first.
const SIGNS: [&str; 25] = [
    "//", "**", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", ".", ":", ",", "|", "(", ")", "[",
    "]", "{", "}",
];

/// Cuts a template into tokens.
pub(super) fn tokens(source: &str) -> Result<Vec<Placed>, ChatError> {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let source = source.strip_suffix('\n').unwrap_or(&source);
    let mut lexer = Lexer { source, at: 0, line: 1, begins_line: true, out: Vec::new() };
    lexer.run()?;
    Ok(lexer.out)
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    line: u32,
    /// Whether what was read last ended with a line break.
    begins_line: bool,
    out: Vec<Placed>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn error<T>(&self, reason: impl Into<String>) -> Result<T, ChatError> {
        Err(ChatError::Syntax { line: self.line, reason: reason.into() })
    }

    fn push(&mut self, token: Token) {
        self.out.push(Placed { token, line: self.line });
    }

    /// Moves on by so many bytes and counts the lines in them.
    fn skip(&mut self, count: usize) {
        let passed = &self.source[self.at..self.at + count];
        self.line += passed.matches('\n').count() as u32;
        self.begins_line = passed.ends_with('\n');
        self.at += count;
    }

    fn run(&mut self) -> Result<(), ChatError> {
        while !self.rest().is_empty() {
            let rest = self.rest();
            let tag =
                rest.match_indices('{').find(|(at, _)| matches!(rest.as_bytes().get(at + 1), Some(b'{' | b'%' | b'#')));
            let Some((begin, _)) = tag else {
                self.push(Token::Text(rest.to_owned()));
                self.skip(rest.len());
                break;
            };
            let kind = rest.as_bytes()[begin + 1];
            let mark = rest.as_bytes().get(begin + 2).copied();
            self.text(&rest[..begin], kind, mark);
            self.skip(begin + 2);
            if matches!(mark, Some(b'-' | b'+')) {
                self.skip(1);
            }
            match kind {
                b'#' => self.comment()?,
                b'%' if self.raw()? => {}
                b'%' => self.tag(Token::BlockBegin, Token::BlockEnd, "%}", true)?,
                _ => self.tag(Token::EmitBegin, Token::EmitEnd, "}}", false)?,
            }
        }
        Ok(())
    }

    /// The text before a tag.
    fn text(&mut self, text: &str, kind: u8, mark: Option<u8>) {
        let kept = if mark == Some(b'-') {
            text.trim_end()
        } else if kind != b'{' && mark != Some(b'+') {
            let line = text.rfind('\n').map_or(0, |at| at + 1);
            let is_blank = text[line..].chars().all(char::is_whitespace);
            if is_blank && (line > 0 || self.begins_line) { &text[..line] } else { text }
        } else {
            text
        };
        if !kept.is_empty() {
            self.push(Token::Text(kept.to_owned()));
        }
    }

    /// After the end of a tag: its mark has been passed. Takes the white space that goes with it.
    fn after(&mut self, mark: Option<char>, takes_break: bool) {
        let rest = self.rest();
        match mark {
            Some('-') => self.skip(rest.len() - rest.trim_start().len()),
            None if takes_break && rest.starts_with('\n') => self.skip(1),
            _ => {}
        }
    }

    fn comment(&mut self) -> Result<(), ChatError> {
        let Some(end) = self.rest().find("#}") else { return self.error("a comment has no end") };
        let mark = self.rest()[..end].chars().next_back().filter(|mark| matches!(mark, '-' | '+'));
        self.skip(end + 2);
        self.after(mark, true);
        Ok(())
    }

    /// Takes a raw block, if there is one here: text without tags.
    fn raw(&mut self) -> Result<bool, ChatError> {
        let Some(rest) = self.rest().trim_start().strip_prefix("raw") else { return Ok(false) };
        let rest = rest.trim_start();
        let (mark, rest) = match rest.strip_prefix('-') {
            Some(rest) => (Some('-'), rest),
            None => (None, rest),
        };
        let Some(rest) = rest.strip_prefix("%}") else { return Ok(false) };
        self.skip(self.rest().len() - rest.len());
        self.after(mark, false);
        let body = self.rest();
        for (at, _) in body.match_indices("{%") {
            let inner = &body[at + 2..];
            let (open, inner) = match inner.chars().next() {
                Some(mark @ ('-' | '+')) => (Some(mark), &inner[1..]),
                _ => (None, inner),
            };
            let Some(inner) = inner.trim_start().strip_prefix("endraw") else { continue };
            let inner = inner.trim_start();
            let (close, inner) = match inner.chars().next() {
                Some(mark @ ('-' | '+')) => (Some(mark), &inner[1..]),
                _ => (None, inner),
            };
            let Some(inner) = inner.strip_prefix("%}") else { continue };
            self.text(&body[..at], b'%', open.map(|mark| mark as u8));
            self.skip(body.len() - inner.len());
            self.after(close, true);
            return Ok(true);
        }
        self.error("a raw block has no end")
    }

    /// The tokens of a tag, and its end.
    fn tag(&mut self, begin: Token, end: Token, closing: &str, takes_break: bool) -> Result<(), ChatError> {
        self.push(begin);
        let mut num_open = 0_usize;
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            self.skip(blank);
            let rest = self.rest();
            let Some(first) = rest.chars().next() else { return self.error("a tag has no end") };
            if num_open == 0 {
                let mark = Some(first).filter(|mark| matches!(mark, '-' | '+'));
                if rest[mark.map_or(0, char::len_utf8)..].starts_with(closing) {
                    self.push(end);
                    self.skip(closing.len() + mark.map_or(0, char::len_utf8));
                    self.after(mark, takes_break);
                    return Ok(());
                }
            }
            if first == '"' || first == '\'' {
                self.string(first)?;
            } else if first.is_ascii_digit() {
                self.number()?;
            } else if first.is_alphabetic() || first == '_' {
                let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
                self.push(Token::Name(rest[..length].to_owned()));
                self.skip(length);
            } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                match *sign {
                    "(" | "[" | "{" => num_open += 1,
                    ")" | "]" | "}" if num_open == 0 => return self.error(format!("a stray {sign}")),
                    ")" | "]" | "}" => num_open -= 1,
                    _ => {}
                }
                self.push(Token::Sign(sign));
                self.skip(sign.len());
            } else {
                return self.error(format!("an unexpected {first:?}"));
            }
        }
    }

    fn number(&mut self) -> Result<(), ChatError> {
        let rest = self.rest();
        let digits = |text: &str| text.find(|c: char| !(c.is_ascii_digit() || c == '_')).unwrap_or(text.len());
        let mut length = digits(rest);
        let mut is_float = false;
        if let Some(fraction) = rest[length..].strip_prefix('.')
            && fraction.starts_with(|c: char| c.is_ascii_digit())
        {
            is_float = true;
            length += 1 + digits(fraction);
        }
        if let Some(exponent) = rest[length..].strip_prefix(['e', 'E']) {
            let sign = usize::from(exponent.starts_with(['+', '-']));
            if exponent[sign..].starts_with(|c: char| c.is_ascii_digit()) {
                is_float = true;
                length += 1 + sign + digits(&exponent[sign..]);
            }
        }
        let text = rest[..length].replace('_', "");
        let token = if is_float { text.parse().map(Token::Float).ok() } else { text.parse().map(Token::Integer).ok() };
        let Some(token) = token else { return self.error(format!("the number {text} is out of range")) };
        self.push(token);
        self.skip(length);
        Ok(())
    }

    fn string(&mut self, quote: char) -> Result<(), ChatError> {
        let mut text = String::new();
        let mut rest = self.rest()[1..].chars();
        loop {
            match rest.next() {
                None => return self.error("a string has no end"),
                Some(c) if c == quote => break,
                Some('\\') => match escaped(&mut rest) {
                    Some(piece) => text.push_str(&piece),
                    None => return self.error("a string has an escape that is no character"),
                },
                Some(c) => text.push(c),
            }
        }
        let length = self.rest().len() - rest.as_str().len();
        self.push(Token::String(text));
        self.skip(length);
        Ok(())
    }
}

/// What stands behind a backslash, as Python reads it.
fn escaped(rest: &mut std::str::Chars<'_>) -> Option<String> {
    let hex = |rest: &mut std::str::Chars<'_>, count: usize| {
        let digits: String = rest.by_ref().take(count).collect();
        let is_hex = digits.len() == count && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let code = is_hex.then(|| u32::from_str_radix(&digits, 16).ok()).flatten()?;
        char::from_u32(code).map(String::from)
    };
    let piece = match rest.next()? {
        '\n' => String::new(),
        'n' => "\n".to_owned(),
        't' => "\t".to_owned(),
        'r' => "\r".to_owned(),
        'a' => "\u{7}".to_owned(),
        'b' => "\u{8}".to_owned(),
        'f' => "\u{c}".to_owned(),
        'v' => "\u{b}".to_owned(),
        'x' => return hex(rest, 2),
        'u' => return hex(rest, 4),
        'U' => return hex(rest, 8),
        c @ ('\\' | '\'' | '"') => c.to_string(),
        c @ '0'..='7' => {
            let mut code = c.to_digit(8)?;
            for _ in 0..2 {
                let Some(digit) = rest.clone().next().and_then(|c| c.to_digit(8)) else { break };
                code = 8 * code + digit;
                rest.next();
            }
            char::from_u32(code)?.to_string()
        }
        c => format!("\\{c}"),
    };
    Some(piece)
}
