//! Using up time, memory, output, files and processes.

use std::time::Duration;

use codeward_sandbox::{End, Limits, Program};

use crate::{attack, attack_report, program};

fn limited(source: &str, limits: Limits) -> Program {
    Program { limits, ..program(source) }
}

fn short() -> Limits {
    Limits { wall: Duration::from_millis(600), ..Limits::default() }
}

#[test]
fn a_fork_bomb_is_stopped_at_the_number_of_processes() {
    let source = "
import os, time
children = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        children += 1
except BlockingIOError:
    print(children)
";
    let limits = Limits { max_processes: 12, ..Limits::default() };
    let outcome = attack(&Program { processes: true, ..limited(source, limits) });
    assert_eq!(outcome.end, End::Exited { code: 0 });
    // Twelve tasks, the program itself among them.
    assert_eq!(outcome.stdout, b"11\n");
}

#[test]
fn a_fork_bomb_without_leave_to_fork_does_not_start() {
    assert_eq!(attack_report("import os\ntry:\n    os.fork()\nexcept OSError as error:\n    print(error.errno)"), "1");
}

#[test]
fn an_exponential_fork_bomb_ends_with_the_clock() {
    let source = "
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
";
    let limits = Limits { max_processes: 16, cpu: Duration::from_mins(1), ..short() };
    let outcome = attack(&Program { processes: true, ..limited(source, limits) });
    assert_eq!(outcome.end, End::WallLimit);
}

#[test]
fn a_memory_bomb_meets_the_limit() {
    let limits = Limits { memory_bytes: 256 << 20, ..Limits::default() };
    let outcome = attack(&limited("held = []\nwhile True:\n    held.append(bytearray(1 << 20))", limits));
    assert_eq!(outcome.end, End::Exited { code: 1 });
    assert!(String::from_utf8_lossy(&outcome.stderr).contains("MemoryError"));
    assert!(outcome.max_rss_kib < 300 << 10, "{} KiB", outcome.max_rss_kib);
}

#[test]
fn many_processes_cannot_share_out_a_memory_bomb() {
    let source = "
import os, time
for _ in range(6):
    if os.fork() == 0:
        held = bytearray(b'x' * (100 << 20))
        time.sleep(60)
time.sleep(60)
";
    let limits = Limits { memory_bytes: 256 << 20, cpu: Duration::from_secs(20), ..Limits::default() };
    let outcome = attack(&Program { processes: true, ..limited(source, limits) });
    assert_eq!(outcome.end, End::MemoryLimit);
}

#[test]
fn an_output_flood_is_cut() {
    for stream in ["sys.stdout.buffer", "sys.stderr.buffer", "open(3, 'wb')"] {
        let source = format!("import sys\nout = {stream}\nwhile True:\n    out.write(b'x' * 65536)");
        let outcome = attack(&program(&source));
        assert_eq!(outcome.end, End::OutputLimit, "{stream}");
        assert!(outcome.truncated);
        let kept = outcome.stdout.len().max(outcome.stderr.len()).max(outcome.channel.len());
        assert_eq!(kept, 1 << 20);
    }
}

#[test]
fn output_that_just_fits_is_whole() {
    let outcome = attack(&program("import sys\nsys.stdout.write('x' * (1 << 20))"));
    assert_eq!((outcome.end, outcome.truncated, outcome.stdout.len()), (End::Exited { code: 0 }, false, 1 << 20));
    let outcome = attack(&program("import sys\nsys.stdout.write('x' * ((1 << 20) + 1))"));
    assert_eq!((outcome.end, outcome.truncated, outcome.stdout.len()), (End::OutputLimit, true, 1 << 20));
}

#[test]
fn a_file_flood_fills_only_its_own_folder() {
    let source = "
for index in range(100):
    with open(f'file{index}', 'wb') as file:
        file.write(b'x' * (1 << 20))
";
    let outcome = attack(&program(source));
    assert_eq!(outcome.end, End::FileLimit);
    assert!(outcome.files.values().map(|file| file.size).sum::<u64>() <= 8 << 20);
}

#[test]
fn one_huge_file_meets_the_limit() {
    let outcome = attack(&program("with open('file', 'wb') as file:\n    file.truncate(1 << 40)"));
    assert_eq!(outcome.end, End::Exited { code: 1 });
    assert_eq!(outcome.files["file"].size, 0);
}

#[test]
fn a_flood_of_empty_files_meets_the_limit() {
    let outcome = attack(&program("for index in range(100000):\n    open(str(index), 'w').close()"));
    assert_eq!(outcome.end, End::FileLimit);
    assert_eq!(outcome.files.len(), 256);
}

#[test]
fn an_infinite_loop_runs_out_of_processor_time() {
    let limits = Limits { cpu: Duration::from_millis(300), ..Limits::default() };
    let outcome = attack(&limited("while True:\n    pass", limits));
    assert_eq!(outcome.end, End::CpuLimit);
    assert!(outcome.cpu >= Duration::from_millis(280) && outcome.cpu < Duration::from_secs(2), "{:?}", outcome.cpu);
}

#[test]
fn processor_time_of_other_processes_counts() {
    let source = "import os\nif os.fork() == 0:\n    while True:\n        pass\nos.wait()";
    let limits = Limits { cpu: Duration::from_millis(300), ..Limits::default() };
    let outcome = attack(&Program { processes: true, ..limited(source, limits) });
    assert_eq!(outcome.end, End::CpuLimit);
}

#[test]
fn a_sleeper_is_ended_by_the_clock() {
    let outcome = attack(&limited("import time\nprint('early', flush=True)\ntime.sleep(60)", short()));
    assert_eq!((outcome.end, outcome.stdout.as_slice()), (End::WallLimit, &b"early\n"[..]));
    assert!(outcome.wall >= Duration::from_millis(600) && outcome.wall < Duration::from_secs(10), "{:?}", outcome.wall);
}

#[test]
fn ignoring_every_signal_does_not_help() {
    let source = "
import signal, time
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    time.sleep(1)
";
    assert_eq!(attack(&limited(source, short())).end, End::WallLimit);
}

#[test]
fn stopping_oneself_does_not_stop_the_clock() {
    let source = "import os, signal, time\nos.kill(os.getpid(), signal.SIGSTOP)\ntime.sleep(60)";
    assert_eq!(attack(&limited(source, short())).end, End::WallLimit);
}

#[test]
fn thousands_of_threads_meet_the_limit() {
    let source = "
import threading, time
started = 0
try:
    for _ in range(5000):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        started += 1
except RuntimeError:
    pass
print(started)
";
    let started: u32 = attack_report(source).parse().unwrap();
    assert!((32..64).contains(&started), "{started}");
}

#[test]
fn limits_cannot_be_raised_from_inside() {
    let source = "
import resource
for kind in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE):
    try:
        resource.setrlimit(kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print('raised', kind)
    except (ValueError, OSError):
        pass
";
    assert_eq!(attack_report(source), "");
}

#[test]
fn memory_outside_the_address_space_is_not_to_be_had() {
    let source = "
import ctypes, os
tries = {'memfd': lambda: os.memfd_create('x')}
libc = ctypes.CDLL(None, use_errno=True)
print([libc.shmget(0, 1 << 20, 0o600), libc.memfd_create(b'x', 0)])
";
    assert_eq!(attack_report(source), "[-1, -1]");
}

#[test]
fn huge_recursion_ends_the_program_and_nothing_else() {
    let source = "
import sys
sys.setrecursionlimit(10 ** 9)
class Deep:
    def __repr__(self):
        return repr(self)
repr(Deep())
";
    let outcome = attack(&program(source));
    assert!(matches!(outcome.end, End::Signalled { signal: 11 } | End::Exited { code: 1 }), "{:?}", outcome.end);
}

#[test]
fn parser_bombs_end_in_the_program() {
    for source in ["(".repeat(5000), format!("x = {}1", "-".repeat(200_000)), "x = 9 ** 9 ** 9".to_owned()] {
        let limits = Limits { cpu: Duration::from_secs(1), ..Limits::default() };
        let end = attack(&limited(&source, limits)).end;
        let is_own_end = matches!(end, End::Exited { code: 1 } | End::Signalled { signal: 11 } | End::CpuLimit);
        assert!(is_own_end, "{end:?} of {:?}", &source[..10]);
    }
}

#[test]
fn memory_that_processes_share_is_counted_once() {
    let source = "
import os, time
held = bytearray(b'x') * (120 << 20)
children = []
for _ in range(8):
    child = os.fork()
    if child == 0:
        time.sleep(0.6)
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
print(len(held) >> 20)
";
    let outcome = attack(&Program { processes: true, ..program(source) });
    assert_eq!((&outcome.end, outcome.stdout.as_slice()), (&End::Exited { code: 0 }, &b"120\n"[..]));
}
