//! # `py/open-redirect`
//!
//! ## What it does
//!
//! Reports redirects to an address from outside whose host was not checked, and functions that return such an address or else a
//! page of the site itself.
//!
//! ## Why this is bad
//!
//! A link to the trusted site leads on to a copy of it.
//!
//! ## Example
//!
//! ```python
//! return redirect(request.args["next"])
//! ```
//!
//! ## Use instead
//!
//! ```python
//! if not target.startswith("/") or target.startswith("//"):
//!     target = "/"
//! ```
//!
//! ## References
//!
//! - [CWE-601](https://cwe.mitre.org/data/definitions/601.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, INPUT_OR_PAGE, Operand, Shape, ValueRef};
use crate::report::Report;
use crate::rules::evidence::{is_parameter_itself, subject};
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-601-1",
    name: "py/open-redirect",
    cwe: &[Cwe(601)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input decides which site a visitor is sent to",
    fix: "allow only known hosts, or paths that start with a single slash",
    examples: &[Example {
        weak: "from flask import redirect, request\ndef f():\n    return redirect(«request.args['next']»)\n",
        sound: "from flask import redirect, request\ndef f():\n    target = request.args['next']\n    if not target.startswith('/') or target.startswith('//'):\n        target = '/'\n    return redirect(target)\n",
    }],
};

const ADVICE: &str =
    "this address may lead to another site; allow only known hosts, or paths that start with a single slash";

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let is_redirect =
        matches!(call.method, "redirect" | "HttpResponseRedirect" | "RedirectResponse" | "HTTPFound" | "HTTPSeeOther")
            || call.path.ends_with(".redirect");
    let Some(target) = subject(call, &["location", "url"]).filter(|_| is_redirect) else { return };
    let value = call.live(&target.value);
    if let Some(taint) = value.taint(Classes::REDIRECT) {
        report.add(&INFO, target.span, ADVICE, Some(taint));
    }
}

/// `{"Location": address}` and `headers["Location"] = address`.
pub(super) fn entry(key: &Operand, value: &Operand, report: &mut Report<'_>) {
    let is_location = key.value.text().is_some_and(|key| key.eq_ignore_ascii_case("location"));
    if is_location && let Some(taint) = value.value.taint(Classes::REDIRECT) {
        report.add(&INFO, value.span, ADVICE, Some(taint));
    }
}

/// A function that returns what it was given or else `"/"` chooses where to go next.
pub(super) fn function(returned: &[Operand], report: &mut Report<'_>) {
    let is_local = |value: &ValueRef| value.text().is_some_and(|text| text.starts_with('/') && !text.starts_with("//"));
    let is_input =
        |value: &ValueRef| !value.is_built() && value.is_tainted(Classes::REDIRECT) && is_parameter_itself(value);
    let has_default = returned.iter().any(|operand| is_local(&operand.value));
    for operand in returned {
        let either = match &operand.value.shape {
            Shape::Sequence(..) => false,
            _ => operand.value.path_text() == INPUT_OR_PAGE && operand.value.is_tainted(Classes::REDIRECT),
        };
        if either || has_default && is_input(&operand.value) {
            report.add(&INFO, operand.span, ADVICE, operand.value.taint(Classes::REDIRECT));
        }
    }
}
