//! Tools of the host that read hostile text: what a tool that was taken over can reach, which is what a compiler can.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use codeward_sandbox::{End, Isolation, Limits, Outcome, Program, Sandbox, SandboxError, Settings, Tool};

use crate::{is_anyone_called, program, text};

/// A folder outside the system's, as a tool's own may be: a script, a file beside, and a neighbour that is not shown.
struct Installed {
    _folder: tempfile::TempDir,
    shown: PathBuf,
    neighbour: PathBuf,
}

/// Not below `/tmp`, where a sandbox has a folder of its own.
fn installed() -> &'static Installed {
    static INSTALLED: OnceLock<Installed> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let folder = tempfile::tempdir_in(base).expect("the test can lay out its folder");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))
            .expect("the test can lay out its folder");
        let (shown, neighbour) = (folder.path().join("tool"), folder.path().join("neighbour"));
        for path in [&shown, &neighbour] {
            std::fs::create_dir(path).expect("the test can lay out its folder");
            std::fs::write(path.join("data"), "beside the tool\n").expect("the test can lay out its folder");
        }
        let script = shown.join("script");
        std::fs::write(&script, "#!/bin/sh\necho \"run as $0 on $1\"\n").expect("the test can lay out its folder");
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))
            .expect("the test can lay out its folder");
        Installed { _folder: folder, shown, neighbour }
    })
}

fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| {
        let settings = Settings { shown: vec![installed().shown.clone()], ..Settings::default() };
        Sandbox::start_with(&settings).unwrap_or_else(|error| panic!("{error}"))
    })
}

fn shell(script: &str) -> Tool {
    Tool::new(["/bin/sh", "-c", script].map(str::to_owned).to_vec(), BTreeMap::new())
}

/// Runs a tool that was taken over, then a harmless program on the same worker.
fn attack(tool: &Tool) -> Outcome {
    let outcome = sandbox().run_tool(tool).expect("the sandbox works");
    let after = sandbox().run(&program("print(6 * 7)")).expect("the sandbox works");
    assert_eq!((after.stdout.as_slice(), after.files.len()), (&b"42\n"[..], 0));
    outcome
}

#[test]
fn a_tool_outside_the_system_folders_runs_where_it_is_shown() {
    let path = installed().shown.join("script").display().to_string();
    let mut tool = Tool::new(vec![path.clone(), "text".to_owned()], BTreeMap::new());
    tool.files.insert("text".to_owned(), b"hostile".to_vec());
    let outcome = attack(&tool);
    assert_eq!(text(&outcome), format!("run as {path} on text"));
    // What was laid out and is as it was is not handed back.
    assert_eq!(outcome.files.len(), 0);
}

#[test]
fn what_is_shown_can_be_read_and_not_changed() {
    let shown = installed().shown.display().to_string();
    let script = format!(
        "cat {shown}/data; cd {shown}; for verb in 'rm -f data' 'touch new' 'chmod 777 .' 'mv data other' 'ln -s / link'; do \
         $verb 2>/dev/null && echo \"did $verb\"; done; echo >> data && echo wrote; cat data"
    );
    assert_eq!(text(&attack(&shell(&script))), "beside the tool\nbeside the tool");
    assert_eq!(std::fs::read_to_string(installed().shown.join("data")).unwrap(), "beside the tool\n");
}

#[test]
fn nothing_beside_what_is_shown_is_there() {
    let (neighbour, above) = (installed().neighbour.display(), installed().shown.parent().unwrap().display());
    let script = format!(
        "for path in {neighbour}/data {neighbour} /etc/shadow /root/.bashrc /proc/1/environ /proc/self/mem /sys/kernel /home /var/log; do \
         [ -e $path ] && echo $path; done; ls {above}; ls /"
    );
    let seen = text(&attack(&shell(&script)));
    let mut lines = seen.lines();
    assert_eq!(lines.next(), Some("tool"), "{seen}");
    for name in lines {
        assert!(!["proc", "sys", "home", "var", "srv", "mnt"].contains(&name), "{seen}");
    }
}

/// Whether a file of the scratch folder, of the shown one and of a device can be run: only what is shown.
#[test]
fn what_a_tool_writes_cannot_be_run() {
    let shown = installed().shown.display();
    let script = format!(
        "cp {shown}/script own; chmod 755 own; ./own x 2>/dev/null || echo refused; cp /bin/echo e; chmod 755 e; ./e ran 2>/dev/null || echo refused; \
         {shown}/script x | cut -c1-6"
    );
    assert_eq!(text(&attack(&shell(&script))), "refused\nrefused\nrun as");
}

#[test]
fn a_tool_reaches_nobody() {
    let script = "import socket\nfor family, address in [(socket.AF_INET, ('127.0.0.1', 8080)), (socket.AF_INET6, ('::1', 80)), (socket.AF_UNIX, '/run/docker.sock')]:\n    \
                  try:\n        socket.socket(family).connect(address)\n        print('reached', address)\n    except OSError as error:\n        print(error.errno)\n";
    let python = sandbox().python().0.to_owned();
    let mut tool = Tool::new(vec![python, "-I".to_owned(), "hostile.py".to_owned()], BTreeMap::new());
    tool.files.insert("hostile.py".to_owned(), script.as_bytes().to_vec());
    let outcome = attack(&tool);
    assert_eq!(text(&outcome), "1\n1\n1");
    if outcome.observed.is_complete {
        assert_eq!(outcome.observed.sockets.len(), 3);
        assert!(outcome.observed.sockets.iter().all(|one| !one.allowed));
    }
}

#[test]
fn a_tool_sees_nobody_and_leaves_nobody() {
    // Its name is what is looked for afterwards: it is set by request 15.
    let lingering = "import ctypes, time; ctypes.CDLL(None).prctl(15, b'cwtoolleft', 0, 0, 0); time.sleep(30)";
    let python = sandbox().python().0.to_owned();
    let mut tool = shell(&format!(
        "kill -9 -1 2>/dev/null; (setsid {python} -I -c \"$TEXT\" &); {python} -I -c \"$TEXT\" & sleep 0.5; echo $$; kill -0 $! && echo alive"
    ));
    tool.env = BTreeMap::from([("TEXT".to_owned(), lingering.to_owned())]);
    tool.limits.wall = Duration::from_secs(5);
    let outcome = attack(&tool);
    assert_eq!(outcome.end, End::Exited { code: 0 });
    assert!(!is_anyone_called("cwtoolleft"));
    let seen = text(&outcome);
    let (number, state) = seen.split_once('\n').unwrap();
    assert_eq!(state, "alive");
    let number: u32 = number.parse().unwrap();
    assert!(number < 10, "it sees the process numbers of somebody else: {number}");
}

#[test]
fn a_tool_that_does_not_end_is_ended() {
    let limited = |script: &str, limits: Limits| {
        let start = Instant::now();
        let outcome = attack(&Tool { limits, ..shell(script) });
        assert!(start.elapsed() < Duration::from_secs(10));
        outcome.end
    };
    let limits = Tool::new(vec![], BTreeMap::new()).limits;
    let short = Limits { wall: Duration::from_millis(300), ..limits.clone() };
    assert_eq!(limited("sleep 60", short), End::WallLimit);
    let little = Limits { cpu: Duration::from_millis(300), ..limits.clone() };
    assert_eq!(limited("while :; do :; done", little), End::CpuLimit);
    let loud = Limits { output_bytes: 1 << 16, ..limits.clone() };
    assert_eq!(limited("yes", loud), End::OutputLimit);
    let crowded = Limits { wall: Duration::from_secs(1), max_processes: 16, ..limits.clone() };
    limited("f() { f | f & }; f; sleep 5", crowded);
    let small = Limits { file_bytes: 1 << 20, ..limits };
    assert_eq!(limited("yes > full; exit 1", small), End::FileLimit);
}

#[test]
fn memory_of_a_tool_is_limited() {
    let python = sandbox().python().0.to_owned();
    let call = ["-I", "-c", "x = bytearray(1 << 30); print(len(x))"].map(str::to_owned);
    let mut tool = Tool::new([vec![python], call.to_vec()].concat(), BTreeMap::new());
    tool.limits.memory_bytes = 256 << 20;
    let outcome = attack(&tool);
    assert_eq!(outcome.end, End::Exited { code: 1 });
    assert!(String::from_utf8_lossy(&outcome.stderr).contains("MemoryError"));
}

#[test]
fn a_tool_finds_only_the_environment_it_was_given() {
    let mut tool = shell("env | sort | cut -d= -f1 | tr '\\n' ' '");
    tool.env = BTreeMap::from([("GIVEN".to_owned(), "1".to_owned()), ("PYTHONPATH".to_owned(), "/x".to_owned())]);
    assert_eq!(text(&attack(&tool)), "GIVEN HOME LC_ALL PATH PWD TMPDIR TZ");
}

#[test]
fn a_program_of_a_model_finds_the_shown_folder_and_no_more() {
    let (shown, neighbour) = (installed().shown.display(), installed().neighbour.display());
    let source = format!(
        "import os\nprint(os.path.exists('{shown}/data'), os.path.exists('{neighbour}'), os.access('{shown}', os.W_OK))"
    );
    let outcome = sandbox().run(&Program { source: source.into_bytes(), ..Program::default() }).unwrap();
    assert_eq!(text(&outcome), "True False False");
}

#[test]
fn a_tool_is_not_run_where_its_processes_cannot_be_confined() {
    let weak = Isolation::Hardened;
    let Ok(sandbox) = Sandbox::start_with(&Settings { strongest: weak, weakest: weak, ..Settings::default() }) else {
        return;
    };
    assert!(matches!(sandbox.run_tool(&shell("true")), Err(SandboxError::Unconfinable { .. })));
}

#[test]
fn a_tool_that_is_not_there_was_not_started() {
    let tool = Tool::new(vec!["/usr/bin/no-such-tool".to_owned()], BTreeMap::new());
    assert!(matches!(sandbox().run_tool(&tool), Err(SandboxError::CouldNotStart { .. })));
    let settings = Settings { shown: vec![PathBuf::from("/root")], ..Settings::default() };
    assert!(matches!(Sandbox::start_with(&settings), Err(SandboxError::NotShowable { .. })));
}
