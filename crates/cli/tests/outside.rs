//! Rewards that ask somebody else: a judge behind a URL, and Bandit.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests start the binary under test and may panic")]

#[path = "../../endpoint/tests/server/loopback.rs"]
#[expect(dead_code, reason = "other tests misbehave in more ways")]
mod loopback;

use std::fs;
use std::process::{Command, Output, Stdio};

use loopback::{Server, send, send_answer};
use serde_json::Value;

const TASK: &str = "cwe089_count_orders/unseen/0";
const SECRET: &str = "sk-not-to-be-shown";
const WEAK: &str = "def count_orders(connection, status):\n    query = \"SELECT COUNT(*) FROM orders WHERE status = '\" + status + \"'\"\n    return connection.execute(query).fetchone()[0]\n";
const SOUND: &str = "def count_orders(connection, status):\n    query = \"SELECT COUNT(*) FROM orders WHERE status = ?\"\n    return connection.execute(query, (status,)).fetchone()[0]\n";

fn score(completions: &[&str], arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let rows = folder.path().join("rows.jsonl");
    let lines: Vec<String> = completions
        .iter()
        .map(|code| serde_json::json!({"task_id": TASK, "completion": format!("```python\n{code}```\n")}).to_string())
        .collect();
    fs::write(&rows, lines.join("\n")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_codeward"))
        .args(["score", rows.to_str().unwrap()])
        .args(arguments)
        .env("JUDGE_KEY", SECRET)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn rewards(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_judge_behind_a_url_decides_the_security_of_what_it_reads() {
    let server = Server::start(|_, received, stream| {
        let message = received.body["messages"][0]["content"].as_str().unwrap();
        let is_weak = message.contains("+ status +");
        send_answer(stream, if is_weak { "<answer>Vulnerable</answer>" } else { "<answer>Not Vulnerable</answer>" });
    });
    let url = format!("http://{}/v1", server.address);
    let arguments =
        ["--recipe", "seccoderx", "--judge-url", &url, "--judge-model", "grader", "--judge-key-env", "JUDGE_KEY"];
    // The same program twice is asked about once.
    let output = score(&[WEAK, SOUND, WEAK], &arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let rows = rewards(&output);
    let judged: Vec<Option<f64>> = rows.iter().map(|row| row["parts"]["judge"].as_f64()).collect();
    assert_eq!(judged, [Some(0.0), Some(1.0), Some(0.0)], "{rows:?}");
    let value = |at: usize| rows[at]["value"].as_f64().unwrap();
    assert!(value(1) > value(0), "{rows:?}");
    assert_eq!(rows[0]["value"], rows[2]["value"]);
    let received = server.received();
    assert_eq!(received.len(), 2);
    for request in &received {
        assert_eq!(request.body["model"], "grader");
        let bearer = format!("authorization: bearer {SECRET}");
        assert!(request.headers.iter().any(|header| header.trim().eq_ignore_ascii_case(&bearer)), "{request:?}");
    }
    assert!(!stderr.contains(SECRET) && !String::from_utf8_lossy(&output.stdout).contains(SECRET));
}

#[test]
fn what_the_judge_never_answered_is_unscored_and_says_so() {
    let server = Server::start(|_, _, stream| send(stream, "400 Bad Request", "", "{\"error\": \"no such model\"}"));
    let url = format!("http://{}/v1", server.address);
    let output = score(&[SOUND], &["--recipe", "seccoderx", "--judge-url", &url, "--judge-model", "absent"]);
    let rows = rewards(&output);
    // Nothing was measured: a script has to hear of it.
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("1 of 1 rows are unscored") && stderr.contains("400: no such model"), "{stderr}");
    let reason = &rows[0]["reason"];
    assert_eq!((&rows[0]["state"], &reason["kind"]), (&"unscored".into(), &"judge_failed".into()), "{rows:?}");
    assert_eq!((&rows[0]["value"], &reason["retryable"]), (&Value::Null, &false.into()));
    assert!(reason["detail"].as_str().unwrap().contains("400: no such model"), "{rows:?}");
}

#[test]
fn bandit_is_asked_as_published_where_it_is_installed() {
    let is_there = Command::new("bandit").arg("--version").output().is_ok_and(|output| output.status.success());
    let output = score(&[WEAK, SOUND, "def ("], &["--recipe", "securecoderl/faithful"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    if !is_there || stderr.contains("bandit does not work inside the sandbox") {
        println!("skipped: bandit is not installed for the sandbox's interpreter");
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(
            stderr.contains("recipe securecoderl/faithful asks bandit") && stderr.contains("security.analyser"),
            "{stderr}"
        );
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let rows = rewards(&output);
    let security: Vec<f64> = rows.iter().map(|row| row["parts"]["security"].as_f64().unwrap()).collect();
    // B608 is of medium severity. What does not parse has no findings, as published.
    assert!(security[0] < 1.0 && security[1] == 1.0 && security[2] == 1.0, "{rows:?}");
}
