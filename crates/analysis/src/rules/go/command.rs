//! # `go/shell-command`, `go/command-program`, `go/option-injection`
//!
//! ## What they do
//!
//! Report commands for a shell that contain input, programs whose name is input, and input that a program may read as an option.
//!
//! ## Why this is bad
//!
//! The input can end the command and start another, or turn on what the program was not meant to do.
//!
//! ## Example
//!
//! ```go
//! exec.Command("sh", "-c", "wc -l "+path)
//! ```
//!
//! ## Use instead
//!
//! ```go
//! exec.Command("wc", "-l", "--", path)
//! ```
//!
//! ## References
//!
//! - [CWE-78](https://cwe.mitre.org/data/definitions/78.html)
//! - [CWE-88](https://cwe.mitre.org/data/definitions/88.html)

use codeward_records::{Cwe, Level};

use super::from_outside;
use crate::flow::{Call, Classes, Operand};
use crate::report::Report;
use crate::rules::{Example, RuleInfo};

pub(super) static SHELL: RuleInfo = RuleInfo {
    code: "CW-GO-078-1",
    name: "go/shell-command",
    cwe: &[Cwe(78), Cwe(77)],
    severity: Level::High,
    confidence: Level::High,
    summary: "A shell runs a command that input is part of",
    fix: "start the program itself and pass the input as an argument of its own",
    examples: &[
        Example {
            weak: "package p\nimport \"os/exec\"\nfunc f(path string) error {\n\treturn exec.Command(\"sh\", \"-c\", «\"wc -l \"+path»).Run()\n}\n",
            sound: "package p\nimport \"os/exec\"\nfunc f(path string) error {\n\treturn exec.Command(\"wc\", \"-l\", \"--\", path).Run()\n}\n",
        },
        Example {
            weak: "func f(host string) {\n\targs := []string{\"-c\", fmt.Sprintf(\"ping %s\", host)}\n\texec.Command(\"bash\", «args»...).Run()\n}\n",
            sound: "func f(host string) {\n\tif !regexp.MustCompile(`^[a-z0-9]+$`).MatchString(host) {\n\t\treturn\n\t}\n\texec.Command(\"bash\", \"-c\", \"ping \"+host).Run()\n}\n",
        },
    ],
};

pub(super) static PROGRAM: RuleInfo = RuleInfo {
    code: "CW-GO-078-2",
    name: "go/command-program",
    cwe: &[Cwe(78)],
    severity: Level::High,
    confidence: Level::Medium,
    summary: "Input names the program that is started",
    fix: "look the program up in a fixed table",
    examples: &[Example {
        weak: "func f(w http.ResponseWriter, r *http.Request) {\n\texec.Command(«r.FormValue(\"tool\")», \"-v\").Run()\n}\n",
        sound: "var tools = map[string]string{\"a\": \"/usr/bin/a\"}\nfunc f(w http.ResponseWriter, r *http.Request) {\n\texec.Command(tools[r.FormValue(\"tool\")], \"-v\").Run()\n}\n",
    }],
};

pub(super) static OPTION: RuleInfo = RuleInfo {
    code: "CW-GO-088-1",
    name: "go/option-injection",
    cwe: &[Cwe(88)],
    severity: Level::Medium,
    confidence: Level::Medium,
    summary: "A program may read input as an option",
    fix: "put -- before it",
    examples: &[Example {
        weak: "func f(w http.ResponseWriter, r *http.Request) {\n\texec.Command(\"git\", \"clone\", «r.FormValue(\"url\")»).Run()\n}\n",
        sound: "func f(w http.ResponseWriter, r *http.Request) {\n\texec.Command(\"git\", \"clone\", \"--\", r.FormValue(\"url\")).Run()\n}\n",
    }],
};

/// Whether a program reads commands from its arguments.
fn is_shell(program: &str) -> bool {
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program);
    matches!(
        name,
        "sh" | "bash" | "zsh" | "dash" | "ksh" | "ash" | "cmd" | "cmd.exe" | "powershell" | "powershell.exe" | "pwsh"
    )
}

pub(super) fn call(call: &Call<'_>, report: &mut Report<'_>) {
    let skipped = match call.path {
        "os/exec.Command" | "syscall.Exec" | "os.StartProcess" => 0,
        "os/exec.CommandContext" => 1,
        _ => {
            remote(call, report);
            return;
        }
    };
    let Some((program, arguments)) = call.positional.get(skipped..).and_then(<[Operand]>::split_first) else { return };
    let value = call.live(&program.value);
    if let Some(taint) = from_outside(&value, Classes::SHELL) {
        report.add(
            &PROGRAM,
            program.span,
            "input names the program that is started; look it up in a fixed table",
            Some(taint),
        );
    }
    let rest = arguments.iter().chain(&call.splat);
    if program.value.text().is_some_and(is_shell) {
        for argument in rest {
            shell(call, argument, report);
        }
        return;
    }
    for argument in rest {
        if argument.value.text() == Some("--") || argument.value.items().iter().any(|item| item.text() == Some("--")) {
            return;
        }
        let value = call.live(&argument.value);
        let is_whole = argument.value.constant.is_none() && !value.is_built();
        if let Some(taint) = from_outside(&value, Classes::OPTION).filter(|_| is_whole && call.splat.is_none()) {
            report.add(
                &OPTION,
                argument.span,
                "the program reads this as an option where it starts with a dash; put -- before it",
                Some(taint),
            );
        }
    }
}

fn shell(call: &Call<'_>, command: &Operand, report: &mut Report<'_>) {
    let value = call.live(&command.value);
    if let Some(taint) = value.taint(Classes::SHELL) {
        let advice = "a shell reads this command and the input in it; start the program itself and pass the input as an argument of its own";
        report.add(&SHELL, command.span, advice, Some(taint));
    }
}

/// A command for the shell of another machine.
fn remote(call: &Call<'_>, report: &mut Report<'_>) {
    let is_session = call.path.contains(".NewSession().") || call.path.starts_with("ssh.Session()");
    if is_session
        && matches!(call.method, "Run" | "Output" | "CombinedOutput" | "Start")
        && let Some(command) = call.first()
    {
        shell(call, command, report);
    }
}
