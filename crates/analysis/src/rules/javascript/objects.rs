//! # Objects: `js/prototype-pollution`, `js/merge-input`, `js/mass-assignment`
//!
//! ## What it does
//!
//! Reports properties set under names that may be `__proto__`, request parts merged into objects, and records made from all that a
//! request holds.
//!
//! ## Why this is bad
//!
//! A property of the prototype is a property of every object; a request can hold `isAdmin`.
//!
//! ## Example
//!
//! ```javascript
//! for (const key in source) target[key] = source[key];
//! ```
//!
//! ## Use instead
//!
//! ```javascript
//! for (const key of Object.keys(source)) if (key !== "__proto__") target[key] = source[key];
//! ```
//!
//! ## References
//!
//! - [CWE-1321](https://cwe.mitre.org/data/definitions/1321.html)
//! - [CWE-915](https://cwe.mitre.org/data/definitions/915.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Operand, Shape};

use crate::rules::evidence::is_parameter_itself;

use super::outside;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static PROTOTYPE: RuleInfo = RuleInfo {
    code: "CW-JS-1321-1",
    name: "js/prototype-pollution",
    cwe: &[Cwe(1321), Cwe(915)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A property is set under a name that may be that of the prototype",
    fix: "refuse __proto__, constructor and prototype",
    examples: &[
        Example {
            weak: "function merge(target, source) {\n  for (const key in source) {\n    if (typeof source[key] === 'object') merge(target[key], source[key]);\n    else target[«key»] = source[key];\n  }\n}\n",
            sound: "function merge(target, source) {\n  for (const key in source) {\n    if (key === '__proto__' || key === 'constructor') continue;\n    if (typeof source[key] === 'object') merge(target[key], source[key]);\n    else target[key] = source[key];\n  }\n}\n",
        },
        Example {
            weak: "const store = {};\nmodule.exports = (req, res) => { store[req.body.group][«req.body.name»] = req.body.value; };\n",
            sound: "const store = new Map();\nmodule.exports = (req, res) => { store.set(req.body.name, req.body.value); };\n",
        },
    ],
};

pub(super) static MERGE: RuleInfo = RuleInfo {
    code: "CW-JS-1321-2",
    name: "js/merge-input",
    cwe: &[Cwe(1321)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A part of a request is merged into an object with all it holds",
    fix: "copy the properties that are known",
    examples: &[Example {
        weak: "const _ = require('lodash');\nconst settings = {};\nmodule.exports = (req, res) => _.merge(settings, «req.body»);\n",
        sound: "const _ = require('lodash');\nconst settings = {};\nmodule.exports = (req, res) => _.merge(settings, { theme: String(req.body.theme) });\n",
    }],
};

pub(super) static ASSIGNMENT: RuleInfo = RuleInfo {
    code: "CW-JS-915-1",
    name: "js/mass-assignment",
    cwe: &[Cwe(915)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A record is made from all that a request holds",
    fix: "copy the properties that are known",
    examples: &[Example {
        weak: "module.exports = async (req, res) => res.json(await User.create(«req.body»));\n",
        sound: "module.exports = async (req, res) => res.json(await User.create({ name: req.body.name }));\n",
    }],
};

/// Functions that copy properties into their first argument, and into what it holds.
const DEEP: &[&str] = &[
    "lodash.merge",
    "lodash.mergeWith",
    "lodash.defaultsDeep",
    "lodash.set",
    "lodash.setWith",
    "jquery.extend",
    "deepmerge",
    "merge",
    "extend",
    "deep-extend",
    "merge-deep",
    "defaults-deep",
    "dot-prop.set",
    "object-path.set",
];

const RECORDS: &[&str] = &[
    "create",
    "insertOne",
    "update",
    "updateOne",
    "findByIdAndUpdate",
    "findOneAndUpdate",
    "build",
    "bulkCreate",
    "upsert",
];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let whole = |operand: &&Operand| {
        let path = operand.value.path_text();
        matches!(path, "req.body" | "req.query" | "ctx.request.body" | "req.params")
            || path == "JSON.parse()" && outside(&operand.value, Classes::KEYS).is_some()
    };
    if call.is(DEEP) || call.path == "Object.assign" {
        let is_deep = call.path != "Object.assign";
        let target = call.positional.first();
        let is_new = target
            .is_some_and(|target| matches!(&target.value.shape, Shape::Dictionary(entries) if entries.is_empty()));
        if let Some(operand) = call.positional.iter().skip(1).find(whole) {
            let taint = outside(&operand.value, Classes::KEYS);
            let message = "every property of this part of a request is copied; copy the ones that are known";
            if is_deep {
                report.add(&MERGE, operand.span, message, taint);
            } else if !is_new {
                report.add(&ASSIGNMENT, operand.span, message, taint);
            }
        }
    } else if call.has_method(RECORDS)
        || call.path.starts_with("new ") && call.path[4..].starts_with(char::is_uppercase)
    {
        let is_record = call.has_method(RECORDS)
            || !matches!(
                call.path,
                "new Error" | "new URLSearchParams" | "new Map" | "new Set" | "new Date" | "new Promise"
            );
        let operand = call.positional.iter().find(whole);
        if let (true, Some(operand)) = (is_record, operand) {
            let message = "every property of this part of a request gets into the record; copy the ones that are known";
            report.add(&ASSIGNMENT, operand.span, message, outside(&operand.value, Classes::KEYS));
        }
    }
}

/// `target[key] = value`, where input decides the key.
pub(super) fn element_store(receiver: &Operand, index: &Operand, value: &Operand, report: &mut Report<'_>) {
    let Some(taint) = index.value.taint(Classes::NAME) else { return };
    if index.value.labels.has(crate::flow::Labels::TEXT) && index.value.is_built() || index.value.constant.is_some() {
        return;
    }
    let message = "under this name may be the prototype of every object; refuse __proto__, constructor and prototype";
    // The value comes from the same object as its key, or the target was itself found under a key from input.
    let is_copy = match &value.value.shape {
        Shape::Part(source) => source
            .taints
            .iter()
            .any(|one| index.value.taints.iter().any(|two| std::rc::Rc::ptr_eq(&one.source, &two.source))),
        _ => false,
    };
    let is_key_of_input = is_copy && matches!(index.value.shape, Shape::Part(_));
    // Cut out of a text: the names of sections and settings.
    let is_cut_out = match &index.value.shape {
        Shape::Called { .. } => true,
        Shape::Part(owner) => matches!(owner.shape, Shape::Called { .. } | Shape::Repeated(_)),
        _ => false,
    };
    let is_deep = matches!(receiver.value.shape, Shape::Part(_))
        && (is_cut_out || outside(&index.value, Classes::NAME).is_some());
    if is_key_of_input && is_parameter_itself(&receiver.value) || is_deep {
        report.add(&PROTOTYPE, index.span, message, Some(taint));
    }
}
