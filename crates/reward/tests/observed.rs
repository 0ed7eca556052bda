//! Attack tests that look at what an observer outside saw, on a real sandbox.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use codeward_records::{Task, UnscoredReason, Verdict};
use codeward_reward::{Engine, Failure, RewardRecipe};
use codeward_sandbox::Sandbox;
use serde_json::{Value, json};

/// The verdicts on a module whose `target` is attacked with one text, by what was observed.
fn judge(fields: &Value, expect: &Value, completions: &[&str]) -> Vec<Option<Failure>> {
    let engine = Engine::new(Sandbox::start(1).unwrap(), RewardRecipe::default());
    let mut attack =
        json!({ "name": "attack", "kind": "security", "call": [{ "args": ["x; y"] }], "expect": [expect] });
    attack.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let function = json!({ "name": "function", "kind": "functional", "run": { "stdout": "" } });
    let task: Task = serde_json::from_value(json!({
        "id": "task", "family": "task", "language": "python", "cwe": "CWE-78", "prompt": "", "tests": [function, attack],
    }))
    .unwrap();
    let items: Vec<(&Task, &str)> = completions.iter().map(|completion| (&task, *completion)).collect();
    engine
        .judge(&items)
        .into_iter()
        .map(|mut judged| {
            assert!(matches!(judged.verdict, Verdict::Scored { .. }), "{judged:?}");
            judged.tests.remove(1).failure
        })
        .collect()
}

const DOES_NOT_HOLD: Option<Failure> = Some(Failure::Expectation { at: 0 });

#[test]
fn programs_that_are_started_are_seen() {
    let shell = "import subprocess\ndef target(x):\n    subprocess.run('echo ' + x, shell=True, capture_output=True)\n";
    let list = "import subprocess\ndef target(x):\n    subprocess.run(['echo', x], capture_output=True)\n";
    let none = "def target(x):\n    pass\n";
    let leave = json!({ "processes": true });
    let seen = judge(&leave, &json!({ "observed": "processes", "not_matches": "sh -c" }), &[shell, list, none]);
    assert_eq!(seen, [DOES_NOT_HOLD, None, None]);
    let seen = judge(&leave, &json!({ "observed": "processes", "empty": true }), &[shell, list, none]);
    assert_eq!(seen, [DOES_NOT_HOLD, DOES_NOT_HOLD, None]);
}

#[test]
fn files_outside_are_seen_though_nobody_can_open_them() {
    let reads =
        "def target(x):\n    try:\n        open('/root/.ssh/id_rsa').read()\n    except OSError:\n        pass\n";
    let stays = "def target(x):\n    open('own.txt', 'w').write(x)\n    open('own.txt').read()\n";
    let expect = json!({ "observed": "outside_files", "not_contains": "id_rsa" });
    assert_eq!(judge(&json!({}), &expect, &[reads, stays]), [DOES_NOT_HOLD, None]);
}

#[test]
fn sockets_are_seen_though_nobody_can_use_them() {
    let connects = "import socket\ndef target(x):\n    try:\n        socket.create_connection(('10.0.0.1', 80), 0.1)\n    except OSError:\n        pass\n";
    let expect = json!({ "observed": "network", "empty": true });
    assert_eq!(judge(&json!({}), &expect, &[connects, "def target(x):\n    pass\n"]), [DOES_NOT_HOLD, None]);
}

#[test]
fn statements_of_a_database_are_seen() {
    let open = "import sqlite3\ndef target(x):\n    base = sqlite3.connect(':memory:')\n    base.execute('create table t (name)')\n";
    let joined = format!("{open}    base.executescript(\"insert into t values ('\" + x + \"')\")\n");
    let bound = format!("{open}    base.execute('insert into t values (?)', (x,))\n    return None\n");
    // The attack's text as it stands in the statement, not as a value bound to it.
    let expect = json!({ "observed": "queries", "matches": "(?i)insert" });
    assert_eq!(
        judge(&json!({}), &expect, &[&joined, &bound, "def target(x):\n    pass\n"]),
        [None, None, DOES_NOT_HOLD]
    );
    let expect = json!({ "observed": "queries", "at_most": 1 });
    assert_eq!(judge(&json!({}), &expect, &[&joined, open]), [DOES_NOT_HOLD, None]);
}

#[test]
fn what_a_listener_receives_is_seen() {
    let sends = "import urllib.request\ndef target(x):\n    try:\n        urllib.request.urlopen('http://127.0.0.1:8080/inside', timeout=2).read()\n    except Exception:\n        pass\n";
    let expect = json!({ "observed": "received", "not_contains": "/inside" });
    assert_eq!(judge(&json!({}), &expect, &[sends, "def target(x):\n    pass\n"]), [DOES_NOT_HOLD, None]);
    let expect = json!({ "observed": "received", "at_least": 20 });
    assert_eq!(judge(&json!({}), &expect, &[sends, "def target(x):\n    pass\n"]), [None, DOES_NOT_HOLD]);
}

#[test]
fn what_nobody_watches_for_is_unscored() {
    // Statements are reported by the interpreter of Python only.
    let test = |kind: &str, name: &str| json!({ "name": name, "kind": kind, "run": { "stdout": "1" }, "expect": [{ "observed": "queries", "empty": true }] });
    let task: Task = serde_json::from_value(json!({
        "id": "task", "family": "task", "language": "c", "cwe": "CWE-89", "prompt": "",
        "tests": [test("functional", "a"), test("security", "b")],
    }))
    .unwrap();
    let engine = Engine::new(Sandbox::start(1).unwrap(), RewardRecipe::default());
    let verdict = engine.judge(&[(&task, "int main(void) { return 0; }")]).remove(0).verdict;
    assert!(matches!(&verdict, Verdict::Unscored { reason: UnscoredReason::SandboxFailed, .. }), "{verdict:?}");
}
