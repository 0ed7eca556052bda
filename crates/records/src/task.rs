//! A prompt with its tests and references.

use serde::{Deserialize, Serialize};

use crate::{Cwe, FormError, TestCase, TestKind};

/// The language that a task asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Python 3.
    Python,
    /// C.
    C,
    /// C++.
    Cpp,
    /// JavaScript.
    JavaScript,
    /// Java.
    Java,
    /// Go.
    Go,
}

impl Language {
    /// The name in task files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::C => "c",
            Self::Cpp => "cpp",
            Self::JavaScript => "javascript",
            Self::Java => "java",
            Self::Go => "go",
        }
    }
}

impl std::fmt::Display for Language {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
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
    /// Python statements, run after the completion, that bind `target` to a callable with the tests' argument order. Tests of
    /// whole programs need none.
    #[serde(default)]
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
    /// Two tests of one name.
    #[error("task {task}: two tests are named {test}")]
    DoubledTest {
        /// The task's id.
        task: String,
        /// The name.
        test: String,
    },
    /// A test is malformed.
    #[error("task {task}, test {test}: {source}")]
    Test {
        /// The task's id.
        task: String,
        /// The test's name.
        test: String,
        /// What is wrong.
        source: FormError,
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
            if self.tests[..at].iter().any(|earlier| earlier.name == test.name) {
                let (task, test) = place();
                return Err(TaskError::DoubledTest { task, test });
            }
            test.check(self.language).map_err(|source| {
                let (task, test) = place();
                TaskError::Test { task, test, source }
            })?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_language_is_its_written_form() {
        for language in
            [Language::Python, Language::C, Language::Cpp, Language::JavaScript, Language::Java, Language::Go]
        {
            assert_eq!(serde_json::to_value(language).unwrap(), language.name());
        }
    }
}
