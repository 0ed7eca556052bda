//! Texts that only the preprocessor makes C of: branches that cut statements apart, macros that stand where no name can.
//!
//! Everything that is taken out is replaced by as many blanks, so that spans stay those of the text.

/// Words that may stand before a type's name, so that the name is no macro.
const BEFORE_NAMES: &[&str] =
    &["const", "struct", "union", "enum", "unsigned", "signed", "volatile", "static", "sizeof", "return", "case"];

/// The text with the first branch of each condition and without macros that the parser cannot place. `None` if there are none.
pub(super) fn without_macros(source: &str) -> Option<String> {
    let mut bytes = source.as_bytes().to_vec();
    take_branches(source, &mut bytes);
    drop_lone_macros(source, &mut bytes);
    drop_trailing_macros(source, &mut bytes);
    drop_pointer_macros(source, &mut bytes);
    if bytes == source.as_bytes() {
        return None;
    }
    String::from_utf8(bytes).ok()
}

/// The text without the end of a comment whose start was cut off with what stood before.
pub(super) fn without_torn_comment(source: &str) -> Option<String> {
    let end = source.find("*/")? + 2;
    if source[..end].contains("/*") || source[..end].contains(['{', '}', ';', '"', '(']) {
        return None;
    }
    let mut bytes = source.as_bytes().to_vec();
    blank(&mut bytes[..end]);
    String::from_utf8(bytes).ok()
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes.iter_mut().filter(|byte| !matches!(byte, b'\n' | b'\r')) {
        *byte = b' ';
    }
}

/// Lines with the place where each starts.
fn lines(source: &str) -> impl Iterator<Item = (usize, &str)> {
    source.split_inclusive('\n').scan(0, |at, line| {
        let start = *at;
        *at += line.len();
        Some((start, line))
    })
}

/// Leaves one branch of each `#if`: the first, or what follows `#if 0`.
fn take_branches(source: &str, bytes: &mut [u8]) {
    // For each open condition: whether this branch is read, and whether one was.
    let mut open: Vec<(bool, bool)> = Vec::new();
    let mut is_continued = false;
    let mut is_comment = false;
    for (start, line) in lines(source) {
        let text = line.trim();
        let range = start..start + line.len();
        if is_comment {
            is_comment = !text.contains("*/");
            let end = line.find("*/").map_or(line.len(), |at| at + 2);
            blank(&mut bytes[start..start + end]);
            continue;
        }
        let directive = text.strip_prefix('#').map(str::trim_start).filter(|_| !is_continued);
        is_continued = text.ends_with('\\') && (is_continued || directive.is_some());
        let Some(directive) = directive else {
            if open.iter().any(|(is_read, _)| !is_read) {
                blank(&mut bytes[range]);
            }
            continue;
        };
        let word = directive.split(|letter: char| !letter.is_alphabetic()).next().unwrap_or_default();
        match word {
            "if" | "ifdef" | "ifndef" => {
                let is_read = word != "if" || directive[word.len()..].trim() != "0";
                open.push((is_read, is_read));
            }
            "elif" | "else" => {
                if let Some((is_read, was_read)) = open.last_mut() {
                    *is_read = !*was_read;
                    *was_read = true;
                }
            }
            "endif" => {
                open.pop();
            }
            _ if open.iter().any(|(is_read, _)| !is_read) => {}
            _ => continue,
        }
        is_comment = text.rsplit_once("/*").is_some_and(|(_, comment)| !comment.contains("*/"));
        blank(&mut bytes[range]);
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_capitals(word: &str) -> bool {
    word.len() > 2
        && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
        && word.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Lines that hold nothing but a macro where a statement starts: `BEGIN_BLOCK`, `CHECK(x)`, `LOOP {`.
fn drop_lone_macros(source: &str, bytes: &mut [u8]) {
    let mut before = ';';
    for (start, line) in lines(source) {
        let text = line.trim_end();
        let word = text.trim_start();
        let last = word.chars().next_back();
        if before_is_end(before) && !word.starts_with('#') {
            let length = word.bytes().take_while(|byte| is_word(*byte)).count();
            let (name, rest) = (&word[..length], word[length..].trim());
            let is_call = rest.starts_with('(') && rest.ends_with(')') && is_balanced(rest);
            let is_assigned =
                ends_in_macro(word) && source[start + line.len()..].trim_start().starts_with(starts_statement);
            if is_assigned && line.len() > text.len() {
                bytes[start + text.len()] = b';';
            } else if is_capitals(name) && (rest.is_empty() || rest == "{") {
                let from = start + text.len() - word.len();
                blank(&mut bytes[from..from + length]);
            } else if is_call
                && name.bytes().any(|byte| byte.is_ascii_uppercase())
                && start + line.len() > start + text.len()
            {
                // The end of the line becomes that of the statement.
                bytes[start + text.len()] = b';';
            }
        }
        if let Some(last) = last.filter(|_| !word.starts_with('#')) {
            before = if word.ends_with("*/") { before } else { last };
        }
    }
}

/// `name = MACRO(..)`, whose semicolon the macro brings along.
fn ends_in_macro(line: &str) -> bool {
    let Some((target, value)) = line.split_once(" = ") else { return false };
    let value = value.trim();
    let length = value.bytes().take_while(|byte| is_word(*byte)).count();
    let rest = value[length..].trim_start();
    !target.contains(['(', '"', '{']) && is_capitals(&value[..length]) && rest.starts_with('(') && is_balanced(rest)
}

fn starts_statement(letter: char) -> bool {
    letter.is_ascii_alphabetic() || letter == '_' || letter == '}'
}

fn before_is_end(before: char) -> bool {
    matches!(before, ';' | '{' | '}' | ':')
}

fn is_balanced(text: &str) -> bool {
    let mut depth = 0_i32;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 && at + 1 < text.len() {
            return false;
        }
    }
    depth == 0
}

/// Macros behind an argument that have their comma inside them: `f(a CONTEXT)`.
fn drop_trailing_macros(source: &str, bytes: &mut [u8]) {
    for (at, end) in source.match_indices([')', ',']) {
        let head = source[..at].trim_end();
        let name_length = head.bytes().rev().take_while(|byte| is_word(*byte)).count();
        let (head, name) = head.split_at(head.len() - name_length);
        let before = head.trim_end();
        let last = before.bytes().next_back();
        let word_length = before.bytes().rev().take_while(|byte| is_word(*byte)).count();
        let word = &before[before.len() - word_length..];
        if is_capitals(name)
            && before.len() < head.len()
            && last.is_some_and(|last| is_word(last) && end == ")" || matches!(last, b')' | b'"' | b']'))
            && !BEFORE_NAMES.contains(&word)
        {
            blank(&mut bytes[head.len()..head.len() + name_length]);
        }
    }
}

/// Other spellings of `restrict`: `char *my_restrict name`.
fn drop_pointer_macros(source: &str, bytes: &mut [u8]) {
    for (at, _) in source.match_indices("restrict") {
        let before = source[..at].trim_end_matches(|letter: char| letter.is_ascii_alphanumeric() || letter == '_');
        let after = source[at..].trim_start_matches(|letter: char| letter.is_ascii_alphanumeric() || letter == '_');
        let (start, end) = (before.len(), source.len() - after.len());
        let is_qualifier = before.trim_end().ends_with('*') && after.starts_with(char::is_whitespace);
        let has_name = after.trim_start().starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
        if is_qualifier && has_name && end - start > "restrict".len() {
            blank(&mut bytes[start..end]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{without_macros, without_torn_comment};

    #[test]
    fn the_end_of_a_comment_is_taken_for_one_only_before_all_code() {
        assert_eq!(without_torn_comment(" of it */\nint a;\n").as_deref(), Some("         \nint a;\n"));
        for source in ["/* a */ int a;\n", "int a; */\n", "int a;\n", "f(a) */ b\n"] {
            assert_eq!(without_torn_comment(source), None, "{source}");
        }
    }

    #[test]
    fn macros_become_blanks_and_spans_stay() {
        let cases = [
            ("#if 0\na\n#else\nb\n#endif\n", "     \n \n     \nb\n      \n"),
            ("#ifdef A\na;\n#else\nb;\n#endif\n", "        \na;\n     \n  \n      \n"),
            ("f();\nBEGIN_BLOCK\ng();\n", "f();\n           \ng();\n"),
            ("f();\nCheck(1)\ng();\n", "f();\nCheck(1);g();\n"),
            ("f(a CONTEXT_CC);\n", "f(a           );\n"),
            ("#ifdef A\na;\n#endif /* A or\n B */\nb;\n", "        \na;\n              \n     \nb;\n"),
            ("char *my_restrict a;\n", "char *            a;\n"),
            ("f();\na = TAKE (b)\nc = d;\n", "f();\na = TAKE (b);c = d;\n"),
        ];
        for (source, expected) in cases {
            assert_eq!(without_macros(source).as_deref(), Some(expected));
        }
        for source in [
            "char *restrict a;\n",
            "f();\na = TAKE(b)\n    + c;\n",
            "f(a, BYTES);\n",
            "x = (const BYTE) y;\n",
            "f(a);\n",
            "#define A 1\nint a;\n",
        ] {
            assert_eq!(without_macros(source), None, "{source}");
        }
    }
}
