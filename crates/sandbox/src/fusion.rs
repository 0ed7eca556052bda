//! The wire format of SandboxFusion's `POST /run_code`, as pure functions: a server that answers it runs the program in
//! between.
//!
//! ```
//! use codeward_sandbox::fusion::{RunCodeRequest, Terms};
//!
//! let request: RunCodeRequest = serde_json::from_str(r#"{"code": "print(6 * 7)", "language": "python"}"#)?;
//! let (program, reply) = request.accept(&Terms::default())?;
//! assert_eq!(program.source, b"print(6 * 7)");
//! // let response = reply.response(&sandbox.run(&program));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where we answer differently
//!
//! - A signal is a return code of minus its number, as there. What we end for a limit other than time is answered as if the
//!   kernel had (-9), and `message` names the limit; there, only a server's own error has a message.
//! - Processor time is limited to the run's timeout as well: one core's worth.
//! - Output beyond what is kept ends the program. Output that is not UTF-8 keeps its readable part.
//! - Paths must stay inside the working folder, links are not followed, and a file longer than what is kept of it
//!   (64 KiB) is left out, with a word in `message`: half a file is worse than none.
//! - `compile_timeout` is not used: compilers have limits of their own, and their results are kept. A compiler that ran out
//!   of time is a `TimeLimitExceeded`.
//! - Languages are those of [`Language`], under the names used there, and `c`.

use std::collections::BTreeMap;
use std::path::{Component, Path};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::error::SandboxError;
use crate::language::Language;
use crate::outcome::{End, FileKind, Outcome};
use crate::program::{Limits, Program};

/// What a client asks for. Keys that are not listed are ignored, as there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunCodeRequest {
    /// The source.
    pub code: String,
    /// What it is written in, by that protocol's name.
    pub language: String,
    /// What it reads.
    #[serde(default)]
    pub stdin: Option<String>,
    /// Seconds for the compiler.
    #[serde(default = "default_timeout")]
    pub compile_timeout: f64,
    /// Seconds for the program.
    #[serde(default = "default_timeout")]
    pub run_timeout: f64,
    /// Megabytes, or anything below one for the server's own limit.
    #[serde(rename = "memory_limit_MB", default = "default_memory")]
    pub memory_limit_mb: i64,
    /// Files to lay out, in base64, by path; those without content are left out.
    #[serde(default)]
    pub files: BTreeMap<String, Option<String>>,
    /// Files to be sent back.
    #[serde(default)]
    pub fetch_files: Vec<String>,
}

fn default_timeout() -> f64 {
    10.0
}

fn default_memory() -> i64 {
    -1
}

/// What a client is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunCodeResponse {
    /// All in all.
    pub status: RunStatus,
    /// More about it, for people.
    #[serde(default)]
    pub message: String,
    /// What the compiler did, where there is one.
    #[serde(default)]
    pub compile_result: Option<CommandRunResult>,
    /// What the program did, where it ran.
    #[serde(default)]
    pub run_result: Option<CommandRunResult>,
    /// Which machine it was.
    #[serde(default)]
    pub executor_pod_name: Option<String>,
    /// The files asked for, in base64, as far as they are there.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunStatus {
    /// Compiler and program ended with 0.
    Success,
    /// One of them did not.
    Failed,
    /// Nothing is known of the program. Clients ask again, and then give up with an error.
    SandboxError,
}

/// How one process ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommandRunResult {
    /// Whether it ended in time.
    pub status: CommandRunStatus,
    /// Seconds by the clock.
    #[serde(default)]
    pub execution_time: Option<f64>,
    /// Seconds of processor time. Not every client knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_time: Option<f64>,
    /// Its exit code, or minus the signal; nothing when it did not end in time.
    #[serde(default)]
    pub return_code: Option<i32>,
    /// Its standard output.
    #[serde(default)]
    pub stdout: Option<String>,
    /// Its standard error.
    #[serde(default)]
    pub stderr: Option<String>,
}

/// Whether a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommandRunStatus {
    /// By itself, with whatever code.
    Finished,
    /// The server could not run it. We never say so of a process: see [`RunStatus::SandboxError`].
    Error,
    /// It did not end in time.
    TimeLimitExceeded,
}

/// What a server grants, whatever is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The longest timeout for a program; longer ones are cut to it.
    pub max_run_timeout: Duration,
    /// The highest memory limit; higher ones are cut to it.
    pub max_memory_bytes: u64,
    /// Whether programs may start processes.
    pub processes: bool,
    /// What requests have no say in, and the memory of those that name none.
    pub limits: Limits,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            max_run_timeout: Duration::from_mins(1),
            max_memory_bytes: 4 << 30,
            processes: false,
            limits: Limits { memory_bytes: 1 << 30, ..Limits::default() },
        }
    }
}

/// Why a request is refused. All of these are the client's mistake, or beyond what we offer.
#[derive(Debug, Error)]
pub enum FusionError {
    /// We do not run this language.
    #[error("language {language:?} cannot be run; choose one of python, cpp, nodejs, java, go, c")]
    UnknownLanguage {
        /// The name asked for.
        language: String,
    },
    /// No time at all, or not a time.
    #[error("{field} of {seconds} is not a number of seconds above zero")]
    BadTimeout {
        /// Which of the two.
        field: &'static str,
        /// What was asked for.
        seconds: f64,
    },
    /// A file whose content cannot be read.
    #[error("content of file {path:?} is not base64: {reason}")]
    BadContent {
        /// The file.
        path: String,
        /// Where it breaks.
        reason: base64::DecodeError,
    },
    /// A file is asked for that is not the program's.
    #[error("file {path:?} to be fetched is not inside the working folder")]
    OutsideFile {
        /// The path asked for.
        path: String,
    },
    /// The program cannot be laid out: files outside the working folder, or too many.
    #[error(transparent)]
    Program(#[from] SandboxError),
}

impl RunCodeRequest {
    /// The program to run, and how to answer with its outcome.
    ///
    /// # Errors
    ///
    /// When the request cannot be met, see [`FusionError`]. [`RunCodeResponse::from`] puts it into the protocol's terms.
    pub fn accept(self, terms: &Terms) -> Result<(Program, Reply), FusionError> {
        let language = language(&self.language).ok_or(FusionError::UnknownLanguage { language: self.language })?;
        timeout("compile_timeout", self.compile_timeout)?;
        let wall = timeout("run_timeout", self.run_timeout)?.min(terms.max_run_timeout);
        let memory_bytes = match u64::try_from(self.memory_limit_mb) {
            Err(_) | Ok(0) => terms.limits.memory_bytes,
            Ok(megabytes) => megabytes.saturating_mul(1 << 20).min(terms.max_memory_bytes),
        };
        let files = self.files.into_iter().filter_map(|(path, content)| Some((path, content?)));
        let program = Program {
            language,
            source: self.code.into_bytes(),
            stdin: self.stdin.unwrap_or_default().into_bytes(),
            files: files.map(|(path, content)| decoded(path, &content)).collect::<Result<_, _>>()?,
            processes: terms.processes,
            limits: Limits { wall, cpu: wall, memory_bytes, ..terms.limits.clone() },
            ..Program::default()
        };
        program.check()?;
        let fetch_files = self.fetch_files.into_iter().map(|asked| match inside(&asked) {
            Some(path) => Ok((asked, path)),
            None => Err(FusionError::OutsideFile { path: asked }),
        });
        Ok((program, Reply { language, fetch_files: fetch_files.collect::<Result<_, _>>()? }))
    }
}

fn language(name: &str) -> Option<Language> {
    match name {
        "python" => Some(Language::Python),
        "cpp" => Some(Language::Cpp),
        "nodejs" | "js" => Some(Language::JavaScript),
        "java" => Some(Language::Java),
        "go" => Some(Language::Go),
        "c" => Some(Language::C),
        _ => None,
    }
}

fn timeout(field: &'static str, seconds: f64) -> Result<Duration, FusionError> {
    let time = Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero());
    time.ok_or(FusionError::BadTimeout { field, seconds })
}

/// Paths that leave the folder are kept as they are, for the check of the whole program to refuse.
fn decoded(path: String, content: &str) -> Result<(String, Vec<u8>), FusionError> {
    // Encoders break lines, and the decoders of that protocol do not mind.
    let content: String = content.split_ascii_whitespace().collect();
    match STANDARD.decode(content) {
        Ok(content) => Ok((inside(&path).unwrap_or(path), content)),
        Err(reason) => Err(FusionError::BadContent { path, reason }),
    }
}

/// The plain form of a path inside the working folder: `./a//b` is `a/b`.
fn inside(path: &str) -> Option<String> {
    let mut names = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(name) => names.push(name.to_str()?),
            Component::CurDir => {}
            _ => return None,
        }
    }
    (!names.is_empty() && !path.ends_with('/')).then(|| names.join("/"))
}

/// How one request is to be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    language: Language,
    /// What was asked for, and where that is.
    fetch_files: Vec<(String, String)>,
}

impl Reply {
    /// The answer. An error of ours never counts against the program.
    pub fn response(&self, result: &Result<Outcome, SandboxError>) -> RunCodeResponse {
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(error) => return error.into(),
        };
        if let End::CompilerRejected { message } = &outcome.end {
            return rejected(message);
        }
        let mut notes = Vec::new();
        let (status, return_code) = match outcome.end {
            End::Exited { code } => (CommandRunStatus::Finished, Some(code)),
            End::Signalled { signal } => (CommandRunStatus::Finished, Some(-signal)),
            End::WallLimit | End::CpuLimit => (CommandRunStatus::TimeLimitExceeded, None),
            // It ended by itself, with a code other than 0 that the outcome does not say.
            End::FileLimit => (CommandRunStatus::Finished, Some(1)),
            End::MemoryLimit | End::OutputLimit | End::CompilerRejected { .. } => {
                (CommandRunStatus::Finished, Some(-rustix::process::Signal::KILL.as_raw()))
            }
        };
        if matches!(outcome.end, End::FileLimit | End::MemoryLimit | End::OutputLimit) {
            notes.push(outcome.end.to_string());
        }
        let files = self.fetch(outcome, &mut notes);
        RunCodeResponse {
            status: if return_code == Some(0) { RunStatus::Success } else { RunStatus::Failed },
            message: notes.join("; "),
            compile_result: self.is_compiled().then(|| CommandRunResult {
                status: CommandRunStatus::Finished,
                // It may have been compiled for somebody else, long ago.
                execution_time: None,
                cpu_time: None,
                return_code: Some(0),
                stdout: Some(String::new()),
                stderr: Some(String::new()),
            }),
            run_result: Some(CommandRunResult {
                status,
                execution_time: Some(outcome.wall.as_secs_f64()),
                cpu_time: Some(outcome.cpu.as_secs_f64()),
                return_code,
                stdout: Some(String::from_utf8_lossy(&outcome.stdout).into_owned()),
                stderr: Some(String::from_utf8_lossy(&outcome.stderr).into_owned()),
            }),
            executor_pod_name: None,
            files,
        }
    }

    fn is_compiled(&self) -> bool {
        matches!(self.language, Language::C | Language::Cpp | Language::Java | Language::Go)
    }

    fn fetch(&self, outcome: &Outcome, notes: &mut Vec<String>) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        for (asked, path) in &self.fetch_files {
            let Some(file) = outcome.files.get(path).filter(|file| file.kind == FileKind::File) else { continue };
            if file.content.len() as u64 == file.size {
                files.insert(asked.clone(), STANDARD.encode(&file.content));
            } else {
                notes.push(format!("file {asked:?} of {} bytes is longer than what is kept", file.size));
            }
        }
        files
    }
}

fn rejected(message: &str) -> RunCodeResponse {
    let ran_out = [End::WallLimit, End::CpuLimit].iter().any(|end| message.starts_with(&format!("compiler: {end}")));
    let (status, return_code) =
        if ran_out { (CommandRunStatus::TimeLimitExceeded, None) } else { (CommandRunStatus::Finished, Some(1)) };
    RunCodeResponse {
        status: RunStatus::Failed,
        message: String::new(),
        compile_result: Some(CommandRunResult {
            status,
            execution_time: None,
            cpu_time: None,
            return_code,
            stdout: Some(String::new()),
            stderr: Some(message.to_owned()),
        }),
        run_result: None,
        executor_pod_name: None,
        files: BTreeMap::new(),
    }
}

fn unknown(message: String) -> RunCodeResponse {
    RunCodeResponse {
        status: RunStatus::SandboxError,
        message,
        compile_result: None,
        run_result: None,
        executor_pod_name: None,
        files: BTreeMap::new(),
    }
}

impl From<&SandboxError> for RunCodeResponse {
    fn from(error: &SandboxError) -> Self {
        unknown(error.hint().map_or_else(|| error.to_string(), |hint| format!("{error} (hint: {hint})")))
    }
}

impl From<&FusionError> for RunCodeResponse {
    fn from(error: &FusionError) -> Self {
        unknown(error.to_string())
    }
}
