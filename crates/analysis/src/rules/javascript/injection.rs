//! # Input in other formats: `js/header-newline`, `js/xml-entities`, `js/xml-expansion`, `js/format-string`
//!
//! ## What it does
//!
//! Reports input in raw headers, XML that may name files or grow without bound, and input used as a format.
//!
//! ## Why this is bad
//!
//! A line break ends a header and starts another; an entity can read a file; a format can swallow other values.
//!
//! ## Example
//!
//! ```javascript
//! libxmljs.parseXml(text, { noent: true });
//! ```
//!
//! ## Use instead
//!
//! ```javascript
//! libxmljs.parseXml(text);
//! ```
//!
//! ## References
//!
//! - [CWE-113](https://cwe.mitre.org/data/definitions/113.html)
//! - [CWE-611](https://cwe.mitre.org/data/definitions/611.html)
//! - [CWE-776](https://cwe.mitre.org/data/definitions/776.html)
//! - [CWE-134](https://cwe.mitre.org/data/definitions/134.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes};

use super::{check, check_outside, option};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static HEADER: RuleInfo = RuleInfo {
    code: "CW-JS-113-1",
    name: "js/header-newline",
    cwe: &[Cwe(113), Cwe(93)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input stands in the raw text of a header",
    fix: "remove line breaks first",
    examples: &[Example {
        weak: "const net = require('net');\nconst socket = net.connect(80);\nmodule.exports = (req, res) => socket.write(«'GET / HTTP/1.1\\r\\nX-Name: ' + req.query.name + '\\r\\n\\r\\n'»);\n",
        sound: "const net = require('net');\nconst socket = net.connect(80);\nmodule.exports = (req, res) => socket.write('GET / HTTP/1.1\\r\\nX-Name: ' + encodeURIComponent(req.query.name) + '\\r\\n\\r\\n');\n",
    }],
};

pub(super) static XML_ENTITIES: RuleInfo = RuleInfo {
    code: "CW-JS-611-1",
    name: "js/xml-entities",
    cwe: &[Cwe(611)],
    severity: Level::High,
    confidence: Level::High,
    summary: "XML is read with entities that can name files",
    fix: "leave entities off",
    examples: &[Example {
        weak: "const libxmljs = require('libxmljs');\nfunction f(text) { return libxmljs.parseXml(«text», { noent: true }); }\n",
        sound: "const libxmljs = require('libxmljs');\nfunction f(text) { return libxmljs.parseXml(text, { noent: false }); }\n",
    }],
};

pub(super) static XML_EXPANSION: RuleInfo = RuleInfo {
    code: "CW-JS-776-1",
    name: "js/xml-expansion",
    cwe: &[Cwe(776)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "XML is read without a limit to its size",
    fix: "leave the parser's limits on",
    examples: &[Example {
        weak: "const libxmljs = require('libxmljs');\nfunction f(text) { return libxmljs.parseXml(«text», { huge: true }); }\n",
        sound: "const libxmljs = require('libxmljs');\nfunction f(text) { return libxmljs.parseXml(text); }\n",
    }],
};

pub(super) static FORMAT: RuleInfo = RuleInfo {
    code: "CW-JS-134-1",
    name: "js/format-string",
    cwe: &[Cwe(134)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "Input is used as a format",
    fix: "pass the input as a value of a fixed format",
    examples: &[Example {
        weak: "module.exports = (req, res) => console.log(«req.query.name», res.statusCode);\n",
        sound: "module.exports = (req, res) => console.log('%s %d', req.query.name, res.statusCode);\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let Some(first) = call.first() else { return };
    if call.method == "write" && first.value.outline().contains("\r\n") {
        let message = "a line break in the input ends this header and starts another; remove line breaks first";
        check_outside(call, first, Classes::LINES, &HEADER, message, report);
    }
    if call.path.starts_with("libxmljs.") && call.method.starts_with("parse") {
        let is_on = |name: &str| option(call, name).is_some_and(|value| value.boolean() == Some(true));
        if is_on("noent") {
            check(
                call,
                first,
                Classes::XML_DECLARATION,
                &XML_ENTITIES,
                "an entity in this text can name a file; leave entities off",
                report,
            );
        }
        if is_on("huge") {
            check(
                call,
                first,
                Classes::XML_DECLARATION,
                &XML_EXPANSION,
                "this text can grow without bound; leave the limits on",
                report,
            );
        }
    }
    let formats = call.path == "util.format" || call.path.starts_with("console.");
    if formats && call.positional.len() > 1 {
        let message = "signs of a format in this value change what is written; pass it as a value of a fixed format";
        check_outside(call, first, Classes::FORMAT, &FORMAT, message, report);
    }
}
