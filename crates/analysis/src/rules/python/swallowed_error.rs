//! # `py/swallowed-error`
//!
//! ## What it does
//!
//! Reports `except:` and `except Exception:` whose body is only `pass`.
//!
//! ## Why this is bad
//!
//! A check that failed looks like one that passed.
//!
//! ## Example
//!
//! ```python
//! except Exception:
//!     pass
//! ```
//!
//! ## Use instead
//!
//! ```python
//! except ValueError:
//!     return None
//! ```
//!
//! ## References
//!
//! - [CWE-703](https://cwe.mitre.org/data/definitions/703.html)

use codeward_records::{Cwe, Level};

use crate::flow::ValueRef;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};
use crate::syntax::Handler;
use crate::syntax::StatementKind;

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-703-1",
    name: "py/swallowed-error",
    cwe: &[Cwe(703)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "Every error is caught and dropped",
    fix: "catch only the errors that are expected, and log the rest",
    examples: &[Example {
        weak: "def f(run):\n    try:\n        run()\n    «except Exception:\n        pass»\n",
        sound: "def f(run):\n    try:\n        run()\n    except ValueError:\n        pass\n",
    }],
};

pub(super) fn handler(handler: &Handler, caught: Option<&ValueRef>, report: &mut Report<'_>) {
    let is_broad = caught.is_none_or(|caught| matches!(caught.path_text(), "Exception" | "BaseException"));
    if is_broad
        && handler.body.iter().all(|statement| matches!(statement.kind, StatementKind::Pass | StatementKind::Continue))
    {
        report.add(&INFO, handler.span, "this drops every error; catch the ones that are expected", None);
    }
}
