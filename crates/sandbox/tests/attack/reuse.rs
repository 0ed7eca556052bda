//! A scratch folder that was left without a trace is used again; no trace that is left may be seen by the next program.

use std::sync::{Mutex, PoisonError};

use codeward_sandbox::{End, Program, Sandbox};

use crate::{program, sandbox, text};

/// What a program can find out about the folder it is given.
const LOOK: &str = "
import fcntl, os, stat
folder = os.stat('.')
space = os.statvfs('.')
print(os.listdir('.'), oct(folder.st_mode), folder.st_nlink, folder.st_uid, folder.st_gid, folder.st_size, folder.st_ino)
print(space.f_blocks, space.f_bfree, space.f_files, space.f_ffree, os.getcwd(), os.umask(0o22))
print(os.listxattr('.'))
here = os.open('.', os.O_RDONLY)
fcntl.flock(here, fcntl.LOCK_EX | fcntl.LOCK_NB)
file = os.open('.', os.O_TMPFILE | os.O_RDWR)
fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
print(folder.st_mtime_ns == folder.st_ctime_ns, os.path.exists('..tmp'), os.stat('/tmp').st_ino == folder.st_ino)
";

/// A sandbox with one worker, so that the next program is sure to be given what the last one left.
fn alone<T>(test: impl FnOnce(&Sandbox) -> T) -> T {
    static ALONE: Mutex<Option<Sandbox>> = Mutex::new(None);
    let mut slot = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    test(slot.get_or_insert_with(|| Sandbox::start(1).expect("the sandbox works")))
}

/// Runs something that leaves a trace, and looks twice.
fn leave(source: &str, processes: bool) {
    alone(|sandbox| {
        let look = || text(&sandbox.run(&program(LOOK)).expect("the sandbox works"));
        let before = look();
        let outcome = sandbox.run(&Program { processes, ..program(source) }).expect("the sandbox works");
        assert_eq!(outcome.end, End::Exited { code: 0 }, "{}", String::from_utf8_lossy(&outcome.stderr));
        assert_eq!((look(), look()), (before.clone(), before), "{source}");
    });
}

#[test]
fn what_a_fresh_folder_looks_like() {
    let seen = alone(|sandbox| text(&sandbox.run(&program(LOOK)).expect("the sandbox works")));
    let lines: Vec<_> = seen.lines().collect();
    assert!(lines[0].starts_with("[] 0o40700 2 1000 1000 40 "), "{seen}");
    assert_eq!(lines[1], "2048 2048 1024 1023 /tmp 18");
    assert_eq!(lines[2..], ["[]", "True False True"]);
}

#[test]
fn permissions_of_the_folder_itself() {
    for mode in ["0", "0o777", "0o1777", "0o2700", "0o4700"] {
        leave(&format!("import os\nos.chmod('.', {mode})"), false);
    }
    leave("import os\nos.chmod('.', 0o777)\nos.chmod('.', 0o700)", false);
}

#[test]
fn times_of_the_folder_itself() {
    leave("import os\nos.utime('.', (1, 1))", false);
    leave("import os\nos.utime('.', ns=(0, 0))\nos.utime('.')", false);
    leave("import os\nopen('x', 'w').close()\nos.unlink('x')\nos.utime('.', (1, 1))", false);
}

#[test]
fn things_made_and_removed() {
    leave("import os\nos.mkdir('x')\nos.rmdir('x')", false);
    leave("import os\nfor n in range(1000):\n    os.mkdir(str(n))\nfor n in range(1000):\n    os.rmdir(str(n))", false);
    leave("import os\nopen('x', 'w').close()\nos.link('x', 'y')\nos.unlink('x')\nos.unlink('y')", false);
    leave("import os\nos.symlink('/etc', 'x')\nos.rename('x', 'y')\nos.unlink('y')", false);
}

#[test]
fn things_left_lying() {
    leave("import os\nos.makedirs('a/b/c')\nos.chmod('a', 0)", false);
    leave("open('x', 'wb').write(bytes(8 << 20))", false);
    leave("import os\nos.mkfifo('.hidden')\nos.symlink('.', 'loop')", false);
    leave("import os\nfor n in range(1000):\n    open(str(n), 'w').close()", false);
}

#[test]
fn names_that_cannot_be_printed() {
    leave(
        "import os\nfor n in range(1, 256):\n    if n != 47:\n        open(bytes([n]) * 200, 'w').close() if n != 46 else None",
        false,
    );
}

#[test]
fn attributes_that_cannot_be_set() {
    let source = "
import os
for name in ('user.x', 'trusted.x', 'security.capability', 'system.posix_acl_default'):
    try:
        os.setxattr('.', name, b'x')
        print('set', name)
    except OSError:
        pass
";
    leave(source, false);
}

#[test]
fn locks_and_open_files() {
    leave("import fcntl, os\nfcntl.flock(os.open('.', 0), fcntl.LOCK_EX)", false);
    leave(
        "import fcntl, os\nfcntl.flock(os.open('.', 0), fcntl.LOCK_SH)\nos.open('.', os.O_TMPFILE | os.O_RDWR)",
        false,
    );
    leave("import fcntl, os\nfcntl.fcntl(os.open('.', 0), fcntl.F_NOTIFY, 0xffff)", false);
}

#[test]
fn files_without_a_name_kept_by_a_daemon() {
    let source = "
import fcntl, os, time
read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        file = os.open('.', os.O_TMPFILE | os.O_RDWR)
        os.write(file, bytes(4 << 20))
        fcntl.flock(os.open('.', 0), fcntl.LOCK_EX)
        os.write(write, b'x')
        time.sleep(600)
    os._exit(0)
os.wait()
os.read(read, 1)
";
    leave(source, true);
}

#[test]
fn a_folder_removed_from_under_it() {
    leave("import os, shutil\nos.mkdir('x')\nos.chdir('x')\nos.rmdir('../x')", false);
    leave(
        "import os\ntry:\n    os.rmdir('/tmp')\nexcept OSError:\n    pass\ntry:\n    os.rename('/tmp', '/tmp2')\nexcept OSError:\n    pass",
        false,
    );
}

#[test]
fn another_size_is_another_folder() {
    alone(|sandbox| {
        for size in [1 << 20, 4 << 20, 1 << 20] {
            let mut look =
                program("import os\nprint(os.statvfs('.').f_blocks * 4096, os.listdir('.'))\nopen('x', 'w').close()");
            look.limits.file_bytes = size;
            assert_eq!(text(&sandbox.run(&look).expect("the sandbox works")), format!("{size} []"));
        }
    });
}

#[test]
fn programs_that_leave_no_trace_share_a_folder() {
    alone(|sandbox| {
        let look = program("import os\nprint(os.stat('.').st_ctime_ns)");
        let run = || text(&sandbox.run(&look).expect("the sandbox works"));
        let first = run();
        assert_eq!((run(), run()), (first.clone(), first.clone()));
        let leave = program("open('trace', 'w').close()");
        sandbox.run(&leave).expect("the sandbox works");
        assert_ne!(run(), first);
    });
}

#[test]
fn neither_worker_sees_what_the_other_is_given() {
    let write = program("import time\nopen('mine', 'w').close()\ntime.sleep(0.3)");
    let look = program("import os, time\ntime.sleep(0.1)\nprint(os.listdir('.'))");
    let outcomes: Vec<_> = sandbox().run_batch(&[write, look]).into_iter().map(|one| one.expect("it works")).collect();
    assert_eq!(text(&outcomes[1]), "[]");
    assert_eq!(outcomes[0].files.len(), 1);
}
