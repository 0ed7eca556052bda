//! # `py/autoescape-off`
//!
//! ## What it does
//!
//! Reports Jinja environments without `autoescape`, and Mako templates without default filters.
//!
//! ## Why this is bad
//!
//! Every value in every template has to be escaped by hand.
//!
//! ## Example
//!
//! ```python
//! jinja2.Environment(loader=loader)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! jinja2.Environment(loader=loader, autoescape=True)
//! ```
//!
//! ## References
//!
//! - [CWE-79](https://cwe.mitre.org/data/definitions/79.html)

use codeward_records::{Cwe, Level};

use crate::flow::Call;
use crate::report::Report;
use crate::rules::evidence::is_literally_false;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-079-1",
    name: "py/autoescape-off",
    cwe: &[Cwe(79)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A template engine does not escape what it inserts",
    fix: "create the environment with autoescape=True",
    examples: &[Example {
        weak: "import jinja2\nenv = «jinja2.Environment»(loader=jinja2.FileSystemLoader('.'))\n",
        sound: "import jinja2\nenv = jinja2.Environment(loader=jinja2.FileSystemLoader('.'), autoescape=True)\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let message = "values are inserted as they come; pass autoescape=True";
    if call.is(&["jinja2.Environment", "jinja2.sandbox.SandboxedEnvironment", "Environment"]) {
        if call.path == "Environment" && call.keyword("loader").is_none() {
            return;
        }
        match call.keyword("autoescape") {
            None => {
                let by_mapping =
                    call.double_splat.as_ref().is_some_and(|options| options.value.entry("autoescape").is_some());
                if !by_mapping {
                    report.add(&INFO, call.callee.span, message, None);
                }
            }
            Some(state) if is_literally_false(state) => report.add(&INFO, state.span, message, None),
            Some(_) => {}
        }
    }
    if call.is(&["mako.template.Template", "mako.lookup.TemplateLookup"]) && call.keyword("default_filters").is_none() {
        report.add(&INFO, call.callee.span, "values are inserted as they come; pass default_filters=[\"h\"]", None);
    }
}
