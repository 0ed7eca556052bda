//! Functions that should not be called at all.
//!
//! # `c/gets`
//!
//! ## What it does
//!
//! Reports where a line of any length is read into a buffer.
//!
//! ## Why this is bad
//!
//! `gets` has no way to know how long the buffer is: whoever sends a longer line writes over what lies behind it.
//!
//! ## Example
//!
//! ```c
//! #include <stdio.h>
//! void f(void) {
//!     char line[80];
//!     gets(line);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! #include <stdio.h>
//! void f(void) {
//!     char line[80];
//!     fgets(line, sizeof(line), stdin);
//! }
//! ```
//!
//! ## References
//!
//! - [CWE-120](https://cwe.mitre.org/data/definitions/120.html)
//! - [CWE-242](https://cwe.mitre.org/data/definitions/242.html)
//! - [CWE-676](https://cwe.mitre.org/data/definitions/676.html)
//!
//! # `c/obsolete-function`
//!
//! ## What it does
//!
//! Reports where a function is called that has been replaced by a safer one.
//!
//! ## Why this is bad
//!
//! The functions were replaced because they cannot be used safely: they know no size, share memory between callers or give up
//! what protects the process.
//!
//! ## Example
//!
//! ```c
//! char *f(char *path) {
//!     return getwd(path);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! char *f(char *path, int size) {
//!     return getcwd(path, size);
//! }
//! ```
//!
//! ## References
//!
//! - [CWE-477](https://cwe.mitre.org/data/definitions/477.html)
//! - [CWE-676](https://cwe.mitre.org/data/definitions/676.html)
//!
//! # `c/stack-by-input`
//!
//! ## What it does
//!
//! Reports where memory on the stack is taken by a length that comes from outside.
//!
//! ## Why this is bad
//!
//! `alloca` cannot fail: a great length moves the stack pointer past the guard page and into other memory.
//!
//! ## Example
//!
//! ```c
//! #include <alloca.h>
//! void *f(unsigned size) {
//!     return alloca(size);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! #include <alloca.h>
//! void *f(void) {
//!     return alloca(64);
//! }
//! ```
//!
//! ## References
//!
//! - [CWE-770](https://cwe.mitre.org/data/definitions/770.html)
//! - [CWE-789](https://cwe.mitre.org/data/definitions/789.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static GETS: RuleInfo = RuleInfo {
    code: "CW-C-242-1",
    name: "c/gets",
    cwe: &[Cwe(242), Cwe(676), Cwe(120)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A line of any length is read into a buffer",
    fix: "use fgets with the size of the buffer",
    examples: &[Example {
        weak: "#include <stdio.h>\nvoid f(void) {\n    char line[80];\n    «gets»(line);\n}\n",
        sound: "#include <stdio.h>\nvoid f(void) {\n    char line[80];\n    fgets(line, sizeof(line), stdin);\n}\n",
    }],
};

pub(super) static OBSOLETE: RuleInfo = RuleInfo {
    code: "CW-C-477-1",
    name: "c/obsolete-function",
    cwe: &[Cwe(477), Cwe(676)],
    severity: Level::Low,
    confidence: Level::Medium,
    summary: "A function is called that has been replaced by a safer one",
    fix: "use the function that replaced it",
    examples: &[Example {
        weak: "char *f(char *path) {\n    return «getwd»(path);\n}\n",
        sound: "char *f(char *path, int size) {\n    return getcwd(path, size);\n}\n",
    }],
};

pub(super) static ALLOCA: RuleInfo = RuleInfo {
    code: "CW-C-770-1",
    name: "c/stack-by-input",
    cwe: &[Cwe(770), Cwe(789)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "Memory on the stack is taken by a length that comes from outside",
    fix: "use malloc and check what it returns",
    examples: &[Example {
        weak: "#include <alloca.h>\nvoid *f(unsigned size) {\n    return alloca(«size»);\n}\n",
        sound: "#include <alloca.h>\nvoid *f(void) {\n    return alloca(64);\n}\n",
    }],
};

const REPLACED: &[&str] = &[
    "getwd",
    "getpass",
    "cuserid",
    "gethostbyname",
    "inet_ntoa",
    "asctime",
    "ctime_r",
    "bcopy",
    "vfork",
    "usleep",
    "ulimit",
    "sigvec",
    "getpw",
];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(&["gets", "_getws"]) {
        report.add(
            &GETS,
            call.callee.span,
            "a line longer than the buffer overwrites what follows it; use fgets",
            None,
        );
    }
    if call.is(&REPLACED[..3]) || call.is(&["getpw", "vfork"]) {
        report.add(&OBSOLETE, call.callee.span, "this function has been replaced by a safer one; use that", None);
    }
    let Some(size) = call.first().filter(|_| call.is(&["alloca", "_alloca", "__builtin_alloca"])) else { return };
    let value = call.live(&size.value);
    if let Some(taint) = value.taint(Classes::SIZE) {
        report.add(
            &ALLOCA,
            size.span,
            "a great length runs past the end of the stack; use malloc and check what it returns",
            Some(taint),
        );
    }
}
