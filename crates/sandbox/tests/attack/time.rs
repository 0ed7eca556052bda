//! Clocks, timers, and ways to outstay one's time.

use std::time::Duration;

use codeward_sandbox::{End, Limits, Program};

use crate::{attack, attack_report, program, signs};

fn limited(source: &str, wall_ms: u64, cpu_ms: u64) -> Program {
    let (wall, cpu) = (Duration::from_millis(wall_ms), Duration::from_millis(cpu_ms));
    Program { limits: Limits { wall, cpu, ..Limits::default() }, ..program(source) }
}

#[test]
fn no_clock_can_be_set() {
    let source = format!(
        "
import ctypes, struct, time
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
before = time.time()
now = struct.pack('qq', 1000, 0)
for number, arguments in (
    ({}, (now, None)), ({}, (0, now)), ({}, (ctypes.create_string_buffer(256),)), ({}, (0, ctypes.create_string_buffer(256))),
):
    print(libc.syscall(ctypes.c_long(number), *arguments), ctypes.get_errno())
try:
    time.clock_settime(time.CLOCK_REALTIME, 1000)
except OSError as error:
    print(error.errno)
print(0 <= time.time() - before < 100)
",
        libc::SYS_settimeofday,
        libc::SYS_clock_settime,
        libc::SYS_adjtimex,
        libc::SYS_clock_adjtime
    );
    assert_eq!(attack_report(&source), "-1 1\n-1 1\n-1 1\n-1 1\n1\nTrue");
}

#[test]
fn timers_of_every_kind_work_and_end_with_the_program() {
    let source = "
import ctypes, os, select, signal, struct, time
seen = []
for number in (signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF):
    signal.signal(number, lambda number, frame: seen.append(number))
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
signal.setitimer(signal.ITIMER_VIRTUAL, 0.001, 0.001)
signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
end = time.monotonic() + 5
while len(set(seen)) < 3 and time.monotonic() < end:
    sum(range(1000))
print(sorted(int(number) for number in set(seen)))
libc = ctypes.CDLL(None, use_errno=True)
timers = 0
while libc.timer_create(1, None, ctypes.byref(ctypes.c_void_p())) == 0 and timers < 10000:
    timers += 1
print(0 < timers < 300)
";
    for _ in 0..3 {
        // A second program has as many timers as the first: none was left.
        assert_eq!(attack_report(source), "[14, 26, 27]\nTrue");
    }
}

#[test]
fn handling_the_signal_for_used_up_time_does_not_buy_any() {
    for handler in ["signal.SIG_IGN", "lambda number, frame: None"] {
        let source = format!("import signal\nsignal.signal(signal.SIGXCPU, {handler})\nwhile True:\n    pass");
        let outcome = attack(&limited(&source, 5000, 300));
        assert_eq!(outcome.end, End::CpuLimit);
        assert!(outcome.cpu < Duration::from_secs(2), "{:?}", outcome.cpu);
    }
}

#[test]
fn lowering_its_own_limit_for_processor_time_ends_it_early() {
    let source = "
import resource
resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
while True:
    pass
";
    // By the kernel, which does not say why it kills.
    let end = attack(&limited(source, 10_000, 20_000)).end;
    assert!(matches!(end, End::CpuLimit | End::MemoryLimit), "{end:?}");
}

#[test]
fn a_storm_of_signals_does_not_stop_the_clock() {
    let source = "
import os, signal, threading
signal.signal(signal.SIGUSR1, lambda number, frame: None)
signal.signal(signal.SIGALRM, lambda number, frame: None)
signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
def storm():
    while True:
        os.kill(1, signal.SIGUSR1)
for _ in range(4):
    threading.Thread(target=storm, daemon=True).start()
storm()
";
    assert_eq!(attack(&limited(source, 600, 30_000)).end, End::WallLimit);
}

#[test]
fn sleeping_in_every_way_ends_with_the_clock() {
    for sleep in [
        "time.sleep(1e6)",
        "select.select([], [], [])",
        "signal.pause()",
        "signal.sigwait([signal.SIGUSR1])",
        "threading.Event().wait()",
        "os.read(os.pipe()[0], 1)",
        "open('pipe')",
        "(fcntl.flock(open('.lock', 'w'), 2), time.sleep(1e6))",
        "asyncio.run(asyncio.sleep(1e6))",
    ] {
        let source = format!("import asyncio, fcntl, os, select, signal, threading, time\nos.mkfifo('pipe')\n{sleep}");
        let outcome = attack(&limited(&source, 300, 2000));
        assert_eq!(outcome.end, End::WallLimit, "{sleep}");
        assert!(outcome.wall >= Duration::from_millis(300), "{sleep}");
    }
}

#[test]
fn the_end_of_the_interpreter_is_not_a_way_to_stay() {
    for (source, end) in [
        ("import atexit, time\natexit.register(time.sleep, 1e6)", End::WallLimit),
        ("import atexit\natexit.register(exec, 'while True: pass')", End::CpuLimit),
        ("import threading, time\nthreading.Thread(target=time.sleep, args=(1e6,)).start()", End::WallLimit),
        ("import threading\nthreading.Thread(target=exec, args=('while True: pass',)).start()", End::CpuLimit),
        ("import sys\nclass Slow:\n    def flush(self):\n        while True: pass\nsys.stdout = Slow()", End::CpuLimit),
    ] {
        let wall_ms = if end == End::WallLimit { 400 } else { 5000 };
        assert_eq!(attack(&limited(source, wall_ms, 300)).end, end, "{source}");
    }
}

#[test]
fn the_end_cannot_be_turned_into_another() {
    for (source, code) in [
        ("import atexit, os\natexit.register(os._exit, 7)", 7),
        ("import sys\nsys.excepthook = lambda *rest: sys.exit(9)\nraise ValueError", 9),
        ("import sys\nclass Broken:\n    def flush(self): raise OSError\nsys.stdout = Broken()", 120),
        ("import threading\nthreading._shutdown = None", 0),
        ("raise KeyboardInterrupt", 1),
        ("raise GeneratorExit", 1),
        ("import sys\nsys.exit(-1)", 255),
        ("import sys\nsys.exit(1 << 70)", 0),
        ("import sys\nsys.exit([])", 1),
    ] {
        assert_eq!(attack(&program(source)).end, End::Exited { code }, "{source}");
    }
}

#[test]
fn its_first_process_gone_means_that_all_are() {
    let source = "
import os, time
for _ in range(8):
    if os.fork() == 0:
        while True:
            open('beat', 'a').write('x')
while not os.path.exists('beat') or os.path.getsize('beat') == 0:
    time.sleep(0.001)
os._exit(3)
";
    let outcome = attack(&Program { processes: true, ..limited(source, 8000, 8000) });
    assert_eq!(outcome.end, End::Exited { code: 3 });
    assert!(outcome.files["beat"].size > 0);
}

#[test]
fn time_zones_and_locales_stay_inside() {
    let source = "
import locale, os, time
os.environ['TZ'] = '../../../../root/secret'
time.tzset()
os.environ['TZ'] = ':/root/secret'
time.tzset()
for name in ('../../../root', '/root/secret', 'C.UTF-8', 'x' * 10000):
    try:
        print(locale.setlocale(locale.LC_ALL, name))
    except locale.Error:
        print('no', name[:4])
os.environ.update(LOCPATH='/root', LANG='xx', NLSPATH='/root/%N', MALLOC_TRACE='/root/trace', LD_PRELOAD='/root/x.so')
print(time.tzname[0], time.localtime(0).tm_hour)
";
    let outcome = attack(&program(source));
    assert_eq!(
        crate::text(&outcome),
        "no ../.\nno /roo\nC.UTF-8\nno xxxx\nroot/secret 0".replace("root/secret", &tz(&outcome))
    );
}

/// The C library's name for a time zone that it cannot find is of its own making.
fn tz(outcome: &codeward_sandbox::Outcome) -> String {
    let text = String::from_utf8_lossy(&outcome.stdout).into_owned();
    text.lines().last().and_then(|line| line.strip_suffix(" 0")).expect("no zone means Greenwich's hour").to_owned()
}

#[test]
fn the_request_that_ties_lives_together_is_refused() {
    // Signals at a parent's end, dumping, tracing, memory layout, subreapers, filters, securebits, timer slack.
    let source = "
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
answers = []
for request in (1, 4, 8, 22, 28, 31, 35, 36, 38, 47, 53, 54, 0x59616d61, 59, 62, 65):
    answers.append((libc.prctl(request, 9, 0, 0, 0), ctypes.get_errno()))
print(set(answers))
";
    let outcome = attack(&program(source));
    assert_eq!(crate::text(&outcome), "{(-1, 1)}");
    // Those that the server itself needs are asked about, the rest is simply not on the list.
    let number = libc::SYS_prctl;
    let expected = format!("called system call {number}");
    assert_eq!(signs(&outcome), [(codeward_sandbox::TamperKind::ForbiddenCall, expected.as_str())]);
}
