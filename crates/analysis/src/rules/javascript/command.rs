//! # Commands of the system: `js/shell-command`, `js/shell-assembled`, `js/program-from-input`, `js/option-injection`
//!
//! ## What it does
//!
//! Reports commands that a shell reads and that contain input or values of unknown origin, programs that input names, and input
//! that a program may read as an option.
//!
//! ## Why this is bad
//!
//! The input can end the command and start another: `; rm -rf ~`.
//!
//! ## Example
//!
//! ```javascript
//! exec(`wc -l ${path}`);
//! ```
//!
//! ## Use instead
//!
//! ```javascript
//! execFile("wc", ["-l", "--", path]);
//! ```
//!
//! ## References
//!
//! - [CWE-78](https://cwe.mitre.org/data/definitions/78.html)
//! - [CWE-77](https://cwe.mitre.org/data/definitions/77.html)
//! - [CWE-88](https://cwe.mitre.org/data/definitions/88.html)

use codeward_records::{Cwe, Level};

use super::{check, check_outside, is_of_unknown_origin, option};
use crate::flow::{Call, Classes, Operand, Piece};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static SHELL: RuleInfo = RuleInfo {
    code: "CW-JS-078-1",
    name: "js/shell-command",
    cwe: &[Cwe(78)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A shell runs a command that input is part of",
    fix: "use execFile or spawn with a list of arguments",
    examples: &[
        Example {
            weak: "const { exec } = require('child_process');\nfunction f(path) { exec(«`wc ${path}`», () => {}); }\n",
            sound: "const { execFile } = require('child_process');\nfunction f(path) { execFile('wc', ['--', path], () => {}); }\n",
        },
        Example {
            weak: "import cp from 'node:child_process';\nexport const f = (name) => cp.spawn('sh', «['-c', 'ls ' + name]»);\n",
            sound: "import cp from 'node:child_process';\nexport const f = (name) => { if (!/^[a-z]+$/.test(name)) return; cp.execSync('ls ' + name); };\n",
        },
    ],
};

pub(super) static ASSEMBLED: RuleInfo = RuleInfo {
    code: "CW-JS-078-2",
    name: "js/shell-assembled",
    cwe: &[Cwe(78)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "A shell runs a command that is put together from values of unknown origin",
    fix: "use execFile or spawn with a list of arguments",
    examples: &[Example {
        weak: "const cp = require('child_process');\ncp.exec(«'convert ' + source.name + ' out.png'»);\n",
        sound: "const cp = require('child_process');\nconst port = 80;\ncp.exec('fuser -k ' + port + '/tcp');\n",
    }],
};

pub(super) static PROGRAM: RuleInfo = RuleInfo {
    code: "CW-JS-077-1",
    name: "js/program-from-input",
    cwe: &[Cwe(77), Cwe(78)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Input names the program that is run",
    fix: "choose the program from a fixed list",
    examples: &[Example {
        weak: "const { spawn } = require('child_process');\nmodule.exports = (req, res) => spawn(«req.query.tool», ['-v']);\n",
        sound: "const { spawn } = require('child_process');\nmodule.exports = (req, res) => { if (!['git', 'hg'].includes(req.query.tool)) return; spawn(req.query.tool, ['-v']); };\n",
    }],
};

pub(super) static OPTION: RuleInfo = RuleInfo {
    code: "CW-JS-088-1",
    name: "js/option-injection",
    cwe: &[Cwe(88)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A program may read input as an option",
    fix: "put \"--\" before arguments that come from outside",
    examples: &[Example {
        weak: "const { execFile } = require('child_process');\nmodule.exports = (req, res) => execFile('git', «['clone', req.body.url]», () => {});\n",
        sound: "const { execFile } = require('child_process');\nmodule.exports = (req, res) => execFile('git', ['clone', '--', req.body.url], () => {});\n",
    }],
};

/// Functions whose first argument is run by a shell.
const SHELLS: &[&str] = &[
    "child_process.exec",
    "child_process.execSync",
    "exec",
    "execSync",
    "cp.exec",
    "cp.execSync",
    "child.exec",
    "child.execSync",
    "shelljs.exec",
    "shell.exec",
    "execa.command",
    "execa.commandSync",
];

/// Functions that run a program with a list of arguments.
const PROGRAMS: &[&str] = &[
    "child_process.spawn",
    "child_process.spawnSync",
    "child_process.execFile",
    "child_process.execFileSync",
    "spawn",
    "spawnSync",
    "execFile",
    "execFileSync",
    "cp.spawn",
    "cp.spawnSync",
    "cp.execFile",
    "execa",
];

const SHELL_NAMES: &[&str] = &["sh", "bash", "/bin/sh", "/bin/bash", "zsh", "cmd", "cmd.exe", "powershell"];

/// Programs with options that run commands or write files.
const WITH_RISKY_OPTIONS: &[&str] =
    &["git", "hg", "curl", "wget", "tar", "find", "rsync", "ssh", "scp", "zip", "ffmpeg", "convert", "man"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(SHELLS) {
        if let Some(command) = call.first() {
            command_text(call, command, report);
        }
        return;
    }
    if !call.is(PROGRAMS) {
        return;
    }
    let Some(program) = call.positional.first() else { return };
    if option(call, "shell").is_some_and(|shell| shell.constant.as_ref().is_none_or(crate::syntax::Constant::is_truthy))
    {
        for operand in call.positional.iter().take(2).filter(|operand| operand.value.entry("shell").is_none()) {
            command_text(call, operand, report);
        }
        return;
    }
    let message = "input names the program that is run; choose it from a fixed list";
    check_outside(call, program, Classes::SHELL, &PROGRAM, message, report);
    let Some(arguments) = call.positional.get(1) else { return };
    let items = arguments.value.items();
    let is_shell = program.value.text().is_some_and(|name| SHELL_NAMES.contains(&name));
    if is_shell && items.first().is_some_and(|first| matches!(first.text(), Some("-c" | "/c" | "-Command"))) {
        let script = Operand { value: items.get(1).unwrap_or(&arguments.value).clone(), span: arguments.span };
        command_text(call, &script, report);
        return;
    }
    let is_risky = program.value.text().is_some_and(|name| WITH_RISKY_OPTIONS.contains(&name));
    for item in items {
        if item.text() == Some("--") {
            break;
        }
        let operand = Operand { value: item.clone(), span: arguments.span };
        let message = "a value that begins with a dash is read as an option; put \"--\" before it";
        if is_risky && check_outside(call, &operand, Classes::OPTION, &OPTION, message, report) {
            break;
        }
    }
}

fn command_text(call: &Call<'_>, command: &Operand, report: &mut Report<'_>) {
    let message = "a shell reads this command and the input in it; use execFile with a list of arguments";
    if check(call, command, Classes::SHELL, &SHELL, message, report) {
        return;
    }
    let is_open = |piece: &Piece| match piece {
        Piece::Literal(_) => false,
        Piece::Hole { value, .. } => is_of_unknown_origin(value) && !is_fixed_name(value.path_text()),
    };
    if command.value.is_built() && command.value.pieces(command.span).iter().any(is_open) {
        let message = "a shell reads this command and the values in it; use execFile with a list of arguments";
        report.add(&ASSEMBLED, command.span, message, None);
    }
}

/// Whether a name is that of something fixed: a constant, a folder of this program.
fn is_fixed_name(path: &str) -> bool {
    let last = path.rsplit('.').next().unwrap_or(path);
    path.starts_with("__") || path.starts_with("process.") || last.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}
