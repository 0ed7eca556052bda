//! `tojson` as Hugging Face has it: Python's `json.dumps` without escaping what is not ASCII.

use std::fmt::Write as _;

use super::budget::Budget;
use super::interpreter::Arguments;
use super::value::{Value, append, float_text};
use super::{Fault, Outcome};

/// How to write.
struct Style {
    only_ascii: bool,
    indent: Option<String>,
    between_items: String,
    between_key_and_value: String,
    sorts_keys: bool,
}

/// The filter.
pub(super) fn filter(value: &Value, mut arguments: Arguments, budget: &mut Budget) -> Outcome<Value> {
    let only_ascii = arguments.flag(0, "ensure_ascii");
    let indent = match arguments.take(1, "indent") {
        None | Some(Value::None) => None,
        Some(Value::Text(text)) => Some(text.to_string()),
        Some(width) => {
            let width = width.integer().and_then(|width| usize::try_from(width).ok()).unwrap_or(0);
            budget.bytes(width)?;
            Some(" ".repeat(width))
        }
    };
    let (mut items, mut pair) = (if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned());
    if let Some(Value::List(list)) = arguments.take(2, "separators") {
        let [Value::Text(first), Value::Text(second)] = list.items.as_slice() else {
            return Err(Fault::error("separators are two strs"));
        };
        (items, pair) = (first.to_string(), second.to_string());
    }
    let style = Style {
        only_ascii,
        indent,
        between_items: items,
        between_key_and_value: pair,
        sorts_keys: arguments.flag(3, "sort_keys"),
    };
    let mut out = String::new();
    write(value, &style, 0, &mut out, budget)?;
    Value::text(&out, budget)
}

fn line_break(style: &Style, depth: usize, out: &mut String, budget: &mut Budget) -> Outcome<()> {
    let Some(indent) = &style.indent else { return Ok(()) };
    append(out, "\n", budget)?;
    for _ in 0..depth {
        append(out, indent, budget)?;
    }
    Ok(())
}

fn write(value: &Value, style: &Style, depth: usize, out: &mut String, budget: &mut Budget) -> Outcome<()> {
    budget.steps(1)?;
    match value {
        Value::None => append(out, "null", budget),
        Value::Bool(flag) => append(out, if *flag { "true" } else { "false" }, budget),
        Value::Integer(number) => append(out, &number.to_string(), budget),
        Value::Float(number) => append(out, &float_json(*number), budget),
        Value::Text(text) => write_text(text, style, out, budget),
        Value::List(list) if list.items.is_empty() => append(out, "[]", budget),
        Value::List(list) => {
            append(out, "[", budget)?;
            for (index, item) in list.items.iter().enumerate() {
                append(out, if index > 0 { &style.between_items } else { "" }, budget)?;
                line_break(style, depth + 1, out, budget)?;
                write(item, style, depth + 1, out, budget)?;
            }
            line_break(style, depth, out, budget)?;
            append(out, "]", budget)
        }
        Value::Dict(dict) if dict.entries().is_empty() => append(out, "{}", budget),
        Value::Dict(dict) => {
            append(out, "{", budget)?;
            let mut entries: Vec<&(Value, Value)> = dict.entries().iter().collect();
            if style.sorts_keys {
                budget.steps(16 * entries.len())?;
                if entries.iter().any(|(key, _)| key.as_text().is_none()) {
                    return Err(Fault::error("only strs can be sorted as keys"));
                }
                entries.sort_by(|one, other| one.0.as_text().cmp(&other.0.as_text()));
            }
            for (index, (key, value)) in entries.into_iter().enumerate() {
                append(out, if index > 0 { &style.between_items } else { "" }, budget)?;
                line_break(style, depth + 1, out, budget)?;
                let key = match key {
                    Value::Text(key) => key.to_string(),
                    Value::None => "null".to_owned(),
                    Value::Bool(flag) => flag.to_string(),
                    Value::Float(number) => float_json(*number),
                    other => other.to_text(budget)?.to_string(),
                };
                write_text(&key, style, out, budget)?;
                append(out, &style.between_key_and_value, budget)?;
                write(value, style, depth + 1, out, budget)?;
            }
            line_break(style, depth, out, budget)?;
            append(out, "}", budget)
        }
        _ => Err(Fault::error(format!("{} has no JSON", value.kind()))),
    }
}

fn float_json(number: f64) -> String {
    match (number.is_nan(), number.is_infinite(), number > 0.0) {
        (true, ..) => "NaN".to_owned(),
        (_, true, true) => "Infinity".to_owned(),
        (_, true, false) => "-Infinity".to_owned(),
        _ => float_text(number),
    }
}

fn write_text(text: &str, style: &Style, out: &mut String, budget: &mut Budget) -> Outcome<()> {
    // At most six bytes for one.
    budget.bytes(6 * text.len() + 2)?;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if u32::from(c) < 0x20 || (style.only_ascii && !c.is_ascii()) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
    Ok(())
}
