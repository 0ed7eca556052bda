//! The filters that stand behind `|`.

use std::cmp::Ordering;
use std::rc::Rc;

use super::interpreter::{Arguments, Interpreter};
use super::value::{Value, append};
use super::{Fault, Outcome, json, methods, operators, tests_of_values};

/// Applies a filter.
pub(super) fn apply(run: &mut Interpreter<'_>, name: &str, value: Value, mut arguments: Arguments) -> Outcome<Value> {
    match name {
        "map" => map(run, &value, arguments),
        "select" | "reject" => select(run, &value, &arguments, name == "select"),
        "selectattr" | "rejectattr" => select_by_field(run, &value, arguments, name == "selectattr"),
        "default" | "d" => {
            let default = arguments.take(0, "default_value");
            let also_false = arguments.flag(1, "boolean");
            let is_missing = matches!(value, Value::Undefined(_)) || (also_false && !value.is_true());
            Ok(if is_missing { default.unwrap_or_else(|| Value::Text(Rc::from(""))) } else { value })
        }
        "tojson" => json::filter(&value, arguments, &mut run.budget),
        "safe" | "string" => {
            let text = value.to_text(&mut run.budget)?;
            Ok(Value::Text(text))
        }
        "length" | "count" => length(run, &value),
        "first" | "last" | "list" | "reverse" | "items" | "join" | "unique" | "sort" | "dictsort" | "min" | "max"
        | "sum" | "batch" => sequence_filter(run, name, &value, arguments),
        "int" | "float" | "abs" | "round" => number_filter(run, name, &value, arguments),
        _ => text_filter(run, name, &value, arguments),
    }
}

fn length(run: &mut Interpreter<'_>, value: &Value) -> Outcome<Value> {
    let count = match value {
        Value::Undefined(_) => 0,
        Value::Text(text) => {
            run.budget.text(text.len())?;
            text.chars().count()
        }
        Value::List(list) => list.items.len(),
        Value::Dict(dict) => dict.entries().len(),
        _ => return Err(Fault::error(format!("{} has no length", value.kind()))),
    };
    Ok(Value::Integer(count as i64))
}

/// A field of a value by its name, with dots for fields of fields.
fn field(run: &mut Interpreter<'_>, value: &Value, path: &Value) -> Outcome<Value> {
    match path {
        Value::Text(path) => {
            let mut value = value.clone();
            for part in path.split('.') {
                let key = match part.parse::<i64>() {
                    Ok(index) => Value::Integer(index),
                    Err(_) => Value::text(part, &mut run.budget)?,
                };
                value = run.item(&value, &key)?;
            }
            Ok(value)
        }
        _ => run.item(value, path),
    }
}

fn map(run: &mut Interpreter<'_>, value: &Value, mut arguments: Arguments) -> Outcome<Value> {
    let items = value.elements(&mut run.budget)?;
    let mut mapped = Vec::with_capacity(items.len());
    if arguments.positional.is_empty() {
        let Some(path) = arguments.take(0, "attribute") else { return Err(Fault::error("map takes a filter")) };
        let default = arguments.take(1, "default");
        for item in items {
            let found = field(run, &item, &path)?;
            mapped.push(match (found, &default) {
                (Value::Undefined(_), Some(default)) => default.clone(),
                (found, _) => found,
            });
        }
    } else {
        let name = arguments.positional.remove(0);
        let Some(name) = name.as_text() else { return Err(Fault::error("map takes the name of a filter")) };
        for item in items {
            let arguments = copied(&arguments);
            run.budget.steps(1 + arguments.positional.len() + arguments.named.len())?;
            run.budget.enter()?;
            mapped.push(apply(run, name, item, arguments)?);
            run.budget.leave();
        }
    }
    Value::list(mapped, false, &mut run.budget)
}

fn copied(arguments: &Arguments) -> Arguments {
    Arguments { positional: arguments.positional.clone(), named: arguments.named.clone() }
}

fn passes(run: &mut Interpreter<'_>, item: &Value, arguments: &Arguments) -> Outcome<bool> {
    let mut arguments = copied(arguments);
    run.budget.steps(1 + arguments.positional.len())?;
    if arguments.positional.is_empty() {
        return Ok(item.is_true());
    }
    let name = arguments.positional.remove(0);
    let Some(name) = name.as_text() else { return Err(Fault::error("expected the name of a test")) };
    tests_of_values::holds(run, name, item, arguments)
}

fn select(run: &mut Interpreter<'_>, value: &Value, arguments: &Arguments, keeps: bool) -> Outcome<Value> {
    let mut kept = Vec::new();
    for item in value.elements(&mut run.budget)? {
        if passes(run, &item, arguments)? == keeps {
            kept.push(item);
        }
    }
    Value::list(kept, false, &mut run.budget)
}

fn select_by_field(run: &mut Interpreter<'_>, value: &Value, mut arguments: Arguments, keeps: bool) -> Outcome<Value> {
    if arguments.positional.is_empty() {
        return Err(Fault::error("expected the name of a field"));
    }
    let path = arguments.positional.remove(0);
    let mut kept = Vec::new();
    for item in value.elements(&mut run.budget)? {
        let found = field(run, &item, &path)?;
        if passes(run, &found, &arguments)? == keeps {
            kept.push(item);
        }
    }
    Value::list(kept, false, &mut run.budget)
}

fn sequence_filter(run: &mut Interpreter<'_>, name: &str, value: &Value, mut arguments: Arguments) -> Outcome<Value> {
    if let ("items", Value::Dict(_)) = (name, value) {
        return methods::call(value, "items", Arguments::default(), &mut run.budget);
    }
    if let ("reverse", Value::Text(_)) = (name, value) {
        return operators::slice(value, [None, None, Some(-1)], &mut run.budget);
    }
    if name == "dictsort" {
        return dictsort(run, value, arguments);
    }
    let mut items = value.elements(&mut run.budget)?;
    match name {
        "first" => Ok(items.into_iter().next().unwrap_or_else(|| Value::undefined("the first element"))),
        "last" => Ok(items.pop().unwrap_or_else(|| Value::undefined("the last element"))),
        "list" => Value::list(items, false, &mut run.budget),
        "items" if items.is_empty() => Value::list(items, false, &mut run.budget),
        "items" => Err(Fault::error(format!("{} has no items", value.kind()))),
        "reverse" => {
            items.reverse();
            Value::list(items, false, &mut run.budget)
        }
        "join" => join(run, items, &mut arguments),
        "sort" => {
            let is_reversed = arguments.flag(0, "reverse");
            let with_case = arguments.flag(1, "case_sensitive");
            let path = arguments.take(2, "attribute");
            let items = sorted(run, items, with_case, path.as_ref(), is_reversed)?;
            Value::list(items, false, &mut run.budget)
        }
        "min" | "max" => {
            let with_case = arguments.flag(0, "case_sensitive");
            let path = arguments.take(1, "attribute");
            let items = sorted(run, items, with_case, path.as_ref(), name == "max")?;
            Ok(items.into_iter().next().unwrap_or_else(|| Value::undefined("an element of nothing")))
        }
        "unique" => {
            let with_case = arguments.flag(0, "case_sensitive");
            let mut kept: Vec<(Value, Value)> = Vec::new();
            for item in items {
                let key = sort_key(run, &item, with_case, None)?;
                let mut is_known = false;
                for (known, _) in &kept {
                    is_known = is_known || known.equals(&key, &mut run.budget)?;
                }
                if !is_known {
                    kept.push((key, item));
                }
            }
            Value::list(kept.into_iter().map(|(_, item)| item).collect(), false, &mut run.budget)
        }
        "sum" => {
            let path = arguments.take(0, "attribute");
            let mut sum = arguments.take(1, "start").unwrap_or(Value::Integer(0));
            for item in items {
                let item = match &path {
                    Some(path) if !matches!(path, Value::None) => field(run, &item, path)?,
                    _ => item,
                };
                sum = operators::binary("+", &sum, &item, &mut run.budget)?;
            }
            Ok(sum)
        }
        _ => {
            let size = arguments.take(0, "linecount").and_then(|size| size.integer());
            let size = size.and_then(|size| usize::try_from(size).ok()).filter(|&size| size > 0);
            let Some(size) = size else { return Err(Fault::error("batch takes a size")) };
            let rows: Outcome<_> =
                items.chunks(size).map(|row| Value::list(row.to_vec(), false, &mut run.budget)).collect();
            Value::list(rows?, false, &mut run.budget)
        }
    }
}

fn join(run: &mut Interpreter<'_>, items: Vec<Value>, arguments: &mut Arguments) -> Outcome<Value> {
    let between = match arguments.take(0, "d") {
        Some(between) => between.to_text(&mut run.budget)?,
        None => Rc::from(""),
    };
    let path = arguments.take(1, "attribute");
    let mut out = String::new();
    for (index, item) in items.into_iter().enumerate() {
        let item = match &path {
            Some(path) => field(run, &item, path)?,
            None => item,
        };
        append(&mut out, if index > 0 { &between } else { "" }, &mut run.budget)?;
        item.write(&mut out, &mut run.budget)?;
    }
    Value::text(&out, &mut run.budget)
}

fn sort_key(run: &mut Interpreter<'_>, item: &Value, with_case: bool, path: Option<&Value>) -> Outcome<Value> {
    let key = match path {
        Some(path) if !matches!(path, Value::None) => field(run, item, path)?,
        _ => item.clone(),
    };
    match &key {
        Value::Text(text) if !with_case => {
            run.budget.text(4 * text.len())?;
            Value::text(&text.to_lowercase(), &mut run.budget)
        }
        _ => Ok(key),
    }
}

/// Sorts by keys; equal ones stay in their order.
fn sorted(
    run: &mut Interpreter<'_>,
    items: Vec<Value>,
    with_case: bool,
    path: Option<&Value>,
    is_reversed: bool,
) -> Outcome<Vec<Value>> {
    let mut keyed = Vec::with_capacity(items.len());
    for item in items {
        keyed.push((sort_key(run, &item, with_case, path)?, item));
    }
    let mut fault = None;
    keyed.sort_by(|(one, _), (other, _)| {
        if fault.is_some() {
            return Ordering::Equal;
        }
        let order = one.compare(other, &mut run.budget).unwrap_or_else(|error| {
            fault = Some(error);
            Ordering::Equal
        });
        if is_reversed { order.reverse() } else { order }
    });
    match fault {
        Some(fault) => Err(fault),
        None => Ok(keyed.into_iter().map(|(_, item)| item).collect()),
    }
}

fn dictsort(run: &mut Interpreter<'_>, value: &Value, mut arguments: Arguments) -> Outcome<Value> {
    let with_case = arguments.flag(0, "case_sensitive");
    let by_value = arguments.take(1, "by").is_some_and(|by| by.as_text() == Some("value"));
    let is_reversed = arguments.flag(2, "reverse");
    let Value::Dict(_) = value else { return Err(Fault::error(format!("{} has no items", value.kind()))) };
    let pairs = methods::call(value, "items", Arguments::default(), &mut run.budget)?.elements(&mut run.budget)?;
    let path = Value::Integer(i64::from(by_value));
    let pairs = sorted(run, pairs, with_case, Some(&path), is_reversed)?;
    Value::list(pairs, false, &mut run.budget)
}

fn number_filter(run: &mut Interpreter<'_>, name: &str, value: &Value, mut arguments: Arguments) -> Outcome<Value> {
    let text = value.as_text().map(|text| text.trim().replace('_', ""));
    run.budget.text(text.as_ref().map_or(0, String::len))?;
    match name {
        "int" => {
            let default = arguments.take(0, "default").unwrap_or(Value::Integer(0));
            let found = match (&text, value.integer(), value.number()) {
                (Some(text), ..) => text.parse::<i64>().ok().or_else(|| text.parse::<f64>().ok().and_then(whole)),
                (None, Some(number), _) => Some(number),
                (None, None, number) => number.and_then(whole),
            };
            Ok(found.map_or(default, Value::Integer))
        }
        "float" => {
            let default = arguments.take(0, "default").unwrap_or(Value::Float(0.0));
            let found = text.map_or_else(|| value.number(), |text| text.parse().ok());
            Ok(found.map_or(default, Value::Float))
        }
        "abs" => match (value.integer(), value.number()) {
            (Some(number), _) => {
                number.checked_abs().map(Value::Integer).ok_or_else(|| Fault::error("a number is out of range"))
            }
            (None, Some(number)) => Ok(Value::Float(number.abs())),
            (None, None) => Err(Fault::error(format!("{} has no size", value.kind()))),
        },
        _ => {
            let Some(number) = value.number() else {
                return Err(Fault::error(format!("{} is no number", value.kind())));
            };
            let precision = arguments.take(0, "precision").and_then(|digits| digits.integer()).unwrap_or(0);
            let method = arguments.take(1, "method");
            let precision = i32::try_from(precision.clamp(-300, 300)).unwrap_or(0);
            let scale = 10_f64.powi(precision);
            Ok(Value::Float(match method.as_ref().and_then(Value::as_text) {
                None | Some("common") if precision >= 0 => {
                    // Correctly rounded, half to even, as Python does it.
                    format!("{number:.*}", precision as usize).parse().unwrap_or(number)
                }
                None | Some("common") => (number * scale).round_ties_even() / scale,
                Some("ceil") => (number * scale).ceil() / scale,
                Some("floor") => (number * scale).floor() / scale,
                Some(other) => return Err(Fault::error(format!("there is no way {other} to round"))),
            }))
        }
    }
}

fn whole(number: f64) -> Option<i64> {
    (number.abs() < 9e18).then_some(number.trunc() as i64)
}

fn text_filter(run: &mut Interpreter<'_>, name: &str, value: &Value, mut arguments: Arguments) -> Outcome<Value> {
    let text = value.to_text(&mut run.budget)?;
    run.budget.text(4 * text.len())?;
    match name {
        "trim" => {
            let characters = arguments.take(0, "chars");
            let characters = characters.as_ref().and_then(Value::as_text);
            Value::text(methods::stripped(&text, characters, true, true), &mut run.budget)
        }
        "upper" => Value::text(&text.to_uppercase(), &mut run.budget),
        "lower" => Value::text(&text.to_lowercase(), &mut run.budget),
        "title" => {
            // Unlike the method, only these signs begin a word.
            let mut out = String::with_capacity(text.len());
            let mut begins = true;
            for c in text.chars() {
                if begins {
                    out.extend(c.to_uppercase());
                } else {
                    out.extend(c.to_lowercase());
                }
                begins = c.is_whitespace() || matches!(c, '-' | '(' | '{' | '[' | '<');
            }
            Value::text(&out, &mut run.budget)
        }
        "capitalize" => Value::text(&methods::capitalized(&text), &mut run.budget),
        "replace" => {
            let old = arguments.take(0, "old").unwrap_or(Value::None).to_text(&mut run.budget)?;
            let new = arguments.take(1, "new").unwrap_or(Value::None).to_text(&mut run.budget)?;
            let count = arguments.take(2, "count").and_then(|count| count.integer());
            methods::replaced(&text, &old, &new, count, &mut run.budget)
        }
        "indent" => indent(run, &text, &mut arguments),
        "wordcount" => {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let count = text.split(|c: char| !is_word(c)).filter(|word| !word.is_empty()).count();
            Ok(Value::Integer(count as i64))
        }
        "format" => operators::formatted(value, &arguments.positional, &mut run.budget),
        "escape" | "e" => {
            run.budget.bytes(6 * text.len())?;
            let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            Value::text(&escaped.replace('\'', "&#39;").replace('"', "&#34;"), &mut run.budget)
        }
        _ => Err(Fault::error(format!("the filter {name} is not known here"))),
    }
}

fn indent(run: &mut Interpreter<'_>, text: &str, arguments: &mut Arguments) -> Outcome<Value> {
    let width = match arguments.take(0, "width") {
        Some(Value::Text(width)) => width.to_string(),
        Some(width) => {
            let width = width.integer().and_then(|width| usize::try_from(width).ok()).unwrap_or(0);
            run.budget.bytes(width)?;
            " ".repeat(width)
        }
        None => "    ".to_owned(),
    };
    let (first, blank) = (arguments.flag(1, "first"), arguments.flag(2, "blank"));
    // A break at the end keeps an empty line behind it.
    let text = format!("{text}\n");
    let mut out = String::new();
    for (index, line) in methods::lines(&text, false).into_iter().enumerate() {
        append(&mut out, if index > 0 { "\n" } else { "" }, &mut run.budget)?;
        let is_indented = if index == 0 { first } else { blank || !line.is_empty() };
        append(&mut out, if is_indented { &width } else { "" }, &mut run.budget)?;
        append(&mut out, line, &mut run.budget)?;
    }
    Value::text(&out, &mut run.budget)
}
