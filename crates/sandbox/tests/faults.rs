//! Faults that are not the programs' own: hosts and programs killed or stopped from outside, and a supervisor without descriptors.
//!
//! After each, no verdict is wrong, the next program is unharmed, and nobody is left behind. Alone in its binary: tests of one
//! process share their children, so they also take turns.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use codeward_sandbox::{End, Language, Limits, Outcome, Program, Sandbox, SandboxError};
use rustix::process::{Pid, Signal, kill_process};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn take_turn() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn program(source: &str) -> Program {
    Program { source: source.as_bytes().to_vec(), ..Program::default() }
}

/// Sleeps, so that there is time to interfere, and then answers.
fn slow(millis: u64, answer: &str) -> Program {
    program(&format!("import time\ntime.sleep({millis} / 1000)\nprint({answer:?})"))
}

/// Number, parent and state of every process.
fn processes() -> Vec<(i32, i32, char)> {
    let numbers = std::fs::read_dir("/proc").expect("proc is mounted").flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_string_lossy().parse::<i32>().ok());
    let read = |pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        Some((pid, fields.next()?.parse().ok()?, state))
    };
    numbers.filter_map(read).collect()
}

fn children_of(parent: i32) -> Vec<i32> {
    processes().into_iter().filter(|(_, above, _)| *above == parent).map(|(pid, ..)| pid).collect()
}

fn own() -> i32 {
    std::process::id() as i32
}

fn send(pid: i32, signal: Signal) {
    // Whoever is gone already needs no signal.
    let _ = kill_process(Pid::from_raw(pid).expect("not zero"), signal);
}

/// The one child of a process, once it has one.
fn child_of(parent: i32) -> i32 {
    wait_for(|| children_of(parent).first().copied())
}

fn wait_for<T>(find: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(Instant::now() < deadline, "still waiting after 20 seconds");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The program's own first process: the child of the one host, once it is past its set-up.
fn program_of(host: i32) -> i32 {
    let pid = child_of(host);
    std::thread::sleep(Duration::from_millis(60));
    pid
}

fn host_of(sandbox: &Sandbox) -> i32 {
    let hosts = sandbox.host_processes();
    assert_eq!(hosts.len(), 1);
    hosts[0]
}

/// Runs a program while something else is done to its host.
fn run_while(sandbox: &Sandbox, program: &Program, interfere: impl FnOnce()) -> Result<Outcome, SandboxError> {
    std::thread::scope(|scope| {
        let running = scope.spawn(|| sandbox.run(program));
        interfere();
        running.join().expect("nobody panics here")
    })
}

fn assert_answer(result: &Result<Outcome, SandboxError>, answer: &str) {
    let outcome = result.as_ref().expect("it has a verdict");
    assert_eq!(
        (&outcome.end, String::from_utf8_lossy(&outcome.stdout).as_ref()),
        (&End::Exited { code: 0 }, format!("{answer}\n").as_str())
    );
}

/// The next program is unharmed, and only hosts are left, none of them dead and unburied.
fn assert_unharmed(sandbox: &Sandbox) {
    // As many at a time as there are workers: a host killed while it is idle is not missed before it is used.
    let next = program("import os, time\nprint(os.listdir('/tmp'), 6 * 7)\ntime.sleep(0.05)");
    for result in sandbox.run_batch(&vec![next; sandbox.workers()]) {
        assert_answer(&result, "[] 42");
    }
    let hosts: BTreeSet<i32> = sandbox.host_processes().into_iter().collect();
    let below: Vec<_> = processes().into_iter().filter(|(_, parent, _)| *parent == own()).collect();
    assert_eq!(below.iter().map(|(pid, ..)| *pid).collect::<BTreeSet<_>>(), hosts);
    assert!(below.iter().all(|(_, _, state)| *state != 'Z'), "{below:?}");
    for host in hosts {
        assert_eq!(children_of(host), Vec::<i32>::new());
    }
}

#[test]
fn a_host_killed_between_programs_is_replaced() {
    let _turn = take_turn();
    let sandbox = Sandbox::start(1).unwrap();
    let before = sandbox.num_hosts_started();
    for round in 0..5 {
        send(host_of(&sandbox), Signal::KILL);
        assert_answer(&sandbox.run(&program(&format!("print({round})"))), &round.to_string());
    }
    assert_eq!(sandbox.num_hosts_started() - before, 5);
    assert_unharmed(&sandbox);
}

#[test]
fn a_host_killed_again_and_again_leaves_the_program_unscored() {
    let _turn = take_turn();
    let sandbox = Sandbox::start(1).unwrap();
    let before = sandbox.num_hosts_started();
    let first = host_of(&sandbox);
    let result = run_while(&sandbox, &slow(3000, "late"), || {
        program_of(first);
        send(first, Signal::KILL);
        let second = wait_for(|| children_of(own()).into_iter().find(|pid| *pid != first));
        // A fresh host first runs a program with a known answer; it is the other one that takes long.
        let long_lived = wait_for(|| {
            let child = children_of(second).first().copied()?;
            std::thread::sleep(Duration::from_millis(300));
            children_of(second).contains(&child).then_some(child)
        });
        assert!(long_lived > 0);
        send(second, Signal::KILL);
    });
    let error = result.unwrap_err();
    assert!(matches!(&error, SandboxError::Engine { reason } if reason.contains("ended while a program was running")));
    assert!(error.retryable());
    // One retry and no more.
    assert_eq!(sandbox.num_hosts_started() - before, 1);
    assert_unharmed(&sandbox);
}

#[test]
fn a_host_stopped_between_programs_is_noticed_within_seconds() {
    let _turn = take_turn();
    let sandbox = Sandbox::start(1).unwrap();
    send(host_of(&sandbox), Signal::STOP);
    let started = Instant::now();
    assert_answer(&sandbox.run(&program("print(1)")), "1");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    assert_unharmed(&sandbox);
}

#[test]
fn a_host_stopped_during_a_program_is_noticed_within_seconds() {
    let _turn = take_turn();
    let sandbox = Sandbox::start(1).unwrap();
    let host = host_of(&sandbox);
    let started = Instant::now();
    // The wall limit is ten seconds: the end of the program is seen without its host.
    let result = run_while(&sandbox, &slow(400, "right"), || {
        program_of(host);
        send(host, Signal::STOP);
    });
    assert_answer(&result, "right");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    assert_unharmed(&sandbox);
}

#[test]
fn a_host_stopped_for_a_moment_does_not_make_a_program_too_slow() {
    let _turn = take_turn();
    let sandbox = Sandbox::start(1).unwrap();
    let host = host_of(&sandbox);
    let before = sandbox.num_hosts_started();
    let limits = Limits { wall: Duration::from_millis(500), ..Limits::default() };
    // It ends in time; its host says so only after the time is over.
    let result = run_while(&sandbox, &Program { limits, ..slow(200, "in time") }, || {
        program_of(host);
        send(host, Signal::STOP);
        std::thread::sleep(Duration::from_millis(600));
        send(host, Signal::CONT);
    });
    assert_answer(&result, "in time");
    assert_eq!(sandbox.num_hosts_started(), before);
    assert_unharmed(&sandbox);
}

#[test]
fn a_stopped_host_does_not_keep_a_program_beyond_its_time() {
    let _turn = take_turn();
    let sandbox = Sandbox::start(1).unwrap();
    let host = host_of(&sandbox);
    let limits = Limits { wall: Duration::from_millis(400), ..Limits::default() };
    let started = Instant::now();
    let result = run_while(&sandbox, &Program { limits, ..slow(60_000, "never") }, || {
        program_of(host);
        send(host, Signal::STOP);
    });
    assert_eq!(result.unwrap().end, End::WallLimit);
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    assert_unharmed(&sandbox);
}

#[test]
fn a_program_killed_from_outside_is_run_again() {
    let _turn = take_turn();
    let sandbox = Sandbox::start(1).unwrap();
    let host = host_of(&sandbox);
    let result = run_while(&sandbox, &slow(400, "again"), || send(program_of(host), Signal::KILL));
    assert_answer(&result, "again");
    assert_unharmed(&sandbox);
}

#[test]
fn a_program_stopped_from_outside_meets_its_wall_limit() {
    let _turn = take_turn();
    let sandbox = Sandbox::start(1).unwrap();
    let host = host_of(&sandbox);
    let limits = Limits { wall: Duration::from_millis(600), ..Limits::default() };
    let result = run_while(&sandbox, &Program { limits, ..slow(300, "late") }, || send(program_of(host), Signal::STOP));
    assert_eq!(result.unwrap().end, End::WallLimit);
    assert_unharmed(&sandbox);
}

#[test]
fn a_host_lost_while_compiling_costs_one_retry() {
    let _turn = take_turn();
    let sandbox = Sandbox::start(1).unwrap();
    if sandbox.can_run(Language::C).is_err() {
        return;
    }
    let before = sandbox.num_hosts_started();
    let host = host_of(&sandbox);
    // Takes the compiler a while, and is right once it is compiled.
    let lines =
        (0..300).fold(String::new(), |text, n| text + &format!("int f{n}(int a) {{ return a * {n} + a % 7; }}\n"));
    let source = format!("#include <stdio.h>\n{lines}int main(void) {{ printf(\"%d\\n\", f299(2)); return 0; }}");
    let program = Program { language: Language::C, ..program(&source) };
    let result = run_while(&sandbox, &program, || {
        let compiler = child_of(host);
        // Process 1 starts the compiler, which starts more.
        child_of(compiler);
        send(host, Signal::KILL);
    });
    assert_answer(&result, "600");
    assert_eq!(sandbox.num_hosts_started() - before, 1);
    assert_unharmed(&sandbox);
}

#[test]
fn a_batch_survives_hosts_killed_at_random() {
    let _turn = take_turn();
    let sandbox = Sandbox::start(2).unwrap();
    let before = sandbox.num_hosts_started();
    let programs: Vec<_> = (0..50).map(|number| slow(20, &format!("answer {number}"))).collect();
    let (is_over, num_killed) = (AtomicBool::new(false), AtomicUsize::new(0));
    let results = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut draw = 12345_u64;
            while !is_over.load(Ordering::Relaxed) {
                draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                std::thread::sleep(Duration::from_millis(100 + (draw >> 40) % 300));
                let hosts = children_of(own());
                if let Some(host) = hosts.get((draw >> 33) as usize % hosts.len().max(1)) {
                    send(*host, Signal::KILL);
                    num_killed.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let results = sandbox.run_batch(&programs);
        is_over.store(true, Ordering::Relaxed);
        results
    });
    assert_eq!(results.len(), 50);
    let mut num_unscored = 0;
    for (number, result) in results.iter().enumerate() {
        match result {
            Err(SandboxError::Engine { .. }) => num_unscored += 1,
            other => assert_answer(other, &format!("answer {number}")),
        }
    }
    let num_killed = num_killed.load(Ordering::Relaxed);
    assert!(num_killed > 0 && num_unscored <= num_killed, "{num_unscored} unscored of {num_killed} killed");
    // The second worker's first host, and at most one for each that was taken away.
    let num_started = sandbox.num_hosts_started() - before;
    assert!(num_started <= 1 + num_killed, "{num_started} started, {num_killed} killed");
    assert_unharmed(&sandbox);
}

/// Set in the process that has few descriptors.
const SHORT: &str = "CODEWARD_TEST_SHORT";

#[test]
fn a_supervisor_without_descriptors_scores_nothing_wrongly() {
    if std::env::var_os(SHORT).is_some() {
        run_short_of_descriptors();
        return;
    }
    let _turn = take_turn();
    let mut child = second_self("a_supervisor_without_descriptors_scores_nothing_wrongly");
    let deadline = Instant::now() + Duration::from_mins(2);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it hangs");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success());
}

#[expect(clippy::disallowed_methods, reason = "a second copy of this test, with limits of its own")]
fn second_self(test: &str) -> std::process::Child {
    std::process::Command::new(std::env::current_exe().expect("a test has a path"))
        .args(["--exact", test, "--nocapture"])
        .env(SHORT, "1")
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("a test can be started again")
}

/// Holds back all descriptors but a few, for every number of these, and runs a program that uses all kinds of them.
fn run_short_of_descriptors() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let sandbox = Sandbox::start(1).expect("this host can isolate");
    let limit = 64;
    setrlimit(Resource::Nofile, Rlimit { current: Some(limit), maximum: Some(limit) }).expect("a limit may be lowered");
    let source = "import os, sys\nos.mkdir('a')\nopen('a/b', 'w').write('content')\nopen('c', 'w').write('more')\n\
                  print(len(open(os.__file__).read()) > 0, sys.stdin.read())";
    let program = Program { stdin: b"input".to_vec(), ..program(source) };
    let (mut num_right, mut num_refused) = (0, 0);
    for num_free in 0..40 {
        let mut held = Vec::new();
        while let Ok(one) = rustix::io::dup(std::io::stderr()) {
            held.push(one);
        }
        held.truncate(held.len().saturating_sub(num_free));
        match sandbox.run(&program) {
            Ok(outcome) => {
                assert_eq!((&outcome.end, outcome.stdout.as_slice()), (&End::Exited { code: 0 }, &b"True input\n"[..]));
                let files: Vec<_> =
                    outcome.files.iter().map(|(path, file)| (path.as_str(), file.content.as_slice())).collect();
                assert_eq!(files, [("a", &b""[..]), ("a/b", b"content"), ("c", b"more")], "{num_free} free");
                num_right += 1;
            }
            Err(error) => {
                assert!(matches!(error, SandboxError::Engine { .. } | SandboxError::CouldNotStart { .. }), "{error}");
                num_refused += 1;
            }
        }
        drop(held);
        assert_unharmed(&sandbox);
    }
    assert!(num_right > 5 && num_refused > 5, "{num_right} right, {num_refused} refused");
}
