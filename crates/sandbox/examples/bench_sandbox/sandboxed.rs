//! Our side: the sandbox in full isolation with its default settings.

use std::path::{Path, PathBuf};
use std::time::Instant;

use codeward_sandbox::{End, Isolation, Outcome, Program, Sandbox, Settings};

use crate::measure::{Batch, Failure, Side, closed_loop};
use crate::workload::TASKS;

pub(crate) struct Sandboxed {
    name: String,
    sandbox: Sandbox,
    programs: Vec<Program>,
    workers: usize,
    python: PathBuf,
    start_ms: f64,
}

impl Sandboxed {
    pub(crate) fn start(name: &str, workers: usize) -> Result<Self, Failure> {
        let started = Instant::now();
        let sandbox = Sandbox::start_with(&Settings { workers, ..Settings::default() })?;
        let start_ms = started.elapsed().as_secs_f64() * 1000.0;
        let program = |script: String, input: &str| Program {
            source: script.into_bytes(),
            stdin: input.as_bytes().to_vec(),
            ..Program::default()
        };
        let programs = TASKS.iter().map(|task| program(task.script(), task.input)).collect();
        let python = Path::new(sandbox.python().0).canonicalize()?;
        Ok(Self { name: name.to_owned(), sandbox, programs, workers, python, start_ms })
    }

    /// The interpreter's path outside.
    pub(crate) fn python(&self) -> &Path {
        &self.python
    }

    pub(crate) fn version(&self) -> &str {
        self.sandbox.python().1
    }

    pub(crate) fn start_ms(&self) -> f64 {
        self.start_ms
    }

    /// The modules that programs find loaded: a bare server warmed with them is as large.
    pub(crate) fn modules_inside(&self) -> Result<Vec<String>, Failure> {
        let source = b"import sys\nprint('\\n'.join(sorted(sys.modules)))\n".to_vec();
        let outcome = finished(self.sandbox.run(&Program { source, ..Program::default() })?)?;
        Ok(String::from_utf8(outcome.stdout)?.lines().map(str::to_owned).collect())
    }
}

fn finished(outcome: Outcome) -> Result<Outcome, Failure> {
    if outcome.end == (End::Exited { code: 0 }) && outcome.isolation != Isolation::Unsafe {
        return Ok(outcome);
    }
    let report = String::from_utf8_lossy(&outcome.stderr);
    Err(format!("the sandbox: {:?} under {:?}: {report}", outcome.end, outcome.isolation).into())
}

impl Side for Sandboxed {
    fn name(&self) -> &str {
        &self.name
    }

    fn describe(&self) -> String {
        format!("Sandbox::run, {:?} isolation, default settings, {} workers", self.sandbox.isolation(), self.workers)
    }

    fn workers(&self) -> usize {
        self.workers
    }

    fn run(&mut self, num_programs: usize) -> Result<Batch, Failure> {
        closed_loop(num_programs, self.workers, |_, _, index| {
            Ok(finished(self.sandbox.run(&self.programs[index])?)?.stdout)
        })
    }
}
