//! The rules for JavaScript and TypeScript: one file for each small family, one table of them, and the places where the
//! interpreter tells them what it sees.

mod code;
mod command;
mod comparison;
mod cookies;
mod crypto;
mod database;
mod elements;
mod errors;
mod files;
mod html;
mod injection;
mod logs;
mod objects;
mod passwords;
mod patterns;
mod requests;
mod responses;
mod secrets;
mod settings;
mod tokens;

use crate::flow::{Call, Classes, Environment, Operand, SourceKind, Taint, ValueRef};
use crate::report::Report;
use crate::rules::{Hooks, RuleInfo};
use crate::syntax::{Comparison, Handler};

/// Every rule, in the order of their files.
pub(super) static RULES: &[RuleInfo] = &[
    code::EVAL,
    code::UNKNOWN,
    code::TEMPLATE,
    code::MODULE,
    code::METHOD,
    code::DESERIALISE,
    code::YAML,
    command::SHELL,
    command::ASSEMBLED,
    command::PROGRAM,
    command::OPTION,
    comparison::DIGEST,
    comparison::HOST,
    comparison::PASSWORD,
    cookies::SECURE,
    cookies::SCRIPTS,
    cookies::SITES,
    crypto::CIPHER,
    crypto::BLOCKS,
    crypto::WITHOUT_IV,
    crypto::HASH,
    crypto::SHORT_KEY,
    crypto::FIXED_IV,
    crypto::FIXED_KEY,
    crypto::RANDOM,
    crypto::GUESSABLE,
    database::SQL,
    database::SQL_ASSEMBLED,
    database::OPERATORS,
    database::WHERE,
    database::LDAP,
    database::XPATH,
    elements::LINK,
    elements::ADDRESS,
    elements::MESSAGE,
    elements::STORAGE,
    errors::DETAIL,
    errors::SWALLOWED,
    files::PATH,
    files::ARCHIVE,
    files::PERMISSIONS,
    files::TEMPORARY,
    files::BUFFER,
    html::SINK,
    html::ASSEMBLED,
    html::PAGE,
    html::REACT,
    html::SENT,
    injection::HEADER,
    injection::XML_ENTITIES,
    injection::XML_EXPANSION,
    injection::FORMAT,
    logs::LINES,
    logs::SECRET,
    objects::PROTOTYPE,
    objects::MERGE,
    objects::ASSIGNMENT,
    passwords::FIXED_SALT,
    passwords::WEAK_HASH,
    passwords::FEW_ROUNDS,
    patterns::BACKTRACKING,
    patterns::BUILT,
    patterns::FIRST_ONLY,
    requests::SSRF,
    requests::REDIRECT,
    requests::LOCATION,
    responses::ORIGIN,
    responses::ORIGIN_ECHO,
    responses::FRAMES,
    secrets::CREDENTIAL,
    settings::CERTIFICATE,
    settings::CERTIFICATE_EVERYWHERE,
    settings::PROTOCOL,
    settings::NODE_IN_PAGE,
    settings::WEB_SECURITY,
    settings::BODY_SIZE,
    settings::DEBUGGER,
    settings::LISTING,
    settings::LISTEN,
    tokens::UNVERIFIED,
    tokens::NO_ALGORITHM,
    tokens::NO_EXPIRY,
];

/// Where the rules listen.
pub(crate) static HOOKS: Hooks = Hooks {
    call,
    is_dangerous_function: |path| path == "eval",
    text,
    assign: secrets::assign,
    attribute_store,
    element_store,
    subscript: code::subscript,
    compare,
    dictionary,
    handler,
    ..Hooks::NOBODY
};

/// What each family makes of a call.
const CALLS: &[fn(&Call<'_>, &mut Report<'_>)] = &[
    code::call,
    command::call,
    comparison::call,
    cookies::call,
    crypto::call,
    database::call,
    elements::call,
    errors::call,
    files::call,
    html::call,
    injection::call,
    logs::call,
    objects::call,
    passwords::call,
    patterns::call,
    requests::call,
    responses::call,
    secrets::call,
    settings::call,
    tokens::call,
];

fn call(call: &Call<'_>, report: &mut Report<'_>) {
    for rule in CALLS {
        rule(call, report);
    }
}

fn text(text: &Operand, environment: &Environment, report: &mut Report<'_>) {
    let live = Operand { value: environment.masked(&text.value), span: text.span };
    html::text(&live, report);
    database::text(&live, report);
}

fn attribute_store(receiver: &Operand, name: &str, value: &Operand, report: &mut Report<'_>) {
    html::store(receiver, name, value, report);
    requests::store(receiver, name, value, report);
    secrets::assign(name, value, report);
    settings::store(receiver, name, value, report);
}

fn element_store(receiver: &Operand, index: &Operand, value: &Operand, report: &mut Report<'_>) {
    objects::element_store(receiver, index, value, report);
}

fn compare(left: &Operand, operator: Comparison, right: &Operand, report: &mut Report<'_>) {
    comparison::compare(left, operator, right, report);
}

fn dictionary(entries: &[(Option<Operand>, Operand)], report: &mut Report<'_>) {
    elements::attributes(entries, report);
    for (key, value) in entries {
        let Some(name) = key.as_ref().and_then(|key| key.value.text()) else { continue };
        database::entry(name, value, report);
        html::entry(name, value, report);
        secrets::entry(name, value, report);
        settings::entry(name, value, report);
    }
}

fn handler(handler: &Handler, _: Option<&ValueRef>, report: &mut Report<'_>) {
    errors::handler(handler, report);
}

/// Reports an argument whose input can do harm in these classes.
fn check(
    call: &Call<'_>,
    operand: &Operand,
    classes: Classes,
    rule: &'static RuleInfo,
    message: &str,
    report: &mut Report<'_>,
) -> bool {
    let value = call.live(&operand.value);
    let taint = value.taint(classes);
    if let Some(taint) = taint {
        report.add(rule, operand.span, message, Some(taint));
    }
    taint.is_some()
}

/// The first input in these classes that is plainly from outside.
fn outside(value: &ValueRef, classes: Classes) -> Option<&Taint> {
    value.taints.iter().find(|taint| taint.source.kind == SourceKind::Outside && taint.classes.has_any(classes))
}

/// As [`check`], for input that is plainly from outside.
fn check_outside(
    call: &Call<'_>,
    operand: &Operand,
    classes: Classes,
    rule: &'static RuleInfo,
    message: &str,
    report: &mut Report<'_>,
) -> bool {
    let value = call.live(&operand.value);
    let taint = outside(&value, classes);
    if let Some(taint) = taint {
        report.add(rule, operand.span, message, Some(taint));
    }
    taint.is_some()
}

/// Whether a value is one of unknown origin: it has a name, is not known, and was no input that has been checked.
fn is_of_unknown_origin(value: &ValueRef) -> bool {
    let path = value.path_text();
    let root = path.split(['.', '[']).next().unwrap_or(path);
    !root.is_empty()
        && !path.contains('(')
        && !root.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')
        && !matches!(root, "req" | "res" | "ctx" | "lambda" | "location" | "document" | "process")
        && value.constant.is_none()
        && value.taints.is_empty()
}

/// The value under a name in the options of a call.
fn option<'a>(call: &'a Call<'_>, name: &str) -> Option<&'a ValueRef> {
    call.positional.iter().find_map(|operand| operand.value.entry(name))
}
