//! # `java/swallowed-error`, `java/null-used`, `java/never-closed` and their kin
//!
//! ## What it does
//!
//! Reports plain slips that hide a failure or cause one.
//!
//! ## Why this is bad
//!
//! A check that failed looks like one that passed, and what is never closed runs out.
//!
//! ## Example
//!
//! ```java
//! if (user == null) {
//!     log.warn("no user " + user.getName());
//! }
//! ```
//!
//! ## Use instead
//!
//! ```java
//! if (user == null) {
//!     log.warn("no user");
//! }
//! ```
//!
//! ## References
//!
//! - [CWE-390](https://cwe.mitre.org/data/definitions/390.html)
//! - [CWE-476](https://cwe.mitre.org/data/definitions/476.html)
//! - [CWE-772](https://cwe.mitre.org/data/definitions/772.html)
//! - [CWE-597](https://cwe.mitre.org/data/definitions/597.html)

use codeward_records::{Cwe, Level};

use super::found;
use super::walk::{every_block, expressions_in};
use crate::flow::{Call, Operand, ValueRef};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};
use crate::syntax::{
    Comparison, Constant, ExpressionId, ExpressionKind, Function, Handler, Module, Span, Statement, StatementKind,
};

pub(super) static SWALLOWED: RuleInfo = RuleInfo {
    code: "CW-JAVA-390-1",
    name: "java/swallowed-error",
    cwe: &[Cwe(390), Cwe(703)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "Every error is caught and dropped",
    fix: "catch the ones that are expected",
    examples: &[Example {
        weak: "void f() {\n  try {\n    check();\n  } «catch (Exception e) {\n  }»\n}\n",
        sound: "void f() {\n  try {\n    check();\n  } catch (NumberFormatException e) {\n  }\n}\n",
    }],
};

pub(super) static NULL: RuleInfo = RuleInfo {
    code: "CW-JAVA-476-1",
    name: "java/null-used",
    cwe: &[Cwe(476)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A value that is null here is used",
    fix: "leave the branch, or test for the opposite",
    examples: &[Example {
        weak: "void f(User user) {\n  if (user == null) {\n    log(«user».getName());\n  }\n}\nboolean g(String text) {\n  return text == null && «text».isEmpty();\n}\n",
        sound: "void f(User user) {\n  if (user == null) {\n    user = new User();\n    log(user.getName());\n  }\n}\nboolean g(String text) {\n  return text == null || text.isEmpty();\n}\n",
    }],
};

pub(super) static OPEN: RuleInfo = RuleInfo {
    code: "CW-JAVA-772-1",
    name: "java/never-closed",
    cwe: &[Cwe(772), Cwe(404)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "What is opened here is never closed",
    fix: "open it in a try with resources",
    examples: &[Example {
        weak: "int f(File file) throws IOException {\n  FileInputStream in = «new FileInputStream(file)»;\n  int first = in.read();\n  return first;\n}\n",
        sound: "int f(File file) throws IOException {\n  try (FileInputStream in = new FileInputStream(file)) {\n    return in.read();\n  }\n}\nInputStream g(File file) throws IOException {\n  FileInputStream in = new FileInputStream(file);\n  return in;\n}\n",
    }],
};

pub(super) static TEXTS: RuleInfo = RuleInfo {
    code: "CW-JAVA-597-1",
    name: "java/texts-compared",
    cwe: &[Cwe(597), Cwe(595)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Texts are compared by where they are stored",
    fix: "use equals",
    examples: &[Example {
        weak: "boolean f(String role) {\n  return role == «\"admin\"»;\n}\n",
        sound: "boolean f(String role, char first) {\n  return \"admin\".equals(role) && first == 'a';\n}\n",
    }],
};

pub(super) static FINALLY: RuleInfo = RuleInfo {
    code: "CW-JAVA-584-1",
    name: "java/return-in-finally",
    cwe: &[Cwe(584)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A return in a finally block drops every error",
    fix: "return after it",
    examples: &[Example {
        weak: "boolean f() {\n  try {\n    check();\n  } finally {\n    «return true;»\n  }\n}\n",
        sound: "boolean f() {\n  try {\n    check();\n  } finally {\n    close();\n  }\n  return true;\n}\n",
    }],
};

pub(super) static THREAD: RuleInfo = RuleInfo {
    code: "CW-JAVA-572-1",
    name: "java/thread-run",
    cwe: &[Cwe(572)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A thread's work is done here and now",
    fix: "call start",
    examples: &[Example {
        weak: "void f(Runnable work) {\n  Thread thread = new Thread(work);\n  «thread.run»();\n}\n",
        sound: "void f(Runnable work) {\n  Thread thread = new Thread(work);\n  thread.start();\n}\n",
    }],
};

pub(super) static OBSOLETE: RuleInfo = RuleInfo {
    code: "CW-JAVA-477-1",
    name: "java/obsolete-thread-call",
    cwe: &[Cwe(477)],
    severity: Level::Low,
    confidence: Level::High,
    summary: "A thread is stopped wherever it is, with its locks in any state",
    fix: "interrupt it, and let it end",
    examples: &[Example {
        weak: "void f(Thread worker) {\n  «worker.stop»();\n}\n",
        sound: "void f(Thread worker) {\n  worker.interrupt();\n}\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    match call.path {
        "Thread().run" => found(&THREAD, call.callee.span, None, report),
        "Thread().stop"
        | "Thread().suspend"
        | "Thread().resume"
        | "Thread().destroy"
        | "System.runFinalizersOnExit"
        | "Runtime().runFinalizersOnExit" => found(&OBSOLETE, call.callee.span, None, report),
        _ => {}
    }
}

pub(super) fn handler(handler: &Handler, caught: Option<&ValueRef>, report: &mut Report<'_>) {
    let is_broad = caught.is_some_and(|caught| matches!(caught.path_text(), "Exception" | "Throwable"));
    let is_ignored =
        handler.name.as_deref().is_some_and(|name| name.starts_with("ignore") || name == "expected" || name == "_");
    if is_broad && !is_ignored && handler.body.iter().all(|statement| matches!(statement.kind, StatementKind::Pass)) {
        found(&SWALLOWED, handler.span, None, report);
    }
}

pub(super) fn compare(left: &Operand, operator: Comparison, right: &Operand, report: &mut Report<'_>) {
    if !matches!(operator, Comparison::Equal | Comparison::NotEqual) {
        return;
    }
    for (text, other) in [(left, right), (right, left)] {
        // A character is one byte between two quotes; a text has more, or is known to be a text.
        let is_long = text.value.text().is_some_and(|text| text.chars().count() > 1);
        let is_variable = other.value.constant.is_none() && other.value.path_text() == "String()";
        if is_long && text.span.end - text.span.start > 3 && is_variable {
            found(&TEXTS, text.span, None, report);
        }
    }
}

/// `name == null`, with the name.
fn null_test(module: &Module, test: ExpressionId) -> Option<&str> {
    let ExpressionKind::Compare { left, links } = &module.expression(test).kind else { return None };
    let [(Comparison::Equal, right)] = links.as_slice() else { return None };
    let is_null = |id: ExpressionId| matches!(module.expression(id).kind, ExpressionKind::Constant(Constant::None));
    match (&module.expression(*left).kind, is_null(*right)) {
        (ExpressionKind::Name(name), true) => Some(name),
        _ => None,
    }
}

/// The first use of a member of this variable in a range of expressions, unless it is assigned there.
fn member_of(module: &Module, range: std::ops::RangeInclusive<ExpressionId>, name: &str) -> Option<Span> {
    let is_name =
        |id: ExpressionId| matches!(&module.expression(id).kind, ExpressionKind::Name(found) if found.as_ref() == name);
    let mut used = None;
    for id in range {
        match &module.expression(id).kind {
            ExpressionKind::Named { target, .. } if is_name(*target) => return None,
            // Another test of the same variable says that it may be something else again.
            ExpressionKind::Compare { left, .. } if is_name(*left) => return None,
            ExpressionKind::Attribute { base, .. } if is_name(*base) && used.is_none() => {
                used = Some(module.span(*base));
            }
            _ => {}
        }
    }
    used
}

pub(super) fn defined(module: &Module, function: &Function, report: &mut Report<'_>) {
    every_block(&function.body, &mut |block| {
        for statement in block {
            look(module, statement, report);
        }
        never_closed(module, block, report);
    });
}

fn look(module: &Module, statement: &Statement, report: &mut Report<'_>) {
    match &statement.kind {
        StatementKind::If { branches, .. } => {
            if let Some((test, body)) = branches.first()
                && let Some(name) = null_test(module, *test)
                && let Some(first) = body.first()
                && let StatementKind::Expression(id) | StatementKind::Return(Some(id)) = first.kind
                && let Some(span) = member_of(module, module.expression(id).first..=id, name)
            {
                found(&NULL, span, None, report);
            }
        }
        StatementKind::Try { finally, .. } => {
            for last in finally.iter().filter(|last| matches!(last.kind, StatementKind::Return(_))) {
                found(&FINALLY, last.span, None, report);
            }
        }
        _ => {}
    }
    for id in expressions_in(module, statement) {
        if let ExpressionKind::Boolean { is_and: true, left, right } = module.expression(id).kind
            && let Some(name) = null_test(module, left)
            && let Some(span) = member_of(module, module.expression(right).first..=right, name)
        {
            found(&NULL, span, None, report);
        }
    }
}

/// Types that hold on to something of the system until they are closed.
const HOLDING: &[&str] = &[
    "FileInputStream",
    "FileOutputStream",
    "FileReader",
    "FileWriter",
    "RandomAccessFile",
    "Socket",
    "ServerSocket",
    "ZipFile",
    "JarFile",
    "ZipInputStream",
    "BufferedReader",
    "BufferedWriter",
    "ObjectOutputStream",
    "PrintWriter",
];

/// A variable that is given something to close, is only ever asked for its members, and never for `close`.
fn never_closed(module: &Module, block: &[Statement], report: &mut Report<'_>) {
    for (at, statement) in block.iter().enumerate() {
        let StatementKind::Declare { name, value: Some(value), .. } = &statement.kind else { continue };
        let mut value = *value;
        if let ExpressionKind::Cast { value: inner, .. } = module.expression(value).kind {
            value = inner;
        }
        let ExpressionKind::New { callee, arguments } = &module.expression(value).kind else { continue };
        let ExpressionKind::Name(kind) = &module.expression(*callee).kind else { continue };
        let wraps_other = arguments.first().is_some_and(|argument| {
            let wrapped = matches!(module.expression(argument.value).kind, ExpressionKind::New { .. });
            kind.starts_with("Buffered") && !wrapped
                || kind.as_ref() == "PrintWriter"
                || kind.as_ref() == "ObjectOutputStream"
                || kind.as_ref() == "ZipInputStream"
        });
        if !HOLDING.contains(&kind.as_ref()) || wraps_other {
            continue;
        }
        let uses = super::walk::uses_of(module, &block[at + 1..], name);
        if uses.only_members && uses.num_members > 0 {
            found(&OPEN, module.span(value), None, report);
        }
    }
}
