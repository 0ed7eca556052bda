//! What was observed of a program that ran. There is no verdict here.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What one run left behind, collected from outside the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub end: End,
    /// Standard output, up to the limit.
    pub stdout: Vec<u8>,
    /// Standard error, up to the limit.
    pub stderr: Vec<u8>,
    /// What was written to descriptor 3, up to the limit.
    pub channel: Vec<u8>,
    /// Whether any of the three was longer than what is kept.
    pub truncated: bool,
    /// What is in the scratch folder, by path relative to it: at most 256 entries, links not followed.
    pub files: BTreeMap<String, FileSeen>,
    /// From the program's first instruction to the end of its last process.
    pub wall: Duration,
    /// Processor time of the process and of the descendants it waited for.
    pub cpu: Duration,
    /// Largest resident set of any one of its processes, which starts from the warmed interpreter's.
    pub max_rss_kib: u64,
    /// Under which isolation it ran.
    pub isolation: Isolation,
    /// What it was seen to reach for, from outside its process.
    pub observed: Observed,
    /// Signs that it meddled with its surroundings or with how it is observed; evidence, not a judgement.
    pub tamper: Vec<Tamper>,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum End {
    /// By itself, with this exit code.
    Exited {
        /// 0 to 255.
        code: i32,
    },
    /// By a signal that we did not send.
    Signalled {
        /// The signal's number.
        signal: i32,
    },
    /// Still running when its time by the clock was over.
    WallLimit,
    /// Out of processor time.
    CpuLimit,
    /// Killed for the memory of its processes, by us or by the kernel. A `MemoryError` is an ordinary exit.
    MemoryLimit,
    /// Wrote more to standard output, standard error or the channel than is kept.
    OutputLimit,
    /// Failed with its scratch folder full.
    FileLimit,
    /// Never ran: the compiler would not have it, or did not finish within its own limits.
    CompilerRejected {
        /// What the compiler said, its first 16 KiB.
        message: String,
    },
}

impl std::fmt::Display for End {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited { code: 0 } => write!(formatter, "it ended well"),
            Self::Exited { code } => write!(formatter, "it ended with exit status {code}"),
            Self::Signalled { signal } => write!(formatter, "it was ended by signal {signal}"),
            Self::WallLimit => write!(formatter, "it was still running when its time was over"),
            Self::CpuLimit => write!(formatter, "it used up its processor time"),
            Self::MemoryLimit => write!(formatter, "it used more memory than it was allowed"),
            Self::OutputLimit => write!(formatter, "it wrote more output than is kept"),
            Self::FileLimit => write!(formatter, "it filled its scratch folder"),
            Self::CompilerRejected { .. } => write!(formatter, "its compiler rejected it"),
        }
    }
}

/// One entry of the scratch folder after the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSeen {
    /// What it is.
    pub kind: FileKind,
    /// Its permission bits.
    pub mode: u32,
    /// Its length in bytes.
    pub size: u64,
    /// The first 64 KiB of a regular file; nothing for the rest.
    pub content: Vec<u8>,
}

/// What an entry of the scratch folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, which was not followed.
    Link,
    /// A pipe or a socket.
    Other,
}

/// What a program was seen to reach for. Each list keeps its first 64 entries; `omitted` counts the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Whether anybody was looking: some container runtimes leave no way to.
    pub is_complete: bool,
    /// Files it tried to open outside the scratch folder and the system's own.
    pub outside_files: Vec<String>,
    /// Programs and processes it started or tried to start.
    pub processes: Vec<ProcessTried>,
    /// Sockets it tried to make, and addresses it tried to reach.
    pub sockets: Vec<SocketTried>,
    /// Statements that an embedded SQLite ran, where the program was run with `queries`.
    pub queries: Vec<String>,
    /// What the loopback listener was sent, one entry for each connection, at most 64 KiB of each.
    pub received: Vec<Vec<u8>>,
    /// Entries beyond what is kept.
    pub omitted: u64,
}

/// A process started, or tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessTried {
    /// The arguments of a new program, its name first; empty when a process was only to be copied.
    pub arguments: Vec<String>,
    /// Whether it was let go on.
    pub allowed: bool,
}

/// A socket made or used, or tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketTried {
    /// Which call: `socket`, `connect` or `bind`.
    pub call: String,
    /// The address family's name, such as `inet`.
    pub family: String,
    /// The address, where the call has one.
    pub address: Option<String>,
    /// Whether it was let go on.
    pub allowed: bool,
}

/// One sign of meddling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tamper {
    /// What kind.
    pub kind: TamperKind,
    /// What was seen, in words.
    pub detail: String,
}

/// The kinds of meddling that can be seen from outside a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TamperKind {
    /// An output was rewound or cut.
    OutputRewritten,
    /// It tried to look into another process.
    Tracing,
    /// It tried to change mounts, namespaces or filters.
    Escape,
    /// It tried to reach a network.
    Network,
    /// It tried to start a process without leave.
    Process,
    /// It tried to open files outside what it was given.
    OutsideFile,
    /// It made another call that no program has a reason to make.
    ForbiddenCall,
}

/// How strongly programs are kept apart from the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Isolation {
    /// Own namespaces, Landlock, system-call filter, limits, own user.
    #[serde(rename = "full")]
    Full,
    /// As `Full`, and memory and processes are also counted by a control group.
    #[serde(rename = "full+cgroup")]
    FullCgroup,
    /// No namespaces: Landlock, system-call filter and limits only, and no program may start processes.
    #[serde(rename = "hardened")]
    Hardened,
    /// Limits only: the program can read, change and reach whatever the user can.
    #[serde(rename = "unsafe")]
    Unsafe,
}

impl Isolation {
    /// How strong it is, for comparing: more is stronger.
    pub fn strength(self) -> u8 {
        match self {
            Self::Unsafe => 0,
            Self::Hardened => 1,
            Self::Full => 2,
            Self::FullCgroup => 3,
        }
    }

    /// The name in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unsafe => "unsafe",
            Self::Hardened => "hardened",
            Self::Full => "full",
            Self::FullCgroup => "full+cgroup",
        }
    }

    /// Whether programs live in namespaces of their own.
    pub(crate) fn has_namespaces(self) -> bool {
        self.strength() >= Self::Full.strength()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn isolation_names_are_the_ones_scripts_rely_on() {
        let names = [Isolation::Full, Isolation::FullCgroup, Isolation::Hardened, Isolation::Unsafe]
            .map(|level| serde_json::to_value(level).unwrap());
        assert_eq!(names, ["full", "full+cgroup", "hardened", "unsafe"]);
    }

    #[test]
    fn ends_serialise_with_their_numbers() {
        assert_eq!(
            serde_json::to_value(End::Exited { code: 3 }).unwrap(),
            serde_json::json!({"kind": "exited", "code": 3})
        );
        assert_eq!(serde_json::to_value(End::WallLimit).unwrap(), serde_json::json!({"kind": "wall_limit"}));
    }
}
