//! # HTML: `js/html-sink`, `js/html-assembled`, `js/html-unescaped`, `js/react-html`, `js/html-sent`
//!
//! ## What it does
//!
//! Reports input, and values of unknown origin between tags, that a browser reads as HTML.
//!
//! ## Why this is bad
//!
//! `<script>` in the input runs in the reader's browser.
//!
//! ## Example
//!
//! ```javascript
//! element.innerHTML = name;
//! ```
//!
//! ## Use instead
//!
//! ```javascript
//! element.textContent = name;
//! ```
//!
//! ## References
//!
//! - [CWE-79](https://cwe.mitre.org/data/definitions/79.html)

use codeward_records::{Cwe, Level};

use super::{check, is_of_unknown_origin, outside};
use crate::flow::{Call, Classes, Operand, Piece, Shape, Taint, ValueRef};
use crate::report::Report;
use crate::rules::evidence::{has_tag, needed_in_page};
use crate::rules::{Example, RuleInfo};
use crate::syntax::Span;

pub(super) static SINK: RuleInfo = RuleInfo {
    code: "CW-JS-079-1",
    name: "js/html-sink",
    cwe: &[Cwe(79)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A page takes input for HTML",
    fix: "set textContent instead, or clean the HTML first",
    examples: &[
        Example {
            weak: "function f(element, name) { element.innerHTML = «name»; }\n",
            sound: "function f(element, name) { element.textContent = name; }\n",
        },
        Example {
            weak: "document.write(«location.hash»);\n",
            sound: "document.write(encodeURIComponent(location.hash));\n",
        },
        Example { weak: "$('#title').html(«$('#name').val()»);\n", sound: "$('#title').text($('#name').val());\n" },
    ],
};

pub(super) static ASSEMBLED: RuleInfo = RuleInfo {
    code: "CW-JS-079-2",
    name: "js/html-assembled",
    cwe: &[Cwe(79)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A page takes for HTML what is put together from values of unknown origin",
    fix: "make the elements and set their text",
    examples: &[Example {
        weak: "$('#list').append('<li>' + «elem.name» + '</li>');\n",
        sound: "$('#list').append($('<li/>').text(elem.name));\n",
    }],
};

pub(super) static PAGE: RuleInfo = RuleInfo {
    code: "CW-JS-079-3",
    name: "js/html-unescaped",
    cwe: &[Cwe(79)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "Input stands in HTML without being escaped",
    fix: "escape it first",
    examples: &[Example {
        weak: "export const f = (name) => `<p>Hello, ${«name»}</p>`;\n",
        sound: "import escapeHtml from 'escape-html';\nexport const f = (name) => `<p>Hello, ${escapeHtml(name)}</p>`;\n",
    }],
};

pub(super) static REACT: RuleInfo = RuleInfo {
    code: "CW-JS-079-4",
    name: "js/react-html",
    cwe: &[Cwe(79)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "React is told to take a value for HTML",
    fix: "let React write the value as text, or clean the HTML first",
    examples: &[Example {
        weak: "export function Comment(props) { return <div dangerouslySetInnerHTML={{ __html: «props.body» }} />; }\n",
        sound: "import DOMPurify from 'dompurify';\nexport function Comment(props) { return <div dangerouslySetInnerHTML={{ __html: DOMPurify.sanitize(props.body) }} />; }\n",
    }],
};

pub(super) static SENT: RuleInfo = RuleInfo {
    code: "CW-JS-079-5",
    name: "js/html-sent",
    cwe: &[Cwe(79)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A request's input is sent back as HTML",
    fix: "escape it first, or send JSON",
    examples: &[Example {
        weak: "const app = require('express')();\napp.get('/', (req, res) => { res.send(«'Hello ' + req.query.name»); });\n",
        sound: "const app = require('express')();\napp.get('/', (req, res) => { res.json({ name: req.query.name }); });\n",
    }],
};

const STORES: &[&str] = &["innerHTML", "outerHTML", "srcdoc"];

/// Methods of elements found by `$` that take a text for HTML.
const QUERY_SINKS: &[&str] = &[
    "html",
    "append",
    "prepend",
    "after",
    "before",
    "appendTo",
    "prependTo",
    "replaceWith",
    "wrap",
    "insertAfter",
    "insertBefore",
];

const MESSAGE: &str = "a browser reads this as HTML, with the input in it; set the text instead, or escape the input";

pub(super) fn store(_: &Operand, name: &str, value: &Operand, report: &mut Report<'_>) {
    if STORES.contains(&name) {
        sink(&value.value, value.span, report);
    }
}

pub(super) fn entry(name: &str, value: &Operand, report: &mut Report<'_>) {
    if name != "__html" {
        return;
    }
    let taint = value.value.taint(Classes::HTML_TAG);
    if taint.is_some() || is_of_unknown_origin(&value.value) {
        report.add(&REACT, value.span, "React writes this as HTML, whatever is in it; clean it first", taint);
    }
}

/// A place where a text becomes part of a page.
fn sink(value: &ValueRef, span: Span, report: &mut Report<'_>) {
    if value.is_built() && has_tag(&value.outline()) {
        // Each hole is judged by where it stands.
        holes(value, span, true, report);
        return;
    }
    if let Some(taint) = value.taint(Classes::HTML_TAG) {
        report.add(&SINK, span, MESSAGE, Some(taint));
    }
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let live = |operand: &Operand| call.live(&operand.value);
    if call.is(&["document.write", "document.writeln"]) {
        for operand in &call.positional {
            sink(&live(operand), operand.span, report);
        }
    } else if call.has_method(&["insertAdjacentHTML", "createContextualFragment", "parseFromString", "setHTMLUnsafe"]) {
        if let Some(last) = call.positional.iter().rev().nth(usize::from(call.method == "parseFromString")) {
            sink(&live(last), last.span, report);
        }
    } else if call.has_method(QUERY_SINKS) && call.path.starts_with("jquery()") {
        if let Some(first) = call.first() {
            sink(&live(first), first.span, report);
        }
    } else if call.path == "jquery" {
        let Some(first) = call.first() else { return };
        let value = live(first);
        if value.outline().trim_start().starts_with('<') {
            sink(&value, first.span, report);
        } else if let Some(taint) = outside(&value, Classes::HTML_TAG).filter(|_| taint_starts(&value)) {
            report.add(
                &SINK,
                first.span,
                "a selector that begins with a tag is read as HTML; use find instead",
                Some(taint),
            );
        }
    } else if call.is(&["res.send", "res.write", "res.end"]) {
        let Some(first) = call.first() else { return };
        let value = live(first);
        if value.is_built() && has_tag(&value.outline()) {
            return;
        }
        if let Some(taint) = outside(&value, Classes::HTML_TAG).filter(|taint| is_text(&value, taint)) {
            report.add(&SENT, first.span, MESSAGE, Some(taint));
        }
    } else if call.is(&["new Handlebars.SafeString", "new handlebars.SafeString"])
        && let Some(first) = call.first()
    {
        check(call, first, Classes::HTML_TAG, &SINK, MESSAGE, report);
    }
}

/// Whether a text begins with input.
fn taint_starts(value: &ValueRef) -> bool {
    !value.is_built() && value.path_text().starts_with("location.")
}

/// Whether what is sent is a text rather than an object that becomes JSON.
fn is_text(value: &ValueRef, taint: &Taint) -> bool {
    let is_object = matches!(value.shape, Shape::Dictionary(_) | Shape::Sequence(..));
    !is_object
        && (value.is_built()
            || taint.source.label.contains("query")
            || taint.source.label.contains("params")
            || taint.source.label.contains("url")
            || taint.source.label.contains("body"))
}

/// A text with tags that was put together.
pub(super) fn text(text: &Operand, report: &mut Report<'_>) {
    if text.value.is_built() && has_tag(&text.value.outline()) {
        holes(&text.value, text.span, false, report);
    }
}

fn holes(text: &ValueRef, span: Span, is_sink: bool, report: &mut Report<'_>) {
    let mut before = String::new();
    for piece in text.pieces(span) {
        match piece {
            Piece::Literal(literal) => before.push_str(&literal),
            Piece::Hole { value, span } => {
                if let Some(taint) = value.taint(needed_in_page(&before)) {
                    report.add(&PAGE, span, "this value stands in HTML as it came; escape it first", Some(taint));
                } else if is_sink && is_open(&value) {
                    let message = "this value stands in HTML, wherever it came from; set it as text instead";
                    report.add(&ASSEMBLED, span, message, None);
                }
                before.push('\0');
            }
        }
    }
}

/// Whether a value is one of unknown origin: neither made here nor a name of something fixed.
fn is_open(value: &ValueRef) -> bool {
    let path = value.path_text();
    let last = path.rsplit('.').next().unwrap_or(path);
    let is_fixed = last.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_' || letter.is_ascii_digit());
    let lower = path.to_ascii_lowercase();
    let is_label =
        ["i18n", "message", "lang", "length", "count", "index", "width", "height", "class", "icon", "base", "id"]
            .iter()
            .any(|word| lower.ends_with(word) || lower.starts_with(word));
    let owners = path.rsplit_once('.').map_or("", |(owners, _)| owners).to_ascii_lowercase();
    let is_wording =
        ["message", "i18n", "lang", "l10n", "strings", "label", "config"].iter().any(|word| owners.contains(word));
    let is_property = match &value.shape {
        Shape::Attribute(base, name) => {
            path.contains('.') || base.path.is_none() && !name.to_ascii_lowercase().ends_with("id")
        }
        _ => path.contains('.'),
    };
    let is_unknown =
        if path.is_empty() { value.constant.is_none() && value.taints.is_empty() } else { is_of_unknown_origin(value) };
    is_property && is_unknown && !is_fixed && !is_label && !is_wording
}
