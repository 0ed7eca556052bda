//! Changing texts by tokens: most results are nearly in their language, which is where front ends are surprised.

/// Says which of so many things to take; the count is at least one, the answer below it.
pub(crate) trait Choices {
    /// A number below `count`.
    fn below(&mut self, count: usize) -> usize;
}

/// Texts that are put in between: what opens and does not close, what no ordinary file has.
const STRANGE: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "`",
    "\"\"\"",
    "/*",
    "*/",
    "//",
    "#",
    "\\",
    "\n",
    "\r",
    "\t",
    "\0",
    ";",
    ":",
    ",",
    ".",
    "...",
    "=",
    "==",
    "=>",
    "->",
    "<",
    ">",
    "<<",
    ">>",
    "&",
    "&&",
    "|",
    "?",
    "??",
    "!",
    "~",
    "-",
    "+",
    "*",
    "**",
    "%",
    "@",
    "$",
    "${",
    "}}",
    "{{",
    "0",
    "0x",
    "1e999",
    "99999999999999999999999999",
    "0b2",
    "'\\",
    "\"\\u{110000}\"",
    "\"\\x",
    "\"%s%n\"",
    "\"%",
    "R\"x(",
    ")x\"",
    "é",
    "\u{202e}",
    "\u{feff}",
    "\u{1f980}",
    "\u{0}\u{0}",
    "if",
    "else",
    "for",
    "while",
    "return",
    "class",
    "def",
    "function",
    "func",
    "lambda",
    "template<",
    "struct",
    "async",
    "await",
    "yield",
    "import",
    "from",
    "case",
    "default:",
    "goto x",
    "try",
    "catch",
    "finally",
    "with",
    "new",
    "delete",
    "#define X(",
    "#if 0",
    "#endif",
    "*(char**)0",
    "x.x.x.x",
    "x()()()",
    "f\"{x!r:{y}}\"",
    "`${`${",
    "<a b={c}>",
    "</",
    "%d",
    "\\\n",
];

/// The token that begins a text: a word, a run of blanks, or one other character.
fn token(text: &str) -> &str {
    let mut letters = text.char_indices();
    let Some((_, first)) = letters.next() else { return text };
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let is_blank = |letter: char| letter == ' ';
    let goes_on = |letter: char| (is_word(first) && is_word(letter)) || (is_blank(first) && is_blank(letter));
    let end = letters.find(|(_, letter)| !goes_on(*letter)).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

/// Cuts a text into tokens that together are the text.
pub(crate) fn tokens(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let next = token(rest);
        found.push(next);
        rest = &rest[next.len()..];
    }
    found
}

/// One of the texts with a few tokens removed, doubled, moved, repeated, replaced, or taken from another.
pub(crate) fn mutate(corpus: &[&str], max_bytes: usize, choices: &mut dyn Choices) -> String {
    let mut text = tokens(corpus[choices.below(corpus.len())]);
    let num_changes = 1 + choices.below(12);
    for _ in 0..num_changes {
        if text.is_empty() {
            break;
        }
        let at = choices.below(text.len());
        let end = (at + 1 + choices.below(8)).min(text.len());
        match choices.below(9) {
            0 => drop(text.drain(at..end)),
            1 => text.insert(at, STRANGE[choices.below(STRANGE.len())]),
            2 => text[at] = STRANGE[choices.below(STRANGE.len())],
            3 => {
                let other = choices.below(text.len());
                text.swap(at, other);
            }
            4 => {
                let piece = text[at..end].to_vec();
                let to = choices.below(text.len());
                text.splice(to..to, piece);
            }
            5 => repeat(&mut text, at, end, 1 << choices.below(13), max_bytes),
            6 => {
                let other = tokens(corpus[choices.below(corpus.len())]);
                let from = choices.below(other.len());
                let to = (from + 1 + choices.below(60)).min(other.len());
                text.splice(at..at, other[from..to].iter().copied());
            }
            7 => text.truncate(at),
            _ => text = text.split_off(at),
        }
    }
    let mut whole = text.concat();
    let mut end = whole.len().min(max_bytes);
    while !whole.is_char_boundary(end) {
        end -= 1;
    }
    whole.truncate(end);
    whole
}

/// Writes a piece so many times in a row, as far as there is room.
fn repeat<'t>(text: &mut Vec<&'t str>, at: usize, end: usize, times: usize, max_bytes: usize) {
    let piece: Vec<&'t str> = text[at..end].to_vec();
    let bytes: usize = piece.iter().map(|token| token.len()).sum();
    let times = times.min(max_bytes / bytes.max(1));
    text.splice(at..at, piece.repeat(times));
}

/// Text without any order, from the same choices.
pub(crate) fn noise(max_tokens: usize, choices: &mut dyn Choices) -> String {
    let count = choices.below(max_tokens);
    let mut text = String::new();
    for _ in 0..count {
        match choices.below(4) {
            0 => text.push(char::from_u32(choices.below(0x300) as u32).unwrap_or(' ')),
            1 => text.push(' '),
            _ => text.push_str(STRANGE[choices.below(STRANGE.len())]),
        }
    }
    text
}
