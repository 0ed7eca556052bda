//! The values of a template, and how Python writes them.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value as Json;

use super::budget::Budget;
use super::syntax::Macro;
use super::{Fault, Outcome};

/// How deep lists and dictionaries may nest.
const MOST_DEPTH: u16 = 64;

/// A value.
#[derive(Clone)]
pub(super) enum Value {
    /// What is not there, under the name by which it was asked for.
    Undefined(Rc<str>),
    None,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Rc<str>),
    List(Rc<List>),
    Dict(Rc<Dict>),
    /// The only value that changes.
    Namespace(Rc<RefCell<BTreeMap<Rc<str>, Value>>>),
    Macro(Arc<Macro>),
    /// The body of a call block, with the frames that it sees.
    Caller(Arc<Macro>),
    Function(Function),
    /// A method that was named and not called.
    Method,
    Loop(Rc<LoopState>),
}

/// What can be called without being an attribute.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Range,
    Namespace,
    Dict,
    RaiseException,
    StrftimeNow,
}

/// A list or a tuple.
pub(super) struct List {
    pub(super) items: Vec<Value>,
    pub(super) is_tuple: bool,
    depth: u16,
}

/// A dictionary, in the order in which it was made.
pub(super) struct Dict {
    entries: Vec<(Value, Value)>,
    by_text: HashMap<Rc<str>, usize>,
    depth: u16,
}

/// Where a loop is.
pub(super) struct LoopState {
    pub(super) items: Rc<Vec<Value>>,
    pub(super) index: usize,
}

impl Dict {
    pub(super) fn entries(&self) -> &[(Value, Value)] {
        &self.entries
    }

    pub(super) fn get(&self, key: &Value) -> Option<&Value> {
        let at = match key {
            Value::Text(text) => *self.by_text.get(text)?,
            _ => self.entries.iter().position(|(known, _)| is_same_key(known, key))?,
        };
        Some(&self.entries[at].1)
    }

    pub(super) fn get_text(&self, key: &str) -> Option<&Value> {
        self.by_text.get(key).map(|&at| &self.entries[at].1)
    }
}

/// Whether two keys that are no texts are one.
fn is_same_key(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::None, Value::None) => true,
        _ => matches!((one.number(), other.number()), (Some(one), Some(other)) if one == other),
    }
}

impl Value {
    pub(super) fn text(text: &str, budget: &mut Budget) -> Outcome<Self> {
        budget.bytes(text.len())?;
        Ok(Self::Text(Rc::from(text)))
    }

    pub(super) fn undefined(name: &str) -> Self {
        Self::Undefined(Rc::from(name))
    }

    /// A list or tuple.
    pub(super) fn list(items: Vec<Self>, is_tuple: bool, budget: &mut Budget) -> Outcome<Self> {
        budget.bytes(size_of::<Self>() * items.len())?;
        let mut depth = 0;
        for item in &items {
            depth = depth.max(item.depth()?);
        }
        Ok(Self::List(Rc::new(List { items, is_tuple, depth: deeper(depth)? })))
    }

    /// A dictionary; of two entries with one key the later counts, at the place of the first.
    pub(super) fn dict(pairs: Vec<(Self, Self)>, budget: &mut Budget) -> Outcome<Self> {
        budget.bytes(4 * size_of::<Self>() * pairs.len())?;
        let mut dict = Dict { entries: Vec::with_capacity(pairs.len()), by_text: HashMap::new(), depth: 0 };
        for (key, value) in pairs {
            dict.depth = dict.depth.max(value.depth()?);
            let known = match &key {
                Self::Text(text) => dict.by_text.get(text).copied(),
                Self::None | Self::Bool(_) | Self::Integer(_) | Self::Float(_) => {
                    budget.steps(dict.entries.len())?;
                    dict.entries.iter().position(|(known, _)| is_same_key(known, &key))
                }
                _ => return Err(Fault::error(format!("{} cannot be a key", key.kind()))),
            };
            if let Some(at) = known {
                dict.entries[at].1 = value;
                continue;
            }
            if let Self::Text(text) = &key {
                dict.by_text.insert(text.clone(), dict.entries.len());
            }
            dict.entries.push((key, value));
        }
        dict.depth = deeper(dict.depth)?;
        Ok(Self::Dict(Rc::new(dict)))
    }

    /// A value from outside.
    pub(super) fn from_json(json: &Json, budget: &mut Budget) -> Outcome<Self> {
        match json {
            Json::Null => Ok(Self::None),
            Json::Bool(flag) => Ok(Self::Bool(*flag)),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => Ok(Self::Integer(integer)),
                (None, Some(float)) => Ok(Self::Float(float)),
                (None, None) => Err(Fault::error(format!("the number {number} is out of range"))),
            },
            Json::String(text) => Self::text(text, budget),
            Json::Array(items) => {
                let items: Outcome<_> = items.iter().map(|item| Self::from_json(item, budget)).collect();
                Self::list(items?, false, budget)
            }
            Json::Object(entries) => {
                let mut pairs = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    pairs.push((Self::text(key, budget)?, Self::from_json(value, budget)?));
                }
                Self::dict(pairs, budget)
            }
        }
    }

    fn depth(&self) -> Outcome<u16> {
        match self {
            Self::List(list) => Ok(list.depth),
            Self::Dict(dict) => Ok(dict.depth),
            // It could come to hold what holds it.
            Self::Namespace(_) => Err(Fault::error("a namespace cannot be part of another value")),
            Self::Loop(_) => Err(Fault::error("a loop cannot be part of another value")),
            _ => Ok(0),
        }
    }

    /// Whether the value may be kept in a namespace.
    pub(super) fn require_storable(&self) -> Outcome<()> {
        self.depth().map(|_| ())
    }

    /// What Python calls values of this kind.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Undefined(_) => "undefined",
            Self::None => "None",
            Self::Bool(_) => "a bool",
            Self::Integer(_) => "an int",
            Self::Float(_) => "a float",
            Self::Text(_) => "a str",
            Self::List(list) if list.is_tuple => "a tuple",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dict",
            Self::Namespace(_) => "a namespace",
            Self::Macro(_) | Self::Caller(_) => "a macro",
            Self::Function(_) | Self::Method => "a function",
            Self::Loop(_) => "a loop",
        }
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Undefined(_) | Self::None => false,
            Self::Bool(flag) => *flag,
            Self::Integer(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(list) => !list.items.is_empty(),
            Self::Dict(dict) => !dict.entries.is_empty(),
            _ => true,
        }
    }

    /// The value as a number, where Python counts it as one.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Bool(flag) => Some(f64::from(u8::from(*flag))),
            Self::Integer(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// The value as a whole number, where Python counts it as one.
    pub(super) fn integer(&self) -> Option<i64> {
        match self {
            Self::Bool(flag) => Some(i64::from(*flag)),
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether two values are equal, as `==` has it.
    pub(super) fn equals(&self, other: &Self, budget: &mut Budget) -> Outcome<bool> {
        budget.steps(1)?;
        match (self, other) {
            (Self::Undefined(_), Self::Undefined(_)) | (Self::None, Self::None) => Ok(true),
            (Self::Integer(one), Self::Integer(other)) => Ok(one == other),
            (Self::Text(one), Self::Text(other)) => {
                budget.text(one.len().min(other.len()))?;
                Ok(one == other)
            }
            (Self::List(one), Self::List(other)) => {
                if one.is_tuple != other.is_tuple || one.items.len() != other.items.len() {
                    return Ok(false);
                }
                for (one, other) in one.items.iter().zip(&other.items) {
                    if !one.equals(other, budget)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            (Self::Dict(one), Self::Dict(other)) => {
                if one.entries.len() != other.entries.len() {
                    return Ok(false);
                }
                for (key, value) in &one.entries {
                    budget.steps(1)?;
                    match other.get(key) {
                        Some(found) if value.equals(found, budget)? => {}
                        _ => return Ok(false),
                    }
                }
                Ok(true)
            }
            (Self::Namespace(one), Self::Namespace(other)) => Ok(Rc::ptr_eq(one, other)),
            (Self::Macro(one), Self::Macro(other)) => Ok(Arc::ptr_eq(one, other)),
            _ => Ok(matches!((self.number(), other.number()), (Some(one), Some(other)) if one == other)),
        }
    }

    /// The order of two values, where Python has one.
    pub(super) fn compare(&self, other: &Self, budget: &mut Budget) -> Outcome<Ordering> {
        budget.steps(1)?;
        match (self, other) {
            (Self::Integer(one), Self::Integer(other)) => return Ok(one.cmp(other)),
            (Self::Text(one), Self::Text(other)) => {
                budget.text(one.len().min(other.len()))?;
                // The order of UTF-8 bytes is that of code points.
                return Ok(one.cmp(other));
            }
            (Self::List(one), Self::List(other)) if one.is_tuple == other.is_tuple => {
                for (one, other) in one.items.iter().zip(&other.items) {
                    if !one.equals(other, budget)? {
                        return one.compare(other, budget);
                    }
                }
                return Ok(one.items.len().cmp(&other.items.len()));
            }
            _ => {}
        }
        if let (Some(one), Some(other)) = (self.number(), other.number())
            && let Some(order) = one.partial_cmp(&other)
        {
            return Ok(order);
        }
        Err(Fault::error(format!("{} and {} have no order", self.kind(), other.kind())))
    }

    /// What the value is made of when it is gone through.
    pub(super) fn elements(&self, budget: &mut Budget) -> Outcome<Vec<Self>> {
        let items = match self {
            Self::Undefined(_) => Vec::new(),
            Self::List(list) => list.items.clone(),
            Self::Dict(dict) => dict.entries.iter().map(|(key, _)| key.clone()).collect(),
            Self::Text(text) => {
                budget.steps(text.len())?;
                budget.bytes(text.len() * 2 * size_of::<Self>())?;
                text.chars().map(|c| Self::Text(Rc::from(c.encode_utf8(&mut [0; 4]) as &str))).collect()
            }
            _ => return Err(Fault::error(format!("{} cannot be gone through", self.kind()))),
        };
        budget.steps(items.len())?;
        budget.bytes(items.len() * size_of::<Self>())?;
        Ok(items)
    }

    /// Writes the value as Python's `str` does.
    pub(super) fn write(&self, out: &mut String, budget: &mut Budget) -> Outcome<()> {
        match self {
            Self::Undefined(_) => Ok(()),
            Self::Text(text) => append(out, text, budget),
            _ => self.write_nested(out, budget),
        }
    }

    /// The value as text, as Python's `str` has it.
    pub(super) fn to_text(&self, budget: &mut Budget) -> Outcome<Rc<str>> {
        if let Self::Text(text) = self {
            return Ok(text.clone());
        }
        let mut out = String::new();
        self.write(&mut out, budget)?;
        Ok(Rc::from(out))
    }

    /// Writes the value as Python's `repr` does.
    fn write_nested(&self, out: &mut String, budget: &mut Budget) -> Outcome<()> {
        budget.steps(1)?;
        match self {
            Self::Undefined(_) => append(out, "Undefined", budget),
            Self::None => append(out, "None", budget),
            Self::Bool(flag) => append(out, if *flag { "True" } else { "False" }, budget),
            Self::Integer(number) => append(out, &number.to_string(), budget),
            Self::Float(number) => append(out, &float_text(*number), budget),
            Self::Text(text) => append(out, &quoted(text), budget),
            Self::List(list) => {
                append(out, if list.is_tuple { "(" } else { "[" }, budget)?;
                for (index, item) in list.items.iter().enumerate() {
                    append(out, if index > 0 { ", " } else { "" }, budget)?;
                    item.write_nested(out, budget)?;
                }
                let end = match (list.is_tuple, list.items.len()) {
                    (true, 1) => ",)",
                    (true, _) => ")",
                    (false, _) => "]",
                };
                append(out, end, budget)
            }
            Self::Dict(dict) => {
                append(out, "{", budget)?;
                for (index, (key, value)) in dict.entries.iter().enumerate() {
                    append(out, if index > 0 { ", " } else { "" }, budget)?;
                    key.write_nested(out, budget)?;
                    append(out, ": ", budget)?;
                    value.write_nested(out, budget)?;
                }
                append(out, "}", budget)
            }
            Self::Macro(one) | Self::Caller(one) => append(out, &format!("<Macro {}>", quoted(&one.name)), budget),
            Self::Namespace(_) | Self::Function(_) | Self::Method | Self::Loop(_) => {
                // Python would show an address, which no template can mean.
                Err(Fault::error(format!("{} cannot be written", self.kind())))
            }
        }
    }
}

fn deeper(depth: u16) -> Outcome<u16> {
    if depth >= MOST_DEPTH { Err(Fault::error("values nest too deep")) } else { Ok(depth + 1) }
}

/// Appends text and pays for it.
pub(super) fn append(out: &mut String, text: &str, budget: &mut Budget) -> Outcome<()> {
    budget.bytes(text.len())?;
    out.push_str(text);
    Ok(())
}

/// A float as Python writes it.
pub(super) fn float_text(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let text = format!("{number:?}");
    match text.split_once('e') {
        None => text,
        Some((digits, exponent)) => {
            let digits = digits.strip_suffix(".0").unwrap_or(digits);
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{exponent:0>2}")
        }
    }
}

/// A string as Python's `repr` has it.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}
