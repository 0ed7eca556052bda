//! One test on one completion: the program that runs it, and what came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use codeward_records::{RawExpectation, TestCase};
use codeward_sandbox::{End, Limits, Outcome, Program};
use serde_json::{Value, json};

use crate::check::Evidence;
use crate::observation::{Report, Seen};

const HARNESS: &str = include_str!("harness.py");
const MARKER: &str = "$NONCE";

/// What one test showed about a completion. Machinery failures are not here: they are the sandbox's errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent observations of one run")]
pub(crate) struct TestResult {
    /// Every expectation held and the process ended well.
    pub(crate) passed: bool,
    /// The completion compiled.
    pub(crate) parsed: bool,
    /// It loaded and the calls came back without an exception, in a process that ended well.
    pub(crate) ran: bool,
    /// A call returned something, printed something or left a file.
    pub(crate) produced: bool,
}

/// A test bound to a completion.
pub(crate) struct Attempt<'a> {
    test: &'a TestCase,
    nonce: String,
    token: String,
    program: Program,
}

impl<'a> Attempt<'a> {
    /// Prepares the program. The nonce and the channel's token come from the content, mixed with a secret of this process,
    /// so that the program cannot know them beforehand and two runs of a seed still judge alike.
    pub(crate) fn new(test: &'a TestCase, adapter: &str, code: &str, secret: &[u8; 32]) -> Self {
        let word = |purpose: &str| {
            let mut hasher = blake3::Hasher::new_keyed(secret);
            for part in [purpose, &test.name, adapter, code] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
            hasher.finalize().to_hex()[..16].to_owned()
        };
        let (nonce, token) = (format!("n{}", word("nonce")), word("token"));
        let fill = |text: &String| text.replace(MARKER, &nonce);
        let payload = json!({
            "candidate": code, "adapter": adapter, "act": test.act, "nonce": nonce, "token": token,
        });
        let mut limits = Limits::default();
        if let Some(milliseconds) = test.cpu_ms {
            limits.cpu = Duration::from_millis(milliseconds);
        }
        let program = Program {
            source: HARNESS.as_bytes().to_vec(),
            stdin: payload.to_string().into_bytes(),
            files: test.files.iter().map(|(path, text)| (path.clone(), fill(text).into_bytes())).collect(),
            env: test.env.iter().map(|(name, text)| (name.clone(), fill(text))).collect(),
            processes: test.processes,
            limits,
            ..Program::default()
        };
        Self { test, nonce, token, program }
    }

    /// What the sandbox is to run.
    pub(crate) fn program(&self) -> &Program {
        &self.program
    }

    /// Judges what the sandbox saw.
    pub(crate) fn judge(&self, outcome: &Outcome) -> TestResult {
        let report = Report::read(&outcome.channel, &self.token);
        let ended_well = outcome.end == End::Exited { code: 0 } && report.done && report.acted;
        let mut seen = report.seen.clone();
        let stream = |bytes: &[u8]| Seen::Returned(Value::from(String::from_utf8_lossy(bytes).into_owned()));
        seen.insert("stdout".to_owned(), stream(&outcome.stdout));
        seen.insert("stderr".to_owned(), stream(&outcome.stderr));
        let evidence = Evidence { seen: &seen, files: &outcome.files };
        let holds = |raw: &RawExpectation| {
            raw.resolve().is_ok_and(|expectation| evidence.fulfils(&fill_nonce(&expectation, &self.nonce)))
        };
        let raised = report.seen.values().any(|seen| matches!(seen, Seen::Raised(_)));
        let returned = report.seen.values().any(|seen| matches!(seen, Seen::Returned(value) if !value.is_null()));
        TestResult {
            passed: ended_well && !self.test.expect.is_empty() && self.test.expect.iter().all(holds),
            parsed: report.parsed,
            ran: ended_well && report.loaded && !raised,
            produced: returned || !outcome.stdout.is_empty() || self.left_files(&outcome.files),
        }
    }

    fn left_files<T>(&self, files: &BTreeMap<String, T>) -> bool {
        files
            .keys()
            .any(|path| !self.test.files.keys().any(|given| given == path || given.starts_with(&format!("{path}/"))))
    }
}

/// Puts the nonce into the texts of an expectation.
fn fill_nonce(expectation: &codeward_records::Expectation, nonce: &str) -> codeward_records::Expectation {
    use codeward_records::Predicate;
    let text = |text: &String| text.replace(MARKER, nonce);
    let value = |value: &Value| with_nonce(value, nonce);
    let predicate = match &expectation.predicate {
        Predicate::Equals(wanted) => Predicate::Equals(value(wanted)),
        Predicate::NotEquals(unwanted) => Predicate::NotEquals(value(unwanted)),
        Predicate::Contains(part) => Predicate::Contains(text(part)),
        Predicate::NotContains(part) => Predicate::NotContains(text(part)),
        Predicate::Matches(pattern) => Predicate::Matches(text(pattern)),
        Predicate::NotMatches(pattern) => Predicate::NotMatches(text(pattern)),
        other => other.clone(),
    };
    codeward_records::Expectation { subject: expectation.subject.clone(), predicate }
}

/// A value with the nonce in place of every marker, however deep.
fn with_nonce(value: &Value, nonce: &str) -> Value {
    match value {
        Value::String(text) => Value::from(text.replace(MARKER, nonce)),
        Value::Array(items) => items.iter().map(|item| with_nonce(item, nonce)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, item)| (key.replace(MARKER, nonce), with_nonce(item, nonce))).collect()
        }
        other => other.clone(),
    }
}
