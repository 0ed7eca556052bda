//! Small inputs that grow: compressed data, patterns, numbers, processes, files, and memory in odd places.

use std::time::Duration;

use codeward_sandbox::{End, FileKind, Limits, Program};

use crate::{attack, attack_report, is_anyone_called, program, text};

fn quick(source: &str) -> Program {
    let limits = Limits { wall: Duration::from_secs(5), cpu: Duration::from_millis(250), ..Limits::default() };
    Program { limits, ..program(source) }
}

fn small_memory(source: &str) -> Program {
    let limits = Limits { memory_bytes: 160 << 20, ..Limits::default() };
    Program { limits, ..program(source) }
}

#[test]
fn compressed_bombs_meet_the_memory_limit() {
    for bomb in [
        "import zlib\ndata = zlib.compress(bytes(1 << 20)) \npacker = zlib.compressobj()\npacked = b''.join(packer.compress(bytes(1 << 20)) \
         for _ in range(150)) + packer.flush()\nprint(len(packed) < 1 << 20)\nzlib.decompress(packed)",
        "import bz2\npacker = bz2.BZ2Compressor(1)\npacked = b''.join(packer.compress(bytes(1 << 20)) for _ in range(150)) + \
         packer.flush()\nprint(len(packed) < 1 << 20)\nbz2.decompress(packed)",
    ] {
        let limits = Limits { cpu: Duration::from_secs(20), wall: Duration::from_secs(30), ..small_memory("").limits };
        let outcome = attack(&Program { limits, ..program(bomb) });
        assert_eq!((outcome.end, outcome.stdout.as_slice()), (End::Exited { code: 1 }, &b"True\n"[..]));
        assert!(String::from_utf8_lossy(&outcome.stderr).contains("MemoryError"));
    }
}

#[test]
fn an_archive_bomb_fills_only_its_own_folder() {
    let source = "
import io, zipfile
file = io.BytesIO()
with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as archive:
    for index in range(20):
        archive.writestr(f'{index}', bytes(1 << 20))
    archive.writestr('../../../../root/escaped', b'x')
with zipfile.ZipFile(file) as archive:
    archive.extract('../../../../root/escaped')
    archive.extractall()
";
    let outcome = attack(&program(source));
    assert_eq!(outcome.end, End::FileLimit);
    assert!(outcome.files.values().map(|file| file.size).sum::<u64>() <= 8 << 20);
    assert_eq!(outcome.files["root/escaped"].content, b"x");
}

#[test]
fn an_archive_cannot_name_its_way_out() {
    let source = "
import io, os, tarfile, warnings
warnings.simplefilter('ignore')
for name, link in (('../../root/escaped', ''), ('/root/escaped', ''), ('link', '/etc'), ('hard', '../../etc/passwd')):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode='w') as archive:
        info = tarfile.TarInfo(name)
        if link:
            info.type, info.linkname = (tarfile.SYMTYPE if name == 'link' else tarfile.LNKTYPE), link
        archive.addfile(info)
    file.seek(0)
    try:
        tarfile.open(fileobj=file).extractall()
    except Exception as error:
        print(type(error).__name__ if not isinstance(error, OSError) else 'OSError')
    else:
        print('extracted')
try:
    open('link/written', 'w')
except OSError as error:
    print(error.errno)
print(os.path.exists('/root'))
";
    // Some versions of the library refuse links themselves; then there is no `link` either.
    let text = attack_report(source);
    assert!(text.ends_with("False"), "{text}");
    assert!(text.contains("\n13\n") || text.contains("\n2\n") || text.contains("\n30\n"), "{text}");
}

#[test]
fn a_regular_expression_that_explodes_meets_the_limit() {
    let outcome = attack(&quick("import re\nre.match('(a|aa)+$', 'a' * 5000 + 'b')"));
    assert_eq!(outcome.end, End::CpuLimit);
}

#[test]
fn huge_numbers_meet_the_limit() {
    for source in [
        "import sys\ngetattr(sys, 'set_int_max_str_digits', abs)(0)\nlen(str(7 ** 3000000))",
        "import sys\ngetattr(sys, 'set_int_max_str_digits', abs)(0)\nint('7' * 3000000)",
        "import math\nmath.factorial(10 ** 7)",
        "import decimal\ndecimal.getcontext().prec = 10 ** 7\ndecimal.Decimal(2).sqrt().ln()",
        "sum(1 for _ in iter(int, 1))",
        "hash(frozenset(range(10 ** 9)))",
        "'x' in iter(lambda: 'y', 'z')",
    ] {
        let end = attack(&quick(source)).end;
        // A number may also be too large to hold.
        assert!(matches!(end, End::CpuLimit | End::Exited { code: 1 }), "{end:?}: {source}");
    }
    assert_eq!(attack(&quick("import math\nmath.factorial(10 ** 7)")).end, End::CpuLimit);
}

#[test]
fn a_number_too_long_to_print_is_the_programs_own_failure() {
    let source = "
import sys
if not hasattr(sys, 'get_int_max_str_digits'):
    print('ValueError')
else:
    try:
        print(10 ** 5000)
    except ValueError:
        print('ValueError')
";
    assert_eq!(attack_report(source), "ValueError");
}

#[test]
fn deep_structures_end_in_the_program() {
    for source in [
        "import json\njson.loads('[' * 10 ** 6)",
        "import pickle\npickle.loads(b'(' * 10 ** 6 + b'.')",
        "import ast\nast.literal_eval('[' * 10 ** 5 + ']' * 10 ** 5)",
        "import copy\nx = []\nfor _ in range(10 ** 5):\n    x = [x]\ncopy.deepcopy(x)",
        "import xml.etree.ElementTree as tree\ntree.fromstring('<a>' * 10 ** 5)",
        "eval('+'.join(['1'] * 10 ** 6))",
        "exec('if 1:\\n' + ''.join(' ' * n + 'if 1:\\n' for n in range(1, 3000)))",
        "x = compile('a' + '.b' * 10 ** 6, 'x', 'eval')",
        "class A: pass\nx = A()\nfor _ in range(10 ** 6):\n    y = A()\n    y.x = x\n    x = y\ndel x, y",
        "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(): f()\nf()",
        "f = lambda: None\nf.__code__ = f.__code__.replace(co_code=bytes(range(256)) * 4)\nf()",
    ] {
        let end = attack(&quick(source)).end;
        let is_own =
            matches!(end, End::Exited { .. } | End::Signalled { signal: 11 | 6 } | End::CpuLimit | End::MemoryLimit);
        assert!(is_own, "{end:?}: {source}");
    }
}

#[test]
fn a_billion_laughs_end_in_the_program() {
    let source = "
import xml.etree.ElementTree as tree
names = 'abcdefghij'
lines = ''.join(f'<!ENTITY {one} \"{10 * (\"&\" + other + \";\")}\">' for one, other in zip(names[1:], names))
try:
    tree.fromstring(f'<!DOCTYPE x [<!ENTITY a \"{1000 * \"x\"}\">{lines}]><x>&j;</x>')
except (tree.ParseError, MemoryError) as error:
    print(type(error).__name__)
";
    let outcome = attack(&quick(source));
    assert!(matches!(outcome.end, End::Exited { code: 0 } | End::CpuLimit), "{:?}", outcome.end);
    let outcome = attack(&program("import xml.sax\nxml.sax.parse('/etc/shadow', xml.sax.ContentHandler())"));
    assert_eq!(outcome.end, End::Exited { code: 1 });
}

#[test]
fn memory_shared_by_processes_counts_for_all_who_touch_it() {
    let source = "
import mmap, os, time
held = mmap.mmap(-1, 128 << 20)
for _ in range(3):
    if os.fork() == 0:
        held[:] = b'x' * len(held)
        time.sleep(60)
time.sleep(60)
";
    let limits = Limits { cpu: Duration::from_secs(20), memory_bytes: 320 << 20, ..Limits::default() };
    let outcome = attack(&Program { processes: true, limits, ..program(source) });
    assert_eq!(outcome.end, End::MemoryLimit);
}

#[test]
fn memory_comes_to_an_end_however_it_is_asked_for() {
    for source in [
        "import mmap\nheld = [mmap.mmap(-1, 64 << 20) for _ in range(100)]",
        "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.malloc.restype = ctypes.c_void_p\n\
         while libc.malloc(ctypes.c_size_t(1 << 20)): pass\nraise MemoryError",
        "import threading, time\nfor _ in range(60): threading.stack_size(64 << 20); \
         threading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
        "open('file', 'wb').truncate(4 << 20)\nimport mmap\nfile = open('file', 'r+b')\n\
         held = [mmap.mmap(file.fileno(), 4 << 20) for _ in range(1000)]",
        "x = 'x' * (1 << 40)",
        "x = [None] * (1 << 30)",
        "x = bytearray()\nwhile True: x += bytes(1 << 22)",
        "import ctypes\nx = (ctypes.c_char * (1 << 31))()",
    ] {
        let outcome = attack(&small_memory(source));
        assert_eq!(outcome.end, End::Exited { code: 1 }, "{source}");
        let message = String::from_utf8_lossy(&outcome.stderr).into_owned();
        let is_memory = ["MemoryError", "Cannot allocate memory", "can't start new thread"];
        assert!(is_memory.iter().any(|word| message.contains(word)), "{source}: {message}");
    }
}

#[test]
fn memory_below_the_stack_comes_to_an_end() {
    let source = "
import resource
for kind in (resource.RLIMIT_STACK, resource.RLIMIT_DATA, resource.RLIMIT_MEMLOCK):
    soft, hard = resource.getrlimit(kind)
    try:
        resource.setrlimit(kind, (hard, hard))
    except ValueError:
        pass
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.mlockall(3), libc.mlock(ctypes.create_string_buffer(1 << 20), 1 << 20))
";
    assert_eq!(attack_report(source), "-1 -1");
}

#[test]
fn orphans_by_the_hundred_are_all_collected() {
    let source = "
import os
for _ in range(300):
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            os._exit(0)
        os._exit(0)
    os.waitpid(child, 0)
    try:
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        pass
print('all')
";
    let limits = Limits { cpu: Duration::from_secs(20), wall: Duration::from_secs(30), ..Limits::default() };
    assert_eq!(text(&attack(&Program { processes: true, limits, ..program(source) })), "all");
}

#[test]
fn children_nobody_waits_for_count_as_processes() {
    let source = "
import os
children = 0
try:
    for _ in range(1000):
        if os.fork() == 0:
            os._exit(0)
        children += 1
except BlockingIOError:
    print(children)
";
    let limits = Limits { max_processes: 8, ..Limits::default() };
    assert_eq!(text(&attack(&Program { processes: true, limits, ..program(source) })), "7");
}

#[test]
fn threads_and_processes_share_one_count() {
    let source = "
import os, threading, time
for _ in range(4):
    threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
children = 0
try:
    for _ in range(1000):
        if os.fork() == 0:
            time.sleep(5)
            os._exit(0)
        children += 1
except BlockingIOError:
    print(children)
    os._exit(0)
";
    let limits = Limits { max_processes: 10, ..Limits::default() };
    // The program itself, four threads, five children.
    let outcome = attack(&Program { processes: true, limits, ..program(source) });
    assert_eq!((outcome.end, outcome.stdout.len()), (End::Exited { code: 0 }, 0));
}

#[test]
fn a_shell_bomb_ends_with_the_clock_and_leaves_nobody() {
    let source = "import subprocess\nsubprocess.run(['sh', '-c', 'leftover_bomb() { leftover_bomb | leftover_bomb & }; \
                  leftover_bomb; sleep 60'])\nimport time\ntime.sleep(60)";
    let limits = Limits { wall: Duration::from_millis(700), cpu: Duration::from_secs(30), ..Limits::default() };
    let outcome = attack(&Program { processes: true, limits, ..program(source) });
    assert_eq!(outcome.end, End::WallLimit);
    assert!(!is_anyone_called("sleep 60"));
}

#[test]
fn names_run_out_before_the_memory_of_the_host() {
    for make in [
        "os.mkdir(str(index))",
        "os.symlink('x' * 4000, str(index))",
        "os.link('first', str(index))",
        "os.mkfifo(str(index))",
        "held.append(os.open('.', os.O_TMPFILE | os.O_RDWR)) if index < 100 else open('x' * 200 + str(index), 'w').close()",
    ] {
        let source = format!(
            "import os\nheld = []\nopen('first', 'w').close()\nfor index in range(100000):\n    try:\n        {make}\n    \
             except OSError as error:\n        print(error.errno, index < 1100)\n        break"
        );
        let outcome = attack(&program(&source));
        assert_eq!(text(&outcome), "28 True", "{make}");
        assert!(outcome.files.len() <= 256);
    }
}

#[test]
fn a_sparse_file_costs_nothing_and_hides_nothing() {
    let source = "
import os
with open('sparse', 'wb') as file:
    file.seek((8 << 20) - 4)
    file.write(b'tail')
with open('small', 'wb') as file:
    file.seek(9)
    file.write(b'x')
file = os.open('reserved', os.O_RDWR | os.O_CREAT)
for reserve in (lambda: os.posix_fallocate(file, 0, 1 << 40), lambda: os.truncate('small', 1 << 50),
                lambda: os.pwrite(file, b'x', 1 << 60)):
    try:
        reserve()
    except OSError as error:
        print(error.errno)
";
    let outcome = attack(&program(source));
    assert_eq!(text(&outcome), "27\n27\n27");
    assert_eq!((outcome.files["sparse"].size, outcome.files["sparse"].content.len()), (8 << 20, 64 << 10));
    assert_eq!(outcome.files["small"].content, b"\0\0\0\0\0\0\0\0\0x");
    assert_eq!(outcome.files["reserved"].size, 0);
}

#[test]
fn hard_links_reach_nothing_outside() {
    let source = "
import os, sys
open('own', 'w').write('text')
os.link('own', 'second')
for target in ('/etc/passwd', '/usr/bin/env', os.path.realpath(sys.executable), '/dev/null', '/tmp'):
    try:
        os.link(target, 'linked')
        print('linked', target)
    except OSError as error:
        assert error.errno in (1, 13, 18), error
print(os.stat('own').st_nlink)
";
    let outcome = attack(&program(source));
    assert_eq!(text(&outcome), "2");
    assert_eq!(outcome.files["second"].content, b"text");
}

#[test]
fn a_device_cannot_be_made() {
    let source = "
import os, stat
for kind in (stat.S_IFCHR, stat.S_IFBLK):
    try:
        os.mknod('device', 0o666 | kind, os.makedev(1, 5))
    except OSError as error:
        print(error.errno in (1, 13))
os.mknod('pipe', 0o600 | stat.S_IFIFO)
";
    let outcome = attack(&program(source));
    assert_eq!(text(&outcome), "True\nTrue");
    assert_eq!(outcome.files["pipe"].kind, FileKind::Other);
}

#[test]
fn a_crash_leaves_no_core_file() {
    let source = "
import ctypes, resource
print(resource.getrlimit(resource.RLIMIT_CORE))
try:
    resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))
except ValueError:
    print('refused', flush=True)
ctypes.string_at(0)
";
    let outcome = attack(&program(source));
    assert_eq!((outcome.end, outcome.files.len()), (End::Signalled { signal: libc::SIGSEGV }, 0));
    assert_eq!(outcome.stdout, b"(1, 1)\nrefused\n");
}
