//! # Elements and windows: `js/link-opener`, `js/link-address`, `js/message-to-all`, `js/secret-in-storage`
//!
//! ## What it does
//!
//! Reports links that hand their window to other sites, addresses from input in links, messages to windows of any site, and
//! secrets in a store that every script can read.
//!
//! ## Why this is bad
//!
//! The page that is opened can send the one that opened it elsewhere; an address can begin with `javascript:`.
//!
//! ## Example
//!
//! ```javascript
//! <a href={url} target="_blank">site</a>
//! ```
//!
//! ## Use instead
//!
//! ```javascript
//! <a href={url} target="_blank" rel="noopener noreferrer">site</a>
//! ```
//!
//! ## References
//!
//! - [CWE-1022](https://cwe.mitre.org/data/definitions/1022.html)
//! - [CWE-79](https://cwe.mitre.org/data/definitions/79.html)
//! - [CWE-346](https://cwe.mitre.org/data/definitions/346.html)
//! - [CWE-922](https://cwe.mitre.org/data/definitions/922.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Operand};
use crate::rules::evidence::is_secret_name;

use super::outside;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static LINK: RuleInfo = RuleInfo {
    code: "CW-JS-1022-1",
    name: "js/link-opener",
    cwe: &[Cwe(1022), Cwe(200)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A link that opens a window hands this one to the site that it leads to",
    fix: "add rel=\"noopener noreferrer\"",
    examples: &[Example {
        weak: "const A = (props) => <a href={props.url} «target=\"_blank\"»>site</a>;\n",
        sound: "const A = (props) => <a href={props.url} target=\"_blank\" rel=\"noopener noreferrer\">site</a>;\n",
    }],
};

pub(super) static ADDRESS: RuleInfo = RuleInfo {
    code: "CW-JS-079-6",
    name: "js/link-address",
    cwe: &[Cwe(79)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input becomes the address of a link, which can be a script",
    fix: "allow only addresses that begin with https:",
    examples: &[Example {
        weak: "const A = () => <a href={«location.hash.slice(1)»}>back</a>;\n",
        sound: "const A = () => <a href={encodeURIComponent(location.hash)}>back</a>;\n",
    }],
};

pub(super) static MESSAGE: RuleInfo = RuleInfo {
    code: "CW-JS-346-1",
    name: "js/message-to-all",
    cwe: &[Cwe(346), Cwe(345)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A message goes to a window of whatever site",
    fix: "name the origin that is to read it",
    examples: &[Example {
        weak: "function f(secret) { window.parent.postMessage(secret, «'*'»); }\n",
        sound: "function f(secret) { window.parent.postMessage(secret, 'https://example.com'); }\n",
    }],
};

pub(super) static STORAGE: RuleInfo = RuleInfo {
    code: "CW-JS-922-1",
    name: "js/secret-in-storage",
    cwe: &[Cwe(922), Cwe(312)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A secret is kept where every script of the page can read it",
    fix: "keep it in a cookie with httpOnly",
    examples: &[Example {
        weak: "function f(token) { localStorage.setItem(«'authToken'», token); }\n",
        sound: "function f(theme) { localStorage.setItem('theme', theme); }\n",
    }],
};

pub(super) fn attributes(entries: &[(Option<Operand>, Operand)], report: &mut Report<'_>) {
    let find = |name: &str| {
        entries.iter().find_map(|(key, value)| {
            let key = key.as_ref()?;
            (key.value.text() == Some(name)).then_some((key, value))
        })
    };
    let href = find("@href");
    if let (Some((_, address)), Some((place, target))) = (href, find("@target")) {
        let is_fixed = address.value.text().is_some_and(|text| text.starts_with('/') || text.starts_with('#'));
        let is_new = target.value.text().is_some_and(|text| text.trim_start_matches('_') == "blank");
        let has_rel = find("@rel").is_some_and(|(_, rel)| {
            rel.value.text().is_none_or(|text| text.contains("noopener") || text.contains("noreferrer"))
        });
        if is_new && !has_rel && !is_fixed {
            report.add(
                &LINK,
                place.span,
                "the page that opens can send this one elsewhere; add rel=\"noopener noreferrer\"",
                None,
            );
        }
    }
    if let Some((_, address)) = href.or_else(|| find("@src"))
        && let Some(taint) = outside(&address.value, Classes::REDIRECT_HOST)
    {
        report.add(
            &ADDRESS,
            address.span,
            "an address can be a script; allow only those that begin with https:",
            Some(taint),
        );
    }
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.method == "postMessage"
        && let [_, target, ..] = call.positional.as_slice()
        && target.value.text() == Some("*")
    {
        report.add(
            &MESSAGE,
            target.span,
            "a window of any site can read this message; name the origin that is to read it",
            None,
        );
    }
    if call.is(&["localStorage.setItem", "sessionStorage.setItem"])
        && let Some(name) = call.first()
        && name.value.text().is_some_and(is_secret_name)
    {
        report.add(
            &STORAGE,
            name.span,
            "every script of the page can read this; keep it in a cookie with httpOnly",
            None,
        );
    }
}
