//! # `py/csrf-protection-off`, `py/framing-allowed`, `py/any-host-allowed`, `py/plain-http-allowed`, `py/session-never-ends`, `py/permission-for-anyone`
//!
//! ## What it does
//!
//! Reports protections of web frameworks that are switched off.
//!
//! ## Why this is bad
//!
//! The browser of a visitor acts for whoever built the page that it shows.
//!
//! ## Example
//!
//! ```python
//! from django.views.decorators.csrf import csrf_exempt
//! @csrf_exempt
//! def f(request):
//!     pass
//! ```
//!
//! ## Use instead
//!
//! ```python
//! from django.views.decorators.csrf import csrf_protect
//! @csrf_protect
//! def f(request):
//!     pass
//! ```
//!
//! ## References
//!
//! - [CWE-352](https://cwe.mitre.org/data/definitions/352.html)
//! - [CWE-1021](https://cwe.mitre.org/data/definitions/1021.html)
//! - [CWE-346](https://cwe.mitre.org/data/definitions/346.html)
//! - [CWE-319](https://cwe.mitre.org/data/definitions/319.html)
//! - [CWE-613](https://cwe.mitre.org/data/definitions/613.html)
//! - [CWE-306](https://cwe.mitre.org/data/definitions/306.html)
//! - [CWE-862](https://cwe.mitre.org/data/definitions/862.html)

use codeward_records::{Cwe, Level};

use crate::flow::Operand;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static CSRF: RuleInfo = RuleInfo {
    code: "CW-PY-352-1",
    name: "py/csrf-protection-off",
    cwe: &[Cwe(352)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Requests that other sites start are accepted",
    fix: "leave the protection on and send its token",
    examples: &[
        Example {
            weak: "from django.views.decorators.csrf import csrf_exempt\n@«csrf_exempt»\ndef f(request):\n    pass\n",
            sound: "from django.views.decorators.csrf import csrf_protect\n@csrf_protect\ndef f(request):\n    pass\n",
        },
        Example { weak: "WTF_CSRF_ENABLED = «False»\n", sound: "WTF_CSRF_ENABLED = True\n" },
    ],
};

pub(super) static FRAME: RuleInfo = RuleInfo {
    code: "CW-PY-1021-1",
    name: "py/framing-allowed",
    cwe: &[Cwe(1021)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Other sites may show the page in a frame",
    fix: "leave the header at DENY or SAMEORIGIN",
    examples: &[
        Example {
            weak: "from django.views.decorators.clickjacking import xframe_options_exempt\n@«xframe_options_exempt»\ndef f(request):\n    pass\n",
            sound: "from django.views.decorators.clickjacking import xframe_options_deny\n@xframe_options_deny\ndef f(request):\n    pass\n",
        },
        Example { weak: "X_FRAME_OPTIONS = «'ALLOWALL'»\n", sound: "X_FRAME_OPTIONS = 'DENY'\n" },
    ],
};

pub(super) static HOSTS: RuleInfo = RuleInfo {
    code: "CW-PY-346-1",
    name: "py/any-host-allowed",
    cwe: &[Cwe(346)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "Requests for any host name are answered",
    fix: "list the names of this site",
    examples: &[Example { weak: "ALLOWED_HOSTS = «['*']»\n", sound: "ALLOWED_HOSTS = ['example.org']\n" }],
};

pub(super) static REDIRECT: RuleInfo = RuleInfo {
    code: "CW-PY-319-4",
    name: "py/plain-http-allowed",
    cwe: &[Cwe(319)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "Pages are served without encryption too",
    fix: "set it to True so that visitors are sent on to https",
    examples: &[Example { weak: "SECURE_SSL_REDIRECT = «False»\n", sound: "SECURE_SSL_REDIRECT = True\n" }],
};

pub(super) static LIFETIME: RuleInfo = RuleInfo {
    code: "CW-PY-613-1",
    name: "py/session-never-ends",
    cwe: &[Cwe(613)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A session lasts for more than a month",
    fix: "let it end after hours or days",
    examples: &[Example { weak: "SESSION_COOKIE_AGE = «31536000»\n", sound: "SESSION_COOKIE_AGE = 86400\n" }],
};

pub(super) static OPEN: RuleInfo = RuleInfo {
    code: "CW-PY-306-1",
    name: "py/permission-for-anyone",
    cwe: &[Cwe(306), Cwe(862)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "An interface is open to whoever asks",
    fix: "name the permission that it needs",
    examples: &[Example {
        weak: "from rest_framework.permissions import AllowAny\nclass A:\n    permission_classes = «[AllowAny]»\n",
        sound: "from rest_framework.permissions import IsAuthenticated\nclass A:\n    permission_classes = [IsAuthenticated]\n",
    }],
};

const MONTH_SECONDS: i64 = 31 * 24 * 3600;

/// A name, key or keyword with its value.
pub(super) fn setting(name: &str, value: &Operand, report: &mut Report<'_>) {
    let is_false = value.value.boolean() == Some(false);
    let rule = match name {
        "WTF_CSRF_ENABLED" | "WTF_CSRF_CHECK_DEFAULT" if is_false => &CSRF,
        "X_FRAME_OPTIONS" | "X-Frame-Options" if value.value.text().is_some_and(|text| text.starts_with("ALLOW")) => {
            &FRAME
        }
        "ALLOWED_HOSTS" if value.value.items().iter().any(|host| host.text() == Some("*")) => &HOSTS,
        "SECURE_SSL_REDIRECT" if is_false => &REDIRECT,
        "SESSION_COOKIE_AGE" | "PERMANENT_SESSION_LIFETIME"
            if value.value.integer().is_some_and(|seconds| seconds > MONTH_SECONDS) =>
        {
            &LIFETIME
        }
        "permission_classes" if value.value.items().iter().any(|one| one.path_text().ends_with(".AllowAny")) => &OPEN,
        _ => return,
    };
    report.add(rule, value.span, rule.advice(), None);
}

/// `@csrf_exempt`.
pub(super) fn decorator(decorator: &Operand, report: &mut Report<'_>) {
    let name = decorator.value.path_text().rsplit('.').next().unwrap_or_default();
    let rule = match name {
        "csrf_exempt" => &CSRF,
        "exempt" if decorator.value.path_text().to_ascii_lowercase().contains("csrf") => &CSRF,
        "xframe_options_exempt" => &FRAME,
        _ => return,
    };
    report.add(rule, decorator.span, rule.advice(), None);
}
