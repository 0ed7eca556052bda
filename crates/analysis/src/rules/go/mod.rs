//! The rules for Go: one file for each family, one table of them, and the places where the interpreter tells them what it sees.

mod command;
mod crypto;
mod html;
mod input;
mod limits;
mod network;
mod path;
mod secrets;
mod sql;
mod transport;

use crate::flow::{Call, Classes, Environment, Operand, Shape, SourceKind, Taint, ValueRef};
use crate::report::Report;
use crate::rules::{Hooks, RuleInfo};
use crate::syntax::Comparison;

/// Every rule, in the order of their files.
pub(super) static RULES: &[RuleInfo] = &[
    command::SHELL,
    command::PROGRAM,
    command::OPTION,
    crypto::HASH,
    crypto::CIPHER,
    crypto::BLOCKS,
    crypto::IV,
    crypto::SALT,
    crypto::ROUNDS,
    crypto::DIGEST,
    crypto::SHORT,
    crypto::RANDOM,
    crypto::SEED,
    crypto::KEY,
    crypto::COMPARED,
    html::RESPONSE,
    html::ASSEMBLED,
    html::DECLARED,
    html::PLAIN_TEMPLATE,
    html::ERROR_PAGE,
    html::TEMPLATE,
    input::LOG,
    input::LDAP,
    input::XPATH,
    input::CODE,
    input::METHOD,
    input::FORMULA,
    input::ENTITIES,
    input::ENVIRONMENT,
    limits::BOMB,
    limits::READ,
    limits::NARROWED,
    limits::SIZE,
    limits::PERMISSIONS,
    limits::TEMP,
    limits::IGNORED,
    limits::STACK,
    network::REQUEST,
    network::SEGMENT,
    network::CONTAINED,
    network::REDIRECT,
    network::BIND,
    network::WAITS,
    network::ORIGIN,
    network::HEADER,
    network::MAIL,
    path::TRAVERSAL,
    path::ARCHIVE,
    path::PREFIX,
    path::DOTS,
    secrets::WRITTEN,
    secrets::ADDRESS,
    secrets::LOGGED,
    sql::BUILT,
    sql::FRAGMENT,
    sql::DOCUMENT,
    transport::CERTIFICATE,
    transport::VERSION,
    transport::SUITES,
    transport::HOST_KEY,
    transport::UNVERIFIED,
    transport::UNSIGNED,
    transport::COOKIE,
    transport::READABLE,
    transport::CLEARTEXT,
];

/// Where the rules listen.
pub(crate) static HOOKS: Hooks = Hooks { call, text, assign, attribute_store, compare, dictionary, ..Hooks::NOBODY };

fn call(call: &Call<'_>, report: &mut Report<'_>) {
    command::call(call, report);
    crypto::call(call, report);
    html::call(call, report);
    input::call(call, report);
    limits::call(call, report);
    network::call(call, report);
    path::call(call, report);
    secrets::call(call, report);
    sql::call(call, report);
    transport::call(call, report);
}

/// A text was put together.
fn text(text: &Operand, environment: &Environment, report: &mut Report<'_>) {
    let live = Operand { value: environment.masked(&text.value), span: text.span };
    if !live.value.is_built() || live.value.taints.is_empty() {
        return;
    }
    html::text(&live, report);
    input::text(&live, report);
    network::text(&live, report);
}

/// A name is given a value.
fn assign(name: &str, value: &Operand, report: &mut Report<'_>) {
    secrets::assign(name, value, report);
}

/// `receiver.name = value`.
fn attribute_store(receiver: &Operand, name: &str, value: &Operand, report: &mut Report<'_>) {
    transport::store(receiver, name, value, report);
    secrets::store(name, value, report);
}

/// One comparison.
fn compare(left: &Operand, operator: Comparison, right: &Operand, report: &mut Report<'_>) {
    crypto::compare(left, operator, right, report);
    network::compare(left, operator, right, report);
    secrets::compare(left, operator, right, report);
}

/// A table is written out.
fn dictionary(entries: &[(Option<Operand>, Operand)], report: &mut Report<'_>) {
    for (key, value) in entries {
        if let Some(key) = key {
            secrets::entry(key, value, report);
            sql::entry(key, value, report);
        }
    }
}

/// Input that is plainly from outside and can do harm in these classes.
fn from_outside(value: &ValueRef, classes: Classes) -> Option<&Taint> {
    value.taints.iter().find(|taint| taint.source.kind == SourceKind::Outside && taint.classes.has_any(classes))
}

/// Whether a value came in, or was taken out of something, under a name like this.
fn named(operand: &Operand, is_meant: impl Fn(&str) -> bool) -> bool {
    let value = &operand.value;
    if let Shape::Attribute(_, name) = &value.shape
        && is_meant(name)
    {
        return true;
    }
    value.taints.iter().any(|taint| taint.enters_as(value) && is_meant(&taint.source.label))
}

/// Whether a call writes to a log.
fn is_log(call: &Call<'_>) -> bool {
    const METHODS: &[&str] = &[
        "Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Info", "Infof", "Infow",
        "Warn", "Warnf", "Warning", "Warningf", "Error", "Errorf", "Debug", "Debugf", "Trace", "Tracef", "Log", "Logf",
    ];
    if !METHODS.contains(&call.method) {
        return false;
    }
    let owner = call.path.rsplit_once('.').map_or("", |(owner, _)| owner);
    let owner = owner.strip_suffix("()").unwrap_or(owner);
    let name = owner.rsplit(['.', '/']).next().unwrap_or_default().to_ascii_lowercase();
    name == "log"
        || name == "glog"
        || name == "klog"
        || name == "slog"
        || name.contains("logger")
        || name == "logrus"
        || name == "zap"
}

/// The arguments that a call with a template shows as they are; the template is at this place.
fn printed<'a>(call: &'a Call<'_>, template_at: usize) -> Vec<&'a Operand> {
    let Some(template) = call.positional.get(template_at) else { return Vec::new() };
    let values = &call.positional[template_at + 1..];
    let Some(text) = template.value.text() else {
        return std::iter::once(template).chain(values).collect();
    };
    let mut shown = Vec::new();
    let mut next = values.iter();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        rest = &rest[at + 1..];
        let Some(verb_at) = rest.find(|letter: char| letter.is_ascii_alphabetic() || letter == '%') else { break };
        let (flags, verb) = (&rest[..verb_at], rest.as_bytes()[verb_at]);
        rest = &rest[verb_at + 1..];
        if verb == b'%' {
            continue;
        }
        let Some(value) = next.next() else { break };
        if matches!(verb, b's' | b'v') && !flags.contains('#') {
            shown.push(value);
        }
    }
    shown
}
