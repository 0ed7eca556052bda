//! # `py/unsafe-deserialisation`
//!
//! ## What it does
//!
//! Reports `pickle`, `marshal`, `shelve`, YAML without a safe loader, and the like.
//!
//! ## Why this is bad
//!
//! These formats name functions to call while they are read.
//!
//! ## Example
//!
//! ```python
//! pickle.loads(data)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! json.loads(data)
//! ```
//!
//! ## References
//!
//! - [CWE-502](https://cwe.mitre.org/data/definitions/502.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Shape, ValueRef};
use crate::report::Report;
use crate::rules::evidence::may_be_true;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-502-1",
    name: "py/unsafe-deserialisation",
    cwe: &[Cwe(502)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Data is decoded by a format that runs code",
    fix: "use json, or ast.literal_eval for literals",
    examples: &[Example {
        weak: "import pickle, yaml\ndef f(data, text):\n    return pickle.loads(«data»), yaml.load(«text», Loader=yaml.Loader)\n",
        sound: "import json, yaml\ndef f(data, text):\n    return json.loads(data), yaml.load(text, Loader=yaml.SafeLoader)\n",
    }],
};

const FUNCTIONS: &[&str] = &[
    "pickle.load",
    "pickle.loads",
    "pickle.Unpickler",
    "dill.load",
    "dill.loads",
    "cloudpickle.load",
    "cloudpickle.loads",
    "marshal.load",
    "marshal.loads",
    "shelve.open",
    "shelve.DbfilenameShelf",
    "jsonpickle.decode",
    "jsonpickle.loads",
    "joblib.load",
    "pandas.read_pickle",
    "yaml.unsafe_load",
    "yaml.unsafe_load_all",
    "torch.load",
    "numpy.load",
    "yaml.load",
    "yaml.load_all",
    "dill.Unpickler",
];

/// A literal, as it is or decoded.
fn is_written_here(data: &ValueRef) -> bool {
    let is_decoded = ["base64.", "binascii.", "bytes.fromhex"].iter().any(|path| data.path_text().starts_with(path));
    match &data.shape {
        Shape::Called { positional, .. } if is_decoded => positional.iter().all(|argument| argument.is_literal()),
        _ => data.is_literal(),
    }
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if !call.is(FUNCTIONS) {
        return;
    }
    let Some(data) = call.first() else { return };
    let is_safe = match call.path {
        "yaml.load" | "yaml.load_all" => {
            call.argument(1, "Loader").is_some_and(|loader| {
                loader.value.path_text().contains("Safe") || loader.value.path_text().ends_with("BaseLoader")
            }) || data.value.text().is_some()
        }
        "torch.load" => call.keyword("weights_only").is_some_and(may_be_true),
        "numpy.load" => !call.keyword("allow_pickle").is_some_and(may_be_true),
        // What this very expression has encoded may be decoded.
        _ => is_written_here(&data.value) || data.value.path_text() == "pickle.dumps()",
    };
    if !is_safe {
        let value = call.live(&data.value);
        let message = "decoding this data can run code; use json, or ast.literal_eval for literals";
        report.add(&INFO, data.span, message, value.taint(Classes::PICKLE));
    }
}
