//! `codeward train --dry-run`: what a run would be, without one.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests start the binary under test and may panic")]

use std::fs;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn dry_run(recipe: &str, further: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_codeward"));
    command.args(["train", recipe, "--dry-run"]).args(further).stdin(Stdio::null()).output().unwrap()
}

fn text(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn an_adapter_is_shown_with_what_it_trains() {
    let folder = tempfile::tempdir().unwrap();
    let (recipe, out) = (folder.path().join("recipe.toml"), folder.path().join("run"));
    let adapter = "kind = \"grpo\"\n[grpo]\nmicro_batch_tokens = 512\n[loss]\nkl_coef = 0.1\n\
        [adapter]\nrank = 4\nalpha = 6\ntargets = [\"q_proj\", \"down_proj\"]\n";
    fs::write(&recipe, adapter).unwrap();
    let (recipe, out) = (recipe.to_str().unwrap(), out.to_str().unwrap());
    let shown = text(&dry_run(recipe, &["--out", out]));
    // Each of 4 layers: 4 × (256 + 256) for the queries and 4 × (640 + 256) to come back.
    assert!(shown.contains("an adapter of rank 4, factor 1.5, on q_proj down_proj: 22528 parameters"), "{shown}");
    assert!(shown.contains("reference   the model without its adapter\n"), "{shown}");
    assert!(shown.contains("gradients   of 512 tokens at a time\n"), "{shown}");
    assert!(shown.contains("(new): adapter at the end\n"), "{shown}");
    assert!(!fs::exists(out).unwrap());
    let seen: Value = serde_json::from_str(&text(&dry_run(recipe, &["--out", out, "--json"]))).unwrap();
    assert_eq!(seen["adapter"], json!({"rank": 4, "factor": 1.5, "targets": ["q_proj", "down_proj"]}));
    assert_eq!((&seen["num_trained"], &seen["saves"]), (&json!(22528), &json!(["adapter"])));

    fs::write(recipe, format!("{adapter}save_merged = true\n")).unwrap();
    let seen: Value = serde_json::from_str(&text(&dry_run(recipe, &["--json"]))).unwrap();
    assert_eq!(seen["saves"], json!(["adapter", "model"]));
    fs::write(recipe, adapter.replace("q_proj", "q")).unwrap();
    let output = dry_run(recipe, &[]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("adapter.targets is [\"q\", \"down_proj\"]") && error.contains("k_proj"), "{error}");
}

#[test]
fn the_bundled_recipes_say_what_they_train() {
    let shown = text(&dry_run("quickstart", &["--seed", "3"]));
    assert!(shown.contains("model       bundled, Qwen2, 3"), "{shown}");
    assert!(shown.contains("trained     all weights\n") && shown.contains("reference   none\n"), "{shown}");
    assert!(shown.contains("160 steps of 16 × 8 rollouts, at most 256 tokens each"), "{shown}");
    let shown = text(&dry_run("tiny-base", &[]));
    assert!(shown.contains("model       made anew") && shown.contains("model at the end"), "{shown}");
}
