//! # `py/host-half-checked`
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

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let (Some(subject), Some(part)) = (&call.receiver, call.first()) else { return };
    let is_half = match call.method {
        "endswith" => is_host(&subject.value) && part.value.items().is_empty() && is_bare(&part.value),
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
