//! What is to be run: the program, its input and files, and the limits it runs under.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::SandboxError;
use crate::language::Language;

/// A program with everything it may see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// What it is written in.
    pub language: Language,
    /// Its source: one Python module run as `__main__`, one C, C++ or Go file, one CommonJS module, or one Java file whose
    /// main class is the one declared with a `main`.
    pub source: Vec<u8>,
    /// What descriptor 0 yields.
    pub stdin: Vec<u8>,
    /// Files laid into the scratch folder, which is the working folder, under relative paths.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Environment variables on top of the sandbox's own.
    pub env: BTreeMap<String, String>,
    /// Whether the program may start processes, such as a shell.
    pub processes: bool,
    /// What it may reach by network.
    pub network: Network,
    /// Whether the statements of an embedded SQLite are reported. For Python only.
    pub queries: bool,
    /// A module of the caller's that the program may import. For Python only.
    pub prelude: Option<&'static Prelude>,
    /// What it may use up.
    pub limits: Limits,
}

/// A Python module that the warmed interpreter loads before it forks the first program that may import it, as it does those of
/// the library: programs then share it, instead of each reading it again.
///
/// It is trusted. It runs where programs are made, and whatever runs there later inherits what it has done.
#[derive(Debug, PartialEq, Eq)]
pub struct Prelude {
    /// What it is imported as.
    pub name: &'static str,
    /// Its source.
    pub source: &'static str,
}

/// What a program may reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// Nothing: it cannot make a socket.
    #[default]
    None,
    /// Its own private loopback device, where somebody listens on port 8080 and keeps what it is sent.
    Loopback,
}

/// What one program may use up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Time by the clock, from the program's first instruction.
    pub wall: Duration,
    /// Processor time, of all its threads and processes together.
    pub cpu: Duration,
    /// Address space of each process.
    pub memory_bytes: u64,
    /// What is kept of standard output, standard error and the channel, each.
    pub output_bytes: u64,
    /// What it may write into the scratch folder, and the largest file.
    pub file_bytes: u64,
    /// Processes and threads at one time. A program that may not start processes still gets 64 threads.
    pub max_processes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(10),
            cpu: Duration::from_secs(2),
            memory_bytes: 512 << 20,
            output_bytes: 1 << 20,
            file_bytes: 8 << 20,
            max_processes: 32,
        }
    }
}

const MAX_FILES: usize = 256;
const MAX_JOB_BYTES: usize = 64 << 20;

impl Program {
    /// Refuses what could never be laid out or run as asked.
    pub(crate) fn check(&self) -> Result<(), SandboxError> {
        let bad = |reason: String| Err(SandboxError::BadProgram { reason });
        check_laid_out(&self.files, self.source.len() + self.stdin.len())?;
        check_env(&self.env)?;
        if let Some(reason) = self.limits.problem() {
            return bad(reason);
        }
        if self.queries && self.language != Language::Python {
            return bad("queries can be reported for Python only".to_owned());
        }
        if self.prelude.is_some() && self.language != Language::Python {
            return bad("only programs in Python can import a module of the caller's".to_owned());
        }
        Ok(())
    }
}

/// Refuses files that could not be laid into the scratch folder, with what comes besides them.
pub(crate) fn check_laid_out(files: &BTreeMap<String, Vec<u8>>, other_bytes: usize) -> Result<(), SandboxError> {
    let bad = |reason: String| Err(SandboxError::BadProgram { reason });
    if files.len() > MAX_FILES {
        return bad(format!("{} files, of which at most {MAX_FILES} can be laid out", files.len()));
    }
    let job_bytes = other_bytes + files.values().map(Vec::len).sum::<usize>();
    if job_bytes > MAX_JOB_BYTES {
        return bad(format!("{job_bytes} bytes of source, input and files, above {MAX_JOB_BYTES}"));
    }
    let mut folders = BTreeSet::new();
    for path in files.keys() {
        if !is_plain_relative(path) {
            return bad(format!("file path {path:?} does not stay inside the scratch folder"));
        }
        folders.extend(Path::new(path).ancestors().skip(1).filter_map(Path::to_str));
    }
    match files.keys().find(|path| folders.contains(path.as_str())) {
        Some(path) => bad(format!("file path {path:?} is also the folder of another file")),
        None => Ok(()),
    }
}

/// Refuses environment variables that cannot be.
pub(crate) fn check_env(env: &BTreeMap<String, String>) -> Result<(), SandboxError> {
    let is_impossible =
        |(name, value): &(&String, &String)| name.is_empty() || name.contains(['=', '\0']) || value.contains('\0');
    match env.iter().find(is_impossible) {
        Some((name, _)) => {
            Err(SandboxError::BadProgram { reason: format!("environment variable {name:?} cannot be set") })
        }
        None => Ok(()),
    }
}

impl Limits {
    /// What nobody means, and what would not fit into the numbers the kernel counts with.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.wall.is_zero() || self.cpu.is_zero() {
            return Some("a time limit of zero".to_owned());
        }
        if self.wall.max(self.cpu) > MAX_TIME {
            return Some(format!("a time limit above {} s", MAX_TIME.as_secs()));
        }
        if self.memory_bytes < MIN_MEMORY_BYTES {
            return Some(format!("a memory limit below {MIN_MEMORY_BYTES} bytes, which the interpreter itself needs"));
        }
        let sizes = [("memory", self.memory_bytes), ("output", self.output_bytes), ("file", self.file_bytes)];
        if let Some((name, _)) = sizes.iter().find(|(_, bytes)| *bytes > MAX_BYTES) {
            return Some(format!("a limit on {name} bytes above {MAX_BYTES}"));
        }
        (self.max_processes > MAX_TASKS).then(|| format!("a limit on processes above {MAX_TASKS}"))
    }
}

const MAX_TIME: Duration = Duration::from_hours(24);
const MAX_BYTES: u64 = 1 << 40;
const MAX_TASKS: u32 = 1 << 16;

/// The interpreter with its usual modules maps about 60 MiB.
const MIN_MEMORY_BYTES: u64 = 96 << 20;

fn is_plain_relative(path: &str) -> bool {
    let mut names = Path::new(path).components().peekable();
    names.peek().is_some()
        && names.all(|name| matches!(name, Component::Normal(_)))
        && !path.contains('\0')
        && !path.ends_with('/')
        && path.len() < 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(path: &str) -> Program {
        Program { files: BTreeMap::from([(path.to_owned(), vec![1])]), ..Program::default() }
    }

    #[test]
    fn paths_that_leave_the_scratch_folder_are_refused() {
        for path in ["../x", "/etc/x", "a/../../x", "", ".", "a/", "a\0b"] {
            assert!(with_file(path).check().is_err(), "{path:?}");
        }
        for path in ["x", "a/b/c.txt", "..x"] {
            assert!(with_file(path).check().is_ok(), "{path:?}");
        }
    }

    #[test]
    fn a_file_cannot_also_be_a_folder() {
        let mut program = with_file("a");
        program.files.insert("a/b".to_owned(), vec![]);
        assert!(program.check().is_err());
    }

    #[test]
    fn limits_that_nobody_means_are_refused() {
        let limits = Limits::default();
        assert_eq!(limits.problem(), None);
        let cases = [
            (Limits { wall: Duration::ZERO, ..limits.clone() }, "zero"),
            (Limits { cpu: Duration::MAX, ..limits.clone() }, "above 86400 s"),
            (Limits { memory_bytes: 1 << 20, ..limits.clone() }, "memory limit below"),
            (Limits { memory_bytes: u64::MAX, ..limits.clone() }, "memory bytes above"),
            (Limits { output_bytes: u64::MAX, ..limits.clone() }, "output bytes above"),
            (Limits { file_bytes: u64::MAX, ..limits.clone() }, "file bytes above"),
            (Limits { max_processes: u32::MAX, ..limits }, "processes above"),
        ];
        for (limits, expected) in cases {
            let reason = Program { limits, ..Program::default() }.check().unwrap_err().to_string();
            assert!(reason.contains(expected), "{reason}");
        }
    }

    #[test]
    fn environment_that_cannot_be_set_is_refused() {
        for (name, value) in [("", "x"), ("a=b", "x"), ("a", "x\0")] {
            let env = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            assert!(Program { env, ..Program::default() }.check().is_err(), "{name:?}");
        }
    }
}
