//! What is to be run: the program, its input and files, and the limits it runs under.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::SandboxError;

/// A Python program with everything it may see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// Python source, run as `__main__`.
    pub source: Vec<u8>,
    /// What descriptor 0 yields.
    pub stdin: Vec<u8>,
    /// Files laid into the scratch folder, which is the working folder, under relative paths.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Environment variables on top of the sandbox's own.
    pub env: BTreeMap<String, String>,
    /// Whether the program may start processes, such as a shell.
    pub processes: bool,
    /// What it may use up.
    pub limits: Limits,
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

#[derive(Serialize)]
struct JobHeader<'a> {
    source: usize,
    files: Vec<(&'a str, usize)>,
    env: &'a BTreeMap<String, String>,
}

const PAGE: u64 = 4096;
const MAX_FILES: usize = 256;
const MAX_JOB_BYTES: usize = 64 << 20;

impl Program {
    /// Refuses what could never be laid out or run as asked.
    pub(crate) fn check(&self) -> Result<(), SandboxError> {
        let bad = |reason: String| Err(SandboxError::BadProgram { reason });
        if self.files.len() > MAX_FILES {
            return bad(format!("{} files, of which at most {MAX_FILES} can be laid out", self.files.len()));
        }
        let job_bytes = self.source.len() + self.stdin.len() + self.files.values().map(Vec::len).sum::<usize>();
        if job_bytes > MAX_JOB_BYTES {
            return bad(format!("{job_bytes} bytes of source, input and files, above {MAX_JOB_BYTES}"));
        }
        let mut folders = BTreeSet::new();
        for path in self.files.keys() {
            if !is_plain_relative(path) {
                return bad(format!("file path {path:?} does not stay inside the scratch folder"));
            }
            folders.extend(Path::new(path).ancestors().skip(1).filter_map(Path::to_str));
        }
        if let Some(path) = self.files.keys().find(|path| folders.contains(path.as_str())) {
            return bad(format!("file path {path:?} is also the folder of another file"));
        }
        if let Some((name, _)) =
            self.env.iter().find(|(name, value)| name.is_empty() || name.contains(['=', '\0']) || value.contains('\0'))
        {
            return bad(format!("environment variable {name:?} cannot be set"));
        }
        if self.limits.wall.is_zero() || self.limits.cpu.is_zero() {
            return bad("a time limit of zero".to_owned());
        }
        if self.limits.memory_bytes < MIN_MEMORY_BYTES {
            return bad(format!("a memory limit below {MIN_MEMORY_BYTES} bytes, which the interpreter itself needs"));
        }
        Ok(())
    }

    /// The job as the fork server's child reads it: header length, header, source, files.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let header = JobHeader {
            source: self.source.len(),
            files: self.files.iter().map(|(path, content)| (path.as_str(), content.len())).collect(),
            env: &self.env,
        };
        let header = serde_json::to_vec(&header).expect("strings and numbers always serialise");
        let mut job = (header.len() as u64).to_le_bytes().to_vec();
        job.extend(header);
        job.extend(&self.source);
        for content in self.files.values() {
            job.extend(content);
        }
        job
    }

    /// The size of the scratch folder: what the program may write, and what is laid out before it starts.
    pub(crate) fn scratch_bytes(&self) -> u64 {
        let laid: u64 = self.files.values().map(|content| (content.len() as u64).next_multiple_of(PAGE)).sum();
        (self.limits.file_bytes + laid).next_multiple_of(PAGE).max(PAGE)
    }

    /// The largest file the kernel lets the program make. Outputs count as files, and one byte more than is kept tells an
    /// output that is too long from one that just fits.
    pub(crate) fn largest_file_bytes(&self) -> u64 {
        self.limits.file_bytes.max(self.limits.output_bytes + 1)
    }
}

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
    fn environment_that_cannot_be_set_is_refused() {
        for (name, value) in [("", "x"), ("a=b", "x"), ("a", "x\0")] {
            let env = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            assert!(Program { env, ..Program::default() }.check().is_err(), "{name:?}");
        }
    }

    #[test]
    fn the_job_starts_with_the_length_of_its_header() {
        let job = Program { source: b"pass".to_vec(), ..with_file("f") }.encode();
        let size = u64::from_le_bytes(job[..8].try_into().unwrap()) as usize;
        let header: serde_json::Value = serde_json::from_slice(&job[8..8 + size]).unwrap();
        assert_eq!(header, serde_json::json!({"source": 4, "files": [["f", 1]], "env": {}}));
        assert_eq!(&job[8 + size..], b"pass\x01");
    }

    #[test]
    fn the_scratch_folder_holds_what_is_laid_out_on_top_of_the_limit() {
        let mut program = with_file("f");
        program.limits.file_bytes = 10_000;
        assert_eq!(program.scratch_bytes(), 16_384);
    }
}
