//! # Files: `js/path-traversal`, `js/archive-extract`, `js/open-permissions`, `js/temporary-file`, `js/raw-buffer`
//!
//! ## What it does
//!
//! Reports paths of files that input can lead out of their folder, names in archives used as paths, files that everyone may
//! write, names in shared folders that can be guessed, and memory that is used as it was left.
//!
//! ## Why this is bad
//!
//! `../../etc/passwd` leads to files that were not meant.
//!
//! ## Example
//!
//! ```javascript
//! fs.readFile("public/" + req.params.name, send);
//! ```
//!
//! ## Use instead
//!
//! ```javascript
//! res.sendFile(req.params.name, { root: "public" });
//! ```
//!
//! ## References
//!
//! - [CWE-22](https://cwe.mitre.org/data/definitions/22.html)
//! - [CWE-732](https://cwe.mitre.org/data/definitions/732.html)
//! - [CWE-377](https://cwe.mitre.org/data/definitions/377.html)
//! - [CWE-908](https://cwe.mitre.org/data/definitions/908.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Operand, SourceKind, ValueRef};
use crate::rules::evidence::is_parameter_itself;

use super::{option, outside};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static PATH: RuleInfo = RuleInfo {
    code: "CW-JS-022-1",
    name: "js/path-traversal",
    cwe: &[Cwe(22)],
    severity: Level::High,
    confidence: Level::High,
    summary: "Input can lead the path of a file out of its folder",
    fix: "resolve the path and check that it begins with the folder",
    examples: &[
        Example {
            weak: "const fs = require('fs');\nmodule.exports = (req, res) => fs.createReadStream(«'public' + req.url»).pipe(res);\n",
            sound: "const fs = require('fs');\nconst path = require('path');\nconst root = path.resolve('public');\nmodule.exports = (req, res) => {\n  const file = path.resolve(root, req.query.name);\n  if (!file.startsWith(root + path.sep)) return;\n  fs.createReadStream(file).pipe(res);\n};\n",
        },
        Example {
            weak: "const fs = require('fs/promises');\nconst path = require('path');\nexport async function read(name) { return fs.readFile(«path.join('data', name)»); }\n",
            sound: "const fs = require('fs/promises');\nconst path = require('path');\nexport async function read(name) { return fs.readFile(path.join('data', path.basename(name))); }\n",
        },
    ],
};

pub(super) static ARCHIVE: RuleInfo = RuleInfo {
    code: "CW-JS-022-2",
    name: "js/archive-extract",
    cwe: &[Cwe(22)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "The name of an archive's member is used as a path",
    fix: "check that the resolved path stays in the folder",
    examples: &[Example {
        weak: "const fs = require('fs');\nconst path = require('path');\nfunction f(zip) { zip.on('entry', (entry) => entry.pipe(fs.createWriteStream(«path.join('out', entry.path)»))); }\n",
        sound: "const fs = require('fs');\nconst path = require('path');\nfunction f(zip) { zip.on('entry', (entry) => entry.pipe(fs.createWriteStream(path.join('out', path.basename(entry.path))))); }\n",
    }],
};

pub(super) static PERMISSIONS: RuleInfo = RuleInfo {
    code: "CW-JS-732-1",
    name: "js/open-permissions",
    cwe: &[Cwe(732)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Everyone may write a file",
    fix: "give rights to the owner alone",
    examples: &[Example {
        weak: "const fs = require('fs');\nfs.chmodSync('data', «0o777»);\n",
        sound: "const fs = require('fs');\nfs.chmodSync('data', 0o600);\n",
    }],
};

pub(super) static TEMPORARY: RuleInfo = RuleInfo {
    code: "CW-JS-377-1",
    name: "js/temporary-file",
    cwe: &[Cwe(377)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A file in a shared folder has a name that can be guessed",
    fix: "use fs.mkdtemp",
    examples: &[Example {
        weak: "const fs = require('fs');\nfs.writeFileSync(«'/tmp/report.txt'», 'text');\n",
        sound: "const fs = require('fs');\nfs.writeFileSync('/var/lib/app/report.txt', 'text');\n",
    }],
};

pub(super) static BUFFER: RuleInfo = RuleInfo {
    code: "CW-JS-908-1",
    name: "js/raw-buffer",
    cwe: &[Cwe(908), Cwe(200)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "Memory is used as it was left",
    fix: "use Buffer.alloc",
    examples: &[Example {
        weak: "module.exports = (req, res) => res.end(«Buffer.allocUnsafe»(1024));\n",
        sound: "module.exports = (req, res) => res.end(Buffer.alloc(1024));\n",
    }],
};

const OPEN: &[&str] = &[
    "readFile",
    "readFileSync",
    "createReadStream",
    "writeFile",
    "writeFileSync",
    "appendFile",
    "appendFileSync",
    "createWriteStream",
    "unlink",
    "unlinkSync",
    "rm",
    "rmSync",
    "rmdir",
    "rmdirSync",
    "readdir",
    "readdirSync",
    "open",
    "openSync",
    "mkdir",
    "mkdirSync",
    "copyFile",
    "copyFileSync",
    "rename",
    "renameSync",
    "outputFile",
    "remove",
    "removeSync",
    "readJson",
];

const SENDS: &[&str] = &["res.sendFile", "res.sendfile", "res.download", "ctx.sendFile", "send", "koa-send"];

const MESSAGE: &str = "input can lead this path out of its folder; resolve it and check that it begins with the folder";

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if let Some(name) = call.path.strip_prefix("fs.") {
        if OPEN.contains(&name) {
            let num_paths = if name.starts_with("copy") || name.starts_with("rename") { 2 } else { 1 };
            for operand in call.positional.iter().take(num_paths) {
                path(call, operand, report);
            }
            if name.starts_with("write") || name.starts_with("append") || name == "createWriteStream" {
                shared(call, report);
            }
        }
        if matches!(name, "chmod" | "chmodSync" | "fchmod" | "fchmodSync") {
            permissions(call.positional.get(1), report);
        }
    } else if call.is(SENDS) {
        let has_root = option(call, "root").is_some();
        let file = call
            .positional
            .iter()
            .take(2)
            .find(|operand| outside(&call.live(&operand.value), Classes::PATH_UP).is_some());
        if let (false, Some(file)) = (has_root, file) {
            path(call, file, report);
        }
    } else if call.is(&["Buffer.allocUnsafe", "Buffer.allocUnsafeSlow", "new Buffer"]) {
        let is_size = call.path != "new Buffer" || call.first().is_some_and(|first| first.value.integer().is_some());
        if is_size {
            report.add(&BUFFER, call.callee.span, "this memory holds what was there before; use Buffer.alloc", None);
        }
    }
}

fn path(call: &Call<'_>, operand: &Operand, report: &mut Report<'_>) {
    let value = call.live(&operand.value);
    let member = value.taints.iter().find(|taint| taint.source.label.as_ref() == "entry");
    if let Some(taint) = member.filter(|taint| taint.classes.has_any(Classes::PATH_UP)) {
        let message = "this name comes from the archive and can lead out of the folder; check the resolved path";
        report.add(&ARCHIVE, operand.span, message, Some(taint));
    } else if let Some(taint) = outside(&value, Classes::PATH_UP | Classes::PATH_ABSOLUTE) {
        report.add(&PATH, operand.span, MESSAGE, Some(taint));
    } else if let Some(taint) = value.taint(Classes::PATH_UP).filter(|_| is_put_together(&value)) {
        report.add(&PATH, operand.span, MESSAGE, Some(taint));
    }
}

/// Whether a path is made of a folder and a parameter, rather than being a parameter as it came.
fn is_put_together(value: &ValueRef) -> bool {
    let is_joined = matches!(value.path_text(), "path.join()" | "path.resolve()") || value.is_built();
    is_joined
        && !is_parameter_itself(value)
        && value.taints.iter().all(|taint| taint.source.kind == SourceKind::Parameter)
}

fn shared(call: &Call<'_>, report: &mut Report<'_>) {
    let Some(first) = call.first() else { return };
    if first.value.text().is_some_and(|text| text.starts_with("/tmp/") || text.starts_with("/var/tmp/")) {
        report.add(&TEMPORARY, first.span, "others can put a link under this name first; use fs.mkdtemp", None);
    }
}

fn permissions(mode: Option<&Operand>, report: &mut Report<'_>) {
    let Some(mode) = mode else { return };
    let bits = mode.value.integer().or_else(|| mode.value.text().and_then(|text| i64::from_str_radix(text, 8).ok()));
    if bits.is_some_and(|bits| bits & 0o002 != 0) {
        report.add(&PERMISSIONS, mode.span, "everyone may write this; give rights to the owner alone", None);
    }
}
