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
//! Departures from the published code: the stages are reached in order (printing and then crashing earns nothing for the print),
//! a pass needs exit status 0, tests call functions instead of comparing standard output, and all tests count instead of five.

use crate::recipe::PartialCredit;
use crate::result::TestResult;

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

    /// The functional reward in [0, 1].
    pub fn value(self, credit: PartialCredit) -> f64 {
        match credit {
            PartialCredit::Staged => match self {
                Self::Unparseable => 0.0,
                Self::Parses => 0.2,
                Self::Runs => 0.4,
                Self::Produces => 0.6,
                Self::Passes { passed, total } => 0.6 + 0.4 * passed as f64 / total as f64,
            },
            PartialCredit::Binary => {
                f64::from(u8::from(matches!(self, Self::Passes { passed, total } if passed == total)))
            }
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
            failure: None,
            tamper: Vec::new(),
        }
    }

    #[test]
    fn the_published_stage_values() {
        let printed_then_crashed = TestResult { produced: true, ..reached(1) };
        let value = |results: &[TestResult]| Stage::of(results).value(PartialCredit::Staged);
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
        assert_eq!(Stage::Passes { passed: 1, total: 2 }.value(PartialCredit::Binary), 0.0);
        assert_eq!(Stage::Passes { passed: 2, total: 2 }.value(PartialCredit::Binary), 1.0);
        assert_eq!(Stage::Produces.value(PartialCredit::Binary), 0.0);
    }
}
