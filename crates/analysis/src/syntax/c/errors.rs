//! Which errors of the parser are the text's and which come from macros that the parser cannot expand.

use tree_sitter::{Node, TreeCursor};

use super::{Span, span};

/// A macro that the parser stumbles over is shorter than this.
const MAX_MACRO: usize = 160;

/// So many of them are put up with in any text.
const MAX_MACROS: usize = 6;

/// In a long text, one for so many bytes.
const BYTES_A_MACRO: usize = 800;

/// The compiler refuses more open brackets than this.
const MAX_OPEN_BRACKETS: usize = 256;

/// What the names of macros say that stand before the body of a loop.
const LOOPS: &[&str] = &["for", "each", "while", "loop", "walk"];

/// The first place that is not C, or the first of too many that only macros explain.
pub(super) fn first_error(source: &str, root: Node<'_>) -> Option<Span> {
    let mut cursor = root.walk();
    let mut first = None;
    let mut num_macros = 0;
    let mut num_bytes = 0;
    let mut open_brackets = 0_usize;
    loop {
        let node = cursor.node();
        match node.kind() {
            "(" | "[" | "{" => open_brackets += 1,
            ")" | "]" | "}" => open_brackets = open_brackets.saturating_sub(1),
            _ => {}
        }
        if open_brackets > MAX_OPEN_BRACKETS {
            return Some(span(node));
        }
        let is_wrong = node.is_error() || node.is_missing();
        if is_wrong {
            if !may_be_macro(source, node) {
                return Some(span(node));
            }
            first.get_or_insert(span(node));
            num_macros += 1;
            num_bytes += node.end_byte() - node.start_byte();
        }
        let is_fine = !node.has_error() && node.kind() != "translation_unit";
        let shallow = is_fine && node.end_byte() - node.start_byte() < MAX_OPEN_BRACKETS;
        if !advance(&mut cursor, is_wrong || shallow) {
            break;
        }
    }
    let has_function = root.named_child_count() > 0;
    let is_little = num_macros <= MAX_MACROS.max(source.len() / BYTES_A_MACRO)
        && num_bytes * 8 <= source.len() + 64
        && has_function;
    if is_little { None } else { first }
}

/// How many places the parser stumbled over.
pub(super) fn count(root: Node<'_>) -> usize {
    let mut cursor = root.walk();
    let mut num_errors = 0;
    loop {
        let node = cursor.node();
        num_errors += usize::from(node.is_error() || node.is_missing());
        if !advance(&mut cursor, !node.has_error()) {
            return num_errors;
        }
    }
}

/// Moves to the next node in the order of the text, past this one's parts if asked; false at the end.
fn advance(cursor: &mut TreeCursor<'_>, past: bool) -> bool {
    if !past && cursor.goto_first_child() {
        return true;
    }
    loop {
        if cursor.goto_next_sibling() {
            return true;
        }
        if !cursor.goto_parent() {
            return false;
        }
    }
}

/// Whether an unknown macro can be what the parser stumbled over: a few words, or a statement without its semicolon.
fn may_be_macro(source: &str, node: Node<'_>) -> bool {
    if node.is_missing() {
        let Some(before) = node.prev_sibling() else { return false };
        let text = source.get(before.byte_range()).unwrap_or_default();
        let called = text.split('(').next().unwrap_or_default().trim_end();
        let name = called.rsplit(|letter: char| !letter.is_alphanumeric() && letter != '_').next().unwrap_or_default();
        let has_capitals = name.chars().any(char::is_alphabetic) && !name.chars().any(char::is_lowercase);
        let next = node.parent().and_then(|parent| parent.next_sibling());
        let is_loop = next.is_some_and(|next| next.kind() == "compound_statement")
            && LOOPS.iter().any(|word| name.contains(word));
        return node.kind() == ";" && (text.ends_with('}') || text.ends_with(')') && (has_capitals || is_loop));
    }
    if node.parent().is_none() {
        return false;
    }
    let text = source.get(node.byte_range()).unwrap_or_default();
    if text.len() > MAX_MACRO || text.contains('{') || text.contains('}') {
        return false;
    }
    if text.trim_start().starts_with('#') {
        return true;
    }
    let mut depth = 0_i32;
    for letter in text.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if letter.is_ascii_alphanumeric() || "_,*\"&:<>. \t\n".contains(letter) => {}
            _ => return false,
        }
        if depth < 0 {
            return false;
        }
    }
    depth == 0 && text.split_whitespace().count() <= 3
}

/// The text from the first thing on that is no comment.
fn without_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    while rest.starts_with("/*") || rest.starts_with("//") {
        let end = if rest.starts_with("/*") { rest.find("*/").map(|at| at + 2) } else { rest.find('\n') };
        rest = end.and_then(|end| rest.get(end..)).unwrap_or_default().trim_start();
    }
    rest
}

/// Whether a text starts with a function that says no type: a name, parameters in brackets, a block.
pub(super) fn lacks_type(source: &str) -> bool {
    let rest = without_comments(source);
    let name =
        rest.len() - rest.trim_start_matches(|letter: char| letter.is_alphanumeric() || "_:~".contains(letter)).len();
    let after = rest[name..].trim_start();
    if name == 0 || !after.starts_with('(') {
        return false;
    }
    let mut depth = 0_usize;
    for (at, letter) in after.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return without_comments(&after[at + 1..]).starts_with('{');
                }
            }
            _ => {}
        }
    }
    false
}
