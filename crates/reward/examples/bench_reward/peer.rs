//! The way of SecureCodeRL's trainer: a new interpreter for every test, with five seconds for each, and a new Bandit for every
//! sample. The harness is ours; it is driven from threads of this process, without an interpreter's lock, which is in its favour.

#![expect(
    clippy::disallowed_methods,
    reason = "the engine is compared with plain processes, which run our own programs"
)]

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use codeward_records::{RawExpectation, Task, TestCase, TestKind};
use codeward_reward::code_span;
use serde_json::Value;

use crate::Failure;
use crate::workload::Rollout;

/// What tests may call, put between the completion and the statements of a test.
const PRELUDE: &str = include_str!("plain_test.py");
/// As published: so many tests at most, and so long for each.
const MOST_TESTS: usize = 5;
const TEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Stands for the word that a test puts where the completion cannot know it.
const NONCE: &str = "n5d0c2e9a71b84f36";

/// The published path, where Bandit is installed.
pub(crate) struct Peer {
    python: PathBuf,
    bandit: PathBuf,
    workers: usize,
}

/// What scoring some samples took and gave.
pub(crate) struct Scored {
    pub(crate) seconds: f64,
    /// Reward and passed tests of each sample.
    pub(crate) samples: Vec<Sample>,
}

/// One sample's score.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) reward: f64,
    pub(crate) passed: usize,
    pub(crate) of: usize,
    pub(crate) test_seconds: f64,
    pub(crate) bandit_seconds: f64,
}

impl Scored {
    pub(crate) fn per_second(&self) -> f64 {
        self.samples.len() as f64 / self.seconds
    }
}

impl Peer {
    /// With the interpreter that the sandbox uses, and Bandit from the environment of the other analysers.
    ///
    /// # Errors
    /// A message for people, when there is no Bandit.
    pub(crate) fn find(python: &str, workers: usize) -> Result<Self, String> {
        let default = PathBuf::from("target/analysis-env");
        let environment = std::env::var_os("CODEWARD_ANALYSIS_ENV").map_or(default, PathBuf::from);
        let bandit = environment.join("bin/bandit");
        if bandit.is_file() {
            Ok(Self { python: PathBuf::from(python), bandit, workers })
        } else {
            Err(format!("{} is missing; scripts/analysis-env installs it", bandit.display()))
        }
    }

    /// Scores samples, as many at a time as there are workers.
    pub(crate) fn score(&self, tasks: &[Task], rollouts: &[Rollout]) -> Result<Scored, Failure> {
        let next = AtomicUsize::new(0);
        let started = Instant::now();
        let work = || -> Result<Vec<(usize, Sample)>, Failure> {
            let mut own = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(rollout) = rollouts.get(at) else { return Ok(own) };
                own.push((at, self.sample(&tasks[rollout.task], rollout)?));
            }
        };
        let mut samples = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.workers).map(|_| scope.spawn(work)).collect();
            let joined = threads.into_iter().map(|thread| thread.join().expect("a worker returns its errors"));
            joined.collect::<Result<Vec<_>, Failure>>()
        })?
        .concat();
        let seconds = started.elapsed().as_secs_f64();
        samples.sort_by_key(|(at, _)| *at);
        Ok(Scored { seconds, samples: samples.into_iter().map(|(_, sample)| sample).collect() })
    }

    /// `0.6 * function + 0.4 * (1 - V)`, function by adding up: parses, exits well, prints, passes.
    fn sample(&self, task: &Task, rollout: &Rollout) -> Result<Sample, Failure> {
        let code = &rollout.completion[code_span(&rollout.completion)];
        let begun = Instant::now();
        let mut seen = Vec::new();
        for test in task.tests_of(TestKind::Functional).take(MOST_TESTS) {
            seen.push(self.run_test(task, test, code)?);
        }
        let test_seconds = begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        let vulnerability = self.vulnerability(code)?;
        let bandit_seconds = begun.elapsed().as_secs_f64();
        let share = |flag: bool| f64::from(u8::from(flag));
        let passed = seen.iter().filter(|seen| seen.is_right).count();
        let function = 0.2 * share(seen.iter().any(|seen| seen.parses))
            + 0.2 * share(seen.iter().any(|seen| seen.ends_well))
            + 0.2 * share(seen.iter().any(|seen| seen.prints))
            + 0.4 * passed as f64 / seen.len().max(1) as f64;
        let reward = 0.6 * function + 0.4 * (1.0 - vulnerability);
        Ok(Sample { reward, passed, of: seen.len(), test_seconds, bandit_seconds })
    }

    fn run_test(&self, task: &Task, test: &TestCase, code: &str) -> Result<Seen, Failure> {
        let folder = tempfile::tempdir()?;
        for (path, text) in &test.files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("it is below the folder"))?;
            std::fs::write(path, fill(text))?;
        }
        let act = test.act.as_deref().ok_or("the bundled tests are statements")?;
        let program = format!("{code}\n{}\n{PRELUDE}\nnonce = {NONCE:?}\n{act}\n", task.adapter);
        let script = tempfile::Builder::new().suffix(".py").tempfile()?;
        std::fs::write(script.path(), program)?;
        let mut command = Command::new(&self.python);
        command.arg(script.path()).current_dir(folder.path());
        command.envs(test.env.iter().map(|(name, text)| (name, fill(text))));
        let Some((exit, stdout, stderr)) = run(command, TEST_TIMEOUT)? else { return Ok(Seen::default()) };
        let observed: Vec<Value> = stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let ends_well = exit == Some(0);
        Ok(Seen {
            parses: ends_well || !stderr.contains("SyntaxError") && !stderr.contains("IndentationError"),
            ends_well,
            prints: !stdout.trim().is_empty(),
            is_right: ends_well && test.expect.iter().all(|raw| holds(raw, &observed, folder.path())),
        })
    }

    fn vulnerability(&self, code: &str) -> Result<f64, Failure> {
        let script = tempfile::Builder::new().suffix(".py").tempfile()?;
        std::fs::write(script.path(), code)?;
        let mut command = Command::new(&self.bandit);
        command.args(["-q", "-ll", "-f", "json"]).arg(script.path());
        let (_, stdout, stderr) = run(command, Duration::from_mins(1))?.ok_or("Bandit takes too long")?;
        let report: Value = serde_json::from_str(&stdout).map_err(|error| format!("Bandit: {error}: {stderr}"))?;
        let findings = report["results"].as_array().ok_or("Bandit's report has no results")?;
        let cost = |finding: &Value| match finding["issue_severity"].as_str() {
            Some("HIGH") => 1.0,
            Some("MEDIUM") => 0.5,
            _ => 0.0,
        };
        Ok(findings.iter().map(cost).sum::<f64>().min(1.0))
    }
}

/// What one test showed.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent observations of one run")]
struct Seen {
    parses: bool,
    ends_well: bool,
    prints: bool,
    is_right: bool,
}

fn fill(text: &str) -> String {
    text.replace("$NONCE", NONCE)
}

/// Values and files are compared; what only the sandbox can see from outside is taken as met.
fn holds(raw: &RawExpectation, observed: &[Value], folder: &Path) -> bool {
    let of = |name: &str| observed.iter().find(|line| line["name"] == name);
    if let (Some(file), Some(part)) = (&raw.file, &raw.contains) {
        return std::fs::read_to_string(folder.join(file)).is_ok_and(|text| text.contains(&fill(part)));
    }
    let Some(name) = &raw.value else { return true };
    let Some(line) = of(name) else { return false };
    if let Some(wanted) = &raw.equals {
        let wanted: Value = serde_json::from_str(&fill(&wanted.to_string())).expect("a word stands for a word");
        return line["returned"] == wanted;
    }
    match raw.raised {
        Some(wanted) => line.get("raised").is_some() == wanted,
        None => line.get("returned").is_some(),
    }
}

/// Exit status, output and errors of a process; none when it took too long.
fn run(mut command: Command, patience: Duration) -> Result<Option<(Option<i32>, String, String)>, Failure> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (mut stdout, mut stderr) = (child.stdout.take().expect("asked for"), child.stderr.take().expect("asked for"));
    std::thread::scope(|scope| {
        let (done, wait) = channel();
        scope.spawn(move || {
            let mut text = Vec::new();
            // What cannot be read was not written.
            let _ = stdout.read_to_end(&mut text);
            let _ = done.send(text);
        });
        let errors = scope.spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            text
        });
        match wait.recv_timeout(patience) {
            Ok(text) => {
                let status = child.wait()?;
                let errors = errors.join().expect("reading does not panic");
                let text_of = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                Ok(Some((status.code(), text_of(&text), text_of(&errors))))
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                child.kill()?;
                child.wait()?;
                Ok(None)
            }
        }
    })
}
