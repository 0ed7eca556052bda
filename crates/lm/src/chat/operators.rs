//! Arithmetic, comparisons and slices, as Python has them.

use std::cmp::Ordering;
use std::fmt::Write as _;

use super::budget::Budget;
use super::value::Value;
use super::{Fault, Outcome};

fn no_operator<T>(sign: &str, left: &Value, right: &Value) -> Outcome<T> {
    Err(Fault::error(format!("{} {sign} {} has no meaning", left.kind(), right.kind())))
}

/// A binary operator other than comparisons.
pub(super) fn binary(sign: &str, left: &Value, right: &Value, budget: &mut Budget) -> Outcome<Value> {
    match sign {
        "~" => {
            let (left, right) = (left.to_text(budget)?, right.to_text(budget)?);
            joined(&left, &right, budget)
        }
        "+" => match (left, right) {
            (Value::Text(left), Value::Text(right)) => joined(left, right, budget),
            (Value::List(one), Value::List(other)) if one.is_tuple == other.is_tuple => {
                budget.steps(one.items.len() + other.items.len())?;
                budget.bytes((one.items.len() + other.items.len()) * size_of::<Value>())?;
                Value::list([one.items.as_slice(), &other.items].concat(), one.is_tuple, budget)
            }
            _ => arithmetic(sign, left, right),
        },
        "*" => match (left, right) {
            (Value::Text(_) | Value::List(_), _) if right.integer().is_some() => repeated(left, right, budget),
            (_, Value::Text(_) | Value::List(_)) if left.integer().is_some() => repeated(right, left, budget),
            _ => arithmetic(sign, left, right),
        },
        "%" if matches!(left, Value::Text(_)) => {
            let arguments = match right {
                Value::List(list) if list.is_tuple => list.items.clone(),
                _ => vec![right.clone()],
            };
            formatted(left, &arguments, budget)
        }
        _ => arithmetic(sign, left, right),
    }
}

fn joined(left: &str, right: &str, budget: &mut Budget) -> Outcome<Value> {
    budget.bytes(left.len() + right.len())?;
    Value::text(&[left, right].concat(), budget)
}

fn repeated(value: &Value, count: &Value, budget: &mut Budget) -> Outcome<Value> {
    let count = usize::try_from(count.integer().unwrap_or(0)).unwrap_or(0);
    let length = match value {
        Value::Text(text) => text.len(),
        Value::List(list) => list.items.len() * size_of::<Value>(),
        _ => 0,
    };
    budget.bytes(length.checked_mul(count).ok_or(Fault::Limit("memory"))?)?;
    match value {
        Value::Text(text) => Value::text(&text.repeat(count), budget),
        Value::List(list) if list.items.is_empty() => Ok(value.clone()),
        Value::List(list) => {
            let items = (0..count).flat_map(|_| list.items.iter().cloned()).collect();
            Value::list(items, list.is_tuple, budget)
        }
        _ => unreachable!("only texts and lists are repeated"),
    }
}

/// `"%s"` and its kin.
pub(super) fn formatted(format: &Value, arguments: &[Value], budget: &mut Budget) -> Outcome<Value> {
    let format = format.to_text(budget)?;
    budget.text(format.len())?;
    let mut out = String::new();
    let mut arguments = arguments.iter();
    let mut pieces = format.split('%');
    super::value::append(&mut out, pieces.next().unwrap_or_default(), budget)?;
    while let Some(piece) = pieces.next() {
        if piece.is_empty() {
            // Two signs are one.
            out.push('%');
            super::value::append(&mut out, pieces.next().unwrap_or_default(), budget)?;
            continue;
        }
        let Some(argument) = arguments.next() else { return Err(Fault::error("too few values for the format")) };
        match piece.as_bytes()[0] {
            b's' => argument.write(&mut out, budget)?,
            b'd' | b'i' if argument.number().is_some() => {
                let number = argument.integer().or_else(|| argument.number().map(|number| number as i64));
                out.push_str(&number.unwrap_or(0).to_string());
            }
            b'f' if argument.number().is_some() => {
                let _ = write!(out, "{:.6}", argument.number().unwrap_or(0.0));
            }
            _ => {
                return Err(Fault::error(format!(
                    "the format %{} is not known here",
                    piece.chars().next().unwrap_or(' ')
                )));
            }
        }
        super::value::append(&mut out, &piece[1..], budget)?;
    }
    if arguments.next().is_some() {
        return Err(Fault::error("too many values for the format"));
    }
    Value::text(&out, budget)
}

fn arithmetic(sign: &str, left: &Value, right: &Value) -> Outcome<Value> {
    if let (Some(one), Some(other)) = (left.integer(), right.integer()) {
        let exact = match sign {
            "+" => one.checked_add(other),
            "-" => one.checked_sub(other),
            "*" => one.checked_mul(other),
            "//" | "%" if other == 0 => return Err(Fault::error("division by zero")),
            "//" => one.checked_div_euclid(other).map(|quotient| {
                // Python rounds down, also where the divisor is negative.
                if other < 0 && one.rem_euclid(other) != 0 { quotient - 1 } else { quotient }
            }),
            "%" => one.checked_rem_euclid(other).map(|rest| if other < 0 && rest != 0 { rest + other } else { rest }),
            "**" if other >= 0 => u32::try_from(other).ok().and_then(|other| one.checked_pow(other)),
            _ => return floats(sign, one as f64, other as f64),
        };
        return exact.map(Value::Integer).ok_or_else(|| Fault::error("a number is out of range"));
    }
    match (left.number(), right.number()) {
        (Some(one), Some(other)) => floats(sign, one, other),
        _ => no_operator(sign, left, right),
    }
}

fn floats(sign: &str, one: f64, other: f64) -> Outcome<Value> {
    if matches!(sign, "/" | "//" | "%") && other == 0.0 {
        return Err(Fault::error("division by zero"));
    }
    Ok(Value::Float(match sign {
        "+" => one + other,
        "-" => one - other,
        "*" => one * other,
        "/" => one / other,
        "//" => (one / other).floor(),
        "%" => one - other * (one / other).floor(),
        _ => one.powf(other),
    }))
}

pub(super) fn negative(value: &Value) -> Outcome<Value> {
    match (value.integer(), value.number()) {
        (Some(number), _) => {
            number.checked_neg().map(Value::Integer).ok_or_else(|| Fault::error("a number is out of range"))
        }
        (None, Some(number)) => Ok(Value::Float(-number)),
        (None, None) => Err(Fault::error(format!("{} has no negative", value.kind()))),
    }
}

/// A comparison, or `in`.
pub(super) fn compares(sign: &str, left: &Value, right: &Value, budget: &mut Budget) -> Outcome<bool> {
    Ok(match sign {
        "==" => left.equals(right, budget)?,
        "!=" => !left.equals(right, budget)?,
        "in" => contains(right, left, budget)?,
        "not in" => !contains(right, left, budget)?,
        "<" => left.compare(right, budget)? == Ordering::Less,
        "<=" => left.compare(right, budget)? != Ordering::Greater,
        ">" => left.compare(right, budget)? == Ordering::Greater,
        _ => left.compare(right, budget)? != Ordering::Less,
    })
}

pub(super) fn contains(container: &Value, item: &Value, budget: &mut Budget) -> Outcome<bool> {
    match container {
        Value::Undefined(_) => Ok(false),
        Value::Text(text) => {
            let Some(item) = item.as_text() else {
                return Err(Fault::error(format!("{} cannot be in a str", item.kind())));
            };
            budget.text(text.len())?;
            Ok(text.contains(item))
        }
        Value::Dict(dict) => {
            if !matches!(item, Value::Text(_)) {
                budget.steps(dict.entries().len())?;
            }
            Ok(dict.get(item).is_some())
        }
        Value::List(list) => {
            for known in &list.items {
                if known.equals(item, budget)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Err(Fault::error(format!("nothing can be in {}", container.kind()))),
    }
}

/// The place that an index means, counted from the end if it is negative.
pub(super) fn position(index: i64, length: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add(length as i64)? } else { index };
    usize::try_from(index).ok().filter(|&index| index < length)
}

/// The places that a slice takes from a sequence of this length.
fn places(bounds: [Option<i64>; 3], length: usize) -> Outcome<Vec<usize>> {
    let length = length as i64;
    let step = bounds[2].unwrap_or(1);
    if step == 0 {
        return Err(Fault::error("a slice cannot step by zero"));
    }
    let (least, most) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let clamp = |bound: Option<i64>, default: i64| match bound {
        None => default,
        Some(bound) if bound < 0 => bound.saturating_add(length).clamp(least, most),
        Some(bound) => bound.clamp(least, most),
    };
    let first = clamp(bounds[0], if step > 0 { least } else { most });
    let end = clamp(bounds[1], if step > 0 { most } else { least });
    let mut places = Vec::new();
    let mut at = first;
    while (step > 0 && at < end) || (step < 0 && at > end) {
        places.push(at as usize);
        let Some(next) = at.checked_add(step) else { break };
        at = next;
    }
    Ok(places)
}

pub(super) fn slice(value: &Value, bounds: [Option<i64>; 3], budget: &mut Budget) -> Outcome<Value> {
    match value {
        Value::List(list) => {
            budget.steps(list.items.len())?;
            budget.bytes(list.items.len() * size_of::<usize>())?;
            let places = places(bounds, list.items.len())?;
            Value::list(places.into_iter().map(|at| list.items[at].clone()).collect(), list.is_tuple, budget)
        }
        Value::Text(text) => {
            budget.steps(text.len())?;
            budget.bytes(text.len() * (size_of::<char>() + size_of::<usize>()))?;
            let characters: Vec<char> = text.chars().collect();
            let places = places(bounds, characters.len())?;
            Value::text(&places.into_iter().map(|at| characters[at]).collect::<String>(), budget)
        }
        Value::Undefined(what) => Err(Fault::error(format!("{what} is undefined and has no elements"))),
        _ => Err(Fault::error(format!("{} has no elements", value.kind()))),
    }
}

/// The numbers from `first` up or down to `end`, without it.
pub(super) fn range(first: i64, end: i64, step: i64, most: i64, budget: &mut Budget) -> Outcome<Value> {
    let span = if step > 0 { i128::from(end) - i128::from(first) } else { i128::from(first) - i128::from(end) };
    let width = i128::from(step).abs();
    let count = if span <= 0 { 0 } else { (span + width - 1) / width };
    if count > i128::from(most) {
        return Err(Fault::Limit("length of a range"));
    }
    budget.steps(count as usize)?;
    let items = (0..count).map(|index| Value::Integer((i128::from(first) + index * i128::from(step)) as i64)).collect();
    Value::list(items, false, budget)
}
