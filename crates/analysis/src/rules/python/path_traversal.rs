//! # `py/path-traversal`
//!
//! ## What it does
//!
//! Reports files that are opened, written or removed under a folder by a name that came from outside, when nothing has
//! made sure that the result stays in the folder.
//!
//! ## Why this is bad
//!
//! `..` climbs out of the folder, and an absolute name replaces it altogether.
//!
//! ## Example
//!
//! ```python
//! open(os.path.join(folder, name))
//! ```
//!
//! ## Use instead
//!
//! ```python
//! path = os.path.realpath(os.path.join(folder, name))
//! if not path.startswith(os.path.realpath(folder) + os.sep):
//!     raise ValueError("outside the folder")
//! open(path)
//! ```
//!
//! ## References
//!
//! - [CWE-22](https://cwe.mitre.org/data/definitions/22.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Operand, Piece, ValueRef};
use crate::report::Report;
use crate::rules::evidence::is_parameter_itself;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-022-2",
    name: "py/path-traversal",
    cwe: &[Cwe(22)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "A file's path is put together from input that may leave its folder",
    fix: "resolve the path and check that it is still inside the folder",
    examples: &[Example {
        weak: "import os\ndef f(folder, name):\n    return open(«os.path.join(folder, name)», encoding='utf-8')\n",
        sound: "import os\ndef f(folder, name):\n    return open(os.path.join(folder, os.path.basename(name)), encoding='utf-8')\n",
    }],
};

/// Functions that take a path first.
const FUNCTIONS: &[&str] = &[
    "open",
    "os.open",
    "os.remove",
    "os.unlink",
    "os.rmdir",
    "os.removedirs",
    "os.listdir",
    "os.scandir",
    "os.makedirs",
    "os.mkdir",
    "os.rename",
    "os.replace",
    "os.symlink",
    "os.link",
    "os.truncate",
    "os.chmod",
    "shutil.copy",
    "shutil.copy2",
    "shutil.copyfile",
    "shutil.copytree",
    "shutil.move",
    "shutil.rmtree",
    "flask.send_file",
    "aiofiles.open",
    "gzip.open",
    "bz2.open",
    "lzma.open",
    "zipfile.ZipFile",
    "tarfile.open",
    "numpy.load",
    "pandas.read_csv",
    "linecache.getlines",
    "send_file",
    "os.walk",
];

/// Methods of a path.
const METHODS: &[&str] = &[
    "read_text",
    "read_bytes",
    "write_text",
    "write_bytes",
    "open",
    "unlink",
    "rmdir",
    "mkdir",
    "iterdir",
    "rename",
    "touch",
    "replace",
    "symlink_to",
];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(FUNCTIONS) {
        for operand in call.positional.iter().take(2) {
            check(call, operand, report);
        }
        for keyword in ["file", "path", "src", "dst"] {
            if let Some(operand) = call.keyword(keyword) {
                check(call, operand, report);
            }
        }
    } else if call.has_method(METHODS) {
        if let Some(receiver) = call.receiver.as_ref().filter(|receiver| receiver.value.path_text() == "pathlib.Path()")
        {
            check(call, receiver, report);
        }
    } else if call.has_method(&["get_contents_to_filename", "extract_to", "fget_object"])
        && let Some(target) = call.positional.last()
    {
        check(call, target, report);
    } else if call.has_method(&["download_file"])
        && let Some(target) = call.argument(2, "Filename")
    {
        check(call, target, report);
    } else if call.has_method(&["save"])
        && let Some(target) = call.first()
    {
        check(call, target, report);
    }
}

fn check(call: &Call<'_>, operand: &Operand, report: &mut Report<'_>) {
    let value = call.live(&operand.value);
    let classes = Classes::PATH_UP | Classes::PATH_ABSOLUTE;
    let Some(taint) = value.taint(classes) else { return };
    if is_parameter_itself(&value) || is_suffixed_parameter(&value, operand, classes) {
        return;
    }
    report.add(
        &INFO,
        operand.span,
        "this path is put together from input that may leave its folder; resolve it and check that it is still inside",
        Some(taint),
    );
}

/// `path + ".txt"`: still the path that the caller chose, not a name inside a folder.
fn is_suffixed_parameter(value: &ValueRef, operand: &Operand, classes: Classes) -> bool {
    let pieces = value.pieces(operand.span);
    let [Piece::Hole { value: first, .. }, rest @ ..] = pieces.as_slice() else { return false };
    !rest.is_empty()
        && is_parameter_itself(first)
        && rest.iter().all(|piece| match piece {
            Piece::Literal(text) => !text.contains('/'),
            Piece::Hole { value, .. } => !value.is_tainted(classes),
        })
}
