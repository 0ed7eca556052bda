//! Values as bytes, in the form that Python's `marshal` calls version 2: what goes to the call harness and what comes back.
//!
//! One C function on either side of the candidate's code writes and reads it, and it keeps what JSON loses: ints of any size,
//! floats to the bit, lone surrogates, tuples, sets. A tuple that starts with Ellipsis is the harness's way to say what is no
//! exact builtin value, because it never reports an Ellipsis as such.

use codeward_records::{Integer, Plain, Text};

use crate::found::Found;

/// How deep the bytes may nest. The harness needs three levels for one of a value, and stops at its own limit.
const MAX_LEVELS: usize = 3 * codeward_records::MAX_DEPTH + 20;

/// The value as `marshal.dumps(value, 2)` has it.
pub(crate) fn write(value: &Plain) -> Vec<u8> {
    let mut out = Vec::new();
    write_to(value, &mut out);
    out
}

fn write_to(value: &Plain, out: &mut Vec<u8>) {
    let sized = |tag: u8, bytes: &[u8], out: &mut Vec<u8>| {
        out.push(tag);
        out.extend((bytes.len() as i32).to_le_bytes());
        out.extend(bytes);
    };
    let many = |tag: u8, items: &[Plain], out: &mut Vec<u8>| {
        out.push(tag);
        out.extend((items.len() as i32).to_le_bytes());
        for item in items {
            write_to(item, out);
        }
    };
    match value {
        Plain::None => out.push(b'N'),
        Plain::Bool(value) => out.push(if *value { b'T' } else { b'F' }),
        Plain::Int(value) => write_integer(value, out),
        Plain::Float(value) => {
            out.push(b'g');
            out.extend(value.to_le_bytes());
        }
        Plain::Complex { real, imaginary } => {
            out.push(b'y');
            out.extend(real.to_le_bytes());
            out.extend(imaginary.to_le_bytes());
        }
        Plain::Text(text) => sized(b'u', text.as_bytes(), out),
        Plain::Bytes(bytes) | Plain::ByteArray(bytes) => sized(b's', bytes, out),
        Plain::List(items) => many(b'[', items, out),
        Plain::Tuple(items) => many(b'(', items, out),
        Plain::Set(items) => many(b'<', items, out),
        Plain::FrozenSet(items) => many(b'>', items, out),
        Plain::Dict(items) => {
            out.push(b'{');
            for (key, value) in items {
                write_to(key, out);
                write_to(value, out);
            }
            out.push(b'0');
        }
    }
}

fn write_integer(value: &Integer, out: &mut Vec<u8>) {
    if let Some(small) = value.to_i64().and_then(|value| i32::try_from(value).ok()) {
        out.push(b'i');
        out.extend(small.to_le_bytes());
        return;
    }
    let (is_negative, digits) = value.to_fifteen_bit_digits();
    let count = digits.len() as i32;
    out.push(b'l');
    out.extend((if is_negative { -count } else { count }).to_le_bytes());
    out.extend(digits.iter().flat_map(|digit| digit.to_le_bytes()));
}

/// Reads what the harness wrote. None when it is anything else.
pub(crate) fn read(bytes: &[u8]) -> Option<Found> {
    let mut reader = Reader { rest: bytes };
    match reader.node(0)? {
        Node::Value(value) if reader.rest.is_empty() => Some(value),
        Node::Value(_) | Node::Ellipsis => None,
    }
}

enum Node {
    Value(Found),
    Ellipsis,
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<i32> {
        Some(i32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn float(&mut self) -> Option<f64> {
        Some(f64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.number()?).ok()?;
        self.take(count)
    }

    fn value(&mut self, level: usize) -> Option<Found> {
        match self.node(level)? {
            Node::Value(value) => Some(value),
            Node::Ellipsis => None,
        }
    }

    fn values(&mut self, count: usize, level: usize) -> Option<Vec<Found>> {
        // No room is made on the word of a number: every item is at least one byte.
        (0..count).map(|_| self.value(level)).collect()
    }

    fn node(&mut self, level: usize) -> Option<Node> {
        if level > MAX_LEVELS {
            return None;
        }
        let tag = *self.take(1)?.first()?;
        Some(Node::Value(match tag {
            b'.' => return Some(Node::Ellipsis),
            b'N' => Found::None,
            b'T' => Found::Bool(true),
            b'F' => Found::Bool(false),
            b'i' => Found::Int(Integer::from(i64::from(self.number()?))),
            b'l' => Found::Int(self.long_integer()?),
            b'g' => Found::Float(self.float()?),
            b'y' => Found::Complex { real: self.float()?, imaginary: self.float()? },
            b'u' => Found::Text(Text::from_bytes(self.sized()?.to_vec())?),
            b's' => Found::Bytes(self.sized()?.to_vec()),
            b'[' => {
                let count = usize::try_from(self.number()?).ok()?;
                Found::List(self.values(count, level + 1)?)
            }
            b'(' => self.tuple(level + 1)?,
            _ => return None,
        }))
    }

    fn long_integer(&mut self) -> Option<Integer> {
        let count = self.number()?;
        let places = self.take(usize::try_from(count.unsigned_abs()).ok()?.checked_mul(2)?)?;
        let places: Vec<u16> = places.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        Some(Integer::from_fifteen_bit_digits(count < 0, &places))
    }

    /// A tuple, or a marker: a tuple that starts with Ellipsis.
    fn tuple(&mut self, level: usize) -> Option<Found> {
        let count = usize::try_from(self.number()?).ok()?;
        if count == 0 {
            return Some(Found::Tuple(Vec::new()));
        }
        match self.node(level)? {
            Node::Value(first) => {
                let mut items = vec![first];
                items.extend(self.values(count - 1, level)?);
                Some(Found::Tuple(items))
            }
            Node::Ellipsis => marked(self.values(count - 1, level)?),
        }
    }
}

fn marked(parts: Vec<Found>) -> Option<Found> {
    let mut parts = parts.into_iter();
    let Found::Text(mark) = parts.next()? else { return None };
    let found = match (mark.as_str()?, parts.next()?, parts.next()) {
        ("bytearray", Found::Bytes(bytes), None) => Found::ByteArray(bytes),
        ("set", Found::List(items), None) => Found::Set(items),
        ("frozenset", Found::List(items), None) => Found::FrozenSet(items),
        ("dict", Found::List(items), None) => Found::Dict(
            items
                .into_iter()
                .map(|item| match item {
                    Found::Tuple(pair) => <[Found; 2]>::try_from(pair).ok().map(|[key, value]| (key, value)),
                    _ => None,
                })
                .collect::<Option<_>>()?,
        ),
        ("object", Found::Text(name), None) => Found::Object { type_name: name.to_string() },
        ("subclass", Found::Text(name), Some(base)) => {
            Found::Subclass { type_name: name.to_string(), base: Box::new(base) }
        }
        _ => return None,
    };
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each pair is a value and what `marshal.dumps(value, 2)` of Python 3.11 gives for it.
    #[test]
    fn the_bytes_are_those_of_python() {
        let cases: [(Plain, &[u8]); 10] = [
            (Plain::from(1), b"i\x01\x00\x00\x00"),
            (Plain::from(1 << 31), b"l\x03\x00\x00\x00\x00\x00\x00\x00\x02\x00"),
            (Plain::from(-(1 << 31) - 1), b"l\xfd\xff\xff\xff\x01\x00\x00\x00\x02\x00"),
            (Plain::from(1 << 40), b"l\x03\x00\x00\x00\x00\x00\x00\x00\x00\x04"),
            (Plain::Float(1.5), b"g\x00\x00\x00\x00\x00\x00\xf8?"),
            (
                Plain::Complex { real: 0.0, imaginary: 1.0 },
                b"y\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xf0?",
            ),
            (
                Plain::Text(Text::from_code_points([0x61, 0xd800, 0xe9]).unwrap()),
                b"u\x06\x00\x00\x00a\xed\xa0\x80\xc3\xa9",
            ),
            (Plain::Bytes(b"x".to_vec()), b"s\x01\x00\x00\x00x"),
            (Plain::Tuple(vec![Plain::from(1)]), b"(\x01\x00\x00\x00i\x01\x00\x00\x00"),
            (Plain::List(vec![Plain::None, Plain::Bool(true)]), b"[\x02\x00\x00\x00NT"),
        ];
        for (value, bytes) in cases {
            assert_eq!(write(&value), bytes, "{value:?}");
            assert_eq!(read(bytes), Some(Found::from(&value)), "{value:?}");
        }
    }

    #[test]
    fn marks_are_read_and_nothing_else_starts_with_an_ellipsis() {
        let object = b"(\x03\x00\x00\x00.u\x06\x00\x00\x00objectu\x01\x00\x00\x00A";
        assert_eq!(read(object), Some(Found::Object { type_name: "A".to_owned() }));
        let dict = b"(\x03\x00\x00\x00.u\x04\x00\x00\x00dict[\x01\x00\x00\x00(\x02\x00\x00\x00NT";
        assert_eq!(read(dict), Some(Found::Dict(vec![(Found::None, Found::Bool(true))])));
        for bad in [
            &b"."[..],
            b"[\x01\x00\x00\x00.",
            b"(\x02\x00\x00\x00T.",
            b"(\x02\x00\x00\x00.u\x04\x00\x00\x00dict",
            b"(\x03\x00\x00\x00.u\x04\x00\x00\x00dict[\x01\x00\x00\x00N",
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn hostile_bytes_are_refused_without_making_room_for_them() {
        let deep: Vec<u8> = b"(\x01\x00\x00\x00".repeat(10_000);
        for bad in [
            &b""[..],
            b"NN",
            b"i\x01",
            b"[\xff\xff\xff\x7f",
            b"[\xff\xff\xff\xff",
            b"u\x01\x00\x00\x00\xff",
            b"l\x00\x00\x00\x80",
            &deep,
        ] {
            assert_eq!(read(bad), None, "{:?}", &bad[..bad.len().min(20)]);
        }
    }
}
