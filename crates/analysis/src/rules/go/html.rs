//! # `go/html-response`, `go/html-assembled`, `go/template-unescaped`, `go/text-template-page`, `go/error-page-input`, `go/template-injection`
//!
//! ## What they do
//!
//! Report input that reaches a page without having been escaped: written to the response, put between tags, declared safe, or run
//! through a template that does not escape.
//!
//! ## Why this is bad
//!
//! The input can bring a script that runs with the rights of whoever looks at the page.
//!
//! ## Example
//!
//! ```go
//! fmt.Fprintf(w, "<p>%s</p>", r.FormValue("name"))
//! ```
//!
//! ## Use instead
//!
//! ```go
//! fmt.Fprintf(w, "<p>%s</p>", html.EscapeString(r.FormValue("name")))
//! ```
//!
//! ## References
//!
//! - [CWE-79](https://cwe.mitre.org/data/definitions/79.html)
//! - [CWE-1336](https://cwe.mitre.org/data/definitions/1336.html)

use codeward_records::{Cwe, Level};

use super::{from_outside, printed};
use crate::flow::{Call, Classes, Operand, Piece};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static RESPONSE: RuleInfo = RuleInfo {
    code: "CW-GO-079-1",
    name: "go/html-response",
    cwe: &[Cwe(79)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "Input is written to the response without being escaped",
    fix: "escape it with html.EscapeString, or use html/template",
    examples: &[
        Example {
            weak: "func f(w http.ResponseWriter, r *http.Request) {\n\tfmt.Fprintf(w, \"Hello %s\", «r.URL.Query().Get(\"name\")»)\n}\n",
            sound: "func f(w http.ResponseWriter, r *http.Request) {\n\tfmt.Fprintf(w, \"Hello %s\", html.EscapeString(r.URL.Query().Get(\"name\")))\n}\n",
        },
        Example {
            weak: "func f(w http.ResponseWriter, r *http.Request) {\n\tname := r.FormValue(\"name\")\n\tw.Write([]byte(«\"Hello \" + name»))\n}\n",
            sound: "func f(w http.ResponseWriter, r *http.Request) {\n\tname := r.FormValue(\"name\")\n\tjson.NewEncoder(w).Encode(name)\n}\n",
        },
    ],
};

pub(super) static ASSEMBLED: RuleInfo = RuleInfo {
    code: "CW-GO-079-2",
    name: "go/html-assembled",
    cwe: &[Cwe(79), Cwe(116)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input is put between tags without being escaped",
    fix: "escape it with html.EscapeString, or use html/template",
    examples: &[Example {
        weak: "func f(name string) string {\n\treturn \"<p>\" + «name» + \"</p>\"\n}\n",
        sound: "func f(name string) string {\n\treturn \"<p>\" + html.EscapeString(name) + \"</p>\"\n}\n",
    }],
};

pub(super) static DECLARED: RuleInfo = RuleInfo {
    code: "CW-GO-079-3",
    name: "go/template-unescaped",
    cwe: &[Cwe(79)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Input is declared to be safe for a template",
    fix: "pass it as a string, which the template escapes",
    examples: &[Example {
        weak: "package p\nimport \"html/template\"\nfunc f(comment string) any {\n\treturn template.HTML(«comment»)\n}\n",
        sound: "package p\nimport \"html/template\"\nfunc f(comment string) any {\n\treturn template.HTML(template.HTMLEscapeString(comment))\n}\n",
    }],
};

pub(super) static PLAIN_TEMPLATE: RuleInfo = RuleInfo {
    code: "CW-GO-079-4",
    name: "go/text-template-page",
    cwe: &[Cwe(79)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A page is made by a template that does not escape",
    fix: "use html/template",
    examples: &[Example {
        weak: "package p\nimport (\"net/http\"; \"text/template\")\nvar page = template.Must(template.New(\"a\").Parse(\"<p>{{.}}</p>\"))\nfunc f(w http.ResponseWriter, r *http.Request) {\n\t«page.Execute»(w, r.FormValue(\"a\"))\n}\n",
        sound: "package p\nimport (\"net/http\"; \"html/template\")\nvar page = template.Must(template.New(\"a\").Parse(\"<p>{{.}}</p>\"))\nfunc f(w http.ResponseWriter, r *http.Request) {\n\tpage.Execute(w, r.FormValue(\"a\"))\n}\n",
    }],
};

pub(super) static ERROR_PAGE: RuleInfo = RuleInfo {
    code: "CW-GO-079-5",
    name: "go/error-page-input",
    cwe: &[Cwe(79), Cwe(209)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "An error page repeats input",
    fix: "say what is wrong without repeating the input, or escape it",
    examples: &[Example {
        weak: "func f(w http.ResponseWriter, r *http.Request) {\n\thttp.Error(w, «\"no page \" + r.URL.Path», 404)\n}\n",
        sound: "func f(w http.ResponseWriter, r *http.Request) {\n\thttp.Error(w, \"no such page\", 404)\n}\n",
    }],
};

pub(super) static TEMPLATE: RuleInfo = RuleInfo {
    code: "CW-GO-1336-1",
    name: "go/template-injection",
    cwe: &[Cwe(1336), Cwe(94)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "Input is read as a template",
    fix: "keep the template fixed and pass the input as data",
    examples: &[Example {
        weak: "func f(w http.ResponseWriter, r *http.Request) {\n\tt, _ := template.New(\"a\").Parse(«\"<p>\" + r.FormValue(\"a\") + \"</p>\"»)\n\tt.Execute(w, nil)\n}\n",
        sound: "func f(w http.ResponseWriter, r *http.Request) {\n\tt, _ := template.New(\"a\").Parse(\"<p>{{.}}</p>\")\n\tt.Execute(w, r.FormValue(\"a\"))\n}\n",
    }],
};

const ESCAPE: &str = "this input reaches a page as it came; escape it with html.EscapeString, or use html/template";

pub(super) fn is_response(operand: &Operand) -> bool {
    let path = operand.value.path_text();
    path == "net/http.ResponseWriter()" || path.ends_with("Context().Writer") || path.ends_with(".Response().Writer")
}

fn declares_safe(path: &str) -> bool {
    let name = path.strip_prefix("html/template.").or_else(|| path.strip_prefix("template."));
    matches!(name, Some("HTML" | "JS" | "URL" | "HTMLAttr" | "CSS" | "JSStr" | "Srcset"))
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if declares_safe(call.path)
        && let Some(text) = call.first()
        && let Some(taint) = call.live(&text.value).taint(Classes::HTML)
    {
        report.add(
            &DECLARED,
            text.span,
            "this says that the input needs no escaping; pass it as a string, which the template escapes",
            Some(taint),
        );
    }
    if matches!(call.method, "Execute" | "ExecuteTemplate")
        && call.path.starts_with("text/template.")
        && call.first().is_some_and(is_response)
    {
        report.add(
            &PLAIN_TEMPLATE,
            call.callee.span,
            "text/template does not escape what it puts into this page; use html/template",
            None,
        );
    }
    if call.method == "Parse"
        && call.path.contains("template.")
        && let Some(text) = call.first()
        && let Some(taint) = from_outside(&call.live(&text.value), Classes::TEMPLATE)
    {
        report.add(
            &TEMPLATE,
            text.span,
            "this template is put together from input; keep it fixed and pass the input as data",
            Some(taint),
        );
    }
    if call.path == "net/http.Error"
        && let Some(text) = call.positional.get(1)
        && let Some(taint) = from_outside(&call.live(&text.value), Classes::HTML_TAG)
    {
        report.add(
            &ERROR_PAGE,
            text.span,
            "this page repeats the input; say what is wrong without repeating it, or escape it",
            Some(taint),
        );
    }
    response(call, report);
}

fn response(call: &Call<'_>, report: &mut Report<'_>) {
    let written: Vec<&Operand> = match call.path {
        "fmt.Fprintf" if call.first().is_some_and(is_response) => printed(call, 1),
        "fmt.Fprint" | "fmt.Fprintln" | "io.WriteString" if call.first().is_some_and(is_response) => {
            call.positional.iter().skip(1).collect()
        }
        _ if matches!(call.method, "Write" | "WriteString") && call.receiver.as_ref().is_some_and(is_response) => {
            call.first().into_iter().collect()
        }
        "echo.Context().HTML" | "gin.Context().Data" => call.positional.iter().skip(1).collect(),
        _ => return,
    };
    for operand in written {
        if let Some(taint) = from_outside(&call.live(&operand.value), Classes::HTML_TAG) {
            report.add(&RESPONSE, operand.span, ESCAPE, Some(taint));
        }
    }
}

/// A text was put together.
pub(super) fn text(text: &Operand, report: &mut Report<'_>) {
    let mut before = String::new();
    for piece in text.value.pieces(text.span) {
        match piece {
            Piece::Literal(literal) => before.push_str(&literal),
            Piece::Hole { value, span } => {
                if opens_tag(&before)
                    && let Some(taint) = value.taint(Classes::HTML_TAG)
                {
                    report.add(&ASSEMBLED, span, ESCAPE, Some(taint));
                }
                before.push('\0');
            }
        }
    }
}

/// Whether a text holds a tag of a page before this place.
fn opens_tag(before: &str) -> bool {
    let tags = [
        "p", "div", "span", "a", "b", "h1", "h2", "h3", "li", "td", "tr", "th", "html", "body", "title", "img",
        "input", "script", "form", "ul", "strong", "em", "pre",
    ];
    before.match_indices('<').any(|(at, _)| {
        let rest = &before[at + 1..];
        let name = rest.split(|letter: char| !letter.is_ascii_alphanumeric()).next().unwrap_or_default();
        let ends = rest[name.len()..].starts_with(['>', ' ', '/']);
        ends && tags.contains(&name.to_ascii_lowercase().as_str())
    })
}
