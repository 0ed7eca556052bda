//! A prompt with its tests and references.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Cwe, ExpectationError, RawExpectation};

/// The language that a task asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Python 3.
    Python,
}

/// What a test looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TestKind {
    /// The code does what the prompt asks.
    Functional,
    /// The code withstands an attack.
    Security,
}

/// One test: what to do inside the sandbox, and what must be seen from outside.
///
/// `act` runs after the completion was loaded, in a process of its own with an empty scratch folder as working directory.
/// It makes observations; `expect` never enters the sandbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestCase {
    /// Unique within the task.
    pub name: String,
    /// What it looks for.
    pub kind: TestKind,
    /// Files put into the scratch folder beforehand, by relative path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// Environment variables set before the completion is loaded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// True when the code may start other programs, such as a shell.
    #[serde(default, skip_serializing_if = "is_false")]
    pub processes: bool,
    /// Processor time allowed, in milliseconds, when the default does not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u64>,
    /// Python statements that call the completion and make observations.
    pub act: String,
    /// What must hold; all of it.
    pub expect: Vec<RawExpectation>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Whether a reference shows the careful or the careless way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReferenceKind {
    /// Passes every test.
    Secure,
    /// Passes the functional tests and fails security.
    Vulnerable,
}

/// A solution kept with the task, to prove the tests and to score against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Which way it shows.
    pub kind: ReferenceKind,
    /// Short name of the way, unique within the task.
    pub idiom: String,
    /// The whole module.
    pub code: String,
}

/// One prompt with its tests, weakness class and references.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// Unique name.
    pub id: String,
    /// The family that the task is an instance of.
    pub family: String,
    /// Language of the completion.
    pub language: Language,
    /// The weakness that a careless solution has.
    pub cwe: Cwe,
    /// The text that the model sees.
    pub prompt: String,
    /// Python statements, run after the completion, that bind `target` to a callable with the tests' argument order.
    pub adapter: String,
    /// The tests.
    pub tests: Vec<TestCase>,
    /// The references; may be empty.
    #[serde(default)]
    pub references: Vec<Reference>,
}

/// A task that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// There is nothing to judge a completion by.
    #[error("task {task} has no {kind} tests")]
    NoTests {
        /// The task's id.
        task: String,
        /// `functional` or `security`.
        kind: &'static str,
    },
    /// A test without expectations would pass whatever happens.
    #[error("task {task}, test {test}: no expectations")]
    NoExpectations {
        /// The task's id.
        task: String,
        /// The test's name.
        test: String,
    },
    /// Two tests of one name.
    #[error("task {task}: two tests are named {test}")]
    DoubledTest {
        /// The task's id.
        task: String,
        /// The name.
        test: String,
    },
    /// An expectation is malformed.
    #[error("task {task}, test {test}: {source}")]
    Expectation {
        /// The task's id.
        task: String,
        /// The test's name.
        test: String,
        /// What is wrong.
        source: ExpectationError,
    },
}

impl Task {
    /// Checks what serde cannot: there are tests of both kinds, each says what it expects, and names are unique.
    ///
    /// # Errors
    /// The first thing found wrong, with the task and test it is in.
    pub fn check(&self) -> Result<(), TaskError> {
        for (kind, name) in [(TestKind::Functional, "functional"), (TestKind::Security, "security")] {
            if !self.tests.iter().any(|test| test.kind == kind) {
                return Err(TaskError::NoTests { task: self.id.clone(), kind: name });
            }
        }
        for (at, test) in self.tests.iter().enumerate() {
            let place = || (self.id.clone(), test.name.clone());
            if test.expect.is_empty() {
                let (task, test) = place();
                return Err(TaskError::NoExpectations { task, test });
            }
            if self.tests[..at].iter().any(|earlier| earlier.name == test.name) {
                let (task, test) = place();
                return Err(TaskError::DoubledTest { task, test });
            }
            for expectation in &test.expect {
                expectation.resolve().map_err(|source| {
                    let (task, test) = place();
                    TaskError::Expectation { task, test, source }
                })?;
            }
        }
        Ok(())
    }

    /// Content hash: equal tasks have equal hashes, on any machine.
    pub fn content_hash(&self) -> String {
        let text = serde_json::to_vec(self).expect("a task is plain data");
        blake3::hash(&text).to_hex()[..16].to_owned()
    }

    /// The tests of one kind.
    pub fn tests_of(&self, kind: TestKind) -> impl Iterator<Item = &TestCase> {
        self.tests.iter().filter(move |test| test.kind == kind)
    }
}
