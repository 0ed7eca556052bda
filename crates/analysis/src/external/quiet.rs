//! C and C++ without what tells an analyser to look away or lies about where a line is.
//!
//! Code may have been written to please its analyser. The text keeps its length and its lines, so that places stay true.

/// The text with `#line`, `#pragma` and their like blanked, and `NOLINT` made a word without meaning.
///
/// Directives are found as the preprocessor finds them: behind comments, across spliced lines, and not in text or comments.
/// `_Pragma` is left to the caller, who can define it away.
pub(super) fn quieten(source: &str) -> String {
    let mut text = source.as_bytes().to_vec();
    for (start, end) in directives(&text) {
        for byte in &mut text[start..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    let text = String::from_utf8(text).expect("whole directives were replaced by spaces");
    text.replace("NOLINT", "NOLNIT")
}

/// The bytes of every directive that is to go, from its sign to the end of its line.
fn directives(text: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut is_line_start = true;
    // After one that is not closed there are no others: looking for each end anew would take long.
    let mut has_raw = true;
    while at < text.len() {
        let next = skip_blank(text, at);
        if next > at {
            // A comment may hold the end of a line.
            at = next;
            continue;
        }
        let is_sign = text[at] == b'#' || text[at..].starts_with(b"%:");
        if is_line_start && is_sign {
            let end = end_of_line(text, at);
            let sign = if text[at] == b'#' { 1 } else { 2 };
            let word = word(text, skip_blank(text, at + sign).min(end), end);
            if word == b"line" || word == b"pragma" || word.first().is_some_and(u8::is_ascii_digit) {
                found.push((at, end));
            }
            at = end;
            continue;
        }
        is_line_start = text[at] == b'\n';
        at = match text[at] {
            b'"' | b'\'' => end_of_quoted(text, at),
            b'R' if has_raw && is_raw_text(text, at) => end_of_raw(text, at).unwrap_or_else(|| {
                has_raw = false;
                at + 1
            }),
            _ => at + 1,
        };
    }
    found
}

/// Past blanks, comments and spliced lines, which may stand anywhere in a directive.
fn skip_blank(text: &[u8], mut at: usize) -> usize {
    loop {
        let rest = &text[at.min(text.len())..];
        let splice = splice_length(rest);
        if splice > 0 {
            at += splice;
        } else if rest.first().is_some_and(|byte| matches!(byte, b' ' | b'\t' | 0x0b | 0x0c)) {
            at += 1;
        } else if rest.starts_with(b"/*") {
            let end = rest[2..].windows(2).position(|pair| pair == b"*/").map_or(rest.len(), |end| end + 4);
            at += end;
        } else if rest.starts_with(b"//") {
            return end_of_line(text, at);
        } else {
            return at;
        }
    }
}

/// The length of a backslash, and the line that ends behind it.
fn splice_length(rest: &[u8]) -> usize {
    if rest.first() != Some(&b'\\') {
        return 0;
    }
    let blanks = rest[1..].iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
    if rest.get(1 + blanks) == Some(&b'\n') { blanks + 2 } else { 0 }
}

/// The end of a logical line: a newline that is neither spliced nor inside a comment.
fn end_of_line(text: &[u8], mut at: usize) -> usize {
    while at < text.len() && text[at] != b'\n' {
        let rest = &text[at..];
        let splice = splice_length(rest);
        at += if splice > 0 {
            splice
        } else if rest.starts_with(b"/*") {
            rest[2..].windows(2).position(|pair| pair == b"*/").map_or(rest.len(), |end| end + 4)
        } else {
            1
        };
    }
    at.min(text.len())
}

/// The letters and digits of a word, without the splices inside it.
fn word(text: &[u8], mut at: usize, end: usize) -> Vec<u8> {
    let mut word = Vec::new();
    while at < end && word.len() < 16 {
        let splice = splice_length(&text[at..]);
        if splice == 0 && !text[at].is_ascii_alphanumeric() {
            break;
        }
        if splice == 0 {
            word.push(text[at]);
        }
        at += splice.max(1);
    }
    word
}

fn end_of_quoted(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < text.len() {
        match text[at] {
            b'\\' => at += splice_length(&text[at..]).max(2),
            // Not closed: the text goes on as code.
            b'\n' => return at,
            byte if byte == text[start] => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

fn is_raw_text(text: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| text[before]);
    let is_word = before.is_some_and(|byte| (byte.is_ascii_alphanumeric() && !b"u8UL".contains(&byte)) || byte == b'_');
    text.get(at + 1) == Some(&b'"') && !is_word
}

/// The end of raw text; nothing where it is not closed.
fn end_of_raw(text: &[u8], start: usize) -> Option<usize> {
    let open = &text[start + 2..];
    let length = open.iter().take(17).position(|byte| *byte == b'(')?;
    let close = [b")", &open[..length], b"\""].concat();
    let end = open[length..].windows(close.len()).position(|part| part == close)?;
    Some(start + 2 + length + end + close.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_that_mislead_are_blanked_and_nothing_moves() {
        for line in [
            "#line 100 \"other.c\"",
            "  # \t line 3",
            "#/* a */line 3",
            "#/* a\n */ line 3",
            "# 12 \"/usr/include/x.h\" 3",
            "#pragma GCC diagnostic ignored \"-Wall\"",
            "#pragma GCC system_header",
            "#pra\\\ngma clang system_header",
            "#\\\n\\\r\npragma x",
            "%:pragma x",
            "/* comment */ # pragma x",
        ] {
            let source = format!("int a;\n{line}\nint b;\n");
            let quiet = quieten(&source);
            assert_eq!(quiet.len(), source.len(), "{line}");
            assert_eq!(quiet.lines().count(), source.lines().count(), "{line}");
            let left: String = quiet.split("int").nth(1).unwrap_or_default().split_whitespace().collect();
            assert!(["a;", "a;/*comment*/"].contains(&left.as_str()), "{line}: {left:?}");
            assert!(quiet.ends_with("int b;\n"), "{line}");
        }
    }

    #[test]
    fn other_text_stays_as_it_is() {
        for source in [
            "#include <stdio.h>\n#define X 1\nint a = 5;\n",
            "char *s = \"\\\n#pragma x\";\n",
            "/*\n#line 5\n*/ int a;\n",
            "// comment \\\n#pragma x\nint a;\n",
            "auto s = R\"x(\n#pragma y\n)x\";\n",
            "char c = '\"'; int b = '#';\n",
            "#define line 3\nint a = 4 # 5;\n",
            "é\n",
        ] {
            assert_eq!(quieten(source), source);
        }
    }

    #[test]
    fn comments_for_clang_tidy_lose_their_meaning() {
        assert_eq!(quieten("gets(x); // NOLINT(cert-*)\n"), "gets(x); // NOLNIT(cert-*)\n");
    }

    #[test]
    fn what_is_not_closed_does_not_stall() {
        for source in ["\"", "'", "/*", "#", "R\"", "R\"(", "#line", "\\", "#pragma \\", "\"\\"] {
            assert_eq!(quieten(source).len(), source.len());
        }
        assert!(quieten(&"/* */".repeat(20_000)).len() == 100_000);
        assert!(quieten(&"R\"(".repeat(8_000)).len() == 24_000);
    }
}
