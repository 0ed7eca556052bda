//! What the supervisor holds: memory, descriptors, processes, temporary folders.

use std::collections::BTreeMap;
use std::path::Path;

#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) resident_kib: u64,
    pub(crate) num_descriptors: usize,
    /// Everything below this process, the dead that nobody has waited for included.
    pub(crate) num_processes: usize,
}

impl State {
    pub(crate) fn now() -> Self {
        let statm = std::fs::read_to_string("/proc/self/statm").expect("proc is mounted");
        let pages = statm.split(' ').nth(1).and_then(|number| number.parse::<u64>().ok()).expect("the second number");
        let descriptors = std::fs::read_dir("/proc/self/fd").expect("proc is mounted");
        Self {
            resident_kib: pages * rustix::param::page_size() as u64 / 1024,
            // The one that reads the folder is among them.
            num_descriptors: descriptors.count() - 1,
            num_processes: num_below(std::process::id()),
        }
    }
}

fn num_below(root: u32) -> usize {
    let numbers = std::fs::read_dir("/proc").expect("proc is mounted").flatten();
    let mut children = BTreeMap::<u32, Vec<u32>>::new();
    for pid in numbers.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok()) {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_ascii_whitespace().nth(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut waiting = vec![root];
    let mut count = 0;
    while let Some(pid) = waiting.pop() {
        let below = children.remove(&pid).unwrap_or_default();
        count += below.len();
        waiting.extend(below);
    }
    count
}

/// Names of what the sandbox has left in a folder for temporary files.
pub(crate) fn leftovers(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
