//! # Errors: `js/error-detail`, `js/swallowed-error`
//!
//! ## What it does
//!
//! Reports details of errors that are sent to whoever asked, and clauses that catch every error and do nothing.
//!
//! ## Why this is bad
//!
//! Details tell an attacker how the program is built; an error that nobody hears of is never mended.
//!
//! ## Example
//!
//! ```javascript
//! res.status(500).send(error.stack);
//! ```
//!
//! ## Use instead
//!
//! ```javascript
//! res.status(500).send("internal error");
//! ```
//!
//! ## References
//!
//! - [CWE-209](https://cwe.mitre.org/data/definitions/209.html)
//! - [CWE-390](https://cwe.mitre.org/data/definitions/390.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Labels};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};
use crate::syntax::{Handler, StatementKind};

pub(super) static DETAIL: RuleInfo = RuleInfo {
    code: "CW-JS-209-1",
    name: "js/error-detail",
    cwe: &[Cwe(209), Cwe(200)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "Details of an error are sent to whoever asked",
    fix: "log the error and send a fixed text",
    examples: &[Example {
        weak: "module.exports = (req, res) => { try { work(); } catch (error) { res.status(500).send(«error.stack»); } };\n",
        sound: "module.exports = (req, res) => { try { work(); } catch (error) { console.error(error); res.status(500).send('failed'); } };\n",
    }],
};

pub(super) static SWALLOWED: RuleInfo = RuleInfo {
    code: "CW-JS-390-1",
    name: "js/swallowed-error",
    cwe: &[Cwe(390), Cwe(703)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "Every error is caught and nothing is done",
    fix: "handle the error or let it pass",
    examples: &[Example {
        weak: "try { work(); } «catch (error) {\n}»\n",
        sound: "try { work(); } catch (error) { report(error); }\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if !call.is(&["res.send", "res.json", "res.end", "res.write"]) {
        return;
    }
    let Some(first) = call.first() else { return };
    let is_error = first.value.labels.has(Labels::STACK)
        || first.value.labels.has(Labels::ERROR_TEXT)
            && !matches!(first.value.shape, crate::flow::Shape::Dictionary(_));
    let ends_plain = first.value.path_text().ends_with("message") || first.value.path_text().ends_with("code");
    if is_error && !ends_plain {
        report.add(
            &DETAIL,
            first.span,
            "this tells the reader how the program is built; log it and send a fixed text",
            None,
        );
    }
}

pub(super) fn handler(handler: &Handler, report: &mut Report<'_>) {
    let is_empty = handler.body.iter().all(|statement| matches!(statement.kind, StatementKind::Pass));
    if is_empty && handler.name.is_some() {
        report.add(&SWALLOWED, handler.span, "nobody hears of an error here; handle it or let it pass", None);
    }
}
