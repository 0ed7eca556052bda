//! # `py/template-injection`
//!
//! ## What it does
//!
//! Reports templates of Jinja, Mako and Django made from input.
//!
//! ## Why this is bad
//!
//! Template code reaches Python's own objects and runs commands.
//!
//! ## Example
//!
//! ```python
//! render_template_string(text)
//! ```
//!
//! ## Use instead
//!
//! ```python
//! render_template_string("<p>{{ text }}</p>", text=text)
//! ```
//!
//! ## References
//!
//! - [CWE-94](https://cwe.mitre.org/data/definitions/94.html)
//! - [CWE-1336](https://cwe.mitre.org/data/definitions/1336.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-094-1",
    name: "py/template-injection",
    cwe: &[Cwe(94), Cwe(1336)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Input is used as the source of a template",
    fix: "keep the template fixed and pass the input to it",
    examples: &[Example {
        weak: "from flask import render_template_string\ndef f(text):\n    return render_template_string(«text»)\n",
        sound: "from flask import render_template_string\ndef f(text):\n    return render_template_string('{{ text }}', text=text)\n",
    }],
};

const FUNCTIONS: &[&str] = &[
    "flask.render_template_string",
    "render_template_string",
    "jinja2.Template",
    "mako.template.Template",
    "django.template.Template",
    "tornado.template.Template",
];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let by_method = call.has_method(&["from_string"])
        && call.receiver.as_ref().is_some_and(|receiver| receiver.value.path_text().contains("Environment"));
    if (call.is(FUNCTIONS) || by_method)
        && let Some(source) = call.argument(0, "source")
        && let Some(taint) = call.live(&source.value).taint(Classes::TEMPLATE)
    {
        report.add(
            &INFO,
            source.span,
            "input is run as a template; keep the template fixed and pass the input to it",
            Some(taint),
        );
    }
}
