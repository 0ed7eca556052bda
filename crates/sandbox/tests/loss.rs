//! Losing a host, and what is left after the end. Alone in its binary: tests of one process share their children.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use codeward_sandbox::{End, Limits, Program, Sandbox};

/// Both tests look at the children of this process.
static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn program(source: &str) -> Program {
    Program { source: source.as_bytes().to_vec(), ..Program::default() }
}

/// Processes of this machine whose parent is this test.
fn children() -> Vec<u32> {
    let own = std::process::id();
    let numbers = std::fs::read_dir("/proc").expect("proc is mounted").flatten();
    let processes = numbers.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    processes
        .filter(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let parent =
                stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
            parent == Some(own)
        })
        .collect()
}

#[test]
fn a_killed_host_costs_one_retry_and_dropping_leaves_nobody() {
    let _alone = ONE_AT_A_TIME.lock().unwrap();
    let before = children();
    let sandbox = Sandbox::start(1).unwrap();
    let hosts: Vec<u32> = new_hosts(&before);
    assert_eq!(hosts.len(), 1);
    let pid = rustix::process::Pid::from_raw(hosts[0] as i32).unwrap();
    // Before a program, and in the middle of one: both times the program is run again on a new host.
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    assert_eq!(sandbox.run(&program("print(1)")).unwrap().stdout, b"1\n");
    let pid = rustix::process::Pid::from_raw(new_hosts(&before)[0] as i32).unwrap();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| sandbox.run(&program("import time\ntime.sleep(0.5)\nprint(2)")).unwrap());
        std::thread::sleep(Duration::from_millis(250));
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        let outcome = running.join().unwrap();
        assert_eq!((outcome.end, outcome.stdout.as_slice()), (End::Exited { code: 0 }, &b"2\n"[..]));
    });
    let hosts = new_hosts(&before);
    drop(sandbox);
    for host in hosts {
        assert!(!PathBuf::from(format!("/proc/{host}")).exists());
    }
}

/// Hosts started since `before` that run under this test's own name for them.
fn new_hosts(before: &[u32]) -> Vec<u32> {
    children().into_iter().filter(|pid| !before.contains(pid)).collect()
}

/// Set in the process that plays the supervisor which is then killed.
const VICTIM: &str = "CODEWARD_TEST_VICTIM";

#[test]
fn a_killed_supervisor_leaves_nobody() {
    if std::env::var_os(VICTIM).is_some() {
        let source = "import ctypes, time\nctypes.CDLL(None).prctl(15, b'orphan-program', 0, 0, 0)\ntime.sleep(600)";
        let limits = Limits { wall: Duration::from_mins(10), ..Limits::default() };
        let _ = Sandbox::start(1).unwrap().run(&Program { limits, ..program(source) });
        return;
    }
    let _alone = ONE_AT_A_TIME.lock().unwrap();
    let is_running = || named("orphan-program");
    let mut victim = supervisor();
    wait_until(is_running);
    victim.kill().unwrap();
    victim.wait().unwrap();
    wait_until(|| !is_running());
}

#[expect(clippy::disallowed_methods, reason = "a second copy of this test, to be killed")]
fn supervisor() -> std::process::Child {
    std::process::Command::new(std::env::current_exe().expect("a test has a path"))
        .args(["--exact", "a_killed_supervisor_leaves_nobody"])
        .env(VICTIM, "1")
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("a test can be started again")
}

/// Whether a process of this machine has this name.
fn named(name: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("proc is mounted").flatten();
    processes
        .map(|entry| std::fs::read_to_string(entry.path().join("comm")))
        .any(|comm| comm.is_ok_and(|comm| comm.trim() == name))
}

fn wait_until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "still waiting after 20 seconds");
        std::thread::sleep(Duration::from_millis(10));
    }
}
