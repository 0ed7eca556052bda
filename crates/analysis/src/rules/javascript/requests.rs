//! # Addresses: `js/server-side-request`, `js/open-redirect`, `js/location-from-input`
//!
//! ## What it does
//!
//! Reports requests to hosts that input names, and redirects to addresses that input names.
//!
//! ## Why this is bad
//!
//! The program reaches hosts that an attacker cannot; a link to this site leads to another.
//!
//! ## Example
//!
//! ```javascript
//! res.redirect(req.query.next);
//! ```
//!
//! ## Use instead
//!
//! ```javascript
//! res.redirect(pages[req.query.next] ?? "/");
//! ```
//!
//! ## References
//!
//! - [CWE-918](https://cwe.mitre.org/data/definitions/918.html)
//! - [CWE-601](https://cwe.mitre.org/data/definitions/601.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Operand, Taint, ValueRef};
use crate::rules::evidence::is_parameter_itself;

use super::outside;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static SSRF: RuleInfo = RuleInfo {
    code: "CW-JS-918-1",
    name: "js/server-side-request",
    cwe: &[Cwe(918)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "Input decides which host a request is sent to",
    fix: "compare the host with a list of known hosts first",
    examples: &[
        Example {
            weak: "const axios = require('axios');\nmodule.exports = async (req, res) => res.json((await axios.get(«req.query.url»)).data);\n",
            sound: "const axios = require('axios');\nmodule.exports = async (req, res) => res.json((await axios.get('https://example.com/items/' + req.query.id)).data);\n",
        },
        Example {
            weak: "const http = require('https');\nexport function load(url) { return http.get(«url»); }\n",
            sound: "const http = require('https');\nexport function load(url) { if (!['example.com'].includes(new URL(url).hostname)) return null; return http.get(url); }\n",
        },
    ],
};

pub(super) static REDIRECT: RuleInfo = RuleInfo {
    code: "CW-JS-601-1",
    name: "js/open-redirect",
    cwe: &[Cwe(601)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Input decides where a redirect leads",
    fix: "choose the address from a fixed list, or allow only paths of this site",
    examples: &[Example {
        weak: "const app = require('express')();\napp.get('/go', (req, res) => res.redirect(«req.query.next»));\n",
        sound: "const app = require('express')();\napp.get('/go', (req, res) => res.redirect('/items/' + req.query.id));\n",
    }],
};

pub(super) static LOCATION: RuleInfo = RuleInfo {
    code: "CW-JS-601-2",
    name: "js/location-from-input",
    cwe: &[Cwe(601), Cwe(79)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input decides where a page goes",
    fix: "choose the address from a fixed list",
    examples: &[Example {
        weak: "function go() { const next = location.hash.slice(1); window.location.href = «next»; }\n",
        sound: "function go() { window.location.href = '/home' + location.search; }\n",
    }],
};

const CLIENTS: &[&str] = &[
    "fetch",
    "axios",
    "axios.get",
    "axios.post",
    "axios.put",
    "axios.delete",
    "axios.head",
    "axios.patch",
    "axios.request",
    "got",
    "got.get",
    "got.post",
    "request",
    "request.get",
    "request.post",
    "needle",
    "needle.get",
    "superagent.get",
    "superagent.post",
    "http.get",
    "http.request",
    "new WebSocket",
    "undici.request",
    "undici.fetch",
    "ky.get",
    "ky",
    "phin",
    "bent",
    "urllib.request",
    "net.connect",
    "net.createConnection",
];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(CLIENTS) {
        let Some(first) = call.first() else { return };
        let address =
            ["url", "uri", "host", "hostname"].iter().find_map(|name| first.value.entry(name)).unwrap_or(&first.value);
        let value = call.live(address);
        if let Some(taint) = host(&value) {
            let message = "input decides which host this request goes to; compare the host with a list first";
            report.add(&SSRF, first.span, message, Some(taint));
        }
    } else if call.is(&["res.redirect", "ctx.redirect", "NextResponse.redirect"]) {
        let numbered = call.positional.first().is_some_and(|first| first.value.integer().is_some());
        if let Some(address) = call.positional.get(usize::from(numbered)) {
            redirect(call, address, report);
        }
    } else if call.is(&["res.setHeader", "res.set", "res.header", "res.location", "ctx.set"]) {
        let is_location =
            call.first().and_then(|first| first.value.text()).is_some_and(|name| name.eq_ignore_ascii_case("location"));
        let address = if call.path == "res.location" {
            call.positional.first()
        } else {
            call.positional.get(1).filter(|_| is_location)
        };
        if let Some(address) = address {
            redirect(call, address, report);
        }
    } else if call.path == "res.writeHead"
        && let Some(options) = call.positional.last()
        && let Some(address) = options.value.entry("Location").or_else(|| options.value.entry("location"))
    {
        redirect(call, &Operand { value: address.clone(), span: options.span }, report);
    } else if call.is(&["location.assign", "location.replace", "window.open", "open"])
        && let Some(first) = call.first()
    {
        location(&call.live(&first.value), first, report);
    }
}

/// Input that names the host of an address: from outside, or a parameter as it came.
fn host(value: &ValueRef) -> Option<&Taint> {
    let taint = outside(value, Classes::REQUEST_HOST);
    taint.or_else(|| value.taint(Classes::REQUEST_HOST).filter(|_| is_parameter_itself(value)))
}

fn redirect(call: &Call<'_>, address: &Operand, report: &mut Report<'_>) {
    let value = call.live(&address.value);
    let is_named = |label: &str| {
        !matches!(label, "req.url" | "req.originalUrl" | "req.path" | "ctx.url" | "ctx.path" | "req.hostname")
    };
    if let Some(taint) = outside(&value, Classes::REDIRECT).filter(|taint| is_named(&taint.source.label)) {
        let message = "input decides where this leads; choose the address from a fixed list";
        report.add(&REDIRECT, address.span, message, Some(taint));
    }
}

/// `location.href = value`.
pub(super) fn store(receiver: &Operand, name: &str, value: &Operand, report: &mut Report<'_>) {
    let is_location = receiver.value.path_text() == "location" && name == "href"
        || name == "location" && matches!(receiver.value.path_text(), "window" | "document" | "top");
    if is_location {
        location(&value.value, value, report);
    }
}

fn location(value: &ValueRef, place: &Operand, report: &mut Report<'_>) {
    let Some(taint) = outside(value, Classes::REDIRECT_HOST) else { return };
    if matches!(
        taint.source.label.as_ref(),
        "location.href" | "location.pathname" | "document.URL" | "document.referrer"
    ) {
        return;
    }
    report.add(
        &LOCATION,
        place.span,
        "input decides where the page goes; choose the address from a fixed list",
        Some(taint),
    );
}
