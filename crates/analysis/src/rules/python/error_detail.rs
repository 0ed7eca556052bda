//! # `py/error-detail-returned`
//!
//! ## What it does
//!
//! Reports exception texts and stack traces in what a function returns.
//!
//! ## Why this is bad
//!
//! They tell paths, queries and versions to whoever caused them.
//!
//! ## Example
//!
//! ```python
//! return {"status": 500, "body": str(error)}
//! ```
//!
//! ## Use instead
//!
//! ```python
//! logging.exception("request failed")
//! return {"status": 500, "body": "internal error"}
//! ```
//!
//! ## References
//!
//! - [CWE-209](https://cwe.mitre.org/data/definitions/209.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Labels, Operand};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-209-1",
    name: "py/error-detail-returned",
    cwe: &[Cwe(209)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "The text of an error is given to the caller",
    fix: "log the error and return a fixed message",
    examples: &[Example {
        weak: "def f(run):\n    try:\n        return run()\n    except Exception as error:\n        return «'failed: ' + str(error)»\n",
        sound: "def f(run):\n    try:\n        return run()\n    except Exception as error:\n        print(error)\n        return 'failed'\n",
    }],
};

pub(super) fn returned(value: &Operand, report: &mut Report<'_>) {
    if value.value.labels.has(Labels::ERROR_TEXT | Labels::STACK) {
        let message = "the error's own text leaves the function; log it and return a fixed message";
        report.add(&INFO, value.span, message, None);
    }
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let answers =
        matches!(call.path, "self.response.write" | "self.response.out.write" | "self.wfile.write" | "self.write")
            || call.method == "HttpResponse";
    if answers
        && let Some(text) = call.first()
        && text.value.labels.has(Labels::ERROR_TEXT | Labels::STACK)
    {
        report.add(
            &INFO,
            text.span,
            "the error's own text is sent to the client; log it and send a fixed message",
            None,
        );
    }
}
