//! A side as a process of its own, so that its peak of memory is its own too.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::Failure;
use crate::case::Case;

/// Who does the work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Engine {
    /// This crate.
    Ours,
    /// PyTorch with `transformers` and PEFT, by a Python that has them.
    Torch(PathBuf),
    /// llama.cpp by `llama-cpp-python`, by a Python that has it.
    LlamaCpp(PathBuf),
}

impl Engine {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Torch(_) => "torch",
            Self::LlamaCpp(_) => "llamacpp",
        }
    }
}

/// A side at work on a case.
pub(crate) struct Side {
    child: Child,
    commands: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    /// What it says of itself.
    pub(crate) about: Value,
}

impl Side {
    /// Starts a side, which loads its model.
    pub(crate) fn start(engine: &Engine, case: &Case, threads: usize) -> Result<Self, Failure> {
        let mut child = command(engine)?
            .env("RAYON_NUM_THREADS", threads.to_string())
            .env("OMP_NUM_THREADS", threads.to_string())
            // Waiting threads that spin would take the processors from the other side.
            .env("OMP_WAIT_POLICY", "passive")
            .env("HF_HUB_OFFLINE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut commands = child.stdin.take().ok_or("no standard input")?;
        let answers = BufReader::new(child.stdout.take().ok_or("no standard output")?).lines();
        writeln!(commands, "{}", serde_json::to_string(case)?)?;
        let mut side = Self { child, commands: Some(commands), answers, about: Value::Null };
        side.about = side.answer()?;
        Ok(side)
    }

    /// One round: seconds by the clock, seconds on processors, and the number that sides are compared by.
    pub(crate) fn round(&mut self) -> Result<[f64; 3], Failure> {
        self.tell("round")?;
        let answer = self.answer()?;
        let number = |key: &str| answer[key].as_f64().ok_or_else(|| format!("no {key} in {answer}"));
        Ok([number("seconds")?, number("processor_seconds")?, number("check")?])
    }

    /// Ends the side: the most bytes that it had in memory, and those before it loaded anything.
    pub(crate) fn end(mut self) -> Result<(u64, u64), Failure> {
        self.tell("end")?;
        let answer = self.answer()?;
        self.commands = None;
        self.child.wait()?;
        let number = |key: &str| answer[key].as_u64().ok_or_else(|| format!("no {key} in {answer}"));
        Ok((number("peak")?, number("start")?))
    }

    fn tell(&mut self, command: &str) -> Result<(), Failure> {
        let commands = self.commands.as_mut().ok_or("the side has ended")?;
        Ok(writeln!(commands, "{command}")?)
    }

    /// The next line that is an answer; libraries may write others.
    fn answer(&mut self) -> Result<Value, Failure> {
        for line in self.answers.by_ref() {
            if let Ok(answer @ Value::Object(_)) = serde_json::from_str(&line?) {
                return Ok(answer);
            }
        }
        Err("a side ended before its work was done".into())
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        self.commands = None;
        // It ends with its standard input; one that does not is stopped.
        if matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(std::time::Duration::from_millis(200));
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the sides of a benchmark are our own programs")]
fn command(engine: &Engine) -> Result<Command, Failure> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/bench_lm/peers.py");
    Ok(match engine {
        Engine::Ours => {
            let mut command = Command::new(std::env::current_exe()?);
            command.arg("worker");
            command
        }
        Engine::Torch(python) => {
            let mut command = Command::new(python);
            command.arg(script).arg("torch");
            command
        }
        Engine::LlamaCpp(python) => {
            let mut command = Command::new(python);
            command.arg(script).arg("llamacpp");
            command
        }
    })
}
