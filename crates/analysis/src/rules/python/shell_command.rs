//! # `py/shell-command`
//!
//! ## What it does
//!
//! Reports commands that go through a shell and contain input that was not quoted for it.
//!
//! ## Why this is bad
//!
//! The input can end the command and start another: `; rm -rf ~`.
//!
//! ## Example
//!
//! ```python
//! os.system("wc -l " + path)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! subprocess.run(["wc", "-l", "--", path])
//! ```
//!
//! ## References
//!
//! - [CWE-78](https://cwe.mitre.org/data/definitions/78.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Operand};
use crate::report::Report;
use crate::rules::evidence::{may_be_true, subject};
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-078-1",
    name: "py/shell-command",
    cwe: &[Cwe(78)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A shell runs a command that input is part of",
    fix: "pass a list of arguments without a shell, or quote with shlex.quote",
    examples: &[Example {
        weak: "import subprocess\ndef f(path):\n    subprocess.run(«f'wc {path}'», shell=True)\n",
        sound: "import subprocess\ndef f(path):\n    subprocess.run(['wc', '--', path])\n",
    }],
};

/// Functions whose first argument is run by a shell.
const ALWAYS: &[&str] = &[
    "os.system",
    "os.popen",
    "os.popen2",
    "os.popen3",
    "os.popen4",
    "commands.getoutput",
    "commands.getstatusoutput",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "popen2.popen2",
    "popen2.popen3",
    "popen2.Popen3",
    "asyncio.create_subprocess_shell",
    "pexpect.run",
    "pexpect.spawn",
];

/// Functions whose first argument is run by a shell when asked to.
const OPTIONAL: &[&str] =
    &["subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.check_output", "subprocess.Popen"];

/// Functions that run a program given by its path and arguments.
const PROGRAMS: &[&str] = &["os.execv", "os.execvp", "os.spawnv", "os.posix_spawn", "asyncio.create_subprocess_exec"];

const SHELLS: &[&str] =
    &["sh", "bash", "/bin/sh", "/bin/bash", "zsh", "dash", "/usr/bin/bash", "cmd", "cmd.exe", "powershell"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(ALWAYS) || call.has_method(&["exec_command"]) {
        if let Some(command) = subject(call, &["cmd", "command"]) {
            check(call, command, report);
        }
    } else if call.is(OPTIONAL) {
        let Some(command) = subject(call, &["args"]) else { return };
        if call.keyword("shell").is_some_and(may_be_true) {
            check(call, command, report);
        } else {
            check_list(call, command, report);
        }
    } else if call.is(PROGRAMS) {
        for operand in &call.positional {
            check_list(call, operand, report);
        }
    }
}

fn check(call: &Call<'_>, command: &Operand, report: &mut Report<'_>) {
    let value = call.live(&command.value);
    if let Some(taint) = value.taint(Classes::SHELL) {
        report.add(
            &INFO,
            command.span,
            "a shell reads this command and the input in it; pass a list of arguments without a shell, or quote with shlex.quote",
            Some(taint),
        );
    }
}

/// `["sh", "-c", command]` is a shell by another way.
fn check_list(call: &Call<'_>, command: &Operand, report: &mut Report<'_>) {
    let items = command.value.items();
    let Some(program) = items.first().and_then(|program| program.text()) else { return };
    if !SHELLS.contains(&program) {
        return;
    }
    let script = items.iter().position(|item| matches!(item.text(), Some("-c" | "/c" | "-Command" | "-lc")));
    if let Some(script) = script.and_then(|at| items.get(at + 1)) {
        check(call, &Operand { value: script.clone(), span: command.span }, report);
    }
}
