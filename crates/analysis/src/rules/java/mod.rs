//! The rules for Java: one file for each family, one table of them, and the places where the interpreter tells them what it sees.

mod care;
mod code;
mod command;
mod crypto;
mod deserialise;
mod files;
mod login;
mod outward;
mod page;
mod path;
mod random;
mod secrets;
mod sql;
mod tls;
mod walk;
mod web;
mod xml;

use crate::flow::{Call, Classes, Shape, SourceKind, Taint, Value, ValueRef, kind_of};
use crate::report::Report;
use crate::rules::{Hooks, RuleInfo};
use crate::syntax::{FunctionId, Module, Span};

/// Every rule, in the order of their files.
pub(super) static RULES: &[RuleInfo] = &[
    care::SWALLOWED,
    care::NULL,
    care::OPEN,
    care::TEXTS,
    care::FINALLY,
    care::THREAD,
    care::OBSOLETE,
    code::SCRIPT,
    code::EXPRESSION,
    code::TEMPLATE,
    code::CLASS,
    code::LDAP,
    code::LOOKUP,
    code::DOCUMENT,
    command::BUILT,
    command::SHELL,
    crypto::HASH,
    crypto::CIPHER,
    crypto::BLOCK_MODE,
    crypto::RSA_PADDING,
    crypto::SHORT_KEY,
    crypto::FIXED_VECTOR,
    crypto::FIXED_SALT,
    crypto::FEW_ROUNDS,
    crypto::PASSWORD_DIGEST,
    crypto::FIXED_KEY,
    deserialise::STREAM,
    deserialise::LIBRARY,
    files::SHARED,
    files::FORESEEN,
    files::OPEN,
    files::WORLD,
    login::TOKEN,
    login::ANONYMOUS,
    outward::FORGED,
    outward::LOG,
    outward::FORMAT,
    outward::PATTERN,
    outward::BACKTRACKING,
    outward::ALLOCATION,
    outward::SETTING,
    outward::DOWNLOAD,
    outward::INDEX,
    page::UNESCAPED,
    page::RETURNED,
    page::HEADER,
    page::REDIRECT,
    page::ERROR,
    path::TRAVERSAL,
    path::ARCHIVE,
    path::PREFIX,
    path::UPLOAD,
    random::WEAK,
    random::SEED,
    secrets::WRITTEN,
    secrets::CONNECTION,
    secrets::EMPTY,
    secrets::LOGGED,
    secrets::COMPARED,
    sql::BUILT,
    tls::TRUST,
    tls::HOST,
    tls::OLD,
    tls::CLEARTEXT,
    web::COOKIE_CLEAR,
    web::COOKIE_SCRIPT,
    web::CSRF,
    web::ANY_METHOD,
    web::ORIGINS,
    web::FRAMES,
    web::TIMEOUT,
    web::BOUNDARY,
    web::WEB_VIEW,
    web::DEBUGGING,
    xml::EXTERNAL,
    xml::STYLESHEET,
    xml::XPATH,
];

/// Where the rules listen.
pub(crate) static HOOKS: Hooks = Hooks {
    call,
    returned: page::returned,
    defined,
    assign: secrets::assign,
    subscript: |_, index, report| outward::subscript(index, report),
    compare: care::compare,
    handler: care::handler,
    ..Hooks::NOBODY
};

/// What each family makes of a call.
const CALLS: &[fn(&Call<'_>, &mut Report<'_>)] = &[
    care::call,
    code::call,
    command::call,
    crypto::call,
    deserialise::call,
    files::call,
    login::call,
    outward::call,
    page::call,
    path::call,
    random::call,
    secrets::call,
    sql::call,
    tls::call,
    web::call,
    xml::call,
];

fn call(call: &Call<'_>, report: &mut Report<'_>) {
    for rule in CALLS {
        rule(call, report);
    }
}

/// A function is defined.
fn defined(module: &Module, function: FunctionId, report: &mut Report<'_>) {
    let function = &module.functions[function as usize];
    care::defined(module, function, report);
    tls::defined(module, function, report);
    web::defined(module, function, report);
}

/// Reports a finding in the words of its rule.
fn found(rule: &'static RuleInfo, span: Span, taint: Option<&Taint>, report: &mut Report<'_>) {
    report.add(rule, span, format!("{}; {}", rule.summary, rule.fix), taint);
}

/// Input from outside that can do harm in these classes.
fn outside(value: &Value, classes: Classes) -> Option<&Taint> {
    value.taints.iter().find(|taint| taint.source.kind == SourceKind::Outside && taint.classes.has_any(classes))
}

/// Whether an object was made in this function, so that whatever was set on it was set in sight.
fn is_made_here(value: &Value) -> bool {
    match &value.shape {
        Shape::Called { receiver: Some(receiver), .. } => {
            let path = receiver.path_text();
            path.starts_with(|first: char| first.is_uppercase()) && !path.contains(['(', '.'])
        }
        Shape::Called { receiver: None, .. } => {
            value.path_text().starts_with("new ") && !value.path_text().contains('.')
                || !value.path_text().contains('.') && !value.path_text().is_empty()
        }
        _ => false,
    }
}

/// Whether this was set on an object on every way here.
fn is_set(call: &Call<'_>, object: &Value, what: Classes) -> bool {
    call.environment.facts.get(&object.key).is_some_and(|facts| facts.has_any(what))
}

/// Whether a value is written in the program: a text, its bytes, or numbers.
fn is_written_out(value: &ValueRef) -> bool {
    if value.characters().is_some_and(|text| !text.is_empty()) {
        return true;
    }
    match &value.shape {
        Shape::Sequence(_, items) => !items.is_empty() && items.iter().all(|item| item.is_literal()),
        Shape::Called { positional, .. } => {
            let decodes = [".decode()", ".decodeHex()", ".toByteArray()", ".decodeBase64()"];
            decodes.iter().any(|end| value.path_text().ends_with(end))
                && positional.first().is_some_and(|text| text.text().is_some())
        }
        _ => false,
    }
}

/// Whether a call writes to a log.
fn is_logger(call: &Call<'_>) -> bool {
    let Some(receiver) = &call.receiver else { return false };
    let writes = matches!(
        call.method,
        "info" | "warn" | "error" | "debug" | "trace" | "fine" | "warning" | "severe" | "log" | "fatal"
    );
    let name = receiver.value.path_text().to_ascii_lowercase();
    writes
        && (matches!(kind_of(&receiver.value).as_str(), "Logger" | "Log") || matches!(name.as_str(), "log" | "logger"))
}

/// Where the name of the called method stands.
fn method_span(call: &Call<'_>) -> Span {
    let end = call.callee.span.end;
    Span { start: end.saturating_sub(call.method.len()), end }
}
