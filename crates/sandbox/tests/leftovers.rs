//! After the worst of programs and the end of the sandbox nothing is left: no process, no folder, no descriptor. Alone in its
//! binary: tests of one process share all three.

mod common;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use codeward_sandbox::{Cancellation, Isolation, Language, Limits, Network, Patience, Program, Sandbox, Settings};

/// Ends in every way there is, leaving whatever can be left.
const NASTY: [&str; 12] = [
    "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
    "import os, time\nos.setsid()\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(600)\n    os._exit(0)",
    "import os\nos.makedirs('a/b')\nopen('a/b/c', 'wb').write(bytes(1 << 20))\nos.chmod('a', 0)",
    "while True:\n    print('x' * 65536)",
    "held = []\nwhile True:\n    held.append(bytearray(1 << 24))",
    "import ctypes\nctypes.string_at(0)",
    "import time\ntime.sleep(600)",
    "while True:\n    try:\n        open('/root/x')\n    except OSError:\n        pass",
    "import os, socket\none, other = socket.socketpair()\nsocket.send_fds(one, [b'x'], [one.fileno(), other.fileno()])\nos._exit(1)",
    "import os\nos.closerange(0, 1000)\nos.abort()",
    "import os, tempfile\nos.open('.', os.O_TMPFILE | os.O_RDWR)\ntempfile.mkdtemp()\nos.kill(-1, 9)",
    "import socket\nheld = []\nfor _ in range(100):\n    one = socket.socket()\n    one.connect(('127.0.0.1', 8080))\n    held.append(one)",
];

#[derive(Debug, PartialEq, Eq)]
struct Traces {
    descriptors: usize,
    children: usize,
    folders: BTreeSet<PathBuf>,
}

fn traces() -> Traces {
    let own = std::process::id();
    let parent = |pid: &str| {
        let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let names = std::fs::read_dir("/proc").expect("proc is mounted").flatten().map(|entry| entry.file_name());
    let children = names.filter(|name| parent(&name.to_string_lossy()) == Some(own)).count();
    Traces {
        descriptors: std::fs::read_dir("/proc/self/fd").expect("proc is mounted").count(),
        children,
        folders: folders(),
    }
}

fn folders() -> BTreeSet<PathBuf> {
    std::fs::read_dir(std::env::temp_dir()).expect("it is our own").flatten().map(|entry| entry.path()).collect()
}

fn run_all(settings: &Settings) {
    let Ok(sandbox) = Sandbox::start_with(settings) else {
        // Only the weaker level may be absent.
        assert_eq!(settings.strongest, Isolation::Hardened);
        return;
    };
    let is_full = sandbox.isolation().strength() >= Isolation::Full.strength();
    let limits = Limits { wall: Duration::from_millis(400), cpu: Duration::from_millis(300), ..Limits::default() };
    let network = if is_full { Network::Loopback } else { Network::None };
    let programs: Vec<_> = NASTY
        .iter()
        .map(|source| Program {
            processes: is_full,
            network,
            limits: limits.clone(),
            source: source.as_bytes().to_vec(),
            ..Program::default()
        })
        .collect();
    for result in sandbox.run_batch(&programs) {
        let outcome = result.expect("the sandbox works");
        assert!(common::is_in_time(outcome.wall, limits.wall), "{:?} {:?}", outcome.end, outcome.wall);
    }
    if is_full && sandbox.can_run(Language::C).is_ok() {
        let source =
            b"#include <unistd.h>\nint main(void){ if (fork() == 0) { setsid(); pause(); } pause(); }".to_vec();
        let program = Program { language: Language::C, source, limits: limits.clone(), ..programs[0].clone() };
        sandbox.run(&program).expect("the sandbox works");
    }
    // And one that somebody lost patience with.
    let cancellation = Cancellation::new().expect("there are descriptors");
    let long = Program { limits: Limits::default(), ..programs[6].clone() };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            cancellation.cancel();
        });
        let patience = Patience { cancellation: Some(&cancellation), ..Patience::default() };
        assert!(sandbox.run_with(&long, patience).is_err());
    });
}

/// Set in the second copy of this test, which has a folder for temporary files to itself.
const ALONE: &str = "CODEWARD_TEST_ALONE";

#[test]
fn nothing_is_left() {
    if std::env::var_os(ALONE).is_some() {
        let before = traces();
        run_all(&Settings { workers: 2, ..Settings::default() });
        assert_eq!(traces(), before);
        let hardened = Isolation::Hardened;
        run_all(&Settings { workers: 2, strongest: hardened, weakest: hardened, ..Settings::default() });
        assert_eq!(traces(), before);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Without namespaces programs of another user pass through it.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(second_copy(folder.path()).success());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[expect(clippy::disallowed_methods, reason = "a second copy of this test, with a folder of its own")]
fn second_copy(temporary: &Path) -> std::process::ExitStatus {
    std::process::Command::new(std::env::current_exe().expect("a test has a path"))
        .args(["--exact", "nothing_is_left"])
        .env(ALONE, "1")
        .env("TMPDIR", temporary)
        .stdout(std::process::Stdio::null())
        .status()
        .expect("a test can be started again")
}
