//! # Settings: `js/certificate-unchecked`, `js/certificates-unchecked`, `js/old-protocol`, `js/node-in-page`, `js/web-security-off`, `js/body-size`, `js/debugger`, `js/directory-listing`, `js/listen-everywhere`
//!
//! ## What it does
//!
//! Reports settings that turn a protection off.
//!
//! ## Why this is bad
//!
//! What the protection was against can happen.
//!
//! ## Example
//!
//! ```javascript
//! https.get({ host, rejectUnauthorized: false });
//! ```
//!
//! ## Use instead
//!
//! ```javascript
//! https.get({ host });
//! ```
//!
//! ## References
//!
//! - [CWE-295](https://cwe.mitre.org/data/definitions/295.html)
//! - [CWE-757](https://cwe.mitre.org/data/definitions/757.html)
//! - [CWE-829](https://cwe.mitre.org/data/definitions/829.html)
//! - [CWE-346](https://cwe.mitre.org/data/definitions/346.html)
//! - [CWE-770](https://cwe.mitre.org/data/definitions/770.html)
//! - [CWE-489](https://cwe.mitre.org/data/definitions/489.html)
//! - [CWE-548](https://cwe.mitre.org/data/definitions/548.html)
//! - [CWE-1327](https://cwe.mitre.org/data/definitions/1327.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Operand};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static CERTIFICATE: RuleInfo = RuleInfo {
    code: "CW-JS-295-1",
    name: "js/certificate-unchecked",
    cwe: &[Cwe(295)],
    severity: Level::High,
    confidence: Level::High,
    summary: "The certificate of a server is not checked",
    fix: "leave rejectUnauthorized on",
    examples: &[Example {
        weak: "const https = require('https');\nconst agent = new https.Agent({ rejectUnauthorized: «false» });\n",
        sound: "const https = require('https');\nconst agent = new https.Agent({ rejectUnauthorized: true });\n",
    }],
};

pub(super) static CERTIFICATE_EVERYWHERE: RuleInfo = RuleInfo {
    code: "CW-JS-295-2",
    name: "js/certificates-unchecked",
    cwe: &[Cwe(295)],
    severity: Level::High,
    confidence: Level::High,
    summary: "No certificate of any server is checked",
    fix: "add the certificate's authority instead",
    examples: &[Example {
        weak: "process.env.NODE_TLS_REJECT_UNAUTHORIZED = «'0'»;\n",
        sound: "process.env.NODE_EXTRA_CA_CERTS = 'ca.pem';\n",
    }],
};

pub(super) static PROTOCOL: RuleInfo = RuleInfo {
    code: "CW-JS-757-1",
    name: "js/old-protocol",
    cwe: &[Cwe(757), Cwe(326)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A version of TLS is allowed that is broken",
    fix: "use TLSv1.2 or later",
    examples: &[Example {
        weak: "require('tls').createServer({ minVersion: «'TLSv1'» });\n",
        sound: "require('tls').createServer({ minVersion: 'TLSv1.2' });\n",
    }],
};

pub(super) static NODE_IN_PAGE: RuleInfo = RuleInfo {
    code: "CW-JS-829-2",
    name: "js/node-in-page",
    cwe: &[Cwe(829)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Scripts of a page have all that the program has",
    fix: "leave nodeIntegration off and contextIsolation on",
    examples: &[Example {
        weak: "const { BrowserWindow } = require('electron');\nnew BrowserWindow({ webPreferences: { nodeIntegration: «true» } });\n",
        sound: "const { BrowserWindow } = require('electron');\nnew BrowserWindow({ webPreferences: { nodeIntegration: false } });\n",
    }],
};

pub(super) static WEB_SECURITY: RuleInfo = RuleInfo {
    code: "CW-JS-346-2",
    name: "js/web-security-off",
    cwe: &[Cwe(346)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Pages may read what belongs to other sites",
    fix: "leave webSecurity on",
    examples: &[Example {
        weak: "const { BrowserWindow } = require('electron');\nnew BrowserWindow({ webPreferences: { webSecurity: «false» } });\n",
        sound: "const { BrowserWindow } = require('electron');\nnew BrowserWindow({ webPreferences: { webSecurity: true } });\n",
    }],
};

pub(super) static BODY_SIZE: RuleInfo = RuleInfo {
    code: "CW-JS-770-1",
    name: "js/body-size",
    cwe: &[Cwe(770), Cwe(400)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "Requests may be very large",
    fix: "set a limit that fits what is sent",
    examples: &[Example {
        weak: "const express = require('express');\nexpress.json({ limit: «'1gb'» });\n",
        sound: "const express = require('express');\nexpress.json({ limit: '100kb' });\n",
    }],
};

pub(super) static DEBUGGER: RuleInfo = RuleInfo {
    code: "CW-JS-489-1",
    name: "js/debugger",
    cwe: &[Cwe(489)],
    severity: Level::Low,
    confidence: Level::High,
    summary: "A halt for a debugger was left in",
    fix: "remove it",
    examples: &[Example { weak: "function f() { «debugger;» }\n", sound: "function f() { return 1; }\n" }],
};

pub(super) static LISTING: RuleInfo = RuleInfo {
    code: "CW-JS-548-1",
    name: "js/directory-listing",
    cwe: &[Cwe(548)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "The names of all files are shown",
    fix: "leave the listing out",
    examples: &[Example {
        weak: "const index = require('serve-index');\n«index»('files');\n",
        sound: "const express = require('express');\nexpress.static('files');\n",
    }],
};

pub(super) static LISTEN: RuleInfo = RuleInfo {
    code: "CW-JS-1327-1",
    name: "js/listen-everywhere",
    cwe: &[Cwe(1327)],
    severity: Level::Low,
    confidence: Level::Low,
    summary: "A service can be reached from every network",
    fix: "listen on 127.0.0.1",
    examples: &[Example {
        weak: "const net = require('net');\nnet.createServer().listen(80, «'0.0.0.0'»);\n",
        sound: "const net = require('net');\nnet.createServer().listen(80, '127.0.0.1');\n",
    }],
};

pub(super) fn entry(name: &str, value: &Operand, report: &mut Report<'_>) {
    let truth = value.value.boolean();
    let text = value.value.text();
    match (name, truth, text) {
        ("rejectUnauthorized" | "strictSSL", Some(false), _) => {
            report.add(
                &CERTIFICATE,
                value.span,
                "whoever sits between can read this; leave the certificate to be checked",
                None,
            );
        }
        ("minVersion" | "maxVersion" | "secureProtocol", _, Some(version)) if is_old(version) => {
            report.add(&PROTOCOL, value.span, "this version of TLS is broken; use TLSv1.2 or later", None);
        }
        ("nodeIntegration" | "nodeIntegrationInWorker", Some(true), _) | ("contextIsolation", Some(false), _) => {
            report.add(
                &NODE_IN_PAGE,
                value.span,
                "a script of the page can do all that the program can; turn this round",
                None,
            );
        }
        ("webSecurity", Some(false), _) | ("allowRunningInsecureContent", Some(true), _) => {
            report.add(&WEB_SECURITY, value.span, "a page can read what belongs to other sites; turn this round", None);
        }
        ("limit" | "bodyLimit", _, Some(size)) if is_large(size) => {
            report.add(&BODY_SIZE, value.span, "one request can fill the memory; set a limit that fits", None);
        }
        _ => {}
    }
}

fn is_old(version: &str) -> bool {
    matches!(
        version,
        "TLSv1"
            | "TLSv1.1"
            | "SSLv3"
            | "TLSv1_method"
            | "TLSv1_1_method"
            | "SSLv3_method"
            | "SSLv2_method"
            | "SSLv23_method"
    )
}

fn is_large(size: &str) -> bool {
    let lower = size.to_ascii_lowercase();
    let number = lower.trim_end_matches(char::is_alphabetic).trim().parse::<f64>().unwrap_or(0.0);
    lower.ends_with("gb") || lower.ends_with("mb") && number >= 200.0
}

pub(super) fn store(receiver: &Operand, name: &str, value: &Operand, report: &mut Report<'_>) {
    if receiver.value.path_text() == "process.env" && name == "NODE_TLS_REJECT_UNAUTHORIZED" {
        let is_off = value.value.text() == Some("0") || value.value.integer() == Some(0);
        if is_off {
            let message = "no certificate is checked from here on; add the certificate's authority instead";
            report.add(&CERTIFICATE_EVERYWHERE, value.span, message, None);
        }
        return;
    }
    entry(name, value, report);
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    match call.path {
        "debugger" => {
            report.add(&DEBUGGER, call.callee.span, "the program halts here under a debugger; remove it", None);
        }
        "serve-index" => {
            report.add(&LISTING, call.callee.span, "the names of all files are shown; leave the listing out", None);
        }
        _ if call.method == "listen" => {
            if let Some(host) =
                call.positional.iter().find(|operand| matches!(operand.value.text(), Some("0.0.0.0" | "::")))
            {
                report.add(&LISTEN, host.span, "every network can reach this; listen on 127.0.0.1", None);
            }
        }
        _ => {}
    }
}
