//! One run as a host carries it out: what the program is, in the form that the fork server's child reads.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use serde::Serialize;

use crate::outcome::Isolation;
use crate::program::{Limits, Network, Prelude, Program};
use crate::seccomp::Profile;

/// One run of one process tree: a program, or a compiler on its source.
#[derive(Debug, Clone)]
pub(crate) struct Job<'a> {
    /// Python source; not used when there are `arguments`.
    pub(crate) source: &'a [u8],
    pub(crate) stdin: &'a [u8],
    pub(crate) files: Vec<(&'a str, &'a [u8])>,
    pub(crate) env: BTreeMap<&'a str, &'a str>,
    /// The program to become, its name first; empty for Python.
    pub(crate) arguments: Vec<String>,
    /// What to execute, in memory; otherwise the first argument is the path.
    pub(crate) executable: Option<Arc<OwnedFd>>,
    pub(crate) profile: Profile,
    pub(crate) network: Network,
    pub(crate) queries: bool,
    pub(crate) prelude: Option<&'static Prelude>,
    /// Its runtime makes sockets for itself: only reaching somebody with one tells about the program.
    pub(crate) makes_sockets: bool,
    pub(crate) limits: Limits,
    pub(crate) memory: MemoryRule,
    /// The largest file of the scratch folder whose content is handed back whole.
    pub(crate) content_bytes: u64,
}

/// How the memory of one process is limited from inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemoryRule {
    /// Its whole address space.
    AddressSpace,
    /// Only what it can write to: some runtimes reserve far more address space than they use.
    Data,
}

/// What is kept of each file that an ordinary program leaves.
const CONTENT_BYTES: u64 = 64 << 10;
const PAGE: u64 = 4096;
/// Threads share one count with processes, so a program that may not fork still needs room for threads.
const THREADS_WITHOUT_PROCESSES: u32 = 64;
/// Set last of all: the kernel counts the descriptors on their way of a user as a whole, those of its other programs too, and
/// lets nobody send whose own limit they exceed. Set-up must be able to send when a program has sent all it may.
pub(crate) const DESCRIPTORS: u64 = 128;
/// Timers count as queued signals, and all hosts of one user draw on the same number.
const QUEUED_SIGNALS: u64 = 256;
/// Without a user namespace all hosts of one user draw on one count of processes.
const SHARED_TASKS: u64 = 4096;
/// Too small for any core file, and the one value at which the kernel does not pipe one to the host's crash handler either: at 0
/// it would.
pub(crate) const NO_CORE: u64 = 1;

/// What few programs have; left out for the others.
#[derive(Serialize)]
struct Described<'a> {
    files: Vec<(&'a str, usize)>,
    env: &'a BTreeMap<&'a str, &'a str>,
    arguments: &'a [String],
}

/// Limits that are the same for every program of every host, by the kernel's numbers for them.
pub(crate) const COMMON_LIMITS: [(u32, u64); 4] = [
    (libc::RLIMIT_CORE, NO_CORE),
    (libc::RLIMIT_MEMLOCK, 0),
    (libc::RLIMIT_MSGQUEUE, 0),
    (libc::RLIMIT_SIGPENDING, QUEUED_SIGNALS),
];

/// What of a host's nature decides how a job is written for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) isolation: Isolation,
    /// The kernel lets us be asked about system calls.
    pub(crate) can_ask: bool,
}

impl<'a> Job<'a> {
    /// A Python program as it is.
    pub(crate) fn python(program: &'a Program) -> Self {
        let profile = if program.processes { Profile::Processes } else { Profile::Single };
        Self {
            source: &program.source,
            stdin: &program.stdin,
            files: program.files.iter().map(|(path, content)| (path.as_str(), content.as_slice())).collect(),
            env: program.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            arguments: vec![],
            executable: None,
            profile,
            network: program.network,
            queries: program.queries,
            prelude: program.prelude,
            makes_sockets: false,
            limits: program.limits.clone(),
            memory: MemoryRule::AddressSpace,
            content_bytes: CONTENT_BYTES,
        }
    }

    /// What only the fork server's child reads: the source, and what few programs have besides.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut job = self.source.to_vec();
        if !self.files.is_empty() || !self.env.is_empty() || !self.arguments.is_empty() {
            let described = Described {
                files: self.files.iter().map(|(path, content)| (*path, content.len())).collect(),
                env: &self.env,
                arguments: &self.arguments,
            };
            let described = serde_json::to_vec(&described).expect("strings and numbers always serialise");
            job.extend((described.len() as u64).to_le_bytes());
            job.extend(described);
            for (_, content) in &self.files {
                job.extend(*content);
            }
        }
        job
    }

    /// The numbers that the fork server reads of a job of this length, for a scratch folder of this number.
    pub(crate) fn numbers(&self, terms: Terms, length: usize, folder: u64) -> Vec<u8> {
        let executes = !self.arguments.is_empty();
        let profile = match self.profile {
            // Where nobody can be asked, the filter itself cannot tell the first execution from the second.
            Profile::Single if executes && !terms.can_ask => Profile::Processes,
            profile => profile,
        };
        let switches = [
            terms.can_ask,
            executes || self.profile != Profile::Single,
            self.network != Network::None,
            self.queries,
            terms.isolation == Isolation::FullCgroup,
            self.executable.is_some(),
        ];
        let switches = switches.iter().rev().fold(0, |bits: u32, is_on| bits << 1 | u32::from(*is_on));
        let source = self.source.len() as u64;
        let sizes = [self.scratch_bytes(), source, length as u64 - source, folder];
        let mut numbers: Vec<u8> = sizes.iter().flat_map(|number| number.to_le_bytes()).collect();
        numbers.extend((profile.index(terms.can_ask) as u32).to_le_bytes());
        numbers.extend(switches.to_le_bytes());
        numbers.extend(self.own_limits(terms.isolation).iter().flat_map(|number| number.to_le_bytes()));
        numbers
    }

    /// The limits of this job: tasks, seconds of processor time, bytes of a file, which limit on memory, its bytes.
    fn own_limits(&self, isolation: Isolation) -> [u64; 5] {
        let limits = &self.limits;
        // The fork server itself is one task of the user namespace; process 1 is another, where the program is not that itself.
        let ours = if self.arguments.is_empty() { 1 } else { 2 };
        let tasks = if isolation.has_namespaces() { u64::from(self.max_tasks()) + ours } else { SHARED_TASKS };
        let memory = match self.memory {
            MemoryRule::AddressSpace => libc::RLIMIT_AS,
            MemoryRule::Data => libc::RLIMIT_DATA,
        };
        // The kernel's own limit of processor time counts whole seconds and per process: it is the backstop behind ours.
        let seconds = limits.cpu.as_secs() + 2;
        [tasks, seconds, self.largest_file_bytes(), u64::from(memory), limits.memory_bytes]
    }

    /// Processes and threads at one time.
    pub(crate) fn max_tasks(&self) -> u32 {
        match self.profile {
            Profile::Single => self.limits.max_processes.max(THREADS_WITHOUT_PROCESSES),
            Profile::Processes | Profile::Compiler => self.limits.max_processes,
        }
    }

    /// The size of the scratch folder: what the program may write, and what is laid out before it starts.
    pub(crate) fn scratch_bytes(&self) -> u64 {
        let laid: u64 = self.files.iter().map(|(_, content)| (content.len() as u64).next_multiple_of(PAGE)).sum();
        (self.limits.file_bytes + laid).next_multiple_of(PAGE).max(PAGE)
    }

    /// The largest file the kernel lets the program make. Outputs count as files, and one byte more than is kept tells an
    /// output that is too long from one that just fits.
    pub(crate) fn largest_file_bytes(&self) -> u64 {
        self.limits.file_bytes.max(self.limits.output_bytes + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms { isolation: Isolation::Full, can_ask: true };

    fn with_file(path: &str) -> Program {
        Program { files: BTreeMap::from([(path.to_owned(), vec![1])]), source: b"pass".to_vec(), ..Program::default() }
    }

    fn number(bytes: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
    }

    #[test]
    fn a_job_is_its_source_and_then_what_few_have() {
        let program = with_file("f");
        let job = Job::python(&program);
        let encoded = job.encode();
        assert_eq!(&encoded[..4], b"pass");
        let size = number(&encoded, 4) as usize;
        let described: serde_json::Value = serde_json::from_slice(&encoded[12..12 + size]).unwrap();
        assert_eq!(described, serde_json::json!({"files": [["f", 1]], "env": {}, "arguments": []}));
        assert_eq!(&encoded[12 + size..], [1]);
        let numbers = job.numbers(TERMS, encoded.len(), 9);
        assert_eq!((number(&numbers, 8), number(&numbers, 16), number(&numbers, 24)), (4, encoded.len() as u64 - 4, 9));
        assert_eq!(numbers.len(), 80);
        let plain = Program { source: b"pass".to_vec(), ..Program::default() };
        assert_eq!(Job::python(&plain).encode(), b"pass");
    }

    #[test]
    fn the_scratch_folder_holds_what_is_laid_out_on_top_of_the_limit() {
        let mut program = with_file("f");
        program.limits.file_bytes = 10_000;
        assert_eq!(Job::python(&program).scratch_bytes(), 16_384);
    }

    #[test]
    fn becoming_another_program_takes_leave_to_execute() {
        let program = Program::default();
        let mut job = Job::python(&program);
        let filter_and_switches = |job: &Job<'_>, terms| {
            let both = number(&job.numbers(terms, 0, 0), 32);
            (both as u32, (both >> 32) as u32)
        };
        assert_eq!(filter_and_switches(&job, TERMS), (Profile::Single.index(true) as u32, 0b1));
        job.arguments = vec!["program".to_owned()];
        assert_eq!(filter_and_switches(&job, TERMS), (Profile::Single.index(true) as u32, 0b11));
        let unasked = Terms { can_ask: false, ..TERMS };
        assert_eq!(filter_and_switches(&job, unasked), (Profile::Processes.index(false) as u32, 0b10));
    }
}
