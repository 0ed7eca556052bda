//! How much memory this process may still take.

use std::fmt;
use std::fs;
use std::path::Path;

/// What the machine, or the group that the process is in, has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostMemory {
    /// Bytes that can be taken without another process being hurt.
    pub available: u64,
    /// What they are limited by.
    pub bound: MemoryBound,
}

/// What limits memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryBound {
    /// What the whole machine has free.
    Machine,
    /// The limit of the process's control group, which containers have.
    ControlGroup,
}

impl fmt::Display for MemoryBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Machine => "free on this machine",
            Self::ControlGroup => "left below the limit of this control group",
        })
    }
}

impl HostMemory {
    /// What this host has left; nothing where the system does not say.
    pub fn read() -> Option<Self> {
        Self::read_from(Path::new("/proc"), Path::new("/sys/fs/cgroup"))
    }

    /// [`HostMemory::read`] from where the system's files are.
    fn read_from(proc: &Path, groups: &Path) -> Option<Self> {
        let text = fs::read_to_string(proc.join("meminfo")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        let machine = Self { available: kibibytes.saturating_mul(1024), bound: MemoryBound::Machine };
        let membership = fs::read_to_string(proc.join("self/cgroup")).unwrap_or_default();
        let lefts = membership.lines().filter_map(|line| left_in_groups(line, groups));
        let group = lefts.min().map(|available| Self { available, bound: MemoryBound::ControlGroup });
        Some(group.filter(|group| group.available < machine.available).unwrap_or(machine))
    }
}

/// The names of the files that say what a group may take, what it has taken, and how much of that can be dropped.
struct GroupFiles {
    limit: &'static str,
    taken: &'static str,
    droppable: &'static str,
}

/// What is left in the tightest of a group and those that contain it. The line is one of `/proc/self/cgroup`.
fn left_in_groups(line: &str, groups: &Path) -> Option<u64> {
    let mut fields = line.splitn(3, ':');
    let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let (root, files) = if controllers.is_empty() {
        let files = GroupFiles { limit: "memory.max", taken: "memory.current", droppable: "inactive_file" };
        (groups.to_owned(), files)
    } else if controllers.split(',').any(|controller| controller == "memory") {
        let (limit, taken) = ("memory.limit_in_bytes", "memory.usage_in_bytes");
        (groups.join("memory"), GroupFiles { limit, taken, droppable: "total_inactive_file" })
    } else {
        return None;
    };
    let path = Path::new(path.trim_start_matches('/'));
    path.ancestors().filter_map(|group| left_in_group(&root.join(group), &files)).min()
}

fn left_in_group(group: &Path, files: &GroupFiles) -> Option<u64> {
    let number = |name: &str| fs::read_to_string(group.join(name)).ok()?.trim().parse::<u64>().ok();
    // "max" is no number: there is no limit.
    let (limit, taken) = (number(files.limit)?, number(files.taken)?);
    let statistics = fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
    let droppable =
        statistics.lines().find_map(|line| line.strip_prefix(files.droppable)?.trim().parse::<u64>().ok()).unwrap_or(0);
    Some(limit.saturating_sub(taken.saturating_sub(droppable)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files below a folder, by path and text.
    fn files(entries: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in entries {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn read(entries: &[(&str, &str)]) -> Option<HostMemory> {
        let folder = files(entries);
        HostMemory::read_from(&folder.path().join("proc"), &folder.path().join("groups"))
    }

    const MACHINE: (&str, &str) = ("proc/meminfo", "MemTotal:  8000000 kB\nMemFree:  9 kB\nMemAvailable:    4000 kB\n");

    #[test]
    fn the_machine_counts_where_no_group_is_tighter() {
        let machine = Some(HostMemory { available: 4_096_000, bound: MemoryBound::Machine });
        assert_eq!(read(&[MACHINE]), machine);
        let unlimited = [MACHINE, ("proc/self/cgroup", "0::/a/b\n"), ("groups/a/memory.max", "max\n")];
        assert_eq!(read(&unlimited), machine);
        let wide = [
            MACHINE,
            ("proc/self/cgroup", "0::/\n"),
            ("groups/memory.max", "9000000\n"),
            ("groups/memory.current", "10\n"),
        ];
        assert_eq!(read(&wide), machine);
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn the_tightest_of_nested_groups_counts_and_files_that_can_be_dropped_do_not() {
        let group = Some(HostMemory { available: 1_250_000, bound: MemoryBound::ControlGroup });
        let second = [
            MACHINE,
            ("proc/self/cgroup", "0::/a/b\n"),
            ("groups/a/memory.max", "2000000\n"),
            ("groups/a/memory.current", "1000000\n"),
            ("groups/a/memory.stat", "anon 700000\ninactive_file 250000\n"),
            ("groups/a/b/memory.max", "3000000\n"),
            ("groups/a/b/memory.current", "900000\n"),
        ];
        assert_eq!(read(&second), group);
        let first = [
            MACHINE,
            ("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/box\n"),
            ("groups/memory/box/memory.limit_in_bytes", "2000000\n"),
            ("groups/memory/box/memory.usage_in_bytes", "1000000\n"),
            ("groups/memory/box/memory.stat", "inactive_file 1\ntotal_inactive_file 250000\n"),
        ];
        assert_eq!(read(&first), group);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_host_has_some_memory() {
        let host = HostMemory::read().unwrap();
        assert!(host.available > 1 << 20, "{host:?}");
    }
}
