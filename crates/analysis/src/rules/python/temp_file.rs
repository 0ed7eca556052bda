//! # `py/insecure-temp-file`
//!
//! ## What it does
//!
//! Reports `tempfile.mktemp`, and files of a fixed name in a shared folder.
//!
//! ## Why this is bad
//!
//! Someone else can create the file first, or put a link in its place.
//!
//! ## Example
//!
//! ```python
//! open("/tmp/report.txt", "w")
//! ```
//!
//! ## Use instead
//!
//! ```python
//! tempfile.NamedTemporaryFile("w", delete=False)
//! ```
//!
//! ## References
//!
//! - [CWE-377](https://cwe.mitre.org/data/definitions/377.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Labels, Piece, Shape, ValueRef};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-377-1",
    name: "py/insecure-temp-file",
    cwe: &[Cwe(377)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A temporary file has a name that others know",
    fix: "use tempfile.mkstemp or NamedTemporaryFile",
    examples: &[Example {
        weak: "import tempfile\ndef f(text):\n    path = «tempfile.mktemp»()\n    open(«'/tmp/out.txt'», 'w').write(text)\n    return path\n",
        sound: "import tempfile\ndef f(text):\n    with tempfile.NamedTemporaryFile('w', delete=False) as handle:\n        handle.write(text)\n",
    }],
};

const FOLDERS: &[&str] = &["/tmp/", "/var/tmp/", "/dev/shm/"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(&["tempfile.mktemp", "os.tempnam", "os.tmpnam"]) {
        let message = "the name is free only until someone else takes it; use tempfile.mkstemp or NamedTemporaryFile";
        report.add(&INFO, call.callee.span, message, None);
        return;
    }
    let is_write = call.has_method(&["write_text", "write_bytes", "touch"])
        || call
            .argument(1, "mode")
            .is_some_and(|mode| mode.value.text().is_some_and(|mode| mode.contains(['w', 'a', 'x', '+'])))
        || call.path == "os.open";
    let path = if call.is(&["open", "os.open"]) {
        call.first()
    } else if call.has_method(&["write_text", "write_bytes", "open", "touch"]) {
        call.receiver.as_ref()
    } else {
        None
    };
    if let Some(path) = path.filter(|path| is_write && is_shared(&path.value)) {
        let message = "everyone can foresee this name in a shared folder; use tempfile.mkstemp or NamedTemporaryFile";
        report.add(&INFO, path.span, message, None);
    }
}

/// Whether a path is a foreseeable name in a shared folder.
fn is_shared(path: &ValueRef) -> bool {
    if let Some(text) = path.text() {
        return FOLDERS.iter().any(|folder| text.starts_with(folder));
    }
    if path.labels.has(Labels::STRONG_RANDOM) {
        return false;
    }
    match &path.shape {
        Shape::Called { positional, .. } => match positional.as_ref() {
            [only] => is_shared(only),
            [folder, names @ ..] => is_shared_folder(folder) && names.iter().all(|name| name.is_literal()),
            [] => false,
        },
        Shape::Text(pieces) => match pieces.as_ref() {
            [Piece::Hole { value, .. }, Piece::Literal(_)] => is_shared_folder(value),
            [Piece::Literal(first), ..] => FOLDERS.iter().any(|folder| first.starts_with(folder)),
            _ => false,
        },
        _ => false,
    }
}

fn is_shared_folder(folder: &ValueRef) -> bool {
    folder.path_text() == "tempfile.gettempdir()"
        || folder
            .text()
            .is_some_and(|text| FOLDERS.iter().any(|shared| shared.trim_end_matches('/') == text.trim_end_matches('/')))
        || matches!(&folder.shape, Shape::Called { positional, .. } if folder.path_text() == "pathlib.Path()" && matches!(positional.as_ref(), [only] if is_shared_folder(only)))
}
