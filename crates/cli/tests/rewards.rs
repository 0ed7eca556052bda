//! Recipes, rescoring and explaining as people meet them.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests start the binary under test and may panic")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use codeward_records::{FinishReason, Manifest, Reward, Rollout, RolloutGroup};
use codeward_reward::Parts;
use codeward_training::{Recipe, RunFolder};
use serde_json::Value;

const TASK: &str = "cwe089_count_orders/unseen/0";

fn codeward(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_codeward")).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn stdout(arguments: &[&str], code: i32) -> String {
    let output = codeward(arguments);
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn recipes_are_listed_shown_and_checked() {
    let list = stdout(&["recipes", "list"], 0);
    for title in ["codeward/ours", "securecoderl/faithful", "seccoderx/corrected", "srcode/ours", "binary/ours"] {
        assert!(list.contains(title), "{list}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    let shown = stdout(&["recipes", "show", "seccoderx/faithful"], 0);
    fs::write(&file, &shown).unwrap();
    assert_eq!(stdout(&["recipes", "show", path(&file)], 0), shown);
    let checked = stdout(&["recipes", "check", path(&file)], 0);
    assert!(checked.contains("2 × length × judge × similarity") && checked.contains("--judge-url"), "{checked}");

    fs::write(&file, "name = \"odd\"\nmode = \"ours\"\n[[terms]]\nweight = 1.0\nproduct = [\"security\"]\n").unwrap();
    let odd = stdout(&["recipes", "check", path(&file)], 1);
    assert!(odd.contains("warning: `1 × security` pays security to code that does nothing"), "{odd}");
    fs::write(&file, "name = \"odd\"\nmode = \"ours\"\n[[terms]]\nweight = 1.0\nproduct = [\"secureness\"]\n").unwrap();
    let output = codeward(&["recipes", "check", path(&file)]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("mine.toml: ") && stderr.contains("\"secureness\" is no part"), "{stderr}");
}

#[test]
fn a_recipe_that_asks_a_judge_says_that_it_has_none() {
    let output = codeward(&["score", "--references", "--recipe", "seccoderx"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("asks a vulnerability judge") && stderr.contains("--judge-url"), "{stderr}");
}

#[test]
fn scoring_goes_on_where_it_was_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let (rows, out) = (folder.path().join("rows.jsonl"), folder.path().join("rewards.jsonl"));
    let cache = folder.path().join("tests.redb");
    let completions = ["def count(connection, status):\n    pass\n", "def (", "x = 1\n"];
    let lines =
        completions.map(|completion| serde_json::json!({"task_id": TASK, "completion": completion}).to_string());
    fs::write(&rows, lines.join("\n")).unwrap();
    let score = |recipe: &str| {
        codeward(&["score", path(&rows), "--recipe", recipe, "--out", path(&out), "--cache", path(&cache)])
    };
    // What differs between runs is how long it took.
    let read = || -> Vec<Value> {
        let text = fs::read_to_string(&out).unwrap();
        text.lines()
            .map(|line| {
                let mut row: Value = serde_json::from_str(line).unwrap();
                row["timing_ms"] = Value::Null;
                row
            })
            .collect()
    };
    assert_eq!(score("codeward").status.code(), Some(0));
    let whole = read();
    assert_eq!(whole.len(), 3);
    let text = fs::read_to_string(&out).unwrap();
    let first = text.find('\n').unwrap() + 1;
    // The second row was cut off in the middle.
    fs::write(&out, &text[..first + 40]).unwrap();
    let output = score("codeward");
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stderr).unwrap().contains("1 rows are there, 2 to go"));
    assert_eq!(read(), whole);
    let output = score("binary");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("rewards.jsonl:1: is not the row of these items"));
    assert_eq!(read(), whole, "nothing is lost by refusing");
}

#[test]
fn token_rewards_lie_on_the_sampled_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let rows = folder.path().join("rows.jsonl");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/codeward-tiny");
    let tokenizer = codeward_lm::Tokenizer::load(&model).unwrap();
    let completion = "def count_orders(connection, status):\n    query = \"SELECT COUNT(*) FROM orders WHERE status = '\" + status + \"'\"\n    return connection.execute(query).fetchone()[0]\n";
    let tokens = tokenizer.encode(completion);
    let row = serde_json::json!({"task_id": TASK, "completion": completion, "tokens": tokens});
    fs::write(&rows, format!("{row}\n")).unwrap();
    let file = model.join("tokenizer.json");
    let line = stdout(&["score", path(&rows), "--recipe", "codeward", "--tokenizer", path(&file)], 0);
    let scored: Value = serde_json::from_str(&line).unwrap();
    let rewards: Vec<f64> =
        scored["token_rewards"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
    assert_eq!(rewards.len(), tokens.len());
    let span_sum: f64 = scored["spans"].as_array().unwrap().iter().map(|span| span["value"].as_f64().unwrap()).sum();
    assert!((rewards.iter().sum::<f64>() - span_sum).abs() < 1e-5 && span_sum < 0.0, "{line}");
    // The penalty is where the query is put together and used, not in the signature.
    let signature = tokenizer.encode("def count_orders(").len();
    assert!(rewards[..signature].iter().all(|reward| *reward == 0.0), "{rewards:?}");

    let other = serde_json::json!({"task_id": TASK, "completion": "x = 1\n", "tokens": tokens});
    fs::write(&rows, format!("{row}\n{other}\n")).unwrap();
    let output = codeward(&["score", path(&rows), "--tokenizer", path(&file)]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr.contains("rows.jsonl:2: ") && stderr.contains("tokens have to read as the completion"), "{stderr}");
}

/// A run of one step with one group of two rollouts, each with the value that it then had.
fn run_with(folder: &Path, completions: &[(&str, f64)]) {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/quickstart/recipe.toml")).unwrap();
    let recipe = Recipe::parse(&text, "quickstart").unwrap();
    let manifest = Manifest {
        format: Manifest::FORMAT,
        codeward: "0".to_owned(),
        seed: 1,
        recipe_hash: recipe.content_hash(),
        model_hash: String::new(),
        tasks_hash: String::new(),
        threads: 1,
        isolation: "full".to_owned(),
    };
    let run = RunFolder::open(folder, false, &manifest, &recipe.resolved()).unwrap();
    let rollouts = completions
        .iter()
        .map(|(completion, value)| Rollout {
            completion: (*completion).to_owned(),
            tokens: Vec::new(),
            old_logprobs: Vec::new(),
            finish_reason: FinishReason::Stop,
            reward: Some(Reward::Scored { value: *value, parts: Parts::default().to_map(), spans: Vec::new() }),
        })
        .collect();
    let group = RolloutGroup { step: 1, task_id: TASK.to_owned(), prompt_tokens: Vec::new(), rollouts };
    run.write_rollouts(1, &[group]).unwrap();
}

#[test]
fn a_run_is_rescored_and_its_rollouts_explained() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let weak = "def count_orders(connection, status):\n    query = \"SELECT COUNT(*) FROM orders WHERE status = '\" + status + \"'\"\n    return connection.execute(query).fetchone()[0]\n";
    run_with(&run, &[(weak, 0.25), ("def (", 0.0)]);
    let rows = folder.path().join("rows.jsonl");
    let arguments = ["rescore", path(&run), "--recipe", "binary", "--leave-one-out", "--rows", path(&rows)];
    let text = stdout(&arguments, 0);
    assert!(text.contains("2 rollouts in 1 groups, scored by binary/ours"), "{text}");
    let again: Value =
        serde_json::from_str(&stdout(&["rescore", path(&run), "--recipe", "codeward", "--json"], 0)).unwrap();
    assert_eq!(again["tests_run"], 0, "the tests were run by the rescoring before: {again}");
    assert_eq!(again["comparison"]["num_rollouts"], 2);
    let row: Value = serde_json::from_str(fs::read_to_string(&rows).unwrap().lines().next().unwrap()).unwrap();
    assert_eq!((row["rollout"].as_str(), row["before"].as_f64()), (Some("1.1.1"), Some(0.25)));

    let text = stdout(&["explain", path(&run), "1.1.1", "--recipe", "codeward"], 0);
    for said in
        ["the run has 0.250 for it", "what would change it", "if every functional test passed", "CWE-89, -1.000"]
    {
        assert!(text.contains(said), "{said}: {text}");
    }
    let text = stdout(&["explain", path(&run), "1.1.1"], 0);
    for said in ["the run has 0.250 for it", "[CW-PY-089-", "completion:3:", "what would change it", "were mended"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let value: Value = serde_json::from_str(&stdout(&["explain", path(&run), "1.1.2", "--json"], 0)).unwrap();
    assert_eq!(
        (value["recipe"].as_str(), value["reward"]["value"].as_f64()),
        (Some("securecoderl/corrected"), Some(0.0))
    );
    let output = codeward(&["explain", path(&run), "1.1.3"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no rollout \"1.1.3\""));
}
