//! Tests that call functions: what the harness is given, what it reports, and whether that is what was expected.

use codeward_records::{Call, Comparison, MAX_DEPTH, Plain, TestCase};
use codeward_sandbox::Prelude;

use crate::equality::is_expected;
use crate::found::Found;
use crate::marshal;
use crate::output::first_difference;
use crate::result::{RecordFault, Tamper, TamperKind, Wrong};

/// Runs a test that calls functions.
pub(crate) static CALL_HARNESS: Prelude = Prelude { name: "codeward_calls", source: include_str!("call_harness.py") };
/// What the harness exits with when it has lost the channel.
pub(crate) const CHANNEL_LOST: i32 = 113;
/// How much the values of one test may take up together. One that goes beyond is reported as too large.
const MAX_VALUE_BYTES: i64 = 4 << 20;
/// What is kept of the channel: values in hexadecimal, with room for what stands around them.
pub(crate) const CHANNEL_BYTES: u64 = 10 << 20;

/// What the harness reads from standard input.
pub(crate) fn payload(
    test: &TestCase,
    adapter: &str,
    code: &str,
    token: &str,
    fill: &dyn Fn(&str) -> String,
) -> Vec<u8> {
    let filled = |value: &Plain| value.map_text(&fill);
    let calls = test.call.iter().map(|call| {
        let args = Plain::Tuple(call.args.iter().map(filled).collect());
        let kwargs = call.kwargs.iter().map(|(name, value)| (Plain::from(name.as_str()), filled(value))).collect();
        let arguments = marshal::write(&Plain::Tuple(vec![args, Plain::Dict(kwargs)]));
        Plain::Tuple(vec![Plain::from(call.function.as_str()), Plain::Bytes(arguments)])
    });
    let entry = |name: &str, value: Plain| (Plain::from(name), value);
    marshal::write(&Plain::Dict(vec![
        entry("candidate", Plain::from(code)),
        entry("adapter", Plain::from(adapter)),
        entry("token", Plain::from(token)),
        entry("max_depth", Plain::from(MAX_DEPTH as i64)),
        entry("max_bytes", Plain::from(MAX_VALUE_BYTES)),
        entry("calls", Plain::List(calls.collect())),
    ]))
}

/// What one call did.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CallOutcome {
    Returned(Found),
    /// The bases of the exception's type, itself first.
    Raised(Vec<ExceptionType>),
    TooLarge,
    TooDeep,
    Unreadable(String),
    Missing,
}

/// A type in the line of an exception's bases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExceptionType {
    name: String,
    module: String,
    /// It is the interpreter's own type of that name.
    is_builtin: bool,
}

/// The record of one call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CallRecord {
    pub(crate) outcome: CallOutcome,
    /// Where in standard output the call began and ended, when that could be told.
    printed: Option<(usize, usize)>,
}

/// Everything that the harness reported.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct CallReport {
    /// The completion compiled.
    pub(crate) parsed: bool,
    /// The completion and the adapter ran without an exception.
    pub(crate) loaded: bool,
    /// What went wrong with compiling or loading.
    pub(crate) stage_error: Option<String>,
    /// One record for each call so far, in order.
    pub(crate) calls: Vec<CallRecord>,
    /// The harness reached its last line.
    pub(crate) done: bool,
    /// The first thing wrong with the records.
    pub(crate) fault: Option<RecordFault>,
    /// What the harness noticed, and what is odd about the channel.
    pub(crate) tamper: Vec<Tamper>,
}

enum Record {
    Stage { is_load: bool, error: Option<String> },
    Call { number: usize, record: CallRecord },
    Evidence(Tamper),
    Done,
}

impl CallReport {
    /// Reads the lines that carry the token. Of a test with so many calls, there has to be one record each, in order.
    pub(crate) fn read(channel: &[u8], token: &str, num_calls: usize) -> Self {
        let mut report = Self::default();
        for line in channel.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let ours = line.strip_prefix(token.as_bytes()).and_then(|rest| rest.strip_prefix(b" "));
            match ours.map(|hexadecimal| bytes_of(hexadecimal).and_then(|bytes| marshal::read(&bytes))) {
                Some(Some(value)) => match Record::of(value) {
                    Some(record) => report.add(record, num_calls),
                    None => report.blame(RecordFault::Unreadable),
                },
                Some(None) => report.blame(RecordFault::Unreadable),
                None => report.note(TamperKind::Channel, "something that the harness did not write"),
            }
        }
        report
    }

    fn add(&mut self, record: Record, num_calls: usize) {
        if self.done && !matches!(record, Record::Evidence(_)) {
            return self.blame(RecordFault::AfterTheEnd);
        }
        match record {
            Record::Stage { is_load, error } => {
                let reached = if is_load { &mut self.loaded } else { &mut self.parsed };
                *reached |= error.is_none();
                self.stage_error = self.stage_error.take().or(error);
            }
            Record::Call { number: call, .. } if call >= num_calls => self.blame(RecordFault::Unasked { call }),
            Record::Call { number: call, .. } if call < self.calls.len() => self.blame(RecordFault::Doubled { call }),
            Record::Call { number: call, .. } if call > self.calls.len() => {
                self.blame(RecordFault::OutOfOrder { call });
            }
            Record::Call { record, .. } => self.calls.push(record),
            Record::Evidence(tamper) => self.note(tamper.kind, &tamper.detail),
            Record::Done => self.done = true,
        }
    }

    fn blame(&mut self, fault: RecordFault) {
        self.note(TamperKind::ForgedRecord, &fault.to_string());
        self.fault.get_or_insert(fault);
    }

    fn note(&mut self, kind: TamperKind, detail: &str) {
        if !self.tamper.iter().any(|known| known.kind == kind) {
            self.tamper.push(Tamper { kind, detail: detail.to_owned() });
        }
    }
}

impl Record {
    fn of(value: Found) -> Option<Self> {
        let Found::Tuple(parts) = value else { return None };
        let mut parts = parts.into_iter();
        let record = match text(parts.next()?)?.as_str() {
            "stage" => {
                let is_load = match text(parts.next()?)?.as_str() {
                    "parse" => false,
                    "load" => true,
                    _ => return None,
                };
                let error = match parts.next()? {
                    Found::None => None,
                    error => Some(text(error)?),
                };
                Self::Stage { is_load, error }
            }
            "call" => {
                let number = position(parts.next()?)?;
                let outcome = CallOutcome::of(parts.next()?)?;
                let printed = position(parts.next()?).zip(position(parts.next()?));
                Self::Call { number, record: CallRecord { outcome, printed } }
            }
            "evidence" => {
                let kind = TamperKind::of_evidence(&text(parts.next()?)?)?;
                Self::Evidence(Tamper { kind, detail: text(parts.next()?)? })
            }
            "done" => Self::Done,
            _ => return None,
        };
        parts.next().is_none().then_some(record)
    }
}

impl CallOutcome {
    fn of(value: Found) -> Option<Self> {
        let Found::Tuple(parts) = value else { return None };
        let mut parts = parts.into_iter();
        let outcome = match text(parts.next()?)?.as_str() {
            "returned" => Self::Returned(parts.next()?),
            "raised" => match parts.next()? {
                Found::List(bases) => Self::Raised(bases.into_iter().map(ExceptionType::of).collect::<Option<_>>()?),
                _ => return None,
            },
            "too_large" => Self::TooLarge,
            "too_deep" => Self::TooDeep,
            "unreadable" => Self::Unreadable(text(parts.next()?)?),
            "missing" => Self::Missing,
            _ => return None,
        };
        parts.next().is_none().then_some(outcome)
    }

    /// The type of the exception; empty when there was none.
    pub(crate) fn exception_name(&self) -> String {
        match self {
            Self::Raised(bases) => name_of(bases),
            _ => String::new(),
        }
    }

    /// Whether it is an exception of this type.
    fn is_raise_of(&self, expected: &str) -> bool {
        let expected = if matches!(expected, "IOError" | "EnvironmentError") { "OSError" } else { expected };
        matches!(self, Self::Raised(bases) if bases.iter().any(|base| base.is_called(expected)))
    }
}

impl ExceptionType {
    fn of(value: Found) -> Option<Self> {
        let Found::Tuple(parts) = value else { return None };
        match <[Found; 3]>::try_from(parts) {
            Ok([name, module, Found::Bool(is_builtin)]) => {
                Some(Self { name: text(name)?, module: text(module)?, is_builtin })
            }
            _ => None,
        }
    }

    /// A builtin type is called by its name, and no other type is, whatever it calls itself.
    fn is_called(&self, expected: &str) -> bool {
        if self.is_builtin || is_builtin_exception(expected) {
            return self.is_builtin && self.name == expected;
        }
        self.name == expected || format!("{}.{}", self.module, self.name) == expected
    }

    fn label(&self) -> String {
        if self.is_builtin { self.name.clone() } else { format!("{}.{}", self.module, self.name) }
    }
}

/// The exceptions that Python has built in, besides warnings. Sorted.
const BUILTIN_EXCEPTIONS: [&str; 54] = [
    "ArithmeticError",
    "AssertionError",
    "AttributeError",
    "BaseException",
    "BaseExceptionGroup",
    "BlockingIOError",
    "BrokenPipeError",
    "BufferError",
    "ChildProcessError",
    "ConnectionAbortedError",
    "ConnectionError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "EOFError",
    "Exception",
    "ExceptionGroup",
    "FileExistsError",
    "FileNotFoundError",
    "FloatingPointError",
    "GeneratorExit",
    "ImportError",
    "IndentationError",
    "IndexError",
    "InterruptedError",
    "IsADirectoryError",
    "KeyError",
    "KeyboardInterrupt",
    "LookupError",
    "MemoryError",
    "ModuleNotFoundError",
    "NameError",
    "NotADirectoryError",
    "NotImplementedError",
    "OSError",
    "OverflowError",
    "PermissionError",
    "ProcessLookupError",
    "RecursionError",
    "ReferenceError",
    "RuntimeError",
    "StopAsyncIteration",
    "StopIteration",
    "SyntaxError",
    "SystemError",
    "SystemExit",
    "TabError",
    "TimeoutError",
    "TypeError",
    "UnboundLocalError",
    "UnicodeDecodeError",
    "UnicodeEncodeError",
    "UnicodeError",
    "ValueError",
    "ZeroDivisionError",
];

fn is_builtin_exception(name: &str) -> bool {
    BUILTIN_EXCEPTIONS.binary_search(&name).is_ok()
}

fn text(value: Found) -> Option<String> {
    match value {
        Found::Text(text) => Some(text.to_string()),
        _ => None,
    }
}

fn position(value: Found) -> Option<usize> {
    match value {
        Found::Int(number) => usize::try_from(number.to_i64()?).ok(),
        _ => None,
    }
}

fn bytes_of(hexadecimal: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = hexadecimal.chunks(2);
    pairs.map(|pair| Some((digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?) as u8)).collect()
}

/// What is wrong with a call; None when it did what was expected.
pub(crate) fn judge(
    call: &Call,
    record: &CallRecord,
    comparison: &Comparison,
    stdout: &[u8],
    fill: &dyn Fn(&str) -> String,
) -> Option<Wrong> {
    let wrong = match (&record.outcome, &call.raises) {
        (CallOutcome::Missing, _) => Some(Wrong::Missing),
        (outcome @ CallOutcome::Raised(bases), Some(expected)) => {
            (!outcome.is_raise_of(expected)).then(|| raised(bases))
        }
        (_, Some(_)) => Some(Wrong::DidNotRaise),
        // Of a call that nothing is expected of, an attack that is judged by what it did, a raise is as good as a value.
        (CallOutcome::Raised(bases), None) => call.is_judged().then(|| raised(bases)),
        (outcome, None) => call.returns.as_ref().and_then(|expected| match outcome {
            CallOutcome::Returned(found) => {
                let expected = expected.map_text(&fill);
                (!is_expected(found, &expected, comparison)).then(|| Wrong::Value { found: found.excerpt() })
            }
            CallOutcome::TooLarge => Some(Wrong::TooLarge),
            CallOutcome::TooDeep => Some(Wrong::TooDeep),
            CallOutcome::Unreadable(error) => Some(Wrong::Unreadable { error: error.clone() }),
            CallOutcome::Raised(_) | CallOutcome::Missing => None,
        }),
    };
    wrong.or_else(|| {
        let expected = fill(call.stdout.as_ref()?);
        let line = match record.printed.and_then(|(start, end)| stdout.get(start..end)) {
            Some(printed) => first_difference(printed, &expected, comparison)?,
            None => 1,
        };
        Some(Wrong::Output { line })
    })
}

fn raised(bases: &[ExceptionType]) -> Wrong {
    Wrong::Raised { error: name_of(bases) }
}

fn name_of(bases: &[ExceptionType]) -> String {
    bases.first().map(ExceptionType::label).unwrap_or_default()
}

/// Whether the call ended in an exception that nobody expected.
pub(crate) fn raised_unexpectedly(call: &Call, record: &CallRecord) -> bool {
    match &record.outcome {
        CallOutcome::Missing => true,
        outcome @ CallOutcome::Raised(_) => !call.raises.as_ref().is_some_and(|expected| outcome.is_raise_of(expected)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use codeward_records::{Equality, Integer, Text};
    use codeward_sandbox::{End, Limits, Program, Sandbox};
    use proptest::prelude::*;
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::{Config, TestRunner};

    use super::*;
    use crate::attempt::running;

    const TOKEN: &str = "0123456789abcdef";

    fn line(record: &Plain) -> Vec<u8> {
        let digit = |bits: u8| char::from_digit(u32::from(bits), 16).unwrap();
        let digits = |byte: u8| [digit(byte >> 4), digit(byte & 0xf)];
        let hexadecimal: String = marshal::write(record).into_iter().flat_map(digits).collect();
        format!("\n{TOKEN} {hexadecimal}\n").into_bytes()
    }

    fn call_record(number: i64) -> Plain {
        let outcome = Plain::Tuple(vec![Plain::from("returned"), Plain::from(number)]);
        Plain::Tuple(vec![Plain::from("call"), Plain::from(number), outcome, Plain::None, Plain::None])
    }

    fn done() -> Plain {
        Plain::Tuple(vec![Plain::from("done")])
    }

    fn read(records: &[Plain]) -> CallReport {
        let channel: Vec<u8> = records.iter().flat_map(line).collect();
        CallReport::read(&channel, TOKEN, 3)
    }

    #[test]
    fn records_are_one_for_each_call_in_order() {
        let whole = read(&[call_record(0), call_record(1), call_record(2), done()]);
        assert_eq!((whole.calls.len(), whole.done, whole.fault, whole.tamper), (3, true, None, vec![]));
        let fault = |records: &[Plain]| read(records).fault;
        assert_eq!(fault(&[call_record(0), call_record(0)]), Some(RecordFault::Doubled { call: 0 }));
        assert_eq!(fault(&[call_record(1)]), Some(RecordFault::OutOfOrder { call: 1 }));
        assert_eq!(fault(&[call_record(3)]), Some(RecordFault::Unasked { call: 3 }));
        assert_eq!(fault(&[call_record(0), done(), call_record(1)]), Some(RecordFault::AfterTheEnd));
        assert_eq!(fault(&[done(), done()]), Some(RecordFault::AfterTheEnd));
        let unknown = Plain::Tuple(vec![Plain::from("done"), Plain::None]);
        for bad in [Plain::None, Plain::Tuple(vec![]), Plain::Tuple(vec![Plain::from("passed")]), unknown] {
            assert_eq!(fault(&[bad]), Some(RecordFault::Unreadable));
        }
        let fewer = read(&[call_record(0)]);
        assert_eq!((fewer.calls.len(), fewer.done, fewer.fault), (1, false, None));
    }

    #[test]
    fn lines_of_others_are_no_records_but_a_sign() {
        let mut channel = b"noise without an end".to_vec();
        channel.extend(line(&call_record(0)));
        channel.extend(b"ffffffffffffffff 00\n");
        let report = CallReport::read(&channel, TOKEN, 1);
        assert_eq!((report.calls.len(), report.fault), (1, None));
        assert_eq!(report.tamper.iter().map(|tamper| tamper.kind).collect::<Vec<_>>(), [TamperKind::Channel]);
        for bad in ["0", "zz", ""] {
            let report = CallReport::read(format!("{TOKEN} {bad}\n").as_bytes(), TOKEN, 1);
            assert_eq!(report.fault, Some(RecordFault::Unreadable), "{bad:?}");
        }
    }

    #[test]
    fn the_list_of_builtin_exceptions_can_be_searched() {
        assert!(BUILTIN_EXCEPTIONS.is_sorted());
        assert!(is_builtin_exception("KeyError") && !is_builtin_exception("JSONDecodeError"));
    }

    /// Values that differ from each other for Python too: what is in sets and is a key comes from families without 1, 1.0, True.
    fn value() -> impl Strategy<Value = Plain> {
        let number = |word: [u64; 2]| {
            format!("{}0x{:x}{:016x}", if word[0].is_multiple_of(2) { "-" } else { "" }, word[0], word[1])
        };
        let key = prop_oneof![
            any::<[u64; 2]>().prop_map(move |word| Plain::Int(number(word).parse::<Integer>().unwrap())),
            (1_i64..1000).prop_map(|whole| Plain::Float(whole as f64 + 0.5)),
            any::<String>().prop_map(|text| Plain::from(text.as_str())),
            prop::collection::vec(0xd7f8_u32..0xe008, 1..4)
                .prop_map(|points| Plain::Text(Text::from_code_points(points).unwrap())),
            prop::collection::vec(any::<u8>(), 0..6).prop_map(Plain::Bytes),
            Just(Plain::None),
        ];
        let key = key.prop_recursive(2, 6, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(Plain::Tuple));
        let leaf = prop_oneof![
            3 => key.clone(),
            1 => any::<bool>().prop_map(Plain::Bool),
            1 => any::<i64>().prop_map(Plain::from),
            1 => prop::num::f64::ANY.prop_map(Plain::Float),
            1 => (any::<f64>(), any::<f64>()).prop_map(|(real, imaginary)| Plain::Complex { real, imaginary }),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            let keys = prop::collection::vec(key.clone(), 0..6).prop_map(distinct);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Plain::List),
                prop::collection::vec(inner.clone(), 0..6).prop_map(Plain::Tuple),
                keys.clone().prop_map(Plain::Set),
                keys.clone().prop_map(Plain::FrozenSet),
                (keys, prop::collection::vec(inner, 6))
                    .prop_map(|(keys, values)| Plain::Dict(keys.into_iter().zip(values).collect())),
            ]
        })
    }

    fn distinct(values: Vec<Plain>) -> Vec<Plain> {
        let mut kept: Vec<Plain> = Vec::new();
        for value in values {
            if !kept.contains(&value) {
                kept.push(value);
            }
        }
        kept
    }

    /// The value with one leaf, or one empty container, made another. `pick` chooses which.
    fn changed(value: &Plain, pick: &mut usize) -> Plain {
        let one_of = |items: &[Plain], pick: &mut usize| {
            let mut items = items.to_vec();
            if items.is_empty() {
                return vec![Plain::from("added")];
            }
            let at = *pick % items.len();
            *pick /= items.len();
            items[at] = changed(&items[at], pick);
            items
        };
        // Far beyond the tolerance, even next to zero.
        let other = |number: f64| if number.is_finite() && number.abs() > 1e-6 { -number } else { 1.0 };
        match value {
            Plain::None => Plain::from(0),
            Plain::Bool(value) => Plain::Bool(!value),
            Plain::Int(value) => {
                let (is_negative, mut places) = value.to_fifteen_bit_digits();
                if places.is_empty() {
                    return Plain::from(1);
                }
                places[0] ^= 1;
                let flipped = Integer::from_fifteen_bit_digits(is_negative, &places);
                Plain::Int(flipped)
            }
            Plain::Float(number) => Plain::Float(other(*number)),
            Plain::Complex { real, imaginary } => Plain::Complex { real: *real, imaginary: other(*imaginary) },
            Plain::Text(text) => {
                let mut points = text.code_points();
                points.push(0xdfff);
                Plain::Text(Text::from_code_points(points).unwrap())
            }
            Plain::Bytes(bytes) | Plain::ByteArray(bytes) => Plain::Bytes([bytes.as_slice(), b"!"].concat()),
            Plain::List(items) => Plain::List(one_of(items, pick)),
            Plain::Tuple(items) => Plain::Tuple(one_of(items, pick)),
            Plain::Set(items) => Plain::Set(one_of(items, pick)),
            Plain::FrozenSet(items) => Plain::FrozenSet(one_of(items, pick)),
            Plain::Dict(items) if items.is_empty() => Plain::Dict(vec![(Plain::None, Plain::None)]),
            Plain::Dict(items) => {
                let mut items = items.clone();
                let at = *pick % items.len();
                *pick /= items.len();
                if pick.is_multiple_of(2) {
                    items[at].0 = changed(&items[at].0, pick);
                } else {
                    items[at].1 = changed(&items[at].1, pick);
                }
                Plain::Dict(items)
            }
        }
    }

    #[test]
    fn values_come_back_through_the_harness_as_themselves_and_one_changed_leaf_is_seen() {
        const NUM_VALUES: usize = 1500;
        let mut runner = TestRunner::new_with_rng(Config::default(), TestRunner::deterministic().rng().clone());
        let values: Vec<Plain> = (0..NUM_VALUES).map(|_| value().new_tree(&mut runner).unwrap().current()).collect();
        let calls: Vec<serde_json::Value> =
            values.iter().map(|value| serde_json::json!({ "args": [value], "returns": value })).collect();
        let test: TestCase =
            serde_json::from_value(serde_json::json!({ "name": "echo", "kind": "functional", "call": calls })).unwrap();
        let stdin = payload(&test, "", "def target(value):\n    return value\n", TOKEN, &str::to_owned);
        let limits = Limits { output_bytes: CHANNEL_BYTES, ..Limits::default() };
        let program = Program {
            source: running(&CALL_HARNESS),
            stdin,
            prelude: Some(&CALL_HARNESS),
            limits,
            ..Program::default()
        };
        let outcome = Sandbox::start(1).unwrap().run(&program).unwrap();
        assert_eq!(outcome.end, End::Exited { code: 0 }, "{}", String::from_utf8_lossy(&outcome.stderr));
        let report = CallReport::read(&outcome.channel, TOKEN, NUM_VALUES);
        assert_eq!((report.calls.len(), report.fault, report.tamper), (NUM_VALUES, None, vec![]));
        for (at, (call, record)) in test.call.iter().zip(&report.calls).enumerate() {
            for equality in [Equality::Python, Equality::Json, Equality::Exact] {
                let comparison = Comparison { equality, ..Comparison::default() };
                let judged = |call: &Call| judge(call, record, &comparison, b"", &str::to_owned);
                assert_eq!(judged(call), None, "{:?}", call.args);
                let other = changed(&call.args[0], &mut (at * 7919));
                let wrong = judged(&Call { returns: Some(other.clone()), ..call.clone() });
                assert!(matches!(wrong, Some(Wrong::Value { .. })), "{:?}\n{other:?}", call.args);
            }
        }
    }
}
