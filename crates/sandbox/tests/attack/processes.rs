//! Reaching other processes, outliving one's own end, and starting what may not be started.

use std::time::Duration;

use codeward_sandbox::{End, Limits, Program};

use crate::{attack, attack_report, is_anyone_called, program};

#[test]
fn killing_everyone_finds_nobody() {
    let source = "
import os, signal
print(os.getpid(), os.getppid())
for target in (-1, 2, os.getppid() or 3):
    try:
        os.kill(target, signal.SIGKILL)
        print('sent', target)
    except ProcessLookupError:
        pass
";
    assert_eq!(attack_report(source), "1 0");
}

#[test]
fn a_daemon_dies_with_its_program() {
    let source = "
import ctypes, os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(15, b'leftover-daemon', 0, 0, 0)
        open('alive', 'w').close()
        time.sleep(600)
    os._exit(0)
os.wait()
while not os.path.exists('alive'):
    time.sleep(0.01)
";
    let outcome = attack(&Program { processes: true, ..program(source) });
    assert_eq!(outcome.end, End::Exited { code: 0 });
    assert!(outcome.files.contains_key("alive"), "the daemon had been started");
    assert!(!is_anyone_called("leftover-daemon"));
}

#[test]
fn a_tree_of_processes_dies_with_the_clock() {
    let source = "
import ctypes, os, time
os.fork()
os.fork()
ctypes.CDLL(None).prctl(15, b'leftover-tree', 0, 0, 0)
time.sleep(600)
";
    let limits = Limits { wall: Duration::from_millis(500), ..Limits::default() };
    let outcome = attack(&Program { processes: true, limits, ..program(source) });
    assert_eq!(outcome.end, End::WallLimit);
    assert!(!is_anyone_called("leftover-tree"));
}

#[test]
fn without_leave_no_other_program_is_started() {
    let source = "
import os, subprocess
for try_it in (lambda: subprocess.run(['true']), lambda: os.system('true') and None, lambda: os.execv('/bin/true', ['true']),
               lambda: os.posix_spawn('/bin/true', ['true'], {}), os.forkpty):
    try:
        try_it()
    except OSError as error:
        print(error.errno)
print('here')
";
    let outcome = attack(&program(source));
    assert_eq!(outcome.end, End::Exited { code: 0 });
    let lines: Vec<_> = std::str::from_utf8(&outcome.stdout).unwrap().lines().collect();
    assert_eq!(lines.last(), Some(&"here"));
    assert_eq!(lines[0], "1");
}

#[test]
fn with_leave_a_shell_works_and_leaves_its_files() {
    let source = "
import subprocess
subprocess.run('echo one two > marker; wc -w < marker > count; grep -c two marker >> count', shell=True, check=True)
print(open('count').read().split(), subprocess.run(['sh', '-c', 'exit 7']).returncode)
";
    let outcome = attack(&Program { processes: true, ..program(source) });
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "['2', '1'] 7\n");
    assert_eq!(outcome.files["marker"].content, b"one two\n");
}

#[test]
fn a_program_brought_along_cannot_be_started() {
    let source = "
import os, shutil, subprocess
shutil.copy('/bin/true', 'mine')
os.chmod('mine', 0o755)
for path in ('./mine',):
    try:
        subprocess.run([path])
        print('started')
    except PermissionError:
        print('refused')
";
    let outcome = attack(&Program { processes: true, ..program(source) });
    assert_eq!(outcome.stdout, b"refused\n");
}

#[test]
fn killing_the_first_process_from_below_does_not_work() {
    let source = "
import os, signal
child = os.fork()
if child == 0:
    os.kill(1, signal.SIGKILL)
    os._exit(3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
";
    let outcome = attack(&Program { processes: true, ..program(source) });
    assert_eq!((outcome.end, outcome.stdout.as_slice()), (End::Exited { code: 0 }, &b"3\n"[..]));
}

#[test]
fn exit_codes_are_the_programs_own() {
    for (source, code) in [
        ("pass", 0),
        ("import sys; sys.exit()", 0),
        ("import sys; sys.exit(7)", 7),
        ("import sys; sys.exit('text')", 1),
        ("import sys; sys.exit(256 + 3)", 3),
        ("import os; os._exit(9)", 9),
        ("raise SystemExit(True)", 1),
        ("raise ValueError('x')", 1),
        ("import threading, os; threading.Thread(target=os._exit, args=(5,)).start()", 5),
        ("def", 1),
    ] {
        assert_eq!(attack(&program(source)).end, End::Exited { code }, "{source}");
    }
}

#[test]
fn crashes_are_signals() {
    let outcome = attack(&program("import ctypes\nctypes.string_at(0)"));
    assert_eq!(outcome.end, End::Signalled { signal: libc::SIGSEGV });
}

#[test]
fn exit_handlers_and_late_threads_run() {
    let source = "
import atexit, threading, time
atexit.register(print, 'handler')
threading.Thread(target=lambda: (time.sleep(0.05), print('thread'))).start()
print('main')
";
    assert_eq!(attack_report(source), "main\nthread\nhandler");
}

#[test]
fn errors_name_the_program_and_not_the_machinery() {
    let outcome = attack(&program("def solve():\n    return 1 / 0\nsolve()"));
    let text = String::from_utf8(outcome.stderr).unwrap();
    let expected = "Traceback (most recent call last):\n  File \"main.py\", line 3, in <module>\n  \
                    File \"main.py\", line 2, in solve\nZeroDivisionError: division by zero\n";
    assert_eq!(text, expected);
}
