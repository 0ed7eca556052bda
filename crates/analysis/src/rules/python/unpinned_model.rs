//! # `py/unpinned-model`, `py/remote-model-code`
//!
//! ## What it does
//!
//! Reports models and data sets that are fetched by a name whose contents can change, and those that may bring code.
//!
//! ## Why this is bad
//!
//! Whoever can push to the repository decides what is loaded here.
//!
//! ## Example
//!
//! ```python
//! from transformers import AutoModel
//! x = AutoModel.from_pretrained('team/model')
//! y = AutoModel.from_pretrained('team/model', revision='main')
//! ```
//!
//! ## Use instead
//!
//! ```python
//! from transformers import AutoModel
//! x = AutoModel.from_pretrained('team/model', revision='5d0f2e8a7f1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d')
//! ```
//!
//! ## References
//!
//! - [CWE-494](https://cwe.mitre.org/data/definitions/494.html)
//! - [CWE-94](https://cwe.mitre.org/data/definitions/94.html)
//! - [CWE-829](https://cwe.mitre.org/data/definitions/829.html)

use codeward_records::{Cwe, Level};

use crate::flow::Call;
use crate::report::Report;
use crate::rules::evidence::subject;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-494-2",
    name: "py/unpinned-model",
    cwe: &[Cwe(494)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A model or data set is fetched whose contents can change",
    fix: "pass revision= with the hash of a commit",
    examples: &[Example {
        weak: "from transformers import AutoModel\nx = «AutoModel.from_pretrained»('team/model')\ny = AutoModel.from_pretrained('team/model', revision=«'main'»)\n",
        sound: "from transformers import AutoModel\nx = AutoModel.from_pretrained('team/model', revision='5d0f2e8a7f1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d')\n",
    }],
};

pub(super) static CODE: RuleInfo = RuleInfo {
    code: "CW-PY-094-2",
    name: "py/remote-model-code",
    cwe: &[Cwe(94), Cwe(829)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A model may bring code of its own, which is run",
    fix: "leave trust_remote_code out",
    examples: &[Example {
        weak: "from transformers import AutoModel\nx = AutoModel.from_pretrained('./model', trust_remote_code=«True»)\n",
        sound: "from transformers import AutoModel\nx = AutoModel.from_pretrained('./model')\n",
    }],
};

const FETCHES: &[&str] = &["from_pretrained", "load_dataset", "hf_hub_download", "snapshot_download"];

const MODULES: &[&str] = &["transformers", "datasets", "huggingface_hub", "diffusers", "sentence_transformers"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if !FETCHES.contains(&call.method) || !MODULES.iter().any(|module| call.path.starts_with(module)) {
        return;
    }
    if let Some(trust) = call.keyword("trust_remote_code").filter(|trust| trust.value.boolean() == Some(true)) {
        report.add(&CODE, trust.span, CODE.advice(), None);
    }
    let name = subject(call, &["repo_id", "path", "pretrained_model_name_or_path"]);
    let is_local = name.is_some_and(|name| name.value.text().is_none_or(|name| name.starts_with(['.', '/', '~'])));
    if is_local || call.double_splat.is_some() {
        return;
    }
    match call.keyword("revision") {
        None => report.add(&INFO, call.callee.span, INFO.advice(), None),
        Some(revision) if revision.value.text().is_some_and(|text| !is_commit(text)) => {
            report.add(&INFO, revision.span, INFO.advice(), None);
        }
        Some(_) => {}
    }
}

/// Whether a revision is the hash of a commit, whole or shortened.
fn is_commit(revision: &str) -> bool {
    revision.len() >= 7 && revision.chars().all(|letter| letter.is_ascii_hexdigit())
}
