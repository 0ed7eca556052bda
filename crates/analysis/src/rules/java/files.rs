//! # `java/temporary-file`, `java/permissions` and their kin
//!
//! ## What it does
//!
//! Reports files that others on the machine can foresee, read or change.
//!
//! ## Why this is bad
//!
//! Folders for temporary files are shared.
//!
//! ## Example
//!
//! ```java
//! File file = File.createTempFile("report", ".pdf");
//! ```
//!
//! ## Use instead
//!
//! ```java
//! Path file = Files.createTempFile("report", ".pdf");
//! ```
//!
//! ## References
//!
//! - [CWE-377](https://cwe.mitre.org/data/definitions/377.html)
//! - [CWE-379](https://cwe.mitre.org/data/definitions/379.html)
//! - [CWE-732](https://cwe.mitre.org/data/definitions/732.html)

use codeward_records::{Cwe, Level};

use super::{found, method_span};
use crate::flow::Call;
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static SHARED: RuleInfo = RuleInfo {
    code: "CW-JAVA-379-1",
    name: "java/temporary-file",
    cwe: &[Cwe(379), Cwe(377), Cwe(378)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A temporary file can be read by others on the machine",
    fix: "use Files.createTempFile, which keeps it to its owner",
    examples: &[Example {
        weak: "File f() throws IOException {\n  return «File.createTempFile»(\"report\", \".pdf\");\n}\n",
        sound: "Path f(Path folder) throws IOException {\n  File.createTempFile(\"report\", \".pdf\", folder.toFile());\n  return Files.createTempFile(\"report\", \".pdf\");\n}\n",
    }],
};

pub(super) static FORESEEN: RuleInfo = RuleInfo {
    code: "CW-JAVA-377-1",
    name: "java/temporary-name",
    cwe: &[Cwe(377), Cwe(379)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A file in a shared folder has a name that can be foreseen",
    fix: "use Files.createTempFile",
    examples: &[Example {
        weak: "void f(byte[] data) throws IOException {\n  new FileOutputStream(«\"/tmp/report.pdf\"»).write(data);\n}\n",
        sound: "void f(byte[] data) throws IOException {\n  Files.write(Files.createTempFile(\"report\", \".pdf\"), data);\n}\n",
    }],
};

pub(super) static OPEN: RuleInfo = RuleInfo {
    code: "CW-JAVA-732-1",
    name: "java/permissions",
    cwe: &[Cwe(732), Cwe(276)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Everyone on the machine may read or change a file",
    fix: "leave it to its owner",
    examples: &[Example {
        weak: "void f(File file, Path path) throws IOException {\n  file.«setWritable»(true, false);\n  Files.setPosixFilePermissions(path, PosixFilePermissions.«fromString»(\"rwxrwxrwx\"));\n}\n",
        sound: "void f(File file, Path path) throws IOException {\n  file.setWritable(true, true);\n  Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(\"rw-------\"));\n}\n",
    }],
};

pub(super) static WORLD: RuleInfo = RuleInfo {
    code: "CW-JAVA-276-1",
    name: "java/world-readable",
    cwe: &[Cwe(276), Cwe(732)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "Every app may read or change this file",
    fix: "use MODE_PRIVATE",
    examples: &[Example {
        weak: "void f(Context context) throws IOException {\n  context.openFileOutput(\"notes\", «Context.MODE_WORLD_READABLE»);\n}\n",
        sound: "void f(Context context) throws IOException {\n  context.openFileOutput(\"notes\", Context.MODE_PRIVATE);\n}\n",
    }],
};

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let is_shared_folder = call.positional.get(2).is_none_or(|folder| folder.value.is_none());
    if call.is(&["File.createTempFile"]) && is_shared_folder || call.is(&["Files.createTempDir"]) {
        found(&SHARED, call.callee.span, None, report);
    }
    if call.is(&["new FileOutputStream", "new FileWriter", "new PrintWriter", "new RandomAccessFile"])
        && let Some(name) = call.first().filter(|name| name.value.outline().starts_with("/tmp/"))
    {
        found(&FORESEEN, name.span, None, report);
    }
    let flags: Vec<_> = call.positional.iter().map(|flag| flag.value.boolean()).collect();
    let opens =
        matches!(call.method, "setReadable" | "setWritable" | "setExecutable") && flags == [Some(true), Some(false)];
    let names_all = call.is(&["PosixFilePermissions.fromString"])
        && call.first().and_then(|text| text.value.text()).is_some_and(|text| text.get(7..8) == Some("w"));
    if opens || names_all {
        found(&OPEN, method_span(call), None, report);
    }
    let stores = ["openFileOutput", "getSharedPreferences", "openOrCreateDatabase", "getDir"].contains(&call.method);
    if let (true, Some(mode)) = (stores, call.positional.get(1))
        && matches!(mode.value.integer(), Some(1 | 2))
    {
        found(&WORLD, mode.span, None, report);
    }
}
