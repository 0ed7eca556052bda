//! A value as the harness found it: plain data, and markers where something was no plain data.

use codeward_records::{Integer, Plain, Text};
use serde_json::{Value, json};

/// A value that a call returned. Everything in it was read by the builtin types' own methods.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found {
    None,
    Bool(bool),
    Int(Integer),
    Float(f64),
    Complex {
        real: f64,
        imaginary: f64,
    },
    Text(Text),
    Bytes(Vec<u8>),
    ByteArray(Vec<u8>),
    List(Vec<Found>),
    Tuple(Vec<Found>),
    Set(Vec<Found>),
    FrozenSet(Vec<Found>),
    Dict(Vec<(Found, Found)>),
    /// An instance of a subclass of a builtin type, with what the builtin type says its value is.
    Subclass {
        type_name: String,
        base: Box<Found>,
    },
    /// No plain data. It equals nothing.
    Object {
        type_name: String,
    },
}

impl From<&Plain> for Found {
    fn from(value: &Plain) -> Self {
        let all = |items: &[Plain]| items.iter().map(Self::from).collect();
        match value {
            Plain::None => Self::None,
            Plain::Bool(value) => Self::Bool(*value),
            Plain::Int(value) => Self::Int(value.clone()),
            Plain::Float(value) => Self::Float(*value),
            Plain::Complex { real, imaginary } => Self::Complex { real: *real, imaginary: *imaginary },
            Plain::Text(text) => Self::Text(text.clone()),
            Plain::Bytes(bytes) => Self::Bytes(bytes.clone()),
            Plain::ByteArray(bytes) => Self::ByteArray(bytes.clone()),
            Plain::List(items) => Self::List(all(items)),
            Plain::Tuple(items) => Self::Tuple(all(items)),
            Plain::Set(items) => Self::Set(all(items)),
            Plain::FrozenSet(items) => Self::FrozenSet(all(items)),
            Plain::Dict(items) => {
                Self::Dict(items.iter().map(|(key, value)| (Self::from(key), Self::from(value))).collect())
            }
        }
    }
}

impl Found {
    /// The value in the form that `act` tests observe values in, for the same predicates.
    pub(crate) fn to_json(&self) -> Value {
        let all = |items: &[Self]| items.iter().map(Self::to_json).collect::<Vec<_>>();
        let sorted = |items: &[Self]| {
            let mut items = all(items);
            items.sort_by_cached_key(Value::to_string);
            json!({"set": items})
        };
        match self {
            Self::None => Value::Null,
            Self::Bool(value) => Value::from(*value),
            Self::Int(value) => value.to_i64().map_or_else(|| object("int", &value.to_string()), Value::from),
            Self::Float(value) if value.is_finite() => Value::from(*value),
            Self::Float(value) => object("float", &float_text(*value)),
            Self::Complex { real, imaginary } => {
                object("complex", &format!("({}, {})", float_text(*real), float_text(*imaginary)))
            }
            Self::Text(text) => Value::from(text.to_string()),
            Self::Bytes(bytes) | Self::ByteArray(bytes) => {
                json!({"bytes": bytes.iter().map(|byte| char::from(*byte)).collect::<String>()})
            }
            Self::List(items) | Self::Tuple(items) => Value::from(all(items)),
            Self::Set(items) | Self::FrozenSet(items) => sorted(items),
            Self::Dict(items) => {
                let texts: Option<serde_json::Map<String, Value>> = items
                    .iter()
                    .map(|(key, value)| match key {
                        Self::Text(text) => Some((text.to_string(), value.to_json())),
                        _ => None,
                    })
                    .collect();
                texts.map_or_else(
                    || json!({"items": items.iter().map(|(key, value)| json!([key.to_json(), value.to_json()])).collect::<Vec<_>>()}),
                    Value::Object,
                )
            }
            Self::Subclass { base, .. } => base.to_json(),
            Self::Object { type_name } => object(type_name, ""),
        }
    }

    /// A short text of the value, for a person.
    pub(crate) fn excerpt(&self) -> String {
        const LONGEST: usize = 200;
        let text = self.to_json().to_string();
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }
}

fn object(kind: &str, text: &str) -> Value {
    json!({"object": kind, "text": text})
}

/// As Python writes the floats that JSON cannot.
fn float_text(value: f64) -> String {
    if value.is_nan() { "nan".to_owned() } else { value.to_string() }
}
