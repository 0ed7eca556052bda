//! Files: where they lie, who may read them.
//!
//! # `c/path-traversal`, `c/archive-path`
//!
//! ## What they do
//!
//! - `c/path-traversal`: a path is put together from input that can climb out of its folder.
//! - `c/archive-path`: the path of a file in an archive is used as it stands there.
//!
//! ## Why this is bad
//!
//! `..` and an absolute path lead out of the folder that was meant, to files that others own or that are run later.
//!
//! ## Example
//!
//! ```c
//! #include <stdio.h>
//! void *f(const char *name) {
//!     char path[256];
//!     snprintf(path, sizeof(path), "/srv/files/%s", name);
//!     return fopen(path, "r");
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! #include <stdio.h>
//! #include <string.h>
//! void *f(const char *name) {
//!     char path[256];
//!     if (strstr(name, "..") || strchr(name, '/'))
//!         return 0;
//!     snprintf(path, sizeof(path), "/srv/files/%s", name);
//!     return fopen(path, "r");
//! }
//! ```
//!
//! - `c/archive-path`: refuse absolute paths and those with "..".
//!
//! ## References
//!
//! - [CWE-22](https://cwe.mitre.org/data/definitions/22.html)
//!
//! # `c/temporary-name`, `c/fixed-temporary`
//!
//! ## What they do
//!
//! - `c/temporary-name`: a temporary file's name is made first and opened later.
//! - `c/fixed-temporary`: a file of a fixed name is made in a folder that everybody writes to.
//!
//! ## Why this is bad
//!
//! Another user can put a link of that name there before the file is opened, and the program then writes where the link leads.
//!
//! ## Example
//!
//! ```c
//! #include <stdlib.h>
//! char *f(char *template) {
//!     return mktemp(template);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! #include <stdlib.h>
//! int f(char *template) {
//!     return mkstemp(template);
//! }
//! ```
//!
//! - `c/fixed-temporary`: use mkstemp, or a private folder.
//!
//! ## References
//!
//! - [CWE-377](https://cwe.mitre.org/data/definitions/377.html)
//! - [CWE-379](https://cwe.mitre.org/data/definitions/379.html)
//!
//! # `c/permissions`, `c/umask`, `c/created-without-mode`
//!
//! ## What they do
//!
//! - `c/permissions`: a file is made writable for everybody.
//! - `c/umask`: new files may be written by everybody.
//! - `c/created-without-mode`: a file is created without saying who may read and write it.
//!
//! ## Why this is bad
//!
//! Every account on the machine can change the file, or read what was meant for one; a mode that is not given is whatever lay on
//! the stack.
//!
//! ## Example
//!
//! ```c
//! #include <sys/stat.h>
//! void f(const char *path) {
//!     chmod(path, 0777);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! #include <sys/stat.h>
//! void f(const char *path) {
//!     chmod(path, 0640);
//! }
//! ```
//!
//! - `c/umask`: set the mask to 022 or 077.
//! - `c/created-without-mode`: pass a third argument such as 0600.
//!
//! ## References
//!
//! - [CWE-276](https://cwe.mitre.org/data/definitions/276.html)
//! - [CWE-732](https://cwe.mitre.org/data/definitions/732.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Operand, SourceKind, Taint};
use crate::report::Report;
use crate::rules::evidence::{culpable_hole, is_parameter_itself, words};
use crate::rules::{Example, RuleInfo};

pub(super) static TRAVERSAL: RuleInfo = RuleInfo {
    code: "CW-C-022-1",
    name: "c/path-traversal",
    cwe: &[Cwe(22)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "A path is put together from input that can climb out of its folder",
    fix: "resolve the path and compare it with the folder, or refuse \"..\" and \"/\"",
    examples: &[Example {
        weak: "#include <stdio.h>\nvoid *f(const char *name) {\n    char path[256];\n    snprintf(path, sizeof(path), \"/srv/files/%s\", name);\n    return fopen(«path», \"r\");\n}\n",
        sound: "#include <stdio.h>\n#include <string.h>\nvoid *f(const char *name) {\n    char path[256];\n    if (strstr(name, \"..\") || strchr(name, '/'))\n        return 0;\n    snprintf(path, sizeof(path), \"/srv/files/%s\", name);\n    return fopen(path, \"r\");\n}\n",
    }],
};

pub(super) static ARCHIVE: RuleInfo = RuleInfo {
    code: "CW-C-022-2",
    name: "c/archive-path",
    cwe: &[Cwe(22)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "The path of a file in an archive is used as it stands there",
    fix: "refuse absolute paths and those with \"..\"",
    examples: &[Example {
        weak: "void f(struct archive_entry *entry, const char *folder) {\n    char path[256];\n    const char *name = archive_entry_pathname(entry);\n    snprintf(path, sizeof(path), \"%s/%s\", folder, name);\n    archive_entry_set_pathname(entry, «path»);\n}\n",
        sound: "void f(struct archive_entry *entry) {\n    archive_entry_set_pathname(entry, \"/srv/one\");\n}\n",
    }],
};

pub(super) static TEMPORARY: RuleInfo = RuleInfo {
    code: "CW-C-377-1",
    name: "c/temporary-name",
    cwe: &[Cwe(377)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A temporary file's name is made first and opened later",
    fix: "use mkstemp or mkdtemp",
    examples: &[Example {
        weak: "#include <stdlib.h>\nchar *f(char *template) {\n    return «mktemp»(template);\n}\n",
        sound: "#include <stdlib.h>\nint f(char *template) {\n    return mkstemp(template);\n}\n",
    }],
};

pub(super) static FIXED_TEMPORARY: RuleInfo = RuleInfo {
    code: "CW-C-379-1",
    name: "c/fixed-temporary",
    cwe: &[Cwe(379), Cwe(377)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A file of a fixed name is made in a folder that everybody writes to",
    fix: "use mkstemp, or a private folder",
    examples: &[Example {
        weak: "#include <stdio.h>\nvoid *f(void) {\n    return fopen(«\"/tmp/report\"», \"w\");\n}\n",
        sound: "#include <stdio.h>\nvoid *f(void) {\n    return fopen(\"/var/lib/app/report\", \"w\");\n}\n",
    }],
};

pub(super) static PERMISSIONS: RuleInfo = RuleInfo {
    code: "CW-C-732-1",
    name: "c/permissions",
    cwe: &[Cwe(732)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A file is made writable for everybody",
    fix: "give 0600 or 0644",
    examples: &[Example {
        weak: "#include <sys/stat.h>\nvoid f(const char *path) {\n    chmod(path, «0777»);\n}\n",
        sound: "#include <sys/stat.h>\nvoid f(const char *path) {\n    chmod(path, 0640);\n}\n",
    }],
};

pub(super) static UMASK: RuleInfo = RuleInfo {
    code: "CW-C-276-1",
    name: "c/umask",
    cwe: &[Cwe(276), Cwe(732)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "New files may be written by everybody",
    fix: "set the mask to 022 or 077",
    examples: &[Example {
        weak: "#include <sys/stat.h>\nvoid f(void) {\n    umask(«0»);\n}\n",
        sound: "#include <sys/stat.h>\nvoid f(void) {\n    umask(077);\n}\n",
    }],
};

pub(super) static NO_MODE: RuleInfo = RuleInfo {
    code: "CW-C-732-2",
    name: "c/created-without-mode",
    cwe: &[Cwe(732)],
    severity: Level::Medium,
    confidence: Level::High,
    summary: "A file is created without saying who may read and write it",
    fix: "pass a third argument such as 0600",
    examples: &[Example {
        weak: "#include <fcntl.h>\nint f(const char *path) {\n    return open(path, «O_WRONLY | O_CREAT»);\n}\n",
        sound: "#include <fcntl.h>\nint f(const char *path) {\n    return open(path, O_WRONLY | O_CREAT, 0600);\n}\n",
    }],
};

/// Functions that act on the file that their first argument names.
const NAMED_FILES: &[&str] = &[
    "fopen",
    "open",
    "open64",
    "creat",
    "unlink",
    "remove",
    "rename",
    "mkdir",
    "rmdir",
    "opendir",
    "chmod",
    "chown",
    "stat",
    "lstat",
    "truncate",
    "freopen",
    "ifstream",
    "ofstream",
    "fstream",
    "symlink",
    "link",
    "fs::remove",
    "filesystem::remove",
    "fs::remove_all",
    "execv",
    "xopen",
    "archive_write_open_filename",
];

const UNSAFE_NAMES: &[&str] = &["mktemp", "tmpnam", "tempnam", "tmpnam_r", "_mktemp", "_tempnam"];

/// Writable for everybody.
const OTHERS_WRITE: i64 = 0o002;

const CREATE: i64 = 0o100;

const EXCLUSIVE: i64 = 0o200;

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let is_file = call.is(NAMED_FILES)
        || acts_on_file(call)
        || call.is(&["openat", "unlinkat"])
        || call.path.ends_with("_open_file");
    if is_file || call.has_method(&["open"]) {
        let at = usize::from(call.path.ends_with("at"));
        if let Some(path) = call.positional.get(at) {
            check_path(call, path, report);
            check_fixed(call, path, report);
        }
    }
    check_join(call, report);
    if call.is(&["archive_entry_set_pathname", "archive_entry_copy_pathname"]) && call.positional.len() > 1 {
        let path = &call.positional[1];
        let value = call.live(&path.value);
        let from_archive = |taint: &&Taint| taint.source.label.as_ref() == "archive_entry_pathname";
        if let Some(taint) =
            value.taints.iter().find(from_archive).filter(|taint| taint.classes.has_any(Classes::PATH_UP))
        {
            report.add(
                &ARCHIVE,
                path.span,
                "whoever made the archive chose this path; refuse absolute paths and \"..\"",
                Some(taint),
            );
        }
    }
    if call.is(UNSAFE_NAMES) {
        report.add(
            &TEMPORARY,
            call.callee.span,
            "another program can make this file before it is opened; use mkstemp",
            None,
        );
    }
    let mode = match call.path {
        "chmod" | "fchmod" | "mkdir" | "creat" | "mkfifo" => call.positional.get(1),
        "open" | "open64" | "fchmodat" | "mkdirat" => call.positional.get(2),
        _ => None,
    };
    if let Some(mode) = mode.filter(|mode| mode.value.integer().is_some_and(|bits| bits & OTHERS_WRITE != 0)) {
        let is_directory = call.path.starts_with("mkdir") && mode.value.integer() == Some(0o777);
        if !is_directory {
            report.add(&PERMISSIONS, mode.span, "everybody may write to this file; give 0600 or 0644", None);
        }
    }
    if let ("umask", Some(mask)) = (call.path, call.first())
        && mask.value.integer().is_some_and(|bits| bits & OTHERS_WRITE == 0)
    {
        report.add(&UMASK, mask.span, "with this mask everybody may write to new files; use 022 or 077", None);
    }
    if let (true, [_, flags]) = (call.is(&["open", "open64"]), call.positional.as_slice())
        && flags.value.integer().is_some_and(|bits| bits & CREATE != 0)
    {
        report.add(
            &NO_MODE,
            flags.span,
            "the new file gets whatever mode lies on the stack; pass a third argument such as 0600",
            None,
        );
    }
}

/// Whether a function's name says that its argument is a file: `IsDir`, `file_exists`, `load_text_file`.
fn acts_on_file(call: &Call<'_>) -> bool {
    let words = words(call.method);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    has(&["file", "dir", "directory", "folder"])
        && has(&[
            "is", "exists", "exist", "open", "load", "read", "save", "write", "create", "delete", "remove", "make",
        ])
}

/// Input that was joined to a folder, or that came over a connection.
fn check_path(call: &Call<'_>, path: &Operand, report: &mut Report<'_>) {
    let value = call.live(&path.value);
    let Some(taint) = value.taint(Classes::PATH_UP) else { return };
    let is_joined = value.is_built()
        && culpable_hole(&value, path.span, Classes::PATH_UP).is_some_and(|(_, _, before)| before.contains('/'));
    let is_remote =
        matches!(taint.source.label.as_ref(), "recv" | "recvfrom" | "SSL_read" | "FCGX_GetParam" | "mg_get_http_var");
    if is_joined || is_remote {
        report.add(
            &TRAVERSAL,
            path.span,
            "\"..\" in this input climbs out of the folder; resolve the path and compare it with the folder",
            Some(taint),
        );
    }
}

/// `concat_path_file(folder, name)` and the like.
fn check_join(call: &Call<'_>, report: &mut Report<'_>) {
    let words = words(call.method);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    if !has(&["concat", "join", "build", "combine", "append"]) || !has(&["path", "file", "filename", "filepath"]) {
        return;
    }
    for part in call.positional.iter().skip(1) {
        let value = call.live(&part.value);
        if let Some(taint) = value.taint(Classes::PATH_UP)
            && (is_parameter_itself(&value) || taint.source.kind == SourceKind::Outside)
        {
            report.add(
                &TRAVERSAL,
                part.span,
                "\"..\" in this input climbs out of the folder; resolve the path and compare it with the folder",
                Some(taint),
            );
        }
    }
}

/// A file of a fixed name in a folder that everybody writes to.
fn check_fixed(call: &Call<'_>, path: &Operand, report: &mut Report<'_>) {
    let Some(text) = path.value.text() else { return };
    if !["/tmp/", "/var/tmp/", "/dev/shm/"].iter().any(|folder| text.starts_with(folder)) || text.contains("XXXXXX") {
        return;
    }
    let second = call.positional.get(1).map(|operand| &operand.value);
    let writes = match call.path {
        "fopen" => {
            second.and_then(|mode| mode.text()).is_some_and(|mode| mode.contains(['w', 'a']) && !mode.contains('x'))
        }
        "open" => {
            second.and_then(|flags| flags.integer()).is_some_and(|bits| bits & CREATE != 0 && bits & EXCLUSIVE == 0)
        }
        "creat" | "ofstream" => true,
        _ => false,
    };
    if writes {
        report.add(
            &FIXED_TEMPORARY,
            path.span,
            "another user can put a link here first; use mkstemp or a private folder",
            None,
        );
    }
}
