//! # `py/html-unescaped`
//!
//! ## What it does
//!
//! Reports input in a text that holds HTML tags, and input marked as safe HTML.
//!
//! ## Why this is bad
//!
//! `<script>` in the input runs in the reader's browser.
//!
//! ## Example
//!
//! ```python
//! f"<p>Hello, {name}</p>"
//! ```
//!
//! ## Use instead
//!
//! ```python
//! f"<p>Hello, {html.escape(name)}</p>"
//! ```
//!
//! ## References
//!
//! - [CWE-79](https://cwe.mitre.org/data/definitions/79.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Operand, Piece, SourceKind};
use crate::report::Report;
use crate::rules::evidence::{has_tag, needed_in_page};
use crate::rules::{Example, RuleInfo};

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-079-2",
    name: "py/html-unescaped",
    cwe: &[Cwe(79)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "Input stands in HTML without being escaped",
    fix: "pass it through html.escape first",
    examples: &[Example {
        weak: "import html\ndef f(name, age):\n    return f'<p>{html.escape(name)}, {«age»}</p>'\n",
        sound: "import html\ndef f(name, age):\n    return f'<p>{html.escape(name)}, {int(age)}</p>'\n",
    }],
};

const MARKS_SAFE: &[&str] = &[
    "markupsafe.Markup",
    "django.utils.safestring.mark_safe",
    "django.utils.safestring.SafeString",
    "Markup",
    "mark_safe",
    "jinja2.Markup",
    "django.utils.html.format_html_join",
];

pub(super) fn text(text: &Operand, report: &mut Report<'_>) {
    if !text.value.is_built() || !has_tag(&text.value.outline()) {
        return;
    }
    let mut before = String::new();
    for piece in text.value.pieces(text.span) {
        match piece {
            Piece::Literal(literal) => before.push_str(&literal),
            Piece::Hole { value, span } => {
                if let Some(taint) = value.taint(needed_in_page(&before)) {
                    let message = "this value stands in HTML as it came; pass it through html.escape first";
                    report.add(&INFO, span, message, Some(taint));
                }
                before.push('\0');
            }
        }
    }
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let is_page = call.is(&["flask.make_response", "flask.Response"])
        && !["mimetype", "content_type"].iter().any(|keyword| call.keyword(keyword).is_some());
    let writes = is_page
        || matches!(call.path, "self.response.write" | "self.response.out.write" | "self.wfile.write" | "self.write");
    if !call.is(MARKS_SAFE) && !writes && !call.path.ends_with("HttpResponse") {
        return;
    }
    let Some(operand) = call.first() else { return };
    let value = call.live(&operand.value);
    let Some(taint) = value.taint(Classes::HTML_TAG) else { return };
    if call.is(MARKS_SAFE) || taint.source.kind == SourceKind::Outside {
        let message = "input is sent as HTML without being escaped; pass it through html.escape first";
        report.add(&INFO, operand.span, message, Some(taint));
    }
}
