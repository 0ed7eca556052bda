//! `codeward exec`: one program in the sandbox.

use std::time::Duration;

use codeward_sandbox::{End, FileSeen, Language, Limits, Network, Outcome, Program, SandboxError};
use serde_json::{Value, json};

use crate::Ending;
use crate::arguments::Exec;
use crate::failure::Failure;
use crate::{input, output, workbench};

pub(crate) fn run(options: &Exec) -> Result<Ending, Failure> {
    let language = language(options)?;
    let program = Program {
        language,
        source: input::read(&options.file)?,
        stdin: options.stdin.as_deref().map_or(Ok(Vec::new()), input::read)?,
        processes: options.processes,
        network: if options.loopback { Network::Loopback } else { Network::None },
        queries: options.queries,
        limits: Limits {
            wall: Duration::from_millis(options.wall_ms),
            cpu: Duration::from_millis(options.cpu_ms),
            memory_bytes: options.memory_mib << 20,
            ..Limits::default()
        },
        ..Program::default()
    };
    let sandbox = workbench::sandbox(1)?;
    let outcome = match sandbox.run(&program) {
        Ok(outcome) => outcome,
        Err(error @ SandboxError::BadProgram { .. }) => return Err(error.into()),
        Err(error) if options.json => {
            output::print_json(&failed(&error))?;
            return Err(error.into());
        }
        Err(error) => return Err(error.into()),
    };
    if options.json {
        output::print_json(&shape(&outcome))?;
    } else {
        output::print(&String::from_utf8_lossy(&outcome.stdout))?;
        if let Some(message) = compiler_message(&outcome) {
            output::note(message);
        }
        let stderr = String::from_utf8_lossy(&outcome.stderr);
        if !stderr.trim_end().is_empty() {
            output::note(stderr.trim_end());
        }
        output::note(&summary(&outcome));
    }
    Ok(if outcome.end == (End::Exited { code: 0 }) { Ending::Done } else { Ending::CheckFailed })
}

/// The language asked for, or the one that the file's name says.
fn language(options: &Exec) -> Result<Language, Failure> {
    if let Some(language) = options.language {
        return Ok(language);
    }
    let extension = options.file.extension().and_then(|extension| extension.to_str());
    match extension {
        None | Some("py") => Ok(Language::Python),
        Some("c") => Ok(Language::C),
        Some("cc" | "cpp" | "cxx") => Ok(Language::Cpp),
        Some("js" | "cjs") => Ok(Language::JavaScript),
        Some("java") => Ok(Language::Java),
        Some("go") => Ok(Language::Go),
        Some(other) => Err(Failure::new(
            format!("{}: `.{other}` says no language that can be run", options.file.display()),
            "name one with --language: python, c, cpp, javascript, java or go",
        )),
    }
}

fn names(end: &End) -> (&'static str, Option<i32>, Option<i32>) {
    match end {
        End::Exited { code } => ("exited", Some(*code), None),
        End::Signalled { signal } => ("signalled", None, Some(*signal)),
        End::WallLimit => ("wall_limit", None, None),
        End::CpuLimit => ("cpu_limit", None, None),
        End::MemoryLimit => ("memory_limit", None, None),
        End::OutputLimit => ("output_limit", None, None),
        End::FileLimit => ("file_limit", None, None),
        End::CompilerRejected { .. } => ("compiler_rejected", None, None),
    }
}

fn shape(outcome: &Outcome) -> Value {
    let (name, exit_code, signal) = names(&outcome.end);
    let file = |(path, file): (&String, &FileSeen)| json!({"path": path, "kind": file.kind, "size": file.size});
    json!({
        "outcome": name,
        "reason": outcome.end.to_string(),
        "exit_code": exit_code,
        "signal": signal,
        "compiler": compiler_message(outcome),
        "stdout": String::from_utf8_lossy(&outcome.stdout),
        "stderr": String::from_utf8_lossy(&outcome.stderr),
        "truncated": outcome.truncated,
        "files": outcome.files.iter().map(file).collect::<Vec<_>>(),
        "wall_ms": milliseconds(outcome.wall),
        "cpu_ms": milliseconds(outcome.cpu),
        "max_rss_kib": outcome.max_rss_kib,
        "isolation": outcome.isolation,
        "observed": outcome.observed,
        "tamper": outcome.tamper,
    })
}

fn compiler_message(outcome: &Outcome) -> Option<&str> {
    match &outcome.end {
        End::CompilerRejected { message } => Some(message),
        _ => None,
    }
}

fn failed(error: &SandboxError) -> Value {
    json!({
        "outcome": error.kind(), "reason": error.to_string(), "exit_code": null, "signal": null, "compiler": null,
        "stdout": "", "stderr": "", "truncated": false, "files": [], "wall_ms": 0.0, "cpu_ms": 0.0, "max_rss_kib": 0,
        "isolation": null, "observed": null, "tamper": [],
    })
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn summary(outcome: &Outcome) -> String {
    let mut text = format!(
        "{}, {:.0} ms on the clock, {:.0} ms of processor, {} MiB, isolation {}",
        outcome.end,
        milliseconds(outcome.wall),
        milliseconds(outcome.cpu),
        outcome.max_rss_kib / 1024,
        outcome.isolation.name(),
    );
    for tamper in &outcome.tamper {
        text.push_str("\nnoticed: ");
        text.push_str(&tamper.detail);
    }
    text
}
