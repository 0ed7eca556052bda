//! Every algorithm trains the bundled model on real rewards, says what it did, and goes on where it was cut off.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests start the binary under test and may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde::Deserialize;

/// Two small steps, each with two optimiser steps, so that ratios leave 1.
const COMMON: &str = r#"
seed = 7

[tasks]
instances_per_family = 2

[sampling]
max_new_tokens = 96

[reward]
name = "codeward"

[guard]
every = 1
instances_per_family = 1

[evaluation]
instances_per_family = 1
samples_per_task = 1
max_new_tokens = 96
"#;
const GROUPS: &str = "[grpo]\nnum_steps = 2\ngroups_per_step = 4\ngroup_size = 4\nminibatch_size = 8\n";

#[derive(Deserialize)]
struct Step {
    step: u64,
    #[serde(flatten)]
    values: BTreeMap<String, f64>,
}

fn train(kind: &str, tables: &str, folder: &Path, name: &str, more: &[&str]) -> Output {
    let recipe = folder.join("recipe.toml");
    fs::write(&recipe, format!("kind = \"{kind}\"\n{COMMON}\n{tables}")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_codeward"));
    command.arg("train").arg(&recipe).arg("--out").arg(folder.join(name)).arg("--json").args(more);
    command.stdin(Stdio::null()).output().unwrap()
}

/// The numbers of the steps of a run that ends well.
fn steps(kind: &str, tables: &str) -> Vec<BTreeMap<String, f64>> {
    let folder = tempfile::tempdir().unwrap();
    let output = train(kind, tables, folder.path(), "run", &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(folder.path().join("run/metrics.jsonl")).unwrap();
    let steps: Vec<Step> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(steps.iter().map(|step| step.step).collect::<Vec<_>>(), [0, 1, 2]);
    steps.into_iter().skip(1).map(|step| step.values).collect()
}

#[test]
fn dapo_samples_anew_what_teaches_nothing() {
    let plain = steps("grpo", GROUPS);
    let tables = format!("{GROUPS}refill_rounds = 3\n\n[loss]\nclip_high = 0.28\ndual_clip = inf\n");
    let refilled = steps("grpo", &tables);
    let sum = |steps: &[BTreeMap<String, f64>], key: &str| steps.iter().map(|step| step[key]).sum::<f64>();
    assert!(sum(&plain, "reward/flat_group_fraction") > 0.0, "the recipe has groups that teach nothing");
    assert!(sum(&refilled, "refill/groups") >= 1.0);
    assert!(sum(&refilled, "update/rollouts") > sum(&plain, "update/rollouts"));
    assert_eq!(sum(&refilled, "refill/flat_group_fraction"), 0.0);
}

#[test]
fn gspo_clips_whole_sequences() {
    let loss = "[loss]\nratio = \"sequence\"\naverage = \"sequences\"\nclip_low = 3e-4\nclip_high = 4e-4\n";
    let gspo = steps("grpo", &format!("{GROUPS}\n{loss}"));
    let plain = steps("grpo", GROUPS);
    assert!(gspo.iter().any(|step| step["policy/clip_fraction"] > 0.0), "{gspo:?}");
    assert_ne!(gspo[0]["optim/grad_norm"], plain[0]["optim/grad_norm"]);
    // What is sampled first does not depend on how it is learned from.
    assert_eq!(gspo[0]["reward/mean"], plain[0]["reward/mean"]);
}

#[test]
fn securecoderl_runs_as_published() {
    let tables = "[advantage]\nbaseline = \"batch\"\nscale = \"batch\"\n\n\
                  [loss]\nratio = \"mean_of_tokens\"\naverage = \"sequences\"\nkl_coef = 0.1\nkl_estimator = \"k1\"\n";
    let run = steps("grpo", &format!("{GROUPS}\n{tables}"));
    // Against the whole batch, groups that agree teach as well.
    assert!(run.iter().all(|step| step["update/rollouts"] == 16.0), "{run:?}");
    assert!(run[1]["kl/approx"].abs() > 0.0);
}

#[test]
fn ppo_learns_values_and_credits_tokens_and_goes_on_where_it_was_cut_off() {
    let ppo = "[ppo]\nnum_steps = 2\ntasks_per_step = 8\nrollouts_per_task = 2\nminibatch_size = 8\nupdate_epochs = 2\n\
               kl_reward_coef = 0.02\n\n[advantage]\ntoken_credit = 1.0\n";
    let folder = tempfile::tempdir().unwrap();
    let whole = train("ppo", ppo, folder.path(), "whole", &[]);
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
    let metrics = |name: &str| fs::read_to_string(folder.path().join(name).join("metrics.jsonl")).unwrap();
    let lines = metrics("whole");
    for key in ["loss/value", "value/clip_fraction", "credit/blamed_fraction"] {
        assert_eq!(lines.matches(key).count(), 2, "{key}: {lines}");
    }
    assert_eq!(lines.matches("\"credit/aligned_fraction\":1.0").count(), 2, "{lines}");

    // As if it had been cut off after the first step: the second checkpoint is gone, and so is all that followed.
    let cut = folder.path().join("cut");
    let copied = Command::new("cp").arg("-r").arg(folder.path().join("whole")).arg(&cut).status().unwrap();
    assert!(copied.success());
    fs::remove_dir_all(cut.join("checkpoints/step-000002")).unwrap();
    fs::remove_file(cut.join("evaluation/after.jsonl")).unwrap();
    let again = train("ppo", ppo, folder.path(), "cut", &["--resume"]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(metrics("cut"), lines);
    let weights = |name: &str| fs::read(folder.path().join(name).join("model/model.safetensors")).unwrap();
    assert!(weights("cut") == weights("whole"), "the weights differ");
}

#[test]
fn pairs_are_told_apart_better_and_better() {
    let folder = tempfile::tempdir().unwrap();
    let run = |loss: &str, changed_only: bool| {
        let text = format!(
            "kind = \"preference\"\nseed = 7\n\n[tasks]\ninstances_per_family = 1\n\n[preference]\nbatch_size = 16\n\
             num_epochs = 2\nchanged_tokens_only = {changed_only}\n\n[loss]\n{loss}\n\n[optimiser]\nlearning_rate = 2e-4\n"
        );
        let recipe = folder.path().join("pairs.toml");
        fs::write(&recipe, text).unwrap();
        let out = tempfile::tempdir_in(folder.path()).unwrap();
        let run = out.path().join("run");
        let mut command = Command::new(env!("CARGO_BIN_EXE_codeward"));
        let output = command.arg("train").arg(&recipe).arg("--out").arg(&run).arg("--json").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(run.join("model/model.safetensors").exists());
        let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str::<Step>(line).unwrap().values).collect::<Vec<_>>()
    };
    let dpo = run("kind = \"dpo\"\nbeta = 0.1", false);
    // Nothing has moved yet: the policy is its own reference.
    assert!(
        (dpo[0]["loss/preference"] - 2f64.ln()).abs() < 1e-6 && dpo[0]["preference/margin"].abs() < 1e-6,
        "{dpo:?}"
    );
    let (first, last) = (&dpo[1], &dpo[dpo.len() - 1]);
    assert!(last["preference/margin"] > first["preference/margin"] + 0.1, "{first:?} {last:?}");
    assert!(last["preference/told_apart_fraction"] > 0.9, "{last:?}");

    let simpo = run("kind = \"simpo\"\nbeta = 2.0\ngamma = 0.5", true);
    let (first, last) = (&simpo[0], &simpo[simpo.len() - 1]);
    assert!(last["loss/preference"] < first["loss/preference"] - 0.1, "{first:?} {last:?}");
}

#[test]
fn settings_of_another_algorithm_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let error = |kind: &str, tables: &str| {
        let output = train(kind, tables, folder.path(), "refused", &[]);
        assert!(!output.status.success() && !folder.path().join("refused").exists());
        String::from_utf8(output.stderr).unwrap()
    };
    let stray = error("ppo", GROUPS);
    assert!(stray.contains("recipe.toml: grpo is given"), "{stray}");
    let range = error("ppo", "[ppo]\ngae = { lambda = 1.5 }\n");
    assert!(range.contains("ppo.gae.lambda is 1.5") && range.contains("between 0 and 1"), "{range}");
    let word = error("grpo", "[loss]\nratio = \"group\"\n");
    assert!(word.contains("expected one of `token`, `sequence`, `mean_of_tokens`"), "{word}");
}
