//! A run that is killed and resumed ends with the numbers of a run that was not, and a seed repeats itself.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests start the binary under test and may panic")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A few small steps: enough for a step back to be possible, probes and checkpoints every two steps.
const RECIPE: &str = r#"
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

fn start(recipe: &Path, out: &Path, resume: bool) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_codeward"));
    command.arg("train").arg(recipe).arg("--out").arg(out).arg("--json");
    if resume {
        command.arg("--resume");
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until the run has logged a step, then kills it where it stands.
fn kill_after(step: u64, mut run: Child, out: &Path) {
    let started = Instant::now();
    let logged = || fs::read_to_string(out.join("metrics.jsonl")).unwrap_or_default().lines().count() as u64;
    while logged() <= step {
        assert!(run.try_wait().unwrap().is_none(), "the run ended before it could be killed");
        assert!(started.elapsed() < Duration::from_mins(5), "the run hangs");
        thread::sleep(Duration::from_millis(2));
    }
    run.kill().unwrap();
    run.wait().unwrap();
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

/// An adapter, a reference, and gradients in pieces.
const ADAPTER: &str = r#"
[adapter]
rank = 4
targets = ["q_proj", "v_proj", "down_proj"]
save_merged = true

[loss]
kl_coef = 0.01
"#;

#[test]
fn a_killed_run_ends_with_the_numbers_of_an_unbroken_one() {
    assert_resumes(RECIPE, &["model/model.safetensors"]);
}

#[test]
fn a_killed_run_of_an_adapter_ends_with_the_numbers_of_an_unbroken_one() {
    let pieces = RECIPE.replace("minibatch_size = 4", "minibatch_size = 4\nmicro_batch_tokens = 300");
    let whole = assert_resumes(
        &format!("{pieces}{ADAPTER}"),
        &["model/model.safetensors", "adapter/adapter_model.safetensors", "adapter/adapter_config.json"],
    );
    // The frozen weights are in no checkpoint.
    let checkpoint = whole.path().join("whole/checkpoints/step-000006");
    let mut files: Vec<String> = fs::read_dir(&checkpoint)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("tokenizer"))
        .collect();
    files.sort();
    assert_eq!(files, ["adapter_config.json", "adapter_model.safetensors", "optimiser.safetensors", "state.json"]);
    let bytes = |name: &str| fs::metadata(whole.path().join("whole").join(name)).unwrap().len();
    assert!(20 * bytes("adapter/adapter_model.safetensors") < bytes("model/model.safetensors"));
    // Something was learned.
    let metrics = read(&whole.path().join("whole"), "metrics.jsonl");
    let steps: Vec<serde_json::Value> = metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let above_zero = |step: &serde_json::Value, key: &str| step[key].as_f64().is_some_and(|number| number > 0.0);
    let moved = |step: &serde_json::Value| above_zero(step, "optim/grad_norm") && above_zero(step, "kl/approx");
    assert!(steps.iter().any(moved), "{metrics}");
}

/// Runs a recipe unbroken and killed twice, and compares. The runs' folder holds `whole` and `broken`.
fn assert_resumes(text: &str, files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let recipe = folder.path().join("recipe.toml");
    fs::write(&recipe, text).unwrap();
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    assert!(start(&recipe, &whole, false).wait().unwrap().success());

    kill_after(1, start(&recipe, &broken, false), &broken);
    kill_after(4, start(&recipe, &broken, true), &broken);
    assert!(start(&recipe, &broken, true).wait().unwrap().success());

    assert_eq!(read(&whole, "metrics.jsonl").lines().count(), 7);
    for name in ["metrics.jsonl", "evaluation/before.jsonl", "evaluation/after.jsonl", "summary.json"] {
        assert_eq!(read(&whole, name), read(&broken, name), "{name}");
    }
    for name in files {
        assert!(fs::read(whole.join(name)).unwrap() == fs::read(broken.join(name)).unwrap(), "{name}");
    }
    folder
}
