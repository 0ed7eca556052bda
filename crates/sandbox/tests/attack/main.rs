//! What hostile programs try, one attack per test, and that the sandbox is as good as new after each.
//!
//! The tests hold for root and for an ordinary user alike. As another user, without a build of one's own:
//! `setpriv --reuid 12345 --regid 12345 --clear-groups <the test binary>`.

mod bombs;
mod channels;
#[path = "../common/mod.rs"]
mod common;
mod compilers;
mod descriptors;
mod files;
mod hardened;
mod kernel;
mod limits;
mod neighbours;
mod observer;
mod processes;
mod reuse;
mod runtimes;
mod time;
mod tools;

use std::sync::OnceLock;

use codeward_sandbox::{End, Language, Outcome, Program, Sandbox, SandboxError, TamperKind};

/// One sandbox for all tests of this process, so that each attack has every other one as its neighbour.
pub(crate) fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| Sandbox::start(2).unwrap_or_else(|error| panic!("{error} (hint: {:?})", error.hint())))
}

pub(crate) fn program(source: &str) -> Program {
    Program { source: source.as_bytes().to_vec(), ..Program::default() }
}

/// A program in another language.
pub(crate) fn program_in(language: Language, source: &str) -> Program {
    Program { language, ..program(source) }
}

/// Runs an attack, then a harmless program on every worker: whatever the attack did, the engine must be unharmed.
pub(crate) fn attack(program: &Program) -> Outcome {
    attack_on(sandbox(), program)
}

/// The same on another sandbox than the one that all tests share.
pub(crate) fn attack_on(sandbox: &Sandbox, program: &Program) -> Outcome {
    let outcome = sandbox.run(program).expect("the sandbox works");
    assert!(
        common::is_in_time(outcome.wall, program.limits.wall),
        "{:?} {:?} after a limit of {:?}",
        outcome.end,
        outcome.wall,
        program.limits.wall
    );
    let harmless = vec![crate::program("print(6 * 7)"); sandbox.workers()];
    for result in sandbox.run_batch(&harmless) {
        let after = result.expect("the sandbox works");
        assert_eq!((after.end, after.stdout.as_slice()), (End::Exited { code: 0 }, &b"42\n"[..]));
        assert_eq!((after.files.len(), after.tamper.as_slice()), (0, &[][..]));
    }
    outcome
}

/// Runs an attack in another language; nothing where its toolchain is absent.
pub(crate) fn attack_in(program: &Program) -> Option<Outcome> {
    match sandbox().can_run(program.language) {
        Ok(()) => Some(attack(program)),
        Err(SandboxError::NoToolchain { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

/// What the compiler said to a source that it must not accept; nothing where there is no compiler.
pub(crate) fn rejection(language: Language, source: &str) -> Option<String> {
    match attack_in(&program_in(language, source))?.end {
        End::CompilerRejected { message } => Some(message),
        end => panic!("{language} accepted it: {end:?}"),
    }
}

/// Standard output of an attack that must end by itself, without the space around it.
pub(crate) fn text(outcome: &Outcome) -> String {
    assert_eq!(outcome.end, End::Exited { code: 0 }, "{}", String::from_utf8_lossy(&outcome.stderr));
    String::from_utf8_lossy(&outcome.stdout).trim().to_owned()
}

/// The signs of meddling, in order.
pub(crate) fn signs(outcome: &Outcome) -> Vec<(TamperKind, &str)> {
    outcome.tamper.iter().map(|one| (one.kind, one.detail.as_str())).collect()
}

/// Runs an attack that reports on standard output and must end by itself.
pub(crate) fn attack_report(source: &str) -> String {
    text(&attack(&program(source)))
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
