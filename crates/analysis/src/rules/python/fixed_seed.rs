//! # `py/fixed-seed`
//!
//! ## What it does
//!
//! Reports `random.seed` with a literal.
//!
//! ## Why this is bad
//!
//! Every run draws the same values.
//!
//! ## Example
//!
//! ```python
//! random.seed(42)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! random.SystemRandom()
//! ```
//!
//! ## References
//!
//! - [CWE-335](https://cwe.mitre.org/data/definitions/335.html)

use codeward_records::{Cwe, Level};

use crate::flow::Call;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-335-1",
    name: "py/fixed-seed",
    cwe: &[Cwe(335)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "A generator starts from a fixed value",
    fix: "draw from the secrets module where values must not be guessed",
    examples: &[Example { weak: "import random\nrandom.seed(«42»)\n", sound: "import random\nrandom.seed()\n" }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(&["random.seed"])
        && let Some(seed) = call.first().filter(|seed| seed.value.is_literal() && !seed.value.is_none())
    {
        report.add(
            &INFO,
            seed.span,
            "every run draws the same values; use the secrets module where that matters",
            None,
        );
    }
}
