//! The weaker level without namespaces: what still holds there.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::sync::OnceLock;
use std::time::Duration;

use codeward_sandbox::{End, Isolation, Limits, Outcome, Program, Sandbox, SandboxError, Settings, TamperKind};

use crate::{attack_on, program, signs, text};

fn settings() -> Settings {
    Settings { workers: 2, strongest: Isolation::Hardened, weakest: Isolation::Hardened, ..Settings::default() }
}

/// Nothing on a host whose kernel cannot keep signals inside: then this level does not exist there.
fn sandbox() -> Option<&'static Sandbox> {
    static SANDBOX: OnceLock<Option<Sandbox>> = OnceLock::new();
    let start = || match Sandbox::start_with(&settings()) {
        Ok(sandbox) => Some(sandbox),
        Err(SandboxError::Unavailable { .. }) => None,
        Err(error) => panic!("{error}"),
    };
    SANDBOX.get_or_init(start).as_ref()
}

fn attack(source: &str) -> Option<Outcome> {
    sandbox().map(|sandbox| attack_on(sandbox, &program(source)))
}

fn report(source: &str) -> Option<String> {
    attack(source).map(|outcome| text(&outcome))
}

/// A file that the user who runs programs may read, were it not for the sandbox.
fn open_secret() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let open = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(folder.path(), open(0o777)).expect("it is ours");
    let path = folder.path().join("secret");
    std::fs::write(&path, "secret").expect("it is ours");
    std::fs::set_permissions(path, open(0o666)).expect("it is ours");
    folder
}

#[test]
fn files_of_the_host_cannot_be_opened() {
    let folder = open_secret();
    let source = format!(
        "
import os
folder = {:?}
for path in (folder + '/secret', folder, '/etc/passwd', '/etc/hostname', '/proc/self/environ', '/proc/1/status', '/', '/root', '/home', '/tmp'):
    for how in (os.O_RDONLY, os.O_WRONLY, os.O_RDONLY | os.O_DIRECTORY):
        try:
            os.open(path, how)
            print('opened', path, how)
        except OSError:
            pass
",
        folder.path()
    );
    let Some(outcome) = attack(&source) else { return };
    assert_eq!(text(&outcome), "");
    assert!(outcome.observed.outside_files.contains(&folder.path().join("secret").display().to_string()));
}

#[test]
fn files_of_the_host_cannot_be_changed() {
    let folder = open_secret();
    let source = format!(
        "
import os
folder = {:?}
secret = folder + '/secret'
for change in (lambda: os.unlink(secret), lambda: os.rename(secret, secret + '2'), lambda: os.truncate(secret, 0),
               lambda: os.link(secret, 'stolen'), lambda: os.rename(secret, 'stolen'), lambda: os.symlink('x', folder + '/link'),
               lambda: os.mkdir(folder + '/new'), lambda: os.rmdir(folder), lambda: open(folder + '/new', 'w')):
    try:
        change()
        print('done')
    except OSError:
        pass
",
        folder.path()
    );
    let Some(text) = report(&source) else { return };
    assert_eq!(text, "");
    assert_eq!(std::fs::read(folder.path().join("secret")).unwrap(), b"secret");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn permissions_and_times_of_files_of_the_same_user_stay_as_they_are() {
    let folder = open_secret();
    let path = folder.path().join("secret");
    let source = format!(
        "
import os
for path in ({path:?}, {:?}):
    for change in (lambda: os.chmod(path, 0), lambda: os.utime(path, (1, 1)), lambda: os.chown(path, -1, os.getgid())):
        try:
            change()
            print('done', path)
        except OSError:
            pass
",
        folder.path()
    );
    let before = std::fs::metadata(&path).unwrap();
    let Some(text) = report(&source) else { return };
    let after = std::fs::metadata(&path).unwrap();
    assert_eq!(text, "");
    assert_eq!((after.mode(), after.mtime(), after.ctime()), (before.mode(), before.mtime(), before.ctime()));
}

#[test]
fn the_supervisor_and_all_others_cannot_be_signalled() {
    let own = std::process::id();
    let source = format!(
        "
import os, signal
for target in (-1, os.getppid(), {own}, -os.getpgid(os.getppid())):
    for number in (0, signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(target, number)
            # To oneself among all others is still possible.
            if target != -1:
                print('sent', target)
        except OSError:
            pass
for target in (os.getppid(), {own}):
    try:
        signal.pidfd_send_signal(os.pidfd_open(target), signal.SIGKILL)
        print('sent', target)
    except OSError:
        pass
print('alive')
"
    );
    let Some(outcome) = attack(&source) else { return };
    // Signals to everyone may reach the sender alone.
    if let End::Exited { .. } = outcome.end {
        assert_eq!(text(&outcome), "alive");
    }
    assert!(
        matches!(outcome.end, End::Exited { code: 0 } | End::Signalled { .. } | End::MemoryLimit),
        "{:?}",
        outcome.end
    );
}

#[test]
fn a_signal_does_not_ride_on_a_descriptor() {
    let own = std::process::id();
    let source = format!(
        "
import fcntl, os, signal, time
for target in ({own}, os.getppid()):
    read, write = os.pipe()
    for number, argument in ((fcntl.F_SETOWN, target), (10, signal.SIGKILL), (fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)):
        try:
            fcntl.fcntl(read, number, argument)
        except OSError:
            pass
    os.write(write, b'x')
time.sleep(0.1)
print('alive')
"
    );
    let Some(text) = report(&source) else { return };
    assert_eq!(text, "alive");
}

#[test]
fn limits_of_the_supervisor_cannot_be_set() {
    let own = std::process::id();
    let source = format!(
        "
import os, resource
for target in (os.getppid(), {own}):
    for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_CPU, resource.RLIMIT_CORE):
        try:
            now = resource.prlimit(target, kind)
            print('read', target)
            resource.prlimit(target, kind, now)
            print('set', target)
        except OSError:
            pass
print(resource.getrlimit(resource.RLIMIT_CORE), resource.prlimit(0, resource.RLIMIT_CORE))
"
    );
    let Some(text) = report(&source) else { return };
    assert_eq!(text, "(1, 1) (1, 1)");
}

#[test]
fn the_memory_of_others_cannot_be_read() {
    let own = std::process::id();
    let source = format!(
        "
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for target in (os.getppid(), {own}):
    print(libc.ptrace(16, target, None, None), ctypes.get_errno())
    for name in ('mem', 'environ', 'maps', 'fd', 'root', 'cwd'):
        try:
            os.open(f'/proc/{{target}}/{{name}}', os.O_RDONLY)
            print('opened', name)
        except OSError:
            pass
    for name in ('exe', 'cwd', 'root', 'fd/3'):
        try:
            print(os.readlink(f'/proc/{{target}}/{{name}}'))
        except OSError:
            pass
"
    );
    let Some(outcome) = attack(&source) else { return };
    assert_eq!(text(&outcome), "-1 1\n-1 1");
    assert_eq!(signs(&outcome)[0], (TamperKind::Tracing, "called ptrace"));
}

#[test]
fn no_socket_and_no_process_can_be_made() {
    let source = "
import os, socket, subprocess
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK):
    try:
        socket.socket(family, socket.SOCK_DGRAM)
        print('made')
    except OSError as error:
        print(error.errno)
for start in (os.fork, lambda: subprocess.run(['true']), lambda: os.execv('/bin/true', ['true']), lambda: os.posix_spawn('/bin/true', ['x'], {})):
    try:
        start()
        print('started')
    except OSError as error:
        print(error.errno)
";
    let Some(outcome) = attack(source) else { return };
    assert_eq!(text(&outcome), "1\n1\n1\n1\n1\n1\n1\n1");
    let kinds: Vec<_> = signs(&outcome).into_iter().map(|(kind, _)| kind).collect();
    assert!(kinds.contains(&TamperKind::Network) && kinds.contains(&TamperKind::Process));
}

#[test]
fn dangerous_calls_are_refused_here_too() {
    let numbers = [
        libc::SYS_unshare,
        libc::SYS_mount,
        libc::SYS_bpf,
        libc::SYS_io_uring_setup,
        libc::SYS_userfaultfd,
        libc::SYS_keyctl,
        libc::SYS_shmget,
        libc::SYS_msgget,
        libc::SYS_semget,
        libc::SYS_memfd_create,
        libc::SYS_setuid,
        libc::SYS_setpriority,
        libc::SYS_sched_setaffinity,
        libc::SYS_inotify_init1,
        libc::SYS_mq_open,
    ];
    let source = format!(
        "
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
print({{(libc.syscall(ctypes.c_long(number), 0, 0, 0, 0, 0, 0), ctypes.get_errno()) for number in {numbers:?}}})
"
    );
    let Some(text) = report(&source) else { return };
    assert_eq!(text, "{(-1, 1)}");
}

#[test]
fn limits_end_programs_here_too() {
    let Some(sandbox) = sandbox() else { return };
    for (source, end) in [("while True: pass", End::CpuLimit), ("import time\ntime.sleep(60)", End::WallLimit)] {
        let limits = Limits { wall: Duration::from_secs(3), cpu: Duration::from_millis(300), ..Limits::default() };
        assert_eq!(attack_on(sandbox, &Program { limits, ..program(source) }).end, end);
    }
    let outcome = attack_on(sandbox, &program("import sys\nwhile True:\n    sys.stdout.write('x' * 65536)"));
    assert_eq!((outcome.end, outcome.stdout.len()), (End::OutputLimit, 1 << 20));
}

#[test]
fn an_earlier_programs_folder_is_gone_and_so_is_its_name() {
    let Some(sandbox) = sandbox() else { return };
    let outcome =
        attack_on(sandbox, &program("import os\nopen('left', 'w').write('x')\nos.makedirs('a/b')\nprint(os.getcwd())"));
    let path = std::path::PathBuf::from(text(&outcome));
    assert_eq!(outcome.files["left"].content, b"x");
    assert!(path.is_absolute() && !path.exists(), "{}", path.display());
    let source = format!("import os\nprint(os.listdir('.'), os.path.exists({path:?}))");
    assert_eq!(text(&attack_on(sandbox, &program(&source))), "[] False");
}

#[test]
fn two_programs_at_a_time_cannot_open_each_others_files() {
    let Some(sandbox) = sandbox() else { return };
    let write = program("import time\nopen('mine', 'w').write('secret of another')\ntime.sleep(0.5)");
    let look = program(
        "
import os, time
time.sleep(0.2)
base, number = os.path.split(os.getcwd())
for other in range(int(number) - 20, int(number) + 20):
    for path in (f'{base}/{other}/mine', f'{base}/{other}', f'../{other}/mine', base):
        try:
            os.open(path, os.O_RDONLY)
            if other != int(number):
                print('opened', path)
        except OSError:
            pass
print('looked')
",
    );
    let outcomes: Vec<_> = sandbox.run_batch(&[write, look]).into_iter().map(|one| one.expect("it works")).collect();
    assert_eq!(text(&outcomes[1]), "looked");
    assert_eq!(outcomes[0].files["mine"].content, b"secret of another");
}

#[test]
fn dropping_the_sandbox_ends_everybody_and_removes_the_folders() {
    let Ok(sandbox) = Sandbox::start_with(&settings()) else { return };
    let folder = text(&sandbox.run(&program("import os\nprint(os.path.dirname(os.getcwd()))")).expect("it works"));
    let hosts = sandbox.host_processes();
    assert!(std::path::Path::new(&folder).exists() && !hosts.is_empty());
    drop(sandbox);
    assert!(!std::path::Path::new(&folder).exists());
    assert!(hosts.iter().all(|host| !std::path::Path::new(&format!("/proc/{host}")).exists()));
}
