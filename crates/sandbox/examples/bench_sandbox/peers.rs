//! EvalPlus and verl: their own checking functions on the same programs, driven from Python.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::measure::{Batch, Failure, Side};
use crate::workload::TASKS;

const TIMING: &str = include_str!("peers/timing.py");

pub(crate) struct Peer {
    name: &'static str,
    driver: &'static str,
    description: &'static str,
    clients: usize,
    python: PathBuf,
    about: String,
}

/// What a driver prints.
#[derive(Deserialize)]
struct Answer {
    about: String,
    programs: usize,
    seconds: f64,
    cpu_seconds: f64,
    wrong: usize,
    p50_ms: f64,
    p99_ms: f64,
}

impl Peer {
    pub(crate) fn evalplus(clients: usize) -> Self {
        let description = "evalplus.eval.untrusted_check of the same function on the same input, called as EvalPlus calls \
                           it, from a ProcessPoolExecutor";
        Self::new("evalplus", include_str!("peers/evalplus_driver.py"), description, clients)
    }

    pub(crate) fn verl(clients: usize) -> Self {
        let description = "verl.utils.reward_score.prime_code.compute_score of the same program, called as verl calls it, \
                           from a ProcessPoolExecutor; only the modules it needs are loaded, no torch and no ray";
        Self::new("verl", include_str!("peers/verl_driver.py"), description, clients)
    }

    fn new(name: &'static str, driver: &'static str, description: &'static str, clients: usize) -> Self {
        let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/bench-env");
        let environment = std::env::var_os("CODEWARD_BENCH_ENV").map_or(default, PathBuf::from);
        let python = environment.join("bin/python");
        Self { name, driver, description, clients, python, about: String::new() }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Why it cannot be measured here, if so.
    pub(crate) fn missing(&self) -> Option<String> {
        if !self.python.exists() {
            return Some("no environment for it; scripts/bench-env makes one".to_owned());
        }
        let look = "import sys, importlib.util as u; sys.exit(u.find_spec(sys.argv[1]) is None)";
        let found = Command::new(&self.python).args(["-I", "-c", look, self.name]).status();
        let is_found = found.is_ok_and(|status| status.success());
        (!is_found).then(|| format!("not installed for {}", self.python.display()))
    }
}

impl Side for Peer {
    fn name(&self) -> &str {
        self.name
    }

    fn describe(&self) -> String {
        format!("{}: {}", self.about, self.description)
    }

    fn workers(&self) -> usize {
        self.clients
    }

    fn run(&mut self, num_programs: usize) -> Result<Batch, Failure> {
        let tasks: Vec<_> = TASKS
            .iter()
            .map(|task| {
                serde_json::json!({"name": task.name, "function": task.function, "script": task.script(),
                                   "input": task.input, "expected": task.expected})
            })
            .collect();
        let workload = serde_json::json!({"tasks": tasks, "programs": num_programs, "clients": self.clients});
        let mut child = Command::new(&self.python)
            .args(["-I", "-c", &format!("{TIMING}\n{}", self.driver)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        child.stdin.take().expect("asked for").write_all(&serde_json::to_vec(&workload)?)?;
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(format!("the driver of {} ended with {}", self.name, output.status).into());
        }
        let answer: Answer = serde_json::from_slice(&output.stdout)?;
        if answer.wrong > 0 || answer.programs != num_programs {
            let Answer { wrong, programs, .. } = answer;
            return Err(format!("{}: {wrong} wrong verdicts among {programs} programs", self.name).into());
        }
        self.about = answer.about;
        Ok(Batch {
            num_programs,
            seconds: answer.seconds,
            cpu_seconds: answer.cpu_seconds,
            p50_ms: answer.p50_ms,
            p99_ms: answer.p99_ms,
        })
    }
}
