//! `codeward exec`: one program in the sandbox.

use std::time::Duration;

use codeward_sandbox::{End, Limits, Outcome, Program, SandboxError};
use serde_json::{Value, json};

use crate::Ending;
use crate::arguments::Exec;
use crate::failure::Failure;
use crate::{input, output, workbench};

pub(crate) fn run(options: &Exec) -> Result<Ending, Failure> {
    let program = Program {
        source: input::read(&options.file)?,
        stdin: options.stdin.as_deref().map_or(Ok(Vec::new()), input::read)?,
        processes: options.processes,
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
        let stderr = String::from_utf8_lossy(&outcome.stderr);
        if !stderr.trim_end().is_empty() {
            output::note(stderr.trim_end());
        }
        output::note(&summary(&outcome));
    }
    Ok(if outcome.end == (End::Exited { code: 0 }) { Ending::Done } else { Ending::CheckFailed })
}

fn names(end: End) -> (&'static str, Option<i32>, Option<i32>) {
    match end {
        End::Exited { code } => ("exited", Some(code), None),
        End::Signalled { signal } => ("signalled", None, Some(signal)),
        End::WallLimit => ("wall_limit", None, None),
        End::CpuLimit => ("cpu_limit", None, None),
        End::MemoryLimit => ("memory_limit", None, None),
        End::OutputLimit => ("output_limit", None, None),
        End::FileLimit => ("file_limit", None, None),
    }
}

fn shape(outcome: &Outcome) -> Value {
    let (name, exit_code, signal) = names(outcome.end);
    json!({
        "outcome": name,
        "exit_code": exit_code,
        "signal": signal,
        "stdout": String::from_utf8_lossy(&outcome.stdout),
        "stderr": String::from_utf8_lossy(&outcome.stderr),
        "truncated": outcome.truncated,
        "wall_ms": milliseconds(outcome.wall),
        "cpu_ms": milliseconds(outcome.cpu),
        "max_rss_kib": outcome.max_rss_kib,
        "isolation": outcome.isolation,
        "tamper": outcome.tamper,
    })
}

fn failed(error: &SandboxError) -> Value {
    let outcome = if matches!(error, SandboxError::Engine { .. }) { "engine_error" } else { "could_not_start" };
    json!({
        "outcome": outcome, "exit_code": null, "signal": null, "stdout": "", "stderr": error.to_string(),
        "truncated": false, "wall_ms": 0.0, "cpu_ms": 0.0, "max_rss_kib": 0, "isolation": null, "tamper": [],
    })
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn summary(outcome: &Outcome) -> String {
    let (name, exit_code, signal) = names(outcome.end);
    let number = exit_code.or(signal).map(|number| format!(" {number}")).unwrap_or_default();
    format!(
        "{}{number}, {:.0} ms on the clock, {:.0} ms of processor, {} MiB",
        name.replace('_', " "),
        milliseconds(outcome.wall),
        milliseconds(outcome.cpu),
        outcome.max_rss_kib / 1024
    )
}
