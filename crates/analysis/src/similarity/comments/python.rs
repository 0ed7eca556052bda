//! Python: the tokens of Python's own `tokenize` (3.8 to 3.11), written down again without comments and docstrings.
//!
//! What decides is where texts, comments, line ends and indentations are. Everything else is copied as it is, so that how names,
//! numbers and operators are cut matters only where a text may begin. From 3.12 on `tokenize` cuts f-strings into parts and
//! raises in other places: the package's figures then differ on Python code.
//!
//! A text is taken for a docstring if it begins a line: first in a statement, or at the margin. Between two tokens of a line
//! there are as many spaces as there were characters, so that tabs turn into spaces; a line that ends with a backslash is joined
//! with the next.

use super::super::tokens::is_space;

/// Columns that a tab reaches the next multiple of.
const TAB: usize = 8;

/// What a token is, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Comment,
    Text,
    Newline,
    Indent,
    Other,
}

/// A text over several lines.
struct Continued {
    text: String,
    start: (usize, usize),
    mark: char,
    is_triple: bool,
}

/// Why the package keeps the source as it is.
struct Unreadable;

/// The source without comments and docstrings; nothing where `tokenize` raises.
pub(super) fn without_comments(source: &str) -> Option<String> {
    let mut reader = Reader {
        output: Output { text: String::with_capacity(source.len()), previous: Kind::Indent, line: 0, column: 0 },
        number: 0,
        indents: vec![0],
        parentheses: 0,
        is_joined: false,
        continued: None,
    };
    let (mut line, mut last): (Vec<char>, Vec<char>) = (Vec::new(), Vec::new());
    let mut lines = source.split_inclusive('\n');
    loop {
        std::mem::swap(&mut line, &mut last);
        line.clear();
        line.extend(lines.next().unwrap_or_default().chars());
        reader.number += 1;
        match reader.line(&line) {
            Ok(Progress::More) => {}
            Ok(Progress::End) => {
                reader.finish(&last);
                return Some(reader.output.text);
            }
            Err(Unreadable) => return None,
        }
    }
}

enum Progress {
    More,
    End,
}

/// The text written so far, and what was written last.
struct Output {
    text: String,
    previous: Kind,
    line: usize,
    column: usize,
}

impl Output {
    fn token(&mut self, kind: Kind, text: impl FnOnce(&mut String), start: (usize, usize), end: (usize, usize)) {
        if start.0 > self.line {
            self.column = 0;
        }
        self.text.extend(std::iter::repeat_n(' ', start.1.saturating_sub(self.column)));
        let is_docstring = matches!(self.previous, Kind::Indent | Kind::Newline) || start.1 == 0;
        if kind != Kind::Comment && !(kind == Kind::Text && is_docstring) {
            text(&mut self.text);
        }
        self.previous = kind;
        (self.line, self.column) = end;
    }
}

struct Reader {
    output: Output,
    /// The line's number, from 1.
    number: usize,
    indents: Vec<usize>,
    parentheses: i64,
    /// Whether the line before ended with a backslash.
    is_joined: bool,
    continued: Option<Continued>,
}

impl Reader {
    fn token(&mut self, kind: Kind, line: &[char], start: usize, end: usize) {
        let number = self.number;
        self.output.token(kind, |text| text.extend(&line[start..end]), (number, start), (number, end));
    }

    /// Reads one line; an empty one is the end of the source.
    fn line(&mut self, line: &[char]) -> Result<Progress, Unreadable> {
        let at = if let Some(continued) = self.continued.take() {
            match self.continue_text(continued, line)? {
                Some(at) => at,
                None => return Ok(Progress::More),
            }
        } else if self.parentheses == 0 && !self.is_joined {
            match self.begin_statement(line)? {
                Some(at) => at,
                None if line.iter().all(|character| matches!(character, ' ' | '\t' | '\x0c')) => {
                    return Ok(Progress::End);
                }
                None => return Ok(Progress::More),
            }
        } else if line.is_empty() {
            return Err(Unreadable);
        } else {
            self.is_joined = false;
            0
        };
        self.rest(line, at);
        Ok(Progress::More)
    }

    /// Where the line goes on after a text that began on an earlier one, if the text ends here.
    fn continue_text(&mut self, mut continued: Continued, line: &[char]) -> Result<Option<usize>, Unreadable> {
        if line.is_empty() {
            return Err(Unreadable);
        }
        let end = text_end(line, 0, continued.mark, continued.is_triple);
        let goes_on = continued.is_triple || line.ends_with(&['\\', '\n']) || line.ends_with(&['\\', '\r', '\n']);
        continued.text.extend(&line[..end.unwrap_or(line.len())]);
        let (start, number) = (continued.start, self.number);
        if end.is_none() && goes_on {
            self.continued = Some(continued);
            return Ok(None);
        }
        let (kind, last) = end.map_or((Kind::Other, line.len()), |end| (Kind::Text, end));
        self.output.token(kind, |text| text.push_str(&continued.text), start, (number, last));
        Ok(end)
    }

    /// Where the tokens of a new statement begin, if the line has any.
    fn begin_statement(&mut self, line: &[char]) -> Result<Option<usize>, Unreadable> {
        let mut column = 0;
        let mut at = 0;
        while let Some(character) = line.get(at) {
            match character {
                ' ' => column += 1,
                '\t' => column = (column / TAB + 1) * TAB,
                '\x0c' => column = 0,
                _ => break,
            }
            at += 1;
        }
        let Some(first) = line.get(at) else { return Ok(None) };
        if matches!(first, '#' | '\r' | '\n') {
            if *first == '#' {
                let is_end = |character: &char| !matches!(character, '\r' | '\n');
                let end = line.iter().rposition(is_end).expect("the line has its comment") + 1;
                self.token(Kind::Comment, line, at, end);
                at = end;
            }
            self.token(Kind::Other, line, at, line.len());
            return Ok(None);
        }
        let innermost = |indents: &[usize]| *indents.last().expect("the margin stays");
        if column > innermost(&self.indents) {
            self.indents.push(column);
            self.token(Kind::Indent, line, 0, at);
        }
        while column < innermost(&self.indents) {
            if !self.indents.contains(&column) {
                return Err(Unreadable);
            }
            self.indents.pop();
            self.token(Kind::Other, line, at, at);
        }
        Ok(Some(at))
    }

    /// Reads tokens up to the line's end, or up to a text that goes on behind it.
    fn rest(&mut self, line: &[char], mut at: usize) {
        while at < line.len() {
            let Some((start, found)) = find(line, at) else {
                self.token(Kind::Other, line, at, at + 1);
                at += 1;
                continue;
            };
            match found {
                Found::Nothing => return,
                Found::Join(end) => {
                    self.is_joined = true;
                    at = end;
                }
                Found::LineEnd(end) => {
                    let kind = if self.parentheses > 0 { Kind::Other } else { Kind::Newline };
                    self.token(kind, line, start, end);
                    at = end;
                }
                Found::Comment(end) => {
                    self.token(Kind::Comment, line, start, end);
                    at = end;
                }
                Found::Text(end) => {
                    self.token(Kind::Text, line, start, end);
                    at = end;
                }
                Found::OpenText { mark, is_triple } => {
                    let text = line[start..].iter().collect();
                    self.continued = Some(Continued { text, start: (self.number, start), mark, is_triple });
                    return;
                }
                Found::Other(end) => {
                    match line[start] {
                        '(' | '[' | '{' => self.parentheses += 1,
                        ')' | ']' | '}' => self.parentheses -= 1,
                        _ => {}
                    }
                    self.token(Kind::Other, line, start, end);
                    at = end;
                }
            }
        }
    }

    /// Writes what stands for the end of a line that has none.
    fn finish(&mut self, last: &[char]) {
        let is_open = last.last().is_some_and(|end| !matches!(end, '\r' | '\n'));
        let is_comment = last.iter().find(|character| !is_space(**character)) == Some(&'#');
        if is_open && !is_comment {
            let (number, column) = (self.number - 1, last.len());
            self.output.token(Kind::Newline, |_| {}, (number, column), (number, column + 1));
        }
    }
}

/// What begins at a place, with one past its last character.
enum Found {
    /// The end of the line.
    Nothing,
    /// A backslash before the line's end.
    Join(usize),
    LineEnd(usize),
    Comment(usize),
    Text(usize),
    OpenText {
        mark: char,
        is_triple: bool,
    },
    Other(usize),
}

/// The next token behind blanks, with its first character.
fn find(line: &[char], from: usize) -> Option<(usize, Found)> {
    let blanks = line[from..].iter().take_while(|character| matches!(character, ' ' | '\t' | '\x0c')).count();
    let start = from + blanks;
    let Some(&first) = line.get(start) else { return Some((start, Found::Nothing)) };
    let found = match first {
        '\\' => Found::Join(line_end(line, start + 1)?),
        '#' => {
            let length = line[start..].iter().take_while(|character| !matches!(character, '\r' | '\n')).count();
            Found::Comment(start + length)
        }
        '\r' | '\n' => Found::LineEnd(line_end(line, start)?),
        '!' if line.get(start + 1) == Some(&'=') => Found::Other(start + 2),
        _ if first.is_ascii_digit() || first == '.' => Found::Other(number_end(line, start).unwrap_or(start + 1)),
        _ if "%&()*+,-/:;<=>@[]^{|}~".contains(first) => Found::Other(start + 1),
        _ => return text(line, start).or_else(|| name(line, start)).map(|found| (start, found)),
    };
    Some((start, found))
}

/// One past a line's end that begins here.
fn line_end(line: &[char], at: usize) -> Option<usize> {
    match line.get(at..)? {
        ['\n', ..] => Some(at + 1),
        ['\r', '\n', ..] => Some(at + 2),
        _ => None,
    }
}

fn name(line: &[char], start: usize) -> Option<Found> {
    let is_word = |character: &&char| character.is_alphanumeric() || **character == '_';
    let length = line[start..].iter().take_while(is_word).count();
    (length > 0).then_some(Found::Other(start + length))
}

/// A text with or without a prefix such as `rb`.
fn text(line: &[char], start: usize) -> Option<Found> {
    let prefix = line[start..].iter().take(3).take_while(|character| character.is_ascii_alphabetic()).count();
    let open = start + prefix;
    let mark = *line.get(open).filter(|mark| matches!(mark, '\'' | '"'))?;
    let letters: String = line[start..open].iter().map(char::to_ascii_lowercase).collect();
    if !matches!(letters.as_str(), "" | "b" | "r" | "u" | "f" | "br" | "rb" | "fr" | "rf") {
        return None;
    }
    if line[open..].starts_with(&[mark; 3]) {
        let end = text_end(line, open + 3, mark, true);
        return Some(end.map_or(Found::OpenText { mark, is_triple: true }, Found::Text));
    }
    let mut at = open + 1;
    loop {
        match *line.get(at)? {
            '\n' => return None,
            '\\' if line_end(line, at + 1).is_some() => return Some(Found::OpenText { mark, is_triple: false }),
            '\\' => at += 2,
            character if character == mark => return Some(Found::Text(at + 1)),
            _ => at += 1,
        }
    }
}

/// One past the marks that close a text on this line. A backslash at the line's end escapes nothing, so the line has no end of
/// the text.
fn text_end(line: &[char], from: usize, mark: char, is_triple: bool) -> Option<usize> {
    let mut at = from;
    loop {
        let character = *line.get(at)?;
        if character == '\\' {
            line.get(at + 1).filter(|escaped| **escaped != '\n')?;
            at += 2;
        } else if character != mark {
            at += 1;
        } else if !is_triple {
            return Some(at + 1);
        } else if line[at..].starts_with(&[mark; 3]) {
            return Some(at + 3);
        } else {
            at += 1;
        }
    }
}

/// One past a number that begins here.
fn number_end(line: &[char], start: usize) -> Option<usize> {
    let imaginary = |end: usize| if matches!(line.get(end), Some('j' | 'J')) { end + 1 } else { end };
    let decimal = |character: char| character.is_ascii_digit();
    let whole = digits(line, start, decimal);
    if whole.is_some_and(|end| matches!(line.get(end), Some('j' | 'J'))) {
        return whole.map(|end| end + 1);
    }
    let point = whole.unwrap_or(start);
    if line.get(point) == Some(&'.') {
        let fraction = digits(line, point + 1, decimal);
        if whole.is_some() || fraction.is_some() {
            let end = fraction.unwrap_or(point + 1);
            return Some(imaginary(exponent_end(line, end).unwrap_or(end)));
        }
    }
    if let Some(end) = whole.and_then(|end| exponent_end(line, end)) {
        return Some(imaginary(end));
    }
    let based = |is_digit: fn(char) -> bool| {
        let from = if line.get(start + 2) == Some(&'_') { start + 3 } else { start + 2 };
        digits(line, from, is_digit)
    };
    match (line[start], line.get(start + 1)) {
        ('0', Some('x' | 'X')) => based(|digit| digit.is_ascii_hexdigit()).or(Some(start + 1)),
        ('0', Some('b' | 'B')) => based(|digit| matches!(digit, '0' | '1')).or(Some(start + 1)),
        ('0', Some('o' | 'O')) => based(|digit| matches!(digit, '0'..='7')).or(Some(start + 1)),
        ('0', _) => digits(line, start, |digit| digit == '0'),
        _ => whole,
    }
}

fn exponent_end(line: &[char], at: usize) -> Option<usize> {
    line.get(at).filter(|letter| matches!(letter, 'e' | 'E'))?;
    let sign = usize::from(matches!(line.get(at + 1), Some('+' | '-')));
    digits(line, at + 1 + sign, |character| character.is_ascii_digit())
}

/// One past digits with single underscores between them.
fn digits(line: &[char], start: usize, is_digit: impl Fn(char) -> bool) -> Option<usize> {
    let is_digit = |at: usize| line.get(at).is_some_and(|character| is_digit(*character));
    let mut at = start;
    while is_digit(at) {
        at += if line.get(at + 1) == Some(&'_') && is_digit(at + 2) { 2 } else { 1 };
    }
    (at > start).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expectations from Python 3.11's `tokenize` and the package's rule.
    #[test]
    fn docstrings_and_comments_go() {
        let source = "def f(x):\n    \"\"\"Doc.\"\"\"\n    y = 'a'  # why\n    # alone\n    return y";
        assert_eq!(without_comments(source).unwrap(), "def f(x):\n    \n    y = 'a'  \n    \n    return y");
        assert_eq!(without_comments("x = (\n'a',\n  'b')").unwrap(), "x = (\n,\n  'b')");
    }

    #[test]
    fn lines_that_are_joined_lose_their_backslash() {
        assert_eq!(without_comments("x = 1 + \\\n  2").unwrap(), "x = 1 +  2");
        assert_eq!(without_comments("x = 'a\\\nb'").unwrap(), "x = 'a\\\nb'");
    }

    #[test]
    fn what_tokenize_raises_on_is_unreadable() {
        for source in ["f(", "x = '''a", "if x:\n    a\n  b", "x = 1 \\\n"] {
            assert_eq!(without_comments(source), None, "{source:?}");
        }
        assert!(without_comments("x = 'a\ny = 1").is_some());
    }

    #[test]
    fn numbers_end_where_python_ends_them() {
        let ends =
            [("1_000j+", 6), ("0x_fg", 4), ("0b12", 3), ("012", 1), ("1e-3x", 4), ("1.e5j", 5), (".5", 2), ("1__0", 1)];
        for (text, end) in ends {
            let line: Vec<char> = text.chars().collect();
            assert_eq!(number_end(&line, 0), Some(end), "{text}");
        }
    }
}
