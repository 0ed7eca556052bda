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
    /// Signs that the program meddled with how it is observed; evidence, not a judgement.
    pub tamper: Vec<String>,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

/// How strongly programs are kept apart from the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Isolation {
    /// Own namespaces, Landlock, system-call filter, limits, own user.
    #[serde(rename = "full")]
    Full,
    /// As `Full`, and memory and processes are also counted by a control group.
    #[serde(rename = "full+cgroup")]
    FullCgroup,
    /// No namespaces: Landlock, system-call filter and limits only.
    #[serde(rename = "hardened")]
    Hardened,
    /// Something essential is missing.
    #[serde(rename = "unsafe")]
    Unsafe,
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
