//! The command line as scripts and people meet it: exit codes, shapes on standard output, one-line errors with a hint.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests start the binary under test and may panic")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn codeward(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_codeward")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn codeward_with_input(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_codeward"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Exit code 2, nothing on standard output, one line of error and one of hint.
fn assert_complains(output: &Output, error: &str, hint: &str) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(text(&output.stdout), "", "{stderr}");
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{stderr}");
    assert!(lines[0].starts_with("error: ") && lines[0].contains(error), "{stderr}");
    assert!(lines[1].starts_with("hint: ") && lines[1].contains(hint), "{stderr}");
}

fn bundled_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/codeward-tiny")
}

#[test]
fn a_missing_model_folder() {
    let output = codeward(&["generate", "--model", "/nowhere/model", "--prompt", "x"]);
    assert_complains(&output, "/nowhere/model", "");
}

#[test]
fn a_truncated_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let bytes = fs::read(bundled_model().join(name)).unwrap();
        let kept = if name == "model.safetensors" { bytes.len() / 2 } else { bytes.len() };
        fs::write(folder.path().join(name), &bytes[..kept]).unwrap();
    }
    let model = folder.path().to_str().unwrap();
    assert_complains(&codeward(&["generate", "--model", model, "--prompt", "x"]), "model.safetensors", "");
    let out = folder.path().join("run");
    let output = codeward(&["quickstart", "--model", model, "--out", out.to_str().unwrap()]);
    assert_complains(&output, "model.safetensors", "");
    assert!(!out.exists(), "nothing half-written");
}

#[test]
fn an_unknown_recipe_key() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = folder.path().join("mine.toml");
    fs::write(&recipe, "kind = \"grpo\"\n\n[optimiser]\nlearning_rat = 1e-5\n").unwrap();
    let out = folder.path().join("run");
    let output = codeward(&["train", recipe.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    assert_complains(&output, "mine.toml:4: unknown field `learning_rat`", "docs/training.md");
    assert!(!out.exists(), "nothing half-written");
}

#[test]
fn an_unknown_recipe() {
    assert_complains(&codeward(&["train", "quickstrat"]), "quickstrat: ", "quickstart, tiny-base");
}

#[test]
fn a_task_without_tests_and_a_completion_that_is_not_utf8() {
    let good = br#"{"task_id": "cwe089_find_user/unseen/0", "completion": "x = 1"}"#;
    let task = r#"{"task": {"id": "t", "family": "f", "language": "python", "cwe": "CWE-89", "prompt": "", "adapter": "", "tests": []}, "completion": "x"}"#;
    let rows = [good.as_slice(), task.as_bytes()].join(&b'\n');
    assert_complains(
        &codeward_with_input(&["score", "-"], &rows),
        "-:2: task t has no functional tests",
        "functional and security tests",
    );
    let rows = [good.as_slice(), b"{\"completion\": \"\xff\"}"].join(&b'\n');
    assert_complains(&codeward_with_input(&["score", "-"], &rows), "-:2: not UTF-8 text", "UTF-8");
    let rows = b"{\"task_id\": \"cwe089_nothing/unseen/0\", \"completion\": \"\"}";
    assert_complains(
        &codeward_with_input(&["score", "-"], rows),
        "-:1: no task \"cwe089_nothing/unseen/0\"",
        "task ids look like",
    );
}

#[test]
fn an_output_folder_that_cannot_be_written() {
    // Not even the superuser can make a folder there.
    let output = codeward(&["quickstart", "--out", "/proc/codeward/run"]);
    assert_complains(&output, "/proc/codeward/run", "--out");
}

#[test]
fn a_folder_with_a_run_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("manifest.json"), "{}").unwrap();
    let output = codeward(&["quickstart", "--out", folder.path().to_str().unwrap()]);
    assert_complains(&output, "holds a run already", "--resume");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn without_isolation_nothing_runs() {
    // A user namespace in which no further one may be made: what a locked-down container looks like.
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program.py");
    fs::write(&program, "print('ran')\n").unwrap();
    let script = format!(
        "echo 0 > /proc/sys/user/max_user_namespaces && exec {} exec {}",
        env!("CARGO_BIN_EXE_codeward"),
        program.display()
    );
    let output = Command::new("unshare").args(["--user", "--map-root-user", "sh", "-c", &script]).output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(text(&output.stdout), "", "{stderr}");
    assert!(stderr.starts_with("error: ") && stderr.contains("\nhint: "), "{stderr}");
}

#[test]
fn exec_gives_the_documented_shape() {
    let output = codeward_with_input(&["exec", "-", "--json"], b"import sys\nprint('hi')\nsys.exit(3)\n");
    assert_eq!(output.status.code(), Some(1));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    let documented = [
        "outcome",
        "reason",
        "exit_code",
        "signal",
        "compiler",
        "stdout",
        "stderr",
        "truncated",
        "files",
        "wall_ms",
        "cpu_ms",
        "max_rss_kib",
        "isolation",
        "observed",
        "tamper",
    ];
    assert_eq!(keys, documented);
    assert_eq!((value["outcome"].as_str(), value["exit_code"].as_i64()), (Some("exited"), Some(3)));
    assert_eq!(
        (value["stdout"].as_str(), value["reason"].as_str()),
        (Some("hi\n"), Some("it ended with exit status 3"))
    );
    assert!(["full", "full+cgroup"].map(Value::from).contains(&value["isolation"]), "{value}");
    let output = codeward_with_input(&["exec", "-", "--json", "--cpu-ms", "200"], b"while True: pass\n");
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["outcome"], "cpu_limit");
}

#[test]
fn scan_gives_findings_with_spans_and_exit_codes() {
    let code = b"import os\n\n\ndef ping(host):\n    os.system(\"ping \" + host)\n";
    let output = codeward_with_input(&["scan", "-", "--format", "json"], code);
    assert_eq!(output.status.code(), Some(1));
    let rows: Value = serde_json::from_slice(&output.stdout).unwrap();
    let row = &rows[0];
    assert_eq!((row["cwe"][0].as_str(), row["line"].as_i64()), (Some("CWE-78"), Some(5)));
    let (start, end) = (row["start_byte"].as_u64().unwrap() as usize, row["end_byte"].as_u64().unwrap() as usize);
    assert_eq!(&code[start..end], b"\"ping \" + host");
    let clean = codeward_with_input(&["scan", "-"], b"print(1)\n");
    assert_eq!((clean.status.code(), text(&clean.stdout).as_str()), (Some(0), "0 findings in 1 files\n"));
    let sarif = codeward_with_input(&["scan", "-", "--format", "sarif"], code);
    let sarif: Value = serde_json::from_slice(&sarif.stdout).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    assert_eq!(codeward(&["scan", "/nowhere.py"]).status.code(), Some(2));
}

#[test]
fn score_gives_one_line_a_row_with_every_key() {
    let secure = "def count(connection, status):\n    pass\n";
    let row = serde_json::json!({"id": "a", "task_id": "cwe089_count_orders/unseen/0", "completion": secure});
    let broken = serde_json::json!({"task_id": "cwe089_count_orders/unseen/0", "completion": "def ("});
    let output = codeward_with_input(&["score", "-"], format!("{row}\n\n{broken}\n").as_bytes());
    let lines: Vec<Value> = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!((lines[0]["id"].as_str(), lines[1]["id"].as_i64()), (Some("a"), Some(3)));
    for line in &lines {
        let keys: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["id", "state", "value", "parts", "spans", "reason", "timing_ms", "recipe"]);
    }
    assert_eq!((lines[1]["state"].as_str(), lines[1]["value"].as_f64()), (Some("scored"), Some(0.0)));
}

#[test]
fn generate_refuses_what_cannot_be_drawn_from() {
    for (option, value, expected) in [
        ("--temperature", "-1", "a number of at least 0"),
        ("--temperature", "nan", "a number of at least 0"),
        ("--top-p", "1.5", "a number from 0 to 1"),
        ("--min-p", "x", "a number from 0 to 1"),
        ("--repetition-penalty", "0", "a number above 0"),
    ] {
        let output = codeward(&["generate", "--prompt", "x", &format!("{option}={value}")]);
        let complaint = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{complaint}");
        assert!(complaint.contains(option) && complaint.contains(expected), "{complaint}");
    }
}

#[test]
fn generate_repeats_itself_under_a_seed() {
    let ask = |seed: &str| {
        let arguments = ["generate", "--task", "cwe089_find_user/unseen/0", "--samples", "3", "--seed", seed, "--json"];
        let output = codeward(&arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let first = ask("4");
    assert_eq!(first.lines().count(), 3);
    assert_eq!(first, ask("4"));
    assert_ne!(first, ask("5"));
}

#[test]
fn doctor_says_what_is_in_force() {
    let output = codeward(&["doctor", "--json"]);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(value["isolation"], "full");
    assert!(value["toolchains"]["python"].is_object() || value["toolchains"]["python"].is_string());
}

#[test]
fn every_command_teaches_by_example() {
    let commands = [
        "quickstart",
        "train",
        "generate",
        "score",
        "rescore",
        "canaries",
        "recipes",
        "scan",
        "explain",
        "exec",
        "eval",
        "report",
        "doctor",
    ];
    for command in commands {
        let help = text(&codeward(&[command, "--help"]).stdout);
        assert!(help.contains("Example") && help.contains(&format!("codeward {command}")), "{help}");
    }
}
