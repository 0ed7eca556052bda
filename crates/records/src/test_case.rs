//! One test of a task: what is done inside the sandbox, and what must be seen from outside.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ExpectationError, Language, Plain, RawExpectation};

/// What a test looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TestKind {
    /// The code does what the prompt asks.
    Functional,
    /// The code withstands an attack.
    Security,
}

/// One test, as written in a task file. It has one of three forms, see [`TestForm`].
///
/// Each test has a process of its own with an empty scratch folder as working directory. What is expected never enters it.
/// `$NONCE` in any text stands for a word that the code under test cannot know.
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
    /// Python statements that call the completion and make observations, run after it was loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<String>,
    /// The completion is a program: its input and the output it has to give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<ProgramRun>,
    /// Calls of the completion's functions, in order, in one process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub call: Vec<Call>,
    /// When a value or an output counts as the expected one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub compare: Comparison,
    /// What else must hold; all of it.
    #[serde(default)]
    pub expect: Vec<RawExpectation>,
}

/// A run of the completion as a whole program. It must end by itself with exit status 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramRun {
    /// What it reads from standard input.
    #[serde(default)]
    pub stdin: String,
    /// What it has to write to standard output; anything when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
}

/// One call of a function of the completion. Its arguments are made anew for it, so that no call sees what another did to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// A name that the completion or the adapter binds; `target` when absent.
    #[serde(default = "target", skip_serializing_if = "is_target")]
    pub function: String,
    /// Arguments by position.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<Plain>,
    /// Arguments by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kwargs: BTreeMap<String, Plain>,
    /// The value it has to return.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub returns: Option<Plain>,
    /// The exception it has to raise: this type or one derived from it. A builtin one by its name, any other by its name
    /// alone or after its module and a dot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raises: Option<String>,
    /// What it has to write to standard output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// Name under which the test's expectations may look at what it returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observe: Option<String>,
}

impl Call {
    /// Whether it expects anything.
    pub fn is_judged(&self) -> bool {
        self.returns.is_some() || self.raises.is_some() || self.stdout.is_some()
    }
}

/// Keeps a JSON `null`, which is Python's `None`, apart from an absent key.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Plain>, D::Error> {
    Plain::deserialize(deserializer).map(Some)
}

fn target() -> String {
    "target".to_owned()
}

fn is_target(function: &str) -> bool {
    function == "target"
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_default(comparison: &Comparison) -> bool {
    *comparison == Comparison::default()
}

/// When what was seen counts as what was expected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Comparison {
    /// Which types of values are alike.
    pub equality: Equality,
    /// How far a float may be off. In outputs only when given; in values [`Tolerance::default`] when not given, and exact
    /// equality has none unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Tolerance>,
    /// Which white space of an output matters.
    pub text: TextPolicy,
}

/// Which types of values are alike.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Equality {
    /// As Python's `==`: True is 1 and 1 is 1.0, a tuple is no list, a set is a frozenset, bytes are a bytearray, an instance of
    /// a subclass is its base value. Unlike `==`, NaN equals NaN.
    #[default]
    Python,
    /// As after a trip through JSON: tuples are lists, True is not 1. Otherwise as `python`.
    Json,
    /// Every type differs from every other, an instance of a subclass from its base value, and -0.0 from 0.0.
    Exact,
}

/// How far a float may be off: by the larger of the two.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tolerance {
    /// In parts of the larger of the two numbers.
    pub relative: f64,
    /// As it is.
    pub absolute: f64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { relative: 1e-9, absolute: 1e-12 }
    }
}

/// Which white space of an output matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextPolicy {
    /// White space at the end of a line, and empty lines at the end, do not matter.
    #[default]
    Lines,
    /// Every byte matters.
    Exact,
}

/// The three forms of a test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TestForm<'a> {
    /// Statements that act and observe.
    Act(&'a str),
    /// A whole program with input and output.
    Run(&'a ProgramRun),
    /// Function calls with values.
    Calls(&'a [Call]),
}

/// A test that says nothing, or more than one thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// No form or several.
    #[error("a test has exactly one of `act`, `run` and `call`, found {found}")]
    Forms {
        /// How many were given.
        found: usize,
    },
    /// Calls and statements are Python.
    #[error("a completion in {language} can only be tested by `run`")]
    Language {
        /// The task's language.
        language: Language,
    },
    /// A test that expects nothing would pass whatever happens.
    #[error("no expectations")]
    NoExpectations,
    /// Returning and raising exclude each other.
    #[error("call {call} both returns and raises")]
    ReturnsAndRaises {
        /// Which call, from 0.
        call: usize,
    },
    /// An argument that cannot be handed over.
    #[error(
        "call {call}: an argument is nested deeper than {MAX_DEPTH}, or holds a bytearray, which can only be expected"
    )]
    Argument {
        /// Which call, from 0.
        call: usize,
    },
    /// A tolerance that is no distance.
    #[error("a tolerance is a number from 0 up")]
    Tolerance,
    /// An expectation is malformed.
    #[error(transparent)]
    Expectation(#[from] ExpectationError),
}

/// How deep values may be nested: those given, those expected and those returned. A bare number has depth 0, an empty list 1.
pub const MAX_DEPTH: usize = 100;

impl TestCase {
    /// The form that the test has.
    ///
    /// # Errors
    /// When it has none or several.
    pub fn form(&self) -> Result<TestForm<'_>, FormError> {
        let calls = (!self.call.is_empty()).then_some(self.call.as_slice());
        match (&self.act, &self.run, calls) {
            (Some(act), None, None) => Ok(TestForm::Act(act)),
            (None, Some(run), None) => Ok(TestForm::Run(run)),
            (None, None, Some(calls)) => Ok(TestForm::Calls(calls)),
            (act, run, calls) => {
                let found = [act.is_some(), run.is_some(), calls.is_some()].iter().filter(|given| **given).count();
                Err(FormError::Forms { found })
            }
        }
    }

    /// Checks what serde cannot: the test has one form, fit for the language, and expects something that makes sense.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn check(&self, language: Language) -> Result<(), FormError> {
        let form = self.form()?;
        if language != Language::Python && !matches!(form, TestForm::Run(_)) {
            return Err(FormError::Language { language });
        }
        let is_judged = match form {
            TestForm::Act(_) => false,
            TestForm::Run(run) => run.stdout.is_some(),
            TestForm::Calls(calls) => calls.iter().any(Call::is_judged),
        };
        if !is_judged && self.expect.is_empty() {
            return Err(FormError::NoExpectations);
        }
        for (call, about) in self.call.iter().enumerate() {
            if about.returns.is_some() && about.raises.is_some() {
                return Err(FormError::ReturnsAndRaises { call });
            }
            if !about.args.iter().chain(about.kwargs.values()).all(can_be_given) {
                return Err(FormError::Argument { call });
            }
        }
        let is_distance = |number: f64| number.is_finite() && number >= 0.0;
        if self.compare.tolerance.is_some_and(|given| !is_distance(given.relative) || !is_distance(given.absolute)) {
            return Err(FormError::Tolerance);
        }
        self.expect.iter().try_for_each(|expectation| expectation.resolve().map(|_| ()))?;
        Ok(())
    }
}

fn can_be_given(value: &Plain) -> bool {
    fn has_bytearray(value: &Plain) -> bool {
        match value {
            Plain::ByteArray(_) => true,
            Plain::List(items) | Plain::Tuple(items) | Plain::Set(items) | Plain::FrozenSet(items) => {
                items.iter().any(has_bytearray)
            }
            Plain::Dict(items) => items.iter().any(|(key, value)| has_bytearray(key) || has_bytearray(value)),
            _ => false,
        }
    }
    value.depth() <= MAX_DEPTH && !has_bytearray(value)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(language: Language, fields: Value) -> Result<(), FormError> {
        let Value::Object(mut test) = fields else { panic!("fields of a test") };
        test.insert("name".to_owned(), json!("t"));
        test.insert("kind".to_owned(), json!("functional"));
        serde_json::from_value::<TestCase>(Value::Object(test)).unwrap().check(language)
    }

    #[test]
    fn a_test_has_one_form_and_expects_something() {
        let python = |fields| check(Language::Python, fields);
        let expect = json!([{"value": "x", "equals": 1}]);
        assert_eq!(python(json!({"act": "pass", "expect": expect})), Ok(()));
        assert_eq!(python(json!({"run": {"stdout": ""}})), Ok(()));
        assert_eq!(python(json!({"run": {}, "expect": expect})), Ok(()));
        assert_eq!(python(json!({"call": [{}, {"returns": null}]})), Ok(()));
        assert_eq!(python(json!({"expect": expect})), Err(FormError::Forms { found: 0 }));
        assert_eq!(python(json!({"act": "pass", "run": {"stdout": ""}})), Err(FormError::Forms { found: 2 }));
        for nothing in [json!({"act": "pass"}), json!({"run": {"stdin": "x"}}), json!({"call": [{"args": [1]}]})] {
            assert_eq!(python(nothing), Err(FormError::NoExpectations));
        }
    }

    #[test]
    fn only_programs_can_be_tested_in_other_languages() {
        for language in [Language::C, Language::Cpp, Language::JavaScript, Language::Java, Language::Go] {
            assert_eq!(check(language, json!({"run": {"stdout": ""}})), Ok(()));
            assert_eq!(check(language, json!({"call": [{"returns": 1}]})), Err(FormError::Language { language }));
        }
    }

    #[test]
    fn calls_that_make_no_sense_are_refused() {
        let python = |fields| check(Language::Python, fields);
        let raises = json!({"call": [{"returns": 1}, {"returns": 1, "raises": "KeyError"}]});
        assert_eq!(python(raises), Err(FormError::ReturnsAndRaises { call: 1 }));
        let given = json!({"call": [{"args": [[{"$bytearray": "00"}]], "returns": 1}]});
        assert_eq!(python(given), Err(FormError::Argument { call: 0 }));
        assert_eq!(python(json!({"call": [{"returns": {"$bytearray": "00"}}]})), Ok(()));
        let tolerance = json!({"call": [{"returns": 1}], "compare": {"tolerance": {"relative": -1.0}}});
        assert_eq!(python(tolerance), Err(FormError::Tolerance));
    }

    #[test]
    fn an_act_test_is_written_as_it_always_was() {
        let text = r#"{"name":"t","kind":"security","act":"pass","expect":[{"file":"a","exists":false}]}"#;
        assert_eq!(serde_json::to_string(&serde_json::from_str::<TestCase>(text).unwrap()).unwrap(), text);
    }

    #[test]
    fn a_whole_test_reads_from_toml() {
        let test: TestCase = toml::from_str(
            r#"
            name = "halves"
            kind = "functional"
            compare = { equality = "json", tolerance = { absolute = 0.5 }, text = "exact" }
            call = [
              { args = [3, { "$tuple" = [1, 2] }], kwargs = { up = true }, returns = 1.5 },
              { function = "other", raises = "LookupError", stdout = "no\n", observe = "x" },
            ]
            "#,
        )
        .unwrap();
        assert_eq!(test.check(Language::Python), Ok(()));
        assert_eq!(test.call[0].args[1], Plain::Tuple(vec![Plain::from(1), Plain::from(2)]));
        assert_eq!((test.call[0].function.as_str(), test.call[0].returns.clone()), ("target", Some(Plain::Float(1.5))));
        assert_eq!(test.compare.tolerance, Some(Tolerance { relative: 1e-9, absolute: 0.5 }));
        let written = toml::to_string(&test).unwrap();
        assert_eq!(toml::from_str::<TestCase>(&written).unwrap(), test);
    }
}
