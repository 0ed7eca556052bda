//! # `py/upload-any-kind`
//!
//! ## What it does
//!
//! Reports files written under the name that came with an upload, when its extension was not compared with a list of allowed
//! ones. The names in the code have to say that it is an upload or a picture.
//!
//! ## Why this is bad
//!
//! A page or a script is stored where a picture was meant, and is served or run.
//!
//! ## Example
//!
//! ```python
//! open(os.path.join(folder, os.path.basename(upload_name)), "wb")
//! ```
//!
//! ## Use instead
//!
//! ```python
//! if not upload_name.lower().endswith((".png", ".jpg")):
//!     raise ValueError("not a picture")
//! ```
//!
//! ## References
//!
//! - [CWE-434](https://cwe.mitre.org/data/definitions/434.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Operand, SourceKind};
use crate::report::Report;
use crate::rules::evidence::{is_parameter_itself, words};
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-434-1",
    name: "py/upload-any-kind",
    cwe: &[Cwe(434)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "An uploaded file keeps a name whose kind was not checked",
    fix: "compare the extension with a list of allowed ones first",
    examples: &[Example {
        weak: "import os\ndef save_upload(folder, name, data):\n    with open(«os.path.join(folder, os.path.basename(name))», 'wb') as handle:\n        handle.write(data)\n",
        sound: "import os\ndef save_upload(folder, name, data):\n    if not name.endswith(('.png', '.jpg')):\n        raise ValueError\n    with open(os.path.join(folder, os.path.basename(name)), 'wb') as handle:\n        handle.write(data)\n",
    }],
};

/// Words that say that a file comes from a visitor.
const UPLOAD_WORDS: &[&str] = &["upload", "uploaded", "picture", "image", "photo", "avatar", "attachment", "thumbnail"];

fn is_upload_name(name: &str) -> bool {
    words(name).iter().any(|word| UPLOAD_WORDS.contains(&word.as_str()))
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let writes = |mode: Option<&Operand>| {
        mode.is_some_and(|mode| mode.value.text().is_some_and(|mode| mode.contains(['w', 'x'])))
    };
    let path = match call.path {
        "open" if writes(call.argument(1, "mode")) => call.first(),
        _ if call.has_method(&["write_bytes"]) => call.receiver.as_ref(),
        _ if call.has_method(&["save"]) => call.first(),
        _ => None,
    };
    let Some(path) = path else { return };
    let value = call.live(&path.value);
    let Some(taint) = value.taint(Classes::EXTENSION) else { return };
    let is_upload =
        is_upload_name(&call.place.function) || call.method == "save" && taint.source.kind == SourceKind::Outside;
    if is_upload && !is_parameter_itself(&value) {
        let message = "an upload is stored with any extension; compare it with a list of allowed ones first";
        report.add(&INFO, path.span, message, Some(taint));
    }
}
