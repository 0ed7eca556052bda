//! # `py/shell-used`, `py/shell-wildcard`, `py/relative-program`, `py/download-piped-to-shell`
//!
//! ## What it does
//!
//! Notes commands that a shell reads or that are looked up along the search path, patterns that match options, and scripts
//! run as they come from the network.
//!
//! ## Why this is bad
//!
//! A shell gives meaning to more characters than the author may have thought of.
//!
//! ## Example
//!
//! ```python
//! import os, subprocess
//! os.system('ls -l')
//! subprocess.run('ls -l', shell=True)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! import subprocess
//! subprocess.run(['/bin/ls', '-l'])
//! ```
//!
//! ## References
//!
//! - [CWE-78](https://cwe.mitre.org/data/definitions/78.html)
//! - [CWE-155](https://cwe.mitre.org/data/definitions/155.html)
//! - [CWE-88](https://cwe.mitre.org/data/definitions/88.html)
//! - [CWE-426](https://cwe.mitre.org/data/definitions/426.html)
//! - [CWE-494](https://cwe.mitre.org/data/definitions/494.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Operand};
use crate::report::Report;
use crate::rules::evidence::{may_be_true, subject};
use crate::rules::{Example, RuleInfo};

pub(super) static SHELL: RuleInfo = RuleInfo {
    code: "CW-PY-078-3",
    name: "py/shell-used",
    cwe: &[Cwe(78)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "A command goes through a shell",
    fix: "pass a list of arguments without a shell",
    examples: &[Example {
        weak: "import os, subprocess\n«os.system»('ls -l')\nsubprocess.run('ls -l', shell=«True»)\n",
        sound: "import subprocess\nsubprocess.run(['/bin/ls', '-l'])\n",
    }],
};

pub(super) static WILDCARD: RuleInfo = RuleInfo {
    code: "CW-PY-155-1",
    name: "py/shell-wildcard",
    cwe: &[Cwe(155), Cwe(88)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A pattern in a command may match names that are read as options",
    fix: "write ./* or put -- before it",
    examples: &[Example {
        weak: "import os\nos.system(«'chown root *'»)\n",
        sound: "import os\nos.system('chown root -- *')\n",
    }],
};

pub(super) static RELATIVE: RuleInfo = RuleInfo {
    code: "CW-PY-426-1",
    name: "py/relative-program",
    cwe: &[Cwe(426)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "A program is looked up along the search path",
    fix: "name it by its whole path",
    examples: &[Example {
        weak: "import subprocess\nsubprocess.run([«'ls'», '-l'])\n",
        sound: "import subprocess\nsubprocess.run(['/bin/ls', '-l'])\n",
    }],
};

pub(super) static DOWNLOAD: RuleInfo = RuleInfo {
    code: "CW-PY-494-1",
    name: "py/download-piped-to-shell",
    cwe: &[Cwe(494)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A script is run as it comes from the network",
    fix: "download it, compare its digest, then run it",
    examples: &[Example {
        weak: "import os\nos.system(«'curl -s https://example.org/install.sh | sh'»)\n",
        sound: "import os\nos.system('curl -s -o install.sh https://example.org/install.sh')\n",
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
    "popen2.popen4",
    "popen2.Popen3",
    "popen2.Popen4",
    "asyncio.create_subprocess_shell",
];

const STARTS: &[&str] =
    &["subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.check_output", "subprocess.Popen"];

/// Programs that read names as options.
const READ_OPTIONS: &[&str] = &["chown", "chmod", "tar", "rsync"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let is_remote = call.has_method(&["exec_command"]);
    let is_start = call.is(STARTS);
    let asked = call.keyword("shell").filter(|shell| may_be_true(shell));
    let Some(command) = subject(call, &["args", "cmd", "command"]) else { return };
    if call.is(ALWAYS) || is_remote {
        report.note(&SHELL, call.callee.span, call.span, SHELL.advice());
        text(command, report);
    } else if let Some(asked) = asked {
        report.note(&SHELL, asked.span, call.span, SHELL.advice());
        text(command, report);
    }
    if is_start {
        relative(call, command, report);
    }
}

/// What the text of a command says, whoever wrote it.
fn text(command: &Operand, report: &mut Report<'_>) {
    let outline = command.value.outline();
    let mut words = outline.split_whitespace();
    let program = words.next().and_then(|program| program.rsplit('/').next()).unwrap_or_default();
    if READ_OPTIONS.contains(&program) && words.clone().any(|word| word == "*") && !words.any(|word| word == "--") {
        report.add(&WILDCARD, command.span, WILDCARD.advice(), None);
    }
    let mut commands = outline.split('|').map(|command| command.split_whitespace().next().unwrap_or_default());
    let is_download = commands.next().is_some_and(|first| matches!(first, "curl" | "wget"));
    if is_download && commands.any(|next| matches!(next, "sh" | "bash" | "sudo" | "python" | "python3" | "perl")) {
        report.add(&DOWNLOAD, command.span, DOWNLOAD.advice(), None);
    }
}

fn relative(call: &Call<'_>, command: &Operand, report: &mut Report<'_>) {
    let first = command.value.items().first();
    let Some(program) = command.value.text().or_else(|| first.and_then(|first| first.text())) else { return };
    if !program.is_empty() && !program.contains(['/', '\\', ':']) {
        // In a list only the program is to blame. A program that was put together elsewhere does not stand here.
        let span = first.and_then(|_| report.quoted(command.span, program)).unwrap_or(command.span);
        report.note(&RELATIVE, span, call.span, RELATIVE.advice());
    }
}
