//! What a running program has used up so far, read from outside.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

/// Processor time and memory of a process and all its living descendants. The memory is what the kernel says quickly: some megabytes
/// off on a host with many processors, which count for themselves and are added up now and then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) resident_bytes: u64,
}

/// The number, in our own pid namespace, of the process behind a pidfd.
pub(crate) fn process_number(pidfd: &OwnedFd) -> Option<i32> {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_fd().as_raw_fd())).ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    line.trim().parse().ok().filter(|pid| *pid > 0)
}

/// Adds up the tree below a process. Processes that end meanwhile are counted by whoever waited for them.
pub(crate) fn of_tree(root: i32) -> Usage {
    let ticks = rustix::param::clock_ticks_per_second();
    let page = rustix::param::page_size() as u64;
    let mut total = Usage::default();
    let mut waiting = vec![root];
    while let Some(pid) = waiting.pop() {
        if let Some((cpu_ticks, pages)) = read_stat(pid) {
            total.cpu += Duration::from_millis(cpu_ticks * 1000 / ticks);
            total.resident_bytes += pages * page;
        }
        waiting.extend(children(pid));
    }
    total
}

/// What a tree holds in memory, each page that several processes share counted once in all. Slow: the kernel walks every page.
/// Where it does not say so of a process, nothing is known.
pub(crate) fn shared_once(root: i32) -> Option<u64> {
    let mut total = 0;
    let mut waiting = vec![root];
    while let Some(pid) = waiting.pop() {
        match std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
            Ok(text) => total += proportional_bytes(&text)?,
            // It has just ended.
            Err(_) if read_stat(pid).is_none_or(|(_, pages)| pages == 0) => {}
            Err(_) => return None,
        }
        waiting.extend(children(pid));
    }
    Some(total)
}

fn proportional_bytes(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

/// Own and waited-for processor time in ticks, and resident pages.
fn read_stat(pid: i32) -> Option<(u64, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse_stat(&text)
}

fn parse_stat(text: &str) -> Option<(u64, u64)> {
    // The name may hold anything, parentheses and spaces included; the numbers follow the last one.
    let (_, numbers) = text.rsplit_once(')')?;
    let fields: Vec<&str> = numbers.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some((number(11)? + number(12)? + number(13)? + number(14)?, number(21)?))
}

fn children(pid: i32) -> Vec<i32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let mut found = Vec::new();
    for task in tasks.flatten() {
        let list = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        found.extend(list.split_ascii_whitespace().filter_map(|child| child.parse::<i32>().ok()));
    }
    found
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a process of its own to read")]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_name_full_of_parentheses_does_not_shift_the_numbers() {
        let line = "7 (a) R 1) S 1 1 1 0 -1 4194304 1 2 3 4 11 12 13 14 20 0 1 0 5 1000 250 18446744073709551615";
        assert_eq!(parse_stat(line), Some((11 + 12 + 13 + 14, 250)));
    }

    #[test]
    fn memory_that_is_touched_shows_in_both_readings() {
        // A process of its own is read: this one's other tests run beside this one, and start and end processes below it. The
        // kernel counts resident pages per processor and adds up only now and then, so that the quick reading may be some
        // megabytes off either way and the two need not agree; see `proc_pid_statm(5)`.
        const TOUCHED: u64 = 256 << 20;
        let program = format!(
            "import sys\nprint(flush=True)\nsys.stdin.readline()\nblock = b'1' * {TOUCHED}\nprint(flush=True)\nsys.stdin.readline()"
        );
        let mut child = Command::new("python3")
            .args(["-c", &program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let mut read = || {
            answers.read_line(&mut String::new()).unwrap();
            let pid = child.id() as i32;
            (of_tree(pid).resident_bytes, shared_once(pid).unwrap())
        };
        let (quick, slow) = read();
        child.stdin.as_ref().unwrap().write_all(b"\n").unwrap();
        let (quick_after, slow_after) = read();
        drop(child.stdin.take());
        child.wait().unwrap();
        let enough = TOUCHED / 4 * 3;
        assert!(quick_after >= quick + enough, "{quick} bytes, then {quick_after}");
        assert!(slow_after >= slow + enough, "{slow} bytes, then {slow_after}");
    }

    #[test]
    fn a_page_that_several_share_counts_once() {
        let text = "55d0-7ffe ---p 00000000 00:00 0 [rollup]\nRss:  4096 kB\nPss:  1025 kB\nPss_Dirty: 9 kB\n";
        assert_eq!(proportional_bytes(text), Some(1025 << 10));
        assert_eq!(proportional_bytes("Rss: 4096 kB\n"), None);
        assert_eq!(proportional_bytes("Pss: 4096\n"), None);
    }
}
