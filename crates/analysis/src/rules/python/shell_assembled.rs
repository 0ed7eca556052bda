//! # `py/shell-command-assembled`
//!
//! ## What it does
//!
//! Reports command texts put together from an object's own fields and run by a shell, and texts with input handed to
//! functions whose names say that they run a command.
//!
//! ## Why this is bad
//!
//! A text has to be taken apart again by a shell, which treats parts of the values as its own syntax.
//!
//! ## Example
//!
//! ```python
//! self.run_command("delete volume %s" % name)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! self.run_command(["delete", "volume", name])
//! ```
//!
//! ## References
//!
//! - [CWE-78](https://cwe.mitre.org/data/definitions/78.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Piece, ValueRef};
use crate::report::Report;
use crate::rules::evidence::{looks_like_sql, may_be_true, subject, words};
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-078-2",
    name: "py/shell-command-assembled",
    cwe: &[Cwe(78)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "A command line is put together as one text",
    fix: "pass its arguments as a list so that no value is read as syntax",
    examples: &[Example {
        weak: "class A:\n    def f(self, name):\n        self._run_ssh(«'rm %s' % name»)\n",
        sound: "class A:\n    def f(self, name):\n        self._run_ssh(['rm', name])\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let runs_shell = call.keyword("shell").is_some_and(may_be_true) && call.path.starts_with("subprocess.")
        || call.is(&["os.system", "os.popen", "subprocess.getoutput"]);
    let Some(first) = subject(call, &["args", "cmd", "command"]) else { return };
    // `_exec_cmd(name, arguments)`: the arguments may have been joined.
    let joined =
        call.positional.get(1).filter(|second| !first.value.is_built() && second.value.outline().contains("\0 \0"));
    let command = joined.unwrap_or(first);
    let is_own = |value: &ValueRef| value.path_text().starts_with("self.") && value.taints.is_empty();
    let is_reported = if runs_shell {
        command
            .value
            .pieces(command.span)
            .iter()
            .any(|piece| matches!(piece, Piece::Hole { value, .. } if is_own(value)))
            && call.live(&command.value).taint(Classes::SHELL).is_none()
    } else {
        call.receiver.is_some()
            && (runs_by_name(call.method)
                || runs(call.method) && is_command(report.written(command.span), &command.value.outline()))
            && command.value.is_built()
            && (call.live(&command.value).is_tainted(Classes::SHELL)
                || command
                    .value
                    .pieces(command.span)
                    .iter()
                    .any(|piece| matches!(piece, Piece::Hole { value, .. } if is_own(value))))
    };
    if is_reported {
        let taint = call.live(&command.value);
        report.add(
            &INFO,
            command.span,
            "this command is put together as one text; pass its arguments as a list so that no value is read as syntax",
            taint.taint(Classes::SHELL),
        );
    }
}

/// Whether a method may run a command, going by its name.
fn runs(method: &str) -> bool {
    matches!(method.trim_start_matches('_'), "run" | "execute" | "call" | "sudo" | "local" | "check_output")
}

/// Whether a text is a command line: it is kept as one, or starts with the name of a program.
fn is_command(written: &str, outline: &str) -> bool {
    let is_kept_as_one = words(written).iter().any(|word| matches!(word.as_str(), "command" | "cmd" | "cmdline"));
    let program = outline.split(' ').next().unwrap_or_default();
    let is_program = program.len() > 1
        && program
            .chars()
            .all(|letter| letter.is_ascii_lowercase() || matches!(letter, '/' | '-' | '_' | '.' | '0'..='9'));
    outline.contains(' ') && !looks_like_sql(outline) && (is_program || is_kept_as_one && !written.contains(' '))
}

/// Whether a method's name says that it runs a command: `_run_ssh`, `cli_run`, `exec_command`.
fn runs_by_name(method: &str) -> bool {
    let words = words(method);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    has(&["run", "exec", "execute", "send", "call"]) && has(&["ssh", "cli", "cmd", "command", "shell", "eql", "cliq"])
}
