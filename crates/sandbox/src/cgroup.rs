//! Control groups (cgroup v2), where this process was given a subtree of them: memory, processes and processor time of a whole
//! tree of processes, counted by the kernel.
//!
//! Below the delegated group, each process of ours makes one folder, and in it one leaf for each worker. Fork servers stay where
//! they are; each program is moved into its worker's leaf before its first instruction.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::job::Job;
use crate::usage::Usage;

const NEEDED: [&str; 2] = ["memory", "pids"];
/// The environment variable that names a delegated group.
const NAMED_BY: &str = "CODEWARD_CGROUP";

/// A folder of groups that is ours.
#[derive(Debug)]
pub(crate) struct Subtree {
    path: PathBuf,
    num_made: AtomicU32,
}

/// The group of one worker.
#[derive(Debug)]
pub(crate) struct Group {
    path: PathBuf,
}

/// What a group's counters stood at when a program was admitted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mark {
    cpu: Duration,
    oom_kills: u64,
}

impl Subtree {
    /// The subtree given to this process, made ready; otherwise why there is none.
    pub(crate) fn find() -> Result<Self, String> {
        if let Some(named) = std::env::var_os(NAMED_BY) {
            return Self::below(Path::new(&named));
        }
        let own = own_group()?;
        // Whoever starts us may have put us into a leaf of what was given.
        let above = own.parent().map(Path::to_owned);
        Self::below(&own).or_else(|reason| above.and_then(|above| Self::below(&above).ok()).ok_or(reason))
    }

    fn below(base: &Path) -> Result<Self, String> {
        let controllers = read(&base.join("cgroup.controllers"))?;
        let lacks = |list: &str| NEEDED.into_iter().find(|name| !list.split_ascii_whitespace().any(|has| has == *name));
        if let Some(name) = lacks(&controllers) {
            return Err(format!("{}: no {name} controller", base.display()));
        }
        let path = base.join(format!("codeward-{}", std::process::id()));
        make(&path)?;
        let ready = prepare(base, &path);
        if ready.is_err() {
            let _ = std::fs::remove_dir(&path);
        }
        ready.map(|()| Self { path, num_made: AtomicU32::new(0) })
    }

    /// A fresh leaf.
    pub(crate) fn group(&self) -> Result<Group, String> {
        let number = self.num_made.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(format!("worker-{number}"));
        make(&path)?;
        Ok(Group { path })
    }
}

impl Drop for Subtree {
    fn drop(&mut self) {
        // Groups of hosts that were lost may still be there; they are empty, their processes are dead.
        for entry in std::fs::read_dir(&self.path).into_iter().flatten().flatten() {
            let _ = std::fs::remove_dir(entry.path());
        }
        let _ = std::fs::remove_dir(&self.path);
    }
}

impl Group {
    /// Sets the limits for the program that comes next.
    pub(crate) fn limit(&self, job: &Job<'_>) -> Result<(), String> {
        let limits = &job.limits;
        // What it writes to its outputs and into its scratch folder counts as memory too.
        let memory = limits.memory_bytes + job.scratch_bytes() + 3 * limits.output_bytes;
        write(&self.path.join("memory.max"), &memory.to_string())?;
        // A kernel built without swap accounting has no such file.
        let _ = write(&self.path.join("memory.swap.max"), "0");
        write(&self.path.join("pids.max"), &job.max_tasks().to_string())
    }

    /// Moves a process in, and remembers where the counters stand.
    pub(crate) fn admit(&self, process: i32) -> Result<Mark, String> {
        let mark = Mark { cpu: self.cpu(), oom_kills: self.oom_kills() };
        write(&self.path.join("cgroup.procs"), &process.to_string())?;
        Ok(mark)
    }

    /// What the program has used since it was admitted, its dead processes included.
    pub(crate) fn usage_since(&self, mark: Mark) -> Usage {
        let resident_bytes = read(&self.path.join("memory.current")).ok().and_then(|text| text.trim().parse().ok());
        Usage { cpu: self.cpu().saturating_sub(mark.cpu), resident_bytes: resident_bytes.unwrap_or(0) }
    }

    /// Whether the kernel killed for memory since then.
    pub(crate) fn ran_out_of_memory_since(&self, mark: Mark) -> bool {
        self.oom_kills() > mark.oom_kills
    }

    /// Ends whatever is still inside.
    pub(crate) fn kill(&self) {
        let _ = write(&self.path.join("cgroup.kill"), "1");
    }

    fn cpu(&self) -> Duration {
        Duration::from_micros(self.counter("cpu.stat", "usage_usec"))
    }

    fn oom_kills(&self) -> u64 {
        self.counter("memory.events", "oom_kill")
    }

    fn counter(&self, file: &str, key: &str) -> u64 {
        read(&self.path.join(file)).ok().and_then(|text| counter(&text, key)).unwrap_or(0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir(&self.path);
    }
}

/// Lets the groups below count what we need. A group that itself holds processes may not, so when we are alone in the one we
/// were given, we move into a leaf of it.
fn prepare(base: &Path, path: &Path) -> Result<(), String> {
    let enable = |group: &Path| write(&group.join("cgroup.subtree_control"), "+memory +pids");
    if enable(base).is_err() {
        let ours = std::process::id().to_string();
        let processes = read(&base.join("cgroup.procs"))?;
        if processes.split_ascii_whitespace().any(|process| process != ours) {
            return Err(format!("{}: holds other processes besides this one", base.display()));
        }
        let supervisor = base.join("codeward-supervisor");
        make(&supervisor)?;
        write(&supervisor.join("cgroup.procs"), &ours)?;
        enable(base)?;
    }
    enable(path)
}

/// The group that this process is in.
fn own_group() -> Result<PathBuf, String> {
    let mounts = read(Path::new("/proc/self/mountinfo"))?;
    let mount = mounts.lines().find_map(cgroup2_mount).ok_or("no cgroup v2 hierarchy is mounted")?;
    let groups = read(Path::new("/proc/self/cgroup"))?;
    let own =
        groups.lines().find_map(|line| line.strip_prefix("0::")).ok_or("this process is in no cgroup v2 group")?;
    Ok(mount.join(own.trim_start_matches('/')))
}

/// The mount point, when a line of `mountinfo` is about cgroup v2.
fn cgroup2_mount(line: &str) -> Option<PathBuf> {
    let (fields, kind) = line.split_once(" - ")?;
    kind.starts_with("cgroup2 ").then(|| fields.split(' ').nth(4).map(PathBuf::from))?
}

fn counter(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("reading {}: {error}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("writing {}: {error}", path.display()))
}

fn make(path: &Path) -> Result<(), String> {
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(format!("making {}: {error}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_of_version_two_is_told_from_the_others() {
        let two = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";
        let one = "36 24 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory";
        assert_eq!(cgroup2_mount(two), Some(PathBuf::from("/sys/fs/cgroup")));
        assert_eq!(cgroup2_mount(one), None);
    }

    #[test]
    fn counters_are_read_by_their_whole_name() {
        let text = "oom 3\noom_kill 2\noom_group_kill 1\n";
        assert_eq!(counter(text, "oom_kill"), Some(2));
        assert_eq!(counter(text, "absent"), None);
    }
}
