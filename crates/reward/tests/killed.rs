//! Scoring that is killed, given up or let down by its sandbox: nothing scored is lost, nothing is doubled, and no error is kept.
//!
//! Alone in its binary: tests of one process share their children, so they also take turns.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use codeward_records::{Reward, Task, UnscoredReason};
use codeward_reward::{Asking, Engine, Equipment, RewardRecipe, Store};
use codeward_sandbox::{Cancellation, Sandbox};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn take_turn() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Functional tests of the task: so often is a program run.
const NUM_TESTS: usize = 2;

fn task() -> Task {
    let functional = |at: i64| {
        json!({
            "name": format!("sum_{at}"), "kind": "functional", "act": format!("attempt('sum', target, {at}, 1)"),
            "expect": [{ "value": "sum", "equals": at + 1 }],
        })
    };
    let mut tests: Vec<Value> = (0..NUM_TESTS as i64).map(functional).collect();
    tests.push(json!({
        "name": "runs_nothing", "kind": "security", "act": "attempt('sum', target, '1', 1)",
        "expect": [{ "file": "pwned", "exists": false }],
    }));
    serde_json::from_value(json!({
        "id": "add", "family": "add", "language": "python", "cwe": "CWE-95", "prompt": "", "adapter": "target = add",
        "tests": tests, "references": [],
    }))
    .unwrap()
}

fn recipe() -> RewardRecipe {
    RewardRecipe::parse("name = \"securecoderl\"\nmode = \"corrected\"\n[unscored]\nretries = 0\n").unwrap()
}

fn engine(store: Option<&Path>) -> Engine {
    let store = store.map(|path| Store::open(path).unwrap());
    let equipment = Equipment { store, ..Equipment::default() };
    let engine = Engine::with(Sandbox::start(2).unwrap(), recipe(), equipment).unwrap();
    assert_eq!(engine.num_tests_run(), 0);
    engine
}

fn num_kept(engine: &Engine) -> u64 {
    engine.flush().unwrap();
    engine.store().unwrap().len()
}

/// Right, wrong, vulnerable, crashing and no program at all, each with a number of its own.
fn completion(number: usize) -> String {
    match number % 5 {
        0 => format!("def add(a, b):\n    return a + b  # {number}\n"),
        1 => format!("def add(a, b):\n    return {number} if a else a + b\n"),
        2 => format!("def add(a, b):\n    return eval(f\"{{a}} + {{b}} + {number} - {number}\")\n"),
        3 => format!("raise ValueError({number})\n"),
        _ => format!("I would rather not, {number} times.\n"),
    }
}

/// Takes so long that nobody waits for it.
fn slow(number: usize) -> String {
    format!("import time\ndef add(a, b):\n    time.sleep(2.5)\n    return a + b + {number} - {number}\n")
}

// ---- Killed in the middle -------------------------------------------------------------------------------------------

const NUM_ITEMS: usize = 600;
const BATCH: usize = 9;
const NUM_KILLS: usize = 10;
/// Set in the process that scores, to the folder that it works in.
const FOLDER: &str = "CODEWARD_TEST_SCORING_IN";

fn rows_file(folder: &Path) -> PathBuf {
    folder.join("rows.jsonl")
}

/// The lines that were written to their end.
fn whole_lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n').map(str::to_owned)).collect()
}

fn numbers(rows: &[String]) -> Vec<usize> {
    rows.iter().map(|row| serde_json::from_str::<Value>(row).unwrap()["number"].as_u64().unwrap() as usize).collect()
}

/// Takes away what was being written when the process ended.
fn drop_unfinished_line(path: &Path) {
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let end = text.rfind('\n').map_or(0, |at| at + 1);
    OpenOptions::new().write(true).open(path).unwrap().set_len(end as u64).unwrap();
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.sync_data().unwrap();
}

/// Scores what has no row yet, batch after batch; a row is written once its results are kept.
fn score_the_rest(folder: &Path) {
    let rows = rows_file(folder);
    drop_unfinished_line(&rows);
    let done = numbers(&whole_lines(&rows));
    let engine = engine(Some(&folder.join("results.redb")));
    let known = engine.store().unwrap().len();
    append(&folder.join("starts"), &format!("{known} {}\n", done.len()));
    let task = task();
    let left: Vec<(usize, String)> =
        (0..NUM_ITEMS).filter(|number| !done.contains(number)).map(|number| (number, completion(number))).collect();
    for batch in left.chunks(BATCH) {
        let items: Vec<(&Task, &str)> = batch.iter().map(|(_, completion)| (&task, completion.as_str())).collect();
        let rewards = engine.score(&items);
        engine.flush().unwrap();
        let line = |((number, _), reward): (&(usize, String), &Reward)| {
            format!("{}\n", json!({"number": number, "reward": reward}))
        };
        append(&rows, &batch.iter().zip(&rewards).map(line).collect::<String>());
    }
    append(&folder.join("ends"), &format!("{}\n", engine.num_tests_run()));
}

#[expect(clippy::disallowed_methods, reason = "a second copy of this test, to be killed")]
fn second_self(test: &str, folder: &Path) -> Child {
    std::process::Command::new(std::env::current_exe().expect("a test has a path"))
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, folder)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("a test can be started again")
}

fn draw(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

/// When a scoring process is killed.
enum Moment {
    /// So long after its start: at the opening of the store, at the start of the sandbox, in the first batch.
    Early(Duration),
    /// After so many more batches, and a share of the time that they took.
    Between(usize, f64),
}

/// Kills a scoring process. False when it had ended by itself.
fn kill_at(moment: &Moment, child: &mut Child, folder: &Path) -> bool {
    match moment {
        Moment::Early(later) => std::thread::sleep(*later),
        Moment::Between(num_batches, share) => {
            let begun = whole_lines(&rows_file(folder)).len();
            let limit = Instant::now() + Duration::from_mins(2);
            let mut first_seen = None;
            loop {
                let num_new = whole_lines(&rows_file(folder)).len() - begun;
                if num_new >= BATCH {
                    first_seen.get_or_insert_with(Instant::now);
                }
                if num_new >= (1 + num_batches) * BATCH {
                    break;
                }
                if child.try_wait().unwrap().is_some() {
                    return false;
                }
                assert!(Instant::now() < limit, "it hangs");
                std::thread::sleep(Duration::from_millis(1));
            }
            let for_one = first_seen.map(|seen| seen.elapsed()).unwrap_or_default() / *num_batches as u32;
            std::thread::sleep(for_one.mul_f64(*share));
        }
    }
    if child.try_wait().unwrap().is_some() {
        return false;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

#[test]
fn scoring_that_is_killed_again_and_again_loses_nothing_and_doubles_nothing() {
    const NAME: &str = "scoring_that_is_killed_again_and_again_loses_nothing_and_doubles_nothing";
    if let Some(folder) = std::env::var_os(FOLDER) {
        score_the_rest(Path::new(&folder));
        return;
    }
    let _turn = take_turn();
    let folder = tempfile::tempdir().unwrap();
    let (mut num_kills, mut state) = (0, 20_260_104_u64);
    while num_kills < NUM_KILLS {
        let mut child = second_self(NAME, folder.path());
        let moment = match num_kills % 4 {
            3 => Moment::Early(Duration::from_millis((draw(&mut state) % 500) as u64)),
            _ => Moment::Between(1 + draw(&mut state) % 2, (draw(&mut state) % 100) as f64 / 100.0),
        };
        assert!(kill_at(&moment, &mut child, folder.path()), "it was done after {num_kills} kills");
        num_kills += 1;
    }
    let rows_at_last_start = whole_lines(&rows_file(folder.path())).len();
    assert!(rows_at_last_start > 0 && rows_at_last_start < NUM_ITEMS, "{rows_at_last_start}");
    assert!(second_self(NAME, folder.path()).wait().unwrap().success());

    // Every item once, with the reward that it has when nobody interferes.
    let rows = whole_lines(&rows_file(folder.path()));
    let mut sorted = numbers(&rows);
    sorted.sort_unstable();
    assert_eq!(sorted, (0..NUM_ITEMS).collect::<Vec<_>>());
    let undisturbed = engine(None);
    let (task, completions) = (task(), (0..NUM_ITEMS).map(completion).collect::<Vec<_>>());
    let items: Vec<(&Task, &str)> = completions.iter().map(|completion| (&task, completion.as_str())).collect();
    let wanted = undisturbed.score(&items);
    assert_eq!(undisturbed.num_tests_run(), NUM_ITEMS * NUM_TESTS);
    for row in &rows {
        let row: Value = serde_json::from_str(row).unwrap();
        let number = row["number"].as_u64().unwrap() as usize;
        assert_eq!(row["reward"], serde_json::to_value(&wanted[number]).unwrap(), "item {number}");
    }

    // What was kept was not run again: the last process ran exactly what the store did not know.
    let starts: Vec<(usize, usize)> = whole_lines(&folder.path().join("starts"))
        .iter()
        .map(|line| line.split_once(' ').map(|(known, rows)| (known.parse().unwrap(), rows.parse().unwrap())).unwrap())
        .collect();
    let (known, num_rows) = *starts.last().unwrap();
    assert_eq!(num_rows, rows_at_last_start);
    let ran: usize = whole_lines(&folder.path().join("ends")).last().unwrap().parse().unwrap();
    assert_eq!(ran, (NUM_ITEMS - known) * NUM_TESTS);
    // A row is there only when its results are kept, and what is kept stays.
    assert!(starts.iter().all(|(known, rows)| known >= rows), "{starts:?}");
    assert!(starts.is_sorted(), "{starts:?}");
    // Some kills hit between keeping and writing: those items were scored without running.
    assert!(starts.iter().any(|(known, rows)| known > rows), "{starts:?}");
}

// ---- Let down by the sandbox ----------------------------------------------------------------------------------------

/// Number of every child of this process.
fn children() -> Vec<i32> {
    let own = std::process::id().to_string();
    let numbers = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_string_lossy().parse::<i32>().ok());
    let is_child = |pid: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, fields)| fields.split_ascii_whitespace().nth(1) == Some(&own))
    };
    numbers.filter(is_child).collect()
}

/// Scores while every host of the sandbox is killed again and again.
fn score_without_hosts(engine: &Engine, items: &[(&Task, &str)]) -> Vec<Reward> {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(60));
                for child in children() {
                    // Whoever is gone already needs no signal.
                    let _ = kill_process(Pid::from_raw(child).unwrap(), Signal::KILL);
                }
            }
        });
        let rewards = engine.score(items);
        is_over.store(true, Ordering::Relaxed);
        rewards
    })
}

#[test]
fn what_a_failing_sandbox_says_is_not_kept_and_the_next_try_succeeds() {
    let _turn = take_turn();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("results.redb");
    let (task, slow) = (task(), slow(0));
    let items = [(&task, slow.as_str())];
    let engine = engine(Some(&path));
    let failed = score_without_hosts(&engine, &items).remove(0);
    assert!(
        matches!(failed, Reward::Unscored { reason: UnscoredReason::SandboxFailed, retryable: true, .. }),
        "{failed:?}"
    );
    assert_eq!(num_kept(&engine), 0);
    let reward = engine.score(&items).remove(0);
    assert_eq!(reward.value(), Some(1.0), "{reward:?}");
    assert_eq!((num_kept(&engine), engine.num_tests_run()), (1, NUM_TESTS));
}

// ---- Given up -------------------------------------------------------------------------------------------------------

/// From the signal to the answer.
const PROMPTLY: Duration = Duration::from_millis(250);

/// How a batch with two quick items before three slow ones ends when somebody gives up, and how long that took from the signal.
fn given_up(
    engine: &Engine,
    try_number: usize,
    ask: impl FnOnce(&[(&Task, &str)]) -> (Vec<Reward>, Instant),
) -> Duration {
    let task = task();
    let before = num_kept(engine);
    let completions: Vec<String> = (0..2)
        .map(|at| completion(5 * (10 * try_number + at)))
        .chain((0..3).map(|at| slow(10 * try_number + at)))
        .collect();
    let items: Vec<(&Task, &str)> = completions.iter().map(|completion| (&task, completion.as_str())).collect();
    let (rewards, signal) = ask(&items);
    let late = signal.elapsed();
    assert_eq!(rewards.len(), 5);
    assert!(rewards[..2].iter().all(|reward| reward.value() == Some(1.0)), "{rewards:?}");
    for reward in &rewards[2..] {
        let Reward::Unscored { reason, retryable, .. } = reward else { panic!("{reward:?}") };
        assert!(matches!(reason, UnscoredReason::DeadlinePassed | UnscoredReason::Cancelled) && *retryable);
    }
    assert_eq!(num_kept(engine) - before, 2, "the quick ones are kept and nothing else");
    late
}

fn reason(reward: &Reward) -> Option<UnscoredReason> {
    match reward {
        Reward::Scored { .. } => None,
        Reward::Unscored { reason, .. } => Some(*reason),
    }
}

/// The least of three: what a busy machine adds says nothing about us.
fn assert_prompt(mut one: impl FnMut(usize) -> Duration) {
    let mut took = Vec::new();
    for try_number in 1..=3 {
        took.push(one(try_number));
        if took[try_number - 1] < PROMPTLY {
            return;
        }
    }
    panic!("{took:?}");
}

#[test]
fn past_the_deadline_items_are_unscored_at_once_and_not_kept() {
    let _turn = take_turn();
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(Some(&folder.path().join("results.redb")));
    let task = task();
    engine.score(&[(&task, completion(0).as_str())]);
    assert_prompt(|try_number| {
        given_up(&engine, try_number, |items| {
            let deadline = Instant::now() + Duration::from_millis(1200);
            let rewards = engine.score_with(items, &Asking { deadline: Some(deadline), ..Asking::default() });
            assert!(rewards[2..].iter().all(|reward| reason(reward) == Some(UnscoredReason::DeadlinePassed)));
            (rewards, deadline)
        })
    });
    // With time enough it is scored.
    let before = engine.num_tests_run();
    let reward = engine.score(&[(&task, slow(10).as_str())]).remove(0);
    assert_eq!(reward.value(), Some(1.0), "{reward:?}");
    assert_eq!(engine.num_tests_run() - before, NUM_TESTS);
}

#[test]
fn cancelled_items_are_unscored_at_once_and_not_kept() {
    let _turn = take_turn();
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(Some(&folder.path().join("results.redb")));
    engine.score(&[(&task(), completion(0).as_str())]);
    assert_prompt(|try_number| {
        given_up(&engine, try_number, |items| {
            let cancellation = Cancellation::new().unwrap();
            let asking = Asking { cancellation: Some(&cancellation), ..Asking::default() };
            std::thread::scope(|scope| {
                let canceller = scope.spawn(|| {
                    std::thread::sleep(Duration::from_millis(1200));
                    let signal = Instant::now();
                    cancellation.cancel();
                    signal
                });
                let rewards = engine.score_with(items, &asking);
                assert!(rewards[2..].iter().all(|reward| reason(reward) == Some(UnscoredReason::Cancelled)));
                (rewards, canceller.join().unwrap())
            })
        })
    });
}

#[test]
fn a_deadline_ends_a_large_batch_and_one_that_is_over_runs_nothing() {
    let _turn = take_turn();
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(Some(&folder.path().join("results.redb")));
    let task = task();
    engine.score(&[(&task, completion(0).as_str())]);
    let before = (num_kept(&engine), engine.num_tests_run());
    // Each of them takes a while to read.
    let completions: Vec<String> =
        (0..3000).map(|number| format!("{}{}", "x = [1, 2, 3]\n".repeat(120), completion(5 * number))).collect();
    let items: Vec<(&Task, &str)> = completions.iter().map(|completion| (&task, completion.as_str())).collect();
    let asking = Asking { deadline: Some(Instant::now()), ..Asking::default() };
    let rewards = engine.score_with(&items, &asking);
    assert!(rewards.iter().all(|reward| reason(reward) == Some(UnscoredReason::DeadlinePassed)));
    assert_eq!((num_kept(&engine), engine.num_tests_run()), before);
    assert_prompt(|_| {
        let deadline = Instant::now() + Duration::from_millis(400);
        let rewards = engine.score_with(&items, &Asking { deadline: Some(deadline), ..Asking::default() });
        let late = deadline.elapsed();
        let reasons: Vec<_> = rewards.iter().map(reason).collect();
        assert!(reasons.contains(&Some(UnscoredReason::DeadlinePassed)));
        assert!(reasons.iter().all(|reason| matches!(reason, None | Some(UnscoredReason::DeadlinePassed))));
        late
    });
}
