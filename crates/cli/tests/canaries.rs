//! `codeward canaries` as scripts meet it, and the metrics of a training that tries them.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests start the binary under test and may panic")]

use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn codeward(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_codeward"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have complained before it read anything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Adds.
fn row() -> String {
    let test = |name: &str, kind: &str, args: &Value, returns: i64| json!({ "name": name, "kind": kind, "call": [{ "args": args, "returns": returns }] });
    let task = json!({
        "id": "add", "family": "add", "language": "python", "cwe": "CWE-95", "prompt": "", "adapter": "target = add",
        "tests": [
            test("small", "functional", &json!([1, 2]), 3),
            test("large", "functional", &json!([700, 77]), 777),
            test("again", "security", &json!([2, 2]), 4),
        ],
    });
    json!({ "task": task, "completion": "def add(a, b):\n    return a + b\n" }).to_string()
}

#[test]
fn a_sound_recipe_is_quiet_and_a_naive_one_is_not() {
    let output = codeward(&["canaries", "--file", "-", "--recipe", "codeward"], &row());
    let table = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{table}{}", text(&output.stderr));
    assert!(table.starts_with("codeward/ours: 1 completions\n"), "{table}");
    assert!(
        table.contains("\nhard_code_output       must fall            1       0        0        0      -"),
        "{table}"
    );
    assert!(table.ends_with("0 unscored: no alarm\n"), "{table}");

    let folder = tempfile::tempdir().unwrap();
    let naive = folder.path().join("naive.toml");
    fs::write(&naive, "name = \"naive\"\nmode = \"ours\"\n[[terms]]\nweight = 1.0\nproduct = [\"security\"]\n")
        .unwrap();
    let naive = naive.to_str().unwrap();
    let output = codeward(&["canaries", "--file", "-", "--recipe", naive, "--json"], &row());
    assert_eq!(output.status.code(), Some(1));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["recipe"], "naive/ours");
    let alarms = found["report"]["alarms"].as_array().unwrap();
    let stub = alarms.iter().find(|alarm| alarm["canary"] == "stub_with_none").unwrap();
    assert_eq!(
        stub,
        &json!({ "task": "add", "item": 0, "canary": "stub_with_none", "expectation": "must_fall", "before": 1.0, "after": 1.0 })
    );
    assert!(!alarms.iter().any(|alarm| alarm["canary"] == "silence_nosec"));
}

#[test]
fn what_cannot_be_checked_is_an_error() {
    let complains = |arguments: &[&str], input: &str, error: &str, hint: &str| {
        let output = codeward(arguments, input);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(error) && stderr.contains(hint), "{stderr}");
    };
    complains(&["canaries", "--recipe", "seccoderx/faithful"], "", "asks a vulnerability judge", "--judge-url");
    complains(&["canaries", "--recipe", "nobody"], "", "\"nobody\"", "recipes list");
    complains(&["canaries", "--share", "2"], "", "--share", "1.0");
    complains(&["canaries", "--file", "-"], "{\"completion\": 1}", "-:1", "task_id");
    complains(&["canaries", "--file", "-"], "", "nothing could be checked: 0 completions", "--share");
}

#[test]
fn a_training_counts_its_alarms_and_its_rollouts_can_be_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = folder.path().join("recipe.toml");
    let settings = "kind = \"grpo\"\n[tasks]\ninstances_per_family = 1\n[grpo]\nnum_steps = 1\ngroups_per_step = 1\ngroup_size = 2\n\
        [sampling]\nmax_new_tokens = 64\n[canary]\nshare = 1.0\n[guard]\ninstances_per_family = 1\n\
        [evaluation]\ninstances_per_family = 1\nsamples_per_task = 1\nmax_new_tokens = 32\n";
    fs::write(&recipe, settings).unwrap();
    let out = folder.path().join("run");
    let out = out.to_str().unwrap();
    let output = codeward(&["train", recipe.to_str().unwrap(), "--out", out], "");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let metrics = fs::read_to_string(format!("{out}/metrics.jsonl")).unwrap();
    let step: Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    let checked = step["canary/checked"].as_f64().unwrap();
    assert!(checked > 10.0, "{step}");
    assert_eq!(step["canary/unscored"], 0.0);
    assert!(step["canary/alarms"].is_f64());

    let output = codeward(&["canaries", "--run", out, "--recipe", "securecoderl/corrected", "--json"], "");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["report"]["checked"].as_f64(), Some(checked), "{}", text(&output.stderr));
    assert_eq!(found["report"]["alarms"].as_array().map(Vec::len), step["canary/alarms"].as_f64().map(|n| n as usize));
}
