//! One test on one completion: the program that runs it, and what came of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use codeward_records::{
    Call, Expectation, Language, ObservedSubject, Predicate, ProgramRun, Subject, Task, TestCase, TestForm,
};
use codeward_sandbox::{End, Limits, Network, Outcome, Prelude, Program};
use serde_json::Value;

use crate::call::{self, CALL_HARNESS, CHANNEL_BYTES, CHANNEL_LOST, CallOutcome, CallReport};
use crate::check::Evidence;
use crate::found::Found;
use crate::observation::{self, ACT_HARNESS, Report, Seen};
use crate::observed::{NotWatched, Observed};
use crate::output::first_difference;
use crate::result::{Failure, Tamper, TamperKind, TestResult};

const MARKER: &str = "$NONCE";
/// What the sandbox calls the files of programs that are not compiled first.
const PYTHON_FILE: &str = "main.py";
const JAVASCRIPT_FILE: &str = "main.js";

/// The program that has a harness do its work. The harness is gone from the modules before there is a completion.
pub(crate) fn running(harness: &Prelude) -> Vec<u8> {
    format!("__import__('sys').modules.pop('{}').run()\n", harness.name).into()
}

/// A test bound to a completion.
pub(crate) struct Attempt<'a> {
    test: &'a TestCase,
    form: TestForm<'a>,
    language: Language,
    nonce: String,
    token: String,
    program: Program,
}

impl<'a> Attempt<'a> {
    /// Prepares the program. The nonce and the channel's token come from the content, mixed with a secret of the process,
    /// so that the program cannot know them beforehand and two runs of a seed still judge alike.
    pub(crate) fn new(test: &'a TestCase, form: TestForm<'a>, task: &Task, code: &str, secret: &[u8; 32]) -> Self {
        let (language, adapter) = (task.language, task.adapter.as_str());
        let word = |purpose: &str| {
            let mut hasher = blake3::Hasher::new_keyed(secret);
            for part in [purpose, &test.name, adapter, code] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
            hasher.finalize().to_hex()[..16].to_owned()
        };
        let (nonce, token) = (format!("n{}", word("nonce")), word("token"));
        let fill = |text: &str| text.replace(MARKER, &nonce);
        let mut limits = Limits::default();
        if let Some(milliseconds) = test.cpu_ms {
            limits.cpu = Duration::from_millis(milliseconds);
        }
        let (prelude, stdin) = match form {
            TestForm::Act(act) => (Some(&ACT_HARNESS), observation::payload(code, adapter, act, &nonce, &token)),
            TestForm::Run(run) => (None, fill(&run.stdin).into_bytes()),
            TestForm::Calls(_) => {
                limits.output_bytes = CHANNEL_BYTES;
                (Some(&CALL_HARNESS), call::payload(test, adapter, code, &token, &fill))
            }
        };
        let source = prelude.map_or_else(|| code.into(), running);
        let looks_at = |subject| test.expect.iter().any(|raw| raw.observed == Some(subject));
        let program = Program {
            language: in_sandbox(language),
            source,
            stdin,
            files: test.files.iter().map(|(path, text)| (path.clone(), fill(text).into_bytes())).collect(),
            env: test.env.iter().map(|(name, text)| (name.clone(), fill(text))).collect(),
            processes: test.processes,
            network: if looks_at(ObservedSubject::Received) { Network::Loopback } else { Network::None },
            queries: looks_at(ObservedSubject::Queries) && language == Language::Python,
            prelude,
            limits,
        };
        Self { test, form, language, nonce, token, program }
    }

    /// What the sandbox is to run.
    pub(crate) fn program(&self) -> &Program {
        &self.program
    }

    /// Judges what the sandbox saw.
    pub(crate) fn judge(&self, outcome: &Outcome) -> Result<TestResult, NotWatched> {
        let observed = Observed::of(&self.program, outcome);
        for expectation in self.expectations() {
            if let Subject::Observed(subject) = expectation.subject
                && !observed.watches(subject)
            {
                return Err(NotWatched { subject, test: self.test.name.clone() });
            }
        }
        let shown = match self.form {
            TestForm::Act(_) => self.judge_act(outcome),
            TestForm::Run(run) => self.judge_run(run, outcome),
            TestForm::Calls(calls) => self.judge_calls(calls, outcome),
        };
        let failure = shown.failure.or_else(|| self.first_unfulfilled(&shown.seen, &observed, outcome));
        Ok(TestResult {
            passed: failure.is_none(),
            parsed: shown.parsed,
            ran: shown.ran,
            produced: shown.produced || !outcome.stdout.is_empty() || self.left_files(&outcome.files),
            spoke: shown.produced || outcome.stdout.iter().any(|byte| !byte.is_ascii_whitespace()),
            answered: failure.is_none() || shown.answered && matches!(failure, Some(Failure::Ended { .. })),
            failure,
            tamper: shown.tamper.into_iter().chain(outcome.tamper.iter().map(Tamper::from)).collect(),
        })
    }

    fn judge_act(&self, outcome: &Outcome) -> Shown {
        let report = Report::read(&outcome.channel, &self.token);
        let ended_well = outcome.end == End::Exited { code: 0 } && report.done && report.acted;
        let raised = report.seen.values().any(|seen| matches!(seen, Seen::Raised(_)));
        let returned = report.seen.values().any(|seen| matches!(seen, Seen::Returned(value) if !value.is_null()));
        let failure = match &report.stage_error {
            Some(error) if !report.parsed => Some(Failure::NotParsed { error: error.clone() }),
            Some(error) if !report.loaded => Some(Failure::NotLoaded { error: error.clone() }),
            _ if ended_well => None,
            _ if is_early_exit(report.done, outcome) => Some(Failure::StoppedEarly { answered: 0, of: 1 }),
            Some(error) if report.done => Some(Failure::Ended { how: format!("the test's statements raised {error}") }),
            _ => Some(Failure::Ended { how: outcome.end.to_string() }),
        };
        Shown {
            failure,
            parsed: report.parsed,
            ran: ended_well && report.loaded && !raised,
            produced: returned,
            answered: false,
            tamper: early_exit(report.done, outcome).into_iter().collect(),
            seen: report.seen,
        }
    }

    fn judge_run(&self, run: &ProgramRun, outcome: &Outcome) -> Shown {
        let ended_well = outcome.end == End::Exited { code: 0 };
        let syntax_error = self.syntax_error(outcome);
        let difference = || {
            let expected = run.stdout.as_ref()?.replace(MARKER, &self.nonce);
            first_difference(&outcome.stdout, &expected, &self.test.compare)
        };
        let parsed = syntax_error.is_none();
        let failure = match syntax_error {
            Some(error) => Some(Failure::NotParsed { error }),
            None if !ended_well => Some(Failure::Ended { how: outcome.end.to_string() }),
            None => difference().map(|line| Failure::Output { line }),
        };
        let answered = parsed && difference().is_none();
        Shown { failure, parsed, ran: ended_well, produced: false, answered, tamper: Vec::new(), seen: BTreeMap::new() }
    }

    /// What the compiler or the interpreter says when it refuses the program.
    fn syntax_error(&self, outcome: &Outcome) -> Option<String> {
        match &outcome.end {
            End::CompilerRejected { message } => Some(message.lines().next().unwrap_or_default().to_owned()),
            End::Exited { code: 1 } => {
                let stderr = String::from_utf8_lossy(&outcome.stderr);
                match self.language {
                    Language::Python => python_refusal(&stderr),
                    Language::JavaScript => javascript_refusal(&stderr),
                    Language::C | Language::Cpp | Language::Java | Language::Go => None,
                }
            }
            _ => None,
        }
    }

    fn judge_calls(&self, calls: &[Call], outcome: &Outcome) -> Shown {
        let report = CallReport::read(&outcome.channel, &self.token, calls.len());
        let fill = |text: &str| text.replace(MARKER, &self.nonce);
        let wrong = || {
            calls.iter().zip(&report.calls).enumerate().find_map(|(call, (about, record))| {
                let wrong = call::judge(about, record, &self.test.compare, &outcome.stdout, &fill)?;
                Some(Failure::Call { call, wrong })
            })
        };
        let is_complete = report.done && report.fault.is_none() && report.calls.len() == calls.len();
        let ended_well = outcome.end == End::Exited { code: 0 } && is_complete;
        let stopped = Failure::StoppedEarly { answered: report.calls.len(), of: calls.len() };
        let failure = match &report.stage_error {
            Some(error) if !report.parsed => Some(Failure::NotParsed { error: error.clone() }),
            Some(error) => Some(Failure::NotLoaded { error: error.clone() }),
            None => match report.fault {
                Some(fault) => Some(Failure::Records { fault }),
                None if is_complete => {
                    wrong().or_else(|| (!ended_well).then(|| Failure::Ended { how: outcome.end.to_string() }))
                }
                None if matches!(outcome.end, End::Exited { .. }) => Some(stopped),
                None => Some(Failure::Ended { how: outcome.end.to_string() }),
            },
        };
        let raised = calls.iter().zip(&report.calls).any(|(about, record)| call::raised_unexpectedly(about, record));
        let gave = |outcome: &CallOutcome| match outcome {
            CallOutcome::Returned(found) => *found != Found::None,
            CallOutcome::TooLarge | CallOutcome::TooDeep => true,
            CallOutcome::Raised(_) | CallOutcome::Unreadable(_) | CallOutcome::Missing => false,
        };
        let mut tamper = report.tamper;
        tamper.extend(early_exit(report.done, outcome));
        Shown {
            failure,
            parsed: report.parsed,
            ran: ended_well && report.loaded && !raised,
            produced: report.calls.iter().any(|record| gave(&record.outcome)),
            answered: is_complete && wrong().is_none(),
            tamper,
            seen: seen_by_name(calls, &report.calls),
        }
    }

    fn expectations(&self) -> impl Iterator<Item = Expectation> {
        self.test.expect.iter().filter_map(|raw| raw.resolve().ok()).map(|expectation| self.filled(&expectation))
    }

    /// The first expectation of the test's list that does not hold.
    fn first_unfulfilled(
        &self,
        made: &BTreeMap<String, Seen>,
        observed: &Observed,
        outcome: &Outcome,
    ) -> Option<Failure> {
        let mut seen = made.clone();
        let stream = |bytes: &[u8]| Seen::Returned(Value::from(String::from_utf8_lossy(bytes).into_owned()));
        seen.insert("stdout".to_owned(), stream(&outcome.stdout));
        seen.insert("stderr".to_owned(), stream(&outcome.stderr));
        let evidence = Evidence { seen: &seen, files: &outcome.files, observed };
        let holds = |expectation: &Expectation| evidence.fulfils(expectation);
        let at = self.expectations().position(|expectation| !holds(&expectation))?;
        Some(Failure::Expectation { at })
    }

    /// The expectation with the nonce in its texts.
    fn filled(&self, expectation: &Expectation) -> Expectation {
        let text = |text: &String| text.replace(MARKER, &self.nonce);
        let value = |value: &Value| with_nonce(value, &self.nonce);
        let predicate = match &expectation.predicate {
            Predicate::Equals(wanted) => Predicate::Equals(value(wanted)),
            Predicate::NotEquals(unwanted) => Predicate::NotEquals(value(unwanted)),
            Predicate::Contains(part) => Predicate::Contains(text(part)),
            Predicate::NotContains(part) => Predicate::NotContains(text(part)),
            Predicate::Matches(pattern) => Predicate::Matches(text(pattern)),
            Predicate::NotMatches(pattern) => Predicate::NotMatches(text(pattern)),
            other => other.clone(),
        };
        Expectation { subject: expectation.subject.clone(), predicate }
    }

    /// Whether there is a file that was not laid out. The sandbox itself lays out the source of a program in JavaScript and the
    /// classes of one in Java.
    fn left_files<T>(&self, files: &BTreeMap<String, T>) -> bool {
        let is_the_program = |path: &str| match self.language {
            Language::JavaScript => path == JAVASCRIPT_FILE,
            Language::Java => Path::new(path).extension().is_some_and(|extension| extension == "class"),
            Language::Python | Language::C | Language::Cpp | Language::Go => false,
        };
        let is_given =
            |path: &str| self.test.files.keys().any(|given| given == path || given.starts_with(&format!("{path}/")));
        files.keys().any(|path| !is_the_program(path) && !is_given(path))
    }
}

/// Python refuses a program with a message that lacks the list of calls that any other has. A program that prints the like and
/// fails only takes away from itself.
fn python_refusal(stderr: &str) -> Option<String> {
    let last = stderr.lines().last()?;
    let kind = last.split(':').next().unwrap_or_default();
    let is_refusal = match kind {
        "SyntaxError" | "IndentationError" | "TabError" => stderr.contains(&format!("  File \"{PYTHON_FILE}\", line ")),
        "ValueError" | "MemoryError" | "RecursionError" | "OverflowError" => stderr.lines().count() == 1,
        _ => false,
    };
    (is_refusal && !stderr.contains("Traceback (most recent call last)")).then(|| last.to_owned())
}

/// Node refuses a program with a syntax error whose list of calls has none of the program's.
fn javascript_refusal(stderr: &str) -> Option<String> {
    let mut calls = stderr.lines().filter(|line| line.starts_with("    at "));
    if calls.any(|call| call.contains(JAVASCRIPT_FILE)) {
        return None;
    }
    stderr.lines().find(|line| line.starts_with("SyntaxError")).map(str::to_owned)
}

fn in_sandbox(language: Language) -> codeward_sandbox::Language {
    match language {
        Language::Python => codeward_sandbox::Language::Python,
        Language::C => codeward_sandbox::Language::C,
        Language::Cpp => codeward_sandbox::Language::Cpp,
        Language::JavaScript => codeward_sandbox::Language::JavaScript,
        Language::Java => codeward_sandbox::Language::Java,
        Language::Go => codeward_sandbox::Language::Go,
    }
}

/// What the form of a test has to say before its list of expectations is looked at.
#[expect(clippy::struct_excessive_bools, reason = "independent observations of one run")]
struct Shown {
    failure: Option<Failure>,
    parsed: bool,
    ran: bool,
    produced: bool,
    answered: bool,
    tamper: Vec<Tamper>,
    seen: BTreeMap<String, Seen>,
}

fn is_early_exit(is_done: bool, outcome: &Outcome) -> bool {
    !is_done && matches!(outcome.end, End::Exited { .. })
}

/// A process that ended by itself while the harness still had something to say.
fn early_exit(is_done: bool, outcome: &Outcome) -> Option<Tamper> {
    if outcome.end == (End::Exited { code: CHANNEL_LOST }) && !is_done {
        return Some(Tamper { kind: TamperKind::Channel, detail: "it was closed or replaced".to_owned() });
    }
    is_early_exit(is_done, outcome).then(|| Tamper { kind: TamperKind::EarlyExit, detail: outcome.end.to_string() })
}

/// What the calls with a name for it gave, for the test's expectations.
fn seen_by_name(calls: &[Call], records: &[call::CallRecord]) -> BTreeMap<String, Seen> {
    let mut seen = BTreeMap::new();
    for (about, record) in calls.iter().zip(records) {
        let Some(name) = &about.observe else { continue };
        let made = match &record.outcome {
            CallOutcome::Returned(found) => Some(Seen::Returned(found.to_json())),
            CallOutcome::Raised(_) => Some(Seen::Raised(record.outcome.exception_name())),
            // What could not be read was not observed.
            CallOutcome::TooLarge | CallOutcome::TooDeep | CallOutcome::Unreadable(_) | CallOutcome::Missing => None,
        };
        if let Some(made) = made {
            seen.entry(name.clone()).or_insert(made);
        }
    }
    seen
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
