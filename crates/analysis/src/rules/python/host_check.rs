//! # `py/host-half-checked`, `py/host-pattern-dot`, `py/normalised-after-escape`
//!
//! ## What it does
//!
//! Reports checks of a host that look at a part of it: an end that does not start with a dot, a text somewhere in it, the
//! start of an address without the slash that ends the host.
//!
//! ## Why this is bad
//!
//! `evilexample.org` ends with `example.org`, and `example.org.evil.net` starts with it.
//!
//! ## Example
//!
//! ```python
//! from urllib.parse import urlparse
//! def f(url):
//!     return urlparse(url).netloc.endswith('example.org')
//! ```
//!
//! ## Use instead
//!
//! ```python
//! from urllib.parse import urlparse
//! def f(url):
//!     host = urlparse(url).hostname
//!     return host == 'example.org' or host.endswith('.example.org')
//! ```
//!
//! ## References
//!
//! - [CWE-20](https://cwe.mitre.org/data/definitions/20.html)
//! - [CWE-601](https://cwe.mitre.org/data/definitions/601.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Operand, Shape, ValueRef};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};
use crate::syntax::Comparison;

pub(super) static INFO: RuleInfo = RuleInfo {
    code: "CW-PY-020-1",
    name: "py/host-half-checked",
    cwe: &[Cwe(20), Cwe(601)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A check of a host name lets other hosts through",
    fix: "compare the whole name, or its end from a dot on",
    examples: &[
        Example {
            weak: "from urllib.parse import urlparse\ndef f(url):\n    return urlparse(url).netloc.endswith(«'example.org'»)\n",
            sound: "from urllib.parse import urlparse\ndef f(url):\n    host = urlparse(url).hostname\n    return host == 'example.org' or host.endswith('.example.org')\n",
        },
        Example {
            weak: "from urllib.parse import urlparse\ndef f(url):\n    return «'example.org'» in urlparse(url).netloc\n",
            sound: "from urllib.parse import urlparse\ndef f(url):\n    return urlparse(url).netloc in ['example.org']\n",
        },
        Example {
            weak: "def f(url):\n    return url.startswith(«'https://example.org'»)\n",
            sound: "def f(url):\n    return url.startswith('https://example.org/')\n",
        },
    ],
};

pub(super) static PATTERN: RuleInfo = RuleInfo {
    code: "CW-PY-020-2",
    name: "py/host-pattern-dot",
    cwe: &[Cwe(20)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A dot in a pattern for a host stands for any character",
    fix: "write it with a backslash before it",
    examples: &[Example {
        weak: "import re\nx = re.compile(«'^(www|beta).example.com/'»)\n",
        sound: "import re\nx = re.compile(r'^(www|beta)\\.example\\.com/')\n",
    }],
};

pub(super) static NORMALISED: RuleInfo = RuleInfo {
    code: "CW-PY-176-1",
    name: "py/normalised-after-escape",
    cwe: &[Cwe(176), Cwe(180)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A text is normalised after it was escaped, which can bring back what was escaped",
    fix: "normalise it first and escape the result",
    examples: &[Example {
        weak: "import html, unicodedata\ndef f(text):\n    return unicodedata.normalize('NFKC', «html.escape(text)»)\n",
        sound: "import html, unicodedata\ndef f(text):\n    return html.escape(unicodedata.normalize('NFKC', text))\n",
    }],
};

/// Whether a value is the host of an address.
fn is_host(value: &ValueRef) -> bool {
    matches!(&value.shape, Shape::Attribute(owner, name)
        if matches!(name.as_ref(), "netloc" | "hostname") && owner.is_tainted(Classes::ALL))
}

/// Whether an ending is a host as a whole, so that `evilexample.org` has it too.
fn is_bare(ending: &ValueRef) -> bool {
    let outline = ending.outline();
    !outline.starts_with('.') && (outline.contains('.') || ending.constant.is_none())
}

/// Ends of names that are for hosts and seldom for anything else.
const TOP_LEVEL: &[&str] = &["com", "org", "net", "edu", "gov", "io"];

/// Whether a text is the name of a host, at most with a slash behind it.
fn is_domain(text: &str) -> bool {
    let name = text.trim_end_matches('/');
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-');
    name.starts_with(|letter: char| letter.is_ascii_alphanumeric())
        && name.chars().all(is_plain)
        && name.rsplit_once('.').is_some_and(|(_, last)| TOP_LEVEL.contains(&last))
}

/// Whether a pattern has a dot before the end of a host's name that stands for any character.
fn has_open_dot(pattern: &str) -> bool {
    pattern.match_indices('.').any(|(at, _)| {
        let rest = &pattern[at + 1..];
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let before = pattern[..at].chars().next_back();
        before.is_some_and(|letter| letter.is_ascii_alphanumeric()) && TOP_LEVEL.contains(&&rest[..end])
    })
}

/// Patterns for hosts.
fn pattern(call: &Call<'_>, report: &mut Report<'_>) {
    if let Some(pattern) = call.argument(0, "pattern")
        && pattern.value.text().is_some_and(has_open_dot)
    {
        report.add(&PATTERN, pattern.span, PATTERN.advice(), None);
    }
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(&["re.compile", "re.match", "re.search", "re.fullmatch"]) {
        pattern(call, report);
        return;
    }
    if call.is(&["unicodedata.normalize"])
        && let Some(text) = call.positional.get(1)
        && text.value.path_text().ends_with("escape()")
    {
        report.add(&NORMALISED, text.span, NORMALISED.advice(), None);
        return;
    }
    let (Some(subject), Some(part)) = (&call.receiver, call.first()) else { return };
    let is_half = match call.method {
        "endswith" => {
            let is_domain = part.value.text().is_some_and(is_domain) && subject.value.is_tainted(Classes::HOST);
            is_domain || is_host(&subject.value) && part.value.items().is_empty() && is_bare(&part.value)
        }
        "startswith" => {
            let host = part.value.text().and_then(|text| text.split_once("://")).map(|(_, host)| host);
            let is_open = host.is_some_and(|host| host.contains('.') && !host.contains(['/', '?', '#']));
            is_open && subject.value.is_tainted(Classes::HOST)
        }
        _ => return,
    };
    if is_half {
        report.add(&INFO, part.span, INFO.advice(), None);
    }
}

pub(super) fn compare(left: &Operand, operator: Comparison, right: &Operand, report: &mut Report<'_>) {
    let is_text = left.value.text().is_some_and(|text| text.contains('.')) || is_host(&left.value);
    if matches!(operator, Comparison::In | Comparison::NotIn) && is_text && is_host(&right.value) {
        report.add(&INFO, left.span, INFO.advice(), None);
    }
}
