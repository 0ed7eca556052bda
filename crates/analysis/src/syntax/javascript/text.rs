//! Values of literals.

/// The value of the inside of a string or of a template's literal part.
pub(super) fn decode(body: &str) -> String {
    if !body.contains('\\') {
        return body.to_owned();
    }
    let mut decoded = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.find('\\') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(letter) = rest.chars().next() else { break };
        rest = &rest[letter.len_utf8()..];
        match letter {
            'n' => decoded.push('\n'),
            'r' => decoded.push('\r'),
            't' => decoded.push('\t'),
            'b' => decoded.push('\u{8}'),
            'f' => decoded.push('\u{c}'),
            'v' => decoded.push('\u{b}'),
            '0' if !rest.starts_with(|c: char| c.is_ascii_digit()) => decoded.push('\0'),
            '\n' => {}
            '\r' => rest = rest.strip_prefix('\n').unwrap_or(rest),
            'x' => rest = code(&mut decoded, letter, rest, 2),
            'u' => match rest.strip_prefix('{').and_then(|inside| inside.split_once('}')) {
                Some((digits, after)) => {
                    decoded.extend(u32::from_str_radix(digits, 16).ok().and_then(char::from_u32));
                    rest = after;
                }
                None => rest = code(&mut decoded, letter, rest, 4),
            },
            other => decoded.push(other),
        }
    }
    decoded.push_str(rest);
    decoded
}

/// Reads this many hexadecimal digits as one character, or the letter before them as itself; what follows them.
fn code<'a>(decoded: &mut String, letter: char, rest: &'a str, count: usize) -> &'a str {
    let digits = rest.split_at_checked(count);
    let number = digits.and_then(|(digits, after)| Some((u32::from_str_radix(digits, 16).ok()?, after)));
    if let Some((number, after)) = number {
        decoded.push(char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER));
        return after;
    }
    decoded.push(letter);
    rest
}

/// The value of a number, if it is a whole one.
pub(super) fn integer(text: &str) -> Option<i64> {
    let text = text.replace('_', "").to_ascii_lowercase();
    let text = text.strip_suffix('n').unwrap_or(&text);
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return i64::from_str_radix(digits, radix).ok();
        }
    }
    let is_octal = text.len() > 1 && text.starts_with('0') && text.bytes().all(|digit| (b'0'..b'8').contains(&digit));
    if is_octal { i64::from_str_radix(text, 8).ok() } else { text.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_have_their_values() {
        assert_eq!(decode(r"a\n\x41\u{1F600}\u0042\q\'"), "a\nA😀Bq'");
        assert_eq!(decode("\\x4"), "x4");
        assert_eq!((decode("\\"), decode("one \\\n line")), (String::new(), "one  line".to_owned()));
    }

    #[test]
    fn numbers_are_read_in_every_base() {
        assert_eq!(
            (integer("0o777"), integer("0777"), integer("1_000"), integer("10n")),
            (Some(511), Some(511), Some(1000), Some(10))
        );
        assert_eq!((integer("0xFF"), integer("1.5"), integer("1e3")), (Some(255), None, None));
    }
}
