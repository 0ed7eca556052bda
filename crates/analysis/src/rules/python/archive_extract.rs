//! # `py/archive-extract`
//!
//! ## What it does
//!
//! Reports `tarfile` and `shutil` unpacking an archive from outside without a filter, and without a check of the members.
//! `zipfile` drops `..` and leading slashes by itself.
//!
//! ## Why this is bad
//!
//! A member called `../../home/user/.profile`, or a link, writes wherever it likes.
//!
//! ## Example
//!
//! ```python
//! tarfile.open(path).extractall(folder)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! tarfile.open(path).extractall(folder, filter="data")
//! ```
//!
//! ## References
//!
//! - [CWE-22](https://cwe.mitre.org/data/definitions/22.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-022-1",
    name: "py/archive-extract",
    cwe: &[Cwe(22)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "An archive is unpacked without a look at where its members go",
    fix: "pass filter=\"data\" or check each member's path first",
    examples: &[
        Example {
            weak: "import tarfile\ndef f(path, folder):\n    with tarfile.open(path) as archive:\n        «archive».extractall(folder)\n",
            sound: "import tarfile\ndef f(path, folder):\n    with tarfile.open(path) as archive:\n        archive.extractall(folder, filter='data')\n",
        },
        Example {
            weak: "import tarfile\ndef f(path, folder):\n    archive = tarfile.open(path)\n    for member in archive.getmembers():\n        print(member.name)\n    «archive».extractall(folder)\n",
            sound: "import os, tarfile\ndef f(path, folder):\n    archive = tarfile.open(path)\n    base = os.path.realpath(folder)\n    for member in archive.getmembers():\n        target = os.path.realpath(os.path.join(base, member.name))\n        if not target.startswith(base + os.sep):\n            raise ValueError(member.name)\n    archive.extractall(folder)\n",
        },
    ],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let advice =
        "members of this archive may be written anywhere; pass filter=\"data\" or check each member's path first";
    if call.is(&["shutil.unpack_archive"]) {
        if let Some(operand) = call.first()
            && call.keyword("filter").is_none()
            && let Some(taint) = call.live(&operand.value).taint(Classes::PATH_MEMBER)
        {
            report.add(&INFO, operand.span, advice, Some(taint));
        }
        return;
    }
    let Some(receiver) = &call.receiver else { return };
    if !call.has_method(&["extractall", "extract"]) || !receiver.value.path_text().starts_with("tarfile.") {
        return;
    }
    if let Some(filter) = call.keyword("filter") {
        let is_sound = matches!(filter.value.text(), Some("data" | "tar"))
            || matches!(filter.value.path_text(), "tarfile.data_filter" | "tarfile.tar_filter");
        if is_sound {
            return;
        }
    }
    let members = if call.method == "extract" { call.argument(0, "member") } else { call.argument(1, "members") };
    let checked = members.unwrap_or(receiver);
    if let Some(taint) = call.live(&checked.value).taint(Classes::PATH_MEMBER) {
        report.add(&INFO, checked.span, advice, Some(taint));
    }
}
