//! # Regular expressions: `js/regex-backtracking`, `js/regex-from-input`, `js/first-only-replaced`
//!
//! ## What it does
//!
//! Reports patterns that can try a text in exponentially many ways, patterns made from input, and characters of which only the
//! first is replaced.
//!
//! ## Why this is bad
//!
//! A short hostile text keeps the only thread busy for years; the second `<` opens a tag all the same.
//!
//! ## Example
//!
//! ```javascript
//! /^(a+)+$/.test(text);
//! ```
//!
//! ## Use instead
//!
//! ```javascript
//! /^a+$/.test(text);
//! ```
//!
//! ## References
//!
//! - [CWE-1333](https://cwe.mitre.org/data/definitions/1333.html)
//! - [CWE-116](https://cwe.mitre.org/data/definitions/116.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Operand, Shape, ValueRef};
use crate::regular;

use super::check_outside;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static BACKTRACKING: RuleInfo = RuleInfo {
    code: "CW-JS-1333-1",
    name: "js/regex-backtracking",
    cwe: &[Cwe(1333), Cwe(400)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A pattern can try a text in exponentially many ways",
    fix: "take out the repetition inside the repetition",
    examples: &[Example {
        weak: "const pattern = /^([a-z]+)+$/;\nfunction f(text) { return «pattern».test(text); }\n",
        sound: "const pattern = /^[a-z]+$/;\nfunction f(text) { return pattern.test(text); }\n",
    }],
};

pub(super) static BUILT: RuleInfo = RuleInfo {
    code: "CW-JS-1333-2",
    name: "js/regex-from-input",
    cwe: &[Cwe(1333), Cwe(400)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input is read as a regular expression",
    fix: "escape it first",
    examples: &[Example {
        weak: "module.exports = (req, res) => res.json(list.filter((item) => new RegExp(«req.query.q»).test(item)));\n",
        sound: "const _ = require('lodash');\nmodule.exports = (req, res) => res.json(list.filter((item) => new RegExp(_.escapeRegExp(req.query.q)).test(item)));\n",
    }],
};

pub(super) static FIRST_ONLY: RuleInfo = RuleInfo {
    code: "CW-JS-116-1",
    name: "js/first-only-replaced",
    cwe: &[Cwe(116), Cwe(80)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "Only the first of the characters that do harm is replaced",
    fix: "use a pattern with the flag g, or replaceAll",
    examples: &[Example {
        weak: "function f(text) { return text.replace(«'<'», '&lt;'); }\n",
        sound: "function f(text) { return text.replace(/</g, '&lt;'); }\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(&["new RegExp", "RegExp"]) {
        let Some(first) = call.first() else { return };
        let message = "input is read as a pattern, which can match anything or never end; escape it first";
        check_outside(call, first, Classes::PATTERN, &BUILT, message, report);
        return;
    }
    let (Some(receiver), Some(first)) = (&call.receiver, call.first()) else { return };
    match call.method {
        "test" | "exec" => slow(call, receiver, first, report),
        "match" | "matchAll" | "replace" | "replaceAll" | "search" | "split" => {
            slow(call, first, receiver, report);
            if call.method == "replace" {
                first_only(receiver, first, call.positional.get(1), report);
            }
        }
        _ => {}
    }
}

fn pattern(value: &ValueRef) -> Option<(&str, &str)> {
    let Shape::Called { positional, .. } = &value.shape else { return None };
    if !matches!(value.path_text(), "RegExp()" | "new RegExp()") {
        return None;
    }
    Some((positional.first()?.text()?, positional.get(1).and_then(|flags| flags.text()).unwrap_or_default()))
}

fn slow(call: &Call<'_>, regex: &Operand, text: &Operand, report: &mut Report<'_>) {
    let Some((pattern, _)) = pattern(&regex.value) else { return };
    let text = call.live(&text.value);
    let Some(taint) = text.taint(Classes::BACKTRACKING) else { return };
    let plain = pattern.replace("\\/", "/");
    let explodes = regular::parse(&plain).is_some_and(|regular| regular.can_explode());
    if explodes && text.is_tainted(Classes::SIZE) {
        let message =
            "this pattern can try a text in exponentially many ways; take out the repetition inside the repetition";
        report.add(&BACKTRACKING, regex.span, message, Some(taint));
    }
}

/// `text.replace("<", "&lt;")`.
fn first_only(text: &Operand, old: &Operand, new: Option<&Operand>, report: &mut Report<'_>) {
    let Some(new) = new.and_then(|new| new.value.text()) else { return };
    let what = match pattern(&old.value) {
        Some((pattern, flags)) if !flags.contains('g') => pattern,
        Some(_) => return,
        None => old.value.text().unwrap_or_default(),
    };
    let is_harmful =
        matches!(what, "<" | ">" | "'" | "\"" | "&" | "../" | "\n" | "\\n" | "\\.\\.\\/" | "`" | "[<>]" | "[\"']");
    let is_plain = !matches!(new, "\"" | "<");
    if is_harmful && is_plain && text.value.constant.is_none() {
        let message = "only the first is replaced; use a pattern with the flag g, or replaceAll";
        report.add(&FIRST_ONLY, old.span, message, None);
    }
}
