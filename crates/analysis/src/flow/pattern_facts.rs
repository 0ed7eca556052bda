//! What a regular expression that matches, or does not, says about the text.

use super::classes::{Classes, harmless_with_only};
use super::conditions::harmless_lacking;
use super::value::{Truth, ValueRef};
use crate::regular::{Regular, parse};

/// Patterns for more texts than this are not spelled out.
const MAX_LITERALS: usize = 16;

/// `how` is `match`, `fullmatch` or `search`.
pub(in crate::flow) fn truth(pattern: &str, how: &str, text: &ValueRef) -> Truth {
    let Some(regular) = parse(pattern) else { return Truth::default() };
    let parts = regular.parts();
    let starts = how != "search" || parts.first() == Some(&Regular::Start);
    let (ends, may_end_line) = match (how, parts.last()) {
        ("fullmatch", _) | (_, Some(Regular::StrictEnd)) => (true, false),
        (_, Some(Regular::End)) => (true, true),
        _ => (false, false),
    };
    let mut known = Classes::NONE;
    if starts
        && ends
        && let Some(letters) = regular.letters()
    {
        known = harmless_with_only(|letter| letters.contains(letter) || may_end_line && letter == '\n');
    }
    if starts {
        known = known | harmless_start(parts);
    }
    let lacking = if how == "search" { harmless_unless_found(&regular) } else { Classes::NONE };
    Truth { when_true: text.facts(known), when_false: text.facts(lacking) }
}

/// What follows when the pattern occurs nowhere in the text.
fn harmless_unless_found(regular: &Regular) -> Classes {
    match regular {
        Regular::Choice(choices) => {
            choices.iter().fold(Classes::NONE, |all, choice| all | harmless_unless_found(choice))
        }
        Regular::Set(letters) => harmless_with_only(|letter| !letters.contains(letter)),
        Regular::Repeat { inner, least: 1.., .. } => harmless_unless_found(inner),
        Regular::Sequence(_) => {
            let literals = literals(regular).unwrap_or_default();
            literals.iter().fold(Classes::NONE, |all, literal| all | harmless_lacking(literal))
        }
        _ => Classes::NONE,
    }
}

/// The few texts that a pattern matches, when it is nothing but literals and choices between them.
fn literals(regular: &Regular) -> Option<Vec<String>> {
    match regular {
        Regular::Set(letters) => Some(vec![letters.only()?.to_string()]),
        Regular::Choice(choices) => {
            let all: Option<Vec<Vec<String>>> = choices.iter().map(literals).collect();
            all.map(|all| all.concat())
        }
        Regular::Sequence(parts) => {
            let mut all = vec![String::new()];
            for part in parts {
                let next = literals(part)?;
                all = all.iter().flat_map(|one| next.iter().map(move |other| format!("{one}{other}"))).collect();
                if all.len() > MAX_LITERALS {
                    return None;
                }
            }
            Some(all)
        }
        _ => None,
    }
}

/// What the fixed start of a pattern says: a local path, or an address with its host.
fn harmless_start(parts: &[Regular]) -> Classes {
    let mut prefix = String::new();
    let mut parts = parts.iter().skip_while(|part| **part == Regular::Start).peekable();
    while let Some(Regular::Set(letters)) = parts.peek() {
        let Some(letter) = letters.only() else { break };
        prefix.push(letter);
        parts.next();
    }
    let next_is_word = parts.next().is_some_and(|part| {
        let first = part.first();
        !part.is_optional() && !first.contains('/') && !first.contains('\\')
    });
    let mut known = Classes::NONE;
    if prefix == "/" && next_is_word
        || prefix.starts_with('/') && prefix.len() > 1 && !prefix[1..].starts_with(['/', '\\'])
    {
        known = known | Classes::REDIRECT;
    }
    if let Some((_, host)) = prefix.split_once("://")
        && host.contains('/')
        && !host.starts_with('/')
    {
        known = known | Classes::HOST;
    }
    known
}

/// What `re.sub(pattern, replacement, text)` takes away.
pub(in crate::flow) fn substituted(pattern: &str, replacement: &str) -> Classes {
    let Some(regular) = parse(pattern) else { return Classes::NONE };
    let mut inner = &regular;
    while let Regular::Repeat { inner: repeated, least: 1, .. } = inner {
        inner = repeated;
    }
    match inner {
        Regular::Set(letters) => harmless_with_only(|letter| !letters.contains(letter) || replacement.contains(letter)),
        _ => Classes::NONE,
    }
}
