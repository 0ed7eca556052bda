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

use crate::flow::{Call, Classes, Operand, Piece, Shape, SourceKind, ValueRef};
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
    fix: "pass the value through html.escape first",
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

/// A text that a web framework sends as a page.
pub(super) fn responded(page: &Operand, report: &mut Report<'_>) {
    let value = page.value.items().first().unwrap_or(&page.value);
    let is_request = |label: &str| label.starts_with("flask.request") || label.starts_with("bottle.request");
    let is_text = value.is_built() || is_request(value.path_text());
    if !is_text || has_tag(&value.outline()) {
        return;
    }
    if let Some(taint) = value.taint(Classes::HTML_TAG).filter(|taint| is_request(&taint.source.label)) {
        let message = "input is sent as a page without being escaped; pass it through html.escape first";
        report.add(&INFO, page.span, message, Some(taint));
    }
}

/// `form.errors.as_json()`, unless asked to escape.
fn is_error_list(value: &ValueRef) -> bool {
    let Shape::Called { keywords, .. } = &value.shape else { return false };
    value.path_text().ends_with(".errors.as_json()") && keywords.is_empty()
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let is_page = call.is(&["flask.make_response", "flask.Response"])
        && !["mimetype", "content_type"].iter().any(|keyword| call.keyword(keyword).is_some());
    let writes = is_page
        || call.has_method(&["write"])
            && call
                .receiver
                .as_ref()
                .is_some_and(|stream| stream.value.path_text().rsplit('.').next() == Some("wfile"))
        || matches!(call.path, "self.response.write" | "self.response.out.write" | "self.wfile.write" | "self.write");
    let is_answer = call.method.starts_with("HttpResponse") && !call.method.contains("Redirect");
    if !call.is(MARKS_SAFE) && !writes && !is_answer {
        return;
    }
    let Some(operand) = call.first() else { return };
    if is_error_list(&operand.value) {
        let message = "the messages of a form repeat what was sent; write as_json(escape_html=True)";
        report.add(&INFO, operand.span, message, None);
    }
    // `make_response((page, headers))`: the headers are no HTML.
    let page = operand.value.items().first().filter(|_| is_page).unwrap_or(&operand.value);
    let value = call.live(page);
    let Some(taint) = value.taint(Classes::HTML_TAG) else { return };
    if call.is(MARKS_SAFE) || taint.source.kind == SourceKind::Outside {
        let message = "input is sent as HTML without being escaped; pass it through html.escape first";
        report.add(&INFO, operand.span, message, Some(taint));
    }
}
