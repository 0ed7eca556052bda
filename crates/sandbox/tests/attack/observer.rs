//! What is seen from outside of each attempt, what is not held against anybody, and the observer itself under attack.

use std::time::Duration;

use codeward_sandbox::{End, Limits, Network, Observed, Program, TamperKind};

use crate::{attack, program, signs, text};

const CALL: &str = "
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(one) if isinstance(one, int) else one for one in arguments])
    return ctypes.get_errno() if result < 0 else 0
";

/// A program that makes these calls with all zeros.
fn calling(numbers: &[libc::c_long]) -> Program {
    program(&format!("{CALL}\nprint({{call(number, 0, 0, 0, 0, 0, 0) for number in {numbers:?}}})"))
}

fn name_each(kind: TamperKind, calls: &[(libc::c_long, &str)]) {
    let numbers: Vec<_> = calls.iter().map(|(number, _)| *number).collect();
    let outcome = attack(&calling(&numbers));
    assert_eq!(text(&outcome), "{1}");
    let details: Vec<_> = calls.iter().map(|(_, name)| format!("called {name}")).collect();
    let expected: Vec<_> = details.iter().map(|detail| (kind, detail.as_str())).collect();
    assert_eq!(signs(&outcome), expected);
}

#[test]
fn tracing_has_a_name() {
    name_each(
        TamperKind::Tracing,
        &[
            (libc::SYS_ptrace, "ptrace"),
            (libc::SYS_process_vm_readv, "process_vm_readv"),
            (libc::SYS_process_vm_writev, "process_vm_writev"),
            (libc::SYS_pidfd_getfd, "pidfd_getfd"),
            (libc::SYS_perf_event_open, "perf_event_open"),
        ],
    );
}

#[test]
fn escaping_has_a_name() {
    name_each(
        TamperKind::Escape,
        &[
            (libc::SYS_mount, "mount"),
            (libc::SYS_umount2, "umount"),
            (libc::SYS_unshare, "unshare"),
            (libc::SYS_setns, "setns"),
            (libc::SYS_pivot_root, "pivot_root"),
            (libc::SYS_chroot, "chroot"),
            (libc::SYS_fsopen, "fsopen"),
            (libc::SYS_move_mount, "move_mount"),
            (libc::SYS_open_tree, "open_tree"),
            (libc::SYS_mount_setattr, "mount_setattr"),
            (libc::SYS_open_by_handle_at, "open_by_handle_at"),
            (libc::SYS_capset, "capset"),
            (libc::SYS_seccomp, "seccomp"),
        ],
    );
}

#[test]
fn other_forbidden_calls_have_a_name_or_a_number() {
    let numbered = [libc::SYS_io_uring_enter, libc::SYS_io_uring_register, libc::SYS_kexec_load, libc::SYS_reboot];
    let names: Vec<_> = numbered.iter().map(|number| format!("system call {number}")).collect();
    let mut calls = vec![
        (libc::SYS_bpf, "bpf"),
        (libc::SYS_userfaultfd, "userfaultfd"),
        (libc::SYS_io_uring_setup, "io_uring_setup"),
        (libc::SYS_keyctl, "keyctl"),
        (libc::SYS_add_key, "add_key"),
        (libc::SYS_request_key, "request_key"),
        (libc::SYS_memfd_create, "memfd_create"),
    ];
    calls.extend(numbered.iter().zip(&names).map(|(number, name)| (*number, name.as_str())));
    name_each(TamperKind::ForbiddenCall, &calls);
}

#[test]
fn a_namespace_by_clone_is_an_escape_and_a_copy_is_a_process() {
    let source =
        format!("{CALL}\nprint(call({0}, 0x10000011, 0, 0, 0, 0), call({0}, 17, 0, 0, 0, 0))", libc::SYS_clone);
    let outcome = attack(&program(&source));
    assert_eq!(text(&outcome), "1 1");
    assert_eq!(
        signs(&outcome),
        [(TamperKind::Escape, "called clone for new namespaces"), (TamperKind::Process, "tried to start a process"),]
    );
    assert_eq!(outcome.observed.processes.len(), 1);
}

#[test]
fn starting_a_program_is_named_with_its_arguments() {
    let source = "
import os
for start in (lambda: os.execv('/bin/sh', ['sh', '-c', 'cat /etc/shadow']), lambda: os.execve('/bin/true', ['true'], {})):
    try:
        start()
    except OSError as error:
        print(error.errno)
";
    let outcome = attack(&program(source));
    assert_eq!(text(&outcome), "1\n1");
    assert_eq!(
        signs(&outcome),
        [(TamperKind::Process, "tried to start sh -c cat /etc/shadow"), (TamperKind::Process, "tried to start true")]
    );
    let seen: Vec<_> = outcome.observed.processes.iter().map(|one| (one.arguments.clone(), one.allowed)).collect();
    assert_eq!(seen[0], (["sh", "-c", "cat /etc/shadow"].map(str::to_owned).to_vec(), false));
}

#[test]
fn a_descriptor_cannot_be_executed_either() {
    let source = format!(
        "
{CALL}
import os
file = os.open('/bin/true', os.O_RDONLY)
arguments = (ctypes.c_char_p * 2)(b'true', None)
print(call({number}, file, b'', arguments, None, 0x1000), call({number}, 0, b'', arguments, None, 0x1000))
",
        number = libc::SYS_execveat
    );
    let stdin = std::fs::read("/bin/true").expect("every Linux has it");
    let outcome = attack(&Program { stdin, ..program(&source) });
    assert_eq!(text(&outcome), "1 1");
    assert_eq!(signs(&outcome), [(TamperKind::Process, "tried to start true")]);
}

#[test]
fn every_family_of_sockets_is_named() {
    let source = "
import socket
for family, kind in ((1, 1), (2, 1), (2, 2), (10, 1), (16, 3), (17, 3), (40, 1), (38, 5), (31, 3), (29, 3)):
    try:
        socket.socket(family, kind)
    except OSError as error:
        assert error.errno == 1
";
    let outcome = attack(&program(source));
    let details: Vec<_> =
        signs(&outcome).into_iter().map(|(kind, detail)| (kind == TamperKind::Network, detail)).collect();
    let names = ["inet", "inet6", "netlink", "packet", "vsock", "alg", "family 31", "family 29"];
    let expected: Vec<_> = names.iter().map(|name| format!("called socket for {name}")).collect();
    assert_eq!(details, expected.iter().map(|text| (true, text.as_str())).collect::<Vec<_>>());
    let families: Vec<_> = outcome.observed.sockets.iter().map(|one| one.family.as_str()).collect();
    let seen = ["unix", "inet", "inet", "inet6", "netlink", "packet", "vsock", "alg", "family 31", "family 29"];
    assert_eq!(families, seen);
    assert!(outcome.observed.sockets.iter().all(|one| one.call == "socket" && !one.allowed && one.address.is_none()));
}

#[test]
fn files_outside_are_named_however_they_are_reached() {
    let source = "
import os
os.mkdir('inner')
inner = os.open('inner', os.O_RDONLY)
root = os.open('/', os.O_RDONLY)
def tried(*arguments, **named):
    try:
        os.open(*arguments, os.O_RDONLY, **named)
        print('opened', arguments)
    except OSError:
        pass
tried('/root/absolute')
tried('../root/relative')
tried('/tmp/inner/../../root/dotted')
tried('../../root/below', dir_fd=inner)
tried('root/from-the-top', dir_fd=root)
os.chdir('inner')
tried('../../root/moved')
tried('/etc/shadow')
tried('/proc/1/environ')
tried('/proc/self/mem')
tried('/home/someone/.ssh/id_rsa')
tried('//root//./slashes')
";
    let outcome = attack(&program(source));
    assert_eq!(text(&outcome), "");
    let expected = [
        "/root/absolute",
        "/root/relative",
        "/root/dotted",
        "/root/below",
        "/root/from-the-top",
        "/root/moved",
        "/etc/shadow",
        "/proc/1/environ",
        "/proc/self/mem",
        "/home/someone/.ssh/id_rsa",
        "/root/slashes",
    ];
    assert_eq!(outcome.observed.outside_files, expected);
    let details: Vec<_> = expected.iter().map(|path| format!("tried to open {path}")).collect();
    let expected: Vec<_> = details.iter().map(|detail| (TamperKind::OutsideFile, detail.as_str())).collect();
    assert_eq!(signs(&outcome), expected);
}

#[test]
fn a_link_is_where_it_is_and_not_where_it_leads() {
    let source = "
import os
os.symlink('/root/secret', 'link')
os.symlink('/', 'top')
for path in ('link', 'top/root/secret'):
    try:
        open(path)
    except OSError as error:
        print(error.errno)
";
    let outcome = attack(&program(source));
    assert_eq!(text(&outcome), "2\n2");
    assert_eq!((outcome.observed.outside_files.len(), outcome.tamper.len()), (0, 0));
}

#[test]
fn names_at_the_edge_of_memory_are_read_or_refused_by_the_kernel() {
    let source = format!(
        "
{CALL}
import mmap
page = mmap.mmap(-1, 8192)
start = ctypes.addressof(ctypes.c_char.from_buffer(page))
libc.mprotect(ctypes.c_void_p(start + 4096), 4096, 0)
page[4096 - 12 : 4096] = b'/root/edge\\0\\0'
print(call({openat}, -100, start + 4096 - 12, 0, 0))
page[4096 - 12 : 4096] = b'/root/no-end'
for address in (start + 4096 - 12, start + 4096, 0, 1, -1, 1 << 47):
    print(call({openat}, -100, address, 0, 0))
print(call({openat}, -100, b'/root/' + b'x' * 10000, 0, 0), call({openat}, -100, b'', 0, 0), call({openat}, 77, b'relative', 0, 0))
",
        openat = libc::SYS_openat
    );
    let outcome = attack(&program(&source));
    assert_eq!(text(&outcome), "2\n14\n14\n14\n14\n14\n14\n36 2 9");
    // What may not be read by the program, the observer reads all the same.
    assert_eq!(outcome.observed.outside_files, ["/root/edge", "/root/no-end"]);
}

#[test]
fn a_name_that_changes_while_it_is_read_gets_nobody_anywhere() {
    let source = format!(
        "
{CALL}
import os, threading, time
name = ctypes.create_string_buffer(b'/tmp/innocent', 32)
end = time.monotonic() + 0.5
open('/tmp/innocent', 'w').write('innocent')
def change():
    while time.monotonic() < end:
        name.value = b'/etc/shadow'
        name.value = b'/proc/1/mem'
        name.value = b'/tmp/innocent'
threading.Thread(target=change).start()
seen = set()
while time.monotonic() < end:
    file = libc.open(name, 0)
    if file >= 0:
        seen.add(os.read(file, 100))
        os.close(file)
print(seen)
"
    );
    let outcome = attack(&program(&source));
    assert_eq!(text(&outcome), "{b'innocent'}");
    let allowed = ["/etc/shadow", "/proc/1/mem"];
    assert!(outcome.observed.outside_files.iter().all(|path| allowed.contains(&path.as_str())
        || path.starts_with("/etc")
        || path.starts_with("/tmp")
        || path.starts_with("/proc")));
}

#[test]
fn started_programs_are_seen_with_their_arguments() {
    let source = "
import os, subprocess
subprocess.run(['true', 'one', 'two words'], check=True)
subprocess.run('uname -s; sh -c \"uname -m; uname -n\"', shell=True, check=True)
os.system('uname -r; uname -v')
os.spawnv(os.P_WAIT, '/bin/true', ['called-otherwise', 'six'])
if os.fork() == 0:
    os.execv('/bin/true', ['true', 'seven'])
os.wait()
";
    let outcome = attack(&Program { processes: true, ..program(source) });
    assert_eq!(outcome.end, End::Exited { code: 0 });
    let seen: Vec<_> = outcome.observed.processes.iter().map(|one| one.arguments.join("|")).collect();
    // The library looks along the path for the first; only what is there is started.
    let found: Vec<_> = seen.iter().map(String::as_str).filter(|one| !one.starts_with("true|one")).collect();
    assert!(seen[0] == "true|one|two words");
    let expected = [
        "/bin/sh|-c|uname -s; sh -c \"uname -m; uname -n\"",
        "uname|-s",
        "sh|-c|uname -m; uname -n",
        "uname|-m",
        "uname|-n",
        "sh|-c|uname -r; uname -v",
        "uname|-r",
        "uname|-v",
        "called-otherwise|six",
        "true|seven",
    ];
    assert_eq!(found, expected);
    assert!(outcome.observed.processes.iter().all(|one| one.allowed));
    assert_eq!(outcome.tamper, []);
}

#[test]
fn very_many_or_long_arguments_are_cut_and_not_lost() {
    let source = "import subprocess\nsubprocess.run(['true'] + ['x' * 5000] * 2 + ['y'] * 500)";
    let outcome = attack(&Program { processes: true, ..program(source) });
    assert_eq!(outcome.end, End::Exited { code: 0 });
    let arguments = &outcome.observed.processes[0].arguments;
    assert_eq!((arguments.len(), arguments[1].len(), arguments[31].as_str()), (32, 512, "y"));
}

#[test]
fn nothing_is_seen_of_the_innocent() {
    let sources = [
        "print(sum(range(10)))",
        "import logging\nlogging.basicConfig(filename='log')\nlogging.getLogger('a').warning('x')",
        "import collections\nprint(collections.namedtuple('A', 'b c')(1, 2))",
        "import tempfile\nwith tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile() as file, \
         tempfile.SpooledTemporaryFile() as other:\n    print(folder, file.name)",
        "import json, pathlib\npathlib.Path('x.json').write_text(json.dumps([1]))\nprint(json.loads(open('x.json').read()))",
        "import threading\nthreads = [threading.Thread(target=print, args=(n,)) for n in range(20)]\n\
         [one.start() for one in threads]\n[one.join() for one in threads]",
        "import concurrent.futures\nwith concurrent.futures.ThreadPoolExecutor() as pool:\n    print(list(pool.map(abs, [-1])))",
        "import asyncio\nasync def main():\n    return await asyncio.to_thread(abs, -1)\nprint(asyncio.run(main()))",
        "import dataclasses, datetime, decimal, fractions, random, statistics, uuid\nprint(uuid.uuid4(), datetime.datetime.now())",
        "import unittest\nunittest.main(argv=['x'], exit=False)",
        "import pdb, cProfile, timeit, tracemalloc\ntracemalloc.start()\ncProfile.run('1')\nprint(timeit.timeit('1', number=10))",
        "import platform, locale, os\nprint(platform.machine(), platform.python_version(), os.path.expanduser('~'), os.cpu_count())",
        "import ssl, hashlib, secrets, hmac\nssl.create_default_context()\nprint(secrets.token_hex())",
        "import zoneinfo, gettext, mimetypes, webbrowser, ctypes.util\nmimetypes.init()\nctypes.util.find_library\nprint(1)",
        "import sqlite3\nsqlite3.connect('x').execute('create table a (b)')\nsqlite3.connect(':memory:').execute('select 1')",
        "import shelve\nshelve.open('x')['a'] = 1",
        "import csv, gzip, zipfile, tarfile, configparser, shutil\nshutil.make_archive('a', 'zip', '.')",
        "import re, ast, inspect, dis, linecache, traceback, warnings\nwarnings.warn('x')\nprint(inspect.getsource(re)[:5])",
        "import nonexistent_module",
        "import subprocess, multiprocessing, socket, select, selectors, queue, signal, socketserver, http.server",
        "import doctest, importlib.metadata, pkgutil, runpy, site, sysconfig\nlist(importlib.metadata.distributions())\n\
         list(pkgutil.iter_modules())",
        "1 / 0",
    ];
    for source in sources {
        let outcome = attack(&program(source));
        let expected = Observed { is_complete: true, ..Observed::default() };
        assert_eq!((&outcome.observed, signs(&outcome)), (&expected, vec![]), "{source}\n{}", err(&outcome));
        assert!(matches!(outcome.end, End::Exited { code: 0 | 1 }), "{source}");
    }
}

fn err(outcome: &codeward_sandbox::Outcome) -> String {
    String::from_utf8_lossy(&outcome.stderr).into_owned()
}

#[test]
fn libraries_that_ask_around_are_seen_and_barely_suspected() {
    // Account names are asked for at a local service, which is no network to speak of.
    let outcome = attack(&program(
        "import pwd, grp, getpass\nprint(pwd.getpwuid(1000).pw_name, len(grp.getgrall()), getpass.getuser())",
    ));
    assert_eq!((text(&outcome).as_str(), signs(&outcome)), ("sandbox 2 sandbox", vec![]));
    assert!(outcome.observed.sockets.iter().all(|one| one.family == "unix" && !one.allowed));
    // This one starts `uname`, and goes without.
    let outcome = attack(&program("import platform\nprint(platform.platform()[:5])"));
    assert_eq!(text(&outcome), "Linux");
    assert!(
        signs(&outcome)
            .iter()
            .all(|(kind, detail)| (*kind, *detail) == (TamperKind::Process, "tried to start a process"))
    );
}

#[test]
fn starting_processes_with_leave_is_no_sign_of_anything() {
    let sources = [
        "import subprocess\nprint(subprocess.run(['echo', 'x'], capture_output=True).stdout)",
        "import subprocess\nprint(subprocess.check_output('ls | sort > out; cat out', shell=True))",
        "import os\nprint(os.popen('date').read())",
        "import asyncio\nasync def main():\n    one = await asyncio.create_subprocess_exec('true')\n    await one.wait()\nasyncio.run(main())",
        "import os\nif os.fork() == 0:\n    os._exit(0)\nos.wait()",
    ];
    for source in sources {
        let outcome = attack(&Program { processes: true, ..program(source) });
        assert_eq!((text(&outcome).len() < 200, signs(&outcome)), (true, vec![]), "{source}");
        assert_eq!((outcome.observed.outside_files.len(), outcome.observed.sockets.len()), (0, 0), "{source}");
    }
}

#[test]
fn a_pool_of_processes_is_an_attempt_and_nothing_worse() {
    for source in [
        "import multiprocessing\nmultiprocessing.get_context('fork').Process(target=print).start()",
        "import concurrent.futures\nconcurrent.futures.ProcessPoolExecutor(2).submit(abs, -1).result()",
    ] {
        let mut program = program(source);
        program.limits.wall = Duration::from_secs(3);
        let outcome = attack(&program);
        assert!(signs(&outcome).iter().all(|(kind, _)| *kind == TamperKind::Process), "{:?}", signs(&outcome));
        assert_ne!(outcome.end, End::Exited { code: 0 }, "{source}");
    }
}

const CONNECT: &str = "
import socket
def send(*parts, answer=True, port=8080):
    with socket.create_connection(('127.0.0.1', port)) as connection:
        for part in parts:
            connection.sendall(part)
        return connection.recv(1000) if answer else b''
";

fn on_loopback(source: &str) -> Program {
    Program { network: Network::Loopback, ..program(&format!("{CONNECT}{source}")) }
}

#[test]
fn what_is_sent_to_the_listener_arrives_by_connection() {
    let source = "
print(send(b'first'))
send(b'', b'second ', b'half', answer=False)
socket.create_connection(('127.0.0.1', 8080)).close()
held = socket.create_connection(('localhost', 8080))
held.sendall(bytes(range(256)))
";
    let outcome = attack(&on_loopback(source));
    assert_eq!(text(&outcome), r"b'HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'");
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(outcome.observed.received, [b"first".to_vec(), b"second half".to_vec(), vec![], bytes]);
    let seen: Vec<_> = outcome
        .observed
        .sockets
        .iter()
        .filter(|one| one.family == "inet")
        .filter_map(|one| one.address.as_deref())
        .collect();
    assert_eq!(seen, ["127.0.0.1:8080"; 4]);
    assert!(outcome.observed.sockets.iter().all(|one| one.allowed));
    assert_eq!(outcome.tamper, []);
}

#[test]
fn a_request_for_anything_by_name_goes_to_the_listener_or_nowhere() {
    let source = "
import urllib.request
print(urllib.request.urlopen('http://localhost:8080/leak?key=secret', timeout=5).status)
for url in ('http://example.com/', 'http://169.254.169.254/latest/meta-data/', 'http://10.0.0.1/', 'http://[::1]:8080/', 'http://0.0.0.0:9/'):
    try:
        urllib.request.urlopen(url, timeout=1)
        print('reached', url)
    except OSError:
        pass
";
    let outcome = attack(&on_loopback(source));
    assert_eq!(text(&outcome), "200");
    assert!(outcome.observed.received[0].starts_with(b"GET /leak?key=secret HTTP/1.1\r\n"));
    assert_eq!(outcome.observed.received.len(), 1);
    let seen: Vec<_> = outcome.observed.sockets.iter().filter_map(|one| one.address.as_deref()).collect();
    for address in ["127.0.0.1:8080", "169.254.169.254:80", "10.0.0.1:80", "[::1]:8080", "0.0.0.0:9"] {
        assert!(seen.contains(&address), "{address} is not in {seen:?}");
    }
}

#[test]
fn a_server_of_its_own_is_its_own() {
    let source = "
import threading
for family, address in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1')):
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, 9000))
    listener.listen()
    def answer():
        connection, _ = listener.accept()
        connection.sendall(connection.recv(100).upper())
        connection.close()
    thread = threading.Thread(target=answer)
    thread.start()
    with socket.create_connection((address, 9000)) as connection:
        connection.sendall(b'hello')
        print(connection.recv(100))
    thread.join()
    listener.close()
";
    // At each worker again: a port of an earlier program is free for whoever does as servers do.
    for _ in 0..4 {
        let outcome = attack(&on_loopback(source));
        assert_eq!(text(&outcome), "b'HELLO'\nb'HELLO'");
        assert_eq!(outcome.observed.received.len(), 0);
        let bound: Vec<_> = outcome.observed.sockets.iter().filter(|one| one.call == "bind").collect();
        assert_eq!(
            bound.iter().filter_map(|one| one.address.as_deref()).collect::<Vec<_>>(),
            ["127.0.0.1:9000", "[::1]:9000"]
        );
    }
}

#[test]
fn the_listeners_port_cannot_be_taken() {
    let source = "
one = socket.socket()
one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
for address in ('127.0.0.1', '0.0.0.0'):
    try:
        one.bind((address, 8080))
        one.listen()
        print('taken')
    except OSError as error:
        print(error.errno)
";
    let outcome = attack(&on_loopback(source));
    assert_eq!(text(&outcome), "98\n98");
}

#[test]
fn connections_of_one_program_do_not_reach_the_record_of_the_next() {
    let flood = on_loopback(
        "
held = []
try:
    for number in range(120):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(('127.0.0.1', 8080))
        held.append(connection)
except OSError:
    pass
for connection in held:
    try:
        connection.send(b'left over')
    except OSError:
        pass
import os
os._exit(0)
",
    );
    for _ in 0..3 {
        let outcome = attack(&flood);
        assert!((60..=64).contains(&outcome.observed.received.len()), "{}", outcome.observed.received.len());
        let outcome = attack(&on_loopback("import time\ntime.sleep(0.1)\nprint(send(b'mine')[:8])"));
        assert_eq!((text(&outcome), outcome.observed.received), ("b'HTTP/1.0'".to_owned(), vec![b"mine".to_vec()]));
    }
}

#[test]
fn a_flood_into_the_listener_is_cut() {
    let source = "
try:
    send(*[b'x' * 65536] * 100)
except OSError:
    print('cut')
";
    let outcome = attack(&on_loopback(source));
    assert_eq!(text(&outcome), "cut");
    assert_eq!(outcome.observed.received, [vec![b'x'; 64 << 10]]);
}

#[test]
fn no_other_family_comes_with_the_loopback() {
    let source = "
for family, *kind in ((16, 3), (17, 3), (40, 1), (38, 5), (31, 3), (2, 3, 1), (10, 3, 58)):
    try:
        socket.socket(family, *kind)
        print('made', family)
    except OSError as error:
        print(error.errno)
";
    let outcome = attack(&on_loopback(source));
    // The last two are raw sockets of a family that is allowed: the kernel wants a capability for them.
    assert_eq!(text(&outcome), "1\n1\n1\n1\n1\n1\n1");
    let names = ["netlink", "packet", "vsock", "alg", "family 31"].map(|name| format!("called socket for {name}"));
    let details: Vec<_> = signs(&outcome).into_iter().map(|(_, detail)| detail).collect();
    assert_eq!(details, names.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn statements_are_seen_as_the_database_runs_them() {
    let source = "
import sqlite3
database = sqlite3.connect(':memory:')
database.execute('create table users (name text, secret text)')
database.execute('insert into users values (?, ?)', ('anna', 'x'))
name = \"nobody' or '1'='1\"
print(database.execute(f\"select secret from users where name = '{name}'\").fetchall())
print(database.execute('select secret from users where name = ?', (name,)).fetchall())
database.executescript('drop table users; select 1')
";
    let outcome = attack(&Program { queries: true, ..program(source) });
    assert_eq!(text(&outcome), "[('x',)]\n[]");
    let seen: Vec<_> = outcome.observed.queries.iter().map(|one| one.to_lowercase().trim().to_owned()).collect();
    let about: Vec<_> =
        seen.iter().map(String::as_str).filter(|one| !one.starts_with("begin") && !one.starts_with("commit")).collect();
    assert_eq!(
        about,
        [
            "create table users (name text, secret text)",
            "insert into users values ('anna', 'x')",
            "select secret from users where name = 'nobody' or '1'='1'",
            "select secret from users where name = 'nobody'' or ''1''=''1'",
            "drop table users;",
            "select 1",
        ]
    );
    assert_eq!(outcome.tamper, []);
    let silent = attack(&program(source));
    assert_eq!(silent.observed.queries, Vec::<String>::new());
}

#[test]
fn telling_the_observer_something_adds_a_statement_and_nothing_else() {
    let source = format!(
        "
{CALL}
TELL = 0x43570001
print(call({prctl}, TELL, b'forged', 6, 0, 0), call({prctl}, TELL | 1 << 32, b'again', 5, 0, 0))
print(call({prctl}, TELL, 0, 100, 0, 0), call({prctl}, TELL, 1 << 47, 100, 0, 0), call({prctl}, TELL, b'x', 0, 0, 0))
big = ctypes.create_string_buffer(b'y' * 100000)
print(call({prctl}, TELL, big, 100000, 0, 0), call({prctl}, TELL, big, -1, 0, 0))
print(call({prctl}, TELL, b'\\xff\\0\\n', 3, 0, 0))
",
        prctl = libc::SYS_prctl
    );
    for queries in [false, true] {
        let outcome = attack(&Program { queries, ..program(&source) });
        assert_eq!(text(&outcome), "0 0\n0 0 0\n0 0\n0");
        let told: Vec<_> = outcome.observed.queries.iter().map(|one| (one.len(), one.chars().next())).collect();
        let big = (16 << 10, Some('y'));
        assert_eq!(told, [(6, Some('f')), (5, Some('a')), (0, None), big, big, (5, Some('\u{fffd}'))]);
        let rest = Observed { is_complete: true, queries: outcome.observed.queries.clone(), ..Observed::default() };
        assert_eq!((&outcome.observed, outcome.tamper.as_slice()), (&rest, &[][..]));
    }
}

#[test]
fn a_flood_of_attempts_is_counted_and_not_kept() {
    let source = format!(
        "
{CALL}
for index in range(3000):
    call({socket}, 2, 1, 0)
    call({prctl}, 0x43570001, b'told', 4, 0, 0)
    call({ptrace}, 0, 0, 0, 0)
    libc.open(b'/root/%d' % index, 0)
print('done')
",
        socket = libc::SYS_socket,
        prctl = libc::SYS_prctl,
        ptrace = libc::SYS_ptrace
    );
    let limits = Limits { cpu: Duration::from_secs(30), wall: Duration::from_secs(40), ..Limits::default() };
    let outcome = attack(&Program { limits, ..program(&source) });
    assert_eq!(text(&outcome), "done");
    let observed = &outcome.observed;
    assert_eq!((observed.sockets.len(), observed.queries.len(), observed.outside_files.len()), (64, 64, 64));
    let expected: Vec<String> = (0..64).map(|index| format!("/root/{index}")).collect();
    assert_eq!(observed.outside_files, expected);
    // Of each list what is beyond 64, and of the 66 signs two.
    assert_eq!(observed.omitted, 3 * (3000 - 64) + 2);
    assert_eq!(outcome.tamper.len(), 64);
}

#[test]
fn a_kind_of_meddling_does_not_hide_behind_many_of_another() {
    let source = format!(
        "{CALL}\nfor index in range(200):\n    libc.open(b'/root/%d' % index, 0)\nprint(call({}, 0, 0, 0, 0))",
        libc::SYS_ptrace
    );
    let outcome = attack(&program(&source));
    assert_eq!(text(&outcome), "1");
    assert_eq!(signs(&outcome).last(), Some(&(TamperKind::Tracing, "called ptrace")));
}

#[test]
fn an_endless_flood_of_attempts_ends_at_its_limits() {
    for attempt in ["call(NUMBER, 0, 0, 0, 0)", "libc.open(b'/root/x', 0)", "libc.open(b'own', 0)"] {
        let attempt = attempt.replace("NUMBER", &libc::SYS_ptrace.to_string());
        let source = format!(
            "{CALL}
import threading
def flood():
    while True:
        {attempt}
for _ in range(8):
    threading.Thread(target=flood, daemon=True).start()
flood()"
        );
        let limits = Limits { cpu: Duration::from_secs(30), wall: Duration::from_millis(800), ..Limits::default() };
        let outcome = attack(&Program { limits, ..program(&source) });
        assert_eq!(outcome.end, End::WallLimit, "{attempt}");
    }
}

#[test]
fn questions_from_many_processes_end_with_the_clock() {
    let source = "
import os
for _ in range(3):
    os.fork()
while True:
    try:
        open('/root/x')
    except OSError:
        pass
";
    let limits = Limits {
        cpu: Duration::from_secs(30),
        wall: Duration::from_millis(800),
        max_processes: 40,
        ..Limits::default()
    };
    let outcome = attack(&Program { processes: true, limits, ..program(source) });
    assert_eq!(outcome.end, End::WallLimit);
    assert_eq!(signs(&outcome), [(TamperKind::OutsideFile, "tried to open /root/x")]);
}
