//! # Logs: `js/log-newline`, `js/secret-in-log`
//!
//! ## What it does
//!
//! Reports input that may hold a line break, and secrets, that are written to a log.
//!
//! ## Why this is bad
//!
//! A line break forges a line of the log; whoever reads the log has the secret.
//!
//! ## Example
//!
//! ```javascript
//! console.log("login " + req.body.name);
//! ```
//!
//! ## Use instead
//!
//! ```javascript
//! console.log("login", JSON.stringify(req.body.name));
//! ```
//!
//! ## References
//!
//! - [CWE-117](https://cwe.mitre.org/data/definitions/117.html)
//! - [CWE-532](https://cwe.mitre.org/data/definitions/532.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Operand, Piece, SourceKind, ValueRef};
use crate::rules::evidence::{culpable_hole, is_secret_name};

use super::outside;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static LINES: RuleInfo = RuleInfo {
    code: "CW-JS-117-1",
    name: "js/log-newline",
    cwe: &[Cwe(117)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input in a log may hold a line break",
    fix: "remove \\r and \\n, or write it with JSON.stringify",
    examples: &[
        Example {
            weak: "module.exports = (req, res) => console.log(`login ${«req.body.name»}`);\n",
            sound: "module.exports = (req, res) => console.log(`login ${JSON.stringify(req.body.name)}`);\n",
        },
        Example {
            weak: "export function logMessage(text) { console.log('received ' + «text»); }\n",
            sound: "export function logMessage(text) { console.log('received ' + text.replace(/[\\r\\n]/g, ' ')); }\n",
        },
    ],
};

pub(super) static SECRET: RuleInfo = RuleInfo {
    code: "CW-JS-532-1",
    name: "js/secret-in-log",
    cwe: &[Cwe(532), Cwe(312)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A secret is written to a log",
    fix: "leave it out",
    examples: &[Example {
        weak: "function f(user, password) { console.log('login', user, «password»); }\n",
        sound: "function f(user, password) { console.log('login', user, password.length); }\n",
    }],
};

const METHODS: &[&str] = &["log", "info", "warn", "error", "debug", "trace", "fatal", "verbose"];

const LOGS: &[&str] = &["console", "logger", "log", "winston", "pino", "self.logger", "bunyan", "log4js"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let Some(receiver) = call.receiver.as_ref().filter(|_| METHODS.contains(&call.method)) else { return };
    let path = receiver.value.path_text();
    if !LOGS.iter().any(|log| path == *log || path.starts_with(&format!("{log}.")))
        && !path.contains("Logger(")
        && !path.ends_with("logger")
    {
        return;
    }
    for operand in &call.positional {
        lines(call, operand, report);
        for piece in operand.value.pieces(operand.span) {
            let Piece::Hole { value, span } = piece else { continue };
            if is_secret(&value) {
                report.add(&SECRET, span, "whoever reads the log has this secret; leave it out", None);
            }
        }
    }
}

fn lines(call: &Call<'_>, operand: &Operand, report: &mut Report<'_>) {
    let live = call.live(&operand.value);
    let message = "a line break in this value forges a line of the log; remove \\r and \\n";
    let in_log = call.place.function.to_ascii_lowercase().contains("log");
    if let Some((hole, place, _)) = culpable_hole(&live, operand.span, Classes::LINES)
        && let Some(taint) = outside(&hole, Classes::LINES)
            .filter(|taint| !taint.source.label.starts_with("process."))
            .or_else(|| hole.taint(Classes::LINES).filter(|taint| in_log && taint.source.kind == SourceKind::Parameter))
    {
        report.add(&LINES, place, message, Some(taint));
    }
}

fn is_secret(value: &ValueRef) -> bool {
    let entered = value.taints.iter().find(|taint| taint.enters_as(value)).map(|taint| taint.source.label.as_ref());
    let path = value.path_text();
    let last = path.rsplit('.').next().filter(|last| !last.contains('('));
    let attribute = if let crate::flow::Shape::Attribute(_, name) = &value.shape { Some(name.as_ref()) } else { None };
    value.constant.is_none() && [entered, last, attribute].into_iter().flatten().any(is_secret_name)
}
