//! Runs the tests of tasks on programs: each distinct pair once, what is known already not at all, everything in one pass.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use codeward_records::{Task, TestCase, TestForm, TestKind, UnscoredReason};
use codeward_sandbox::{Cancellation, Patience, Sandbox, SandboxError};

use crate::attempt::Attempt;
use crate::call::CALL_HARNESS;
use crate::durations::Durations;
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
    /// Of the task's content.
    pub(crate) hash: &'a str,
    /// The program alone, without the talk around it.
    pub(crate) code: &'a str,
    pub(crate) kind: TestKind,
}

/// Runs tests and remembers what they showed.
pub(crate) struct TestRuns {
    pub(crate) sandbox: Sandbox,
    /// Keys the nonces, so that a program cannot compute them.
    secret: [u8; 32],
    remembered: Mutex<HashMap<Key, Vec<TestResult>>>,
    store: Option<Store>,
    /// Of what runs the tests: how every key begins.
    begun_key: blake3::Hasher,
    num_run: AtomicUsize,
    durations: Durations,
}

impl TestRuns {
    pub(crate) fn new(sandbox: Sandbox, store: Option<Store>) -> Self {
        // Nonces decide nothing; they only have to be unknown to the program, so they may differ between runs of a seed.
        let entropy = std::collections::hash_map::RandomState::new();
        let mut hasher = blake3::Hasher::new();
        for word in 0..4u64 {
            hasher.update(&entropy.hash_one(word).to_le_bytes());
        }
        let mut begun_key = blake3::Hasher::new();
        let (_, version) = sandbox.python();
        add(&mut begun_key, &[ACT_HARNESS.source, CALL_HARNESS.source, version, sandbox.isolation().name()]);
        Self {
            begun_key,
            sandbox,
            secret: *hasher.finalize().as_bytes(),
            remembered: Mutex::default(),
            store,
            num_run: AtomicUsize::new(0),
            durations: Durations::default(),
        }
    }

    pub(crate) fn keep_in(&mut self, store: Store) {
        self.store = Some(store);
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
        let mut checked: HashMap<&str, Result<(), Unscored>> = HashMap::new();
        let mut fresh: Vec<usize> = Vec::new();
        for ((at, key), found) in keys.iter().enumerate().zip(self.recall(&keys)) {
            if let Some(results) = found {
                known.insert(*key, Ok(results));
            } else if !known.contains_key(key) {
                let Asked { task, hash, .. } = asked[at];
                match checked.entry(hash).or_insert_with(|| task.check().map_err(|error| no_tests(error.to_string()))) {
                    // A place is held, so that the same is not run twice.
                    Ok(()) => {
                        known.insert(*key, Ok(Vec::new()));
                        fresh.push(at);
                    }
                    Err(unscored) => drop(known.insert(*key, Err(unscored.clone()))),
                }
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

    /// Runs everything in one pass of the sandbox, and keeps the results of each as soon as its last test has ended. A program is
    /// made ready on the thread that then waits for it, so that there are never more of them than workers. The program whose tests
    /// are expected to take longest starts first, so that no worker is left with it when the others have nothing more to do.
    fn run_fresh(&self, picked: &[(Asked<'_>, Key)], patience: Patience<'_>) -> Vec<Results> {
        let (tests, ranges) = tests_of(picked);
        let shown: Vec<OnceLock<Result<TestResult, Unscored>>> = tests.iter().map(|_| OnceLock::new()).collect();
        let left: Vec<AtomicUsize> = ranges.iter().map(|range| AtomicUsize::new(range.len())).collect();
        let order = self.durations.longest_first(&ranges, |at| (picked[tests[at].0].0.task, tests[at].1));
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(index) = order.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
                let (owner, test, form) = tests[index];
                let (asked, key) = &picked[owner];
                let is_first = shown[index].set(self.run_one(asked, test, form, patience)).is_ok();
                debug_assert!(is_first, "every test is run once");
                if left[owner].fetch_sub(1, Ordering::AcqRel) == 1
                    && let Ok(results) = collect(&shown[ranges[owner].clone()])
                {
                    self.remember(*key, &results);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.sandbox.workers().min(tests.len()) {
                scope.spawn(work);
            }
        });
        ranges.iter().map(|range| collect(&shown[range.clone()])).collect()
    }

    fn run_one(
        &self,
        asked: &Asked<'_>,
        test: &TestCase,
        form: TestForm<'_>,
        patience: Patience<'_>,
    ) -> Result<TestResult, Unscored> {
        if let Some(unscored) = given_up(patience) {
            return Err(unscored);
        }
        let attempt = Attempt::new(test, form, asked.task, asked.code, &self.secret);
        let outcome = self.sandbox.run_with(attempt.program(), patience).map_err(|error| not_run(&error))?;
        self.num_run.fetch_add(1, Ordering::Relaxed);
        self.durations.learn(asked.task, test, outcome.wall);
        attempt.judge(&outcome).map_err(|error| Unscored {
            reason: UnscoredReason::SandboxFailed,
            detail: error.to_string(),
            retryable: false,
        })
    }

    /// Content hash of the tests with the program, and of what runs them.
    fn key(&self, asked: &Asked<'_>) -> Key {
        let kind = match asked.kind {
            TestKind::Functional => "functional",
            TestKind::Security => "security",
        };
        let mut hasher = self.begun_key.clone();
        add(&mut hasher, &[asked.hash, &asked.task.id, kind, asked.code]);
        *hasher.finalize().as_bytes()
    }
}

/// Texts with their lengths, so that none runs into the next.
fn add(hasher: &mut blake3::Hasher, parts: &[&str]) {
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
}

/// A test with the number of what it was picked for.
type Owned<'a> = (usize, &'a TestCase, TestForm<'a>);

/// The tests of everything that was picked, and which of them are whose.
fn tests_of<'a>(picked: &[(Asked<'a>, Key)]) -> (Vec<Owned<'a>>, Vec<Range<usize>>) {
    let mut tests = Vec::new();
    let mut ranges = Vec::with_capacity(picked.len());
    for (owner, (Asked { task, kind, .. }, _)) in picked.iter().enumerate() {
        let start = tests.len();
        tests.extend(task.tests_of(*kind).filter_map(|test| Some((owner, test, test.form().ok()?))));
        ranges.push(start..tests.len());
    }
    (tests, ranges)
}

/// Why nobody waits any more, if so.
pub(crate) fn given_up(patience: Patience<'_>) -> Option<Unscored> {
    if patience.cancellation.is_some_and(Cancellation::is_cancelled) {
        return Some(not_run(&SandboxError::Cancelled));
    }
    let is_over = patience.deadline.is_some_and(|deadline| Instant::now() >= deadline);
    is_over.then(|| not_run(&SandboxError::DeadlinePassed))
}

pub(crate) fn not_run(error: &SandboxError) -> Unscored {
    let (reason, retryable) = match error {
        SandboxError::Cancelled => (UnscoredReason::Cancelled, true),
        SandboxError::DeadlinePassed => (UnscoredReason::DeadlinePassed, true),
        error => (UnscoredReason::SandboxFailed, error.retryable()),
    };
    Unscored { reason, detail: error.to_string(), retryable }
}

fn collect(shown: &[OnceLock<Result<TestResult, Unscored>>]) -> Results {
    shown.iter().map(|result| result.get().expect("every test was run").clone()).collect()
}

fn no_tests(detail: String) -> Unscored {
    Unscored { reason: UnscoredReason::NoTests, detail, retryable: false }
}
