//! # `py/option-injection`
//!
//! ## What it does
//!
//! Reports input that is an argument of its own, before any `--`, of a program whose options can run commands or write files.
//!
//! ## Why this is bad
//!
//! A value such as `--upload-pack=...` or `--checkpoint-action=exec=...` makes the program do something else.
//!
//! ## Example
//!
//! ```python
//! subprocess.run(["git", "clone", url])
//! ```
//!
//! ## Use instead
//!
//! ```python
//! subprocess.run(["git", "clone", "--", url])
//! ```
//!
//! ## References
//!
//! - [CWE-88](https://cwe.mitre.org/data/definitions/88.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes};
use crate::report::Report;
use crate::rules::evidence::subject;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-088-1",
    name: "py/option-injection",
    cwe: &[Cwe(88)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input may be read as an option of a program",
    fix: "put `--` before it or refuse such values",
    examples: &[Example {
        weak: "import subprocess\ndef f(url):\n    subprocess.run(«['git', 'clone', url]»)\n",
        sound: "import subprocess\ndef f(url):\n    subprocess.run(['git', 'clone', '--', url])\n",
    }],
};

/// Programs with options that run commands, or read and write files elsewhere.
const PROGRAMS: &[&str] = &[
    "git", "hg", "svn", "tar", "find", "rsync", "ssh", "scp", "curl", "wget", "zip", "unzip", "sort", "awk", "sed",
    "man", "less", "ffmpeg", "convert", "gpg", "psql", "mysql", "openssl", "docker", "pip", "npm", "make", "7z",
    "xargs", "date", "tee", "cp", "mv", "rm", "chmod", "chown",
];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let runs =
        call.path.starts_with("subprocess.") || call.is(&["os.execvp", "os.execv", "asyncio.create_subprocess_exec"]);
    let Some(command) = subject(call, &["args"]).filter(|_| runs) else { return };
    let items = command.value.items();
    let Some(program) = items.first().and_then(|program| program.text()) else { return };
    if !PROGRAMS.contains(&program.rsplit('/').next().unwrap_or(program)) {
        return;
    }
    for (at, item) in items.iter().enumerate().skip(1) {
        if item.text() == Some("--") {
            return;
        }
        let is_value_of_option = items[at - 1].text().is_some_and(|before| before.starts_with('-'));
        let item = call.live(item);
        if let Some(taint) = item.taint(Classes::OPTION).filter(|_| !is_value_of_option) {
            report.add(
                &INFO,
                command.span,
                "an argument of this command comes from input and may start with `-`; put `--` before it or refuse such values",
                Some(taint),
            );
        }
    }
}
