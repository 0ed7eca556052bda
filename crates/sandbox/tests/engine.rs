//! The sandbox itself: starting, refusing to start, surviving the loss of a host, leaving nothing behind.

use std::path::PathBuf;

use codeward_sandbox::{
    End, Isolation, Language, Layer, Limits, Network, Program, Sandbox, SandboxError, Settings, probe, probe_with,
};

fn program(source: &str) -> Program {
    Program { source: source.as_bytes().to_vec(), ..Program::default() }
}

#[test]
fn every_layer_is_in_force_here() {
    let probe = probe();
    let isolation = probe.isolation.unwrap_or_else(|| panic!("{:?}", probe.problem));
    assert!(isolation.strength() >= Isolation::Full.strength());
    assert_eq!(probe.layers.iter().map(|seen| seen.layer).collect::<Vec<_>>(), Layer::ALL);
    for seen in &probe.layers {
        assert!(seen.in_force || !seen.layer.is_needed(isolation), "{seen:?}");
        assert!(!seen.probed.is_empty() && seen.hint.is_none() == seen.in_force, "{seen:?}");
    }
    assert!(probe.python.unwrap().version.starts_with("3."));
}

#[test]
fn a_missing_layer_means_that_nothing_runs() {
    for layer in Layer::ALL.into_iter().filter(|layer| layer.is_needed(Isolation::Full)) {
        let settings = Settings { pretend_missing: Some(layer), ..Settings::default() };
        let error = Sandbox::start_with(&settings).unwrap_err();
        assert!(matches!(error, SandboxError::Unavailable { layer: missing, .. } if missing == layer));
        assert!(error.hint().is_some_and(|hint| !hint.is_empty()) && !error.retryable());
        let probe = probe_with(&settings);
        assert_eq!(probe.isolation, None);
        let seen = probe.layers.iter().find(|seen| seen.layer == layer).unwrap();
        assert!(!seen.in_force && seen.hint.is_some());
    }
}

#[test]
fn an_interpreter_that_does_not_work_inside_is_an_error_with_a_hint() {
    for path in ["/nonexistent/python3", "/bin/true"] {
        let settings = Settings { python: Some(PathBuf::from(path)), ..Settings::default() };
        let error = Sandbox::start_with(&settings).unwrap_err();
        assert!(matches!(error, SandboxError::Unavailable { layer: Layer::Interpreter, .. }), "{path}: {error}");
        assert!(error.hint().unwrap().contains("CODEWARD_PYTHON"));
    }
}

#[test]
fn an_interpreter_asked_for_by_name_is_used() {
    let settings = Settings { python: Some(PathBuf::from("/usr/bin/python3")), ..Settings::default() };
    let sandbox = Sandbox::start_with(&settings).unwrap();
    assert!(sandbox.python().0.starts_with("/usr/bin/python3"));
}

#[test]
fn hosts_are_replaced_after_their_share_of_programs() {
    let settings = Settings { programs_per_host: 3, ..Settings::default() };
    let sandbox = Sandbox::start_with(&settings).unwrap();
    for _ in 0..10 {
        assert_eq!(sandbox.run(&program("print(1)")).unwrap().stdout, b"1\n");
    }
}

#[test]
fn results_come_in_order() {
    let sandbox = Sandbox::start(3).unwrap();
    let programs: Vec<_> = (0..30).map(|index| program(&format!("print({index})"))).collect();
    for (index, result) in sandbox.run_batch(&programs).into_iter().enumerate() {
        assert_eq!(result.unwrap().stdout, format!("{index}\n").into_bytes());
    }
    assert!(sandbox.run_batch(&[]).is_empty());
}

#[test]
fn many_callers_share_few_workers() {
    let sandbox = Sandbox::start(2).unwrap();
    std::thread::scope(|scope| {
        for index in 0..12 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                let outcome = sandbox.run(&program(&format!("print({index})"))).unwrap();
                assert_eq!(outcome.stdout, format!("{index}\n").into_bytes());
            });
        }
    });
}

#[test]
fn a_program_that_cannot_be_laid_out_is_not_an_outcome() {
    let sandbox = Sandbox::start(1).unwrap();
    let files = [("x".repeat(300), vec![])].into();
    let error = sandbox.run(&Program { files, ..program("print(1)") }).unwrap_err();
    assert!(matches!(&error, SandboxError::CouldNotStart { reason } if reason.contains("name too long")), "{error}");
    assert_eq!(sandbox.run(&program("print(1)")).unwrap().stdout, b"1\n");
}

#[test]
fn impossible_limits_are_the_callers_mistake() {
    let sandbox = Sandbox::start(1).unwrap();
    let limits = Limits { memory_bytes: 1 << 20, ..Limits::default() };
    let error = sandbox.run(&Program { limits, ..program("pass") }).unwrap_err();
    assert!(matches!(error, SandboxError::BadProgram { .. }));
}

#[test]
fn the_smallest_memory_limit_still_runs_a_program() {
    let sandbox = Sandbox::start(1).unwrap();
    let limits = Limits { memory_bytes: 96 << 20, ..Limits::default() };
    assert_eq!(sandbox.run(&Program { limits, ..program("print(1)") }).unwrap().stdout, b"1\n");
}

#[test]
fn a_weaker_level_is_taken_only_by_those_who_accept_it() {
    for (weakest, layer, taken) in [
        (Isolation::Hardened, Layer::UserNamespace, Isolation::Hardened),
        (Isolation::Unsafe, Layer::UserNamespace, Isolation::Hardened),
        (Isolation::Unsafe, Layer::Landlock, Isolation::Unsafe),
    ] {
        let settings = Settings { weakest, pretend_missing: Some(layer), ..Settings::default() };
        let sandbox = Sandbox::start_with(&settings).unwrap();
        assert_eq!(sandbox.isolation(), taken);
        let outcome = sandbox.run(&program("print(6 * 7)")).unwrap();
        assert_eq!((outcome.stdout.as_slice(), outcome.isolation), (&b"42\n"[..], taken));
        let strict = Settings { weakest: Isolation::Full, ..settings };
        assert!(
            matches!(Sandbox::start_with(&strict), Err(SandboxError::Unavailable { layer: missing, .. }) if missing == layer)
        );
    }
}

#[test]
fn what_a_weaker_level_cannot_confine_is_refused() {
    let settings = Settings { strongest: Isolation::Hardened, weakest: Isolation::Hardened, ..Settings::default() };
    let sandbox = Sandbox::start_with(&settings).unwrap();
    let refused = [
        Program { processes: true, ..program("pass") },
        Program { network: Network::Loopback, ..program("pass") },
        Program { language: Language::C, ..program("int main(void){return 0;}") },
    ];
    for program in &refused {
        let error = sandbox.run(program).unwrap_err();
        assert!(matches!(error, SandboxError::Unconfinable { isolation: Isolation::Hardened, .. }), "{error}");
    }
}

#[test]
fn statements_are_reported_however_the_connection_is_made() {
    let sandbox = Sandbox::start(1).unwrap();
    for connect in [
        "sqlite3.connect(':memory:')",
        "sqlite3.dbapi2.connect(database=':memory:', timeout=1)",
        "sqlite3.Connection(':memory:')",
        "sqlite3.connect(':memory:', 5.0, 0, None, True, Own)",
        "sqlite3.connect(':memory:', factory=Own)",
    ] {
        let source = format!(
            "import sqlite3\nclass Own(sqlite3.Connection):\n    pass\nbase = {connect}\nassert isinstance(base, sqlite3.Connection)\n\
             print(base.execute('select 40 + 2').fetchone()[0], type(base).__name__)"
        );
        let outcome = sandbox.run(&Program { queries: true, ..program(&source) }).unwrap();
        let text = String::from_utf8_lossy(&outcome.stderr);
        assert_eq!(outcome.observed.queries, ["select 40 + 2"], "{connect}: {text}");
        let name = if connect.contains("Own") { "Own" } else { "Connection" };
        assert_eq!(String::from_utf8_lossy(&outcome.stdout), format!("42 {name}\n"), "{connect}: {text}");
    }
}

#[test]
fn a_program_may_leave_as_in_a_terminal() {
    let sandbox = Sandbox::start(1).unwrap();
    let run = |source: &str| {
        let program = Program { source: source.as_bytes().to_vec(), ..Program::default() };
        let outcome = sandbox.run(&program).unwrap();
        (outcome.end, String::from_utf8(outcome.stdout).unwrap(), String::from_utf8(outcome.stderr).unwrap())
    };
    assert_eq!(run("print(1)\nexit()\nprint(2)"), (End::Exited { code: 0 }, "1\n".to_owned(), String::new()));
    assert_eq!(run("quit(3)"), (End::Exited { code: 3 }, String::new(), String::new()));
    assert_eq!(run("exit('why')"), (End::Exited { code: 1 }, String::new(), "why\n".to_owned()));
}
