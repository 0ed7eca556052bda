//! Changes of a completion that need no more than to know where its comments and literal texts are: any language.

use std::ops::Range;

use codeward_records::Language;

use super::program::replaced;
use crate::code::code_span;
use crate::credit::lexical_units;

/// The completion with another program at the place of its own.
pub(super) fn with_code(completion: &str, change: impl FnOnce(&str) -> Option<String>) -> Option<String> {
    let span = code_span(completion);
    let mut code = change(&completion[span.clone()])?;
    let after = &completion[span.end..];
    if !after.is_empty() && !code.is_empty() && !code.ends_with('\n') {
        code.push('\n');
    }
    Some(format!("{}{code}{after}", &completion[..span.start]))
}

/// What begins a comment that ends with its line.
pub(super) fn mark(language: Language) -> &'static str {
    match language {
        Language::Python => "#",
        Language::C | Language::Cpp | Language::JavaScript | Language::Java | Language::Go => "//",
    }
}

/// What stands between lexical units, before the first and after the last: white space, comments, and backslashes that join lines.
fn gaps(language: Language, source: &str) -> Vec<Range<usize>> {
    let units = lexical_units(language, source);
    let starts = std::iter::once(0).chain(units.iter().map(|unit| unit.end));
    let ends = units.iter().map(|unit| unit.start).chain([source.len()]);
    starts.zip(ends).map(|(start, end)| start..end).collect()
}

/// The comments of a gap.
fn comments(language: Language, source: &str, gap: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = gap.start;
    while at < gap.end {
        let rest = &source[at..gap.end];
        let is_block = language != Language::Python && rest.starts_with("/*");
        let length = if is_block {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with(mark(language)) {
            rest.find('\n').unwrap_or(rest.len())
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        found.push(at..at + length);
        at += length;
    }
    found
}

/// Without comments; lines that held nothing else are gone. The interpreter's line of a script stays.
pub(super) fn without_comments(language: Language, source: &str) -> String {
    let mut edits = Vec::new();
    for gap in gaps(language, source) {
        for comment in comments(language, source, gap) {
            if comment.start == 0 && source.starts_with("#!") {
                continue;
            }
            let line = source[..comment.start].rfind('\n').map_or(0, |at| at + 1);
            let before = &source[line..comment.start];
            let ends_line = source[comment.end..].starts_with('\n') || comment.end == source.len();
            let range = match (before.trim().is_empty(), ends_line) {
                (true, true) => line..(comment.end + 1).min(source.len()),
                (false, true) => line + before.trim_end().len()..comment.end,
                // Between two units of a line a space has to stay.
                (_, false) => comment,
            };
            let text = if ends_line { "" } else { " " };
            edits.push((range, text.to_owned()));
        }
    }
    replaced(source, edits)
}

/// Where lines with code end, in bytes, as far as something may be put there: not inside a literal, and not where a backslash joins lines.
fn line_ends(language: Language, source: &str) -> Vec<usize> {
    let mut ends: Vec<usize> = gaps(language, source)
        .into_iter()
        .skip(1)
        .filter_map(|gap| {
            let text = &source[gap.clone()];
            let end = text.find('\n').map(|at| gap.start + at);
            let is_joined = end.is_some_and(|end| source[..end].trim_end_matches([' ', '\t', '\r']).ends_with('\\'));
            let opens_comment = end.is_some_and(|end| source[gap.start..end].contains("/*"));
            end.filter(|_| !is_joined && !opens_comment)
        })
        .collect();
    let is_open =
        !source.ends_with('\n') && lexical_units(language, source).last().is_some_and(|unit| unit.end == source.len());
    if is_open {
        ends.push(source.len());
    }
    ends
}

/// With a text at the end of every line of code.
pub(super) fn with_line_endings(language: Language, source: &str, text: &str) -> String {
    let edits = line_ends(language, source).into_iter().map(|end| (end..end, text.to_owned())).collect();
    replaced(source, edits)
}

/// With a blank line after every line of code.
pub(super) fn with_blank_lines(language: Language, source: &str) -> String {
    with_line_endings(language, source, "\n")
}

/// With lines of text below all others.
pub(super) fn with_lines_below(source: &str, line: &str, times: usize) -> String {
    let end = if source.ends_with('\n') || source.is_empty() { "" } else { "\n" };
    format!("{source}{end}{}", format!("{line}\n").repeat(times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_texts_stay() {
        let python = "#!/usr/bin/python\n# top\nx = '# no'  # why\ny = (1,  # one\n     # two\n     2)\n# end";
        assert_eq!(without_comments(Language::Python, python), "#!/usr/bin/python\nx = '# no'\ny = (1,\n     2)\n");
        let c = "/* a\n b */\nint/**/x = 1; // one\nchar *s = \"// no\"; /* two */ int y;\n";
        assert_eq!(without_comments(Language::C, c), "int x = 1;\nchar *s = \"// no\";   int y;\n");
    }

    #[test]
    fn nothing_is_put_into_a_text_or_behind_a_backslash() {
        let source = "x = '''a\nb'''\ny = 1 + \\\n    2  # why\n\nz = [\n    1,\n]";
        assert_eq!(
            with_line_endings(Language::Python, source, "  # nosec"),
            "x = '''a\nb'''  # nosec\ny = 1 + \\\n    2  # why  # nosec\n\nz = [  # nosec\n    1,  # nosec\n]  # nosec"
        );
        assert_eq!(with_blank_lines(Language::Go, "a()\n// b\nc()\n"), "a()\n\n// b\nc()\n\n");
    }

    #[test]
    fn only_the_program_is_changed() {
        let changed =
            with_code("Sure:\n```python\nx\n```\nDone.", |code| Some(code.replace('x', "y").trim().to_owned()));
        assert_eq!(changed.as_deref(), Some("Sure:\n```python\ny\n```\nDone."));
        assert_eq!(with_code("x", |_| Some(String::new())).as_deref(), Some(""));
        assert_eq!(with_code("x", |_| None), None);
    }
}
