//! # Input as code: `js/eval`, `js/eval-unknown`, `js/template-injection`, `js/module-from-input`, `js/method-from-input`, `js/deserialise`, `js/yaml-load`, `js/yaml-unsafe-schema`
//!
//! ## What it does
//!
//! Reports input that is run as code, read as a template, names a module or a method, or is turned into objects that can hold
//! functions.
//!
//! ## Why this is bad
//!
//! Whoever writes the input decides what the program does.
//!
//! ## Example
//!
//! ```javascript
//! const total = eval(req.body.sum);
//! ```
//!
//! ## Use instead
//!
//! ```javascript
//! const total = Number(req.body.one) + Number(req.body.two);
//! ```
//!
//! ## References
//!
//! - [CWE-95](https://cwe.mitre.org/data/definitions/95.html)
//! - [CWE-1336](https://cwe.mitre.org/data/definitions/1336.html)
//! - [CWE-470](https://cwe.mitre.org/data/definitions/470.html)
//! - [CWE-502](https://cwe.mitre.org/data/definitions/502.html)

use codeward_records::{Cwe, Level};

use super::{check, check_outside, is_of_unknown_origin, option, outside};
use crate::flow::{Call, Classes, Labels, Operand, Piece};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static EVAL: RuleInfo = RuleInfo {
    code: "CW-JS-095-1",
    name: "js/eval",
    cwe: &[Cwe(95), Cwe(94)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Input is run as code",
    fix: "parse the input instead of running it",
    examples: &[
        Example {
            weak: "function f(text) { return eval(«'(' + text + ')'»); }\n",
            sound: "function f(text) { return JSON.parse(text); }\n",
        },
        Example {
            weak: "const vm = require('vm');\nmodule.exports = (req, res) => { res.json(vm.runInNewContext(«req.body.code»)); };\n",
            sound: "const f = new Function('a', 'b', 'return a + b');\n",
        },
    ],
};

pub(super) static UNKNOWN: RuleInfo = RuleInfo {
    code: "CW-JS-095-2",
    name: "js/eval-unknown",
    cwe: &[Cwe(95), Cwe(94)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "A value of unknown origin is run as code",
    fix: "read the value instead of running it",
    examples: &[Example {
        weak: "policy.resources = eval(«policy.text»);\nconst get = new Function('s', «'return s.' + options.field»);\n",
        sound: "policy.resources = JSON.parse(policy.text);\nconst get = (s) => s[options.field];\n",
    }],
};

pub(super) static TEMPLATE: RuleInfo = RuleInfo {
    code: "CW-JS-1336-1",
    name: "js/template-injection",
    cwe: &[Cwe(1336), Cwe(94)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "Input is part of a template",
    fix: "keep the template fixed and pass the input as a value",
    examples: &[Example {
        weak: "const ejs = require('ejs');\nmodule.exports = (req, res) => res.end(ejs.render(«'<p>' + req.query.name + '</p>'»));\n",
        sound: "const ejs = require('ejs');\nmodule.exports = (req, res) => res.end(ejs.render('<p><%= name %></p>', { name: req.query.name }));\n",
    }],
};

pub(super) static MODULE: RuleInfo = RuleInfo {
    code: "CW-JS-829-1",
    name: "js/module-from-input",
    cwe: &[Cwe(829), Cwe(98)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Input names the module that is loaded",
    fix: "choose the module from a fixed list",
    examples: &[Example {
        weak: "module.exports = (req, res) => res.json(require(«'./plugins/' + req.query.name»));\n",
        sound: "const known = { a: require('./plugins/a') };\nmodule.exports = (req, res) => res.json(known[req.query.name]);\n",
    }],
};

pub(super) static METHOD: RuleInfo = RuleInfo {
    code: "CW-JS-470-1",
    name: "js/method-from-input",
    cwe: &[Cwe(470)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Input names the method that is called",
    fix: "look the method up in a Map of those that are allowed",
    examples: &[Example {
        weak: "module.exports = (req, res) => { this[«req.params.action»](res); };\n",
        sound: "module.exports = (req, res) => { if (!['list', 'show'].includes(req.params.action)) return; this[req.params.action](res); };\n",
    }],
};

pub(super) static DESERIALISE: RuleInfo = RuleInfo {
    code: "CW-JS-502-1",
    name: "js/deserialise",
    cwe: &[Cwe(502)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Input is turned into objects that can hold functions",
    fix: "use JSON.parse",
    examples: &[Example {
        weak: "const serialize = require('node-serialize');\nmodule.exports = (req, res) => res.json(serialize.unserialize(«req.cookies.profile»));\n",
        sound: "module.exports = (req, res) => res.json(JSON.parse(req.cookies.profile));\n",
    }],
};

pub(super) static YAML: RuleInfo = RuleInfo {
    code: "CW-JS-502-2",
    name: "js/yaml-unsafe-schema",
    cwe: &[Cwe(502)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "YAML is read with a schema that makes functions",
    fix: "use the default schema",
    examples: &[Example {
        weak: "const yaml = require('js-yaml');\nfunction f(text) { return yaml.load(«text», { schema: yaml.DEFAULT_FULL_SCHEMA }); }\n",
        sound: "const yaml = require('js-yaml');\nfunction f(text) { return yaml.load(text, { schema: yaml.JSON_SCHEMA }); }\n",
    }],
};

const RUNS: &[&str] = &[
    "eval",
    "Function",
    "new Function",
    "vm.runInContext",
    "vm.runInNewContext",
    "vm.runInThisContext",
    "vm.compileFunction",
    "new vm.Script",
    "execScript",
    "new vm2.VM().run",
    "safe-eval",
    "static-eval",
];

/// Timers run a text as code.
const TIMERS: &[&str] = &["setTimeout", "setInterval", "setImmediate"];

const TEMPLATES: &[&str] = &[
    "ejs.render",
    "ejs.compile",
    "pug.render",
    "pug.compile",
    "jade.render",
    "jade.compile",
    "handlebars.compile",
    "Handlebars.compile",
    "lodash.template",
    "nunjucks.renderString",
    "nunjucks.compile",
    "doT.template",
    "dot.template",
    "mustache.render",
    "Mustache.render",
    "eta.render",
    "hogan.js.compile",
    "swig.render",
];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(RUNS) {
        for operand in &call.positional {
            let is_input = check(call, operand, Classes::CODE, &EVAL, "input is run as code; parse it instead", report);
            let is_open = |piece: &Piece| matches!(piece, Piece::Hole { value, .. } if is_of_unknown_origin(value));
            if !is_input && operand.value.pieces(operand.span).iter().any(is_open) {
                report.add(&UNKNOWN, operand.span, "this is run as code, whatever it is; read it instead", None);
            }
        }
    } else if call.is(TIMERS) {
        let Some(first) = call.first() else { return };
        if first.value.is_built() {
            check(
                call,
                first,
                Classes::CODE,
                &EVAL,
                "this text is run as code, with the input in it; pass a function",
                report,
            );
        }
    } else if call.is(TEMPLATES) {
        let Some(first) = call.first() else { return };
        let message = "input is read as a template; keep the template fixed and pass the input as a value";
        check_outside(call, first, Classes::TEMPLATE, &TEMPLATE, message, report);
    } else if call.is(&["require", "import"]) {
        let Some(first) = call.first() else { return };
        let message = "input names the module that is loaded; choose it from a fixed list";
        check_outside(call, first, Classes::NAME, &MODULE, message, report);
    } else if call.is(&[
        "node-serialize.unserialize",
        "serialize-to-js.deserialize",
        "funcster.deepDeserialize",
        "cryo.parse",
        "v8.deserialize",
    ]) {
        let Some(first) = call.first() else { return };
        check(
            call,
            first,
            Classes::PICKLE,
            &DESERIALISE,
            "what is read here can hold functions that run; use JSON.parse",
            report,
        );
    } else if call.is(&["yaml.load", "yaml.loadAll"]) {
        let is_full = option(call, "schema").is_some_and(|schema| schema.path_text().contains("FULL_SCHEMA"));
        if let (true, Some(first)) = (is_full, call.first()) {
            check(
                call,
                first,
                Classes::PICKLE,
                &YAML,
                "this schema makes functions from the text; use the default one",
                report,
            );
        }
    }
}

/// `owner[input]`, where the owner is a module or the object that the code belongs to.
pub(super) fn subscript(base: &Operand, index: &Operand, report: &mut Report<'_>) {
    let path = base.value.path_text();
    let is_owner =
        matches!(path, "self" | "window" | "global" | "globalThis" | "lodash" | "child_process" | "fs" | "module");
    if !is_owner || index.value.labels.has(Labels::TEXT) {
        return;
    }
    if let Some(taint) = outside(&index.value, Classes::NAME) {
        let message = "input names what is taken from this object; look it up in a Map of what is allowed";
        report.add(&METHOD, index.span, message, Some(taint));
    }
}
