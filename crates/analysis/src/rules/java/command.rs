//! # `java/command-built`, `java/shell-text`
//!
//! ## What it does
//!
//! Reports commands that are put together from input, and input that a shell reads.
//!
//! ## Why this is bad
//!
//! A space adds an argument, and in a shell a semicolon adds a command.
//!
//! ## Example
//!
//! ```java
//! Runtime.getRuntime().exec("ping " + host);
//! ```
//!
//! ## Use instead
//!
//! ```java
//! new ProcessBuilder("ping", "-c", "1", "--", host).start();
//! ```
//!
//! ## References
//!
//! - [CWE-78](https://cwe.mitre.org/data/definitions/78.html)
//! - [CWE-88](https://cwe.mitre.org/data/definitions/88.html)

use codeward_records::{Cwe, Level};

use super::{found, outside};
use crate::flow::{Call, Classes, Operand};
use crate::report::Report;
use crate::rules::evidence::culpable_hole;
use crate::rules::{Example, RuleInfo};

pub(super) static BUILT: RuleInfo = RuleInfo {
    code: "CW-JAVA-078-1",
    name: "java/command-built",
    cwe: &[Cwe(78), Cwe(77), Cwe(88)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A command is put together from input",
    fix: "give each argument on its own, and check it",
    examples: &[Example {
        weak: "void f(String host) throws IOException {\n  Runtime.getRuntime().exec(\"ping -c 1 \" + «host»);\n}\n",
        sound: "void f(String host) throws IOException {\n  Runtime.getRuntime().exec(new String[]{\"ping\", \"-c\", \"1\", host});\n}\n",
    }],
};

pub(super) static SHELL: RuleInfo = RuleInfo {
    code: "CW-JAVA-078-2",
    name: "java/shell-text",
    cwe: &[Cwe(78), Cwe(77)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A shell reads text that carries input",
    fix: "start the program itself with a list of arguments",
    examples: &[Example {
        weak: "void f(String name) throws IOException {\n  new ProcessBuilder(\"sh\", \"-c\", \"ls \" + «name»).start();\n  Runtime.getRuntime().exec(«new String[] {\"/bin/sh\", \"-c\", name}»);\n}\n",
        sound: "void f(String name) throws IOException {\n  new ProcessBuilder(\"ls\", \"--\", name).start();\n}\n",
    }],
};

const SHELLS: &[&str] =
    &["sh", "bash", "/bin/sh", "/bin/bash", "cmd", "cmd.exe", "powershell", "powershell.exe", "zsh"];

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let is_exec = call.is(&["Runtime().exec", "CommandLine.parse", "new CommandLine"]);
    let is_builder = call.is(&["new ProcessBuilder", "ProcessBuilder().command"]);
    if !is_exec && !is_builder {
        return;
    }
    let parts = match call.positional.as_slice() {
        [only] if !only.value.items().is_empty() => {
            only.value.items().iter().map(|item| Operand { value: item.clone(), span: only.span }).collect()
        }
        [first, ..] if is_exec => vec![first.clone()],
        all => all.to_vec(),
    };
    if let [first, .., text] = parts.as_slice()
        && first.value.text().is_some_and(|name| SHELLS.contains(&name.to_ascii_lowercase().as_str()))
    {
        let value = call.live(&text.value);
        if let Some((hole, span, _)) = culpable_hole(&value, text.span, Classes::SHELL) {
            found(&SHELL, span, hole.taint(Classes::SHELL), report);
        }
        return;
    }
    let [command] = parts.as_slice() else {
        // The program itself is what was asked for.
        if let Some(first) = parts.first() {
            let value = call.live(&first.value);
            if let Some(taint) = outside(&value, Classes::SHELL) {
                found(&BUILT, first.span, Some(taint), report);
            }
        }
        return;
    };
    let value = call.live(&command.value);
    let Some((hole, span, before)) = culpable_hole(&value, command.span, Classes::SHELL) else { return };
    let is_split = is_exec && value.is_built() && before.contains(' ');
    if is_split || outside(&hole, Classes::SHELL).is_some() {
        found(&BUILT, span, hole.taint(Classes::SHELL), report);
    }
}
