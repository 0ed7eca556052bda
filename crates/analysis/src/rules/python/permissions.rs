//! # `py/loose-permissions`
//!
//! ## What it does
//!
//! Reports modes, given explicitly, that let everyone read or write, `os.open` that creates a file without a mode, and `umask(0)`.
//!
//! ## Why this is bad
//!
//! Every account on the machine can read or change the file.
//!
//! ## Example
//!
//! ```python
//! os.chmod(path, 0o666)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! os.chmod(path, 0o600)
//! ```
//!
//! ## References
//!
//! - [CWE-732](https://cwe.mitre.org/data/definitions/732.html)

use codeward_records::{Cwe, Level};

use crate::flow::Call;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-732-1",
    name: "py/loose-permissions",
    cwe: &[Cwe(732)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Others are given access to a file",
    fix: "use 0o600 for files and 0o700 for folders",
    examples: &[Example {
        weak: "import os\ndef f(path):\n    os.chmod(path, «0o777»)\n    os.open(path, «os.O_WRONLY | os.O_CREAT»)\n    os.umask(«0»)\n",
        sound: "import os\ndef f(path):\n    os.chmod(path, 0o600)\n    os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)\n    os.umask(0o077)\n",
    }],
};

const OTHERS: i64 = 0o007;

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let message = "this mode gives everyone access; use 0o600 for files and 0o700 for folders";
    let mode = match call.path {
        "os.chmod" | "os.mkdir" | "os.makedirs" | "os.mkfifo" | "os.mknod" | "os.fchmod" | "os.lchmod" => {
            call.argument(1, "mode")
        }
        "os.open" => call.argument(2, "mode"),
        "os.umask" => {
            if let Some(mask) =
                call.first().filter(|mask| mask.value.integer().is_some_and(|mask| mask & OTHERS != OTHERS))
            {
                report.add(&INFO, mask.span, "new files will be open to everyone; use os.umask(0o077)", None);
            }
            return;
        }
        _ if call.has_method(&["chmod"]) => call.first(),
        _ if call.has_method(&["touch", "mkdir"]) => call.keyword("mode"),
        _ => return,
    };
    if let Some(mode) = mode {
        if mode.value.integer().is_some_and(|mode| mode & OTHERS != 0) {
            report.add(&INFO, mode.span, message, None);
        }
    } else if call.path == "os.open"
        && let Some(flags) = call.positional.get(1)
        && flags.value.integer().is_some_and(|flags| flags & 0o100 != 0)
    {
        report.add(&INFO, flags.span, "a file created without a mode is open to everyone; pass 0o600", None);
    }
}
