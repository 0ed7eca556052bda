//! Plain values: what goes into a function call and what is expected back, in one written form.
//!
//! JSON and TOML have no tuples, sets, bytes, complex numbers, keys that are not text, or integers of any size, TOML has no
//! null, and JSON no NaN. Such a value is written as an object with one key that starts with `$`:
//!
//! | written | value |
//! |---|---|
//! | `true`, `3`, `0.5`, `"text"`, `[1, 2]`, `{"a": 1}` | a bool, an int, a float, a str, a list, a dict with text keys |
//! | `null`, `{"$none": true}` | `None` |
//! | `{"$int": "-123"}`, `{"$int": "0xff"}` | an int of any size; a bare number must fit 64 bits |
//! | `{"$float": "nan"}`, `"inf"`, `"-inf"`, `"-0.0"`, `"1e400"` | a float that JSON cannot write; TOML can write the first four bare |
//! | `{"$complex": [1.0, -2.0]}` | a complex number: real and imaginary part, as floats in any of their forms |
//! | `{"$text": [104, 55296]}` | a str by code points, for one with lone surrogates |
//! | `{"$bytes": "00ff"}`, `{"$bytearray": "00ff"}` | bytes, a bytearray; two hexadecimal digits per byte |
//! | `{"$tuple": [..]}`, `{"$set": [..]}`, `{"$frozenset": [..]}` | a tuple, a set, a frozenset |
//! | `{"$dict": [[key, value], ..]}` | a dict with keys of any kind, or with text keys that start with `$` |
//!
//! Any other object with a key that starts with `$` is an error, so that a misspelt form is never taken for a dict.

use std::fmt;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap as _, Serializer};
use serde::{Deserialize, Deserializer, Serialize};

use crate::integer::Integer;

/// A value of Python's builtin data types, and nothing else.
#[derive(Debug, Clone)]
pub enum Plain {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An int of any size.
    Int(Integer),
    /// A float, NaN and infinities among them.
    Float(f64),
    /// A complex number.
    Complex {
        /// The real part.
        real: f64,
        /// The imaginary part.
        imaginary: f64,
    },
    /// A str.
    Text(Text),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A bytearray.
    ByteArray(Vec<u8>),
    /// A list.
    List(Vec<Plain>),
    /// A tuple.
    Tuple(Vec<Plain>),
    /// A set, in no order that means anything.
    Set(Vec<Plain>),
    /// A frozenset, in no order that means anything.
    FrozenSet(Vec<Plain>),
    /// A dict: keys and values.
    Dict(Vec<(Plain, Plain)>),
}

/// A str as Python has it, which may hold surrogates that pair with nothing: UTF-8, with three bytes for each such surrogate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Vec<u8>);

const SURROGATES: std::ops::RangeInclusive<u32> = 0xd800..=0xdfff;

impl Text {
    /// From code points. None when one is above the last.
    pub fn from_code_points(code_points: impl IntoIterator<Item = u32>) -> Option<Self> {
        let mut bytes = Vec::new();
        for point in code_points {
            if SURROGATES.contains(&point) {
                bytes.extend([0xed, 0x80 | (point >> 6 & 0x3f) as u8, 0x80 | (point & 0x3f) as u8]);
            } else {
                bytes.extend(char::from_u32(point)?.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        Some(Self(bytes))
    }

    /// From the bytes of [`Self::as_bytes`]. None when they are not such a form.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let mut rest = bytes.as_slice();
        while let Err(error) = std::str::from_utf8(rest) {
            match rest[error.valid_up_to()..] {
                [0xed, second, third, ..] if second & 0xe0 == 0xa0 && third & 0xc0 == 0x80 => {
                    rest = &rest[error.valid_up_to() + 3..];
                }
                _ => return None,
            }
        }
        Some(Self(bytes))
    }

    /// The text as UTF-8, with three bytes for each surrogate.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, when it has no surrogates.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The code points, surrogates among them.
    pub fn code_points(&self) -> Vec<u32> {
        let mut points = Vec::new();
        let mut rest = self.0.as_slice();
        loop {
            let (valid, next) = match std::str::from_utf8(rest) {
                Ok(valid) => (valid, None),
                Err(error) => {
                    let (valid, broken) = rest.split_at(error.valid_up_to());
                    (std::str::from_utf8(valid).expect("checked up to here"), Some(broken))
                }
            };
            points.extend(valid.chars().map(u32::from));
            let Some(broken) = next else { return points };
            points.push(0xd000 | u32::from(broken[1] & 0x3f) << 6 | u32::from(broken[2] & 0x3f));
            rest = &broken[3..];
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// Written alike: of one type, floats of one bit pattern except that all NaNs are one, sets in one order. Whether a program's
/// value is the expected one is another question, with a policy.
impl PartialEq for Plain {
    fn eq(&self, other: &Self) -> bool {
        let same = |left: f64, right: f64| left.to_bits() == right.to_bits() || (left.is_nan() && right.is_nan());
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Bool(left), Self::Bool(right)) => left == right,
            (Self::Int(left), Self::Int(right)) => left == right,
            (Self::Float(left), Self::Float(right)) => same(*left, *right),
            (Self::Complex { real, imaginary }, Self::Complex { real: other_real, imaginary: other_imaginary }) => {
                same(*real, *other_real) && same(*imaginary, *other_imaginary)
            }
            (Self::Text(left), Self::Text(right)) => left == right,
            (Self::Bytes(left), Self::Bytes(right)) | (Self::ByteArray(left), Self::ByteArray(right)) => left == right,
            (Self::List(left), Self::List(right))
            | (Self::Tuple(left), Self::Tuple(right))
            | (Self::Set(left), Self::Set(right))
            | (Self::FrozenSet(left), Self::FrozenSet(right)) => left == right,
            (Self::Dict(left), Self::Dict(right)) => left == right,
            _ => false,
        }
    }
}

impl From<&str> for Plain {
    fn from(text: &str) -> Self {
        Self::Text(Text::from(text))
    }
}

impl From<i64> for Plain {
    fn from(value: i64) -> Self {
        Self::Int(Integer::from(value))
    }
}

impl Plain {
    /// The value with `change` applied to every text in it that has no surrogates, keys included.
    #[must_use]
    pub fn map_text(&self, change: &impl Fn(&str) -> String) -> Self {
        let all = |items: &[Self]| items.iter().map(|item| item.map_text(change)).collect();
        match self {
            Self::Text(text) => text.as_str().map_or_else(|| self.clone(), |text| Self::from(change(text).as_str())),
            Self::List(items) => Self::List(all(items)),
            Self::Tuple(items) => Self::Tuple(all(items)),
            Self::Set(items) => Self::Set(all(items)),
            Self::FrozenSet(items) => Self::FrozenSet(all(items)),
            Self::Dict(items) => {
                Self::Dict(items.iter().map(|(key, value)| (key.map_text(change), value.map_text(change))).collect())
            }
            other => other.clone(),
        }
    }

    /// The text of a key that needs no tagged form.
    fn bare_key(&self) -> Option<&str> {
        match self {
            Self::Text(text) => text.as_str().filter(|text| !text.starts_with('$')),
            _ => None,
        }
    }

    /// How many lists, sets and dicts the value is inside of at its deepest, itself included.
    pub fn depth(&self) -> usize {
        let deepest = |items: &[Self]| 1 + items.iter().map(Self::depth).max().unwrap_or(0);
        match self {
            Self::List(items) | Self::Tuple(items) | Self::Set(items) | Self::FrozenSet(items) => deepest(items),
            Self::Dict(items) => 1 + items.iter().map(|(key, value)| key.depth().max(value.depth())).max().unwrap_or(0),
            _ => 0,
        }
    }

    /// Whether Python would take it as a key or as an element of a set.
    pub fn is_hashable(&self) -> bool {
        match self {
            Self::List(_) | Self::Set(_) | Self::Dict(_) | Self::ByteArray(_) => false,
            Self::Tuple(items) => items.iter().all(Self::is_hashable),
            _ => true,
        }
    }
}

impl Serialize for Plain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => match value.to_i64() {
                Some(value) => serializer.serialize_i64(value),
                None => tagged(serializer, "$int", &value.to_string()),
            },
            Self::Float(value) => WrittenFloat(*value).serialize(serializer),
            Self::Complex { real, imaginary } => {
                tagged(serializer, "$complex", &[WrittenFloat(*real), WrittenFloat(*imaginary)])
            }
            Self::Text(text) => match text.as_str() {
                Some(text) => serializer.serialize_str(text),
                None => tagged(serializer, "$text", &text.code_points()),
            },
            Self::Bytes(bytes) => tagged(serializer, "$bytes", &hex_of(bytes)),
            Self::ByteArray(bytes) => tagged(serializer, "$bytearray", &hex_of(bytes)),
            Self::List(items) => serializer.collect_seq(items),
            Self::Tuple(items) => tagged(serializer, "$tuple", items),
            Self::Set(items) => tagged(serializer, "$set", items),
            Self::FrozenSet(items) => tagged(serializer, "$frozenset", items),
            Self::Dict(items) => {
                let bare: Option<Vec<(&str, &Self)>> =
                    items.iter().map(|(key, value)| Some((key.bare_key()?, value))).collect();
                match bare {
                    Some(items) => serializer.collect_map(items),
                    None => tagged(serializer, "$dict", items),
                }
            }
        }
    }
}

fn tagged<S: Serializer, T: Serialize + ?Sized>(serializer: S, tag: &str, value: &T) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(tag, value)?;
    map.end()
}

/// A float as JSON can write it, or in its tagged form.
struct WrittenFloat(f64);

impl Serialize for WrittenFloat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = match self.0 {
            value if value.is_nan() => "nan",
            f64::INFINITY => "inf",
            f64::NEG_INFINITY => "-inf",
            value => return serializer.serialize_f64(value),
        };
        tagged(serializer, "$float", name)
    }
}

fn hex_of(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to memory succeeds");
        text
    })
}

fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect())
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Plain;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("plain data, or an object with one key that starts with `$`")
    }

    fn visit_unit<E>(self) -> Result<Plain, E> {
        Ok(Plain::None)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Plain, E> {
        Ok(Plain::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Plain, E> {
        Ok(Plain::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Plain, E> {
        Ok(Plain::Int(Integer::from(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Plain, E> {
        Ok(Plain::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Plain, E> {
        Ok(Plain::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Plain, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Plain::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Plain, A::Error> {
        let mut dict: Vec<(Plain, Plain)> = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            if !key.starts_with('$') {
                dict.push((Plain::from(key.as_str()), entries.next_value()?));
                continue;
            }
            let value = tagged_value(&key, &mut entries)?;
            if !dict.is_empty() || entries.next_key::<String>()?.is_some() {
                return Err(A::Error::custom(format!("`{key}` stands beside other keys")));
            }
            return Ok(value);
        }
        Ok(Plain::Dict(dict))
    }
}

fn tagged_value<'de, A: MapAccess<'de>>(tag: &str, entries: &mut A) -> Result<Plain, A::Error> {
    let bad = |what: &str| A::Error::custom(format!("`{tag}` takes {what}"));
    let hashable = |items: Vec<Plain>| {
        if items.iter().all(Plain::is_hashable) { Ok(items) } else { Err(bad("values that a set can hold")) }
    };
    let bytes = |text: String| bytes_of(&text).ok_or_else(|| bad("two hexadecimal digits per byte"));
    Ok(match tag {
        "$none" => entries.next_value::<bool>()?.then_some(Plain::None).ok_or_else(|| bad("true"))?,
        "$int" => Plain::Int(entries.next_value::<String>()?.parse().map_err(A::Error::custom)?),
        "$float" => Plain::Float(float_of(&entries.next_value::<String>()?).ok_or_else(|| bad("a number as text"))?),
        "$complex" => match entries.next_value::<[Plain; 2]>()? {
            [Plain::Float(real), Plain::Float(imaginary)] => Plain::Complex { real, imaginary },
            _ => return Err(bad("two floats")),
        },
        "$text" => Plain::Text(
            Text::from_code_points(entries.next_value::<Vec<u32>>()?).ok_or_else(|| bad("a list of code points"))?,
        ),
        "$bytes" => Plain::Bytes(bytes(entries.next_value()?)?),
        "$bytearray" => Plain::ByteArray(bytes(entries.next_value()?)?),
        "$tuple" => Plain::Tuple(entries.next_value()?),
        "$set" => Plain::Set(hashable(entries.next_value()?)?),
        "$frozenset" => Plain::FrozenSet(hashable(entries.next_value()?)?),
        "$dict" => {
            let items: Vec<(Plain, Plain)> = entries.next_value()?;
            if !items.iter().all(|(key, _)| key.is_hashable()) {
                return Err(bad("keys that a dict can have"));
            }
            Plain::Dict(items)
        }
        _ => return Err(A::Error::custom(format!("`{tag}` is no form of a value"))),
    })
}

/// A float by its text, as Rust and Python both read it.
fn float_of(text: &str) -> Option<f64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(value: serde_json::Value) -> Result<Plain, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn every_written_form_is_the_value_that_the_table_says() {
        let cases = [
            (json!(null), Plain::None),
            (json!({"$none": true}), Plain::None),
            (json!(true), Plain::Bool(true)),
            (json!(3), Plain::from(3)),
            (json!(3.0), Plain::Float(3.0)),
            (json!({"$int": "-0012"}), Plain::from(-12)),
            (json!({"$int": "0xff"}), Plain::from(255)),
            (json!({"$float": "nan"}), Plain::Float(f64::NAN)),
            (json!({"$float": "-0.0"}), Plain::Float(-0.0)),
            (json!({"$float": "1e400"}), Plain::Float(f64::INFINITY)),
            (json!({"$complex": [1.0, {"$float": "inf"}]}), Plain::Complex { real: 1.0, imaginary: f64::INFINITY }),
            (json!({"$text": [104, 0xd800]}), Plain::Text(Text::from_code_points([104, 0xd800]).unwrap())),
            (json!({"$bytes": "00fF"}), Plain::Bytes(vec![0, 255])),
            (json!({"$bytearray": ""}), Plain::ByteArray(vec![])),
            (json!({"$tuple": [1, []]}), Plain::Tuple(vec![Plain::from(1), Plain::List(vec![])])),
            (json!({"$set": [1]}), Plain::Set(vec![Plain::from(1)])),
            (json!({"$frozenset": []}), Plain::FrozenSet(vec![])),
            (json!({"a": {"$tuple": []}}), Plain::Dict(vec![(Plain::from("a"), Plain::Tuple(vec![]))])),
            (json!({"$dict": [["$a", 1]]}), Plain::Dict(vec![(Plain::from("$a"), Plain::from(1))])),
        ];
        for (written, value) in cases {
            assert_eq!(read(written.clone()).as_ref(), Ok(&value), "{written}");
        }
    }

    #[test]
    fn a_misspelt_form_is_refused() {
        for written in [
            json!({"$tuples": [1]}),
            json!({"$tuple": [1], "a": 2}),
            json!({"a": 2, "$tuple": [1]}),
            json!({"$bytes": "0"}),
            json!({"$int": "1.5"}),
            json!({"$int": ""}),
            json!({"$int": "0x"}),
            json!({"$set": [[1]]}),
            json!({"$dict": [[{"$tuple": [[]]}, 1]]}),
            json!({"$text": [0x11_0000]}),
            json!({"$none": false}),
            json!({"$complex": [1.0]}),
        ] {
            assert!(read(written.clone()).is_err(), "{written}");
        }
    }

    #[test]
    fn toml_has_its_own_nan_and_dates_are_refused() {
        #[derive(Deserialize)]
        struct File {
            value: Plain,
        }
        let value = |text: &str| toml::from_str::<File>(&format!("value = {text}")).map(|file| file.value).ok();
        assert_eq!(value("[nan, inf, -0.0, 1]"), read(json!([{"$float": "nan"}, {"$float": "inf"}, -0.0, 1])).ok());
        assert_eq!(value(r#"{ "$tuple" = [1, "a"] }"#), read(json!({"$tuple": [1, "a"]})).ok());
        assert_eq!(value("2020-01-01"), None);
    }

    #[test]
    fn surrogates_are_kept_and_other_broken_text_is_refused() {
        let text = Text::from_code_points([0x41, 0xd800, 0xdc00, 0x1_f600]).unwrap();
        assert_eq!(text.as_bytes(), b"A\xed\xa0\x80\xed\xb0\x80\xf0\x9f\x98\x80");
        assert_eq!(text.code_points(), [0x41, 0xd800, 0xdc00, 0x1_f600]);
        assert_eq!((text.as_str(), Text::from_bytes(text.as_bytes().to_vec())), (None, Some(text.clone())));
        for broken in [&b"\xff"[..], b"\xed\xa0", b"a\xed\xa0\xc0", b"\xc0\x80"] {
            assert_eq!(Text::from_bytes(broken.to_vec()), None, "{broken:?}");
        }
    }

    /// Values as a task file may hold them.
    fn plain() -> impl Strategy<Value = Plain> {
        let leaf = prop_oneof![
            Just(Plain::None),
            any::<bool>().prop_map(Plain::Bool),
            any::<i64>().prop_map(Plain::from),
            any::<[u64; 3]>().prop_map(|words| {
                Plain::Int(format!("-0x{:x}{:016x}{:016x}", words[0], words[1], words[2]).parse().unwrap())
            }),
            any::<f64>().prop_map(Plain::Float),
            (any::<f64>(), any::<f64>()).prop_map(|(real, imaginary)| Plain::Complex { real, imaginary }),
            any::<String>().prop_map(|text| Plain::from(text.as_str())),
            prop::collection::vec(0xd7f0_u32..0xe010, 0..4)
                .prop_map(|points| Plain::Text(Text::from_code_points(points).unwrap())),
            prop::collection::vec(any::<u8>(), 0..6).prop_map(Plain::Bytes),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            let hashable = inner.clone().prop_filter("hashable", Plain::is_hashable);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Plain::List),
                prop::collection::vec(inner.clone(), 0..5).prop_map(Plain::Tuple),
                prop::collection::vec(hashable.clone(), 0..5).prop_map(Plain::FrozenSet),
                prop::collection::vec((hashable, inner.clone()), 0..5).prop_map(Plain::Dict),
                prop::collection::vec(("[$a-c]{1,3}", inner), 0..3).prop_map(|items| {
                    Plain::Dict(items.into_iter().map(|(key, value)| (Plain::from(key.as_str()), value)).collect())
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in plain()) {
            let text = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(serde_json::from_str::<Plain>(&text).unwrap(), value);
        }
    }
}
