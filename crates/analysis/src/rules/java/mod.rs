//! The rules for Java: one file for each family, one table of them, and the places where the interpreter tells them what it sees.

mod sql;

use crate::flow::{Call, Classes, Operand, SourceKind, Taint, ValueRef};
use crate::report::Report;
use crate::rules::{Hooks, RuleInfo};
use crate::syntax::Span;

/// Every rule, in the order of their files.
pub(super) static RULES: &[RuleInfo] = &[sql::BUILT];

/// Where the rules listen.
pub(crate) static HOOKS: Hooks = Hooks { call, ..Hooks::NOBODY };

/// What each family makes of a call.
const CALLS: &[fn(&Call<'_>, &mut Report<'_>)] = &[sql::call];

fn call(call: &Call<'_>, report: &mut Report<'_>) {
    for rule in CALLS {
        rule(call, report);
    }
}

/// Reports a finding in the words of its rule.
fn found(rule: &'static RuleInfo, span: Span, taint: Option<&Taint>, report: &mut Report<'_>) {
    let mut letters = rule.summary.chars();
    let first = letters.next().map(|letter| letter.to_lowercase().to_string()).unwrap_or_default();
    report.add(rule, span, format!("{first}{}; {}", letters.as_str(), rule.fix), taint);
}

/// Input from outside that can do harm in these classes.
fn outside(value: &ValueRef, classes: Classes) -> Option<&Taint> {
    value.taints.iter().find(|taint| taint.source.kind == SourceKind::Outside && taint.classes.has_any(classes))
}

/// The input that makes a value dangerous: any from outside, or any at all in a text that was put together here.
fn harmful<'a>(operand: &Operand, value: &'a ValueRef, classes: Classes) -> Option<&'a Taint> {
    let _ = operand;
    outside(value, classes).or_else(|| value.taint(classes).filter(|_| value.is_built()))
}

/// The last part of a call's path, or of the name that it is written by.
fn last_part<'a>(call: &'a Call<'_>) -> &'a str {
    call.path.rsplit(['.', ' ']).next().filter(|part| !part.is_empty()).unwrap_or(call.method)
}
