//! Small runs of the binary, started, cut off and compared.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A few small steps: enough for a step back to be possible, probes and checkpoints every two steps.
pub(crate) const RECIPE: &str = r#"
kind = "grpo"
seed = 7

[tasks]
instances_per_family = 2

[grpo]
num_steps = 6
groups_per_step = 2
group_size = 4
minibatch_size = 4

[sampling]
max_new_tokens = 96

[guard]
every = 2
instances_per_family = 1

[evaluation]
instances_per_family = 1
samples_per_task = 1
max_new_tokens = 96
"#;

/// The recipe with rollouts a step ahead, and states compared on held-out tasks. It learns so fast that it forgets, and that the best state
/// is not the last; the guard lets it with a tolerance of 1, and goes back with one of 0.1.
pub(crate) fn ahead(tolerance: f64) -> String {
    let further =
        "\n[held_out]\nevery = 3\ninstances_per_family = 1\nkeep = \"best\"\n\n[optimiser]\nlearning_rate = 1e-3\n";
    RECIPE
        .replace("minibatch_size = 4\n", "minibatch_size = 8\nrollout_ahead = true\n")
        .replace("every = 2\n", &format!("every = 2\ntolerance = {tolerance:.1}\n"))
        + further
}

/// What two runs of a recipe have in common, however often they were cut off.
pub(crate) const SAME: [&str; 5] =
    ["metrics.jsonl", "evaluation/before.jsonl", "evaluation/after.jsonl", "summary.json", "model/model.safetensors"];

pub(crate) fn command(recipe: &Path, out: &Path, resume: bool) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_codeward"));
    command.arg("train").arg(recipe).arg("--out").arg(out).arg("--json");
    if resume {
        command.arg("--resume");
    }
    command.stdin(Stdio::null());
    command
}

pub(crate) fn start(recipe: &Path, out: &Path, resume: bool) -> Child {
    command(recipe, out, resume).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// A run whose words are kept.
pub(crate) fn start_heard(recipe: &Path, out: &Path, resume: bool) -> Child {
    command(recipe, out, resume).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The exit status, or the signal as a shell has it, and what was said.
pub(crate) fn end(run: Child) -> (i32, String) {
    use std::os::unix::process::ExitStatusExt as _;
    let Output { status, stderr, .. } = run.wait_with_output().unwrap();
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap();
    (code, String::from_utf8(stderr).unwrap())
}

/// Waits until the run has logged a step.
pub(crate) fn wait_for(step: u64, run: &mut Child, out: &Path) {
    let started = Instant::now();
    let logged = || fs::read_to_string(out.join("metrics.jsonl")).unwrap_or_default().lines().count() as u64;
    while logged() <= step {
        assert!(run.try_wait().unwrap().is_none(), "the run ended before it could be cut off");
        assert!(started.elapsed() < Duration::from_mins(5), "the run hangs");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Waits until the run has logged a step, then kills it where it stands.
pub(crate) fn kill_after(step: u64, mut run: Child, out: &Path) {
    wait_for(step, &mut run, out);
    run.kill().unwrap();
    run.wait().unwrap();
}

/// Sends a signal by its name.
pub(crate) fn signal(name: &str, run: &Child) {
    assert!(Command::new("kill").args([format!("-{name}"), run.id().to_string()]).status().unwrap().success());
}

pub(crate) fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

/// That two runs ended with the same numbers, to the bit.
pub(crate) fn assert_same(one: &Path, other: &Path, what: &str) {
    for name in SAME.into_iter().filter(|name| one.join(name).exists()) {
        let bytes = |folder: &Path| fs::read(folder.join(name)).unwrap_or_default();
        assert!(bytes(one) == bytes(other), "{what}: {name} of {} and {}", one.display(), other.display());
    }
}
