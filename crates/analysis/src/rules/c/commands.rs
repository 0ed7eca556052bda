//! Commands and programs that input takes part in.
//!
//! # `c/shell-command`, `c/shell-script`
//!
//! ## What they do
//!
//! - `c/shell-command`: a shell runs a command that input is part of.
//! - `c/shell-script`: a shell is started with a script that input is part of.
//!
//! ## Why this is bad
//!
//! A shell gives a meaning to `;`, `|`, `$()`, quotes and line breaks in the input, and runs what it finds there.
//!
//! ## Example
//!
//! ```c
//! int f(const char *name) {
//!     char line[200];
//!     snprintf(line, sizeof(line), "wc -l %s", name);
//!     return system(line);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! int f(int number) {
//!     char line[200];
//!     snprintf(line, sizeof(line), "wc -l %d", number);
//!     return system(line);
//! }
//! ```
//!
//! - `c/shell-script`: start the program itself instead of a shell.
//!
//! ## References
//!
//! - [CWE-78](https://cwe.mitre.org/data/definitions/78.html)
//!
//! # `c/option-injection`
//!
//! ## What it does
//!
//! Reports where a program is started with input that it may read as an option.
//!
//! ## Why this is bad
//!
//! Programs read an argument that starts with a dash as an option, and many have options that write files or run commands.
//!
//! ## Example
//!
//! ```c
//! void f(const char *file) {
//!     execlp("tar", "tar", "-xf", "a.tar", file, (char *)0);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! void f(const char *file) {
//!     execlp("tar", "tar", "-xf", "a.tar", "--", file, (char *)0);
//! }
//! ```
//!
//! ## References
//!
//! - [CWE-88](https://cwe.mitre.org/data/definitions/88.html)
//!
//! # `c/library-load`, `c/environment-set`
//!
//! ## What they do
//!
//! - `c/library-load`: a library that input names is loaded.
//! - `c/environment-set`: an environment variable is set to input from outside.
//!
//! ## Why this is bad
//!
//! Whoever names a library decides which code the process runs; variables such as `PATH` and `LD_PRELOAD` do the same for the
//! programs that it starts.
//!
//! ## Example
//!
//! ```c
//! #include <dlfcn.h>
//! void *f(void) {
//!     char *name = getenv("PLUGIN");
//!     return dlopen(name, RTLD_NOW);
//! }
//! ```
//!
//! ## Use instead
//!
//! ```c
//! #include <dlfcn.h>
//! void *f(void) {
//!     return dlopen("/usr/lib/libm.so", RTLD_NOW);
//! }
//! ```
//!
//! - `c/environment-set`: set it to a checked value.
//!
//! ## References
//!
//! - [CWE-15](https://cwe.mitre.org/data/definitions/15.html)
//! - [CWE-114](https://cwe.mitre.org/data/definitions/114.html)
//! - [CWE-427](https://cwe.mitre.org/data/definitions/427.html)
//! - [CWE-454](https://cwe.mitre.org/data/definitions/454.html)

use codeward_records::{Cwe, Level};

use crate::flow::{Call, Classes, Operand, SourceKind, Taint};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static SHELL: RuleInfo = RuleInfo {
    code: "CW-C-078-1",
    name: "c/shell-command",
    cwe: &[Cwe(78)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A shell runs a command that input is part of",
    fix: "run the program with execv and a list of arguments",
    examples: &[Example {
        weak: "int f(const char *name) {\n    char line[200];\n    snprintf(line, sizeof(line), \"wc -l %s\", name);\n    return system(«line»);\n}\n",
        sound: "int f(int number) {\n    char line[200];\n    snprintf(line, sizeof(line), \"wc -l %d\", number);\n    return system(line);\n}\n",
    }],
};

pub(super) static SHELL_SCRIPT: RuleInfo = RuleInfo {
    code: "CW-C-078-2",
    name: "c/shell-script",
    cwe: &[Cwe(78)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A shell is started with a script that input is part of",
    fix: "start the program itself instead of a shell",
    examples: &[Example {
        weak: "void f(const char *script) {\n    execl(\"/bin/sh\", \"sh\", \"-c\", «script», (char *)0);\n}\n",
        sound: "void f(const char *file) {\n    execl(\"/bin/ls\", \"ls\", \"--\", file, (char *)0);\n}\n",
    }],
};

pub(super) static OPTION: RuleInfo = RuleInfo {
    code: "CW-C-088-1",
    name: "c/option-injection",
    cwe: &[Cwe(88)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "A program is started with input that it may read as an option",
    fix: "put \"--\" before the argument",
    examples: &[Example {
        weak: "void f(const char *file) {\n    execlp(\"tar\", \"tar\", \"-xf\", \"a.tar\", «file», (char *)0);\n}\n",
        sound: "void f(const char *file) {\n    execlp(\"tar\", \"tar\", \"-xf\", \"a.tar\", \"--\", file, (char *)0);\n}\n",
    }],
};

pub(super) static LIBRARY: RuleInfo = RuleInfo {
    code: "CW-C-114-1",
    name: "c/library-load",
    cwe: &[Cwe(114), Cwe(427)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "A library that input names is loaded",
    fix: "load a library by a fixed absolute path",
    examples: &[Example {
        weak: "#include <dlfcn.h>\nvoid *f(void) {\n    char *name = getenv(\"PLUGIN\");\n    return dlopen(«name», RTLD_NOW);\n}\n",
        sound: "#include <dlfcn.h>\nvoid *f(void) {\n    return dlopen(\"/usr/lib/libm.so\", RTLD_NOW);\n}\n",
    }],
};

pub(super) static ENVIRONMENT: RuleInfo = RuleInfo {
    code: "CW-C-454-1",
    name: "c/environment-set",
    cwe: &[Cwe(454), Cwe(15)],
    severity: Level::Medium,
    confidence: Level::Low,
    summary: "An environment variable is set to input from outside",
    fix: "set it to a checked value",
    examples: &[Example {
        weak: "#include <stdlib.h>\nvoid f(void) {\n    char line[64];\n    fgets(line, sizeof(line), stdin);\n    setenv(\"PATH\", «line», 1);\n}\n",
        sound: "#include <stdlib.h>\nvoid f(void) {\n    setenv(\"PATH\", \"/usr/bin\", 1);\n}\n",
    }],
};

/// Functions whose first argument is run by a shell.
const ALWAYS: &[&str] =
    &["system", "popen", "_popen", "wordexp", "g_spawn_command_line_sync", "g_spawn_command_line_async"];

const LISTED: &[&str] = &["execl", "execlp", "execle"];

const SHELLS: &[&str] = &["sh", "bash", "/bin/sh", "/bin/bash", "/usr/bin/bash", "dash", "zsh"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    if call.is(ALWAYS) {
        let Some(command) = call.first() else { return };
        check_shell(call, command, report);
    } else if call.is(LISTED) {
        check_list(call, report);
    } else if call.is(&["dlopen", "LoadLibrary", "LoadLibraryA"]) {
        let Some(name) = call.first() else { return };
        let value = call.live(&name.value);
        if let Some(taint) = value.taint(Classes::CODE).filter(|taint| taint.source.kind == SourceKind::Outside) {
            report.add(
                &LIBRARY,
                name.span,
                "whoever sets this name decides which code runs; load a library by a fixed absolute path",
                Some(taint),
            );
        }
    } else if call.is(&["setenv", "putenv"]) {
        let Some(text) = call.positional.get(usize::from(call.path == "setenv")) else { return };
        let value = call.live(&text.value);
        let is_trusted =
            |taint: &Taint| taint.source.label.as_ref() == "getenv" || taint.source.label.as_ref() == "argv";
        let taint = value.taints.iter().find(|taint| taint.source.kind == SourceKind::Outside && !is_trusted(taint));
        if let Some(taint) = taint {
            report.add(
                &ENVIRONMENT,
                text.span,
                "programs started from here trust their environment; set the variable to a checked value",
                Some(taint),
            );
        }
    }
}

fn check_shell(call: &Call<'_>, command: &Operand, report: &mut Report<'_>) {
    let value = call.live(&command.value);
    if let Some(taint) = value.taint(Classes::SHELL) {
        report.add(
            &SHELL,
            command.span,
            "a shell reads this command and the input in it; run the program with execv and a list of arguments",
            Some(taint),
        );
    }
}

fn check_list(call: &Call<'_>, report: &mut Report<'_>) {
    let [program, _, arguments @ ..] = call.positional.as_slice() else { return };
    let is_shell = program.value.text().is_some_and(|program| SHELLS.contains(&program));
    let mut is_script = false;
    for argument in arguments {
        let value = call.live(&argument.value);
        let text = value.text();
        if is_shell && is_script {
            if let Some(taint) = value.taint(Classes::SHELL) {
                report.add(
                    &SHELL_SCRIPT,
                    argument.span,
                    "a shell reads this script and the input in it; start the program itself",
                    Some(taint),
                );
            }
            return;
        }
        is_script = text == Some("-c");
        if text == Some("--") {
            return;
        }
        if let (false, Some(taint)) = (is_shell, value.taint(Classes::OPTION))
            && !value.is_built()
            && program.value.text().is_some()
            && arguments.iter().any(|other| other.value.text().is_some())
        {
            report.add(
                &OPTION,
                argument.span,
                "input that starts with a dash is read as an option; put \"--\" before it",
                Some(taint),
            );
        }
    }
}
