//! # `py/group-permissions`
//!
//! ## What it does
//!
//! Notes modes that let a group write to a file or run it.
//!
//! ## Why this is bad
//!
//! Everyone in the group can change what the owner relies on.
//!
//! ## Example
//!
//! ```python
//! import os
//! os.chmod('/etc/app.conf', 0o660)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! import os
//! os.chmod('/etc/app.conf', 0o640)
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
    code: "CW-PY-732-2",
    name: "py/group-permissions",
    cwe: &[Cwe(732)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A group may change or run a file",
    fix: "use 0o600 for files and 0o700 for folders",
    examples: &[Example {
        weak: "import os\nos.chmod('/etc/app.conf', «0o660»)\n",
        sound: "import os\nos.chmod('/etc/app.conf', 0o640)\n",
    }],
};

const GROUP: i64 = 0o030;

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if !call.is(&["os.chmod", "os.fchmod", "os.lchmod"]) {
        return;
    }
    let mode = call.argument(1, "mode").filter(|mode| mode.value.integer().is_some_and(|mode| mode & GROUP != 0));
    if let Some(mode) = mode {
        report.note(&INFO, mode.span, call.span, INFO.advice());
    }
}
