//! The methods that Python's strings, dictionaries and lists have, as far as templates may call them: none changes its
//! object.

use std::rc::Rc;

use super::budget::Budget;
use super::interpreter::Arguments;
use super::value::Value;
use super::{Fault, Outcome, operators};

const OF_TEXTS: [&str; 34] = [
    "strip",
    "lstrip",
    "rstrip",
    "split",
    "rsplit",
    "splitlines",
    "startswith",
    "endswith",
    "upper",
    "lower",
    "title",
    "capitalize",
    "swapcase",
    "casefold",
    "replace",
    "find",
    "rfind",
    "index",
    "count",
    "join",
    "format",
    "isdigit",
    "isnumeric",
    "isdecimal",
    "isalpha",
    "isalnum",
    "isspace",
    "isupper",
    "islower",
    "removeprefix",
    "removesuffix",
    "partition",
    "rpartition",
    "zfill",
];
const OF_DICTS: [&str; 5] = ["items", "keys", "values", "get", "copy"];
const OF_LISTS: [&str; 3] = ["index", "count", "copy"];
/// Methods that Hugging Face refuses, because they change their object.
const CHANGING: [&str; 11] =
    ["append", "extend", "insert", "pop", "popitem", "remove", "reverse", "sort", "clear", "update", "setdefault"];

/// Whether a value has a method of this name.
pub(super) fn has(value: &Value, name: &str) -> bool {
    match value {
        Value::Text(_) => OF_TEXTS.contains(&name),
        Value::Dict(_) => {
            OF_DICTS.contains(&name) || ["clear", "pop", "popitem", "update", "setdefault"].contains(&name)
        }
        Value::List(list) => {
            OF_LISTS[..2].contains(&name)
                || (!list.is_tuple && (OF_LISTS.contains(&name) || CHANGING[..9].contains(&name)))
        }
        Value::Loop(_) => name == "cycle",
        _ => false,
    }
}

/// Calls a method that the value has.
pub(super) fn call(value: &Value, name: &str, mut arguments: Arguments, budget: &mut Budget) -> Outcome<Value> {
    match value {
        Value::Text(text) => call_on_text(text, name, &mut arguments, budget),
        Value::Dict(_) | Value::List(_) if CHANGING.contains(&name) => {
            Err(Fault::error(format!("{name} would change {}, which templates may not", value.kind())))
        }
        Value::Dict(dict) => match name {
            "items" => {
                let pairs: Outcome<_> = dict
                    .entries()
                    .iter()
                    .map(|(key, value)| Value::list(vec![key.clone(), value.clone()], true, budget))
                    .collect();
                Value::list(pairs?, false, budget)
            }
            "keys" => Value::list(dict.entries().iter().map(|(key, _)| key.clone()).collect(), false, budget),
            "values" => Value::list(dict.entries().iter().map(|(_, value)| value.clone()).collect(), false, budget),
            "get" => {
                let Some(key) = arguments.take(0, "key") else { return Err(Fault::error("get takes a key")) };
                budget.steps(1)?;
                let default = arguments.take(1, "default").unwrap_or(Value::None);
                Ok(dict.get(&key).cloned().unwrap_or(default))
            }
            _ => Ok(value.clone()),
        },
        Value::List(_) if name == "copy" => Ok(value.clone()),
        Value::List(list) => {
            let Some(wanted) = arguments.take(0, "value") else { return missing(name) };
            let mut places = Vec::new();
            for (at, item) in list.items.iter().enumerate() {
                if item.equals(&wanted, budget)? {
                    places.push(at as i64);
                }
            }
            match (name, places.first()) {
                ("count", _) => Ok(Value::Integer(places.len() as i64)),
                (_, Some(at)) => Ok(Value::Integer(*at)),
                (_, None) => Err(Fault::error("the value is not in the list")),
            }
        }
        Value::Loop(state) => {
            let count = arguments.positional.len();
            match count {
                0 => missing(name),
                _ => Ok(arguments.positional.swap_remove(state.index % count)),
            }
        }
        _ => Err(Fault::error(format!("{} has no method {name}", value.kind()))),
    }
}

fn missing<T>(name: &str) -> Outcome<T> {
    Err(Fault::error(format!("{name} takes an argument")))
}

fn text_argument(arguments: &mut Arguments, position: usize, name: &str) -> Outcome<Option<Rc<str>>> {
    match arguments.take(position, name) {
        None | Some(Value::None) => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(other) => Err(Fault::error(format!("expected a str, found {}", other.kind()))),
    }
}

fn whole_argument(arguments: &mut Arguments, position: usize, name: &str) -> Outcome<Option<i64>> {
    match arguments.take(position, name) {
        None | Some(Value::None) => Ok(None),
        Some(value) => match value.integer() {
            Some(number) => Ok(Some(number)),
            None => Err(Fault::error(format!("expected an int, found {}", value.kind()))),
        },
    }
}

/// Strips characters, or white space, from the ends that are asked for.
pub(super) fn stripped<'t>(text: &'t str, characters: Option<&str>, start: bool, end: bool) -> &'t str {
    let is_stripped = |c: char| characters.map_or_else(|| is_space(c), |characters| characters.contains(c));
    let text = if start { text.trim_start_matches(is_stripped) } else { text };
    if end { text.trim_end_matches(is_stripped) } else { text }
}

/// What Python counts as white space.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

fn call_on_text(text: &Rc<str>, name: &str, arguments: &mut Arguments, budget: &mut Budget) -> Outcome<Value> {
    budget.text(4 * text.len())?;
    match name {
        "strip" | "lstrip" | "rstrip" => {
            let characters = text_argument(arguments, 0, "chars")?;
            budget.steps(characters.as_deref().map_or(0, |characters| characters.len().min(1024) * text.len() / 16))?;
            Value::text(stripped(text, characters.as_deref(), name != "rstrip", name != "lstrip"), budget)
        }
        "split" | "rsplit" => split(text, name == "rsplit", arguments, budget),
        "splitlines" => {
            let keeps_ends = arguments.flag(0, "keepends");
            let lines = lines(text, keeps_ends);
            texts(&lines, false, budget)
        }
        "startswith" | "endswith" => {
            let begins = name == "startswith";
            let is_there = |piece: &str| if begins { text.starts_with(piece) } else { text.ends_with(piece) };
            match arguments.take(0, "prefix") {
                Some(Value::Text(piece)) => Ok(Value::Bool(is_there(&piece))),
                Some(Value::List(list)) if list.is_tuple => {
                    budget.steps(list.items.len())?;
                    Ok(Value::Bool(list.items.iter().filter_map(Value::as_text).any(is_there)))
                }
                _ => Err(Fault::error(format!("{name} takes a str"))),
            }
        }
        "upper" => cased(&text.to_uppercase(), budget),
        "lower" | "casefold" => cased(&text.to_lowercase(), budget),
        "swapcase" => {
            let swap = |c: char| {
                if c.is_uppercase() { c.to_lowercase().collect::<String>() } else { c.to_uppercase().collect() }
            };
            cased(&text.chars().map(swap).collect::<String>(), budget)
        }
        "title" => cased(&titled(text), budget),
        "capitalize" => cased(&capitalized(text), budget),
        "replace" => {
            let (Some(old), Some(new)) = (text_argument(arguments, 0, "old")?, text_argument(arguments, 1, "new")?)
            else {
                return Err(Fault::error("replace takes two strs"));
            };
            replaced(text, &old, &new, whole_argument(arguments, 2, "count")?, budget)
        }
        "find" | "rfind" | "index" => {
            let Some(piece) = text_argument(arguments, 0, "sub")? else { return missing(name) };
            let at = if name == "rfind" { text.rfind(&*piece) } else { text.find(&*piece) };
            match at {
                Some(at) => Ok(Value::Integer(text[..at].chars().count() as i64)),
                None if name == "index" => Err(Fault::error("substring not found")),
                None => Ok(Value::Integer(-1)),
            }
        }
        "count" => {
            let Some(piece) = text_argument(arguments, 0, "sub")? else { return missing(name) };
            let count = if piece.is_empty() { text.chars().count() + 1 } else { text.matches(&*piece).count() };
            Ok(Value::Integer(count as i64))
        }
        "join" => {
            let items = arguments.take(0, "iterable").unwrap_or(Value::None).elements(budget)?;
            let mut out = String::new();
            for (index, item) in items.iter().enumerate() {
                let Some(item) = item.as_text() else {
                    return Err(Fault::error(format!("join takes strs, found {}", item.kind())));
                };
                super::value::append(&mut out, if index > 0 { text } else { "" }, budget)?;
                super::value::append(&mut out, item, budget)?;
            }
            Value::text(&out, budget)
        }
        "format" => braced(text, arguments, budget),
        "isdigit" | "isnumeric" | "isdecimal" => Ok(Value::Bool(all(text, char::is_numeric))),
        "isalpha" => Ok(Value::Bool(all(text, char::is_alphabetic))),
        "isalnum" => Ok(Value::Bool(all(text, char::is_alphanumeric))),
        "isspace" => Ok(Value::Bool(all(text, is_space))),
        "isupper" => Ok(Value::Bool(text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase))),
        "islower" => Ok(Value::Bool(text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase))),
        "removeprefix" | "removesuffix" => {
            let Some(piece) = text_argument(arguments, 0, "piece")? else { return missing(name) };
            let rest = if name == "removeprefix" { text.strip_prefix(&*piece) } else { text.strip_suffix(&*piece) };
            Value::text(rest.unwrap_or(text), budget)
        }
        "partition" | "rpartition" => {
            let Some(piece) = text_argument(arguments, 0, "sep")?.filter(|piece| !piece.is_empty()) else {
                return missing(name);
            };
            let is_first = name == "partition";
            let cut = if is_first { text.split_once(&*piece) } else { text.rsplit_once(&*piece) };
            match cut {
                Some((before, after)) => texts(&[before, &piece, after], true, budget),
                None if is_first => texts(&[text, "", ""], true, budget),
                None => texts(&["", "", text], true, budget),
            }
        }
        _ => {
            let width = whole_argument(arguments, 0, "width")?.and_then(|width| usize::try_from(width).ok());
            let num_zeros = width.unwrap_or(0).saturating_sub(text.chars().count());
            budget.bytes(num_zeros)?;
            let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
            Value::text(&format!("{sign}{}{digits}", "0".repeat(num_zeros)), budget)
        }
    }
}

fn all(text: &str, holds: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().all(holds)
}

fn cased(text: &str, budget: &mut Budget) -> Outcome<Value> {
    Value::text(text, budget)
}

/// Each word with a capital, the rest small. A word is a run of letters.
pub(super) fn titled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_word = false;
    for c in text.chars() {
        if in_word {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        in_word = c.is_alphabetic();
    }
    out
}

/// The first letter a capital, the rest small.
pub(super) fn capitalized(text: &str) -> String {
    let mut rest = text.chars();
    rest.next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(rest.as_str().to_lowercase().chars()).collect())
}

/// Replaces a piece, everywhere or the first few times.
pub(super) fn replaced(text: &str, old: &str, new: &str, most: Option<i64>, budget: &mut Budget) -> Outcome<Value> {
    let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let places = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() };
    let growth = places.min(most).checked_mul(new.len()).ok_or(Fault::Limit("memory"))?;
    budget.bytes(growth.saturating_add(text.len()))?;
    Value::text(&text.replacen(old, new, most), budget)
}

fn texts(pieces: &[&str], is_tuple: bool, budget: &mut Budget) -> Outcome<Value> {
    budget.bytes(pieces.len() * size_of::<Value>())?;
    let pieces: Outcome<_> = pieces.iter().map(|piece| Value::text(piece, budget)).collect();
    Value::list(pieces?, is_tuple, budget)
}

fn split(text: &str, from_end: bool, arguments: &mut Arguments, budget: &mut Budget) -> Outcome<Value> {
    let separator = text_argument(arguments, 0, "sep")?;
    let most = whole_argument(arguments, 1, "maxsplit")?.and_then(|most| usize::try_from(most).ok());
    // Every byte could become a piece.
    budget.steps(text.len())?;
    let mut pieces: Vec<&str> = match (separator.as_deref(), most, from_end) {
        (Some(""), ..) => return Err(Fault::error("empty separator")),
        (Some(separator), None, _) => text.split(separator).collect(),
        (Some(separator), Some(most), false) => text.splitn(most.saturating_add(1), separator).collect(),
        (Some(separator), Some(most), true) => text.rsplitn(most.saturating_add(1), separator).collect(),
        (None, None, _) => text.split(is_space).filter(|piece| !piece.is_empty()).collect(),
        (None, Some(most), from_end) => words(text, most, from_end),
    };
    if from_end && most.is_some() {
        pieces.reverse();
    }
    texts(&pieces, false, budget)
}

/// The first words, or the last in reverse, and what is left of the text.
fn words(text: &str, most: usize, from_end: bool) -> Vec<&str> {
    let mut rest = stripped(text, None, !from_end, from_end);
    let mut pieces = Vec::new();
    while pieces.len() < most {
        let cut = if from_end { rest.rfind(is_space) } else { rest.find(is_space) };
        let Some(at) = cut else { break };
        let width = rest[at..].chars().next().map_or(1, char::len_utf8);
        if from_end {
            pieces.push(&rest[at + width..]);
            rest = stripped(&rest[..at], None, false, true);
        } else {
            pieces.push(&rest[..at]);
            rest = stripped(&rest[at..], None, true, false);
        }
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    pieces
}

/// Lines as Python cuts them, with or without their ends.
pub(super) fn lines(text: &str, keeps_ends: bool) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    let is_end = |c: char| {
        matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    while let Some(at) = rest.find(is_end) {
        let width =
            if rest[at..].starts_with("\r\n") { 2 } else { rest[at..].chars().next().map_or(1, char::len_utf8) };
        lines.push(&rest[..if keeps_ends { at + width } else { at }]);
        rest = &rest[at + width..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

/// `"{} {name}".format(..)`, without format specifications.
fn braced(text: &str, arguments: &mut Arguments, budget: &mut Budget) -> Outcome<Value> {
    let mut out = String::new();
    let mut next = 0;
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        super::value::append(&mut out, &rest[..at], budget)?;
        if rest[at..].starts_with("{{") || rest[at..].starts_with("}}") {
            out.push_str(&rest[at..=at]);
            rest = &rest[at + 2..];
            continue;
        }
        let end = rest[at..].find('}').filter(|_| rest[at..].starts_with('{'));
        let Some(end) = end else { return Err(Fault::error("a brace stands alone in a format")) };
        let field = &rest[at + 1..at + end];
        let value = if field.is_empty() {
            next += 1;
            arguments.positional.get(next - 1)
        } else if let Ok(position) = field.parse::<usize>() {
            arguments.positional.get(position)
        } else {
            arguments.named.iter().find(|(name, _)| name == field).map(|(_, value)| value)
        };
        let Some(value) = value else { return Err(Fault::error(format!("the format has no value for {{{field}}}"))) };
        value.write(&mut out, budget)?;
        rest = &rest[at + end + 1..];
    }
    super::value::append(&mut out, rest, budget)?;
    Value::text(&out, budget)
}

/// Whether a test or filter finds a piece in a value; shared with `in`.
pub(super) fn is_in(item: &Value, container: &Value, budget: &mut Budget) -> Outcome<bool> {
    operators::contains(container, item, budget)
}
