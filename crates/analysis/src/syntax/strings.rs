//! Decoding of string literals.

/// What the letters before the opening quote say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Prefix {
    pub(super) is_raw: bool,
    pub(super) is_bytes: bool,
    pub(super) is_formatted: bool,
}

/// Reads the prefix from the text of an opening delimiter such as `rb"""`.
pub(super) fn prefix(opening: &str) -> Prefix {
    let mut found = Prefix::default();
    for letter in opening.chars() {
        match letter.to_ascii_lowercase() {
            'r' => found.is_raw = true,
            'b' => found.is_bytes = true,
            'f' | 't' => found.is_formatted = true,
            _ => {}
        }
    }
    found
}

/// The value of a literal's body. Unknown escapes stay as they are, as in Python.
pub(super) fn decode(body: &str, prefix: Prefix) -> String {
    let braces = |text: String| if prefix.is_formatted { text.replace("{{", "{").replace("}}", "}") } else { text };
    if prefix.is_raw || !body.contains('\\') {
        return braces(body.to_owned());
    }
    let mut decoded = String::with_capacity(body.len());
    let mut letters = body.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            decoded.push(letter);
            continue;
        }
        let Some(escape) = letters.next() else {
            decoded.push('\\');
            break;
        };
        match escape {
            '\n' => {}
            'n' => decoded.push('\n'),
            'r' => decoded.push('\r'),
            't' => decoded.push('\t'),
            'a' => decoded.push('\u{7}'),
            'b' => decoded.push('\u{8}'),
            'f' => decoded.push('\u{c}'),
            'v' => decoded.push('\u{b}'),
            '\\' | '\'' | '"' => decoded.push(escape),
            'x' => push_code(&mut decoded, &mut letters, 2),
            'u' if !prefix.is_bytes => push_code(&mut decoded, &mut letters, 4),
            'U' if !prefix.is_bytes => push_code(&mut decoded, &mut letters, 8),
            '0'..='7' => {
                let mut code = escape.to_digit(8).unwrap_or_default();
                for _ in 0..2 {
                    let Some(digit) = letters.peek().and_then(|next| next.to_digit(8)) else { break };
                    code = code * 8 + digit;
                    letters.next();
                }
                decoded.push(char::from_u32(code).unwrap_or('\u{fffd}'));
            }
            other => {
                decoded.push('\\');
                decoded.push(other);
            }
        }
    }
    braces(decoded)
}

/// Reads `digits` hexadecimal digits and pushes the character that they name.
fn push_code(decoded: &mut String, letters: &mut std::iter::Peekable<std::str::Chars<'_>>, digits: usize) {
    let mut code = 0;
    for _ in 0..digits {
        let Some(digit) = letters.peek().and_then(|next| next.to_digit(16)) else { break };
        code = code * 16 + digit;
        letters.next();
    }
    decoded.push(char::from_u32(code).unwrap_or('\u{fffd}'));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_as_python_does() {
        let plain = Prefix::default();
        assert_eq!(decode(r"a\nb\x41\u00e9\101\q", plain), "a\nbA\u{e9}A\\q");
        assert_eq!(decode(r"a\n", prefix("r\"")), "a\\n");
        assert_eq!(decode("{{x}}", prefix("f'")), "{x}");
        assert_eq!(decode("line \\\n on", plain), "line  on");
    }
}
