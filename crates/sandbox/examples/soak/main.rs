//! Very many programs on one sandbox, ordinary ones and attacks, each with a known answer: none may be lost, judged wrongly or
//! left unscored, and the supervisor must be as light at the end as at the start.
//!
//! `cargo run --release -p codeward-sandbox --example soak [programs] [workers] [seed]`, and with `--only INDEX` one program of
//! that soak alone. Ends with one line of figures as JSON, and with exit status 1 when anything is not as it must be.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a report for people, on a folder of its own")]

mod attacks;
mod case;
mod ordinary;
mod state;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use codeward_sandbox::{Language, Sandbox, Settings};

use crate::case::case;
use crate::state::State;

/// The folder for temporary files of the soak's own process, so that what is left there can be told from what others leave.
const OWN_FOLDER: &str = "CODEWARD_SOAK_FOLDER";
const MAX_LISTED: usize = 20;
/// Far beyond what any program here may take, host replacements included.
const STUCK: Duration = Duration::from_mins(3);

struct Arguments {
    num_programs: usize,
    workers: usize,
    seed: u64,
    only: Option<usize>,
}

#[derive(Default)]
struct Tally {
    num_right: usize,
    num_wrong: usize,
    num_unscored: usize,
    kinds: BTreeMap<&'static str, usize>,
    listed: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = arguments();
    match std::env::var_os(OWN_FOLDER) {
        Some(folder) => soak(&arguments, Path::new(&folder)),
        None => in_own_folder(),
    }
}

fn arguments() -> Arguments {
    let mut numbers = Vec::new();
    let mut only = None;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--only" {
            only = words.next().and_then(|number| number.parse().ok());
        } else {
            numbers.push(word.parse::<u64>().expect("programs, workers and seed are numbers"));
        }
    }
    let number = |at: usize, default: u64| numbers.get(at).copied().unwrap_or(default);
    Arguments { num_programs: number(0, 200_000) as usize, workers: number(1, 2) as usize, seed: number(2, 1), only }
}

/// Runs the soak itself in a second process, which keeps its temporary files apart.
fn in_own_folder() -> ExitCode {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o755))
        .tempdir()
        .expect("there is room for temporary files");
    let status = std::process::Command::new(std::env::current_exe().expect("this program has a path"))
        .args(std::env::args_os().skip(1))
        .env("TMPDIR", folder.path())
        .env(OWN_FOLDER, folder.path())
        .status()
        .expect("this program can be started again");
    if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn soak(arguments: &Arguments, folder: &Path) -> ExitCode {
    let settings = Settings { workers: arguments.workers, ..Settings::default() };
    let programs_per_host = settings.programs_per_host as usize;
    let sandbox = Sandbox::start_with(&settings).expect("this host can isolate");
    let languages: Vec<Language> =
        [Language::C, Language::JavaScript].into_iter().filter(|language| sandbox.can_run(*language).is_ok()).collect();
    println!("{} {}, {:?}, besides Python: {languages:?}", sandbox.python().0, sandbox.python().1, sandbox.isolation());
    if let Some(index) = arguments.only {
        return only(&sandbox, arguments.seed, index, &languages);
    }
    compile_all(&sandbox, &languages);
    let num_hosts_before = sandbox.num_hosts_started();
    let started = Instant::now();
    let run = Run { sandbox: &sandbox, arguments, languages: &languages, tally: Mutex::default() };
    let chunk = (arguments.num_programs / 10).clamp(1, 10_000);
    let first_tenth = arguments.num_programs.div_ceil(10);
    let mut early = None;
    let mut done = 0;
    while done < arguments.num_programs {
        let end = (done + chunk).min(arguments.num_programs);
        run.chunk(done, end);
        done = end;
        let state = State::now();
        run.report(done, started.elapsed(), &state, folder);
        if done >= first_tenth {
            early.get_or_insert(state);
        }
    }
    let late = State::now();
    let early = early.unwrap_or_else(|| late.clone());
    let (seconds, num_hosts) = (started.elapsed().as_secs_f64(), sandbox.num_hosts_started());
    let Run { tally, .. } = run;
    drop(sandbox);
    let tally = tally.into_inner().expect("no client panicked");
    let left = state::leftovers(folder);
    let orphans = State::now().num_processes;
    // Every host serves its share, of which the programs that try a fresh one out and the builds are a few.
    let num_expected = num_hosts_before + arguments.workers - 1 + arguments.num_programs / (programs_per_host - 30);
    let num_lost = arguments.num_programs - tally.num_right - tally.num_wrong - tally.num_unscored;
    let memory = late.resident_kib as f64 / early.resident_kib as f64;
    let checks = [
        ("no verdict lost", num_lost == 0),
        ("no verdict wrong", tally.num_wrong == 0),
        ("no program unscored", tally.num_unscored == 0),
        ("memory at the end at most 1.1 times that after the first tenth", memory <= 1.1),
        ("as many descriptors as after the first tenth", late.num_descriptors == early.num_descriptors),
        ("as many processes below as workers", late.num_processes == arguments.workers),
        ("no process left after the end", orphans == 0),
        ("no temporary folder left after the end", left.is_empty()),
        ("no host replaced before its time", num_hosts <= num_expected),
    ];
    for line in &tally.listed {
        println!("{line}");
    }
    println!("kinds: {:?}", tally.kinds);
    for (claim, holds) in checks {
        println!("{} {claim}", if holds { "ok    " } else { "FAILED" });
    }
    println!(
        "{}",
        serde_json::json!({
            "area": "sandbox", "programs": arguments.num_programs, "workers": arguments.workers, "seed": arguments.seed,
            "seconds": seconds, "programs_per_second": arguments.num_programs as f64 / seconds,
            "lost": num_lost, "wrong": tally.num_wrong, "unscored": tally.num_unscored,
            "resident_kib_after_first_tenth": early.resident_kib, "resident_kib_at_end": late.resident_kib,
            "descriptors_after_first_tenth": early.num_descriptors, "descriptors_at_end": late.num_descriptors,
            "processes_at_end": late.num_processes, "processes_after_end": orphans, "folders_left": left.len(),
            "hosts_started": num_hosts, "hosts_expected_at_most": num_expected,
        })
    );
    if checks.iter().all(|(_, holds)| *holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Compiled programs are kept; after this their number does not grow.
fn compile_all(sandbox: &Sandbox, languages: &[Language]) {
    for language in languages {
        for variant in 0..ordinary::NUM_VARIANTS {
            let case = ordinary::compiled_variant(*language, variant, &mut case::Draws::of_program(variant, 0));
            let outcome = sandbox.run(&case.program).expect("the sandbox works");
            assert_eq!(case.expected.problem(&outcome), None, "{language:?} {variant}");
        }
    }
}

fn only(sandbox: &Sandbox, seed: u64, index: usize, languages: &[Language]) -> ExitCode {
    let case = case(seed, index, languages);
    println!("{index}: {}\n{}", case.kind, String::from_utf8_lossy(&case.program.source));
    match sandbox.run(&case.program) {
        Ok(outcome) => {
            println!("{outcome:#?}");
            let problem = case.expected.problem(&outcome);
            println!("{}", problem.as_deref().unwrap_or("right"));
            if problem.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            println!("unscored: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Run<'a> {
    sandbox: &'a Sandbox,
    arguments: &'a Arguments,
    languages: &'a [Language],
    tally: Mutex<Tally>,
}

impl Run<'_> {
    /// Runs the programs from one number to another, by one client more than there are workers.
    fn chunk(&self, start: usize, end: usize) {
        let next = AtomicUsize::new(start);
        let num_clients = self.arguments.workers + 1;
        let under_way: Vec<Mutex<Option<(usize, Instant)>>> = (0..num_clients).map(|_| Mutex::default()).collect();
        std::thread::scope(|scope| {
            let clients: Vec<_> = under_way
                .iter()
                .map(|slot| {
                    let next = &next;
                    scope.spawn(move || {
                        loop {
                            let index = next.fetch_add(1, Ordering::Relaxed);
                            if index >= end {
                                break;
                            }
                            *slot.lock().expect("nobody panics here") = Some((index, Instant::now()));
                            self.one(index);
                            *slot.lock().expect("nobody panics here") = None;
                        }
                    })
                })
                .collect();
            while !clients.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                std::thread::sleep(Duration::from_millis(20));
                for slot in &under_way {
                    let one = *slot.lock().expect("nobody panics here");
                    if let Some((index, since)) = one {
                        assert!(since.elapsed() < STUCK, "program {index} has no verdict after {STUCK:?}");
                    }
                }
            }
        });
    }

    fn one(&self, index: usize) {
        let case = case(self.arguments.seed, index, self.languages);
        let result = self.sandbox.run(&case.program);
        let mut tally = self.tally.lock().expect("nobody panics here");
        *tally.kinds.entry(case.kind).or_default() += 1;
        let problem = match result {
            Ok(outcome) => case.expected.problem(&outcome).map(|problem| format!("wrong: {problem}")),
            Err(error) => Some(format!("unscored: {error}")),
        };
        match &problem {
            None => tally.num_right += 1,
            Some(problem) if problem.starts_with("wrong") => tally.num_wrong += 1,
            Some(_) => tally.num_unscored += 1,
        }
        if let Some(problem) = problem.filter(|_| tally.listed.len() < MAX_LISTED) {
            let line = format!("{index} ({}) {problem}", case.kind);
            println!("{line}");
            tally.listed.push(line);
        }
    }

    fn report(&self, done: usize, elapsed: Duration, state: &State, folder: &Path) {
        let tally = self.tally.lock().expect("nobody panics here");
        let num_lost = done - tally.num_right - tally.num_wrong - tally.num_unscored;
        println!(
            "{done} programs, {:.0}/s, lost {num_lost}, wrong {}, unscored {}, {} KiB, {} descriptors, {} processes, {} folders, {} hosts",
            done as f64 / elapsed.as_secs_f64(),
            tally.num_wrong,
            tally.num_unscored,
            state.resident_kib,
            state.num_descriptors,
            state.num_processes,
            state::leftovers(folder).len(),
            self.sandbox.num_hosts_started(),
        );
    }
}
