//! # `java/cookie-secure`, `java/csrf-off` and their kin
//!
//! ## What it does
//!
//! Reports protections of the browser that are turned off or left out.
//!
//! ## Why this is bad
//!
//! Other sites, scripts and networks then reach what is the user's.
//!
//! ## Example
//!
//! ```java
//! http.csrf().disable();
//! ```
//!
//! ## Use instead
//!
//! ```java
//! http.csrf().csrfTokenRepository(CookieCsrfTokenRepository.withHttpOnlyFalse());
//! ```
//!
//! ## References
//!
//! - [CWE-352](https://cwe.mitre.org/data/definitions/352.html)
//! - [CWE-614](https://cwe.mitre.org/data/definitions/614.html)
//! - [CWE-1004](https://cwe.mitre.org/data/definitions/1004.html)
//! - [CWE-942](https://cwe.mitre.org/data/definitions/942.html)

use codeward_records::{Cwe, Level};

use super::{found, is_made_here, is_set, method_span, outside};
use crate::flow::{COOKIE_HTTP_ONLY, COOKIE_SECURE, Call, Classes, kind_of};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};
use crate::syntax::{ExpressionKind, Function, Module};

pub(super) static COOKIE_CLEAR: RuleInfo = RuleInfo {
    code: "CW-JAVA-614-1",
    name: "java/cookie-secure",
    cwe: &[Cwe(614), Cwe(319)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A cookie is also sent without encryption",
    fix: "call setSecure(true)",
    examples: &[Example {
        weak: "void f(HttpServletResponse response, String id) {\n  Cookie cookie = new Cookie(\"session\", id);\n  cookie.setHttpOnly(true);\n  response.addCookie(«cookie»);\n}\n",
        sound: "void f(HttpServletResponse response, String id) {\n  Cookie cookie = new Cookie(\"session\", id);\n  cookie.setHttpOnly(true);\n  cookie.setSecure(true);\n  response.addCookie(cookie);\n}\n",
    }],
};

pub(super) static COOKIE_SCRIPT: RuleInfo = RuleInfo {
    code: "CW-JAVA-1004-1",
    name: "java/cookie-http-only",
    cwe: &[Cwe(1004)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Scripts can read a cookie",
    fix: "call setHttpOnly(true)",
    examples: &[Example {
        weak: "void f(HttpServletResponse response, String id) {\n  Cookie cookie = new Cookie(\"session\", id);\n  cookie.setSecure(true);\n  response.addCookie(«cookie»);\n}\n",
        sound: "void f(HttpServletResponse response, String id) {\n  Cookie cookie = new Cookie(\"session\", id);\n  cookie.setHttpOnly(true);\n  cookie.setSecure(true);\n  response.addCookie(cookie);\n}\n",
    }],
};

pub(super) static CSRF: RuleInfo = RuleInfo {
    code: "CW-JAVA-352-1",
    name: "java/csrf-off",
    cwe: &[Cwe(352)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "The protection against forged requests is turned off",
    fix: "leave it on",
    examples: &[Example {
        weak: "void configure(HttpSecurity http) throws Exception {\n  http.authorizeRequests().anyRequest().authenticated().and().csrf().«disable»();\n}\nvoid chain(HttpSecurity http) throws Exception {\n  http.csrf(csrf -> csrf.«disable»());\n}\n",
        sound: "void configure(HttpSecurity http) throws Exception {\n  http.authorizeRequests().anyRequest().authenticated().and().formLogin().disable();\n}\n",
    }],
};

pub(super) static ANY_METHOD: RuleInfo = RuleInfo {
    code: "CW-JAVA-352-2",
    name: "java/web-method-without-post",
    cwe: &[Cwe(352), Cwe(862)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A link can call this web method with whatever it likes",
    fix: "require POST",
    examples: &[Example {
        weak: "public FormValidation doTestConnection(@QueryParameter String «url», @QueryParameter String secret) {\n  return connect(url, secret);\n}\n",
        sound: "@RequirePOST\npublic FormValidation doTestConnection(@QueryParameter String url, @QueryParameter String secret) {\n  return connect(url, secret);\n}\n",
    }],
};

pub(super) static ORIGINS: RuleInfo = RuleInfo {
    code: "CW-JAVA-942-1",
    name: "java/any-origin",
    cwe: &[Cwe(942), Cwe(346)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Every site may read the answers",
    fix: "name the sites that may",
    examples: &[Example {
        weak: "void f(HttpServletRequest request, HttpServletResponse response) {\n  response.setHeader(\"Access-Control-Allow-Origin\", «request.getHeader(\"Origin\")»);\n}\n@CrossOrigin(origins = «\"*\"»)\nclass A {}\n",
        sound: "void f(HttpServletResponse response) {\n  response.setHeader(\"Access-Control-Allow-Origin\", \"https://example.com\");\n}\n",
    }],
};

pub(super) static FRAMES: RuleInfo = RuleInfo {
    code: "CW-JAVA-1021-1",
    name: "java/frames-allowed",
    cwe: &[Cwe(1021)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Other sites may show these pages in a frame",
    fix: "allow frames from the same site at most",
    examples: &[Example {
        weak: "void f(HttpSecurity http) throws Exception {\n  http.headers().frameOptions().«disable»();\n}\n",
        sound: "void f(HttpSecurity http) throws Exception {\n  http.headers().frameOptions().sameOrigin();\n}\n",
    }],
};

pub(super) static TIMEOUT: RuleInfo = RuleInfo {
    code: "CW-JAVA-613-1",
    name: "java/endless-session",
    cwe: &[Cwe(613)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A session never ends",
    fix: "give it an end",
    examples: &[Example {
        weak: "void f(HttpSession session) {\n  session.setMaxInactiveInterval(«-1»);\n}\n",
        sound: "void f(HttpSession session) {\n  session.setMaxInactiveInterval(900);\n}\n",
    }],
};

pub(super) static BOUNDARY: RuleInfo = RuleInfo {
    code: "CW-JAVA-501-1",
    name: "java/trust-boundary",
    cwe: &[Cwe(501)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "Input that was not checked is kept where only checked values are expected",
    fix: "check it before it goes into the session",
    examples: &[Example {
        weak: "void f(HttpServletRequest request) {\n  request.getSession().setAttribute(\"role\", «request.getParameter(\"role\")»);\n}\n",
        sound: "void f(HttpServletRequest request) {\n  request.getSession().setAttribute(\"page\", Integer.parseInt(request.getParameter(\"page\")));\n}\n",
    }],
};

pub(super) static WEB_VIEW: RuleInfo = RuleInfo {
    code: "CW-JAVA-200-1",
    name: "java/web-view-files",
    cwe: &[Cwe(200), Cwe(749)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Pages in this view may read local files",
    fix: "leave access to files off",
    examples: &[Example {
        weak: "void f(WebView view) {\n  WebSettings settings = view.getSettings();\n  settings.«setAllowFileAccess»(true);\n  settings.«setAllowUniversalAccessFromFileURLs»(true);\n}\n",
        sound: "void f(WebView view) {\n  WebSettings settings = view.getSettings();\n  settings.setAllowFileAccess(false);\n}\n",
    }],
};

pub(super) static DEBUGGING: RuleInfo = RuleInfo {
    code: "CW-JAVA-489-1",
    name: "java/debugging-on",
    cwe: &[Cwe(489)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Pages can be debugged from outside",
    fix: "turn it on in test builds only",
    examples: &[Example {
        weak: "void f() {\n  WebView.setWebContentsDebuggingEnabled(«true»);\n}\n",
        sound: "void f() {\n  WebView.setWebContentsDebuggingEnabled(BuildConfig.DEBUG);\n}\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let first = call.first();
    if let ("addCookie", Some(cookie)) = (call.method, first)
        && kind_of(&cookie.value) == "Cookie"
        && is_made_here(&cookie.value)
    {
        if !is_set(call, &cookie.value, COOKIE_SECURE) {
            found(&COOKIE_CLEAR, cookie.span, None, report);
        }
        if !is_set(call, &cookie.value, COOKIE_HTTP_ONLY) {
            found(&COOKIE_SCRIPT, cookie.span, None, report);
        }
    }
    if let (Some(receiver), "disable") = (&call.receiver, call.method) {
        let path = receiver.value.path_text();
        let is_lambda_for = |name: &str| {
            receiver
                .value
                .taints
                .iter()
                .any(|taint| taint.enters_as(&receiver.value) && taint.source.label.as_ref() == name)
        };
        if path.ends_with("csrf()") || is_lambda_for("csrf") {
            found(&CSRF, method_span(call), None, report);
        } else if path.ends_with("frameOptions()") || is_lambda_for("frameOptions") {
            found(&FRAMES, method_span(call), None, report);
        }
    }
    if let (Some(off), "csrf" | "frameOptions") = (first, call.method)
        && off.value.path_text().ends_with(".disable")
    {
        found(if call.method == "csrf" { &CSRF } else { &FRAMES }, off.span, None, report);
    }
    origins(call, report);
    if let (Some(setting), "setMaxInactiveInterval") = (first, call.method)
        && setting.value.integer().is_some_and(|seconds| seconds <= 0)
    {
        found(&TIMEOUT, setting.span, None, report);
    }
    if matches!(call.path, "HttpSession().setAttribute" | "HttpSession().putValue") {
        for operand in &call.positional {
            let value = call.live(&operand.value);
            if let Some(taint) = outside(&value, Classes::SQL | Classes::HTML) {
                found(&BOUNDARY, operand.span, Some(taint), report);
            }
        }
    }
    let is_on = first.is_some_and(|setting| setting.value.boolean() == Some(true));
    if is_on
        && matches!(
            call.method,
            "setAllowFileAccess" | "setAllowUniversalAccessFromFileURLs" | "setAllowFileAccessFromFileURLs"
        )
    {
        found(&WEB_VIEW, method_span(call), None, report);
    }
    if let (true, "setWebContentsDebuggingEnabled", Some(setting)) = (is_on, call.method, first) {
        found(&DEBUGGING, setting.span, None, report);
    }
}

fn origins(call: &Call<'_>, report: &mut Report<'_>) {
    let names = |operand: &crate::flow::Operand| {
        operand.value.text() == Some("*") || operand.value.texts().is_some_and(|all| all.contains(&"*"))
    };
    let origin = match (call.method, call.positional.as_slice()) {
        ("setHeader" | "addHeader" | "header", [name, origin])
            if name.value.text().is_some_and(|name| name.eq_ignore_ascii_case("access-control-allow-origin")) =>
        {
            origin
        }
        ("allowedOrigins" | "addAllowedOrigin" | "setAllowedOrigins" | "addAllowedOriginPattern", [origin, ..]) => {
            origin
        }
        ("@CrossOrigin", [origin, ..]) => origin,
        _ => return,
    };
    let value = call.live(&origin.value);
    if names(origin) || outside(&value, Classes::HOST).is_some() {
        found(&ORIGINS, origin.span, outside(&value, Classes::HOST), report);
    }
}

/// A web method of a server that finds its methods by their names, which a plain link can call.
pub(super) fn defined(module: &Module, function: &Function, report: &mut Report<'_>) {
    let rest = function.name.strip_prefix("do").unwrap_or_default();
    if !rest.starts_with(char::is_uppercase) || rest.starts_with("Check") || rest.starts_with("Fill") {
        return;
    }
    let names: Vec<&str> = function
        .decorators
        .iter()
        .filter_map(|id| match &module.expression(*id).kind {
            ExpressionKind::Call { callee, .. } => match &module.expression(*callee).kind {
                ExpressionKind::Name(name) => Some(name.as_ref()),
                _ => None,
            },
            _ => None,
        })
        .collect();
    let takes_query = names.contains(&"@QueryParameter");
    let needs_post = names.iter().any(|name| name.to_ascii_uppercase().ends_with("POST"));
    if takes_query
        && !needs_post
        && let Some(first) = function.parameters.first()
    {
        found(&ANY_METHOD, first.span, None, report);
    }
}
