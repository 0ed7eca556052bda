//! The functional part: how far a completion gets, after SecureCodeRL (arXiv 2601.01184, objective, table of stages).
//!
//! | stage | reached when | value |
//! |---|---|---|
//! | `Unparseable` | the code does not compile | 0.0 |
//! | `Parses` | it compiles | 0.2 |
//! | `Runs` | some functional test ran it without an exception and with exit status 0 | 0.4 |
//! | `Produces` | and a call returned something, printed something or left a file | 0.6 |
//! | `Passes` | k of T functional tests pass, k > 0 | 0.6 + 0.4 k / T |
//!
//! The published code adds where the paper speaks of stages: `0.2 [parses] + 0.2 [a test exits with 0] + 0.2 [a test prints] + 0.4 k / T`, where a
//! pass is the right output whatever the exit status. That is [`PartialCredit::Additive`].
//!
//! Departures of the stages from the published code: they are reached in order (printing and then crashing earns nothing for the print),
//! a pass needs exit status 0, tests call functions instead of comparing standard output, and all tests count instead of five.

use serde::{Deserialize, Serialize};

use crate::result::TestResult;

/// How the functional part grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartialCredit {
    /// In stages, then by tests passed.
    Staged,
    /// As SecureCodeRL's code has it: by adding what was seen in any test.
    Additive,
    /// 1 when every functional test passes, else 0.
    Binary,
}

/// The functional part of some results, in [0, 1].
pub(crate) fn value(results: &[TestResult], credit: PartialCredit) -> f64 {
    match credit {
        PartialCredit::Staged => Stage::of(results).staged(),
        PartialCredit::Additive => additive(results),
        PartialCredit::Binary => f64::from(u8::from(!results.is_empty() && results.iter().all(|result| result.passed))),
    }
}

fn additive(results: &[TestResult]) -> f64 {
    if results.is_empty() || !results.iter().any(|result| result.parsed) {
        return 0.0;
    }
    let step = |reached: bool| if reached { 0.2 } else { 0.0 };
    let num_answered = results.iter().filter(|result| result.answered).count();
    let exits = results.iter().any(|result| result.ran);
    let prints = results.iter().any(|result| result.spoke);
    0.2 + step(exits) + step(prints) + 0.4 * (num_answered as f64 / results.len() as f64)
}

/// How far a completion got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It does not compile.
    Unparseable,
    /// It compiles.
    Parses,
    /// It ran without an exception.
    Runs,
    /// It produced something.
    Produces,
    /// It passes this many tests of so many.
    Passes {
        /// Tests passed, at least one.
        passed: usize,
        /// Tests run.
        total: usize,
    },
}

impl Stage {
    /// The stage that these results of the functional tests show.
    pub(crate) fn of(results: &[TestResult]) -> Self {
        let passed = results.iter().filter(|result| result.passed).count();
        if passed > 0 {
            Self::Passes { passed, total: results.len() }
        } else if results.iter().any(|result| result.ran && result.produced) {
            Self::Produces
        } else if results.iter().any(|result| result.ran) {
            Self::Runs
        } else if results.iter().any(|result| result.parsed) {
            Self::Parses
        } else {
            Self::Unparseable
        }
    }

    /// The value of the stage, in [0, 1].
    fn staged(self) -> f64 {
        match self {
            Self::Unparseable => 0.0,
            Self::Parses => 0.2,
            Self::Runs => 0.4,
            Self::Produces => 0.6,
            Self::Passes { passed, total } => 0.6 + 0.4 * (passed as f64 / total as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A result that got this far: 0 not even parsed, 1 parsed, 2 ran, 3 ran and produced, 4 passed.
    fn reached(far: u8) -> TestResult {
        TestResult {
            passed: far >= 4,
            parsed: far >= 1,
            ran: far >= 2,
            produced: far >= 3,
            spoke: far >= 3,
            answered: far >= 4,
            failure: None,
            tamper: Vec::new(),
        }
    }

    #[test]
    fn the_published_stage_values() {
        let printed_then_crashed = TestResult { produced: true, ..reached(1) };
        let value = |results: &[TestResult]| value(results, PartialCredit::Staged);
        let values = |far: &[u8]| value(&far.iter().map(|far| reached(*far)).collect::<Vec<_>>());
        assert_eq!(values(&[0, 0]), 0.0);
        assert_eq!(values(&[1, 1]), 0.2);
        assert_eq!(value(&[printed_then_crashed]), 0.2);
        assert_eq!(values(&[2, 1]), 0.4);
        assert_eq!(values(&[3, 2]), 0.6);
        assert_eq!(values(&[4, 4, 1, 1, 1]), 0.6 + 0.4 * 2.0 / 5.0);
        assert_eq!(values(&[4]), 1.0);
    }

    #[test]
    fn binary_credit_wants_every_test() {
        let binary =
            |far: &[u8]| value(&far.iter().map(|far| reached(*far)).collect::<Vec<_>>(), PartialCredit::Binary);
        assert_eq!([binary(&[4, 3]), binary(&[4, 4]), binary(&[3]), binary(&[])], [0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn adding_as_published_with_its_defects() {
        let additive = |results: &[TestResult]| value(results, PartialCredit::Additive);
        assert_eq!(additive(&[reached(1)]), 0.2);
        assert_eq!(additive(&[reached(0)]), 0.0);
        let two_of_five: Vec<TestResult> = [4, 4, 3, 3, 3].map(reached).into();
        assert!((additive(&two_of_five) - 0.76).abs() < 1e-12);
        assert_eq!(additive(&[reached(4)]), 1.0);
        // Printing and then crashing is worth as much as running cleanly and saying nothing.
        let printed_then_crashed = TestResult { spoke: true, produced: true, ..reached(1) };
        assert_eq!(additive(&[printed_then_crashed]), additive(&[reached(2)]));
        // The right answer and a failing exit status pass.
        let failing = TestResult { ran: false, passed: false, ..reached(4) };
        assert_eq!(additive(std::slice::from_ref(&failing)), 0.2 + 0.2 + 0.4);
        assert_eq!(value(&[failing], PartialCredit::Staged), 0.2);
    }
}
