//! # `java/page-unescaped`, `java/header-lines`, `java/open-redirect`, `java/error-detail`
//!
//! ## What it does
//!
//! Reports what a response should not say: input that was not escaped, headers with line ends, addresses of other sites, and
//! the text of errors.
//!
//! ## Why this is bad
//!
//! The browser runs what it is sent, and goes where it is sent.
//!
//! ## Example
//!
//! ```java
//! response.getWriter().println("Hello " + request.getParameter("name"));
//! ```
//!
//! ## Use instead
//!
//! ```java
//! response.getWriter().println("Hello " + Encode.forHtml(request.getParameter("name")));
//! ```
//!
//! ## References
//!
//! - [CWE-79](https://cwe.mitre.org/data/definitions/79.html)
//! - [CWE-113](https://cwe.mitre.org/data/definitions/113.html)
//! - [CWE-601](https://cwe.mitre.org/data/definitions/601.html)
//! - [CWE-209](https://cwe.mitre.org/data/definitions/209.html)

use codeward_records::{Cwe, Level};

use super::{found, outside};
use crate::flow::{Call, Classes, Labels, Operand, kind_of};
use crate::report::Report;
use crate::rules::evidence::culpable_hole;
use crate::rules::{Example, RuleInfo};

pub(super) static UNESCAPED: RuleInfo = RuleInfo {
    code: "CW-JAVA-079-1",
    name: "java/page-unescaped",
    cwe: &[Cwe(79)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A response carries input that was not escaped",
    fix: "escape it for the place in the page where it stands",
    examples: &[Example {
        weak: "import javax.servlet.http.*;\nclass A extends HttpServlet {\n  protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {\n    PrintWriter out = response.getWriter();\n    out.println(\"<p>Hello \" + «request.getParameter(\"name\")» + \"</p>\");\n  }\n}\n",
        sound: "import javax.servlet.http.*;\nclass A extends HttpServlet {\n  protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {\n    PrintWriter out = response.getWriter();\n    out.println(\"<p>Hello \" + StringEscapeUtils.escapeHtml4(request.getParameter(\"name\")) + \"</p>\");\n  }\n}\n",
    }],
};

pub(super) static RETURNED: RuleInfo = RuleInfo {
    code: "CW-JAVA-079-2",
    name: "java/page-returned",
    cwe: &[Cwe(79)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "A page is put together from input that was not escaped",
    fix: "escape it, or leave the page to a template that does",
    examples: &[Example {
        weak: "@GetMapping(\"/hello\")\n@ResponseBody\npublic String hello(@RequestParam String name) {\n  return \"<h1>Hello \" + «name» + \"</h1>\";\n}\n",
        sound: "@GetMapping(\"/hello\")\n@ResponseBody\npublic String hello(@RequestParam String name) {\n  return \"<h1>Hello \" + HtmlUtils.htmlEscape(name) + \"</h1>\";\n}\n",
    }],
};

pub(super) static HEADER: RuleInfo = RuleInfo {
    code: "CW-JAVA-113-1",
    name: "java/header-lines",
    cwe: &[Cwe(113), Cwe(93)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A header carries input that may hold line ends",
    fix: "take the line ends out of it",
    examples: &[Example {
        weak: "void f(HttpServletRequest request, HttpServletResponse response) {\n  response.addHeader(\"X-Name\", «request.getParameter(\"name\")»);\n}\n",
        sound: "void f(HttpServletRequest request, HttpServletResponse response) {\n  response.addHeader(\"X-Name\", request.getParameter(\"name\").replaceAll(\"[\\r\\n]\", \"\"));\n}\n",
    }],
};

pub(super) static REDIRECT: RuleInfo = RuleInfo {
    code: "CW-JAVA-601-1",
    name: "java/open-redirect",
    cwe: &[Cwe(601)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A redirect leads where input says",
    fix: "allow known addresses, or local paths only",
    examples: &[Example {
        weak: "void f(HttpServletRequest request, HttpServletResponse response) throws IOException {\n  response.sendRedirect(«request.getParameter(\"next\")»);\n}\n",
        sound: "void f(HttpServletRequest request, HttpServletResponse response) throws IOException {\n  response.sendRedirect(\"/home?from=\" + request.getParameter(\"next\"));\n}\n",
    }],
};

pub(super) static ERROR: RuleInfo = RuleInfo {
    code: "CW-JAVA-209-1",
    name: "java/error-detail",
    cwe: &[Cwe(209), Cwe(497)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A response tells the text or the stack of an error",
    fix: "log it, and answer in general words",
    examples: &[Example {
        weak: "void f(HttpServletResponse response) throws IOException {\n  try {\n    work();\n  } catch (Exception e) {\n    response.sendError(500, «e.getMessage()»);\n    e.printStackTrace(«response.getWriter()»);\n  }\n}\n",
        sound: "void f(HttpServletResponse response) throws IOException {\n  try {\n    work();\n  } catch (Exception e) {\n    log.error(\"failed\", e);\n    response.sendError(500, \"internal error\");\n  }\n}\n",
    }],
};

const WRITES: &[&str] = &["print", "println", "write", "append", "printf", "format"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let owner = call.receiver.as_ref().map(|receiver| kind_of(&receiver.value)).unwrap_or_default();
    if owner == "ResponseWriter" && WRITES.contains(&call.method) {
        for operand in &call.positional {
            written(call, operand, report);
        }
    }
    let is_response =
        owner == "HttpServletResponse" || matches!(call.path.split('.').next(), Some("response" | "resp"));
    if is_response {
        responded(call, report);
    }
    if call.is(&["new RedirectView", "new ModelAndView", "Response.seeOther", "Response.temporaryRedirect"])
        && let Some(target) = call.first()
    {
        redirected(call, target, call.path.ends_with("ModelAndView"), report);
    }
    if call.has_method(&["printStackTrace"])
        && let Some(target) = call.first().filter(|target| kind_of(&target.value) == "ResponseWriter")
    {
        found(&ERROR, target.span, None, report);
    }
    if call.path.starts_with("ResponseEntity") && matches!(call.method, "body" | "ok" | "badRequest") {
        told(call, call.first(), report);
    }
}

fn written(call: &Call<'_>, operand: &Operand, report: &mut Report<'_>) {
    let value = call.live(&operand.value);
    if let Some((hole, span, _)) = culpable_hole(&value, operand.span, Classes::HTML_TAG)
        && let Some(taint) = outside(&hole, Classes::HTML_TAG)
    {
        found(&UNESCAPED, span, Some(taint), report);
    }
    told(call, Some(operand), report);
}

fn responded(call: &Call<'_>, report: &mut Report<'_>) {
    match (call.method, call.positional.as_slice()) {
        ("sendRedirect", [target, ..]) => redirected(call, target, false, report),
        ("setHeader" | "addHeader", [name, value]) => {
            if name.value.text().is_some_and(|name| name.eq_ignore_ascii_case("location")) {
                redirected(call, value, false, report);
            }
            let live = call.live(&value.value);
            if let Some(taint) = outside(&live, Classes::LINES) {
                found(&HEADER, value.span, Some(taint), report);
            }
        }
        ("sendError", [_, text]) => told(call, Some(text), report),
        _ => {}
    }
}

fn redirected(call: &Call<'_>, target: &Operand, is_view: bool, report: &mut Report<'_>) {
    let value = call.live(&target.value);
    if is_view && !value.outline().starts_with("redirect:") {
        return;
    }
    if let Some((hole, span, before)) = culpable_hole(&value, target.span, Classes::REDIRECT)
        && let Some(taint) = outside(&hole, Classes::REDIRECT)
        && matches!(before.trim_start_matches("redirect:"), "" | "http://" | "https://")
    {
        found(&REDIRECT, span, Some(taint), report);
    }
}

fn told(call: &Call<'_>, operand: Option<&Operand>, report: &mut Report<'_>) {
    let Some(operand) = operand else { return };
    let value = call.live(&operand.value);
    if value.labels.has(Labels::ERROR_TEXT) && (call.method != "ok" || value.is_built()) {
        found(&ERROR, operand.span, None, report);
    }
}

/// A value is returned: the name of a view that redirects, or a page.
pub(super) fn returned(operand: &Operand, report: &mut Report<'_>) {
    let outline = operand.value.outline();
    let classes = if outline.starts_with("redirect:") { Classes::REDIRECT } else { Classes::HTML_TAG };
    if !operand.value.is_built() {
        return;
    }
    let Some((hole, span, before)) = culpable_hole(&operand.value, operand.span, classes) else { return };
    let Some(taint) = outside(&hole, classes) else { return };
    if before == "redirect:" {
        found(&REDIRECT, span, Some(taint), report);
    } else if classes == Classes::HTML_TAG && outline.trim_start().starts_with('<') {
        found(&RETURNED, span, Some(taint), report);
    }
}
