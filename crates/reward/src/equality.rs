//! Whether a returned value is the expected one, by the test's policy. Runs outside the sandbox.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use codeward_records::{Comparison, Equality, Integer, Plain, Tolerance};

use crate::found::Found;

/// Above this many elements of a set that have no exact partner, only numbers are matched.
const MAX_MATCHED: usize = 200;

/// True when the returned value counts as the expected one.
pub(crate) fn is_expected(found: &Found, expected: &Plain, comparison: &Comparison) -> bool {
    let tolerance = match (comparison.tolerance, comparison.equality) {
        (Some(given), _) => Some(given),
        (None, Equality::Exact) => None,
        (None, Equality::Python | Equality::Json) => Some(Tolerance::default()),
    };
    Policy { equality: comparison.equality, tolerance }.equal(found, &Found::from(expected))
}

#[derive(Clone, Copy)]
struct Policy {
    equality: Equality,
    tolerance: Option<Tolerance>,
}

/// A number, once it is settled which types count as numbers.
enum Number<'a> {
    Int(&'a Integer),
    Bool(bool),
    Float(f64),
    Complex(f64, f64),
}

impl Policy {
    fn equal(self, left: &Found, right: &Found) -> bool {
        let is_exact = self.equality == Equality::Exact;
        if !is_exact && let Some((left, right)) = self.number(left).zip(self.number(right)) {
            return self.numbers_equal(&left, &right);
        }
        match (left, right) {
            (Found::Subclass { base, .. }, other) | (other, Found::Subclass { base, .. }) => {
                !is_exact && self.equal(base, other)
            }
            (Found::None, Found::None) => true,
            (Found::Bool(left), Found::Bool(right)) => left == right,
            (Found::Int(left), Found::Int(right)) => left == right,
            (Found::Float(left), Found::Float(right)) => self.floats_equal(*left, *right),
            (Found::Complex { real, imaginary }, Found::Complex { real: other_real, imaginary: other_imaginary }) => {
                self.floats_equal(*real, *other_real) && self.floats_equal(*imaginary, *other_imaginary)
            }
            (Found::Text(left), Found::Text(right)) => left == right,
            (Found::Bytes(left), Found::Bytes(right)) | (Found::ByteArray(left), Found::ByteArray(right)) => {
                left == right
            }
            (Found::Bytes(left), Found::ByteArray(right)) | (Found::ByteArray(left), Found::Bytes(right)) => {
                !is_exact && left == right
            }
            (Found::List(left), Found::List(right)) | (Found::Tuple(left), Found::Tuple(right)) => {
                self.all_equal(left, right)
            }
            (Found::List(left), Found::Tuple(right)) | (Found::Tuple(left), Found::List(right)) => {
                self.equality == Equality::Json && self.all_equal(left, right)
            }
            (Found::Set(left), Found::Set(right)) | (Found::FrozenSet(left), Found::FrozenSet(right)) => {
                self.matched(left.iter().collect(), right.iter().collect())
            }
            (Found::Set(left), Found::FrozenSet(right)) | (Found::FrozenSet(left), Found::Set(right)) => {
                !is_exact && self.matched(left.iter().collect(), right.iter().collect())
            }
            (Found::Dict(left), Found::Dict(right)) => self.dicts_equal(left, right),
            _ => false,
        }
    }

    fn all_equal(self, left: &[Found], right: &[Found]) -> bool {
        left.len() == right.len() && left.iter().zip(right).all(|(left, right)| self.equal(left, right))
    }

    /// The value as a number, when the policy lets numbers of different types be alike.
    fn number(self, value: &Found) -> Option<Number<'_>> {
        match value {
            Found::Int(value) => Some(Number::Int(value)),
            Found::Bool(value) if self.equality == Equality::Python => Some(Number::Bool(*value)),
            Found::Float(value) => Some(Number::Float(*value)),
            Found::Complex { real, imaginary } => Some(Number::Complex(*real, *imaginary)),
            Found::Subclass { base, .. } => self.number(base),
            _ => None,
        }
    }

    fn numbers_equal(self, left: &Number<'_>, right: &Number<'_>) -> bool {
        match (left, right) {
            (Number::Int(left), Number::Int(right)) => left == right,
            (Number::Bool(left), Number::Bool(right)) => left == right,
            (Number::Int(number), Number::Bool(flag)) | (Number::Bool(flag), Number::Int(number)) => {
                **number == Integer::from(i64::from(*flag))
            }
            _ => match (parts(left), parts(right)) {
                (Some((real, imaginary)), Some((other_real, other_imaginary))) => {
                    self.floats_equal(real, other_real) && self.floats_equal(imaginary, other_imaginary)
                }
                // An int beyond the largest float is near no float.
                _ => false,
            },
        }
    }

    fn floats_equal(self, left: f64, right: f64) -> bool {
        if left.is_nan() || right.is_nan() {
            return left.is_nan() && right.is_nan();
        }
        let Some(tolerance) = self.tolerance else {
            return left.to_bits() == right.to_bits();
        };
        if left == right {
            return self.equality != Equality::Exact || left.is_sign_negative() == right.is_sign_negative();
        }
        if left.is_infinite() || right.is_infinite() {
            return false;
        }
        (left - right).abs() <= tolerance.absolute.max(tolerance.relative * left.abs().max(right.abs()))
    }

    /// Keys are looked up exactly; the values of equal keys are compared by the policy.
    fn dicts_equal(self, left: &[(Found, Found)], right: &[(Found, Found)]) -> bool {
        let group = |items| -> BTreeMap<String, Vec<&Found>> {
            let items: &[(Found, Found)] = items;
            let mut groups: BTreeMap<String, Vec<&Found>> = BTreeMap::new();
            for (key, value) in items {
                groups.entry(self.key(key)).or_default().push(value);
            }
            groups
        };
        let (left, mut right) = (group(left), group(right));
        left.len() == right.len()
            && left
                .into_iter()
                .all(|(key, values)| right.remove(&key).is_some_and(|others| self.matched(values, others)))
    }

    /// Whether the elements can be paired off so that each pair is equal. Those that are exactly equal are paired first.
    fn matched(self, left: Vec<&Found>, right: Vec<&Found>) -> bool {
        if left.len() != right.len() {
            return false;
        }
        if let ([left], [right]) = (left.as_slice(), right.as_slice()) {
            return self.equal(left, right);
        }
        let (left, right) = self.without_exact_pairs(left, right);
        if left.len() <= MAX_MATCHED {
            return self.has_perfect_matching(&left, &right);
        }
        let numbers = |values: &[&Found]| {
            let mut numbers: Vec<f64> = values.iter().map(|value| self.real(value)).collect::<Option<_>>()?;
            numbers.sort_by(f64::total_cmp);
            Some(numbers)
        };
        numbers(&left).zip(numbers(&right)).is_some_and(|(left, right)| {
            left.into_iter().zip(right).all(|(left, right)| self.floats_equal(left, right))
        })
    }

    fn real(self, value: &Found) -> Option<f64> {
        match self.number(value)? {
            Number::Complex(..) => None,
            number => parts(&number).map(|(real, _)| real),
        }
    }

    fn without_exact_pairs<'a>(self, left: Vec<&'a Found>, right: Vec<&'a Found>) -> (Vec<&'a Found>, Vec<&'a Found>) {
        let keyed = |values: Vec<&'a Found>| {
            let mut values: Vec<(String, &Found)> = values.into_iter().map(|value| (self.key(value), value)).collect();
            values.sort_by(|left, right| left.0.cmp(&right.0));
            values.into_iter().peekable()
        };
        let (mut left, mut right) = (keyed(left), keyed(right));
        let (mut left_alone, mut right_alone) = (Vec::new(), Vec::new());
        loop {
            let order = match (left.peek(), right.peek()) {
                (Some((left, _)), Some((right, _))) => left.cmp(right),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return (left_alone, right_alone),
            };
            match order {
                Ordering::Less => left_alone.extend(left.next().map(|(_, value)| value)),
                Ordering::Greater => right_alone.extend(right.next().map(|(_, value)| value)),
                Ordering::Equal => {
                    let pair = left.next().zip(right.next()).map(|((_, left), (_, right))| (left, right));
                    // What equals nothing does not equal its like either.
                    if let Some((left, right)) = pair.filter(|(left, right)| !self.equal(left, right)) {
                        left_alone.push(left);
                        right_alone.push(right);
                    }
                }
            }
        }
    }

    /// Kuhn's algorithm: each element in turn looks for a partner, and partners move over where they can.
    fn has_perfect_matching(self, left: &[&Found], right: &[&Found]) -> bool {
        let edges: Vec<Vec<usize>> =
            left.iter().map(|value| (0..right.len()).filter(|at| self.equal(value, right[*at])).collect()).collect();
        let mut partner: Vec<Option<usize>> = vec![None; right.len()];
        (0..left.len()).all(|at| finds_partner(at, &edges, &mut partner, &mut vec![false; right.len()]))
    }

    /// A text that is the same for values that are exactly equal under the policy, and only for those. The order of sets and
    /// dicts does not show in it.
    fn key(self, value: &Found) -> String {
        let mut text = String::new();
        self.write_key(value, &mut text);
        text
    }

    fn write_key(self, value: &Found, out: &mut String) {
        let is_exact = self.equality == Equality::Exact;
        let written = match value {
            Found::None => write!(out, "none"),
            Found::Bool(value) if self.equality == Equality::Python => write!(out, "{}", u8::from(*value)),
            Found::Bool(value) => write!(out, "{value}"),
            Found::Int(value) => write!(out, "{value}"),
            Found::Float(value) => {
                out.push_str(&float_key(*value, is_exact));
                Ok(())
            }
            Found::Complex { real, imaginary } if *imaginary == 0.0 && !is_exact => {
                out.push_str(&float_key(*real, is_exact));
                Ok(())
            }
            Found::Complex { real, imaginary } => {
                write!(out, "c({},{})", float_key(*real, is_exact), float_key(*imaginary, is_exact))
            }
            Found::Text(text) => match text.as_str() {
                Some(text) => write!(out, "t{}:{text}", text.len()),
                None => write!(out, "u{:?}", text.as_bytes()),
            },
            Found::Bytes(bytes) => write!(out, "b{bytes:?}"),
            Found::ByteArray(bytes) => write!(out, "{}{bytes:?}", if is_exact { "a" } else { "b" }),
            Found::List(items) => self.write_keys("[", items, false, out),
            Found::Tuple(items) => {
                self.write_keys(if self.equality == Equality::Json { "[" } else { "(" }, items, false, out)
            }
            Found::Set(items) => self.write_keys("{", items, true, out),
            Found::FrozenSet(items) => self.write_keys(if is_exact { "f{" } else { "{" }, items, true, out),
            Found::Dict(items) => {
                let mut keys: Vec<String> =
                    items.iter().map(|(key, value)| format!("{}:{}", self.key(key), self.key(value))).collect();
                keys.sort_unstable();
                write!(out, "d{{{}}}", keys.join(","))
            }
            Found::Subclass { type_name, base } => {
                self.write_key(base, out);
                if is_exact { write!(out, "s{type_name:?}") } else { Ok(()) }
            }
            Found::Object { type_name } => write!(out, "o{type_name:?}"),
        };
        written.expect("writing to memory succeeds");
    }

    fn write_keys(self, opening: &str, items: &[Found], is_unordered: bool, out: &mut String) -> std::fmt::Result {
        let mut keys: Vec<String> = items.iter().map(|item| self.key(item)).collect();
        if is_unordered {
            keys.sort_unstable();
        }
        write!(out, "{opening}{};{}", keys.len(), keys.join(","))
    }
}

fn finds_partner(at: usize, edges: &[Vec<usize>], partner: &mut [Option<usize>], asked: &mut [bool]) -> bool {
    for &other in &edges[at] {
        if std::mem::replace(&mut asked[other], true) {
            continue;
        }
        if partner[other].is_none_or(|holder| finds_partner(holder, edges, partner, asked)) {
            partner[other] = Some(at);
            return true;
        }
    }
    false
}

/// Real and imaginary part; None for an int beyond the largest float.
fn parts(number: &Number<'_>) -> Option<(f64, f64)> {
    match number {
        Number::Int(value) => Some((value.to_f64()?, 0.0)),
        Number::Bool(value) => Some((f64::from(u8::from(*value)), 0.0)),
        Number::Float(value) => Some((*value, 0.0)),
        Number::Complex(real, imaginary) => Some((*real, *imaginary)),
    }
}

/// A float's part of a key: the int's where it is one, unless the policy tells them apart.
fn float_key(value: f64, is_exact: bool) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if is_exact {
        return format!("f{:x}", value.to_bits());
    }
    match whole_number(value) {
        Some(whole) => whole.to_string(),
        None => format!("f{:x}", value.to_bits()),
    }
}

/// The float as an int, when it is one.
fn whole_number(value: f64) -> Option<Integer> {
    const FRACTION_BITS: i32 = 52;
    if !value.is_finite() || value.fract() != 0.0 {
        return None;
    }
    if value.abs() < 2_f64.powi(63) {
        return Some(Integer::from(value as i64));
    }
    let bits = value.to_bits();
    let exponent = (bits >> FRACTION_BITS & 0x7ff) as i32 - 1023 - FRACTION_BITS;
    let fraction = u128::from(bits & ((1 << FRACTION_BITS) - 1) | 1 << FRACTION_BITS);
    let sign = if value < 0.0 { "-" } else { "" };
    let zeros = "0".repeat(usize::try_from(exponent / 4).ok()?);
    Some(format!("{sign}0x{:x}{zeros}", fraction << (exponent % 4)).parse().expect("hexadecimal digits"))
}

#[cfg(test)]
mod tests {
    use codeward_records::TextPolicy;
    use serde_json::{Value, json};

    use super::*;

    fn plain(value: Value) -> Plain {
        serde_json::from_value(value).unwrap()
    }

    fn alike(equality: Equality, tolerance: Option<Tolerance>, left: &Value, right: &Value) -> bool {
        let comparison = Comparison { equality, tolerance, text: TextPolicy::Lines };
        let one_way = is_expected(&Found::from(&plain(left.clone())), &plain(right.clone()), &comparison);
        let other_way = is_expected(&Found::from(&plain(right.clone())), &plain(left.clone()), &comparison);
        assert_eq!(one_way, other_way, "{left} {right}");
        one_way
    }

    /// The table of policies in the crate's documentation, line by line: python, json, exact.
    #[test]
    fn the_table_of_policies() {
        let nan = json!({"$float": "nan"});
        let table = [
            (json!(true), json!(1), [true, false, false]),
            (json!(0), json!(null), [false; 3]),
            (json!(false), json!(null), [false; 3]),
            (json!(1), json!(1.0), [true, true, false]),
            (json!({"$complex": [1.0, 0.0]}), json!(1), [true, true, false]),
            (json!(0.0), json!(-0.0), [true, true, false]),
            (nan.clone(), nan.clone(), [true; 3]),
            (nan.clone(), json!({"$float": "inf"}), [false; 3]),
            (json!({"$float": "inf"}), json!({"$float": "-inf"}), [false; 3]),
            (json!([1, 2]), json!({"$tuple": [1, 2]}), [false, true, false]),
            (json!([1, 2]), json!([2, 1]), [false; 3]),
            (json!([1, 2]), json!([1, 2, 2]), [false; 3]),
            (json!({"$set": [1, 2]}), json!({"$frozenset": [2, 1]}), [true, true, false]),
            (json!({"$set": [1, 2]}), json!({"$set": [2, 1]}), [true; 3]),
            (json!({"$set": [1, 2]}), json!([1, 2]), [false; 3]),
            (json!({"$bytes": "00"}), json!({"$bytearray": "00"}), [true, true, false]),
            (json!({"$bytes": "61"}), json!("a"), [false; 3]),
            (json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1}), [true; 3]),
            (json!({"$dict": [[1, 2]]}), json!({"1": 2}), [false; 3]),
            (json!({"$dict": [[1, 2]]}), json!({"$dict": [[1.0, 2]]}), [true, true, false]),
            (json!({"$dict": [[nan, 2]]}), json!({"$dict": [[nan, 2]]}), [true; 3]),
            (json!({"$int": "100000000000000000000"}), json!(1e20), [true, true, false]),
            (json!({"$text": [55296]}), json!({"$text": [55297]}), [false; 3]),
            (json!([{"$set": [{"$tuple": [1, 2]}]}]), json!([{"$set": [{"$tuple": [1.0, 2]}]}]), [true, true, false]),
        ];
        for (left, right, wanted) in table {
            let seen = [Equality::Python, Equality::Json, Equality::Exact]
                .map(|equality| alike(equality, None, &left, &right));
            assert_eq!(seen, wanted, "{left} {right}");
        }
    }

    #[test]
    fn floats_within_the_tolerance_are_alike_and_ints_are_exact() {
        let python = |tolerance, left: Value, right: Value| alike(Equality::Python, tolerance, &left, &right);
        assert!(python(None, json!(0.1 + 0.2), json!(0.3)));
        assert!(!python(None, json!(0.300_000_001), json!(0.3)));
        assert!(python(None, json!(1e-13), json!(0)));
        assert!(!python(None, json!(1e15), json!(1e15 + 2e6)));
        assert!(!python(None, json!(1_000_000_000_000_000_i64), json!(1_000_000_000_000_001_i64)));
        let wide = Some(Tolerance { relative: 0.0, absolute: 0.5 });
        assert!(python(wide, json!([1.0, {"a": 2.5}]), json!([1.5, {"a": 2.0}])));
        assert!(!python(wide, json!(1.0), json!(1.51)));
        assert!(!python(wide, json!(1), json!(2)));
        assert!(!python(wide, json!({"$float": "inf"}), json!(1.0)));
        let none = Some(Tolerance { relative: 0.0, absolute: 0.0 });
        assert!(!python(none, json!(0.1 + 0.2), json!(0.3)));
        // Exact equality has a tolerance only when asked.
        assert!(!alike(Equality::Exact, None, &json!(0.1 + 0.2), &json!(0.3)));
        assert!(alike(Equality::Exact, wide, &json!(0.1), &json!(0.3)));
        assert!(!alike(Equality::Exact, wide, &json!(1.0), &json!(1)));
    }

    #[test]
    fn elements_of_sets_find_partners_within_the_tolerance() {
        let wide = Some(Tolerance { relative: 0.0, absolute: 0.5 });
        let set = |values: &[f64]| json!({"$set": values});
        // The first element could take either partner, the second only one: the pairing has to give way.
        assert!(alike(Equality::Python, wide, &set(&[1.5, 2.0]), &set(&[1.6, 1.1])));
        assert!(!alike(Equality::Python, wide, &set(&[1.0, 1.1]), &set(&[1.2, 3.0])));
        let many = |shift: f64| set(&(0..1000).map(|at| f64::from(at) + shift).collect::<Vec<_>>());
        assert!(alike(Equality::Python, wide, &many(0.0), &many(0.25)));
        assert!(!alike(Equality::Python, wide, &many(0.0), &many(0.75)));
    }

    #[test]
    fn an_instance_of_a_subclass_is_its_base_value_unless_types_matter() {
        let found = |type_name: &str, base| Found::Subclass { type_name: type_name.to_owned(), base: Box::new(base) };
        let is = |equality, found: &Found, expected: Value| {
            is_expected(found, &plain(expected), &Comparison { equality, ..Comparison::default() })
        };
        let point =
            found("Point", Found::Tuple(vec![Found::Int(Integer::from(1_i64)), Found::Int(Integer::from(2_i64))]));
        assert!(is(Equality::Python, &point, json!({"$tuple": [1, 2]})));
        assert!(!is(Equality::Python, &point, json!([1, 2])));
        assert!(is(Equality::Json, &point, json!([1, 2])));
        assert!(!is(Equality::Exact, &point, json!({"$tuple": [1, 2]})));
        assert!(is(Equality::Python, &found("Level", Found::Int(Integer::from(3_i64))), json!(3)));
        assert!(is(Equality::Python, &found("Level", Found::Int(Integer::from(1_i64))), json!(true)));
        let names = Found::Set(vec![found("Name", Found::Text("a".into()))]);
        assert!(is(Equality::Python, &names, json!({"$set": ["a"]})));
    }

    #[test]
    fn an_object_equals_nothing() {
        let object = Found::Object { type_name: "Any".to_owned() };
        for value in [json!(null), json!("Any"), json!({"object": "Any", "text": ""})] {
            assert!(!is_expected(&object, &plain(value), &Comparison::default()));
        }
        let comparison = Policy { equality: Equality::Python, tolerance: None };
        let set = Found::Set(vec![object.clone(), Found::None]);
        assert!(!comparison.equal(&object, &object) && !comparison.equal(&set, &set));
    }
}
