//! Runs the tests of tasks on programs: each distinct pair once, what is known already not at all, everything in one pass.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use codeward_records::{Task, TestKind, UnscoredReason};
use codeward_sandbox::{Outcome, Patience, Sandbox, SandboxError};

use crate::attempt::{Attempt, Runner};
use crate::call::CALL_HARNESS;
use crate::harness::Harness;
use crate::measurement::Unscored;
use crate::observation::ACT_HARNESS;
use crate::result::TestResult;
use crate::store::{Key, Store};

/// Results that are remembered without a store. Beyond, all are forgotten and the remembering begins anew.
const MOST_REMEMBERED: usize = 1 << 16;

/// What came of one kind of tests on one program.
pub(crate) type Results = Result<Vec<TestResult>, Unscored>;

/// A task's tests of one kind, on a program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) task: &'a Task,
    /// The program alone, without the talk around it.
    pub(crate) code: &'a str,
    pub(crate) kind: TestKind,
}

/// Runs tests and remembers what they showed.
pub(crate) struct TestRuns {
    pub(crate) sandbox: Sandbox,
    act_harness: Harness,
    call_harness: Harness,
    /// Keys the nonces, so that a program cannot compute them.
    secret: [u8; 32],
    remembered: Mutex<HashMap<Key, Vec<TestResult>>>,
    store: Option<Store>,
    num_run: AtomicUsize,
}

impl TestRuns {
    pub(crate) fn new(sandbox: Sandbox, store: Option<Store>) -> Self {
        // Nonces decide nothing; they only have to be unknown to the program, so they may differ between runs of a seed.
        let entropy = std::collections::hash_map::RandomState::new();
        let mut hasher = blake3::Hasher::new();
        for word in 0..4u64 {
            hasher.update(&entropy.hash_one(word).to_le_bytes());
        }
        Self {
            sandbox,
            act_harness: Harness::new(ACT_HARNESS),
            call_harness: Harness::new(CALL_HARNESS),
            secret: *hasher.finalize().as_bytes(),
            remembered: Mutex::default(),
            store,
            num_run: AtomicUsize::new(0),
        }
    }

    /// Tests that the sandbox has run to an outcome.
    pub(crate) fn num_run(&self) -> usize {
        self.num_run.load(Ordering::Relaxed)
    }

    pub(crate) fn store(&self) -> Option<&Store> {
        self.store.as_ref()
    }

    /// What the tests show, in order. A task without tests of both kinds has none: an empty set of tests judges nothing.
    pub(crate) fn run(&self, asked: &[Asked<'_>], patience: Patience<'_>) -> Vec<Results> {
        let keys: Vec<Key> = asked.iter().map(|asked| self.key(asked)).collect();
        let mut known: HashMap<Key, Results> = HashMap::new();
        let mut fresh: Vec<usize> = Vec::new();
        for ((at, key), found) in keys.iter().enumerate().zip(self.recall(&keys)) {
            match found {
                Some(results) => drop(known.insert(*key, Ok(results))),
                None if known.contains_key(key) => {}
                None => match asked[at].task.check() {
                    // A place is held, so that the same is not run twice.
                    Ok(()) => {
                        known.insert(*key, Ok(Vec::new()));
                        fresh.push(at);
                    }
                    Err(error) => drop(known.insert(*key, Err(no_tests(error.to_string())))),
                },
            }
        }
        let picked: Vec<(Asked<'_>, Key)> = fresh.iter().map(|at| (asked[*at], keys[*at])).collect();
        for ((_, key), results) in picked.iter().zip(self.run_fresh(&picked, patience)) {
            known.insert(*key, results);
        }
        keys.iter().map(|key| known[key].clone()).collect()
    }

    fn recall(&self, keys: &[Key]) -> Vec<Option<Vec<TestResult>>> {
        if let Some(store) = &self.store {
            return store.get_all(keys);
        }
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        keys.iter().map(|key| remembered.get(key).cloned()).collect()
    }

    fn remember(&self, key: Key, results: &[TestResult]) {
        if let Some(store) = &self.store {
            store.put(key, results);
            return;
        }
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MOST_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(key, results.to_vec());
    }

    /// Runs everything in one pass of the sandbox, and keeps the results of each as soon as its last test has ended.
    fn run_fresh(&self, picked: &[(Asked<'_>, Key)], patience: Patience<'_>) -> Vec<Results> {
        let (attempts, ranges) = self.attempts(picked);
        let owners: Vec<usize> =
            ranges.iter().enumerate().flat_map(|(owner, range)| range.clone().map(move |_| owner)).collect();
        let programs: Vec<_> = attempts.iter().map(Attempt::program).cloned().collect();
        let shown: Vec<OnceLock<Result<TestResult, Unscored>>> = attempts.iter().map(|_| OnceLock::new()).collect();
        let left: Vec<AtomicUsize> = ranges.iter().map(|range| AtomicUsize::new(range.len())).collect();
        self.sandbox.run_each(&programs, patience, |index, outcome| {
            self.num_run.fetch_add(usize::from(outcome.is_ok()), Ordering::Relaxed);
            let result = judged(&attempts[index], outcome);
            let is_first = shown[index].set(result).is_ok();
            debug_assert!(is_first, "every test is run once");
            let owner = owners[index];
            if left[owner].fetch_sub(1, Ordering::AcqRel) == 1
                && let Ok(results) = collect(&shown[ranges[owner].clone()])
            {
                self.remember(picked[owner].1, &results);
            }
        });
        ranges.iter().map(|range| collect(&shown[range.clone()])).collect()
    }

    fn attempts<'a>(&'a self, picked: &[(Asked<'a>, Key)]) -> (Vec<Attempt<'a>>, Vec<Range<usize>>) {
        let runner =
            Runner { sandbox: &self.sandbox, act: &self.act_harness, calls: &self.call_harness, secret: &self.secret };
        let mut attempts: Vec<Attempt<'_>> = Vec::new();
        let mut ranges = Vec::with_capacity(picked.len());
        for (Asked { task, code, kind }, _) in picked {
            let start = attempts.len();
            let tests = task.tests_of(*kind).filter_map(|test| Some((test, test.form().ok()?)));
            attempts.extend(tests.map(|(test, form)| Attempt::new(test, form, task, code, &runner)));
            ranges.push(start..attempts.len());
        }
        (attempts, ranges)
    }

    /// Content hash of the tests with the program, and of what runs them.
    fn key(&self, asked: &Asked<'_>) -> Key {
        let mut hasher = blake3::Hasher::new();
        let (_, version) = self.sandbox.python();
        let kind = match asked.kind {
            TestKind::Functional => "functional",
            TestKind::Security => "security",
        };
        let parts: [&str; 8] = [
            ACT_HARNESS,
            CALL_HARNESS,
            version,
            self.sandbox.isolation().name(),
            &asked.task.content_hash(),
            &asked.task.id,
            kind,
            asked.code,
        ];
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        *hasher.finalize().as_bytes()
    }
}

fn judged(attempt: &Attempt<'_>, outcome: Result<Outcome, SandboxError>) -> Result<TestResult, Unscored> {
    let failed = |detail, retryable| Unscored { reason: UnscoredReason::SandboxFailed, detail, retryable };
    let outcome = outcome.map_err(|error| match error {
        SandboxError::Cancelled => {
            Unscored { reason: UnscoredReason::Cancelled, detail: error.to_string(), retryable: true }
        }
        SandboxError::DeadlinePassed => {
            Unscored { reason: UnscoredReason::DeadlinePassed, detail: error.to_string(), retryable: true }
        }
        error => failed(error.to_string(), error.retryable()),
    })?;
    attempt.judge(&outcome).map_err(|error| failed(error.to_string(), false))
}

fn collect(shown: &[OnceLock<Result<TestResult, Unscored>>]) -> Results {
    shown.iter().map(|result| result.get().expect("every test was run").clone()).collect()
}

fn no_tests(detail: String) -> Unscored {
    Unscored { reason: UnscoredReason::NoTests, detail, retryable: false }
}
