//! Supervised training from files and repairs, rejection sampling, and pipelines: each end to end, and each goes on where it was.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests start the binary under test and may panic")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

fn command(recipe: &Path, out: &Path, further: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_codeward"));
    command.arg("train").arg(recipe).arg("--out").arg(out).arg("--json").args(further).stdin(Stdio::null());
    command
}

fn train(recipe: &Path, out: &Path, further: &[&str]) -> Output {
    command(recipe, out, further).output().unwrap()
}

fn done(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn metrics(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Kills a run as soon as `is_time` says so.
fn kill_when(mut run: Child, is_time: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_time() {
        assert!(run.try_wait().unwrap().is_none(), "the run ended before it could be killed");
        assert!(started.elapsed() < Duration::from_mins(5), "the run hangs");
        thread::sleep(Duration::from_millis(1));
    }
    run.kill().unwrap();
    run.wait().unwrap();
}

fn quiet(mut command: Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Two small files of one lesson, over and over, are learned; batches are counted in tokens.
#[test]
fn examples_of_a_file_are_learned() {
    let folder = tempfile::tempdir().unwrap();
    let (rows, recipe) = (folder.path().join("rows.jsonl"), folder.path().join("sft.toml"));
    let row = |name: &str| {
        let original = format!("def {name}(text):\n    return yaml.load(text)\n");
        let completion = original.replace("yaml.load", "yaml.safe_load");
        json!({"prompt": format!("# Parse {name}.\n"), "completion": completion, "original": original}).to_string()
    };
    let lines: Vec<String> = ["a", "b", "c", "d", "e", "f"].iter().map(|name| row(name)).collect();
    fs::write(&rows, lines.join("\n\n")).unwrap();
    let text = |more: &str| {
        format!(
            "kind = \"sft\"\nmodel = \"bundled\"\n[examples]\nfiles = [{:?}]\n[sft]\nnum_epochs = 6\nbatch_tokens = 100\n\
             {more}\n[optimiser]\nlearning_rate = 1e-3\n",
            rows.to_str().unwrap()
        )
    };
    let steps = |more: &str, name: &str| {
        fs::write(&recipe, text(more)).unwrap();
        let run = folder.path().join(name);
        let told = done(&train(&recipe, &run, &[]));
        assert_eq!(told["model"], json!(run.join("model")));
        metrics(&run)
    };
    let all = steps("", "all");
    let number = |step: &Value, key: &str| step[key].as_f64().unwrap();
    assert!(number(&all[all.len() - 1], "loss/sft") < 0.5 * number(&all[0], "loss/sft"), "{all:?}");
    let tokens = |steps: &[Value]| steps.iter().map(|step| number(step, "sft/learned_tokens")).sum::<f64>();
    let changed = steps("changed_tokens_only = true", "changed");
    // The same batches, of which only `safe_load` is learned.
    assert_eq!(changed.len(), all.len());
    assert!(tokens(&changed) < 0.4 * tokens(&all), "{} of {}", tokens(&changed), tokens(&all));
    assert!(number(&changed[changed.len() - 1], "loss/sft") < number(&changed[0], "loss/sft"), "{changed:?}");

    // A mistake is named by its line.
    let refused = |line: &str, more: &str, wanted: &str| {
        fs::write(&rows, format!("{}\n\n{line}\n", lines[0])).unwrap();
        fs::write(&recipe, text(more)).unwrap();
        let output = train(&recipe, &folder.path().join("refused"), &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(errors(&output).contains(&format!("rows.jsonl:3: {wanted}")), "{}", errors(&output));
        assert!(errors(&output).contains("hint: "), "{}", errors(&output));
    };
    refused("{\"prompt\": \"p\"}", "", "missing field `completion`");
    refused("{\"prompt\": \"p\", \"completion\": \"\"}", "", "prompt and completion may not be empty");
    let plain = "{\"prompt\": \"p\", \"completion\": \"x = 1\"}";
    refused(plain, "changed_tokens_only = true", "sft.changed_tokens_only needs \"original\"");
    let long = json!({"prompt": "p", "completion": "x = 1\n".repeat(600)}).to_string();
    refused(&long, "", "the example has ");
}

const REJECTION: &str = r#"
kind = "rejection"
seed = 7

[tasks]
instances_per_family = 1

[rejection]
num_rounds = 2
samples_per_task = 2
tasks_per_step = 22
threshold = 0.9

[sft]
batch_size = 8

[sampling]
max_new_tokens = 96

[evaluation]
instances_per_family = 1
samples_per_task = 1
max_new_tokens = 96

[checkpoint]
every = 1
"#;

#[test]
fn the_best_of_the_policy_are_learned_and_none_is_sampled_twice() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = folder.path().join("recipe.toml");
    fs::write(&recipe, REJECTION).unwrap();
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    let told = done(&train(&recipe, &whole, &[]));
    assert!(told["after"]["splits"]["unrewarded"]["n"].as_u64().unwrap() > 0);
    let steps = metrics(&whole);
    let sampled: Vec<&Value> = steps.iter().filter(|step| step.get("rejection/kept_fraction").is_some()).collect();
    let learned = steps.iter().filter(|step| step.get("loss/sft").is_some()).count();
    assert_eq!(sampled.len() + learned, steps.len());
    assert_eq!(told["steps"].as_u64().unwrap() as usize, steps.len());
    for step in &sampled {
        let kept = step["rejection/kept_fraction"].as_f64().unwrap();
        // At most one of two is kept of a task.
        assert!(
            kept > 0.0 && kept <= 0.5 && kept == step["rejection/taught_fraction"].as_f64().unwrap() / 2.0,
            "{step}"
        );
    }

    // Killed while it samples in the first round, then after it has begun to learn.
    let first = broken.join("rollouts/step-000001.jsonl.zst");
    kill_when(quiet(command(&recipe, &broken, &[])), || first.exists());
    let written = fs::metadata(&first).unwrap().modified().unwrap();
    kill_when(quiet(command(&recipe, &broken, &["--resume"])), || {
        broken.join("checkpoints").read_dir().is_ok_and(|mut all| all.next().is_some())
    });
    done(&train(&recipe, &broken, &["--resume"]));
    assert_eq!(fs::metadata(&first).unwrap().modified().unwrap(), written, "the samples were drawn again");
    for name in ["metrics.jsonl", "evaluation/after.jsonl", "summary.json", "model/model.safetensors"] {
        assert!(fs::read(whole.join(name)).unwrap() == fs::read(broken.join(name)).unwrap(), "{name}");
    }

    fs::write(&recipe, REJECTION.replace("threshold = 0.9", "threshold = 2.0")).unwrap();
    let output = train(&recipe, &folder.path().join("none"), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("round 1: no completion has a reward of 2 or more"), "{}", errors(&output));
}

const PIPELINE: &str = r#"
kind = "pipeline"
seed = 5

[[stage]]
name = "sft"
path = "sft.toml"

[[stage]]
name = "rl"

[stage.recipe]
kind = "grpo"
tasks = { instances_per_family = 1 }
grpo = { num_steps = 2, groups_per_step = 2, group_size = 2 }
sampling = { max_new_tokens = 64 }
guard = { every = 1, instances_per_family = 1 }
evaluation = { instances_per_family = 1, samples_per_task = 1, max_new_tokens = 64 }
"#;

#[test]
fn stages_build_on_each_other_and_are_reused_where_nothing_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (pipeline, sft) = (folder.path().join("pipeline.toml"), folder.path().join("sft.toml"));
    let learned = "kind = \"sft\"\n[examples]\nrepairs_per_family = 1\n[sft]\nbatch_size = 16\n[adapter]\nrank = 2\n";
    fs::write(&pipeline, PIPELINE).unwrap();
    fs::write(&sft, learned).unwrap();
    let out = folder.path().join("out");
    let shown = train(&pipeline, &out, &["--dry-run"]);
    let plans = done(&shown)["stages"].clone();
    assert_eq!((&plans[0]["kind"], &plans[1]["kind"]), (&json!("sft"), &json!("grpo")));
    assert!(!out.exists());

    // Killed in its second stage: the first one is not run again, the second goes on.
    let second = out.join("02-rl/metrics.jsonl");
    kill_when(quiet(command(&pipeline, &out, &[])), || {
        fs::read_to_string(&second).is_ok_and(|text| text.lines().count() > 1)
    });
    let output = train(&pipeline, &out, &[]);
    assert!(errors(&output).contains("holds a pipeline already"), "{}", errors(&output));
    let told = done(&train(&pipeline, &out, &["--resume"]));
    let states = |told: &Value| [0, 1].map(|at| told["stages"][at]["state"].as_str().unwrap().to_owned());
    assert_eq!(states(&told), ["reused", "continued"]);
    assert!(told["stages"][1]["summary"]["after"]["splits"]["unrewarded"]["func_secure"]["value"].is_number());
    assert!(told["stages"][0]["summary"].is_null());
    // The second stage starts from what the first has made.
    let resolved = fs::read_to_string(out.join("02-rl/recipe.resolved.toml")).unwrap();
    assert!(resolved.contains("01-sft/model") && resolved.contains("seed = 5"), "{resolved}");
    let after = fs::read(out.join("02-rl/summary.json")).unwrap();

    let told = done(&train(&pipeline, &out, &["--resume"]));
    assert_eq!(states(&told), ["reused", "reused"]);

    // Another first stage makes another model, on which the second is run again.
    fs::write(&sft, learned.replace("rank = 2", "rank = 3")).unwrap();
    let output = train(&pipeline, &out, &["--resume"]);
    assert_eq!(states(&done(&output)), ["run", "run"]);
    for changed in
        ["stage sft: its recipe changed, so it is run again", "stage rl: the model that it starts from changed"]
    {
        assert!(errors(&output).contains(changed), "{}", errors(&output));
    }
    assert_eq!(fs::read(out.join("02-rl.old-1/summary.json")).unwrap(), after);
}
