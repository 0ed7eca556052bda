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

/// `KILL_TRIALS` runs, twenty by default, each killed again and again at moments that a run of it may have, until one gets through. GRPO
/// that samples anew, PPO with values and credit, and pairs take turns.
#[test]
#[ignore = "twenty trials; minutes"]
fn runs_killed_at_any_moment_end_with_the_numbers_of_unbroken_ones() {
    let num_trials = std::env::var("KILL_TRIALS").map_or(20, |count| count.parse().unwrap());
    let refilled = RECIPE.replace("minibatch_size = 4\n", "minibatch_size = 4\nrefill_rounds = 2\n");
    let (start_of_sizes, end_of_sizes) = (RECIPE.find("[grpo]").unwrap(), RECIPE.find("[sampling]").unwrap());
    let sizes =
        "[ppo]\nnum_steps = 6\ntasks_per_step = 4\nrollouts_per_task = 2\nminibatch_size = 4\nupdate_epochs = 2\n\n";
    let ppo = format!("{}{sizes}{}", &RECIPE[..start_of_sizes], &RECIPE[end_of_sizes..]).replace("\"grpo\"", "\"ppo\"");
    let ppo = format!("{ppo}\n[reward]\nname = \"codeward\"\n\n[advantage]\ntoken_credit = 1.0\n");
    let pairs = "kind = \"preference\"\nseed = 7\n\n[tasks]\ninstances_per_family = 1\n\n[preference]\nbatch_size = 8\n\n\
                 [loss]\nkind = \"dpo\"\nbeta = 0.1\n\n[checkpoint]\nevery = 2\n";
    let recipes = [("refilled", refilled.as_str()), ("ppo", ppo.as_str()), ("pairs", pairs)];

    let folder = tempfile::tempdir().unwrap();
    let mut whole = Vec::new();
    for (name, text) in recipes {
        let recipe = folder.path().join(format!("{name}.toml"));
        fs::write(&recipe, text).unwrap();
        let out = folder.path().join(name);
        let started = Instant::now();
        assert!(start(&recipe, &out, false).wait().unwrap().success(), "{name}");
        whole.push((recipe, out, started.elapsed()));
    }
    let (mut num_kills, mut number) = (0, 0x9e37_79b9_7f4a_7c15_u64);
    for trial in 0..num_trials {
        let (recipe, unbroken, takes) = &whole[trial % whole.len()];
        let out = folder.path().join(format!("trial-{trial}"));
        loop {
            let mut run = start(recipe, &out, out.join("manifest.json").exists());
            // A linear congruential generator will do for moments.
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let share = (number >> 40) as f64 / (1_u64 << 24) as f64;
            thread::sleep(takes.mul_f64(1.2 * share));
            if let Some(status) = run.try_wait().unwrap() {
                assert!(status.success(), "trial {trial}");
                break;
            }
            run.kill().unwrap();
            run.wait().unwrap();
            num_kills += 1;
        }
        let files = ["metrics.jsonl", "evaluation/after.jsonl", "summary.json", "model/model.safetensors"];
        for name in files.into_iter().filter(|name| unbroken.join(name).exists()) {
            assert!(
                fs::read(out.join(name)).unwrap() == fs::read(unbroken.join(name)).unwrap(),
                "trial {trial}: {name}"
            );
        }
        fs::remove_dir_all(out).unwrap();
    }
    assert!(num_kills > num_trials / 2, "{num_kills} kills in {num_trials} trials");
    println!("{num_kills} kills in {num_trials} trials");
}
