//! What hostile programs try, one attack per test, and that the sandbox is as good as new after each.
//!
//! The tests hold for root and for an ordinary user alike. As another user, without a build of one's own:
//! `setpriv --reuid 12345 --regid 12345 --clear-groups <the test binary>`.

mod descriptors;
mod files;
mod kernel;
mod limits;
mod neighbours;
mod processes;

use std::sync::OnceLock;

use codeward_sandbox::{End, Outcome, Program, Sandbox};

/// One sandbox for all tests of this process, so that each attack has every other one as its neighbour.
pub(crate) fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| Sandbox::start(2).unwrap_or_else(|error| panic!("{error} (hint: {:?})", error.hint())))
}

pub(crate) fn program(source: &str) -> Program {
    Program { source: source.as_bytes().to_vec(), ..Program::default() }
}

/// Runs an attack, then a harmless program on every worker: whatever the attack did, the engine must be unharmed.
pub(crate) fn attack(program: &Program) -> Outcome {
    let outcome = sandbox().run(program).expect("the sandbox works");
    let harmless = vec![crate::program("print(6 * 7)"); 2];
    for result in sandbox().run_batch(&harmless) {
        let after = result.expect("the sandbox works");
        assert_eq!((after.end, after.stdout.as_slice()), (End::Exited { code: 0 }, &b"42\n"[..]));
    }
    outcome
}

/// Runs an attack that reports on standard output and must end by itself.
pub(crate) fn attack_report(source: &str) -> String {
    let outcome = attack(&program(source));
    assert_eq!(outcome.end, End::Exited { code: 0 }, "{}", String::from_utf8_lossy(&outcome.stderr));
    String::from_utf8(outcome.stdout).expect("attacks report in plain text").trim().to_owned()
}

/// Whether any process of this machine has `mark` in its command line or its name.
pub(crate) fn is_anyone_called(mark: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("proc is mounted").flatten();
    processes.filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok()).any(|entry| {
        let read =
            |name| String::from_utf8_lossy(&std::fs::read(entry.path().join(name)).unwrap_or_default()).into_owned();
        read("comm").trim() == mark
    })
}
