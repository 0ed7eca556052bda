//! Attacks: each must end in one of few ways, and must not be felt by any program after it.

use codeward_sandbox::{End, FileKind, Limits, Program, TamperKind};

use crate::case::{Case, Draws, Expected, hurried, python};

type Make = fn(&mut Draws) -> Case;

pub(crate) const ATTACKS: &[Make] = &[
    fork_bomb,
    fork_without_leave,
    exponential_forks,
    short_lived_forks,
    memory_bomb,
    output_flood,
    infinite_loop,
    sleeper,
    deaf_sleeper,
    stopped_self,
    sudden_exit,
    kill_everyone,
    descriptors,
    inodes,
    file_flood,
    huge_file,
    strange_files,
    daemon,
    links,
    sockets,
    tracing,
    namespaces,
    executing,
    threads,
    rewinding,
    closing,
    recursion,
    crash,
    parser_bomb,
    poison,
];

const WELL: End = End::Exited { code: 0 };

fn attack(kind: &'static str, source: impl Into<String>, limits: Limits, expected: Expected) -> Case {
    Case { kind, program: Program { limits, ..python(source) }, expected }
}

/// The same, with leave to start processes.
fn with_processes(case: Case) -> Case {
    Case { program: Program { processes: true, ..case.program }, ..case }
}

/// Any of these ends, whatever is seen.
fn ends(ends: &[End]) -> Expected {
    Expected { ends: ends.to_vec(), ..Expected::default() }
}

fn seen(kind: TamperKind, expected: Expected) -> Expected {
    Expected { tamper: Some(vec![kind]), ..expected }
}

fn fork_bomb(draws: &mut Draws) -> Case {
    let most = 4 + draws.below(12) as u32;
    let source = "import os, time\nchildren = 0\ntry:\n    while True:\n        if os.fork() == 0:\n            time.sleep(60)\n\
                  \x20           os._exit(0)\n        children += 1\nexcept BlockingIOError:\n    print(children)";
    let limits = Limits { max_processes: most, ..Limits::default() };
    with_processes(attack("fork bomb", source, limits, Expected::printed(format!("{}\n", most - 1))))
}

fn fork_without_leave(_: &mut Draws) -> Case {
    let source = "import os\nfor _ in range(200):\n    try:\n        os.fork()\n        print('forked')\n    except PermissionError:\n        pass";
    attack("fork without leave", source, Limits::default(), seen(TamperKind::Process, Expected::printed("")))
}

fn exponential_forks(draws: &mut Draws) -> Case {
    let source = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass";
    let limits = Limits { max_processes: 8, ..hurried(80 + draws.below(80), 60_000) };
    with_processes(attack("exponential forks", source, limits, ends(&[End::WallLimit])))
}

fn short_lived_forks(draws: &mut Draws) -> Case {
    let source = "import os\nwhile True:\n    if os.fork() == 0:\n        os._exit(0)\n    os.wait()";
    let limits = hurried(10_000, 60 + draws.below(60));
    with_processes(attack("short-lived forks", source, limits, ends(&[End::CpuLimit])))
}

fn memory_bomb(draws: &mut Draws) -> Case {
    let memory_bytes = (112 + draws.below(64)) << 20;
    let source = "held = []\nwhile True:\n    held.append(bytearray(1 << 20))";
    let limits = Limits { memory_bytes, ..Limits::default() };
    attack("memory bomb", source, limits, ends(&[End::Exited { code: 1 }, End::MemoryLimit]))
}

fn output_flood(draws: &mut Draws) -> Case {
    let descriptor = 1 + draws.below(3);
    let source = format!("import os\nwhile True:\n    os.write({descriptor}, b'x' * 4096)");
    let limits = Limits { output_bytes: 1 << (12 + draws.below(6)), ..Limits::default() };
    attack("output flood", source, limits, Expected::end(End::OutputLimit))
}

fn infinite_loop(draws: &mut Draws) -> Case {
    let source = "while True:\n    pass";
    attack("infinite loop", source, hurried(10_000, 60 + draws.below(90)), Expected::end(End::CpuLimit))
}

fn sleeper(draws: &mut Draws) -> Case {
    let source = "import time\nprint('early', flush=True)\ntime.sleep(60)";
    let expected = Expected { ends: vec![End::WallLimit], ..Expected::printed("early\n") };
    attack("sleeper", source, hurried(200 + draws.below(60), 2000), expected)
}

fn deaf_sleeper(draws: &mut Draws) -> Case {
    let source = "import signal, time\nfor number in range(1, 65):\n    try:\n        signal.signal(number, signal.SIG_IGN)\n\
                  \x20   except (OSError, ValueError):\n        pass\nwhile True:\n    time.sleep(1)";
    attack("deaf sleeper", source, hurried(50 + draws.below(60), 2000), Expected::end(End::WallLimit))
}

fn stopped_self(draws: &mut Draws) -> Case {
    let source = "import os, signal, time\nos.kill(os.getpid(), signal.SIGSTOP)\ntime.sleep(60)";
    attack("stopped self", source, hurried(50 + draws.below(60), 2000), Expected::end(End::WallLimit))
}

fn sudden_exit(draws: &mut Draws) -> Case {
    let code = draws.below(256) as i32;
    let source = format!("import os\nprint('never flushed')\nos._exit({code})");
    let expected = Expected { ends: vec![End::Exited { code }], ..Expected::printed("") };
    attack("sudden exit", source, Limits::default(), expected)
}

fn kill_everyone(draws: &mut Draws) -> Case {
    let signal = draws.pick(&[9, 15, 19, 11, 1]);
    let source = format!(
        "import os\nfor target in (-1, 2, 3, os.getppid() or 4, {}):\n    try:\n        os.kill(target, {signal})\n        print('sent', target)\n\
         \x20   except ProcessLookupError:\n        pass",
        2 + draws.below(30_000)
    );
    attack("kill everyone", source, Limits::default(), Expected::printed(""))
}

fn descriptors(_: &mut Draws) -> Case {
    let source = "import os\ncount = 0\ntry:\n    while True:\n        os.dup(1)\n        count += 1\nexcept OSError:\n    print(count)";
    attack("descriptors", source, Limits::default(), Expected::printed("124\n"))
}

fn inodes(_: &mut Draws) -> Case {
    let source = "for index in range(100000):\n    open(str(index), 'w').close()";
    attack("inodes", source, Limits::default(), Expected::end(End::FileLimit))
}

fn file_flood(draws: &mut Draws) -> Case {
    let source =
        "for index in range(1000):\n    with open(f'file{index}', 'wb') as file:\n        file.write(b'x' * 60000)";
    let limits = Limits { file_bytes: (200 + draws.below(400)) << 10, output_bytes: 4096, ..Limits::default() };
    attack("file flood", source, limits, Expected::end(End::FileLimit))
}

fn huge_file(draws: &mut Draws) -> Case {
    let source = format!("with open('file', 'wb') as file:\n    file.truncate(1 << {})", 32 + draws.below(20));
    attack("huge file", source, Limits::default(), Expected::end(End::Exited { code: 1 }))
}

fn strange_files(draws: &mut Draws) -> Case {
    let depth = 5 + draws.below(30);
    let source = format!(
        "import os\nos.mkfifo('pipe')\nopen(b'\\xff\\xfe', 'w').close()\nos.mkdir('closed')\nopen('closed/in', 'w').close()\n\
         for _ in range({depth}):\n    os.mkdir('deep')\n    os.chdir('deep')\nos.chdir('/tmp')\nos.chmod('closed', 0)\nos.chmod('/tmp', 0)\nprint('done')"
    );
    attack("strange files", source, Limits::default(), Expected::printed("done\n"))
}

fn daemon(_: &mut Draws) -> Case {
    let source = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        open('alive', 'w').close()\n\
                  \x20       while True:\n            time.sleep(600)\n    os._exit(0)\nos.wait()\nwhile not os.path.exists('alive'):\n    time.sleep(0.001)";
    let files = [("alive".to_owned(), vec![])].into();
    let expected = Expected { files: Some(files), ..Expected::printed("") };
    with_processes(attack("daemon", source, Limits::default(), expected))
}

fn links(draws: &mut Draws) -> Case {
    let target = draws.pick(&["/etc/shadow", "/proc/self/environ", "/root", "/dev/mem", "../../../etc/hostname", "/"]);
    let source = format!(
        "import os\nos.symlink({target:?}, 'link')\nos.symlink('link', 'chain')\nos.symlink('loop', 'loop')\n\
         try:\n    print(len(open('/etc/shadow').read()))\nexcept OSError:\n    print('refused')"
    );
    // Links have no content, wherever they lead.
    let names = ["link", "chain", "loop"].map(|name| (name.to_owned(), vec![]));
    let expected =
        Expected { files: Some(names.into()), ..seen(TamperKind::OutsideFile, Expected::printed("refused\n")) };
    debug_assert_ne!(FileKind::Link, FileKind::File);
    attack("links", source, Limits::default(), expected)
}

fn sockets(draws: &mut Draws) -> Case {
    let port = 1 + draws.below(65_535);
    let source = format!(
        "import socket\nfor family in (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK):\n    try:\n        socket.socket(family).connect(('127.0.0.1', {port}))\n\
         \x20       print('reached')\n    except OSError as error:\n        print(error.errno)"
    );
    attack("sockets", source, Limits::default(), seen(TamperKind::Network, Expected::printed("1\n1\n1\n")))
}

fn tracing(_: &mut Draws) -> Case {
    let source = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\nlibc.ptrace.restype = ctypes.c_long\n\
                  print(libc.ptrace(16, 1, 0, 0), libc.ptrace(0, 0, 0, 0), libc.process_vm_readv(1, 0, 0, 0, 0, 0))";
    attack("tracing", source, Limits::default(), seen(TamperKind::Tracing, Expected::printed("-1 -1 -1\n")))
}

fn namespaces(_: &mut Draws) -> Case {
    let source = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n\
                  print(libc.unshare(0x10000000), libc.mount(b'x', b'/tmp', b'tmpfs', 0, None), libc.umount2(b'/tmp', 2), libc.setns(0, 0))";
    attack("namespaces", source, Limits::default(), seen(TamperKind::Escape, Expected::printed("-1 -1 -1 -1\n")))
}

fn executing(_: &mut Draws) -> Case {
    let source = "import os\nfor path in ('/bin/sh', '/usr/bin/python3', '/bin/true'):\n    try:\n        os.execv(path, [path, '-c', 'echo started'])\n\
                  \x20   except OSError as error:\n        print(error.errno)";
    attack("executing", source, Limits::default(), seen(TamperKind::Process, Expected::printed("1\n1\n1\n")))
}

fn threads(_: &mut Draws) -> Case {
    let source = "import threading, time\ntry:\n    for _ in range(5000):\n        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n\
                  except RuntimeError:\n    print('limited')";
    attack("threads", source, Limits::default(), Expected::printed("limited\n"))
}

fn rewinding(draws: &mut Draws) -> Case {
    let descriptor = draws.pick(&[1, 3]);
    let change = draws.pick(&["os.lseek(D, 0, 0)", "os.ftruncate(D, 3)"]).replace('D', &descriptor.to_string());
    let source = format!("import os\nos.write({descriptor}, b'first line')\n{change}");
    attack("rewinding", source, Limits::default(), seen(TamperKind::OutputRewritten, Expected::end(WELL)))
}

fn closing(draws: &mut Draws) -> Case {
    let source = format!("import os\nos.closerange({}, 1000)", draws.below(4));
    attack("closing", source, Limits::default(), ends(&[]))
}

fn recursion(_: &mut Draws) -> Case {
    let source = "import sys\nsys.setrecursionlimit(10 ** 9)\nclass Deep:\n    def __repr__(self):\n        return repr(self)\nrepr(Deep())";
    let expected = ends(&[End::Signalled { signal: 11 }, End::Exited { code: 1 }]);
    attack("recursion", source, Limits::default(), expected)
}

fn crash(draws: &mut Draws) -> Case {
    let address = draws.below(4096);
    let source = format!("import ctypes\nprint('before', flush=True)\nctypes.string_at({address})");
    let expected = Expected { ends: vec![End::Signalled { signal: 11 }], ..Expected::printed("before\n") };
    attack("crash", source, Limits::default(), expected)
}

fn parser_bomb(draws: &mut Draws) -> Case {
    let source = draws.pick(&["(", "[", "-", "lambda:"]).repeat(2000 + draws.below(3000) as usize);
    let expected = ends(&[End::Exited { code: 1 }, End::Signalled { signal: 11 }]);
    attack("parser bomb", source, Limits::default(), expected)
}

fn poison(_: &mut Draws) -> Case {
    let source = "import builtins, json, os, sys\nbuiltins.poison = True\nbuiltins.len = lambda thing: 13\njson.dumps = lambda thing: 'poisoned'\n\
                  sys.modules['poison'] = os\nopen('/tmp/poison', 'w').close()\nos.umask(0)\nos.environ['GIVEN'] = 'poison'\nsys.path.insert(0, '/tmp')\nprint(len([]))";
    attack("poison", source, Limits::default(), Expected::printed("13\n"))
}
