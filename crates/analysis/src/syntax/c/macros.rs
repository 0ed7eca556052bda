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
    if bytes == source.as_bytes() {
        return None;
    }
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
    for (start, line) in lines(source) {
        let text = line.trim();
        let range = start..start + line.len();
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
            if is_capitals(name) && (rest.is_empty() || rest == "{") {
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

#[cfg(test)]
mod tests {
    use super::without_macros;

    #[test]
    fn macros_become_blanks_and_spans_stay() {
        let cases = [
            ("#if 0\na\n#else\nb\n#endif\n", "     \n \n     \nb\n      \n"),
            ("#ifdef A\na;\n#else\nb;\n#endif\n", "        \na;\n     \n  \n      \n"),
            ("f();\nBEGIN_BLOCK\ng();\n", "f();\n           \ng();\n"),
            ("f();\nCheck(1)\ng();\n", "f();\nCheck(1);g();\n"),
            ("f(a CONTEXT_CC);\n", "f(a           );\n"),
        ];
        for (source, expected) in cases {
            assert_eq!(without_macros(source).as_deref(), Some(expected));
        }
        for source in ["f(a, BYTES);\n", "x = (const BYTE) y;\n", "f(a);\n", "#define A 1\nint a;\n"] {
            assert_eq!(without_macros(source), None, "{source}");
        }
    }
}
