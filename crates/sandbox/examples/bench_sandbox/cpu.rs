//! Processor time of this process and everything below it, by the kernel's own accounting.

use rustix::process::WaitOptions;

/// Seconds of user and system time of this process, of its living descendants, and of all that any of them waited for.
///
/// The kernel counts a process to its parent only once it has been waited for, and a sandbox's hosts live on between
/// programs: the living ones are therefore read where they are. Only between batches, when nobody else is waiting for a child.
pub(crate) fn seconds() -> f64 {
    wait_for_ended();
    let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
    let mut ticks = 0.0;
    let mut waiting = vec![std::process::id()];
    while let Some(process) = waiting.pop() {
        ticks += own_and_waited_for(process);
        waiting.extend(children(process));
    }
    ticks / ticks_per_second
}

/// Makes this process the parent of whatever its children leave behind, so that nothing escapes the accounting.
///
/// Bubblewrap ends without waiting for the process it made.
pub(crate) fn adopt_orphans() -> std::io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// Waits for the orphans that have ended, which only then count as ours.
fn wait_for_ended() {
    while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
}

/// The four times of a process; nothing for one that has just ended, whose parent has them then.
fn own_and_waited_for(process: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name may hold anything; the numbers follow its closing parenthesis.
    let numbers = text.rsplit_once(')').map_or("", |(_, numbers)| numbers);
    numbers.split_ascii_whitespace().skip(11).take(4).filter_map(|number| number.parse::<f64>().ok()).sum()
}

fn children(process: u32) -> Vec<u32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let mut found = Vec::new();
    for task in tasks.flatten() {
        let list = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        found.extend(list.split_ascii_whitespace().filter_map(|child| child.parse::<u32>().ok()));
    }
    found
}
