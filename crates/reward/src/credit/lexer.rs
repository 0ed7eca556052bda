//! Programs as lexical units, for comparing them.
//!
//! Comments and white space do not count, a literal text is one unit with its quotes, holes included. Own rather than the parsers'
//! leaves, because a unit must look the same wherever it stands: a parser that recovers from an error cuts the text around the
//! error otherwise, and completions are often cut off. What no language has is a unit by itself; nothing is refused.
//!
//! In C++ and Java a `>` is never joined to the next, so that `> >` and `>>` are the same units, as they are in type arguments.

use std::ops::Range;

use codeward_records::Language;

/// Signs of more than one character that every language has.
const SIGNS: [&str; 13] = ["<<=", "==", "!=", "<=", ">=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^="];

/// Signs of more than one character of this language, beyond those that all have.
fn own_signs(language: Language) -> &'static [&'static str] {
    match language {
        Language::Python => &["**=", "//=", ">>=", "...", "**", "//", ">>", "<<", "@=", "->", ":="],
        Language::C => &[">>=", "...", "&&", "||", "++", "--", ">>", "<<", "->", "##"],
        Language::Cpp => &["...", "<=>", "->*", "&&", "||", "++", "--", "<<", "->", "::", ".*", "##"],
        Language::JavaScript => &[
            ">>>=", "===", "!==", ">>>", ">>=", "**=", "...", "&&=", "||=", "??=", "&&", "||", "??", "?.", "++", "--",
            "**", ">>", "<<", "=>",
        ],
        Language::Java => &["...", "&&", "||", "++", "--", "<<", "->", "::"],
        Language::Go => &[">>=", "&^=", "...", "&&", "||", "++", "--", ">>", "<<", "<-", "&^", ":="],
    }
}

/// Words of JavaScript after which a `/` starts a regular expression.
const BEFORE_PATTERN: [&str; 15] = [
    "return",
    "typeof",
    "case",
    "in",
    "of",
    "delete",
    "void",
    "throw",
    "new",
    "instanceof",
    "do",
    "else",
    "yield",
    "await",
    "default",
];

/// The spans of a program's lexical units, in order, in bytes.
pub fn lexical_units(language: Language, source: &str) -> Vec<Range<usize>> {
    let mut lexer = Lexer { language, source, at: 0, units: Vec::new() };
    while let Some(next) = lexer.peek() {
        let start = lexer.at;
        if lexer.skips(next) {
            continue;
        }
        lexer.at = lexer.unit_end(next);
        debug_assert!(lexer.at > start, "every unit has a character");
        lexer.units.push(start..lexer.at);
    }
    lexer.units
}

struct Lexer<'a> {
    language: Language,
    source: &'a str,
    at: usize,
    units: Vec<Range<usize>>,
}

/// What a literal with holes is inside of.
enum Inside {
    /// Its text, up to this quote.
    Text(&'static str),
    /// A hole, with so many open braces.
    Hole(usize),
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Goes past white space or a comment, if there is one here.
    fn skips(&mut self, next: char) -> bool {
        let rest = self.rest();
        let length = if next.is_whitespace() || next == '\u{feff}' {
            next.len_utf8()
        } else if next == '\\' && matches!(rest.as_bytes().get(1), Some(b'\n' | b'\r')) {
            1
        } else if self.language == Language::Python {
            if next == '#' { line(rest) } else { 0 }
        } else if rest.starts_with("//") || (self.at == 0 && rest.starts_with("#!")) {
            line(rest)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.find("*/").map_or(rest.len(), |end| end + 4)
        } else {
            0
        };
        self.at += length;
        length > 0
    }

    fn unit_end(&self, next: char) -> usize {
        let rest = self.rest();
        if let Some(end) = self.literal_end() {
            return end;
        }
        if is_word(next) && !next.is_ascii_digit() {
            return self.at + rest.find(|character| !is_word(character)).unwrap_or(rest.len());
        }
        if next.is_ascii_digit() || (next == '.' && rest.as_bytes().get(1).is_some_and(u8::is_ascii_digit)) {
            return self.at + number(rest, self.language);
        }
        let signs = own_signs(self.language).iter().chain(&SIGNS);
        let sign = signs.filter(|sign| rest.starts_with(**sign)).max_by_key(|sign| sign.len());
        self.at + sign.map_or(next.len_utf8(), |sign| sign.len())
    }

    /// The end of the text, character or pattern literal that starts here.
    fn literal_end(&self) -> Option<usize> {
        let rest = self.rest();
        match self.language {
            Language::Python => {
                let prefix = rest.bytes().take_while(u8::is_ascii_alphabetic).take(3).count();
                let known = prefix <= 2 && rest[..prefix].bytes().all(|byte| b"rRbBuUfFtT".contains(&byte));
                let quote = known.then(|| python_quote(&rest[prefix..])).flatten()?;
                let start = self.at + prefix + quote.len();
                let has_holes = rest[..prefix].bytes().any(|byte| b"fFtT".contains(&byte));
                let end = if has_holes { self.holed_end(start, quote) } else { None };
                Some(end.unwrap_or_else(|| self.quoted_end(start, quote)))
            }
            Language::C | Language::Cpp => {
                let prefix = ["u8R", "uR", "UR", "LR", "R", "u8", "u", "U", "L", ""]
                    .into_iter()
                    .find(|prefix| rest.strip_prefix(prefix).is_some_and(|after| after.starts_with(['"', '\''])))?;
                let start = self.at + prefix.len();
                if prefix.ends_with('R') && self.source[start..].starts_with('"') {
                    return Some(self.raw_end(start + 1));
                }
                self.plain_end(start)
            }
            Language::JavaScript if rest.starts_with('`') => {
                Some(self.holed_end(self.at + 1, "`").unwrap_or(self.source.len()))
            }
            Language::JavaScript if rest.starts_with('/') => self.pattern_end(),
            Language::Go if rest.starts_with('`') => {
                Some(rest[1..].find('`').map_or(self.source.len(), |end| self.at + end + 2))
            }
            Language::Java if rest.starts_with("\"\"\"") => Some(self.quoted_end(self.at + 3, "\"\"\"")),
            Language::JavaScript | Language::Go | Language::Java => self.plain_end(self.at),
        }
    }

    fn plain_end(&self, start: usize) -> Option<usize> {
        let quote = ["\"", "'"].into_iter().find(|quote| self.source[start..].starts_with(*quote))?;
        Some(self.quoted_end(start + 1, quote))
    }

    /// Behind the closing quote. A text of one line that is not closed ends with its line.
    fn quoted_end(&self, start: usize, quote: &str) -> usize {
        let text = &self.source[start..];
        let mut characters = text.char_indices();
        while let Some((at, character)) = characters.next() {
            if text[at..].starts_with(quote) {
                return start + at + quote.len();
            }
            match character {
                '\\' => _ = characters.next(),
                '\n' if quote.len() == 1 => return start + at,
                _ => {}
            }
        }
        self.source.len()
    }

    /// Behind the closing quote of a text with holes in braces, or nothing where holes and text do not fit together.
    fn holed_end(&self, start: usize, quote: &'static str) -> Option<usize> {
        let is_template = quote == "`";
        let mut inside = vec![Inside::Text(quote)];
        let mut at = start;
        loop {
            let rest = &self.source[at..];
            let next = rest.chars().next()?;
            let mut length = next.len_utf8();
            match inside.last_mut()? {
                Inside::Text(quote) => {
                    let opening = if is_template { "${" } else { "{" };
                    if rest.starts_with(*quote) {
                        length = quote.len();
                        inside.pop();
                        if inside.is_empty() {
                            return Some(at + length);
                        }
                    } else if next == '\\' {
                        length += rest[1..].chars().next()?.len_utf8();
                    } else if !is_template && (rest.starts_with("{{") || rest.starts_with("}}")) {
                        length = 2;
                    } else if rest.starts_with(opening) {
                        length = opening.len();
                        inside.push(Inside::Hole(0));
                    } else if next == '\n' && *quote != "`" && quote.len() == 1 {
                        return None;
                    }
                }
                Inside::Hole(depth) => match next {
                    '{' => *depth += 1,
                    '}' if *depth > 0 => *depth -= 1,
                    '}' => _ = inside.pop(),
                    '`' if is_template => inside.push(Inside::Text("`")),
                    '\'' | '"' => {
                        let quote = python_quote(rest).filter(|quote| !is_template || quote.len() == 1);
                        let quote = quote.unwrap_or(if next == '"' { "\"" } else { "'" });
                        let has_holes = !is_template && self.source[..at].ends_with(['f', 'F', 't', 'T']);
                        if has_holes {
                            length = quote.len();
                            inside.push(Inside::Text(quote));
                        } else {
                            let end = self.quoted_end(at + quote.len(), quote);
                            if !self.source[at + quote.len()..end].ends_with(quote) {
                                return None;
                            }
                            length = end - at;
                        }
                    }
                    '\n' if quote.len() == 1 && !is_template => return None,
                    _ => {}
                },
            }
            at += length;
        }
    }

    /// Behind a C++ raw text whose quote has just been read.
    fn raw_end(&self, start: usize) -> usize {
        let text = &self.source[start..];
        let Some(open) = text.find('(').filter(|&open| open <= 16) else { return self.quoted_end(start, "\"") };
        let closing = format!("){}\"", &text[..open]);
        text[open..].find(&closing).map_or(self.source.len(), |at| start + open + at + closing.len())
    }

    /// Behind a regular expression, if the `/` here can start one.
    fn pattern_end(&self) -> Option<usize> {
        if let Some(before) = self.units.last() {
            let before = &self.source[before.clone()];
            let last = before.chars().next_back()?;
            let ends_value =
                is_word(last) || matches!(last, ')' | ']' | '}' | '"' | '\'' | '`') || before.starts_with('/');
            if ends_value && !BEFORE_PATTERN.contains(&before) {
                return None;
            }
        }
        let body = &self.rest()[1..];
        let mut in_class = false;
        let mut characters = body.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => _ = characters.next(),
                '\n' => return None,
                '[' => in_class = true,
                ']' => in_class = false,
                '/' if !in_class => {
                    let flags = body[at + 1..].bytes().take_while(u8::is_ascii_alphabetic).count();
                    return Some(self.at + at + 2 + flags);
                }
                _ => {}
            }
        }
        None
    }
}

fn line(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

/// Letters, digits and whatever else beyond ASCII is no space: some language allows it in names.
fn is_word(character: char) -> bool {
    match character {
        '_' | '$' => true,
        _ if character.is_ascii() => character.is_ascii_alphanumeric(),
        _ => !character.is_whitespace() && character != '\u{feff}',
    }
}

fn python_quote(text: &str) -> Option<&'static str> {
    ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| text.starts_with(*quote))
}

/// The length of a number, with its point, exponent, separators and suffix.
fn number(text: &str, language: Language) -> usize {
    let bytes = text.as_bytes();
    let is_hex = text.starts_with("0x") || text.starts_with("0X");
    let mut has_point = false;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let after_exponent =
            at > 0 && if is_hex { matches!(bytes[at - 1], b'p' | b'P') } else { matches!(bytes[at - 1], b'e' | b'E') };
        let belongs = match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' => true,
            b'.' => !std::mem::replace(&mut has_point, true) && bytes.get(at + 1) != Some(&b'.'),
            b'+' | b'-' => after_exponent,
            b'\'' => language == Language::Cpp && bytes.get(at + 1).is_some_and(u8::is_ascii_hexdigit),
            _ => false,
        };
        if !belongs {
            break;
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Language; 6] =
        [Language::Python, Language::C, Language::Cpp, Language::JavaScript, Language::Java, Language::Go];

    fn texts(language: Language, source: &str) -> Vec<&str> {
        lexical_units(language, source).into_iter().map(|span| &source[span]).collect()
    }

    #[test]
    fn python_is_cut_as_its_own_tokenizer_cuts_it() {
        // The units of `python3 -m tokenize` without comments, line ends and indentation; f-strings whole.
        let source = "def f(a, *b):  # note '\n    x = rb'\\'' + 0x1F + 1e-5j // 2\n    return \\\n        f\"{a['k']!r:>{w}} {{}}\" + '''two\n'lines' ''' if a != b else a.b\n";
        assert_eq!(
            texts(Language::Python, source),
            [
                "def",
                "f",
                "(",
                "a",
                ",",
                "*",
                "b",
                ")",
                ":",
                "x",
                "=",
                "rb'\\''",
                "+",
                "0x1F",
                "+",
                "1e-5j",
                "//",
                "2",
                "return",
                "f\"{a['k']!r:>{w}} {{}}\"",
                "+",
                "'''two\n'lines' '''",
                "if",
                "a",
                "!=",
                "b",
                "else",
                "a",
                ".",
                "b",
            ]
        );
        // A hole may hold the quote of the text, since Python 3.12, and another text with holes.
        assert_eq!(texts(Language::Python, "f'{d['k']}' + f'{f'{x}'}'"), ["f'{d['k']}'", "+", "f'{f'{x}'}'"]);
        assert_eq!(texts(Language::Python, "f'{x\ny = 'z"), ["f'{x", "y", "=", "'z"]);
        assert_eq!(
            texts(Language::Python, "--x; x**=2; größe[::2]"),
            ["-", "-", "x", ";", "x", "**=", "2", ";", "größe", "[", ":", ":", "2", "]"]
        );
        assert_eq!(texts(Language::C, "char **p <<= q"), ["char", "*", "*", "p", "<<=", "q"]);
    }

    #[test]
    fn c_and_its_relatives() {
        let source = "#include <a.h>\nint f(char *p) { /* no */ return p->q[0]++ >> 2; } // \"x\n";
        assert_eq!(
            texts(Language::C, source),
            [
                "#", "include", "<", "a", ".", "h", ">", "int", "f", "(", "char", "*", "p", ")", "{", "return", "p",
                "->", "q", "[", "0", "]", "++", ">>", "2", ";", "}",
            ]
        );
        assert_eq!(texts(Language::C, r#"L'\'' u8"a\"b" "open"#), [r"L'\''", r#"u8"a\"b""#, "\"open"]);
        assert_eq!(
            texts(Language::Cpp, "R\"x(a\")y)x\" + 1'000'000 + std::v<v<int>>()"),
            ["R\"x(a\")y)x\"", "+", "1'000'000", "+", "std", "::", "v", "<", "v", "<", "int", ">", ">", "(", ")"]
        );
        assert_eq!(
            texts(Language::Java, "\"\"\"\n a \"b\" \"\"\" 'c' @A List<List<X>>"),
            ["\"\"\"\n a \"b\" \"\"\"", "'c'", "@", "A", "List", "<", "List", "<", "X", ">", ">"]
        );
        assert_eq!(texts(Language::Go, "x := `raw\\` &^ '\\n' <-c"), ["x", ":=", "`raw\\`", "&^", "'\\n'", "<-", "c"]);
    }

    #[test]
    fn javascript_tells_patterns_from_divisions() {
        assert_eq!(
            texts(Language::JavaScript, "a = b / c / d; x = /[/]\\//g.test(s); return /'/; f(x) / 2"),
            [
                "a",
                "=",
                "b",
                "/",
                "c",
                "/",
                "d",
                ";",
                "x",
                "=",
                "/[/]\\//g",
                ".",
                "test",
                "(",
                "s",
                ")",
                ";",
                "return",
                "/'/",
                ";",
                "f",
                "(",
                "x",
                ")",
                "/",
                "2",
            ]
        );
        assert_eq!(
            texts(Language::JavaScript, "`a ${x ? `b ${'}'}` : {}} c` ?? y === z"),
            ["`a ${x ? `b ${'}'}` : {}} c`", "??", "y", "===", "z"]
        );
        // Nesting costs no stack.
        assert_eq!(texts(Language::JavaScript, &"`${".repeat(100_000)).len(), 1);
    }

    proptest! {
        #[test]
        fn any_text_is_cut_in_order_and_only_space_and_comments_are_left_out(
            source in "(?s)[a-z0-9'\"`/*#\\\\{}$.<>=+\n \u{e9}\u{3000}frR(),-]{0,80}",
        ) {
            for language in ALL {
                let units = lexical_units(language, &source);
                let mut next = 0;
                for unit in &units {
                    prop_assert!(unit.start >= next && unit.end > unit.start);
                    let gap = source[next..unit.start].trim_start();
                    prop_assert!(gap.is_empty() || gap.starts_with(['#', '/', '\\']), "{gap:?}");
                    next = unit.end;
                }
            }
        }

        #[test]
        fn space_and_comments_between_units_change_nothing(picks in prop::collection::vec(0usize..24, 0..40), gaps in any::<u64>()) {
            const WORDS: [&str; 24] = [
                "x", "shell", "=", "True", ")", "(", "'a b'", "\"c\"", "12", "0x1f", "+", "<", ">", ">", "[", "]", "{", "}", ";", ",", "==",
                "größe", ".", "return",
            ];
            for language in ALL {
                let comment = if language == Language::Python { "# it's\n" } else { "/* it's \" */" };
                let spaced = |seed: u64| {
                    let mut source = String::new();
                    for (index, &pick) in picks.iter().enumerate() {
                        source += WORDS[pick];
                        source += [" ", "\n\t", comment, "  "][(seed.rotate_left(index as u32 * 2) & 3) as usize];
                        // A space keeps `=` and `=` apart, and names from numbers.
                        source.push(' ');
                    }
                    source
                };
                let (one, other) = (spaced(0), spaced(gaps));
                prop_assert_eq!(texts(language, &one), texts(language, &other));
            }
        }
    }
}
