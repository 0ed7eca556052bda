//! What the package takes away before it parses: comments, in Python docstrings, and blank lines.

mod braces;
mod python;

use crate::language::Language;

use super::tokens::is_space;

/// The text without its comments (in Python without docstrings too) and blank lines, or as it is where a Python text cannot be read to
/// its end. As the package does it before it parses.
pub fn without_comments(language: Language, source: &str) -> String {
    let kept = match language {
        Language::Python => python::without_comments(source),
        _ => Some(braces::without_comments(source)),
    };
    kept.map_or_else(|| source.to_owned(), |text| without_blank_lines(&text))
}

fn without_blank_lines(text: &str) -> String {
    let mut lines = String::with_capacity(text.len());
    for line in text.split('\n').filter(|line| !line.chars().all(is_space)) {
        if !lines.is_empty() {
            lines.push('\n');
        }
        lines.push_str(line);
    }
    lines
}
