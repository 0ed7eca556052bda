//! Every committed recipe parses and can be run, and every key of it is explained.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests start the binary under test and may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use codeward_training::{Pipeline, Recipe};

fn recipes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes")
}

/// Every recipe, folder by folder.
fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(recipes()).unwrap() {
        let folder = entry.unwrap().path();
        assert!(folder.join("README.md").exists(), "{}", folder.display());
        let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        files.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "toml")));
    }
    files.sort();
    files
}

#[test]
fn every_recipe_parses_and_has_a_page() {
    let mut kinds = Vec::new();
    for path in files() {
        let text = fs::read_to_string(&path).unwrap();
        let origin = path.display().to_string();
        let page = fs::read_to_string(path.with_file_name("README.md")).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(
            page.contains(name.trim_end_matches(".toml")) || name == "recipe.toml",
            "{origin} is not in its README.md"
        );
        if Pipeline::is_meant_by(&text) {
            let pipeline = Pipeline::parse(&text, &origin, |stage| fs::read_to_string(path.with_file_name(stage)));
            kinds.extend(pipeline.unwrap().stages.iter().map(|stage| stage.recipe.kind().to_owned()));
            continue;
        }
        let recipe = Recipe::parse(&text, &origin).unwrap();
        assert_eq!(Recipe::parse(&recipe.resolved(), "resolved").unwrap(), recipe);
        kinds.push(recipe.kind().to_owned());
    }
    assert!(["grpo", "ppo", "sft"].iter().all(|kind| kinds.iter().any(|found| found == kind)), "{kinds:?}");
}

/// Without a download: models of a hub are only named.
#[test]
fn every_recipe_says_what_it_would_do() {
    let cache = tempfile::tempdir().unwrap();
    for path in files() {
        let mut command = Command::new(env!("CARGO_BIN_EXE_codeward"));
        command.arg("train").arg(&path).arg("--dry-run").env("HF_HUB_CACHE", cache.path());
        let output = command.output().unwrap();
        let (shown, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(output.status.success(), "{}: {errors}", path.display());
        let text = fs::read_to_string(&path).unwrap();
        let is_absent = text.contains("model = \"hf:");
        assert_eq!(shown.contains("which is not here yet"), is_absent, "{shown}");
        assert_eq!(shown.contains("stage 01-"), Pipeline::is_meant_by(&text), "{shown}");
        assert!(shown.contains("work        "), "{shown}");
    }
}

/// Keys of a table, with those of tables in it, as `table.key`; what is inside the tables of a reward has a page of its own.
fn keys(prefix: &str, table: &toml::Table, found: &mut Vec<String>) {
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value.as_table() {
            Some(table) if !name.starts_with("reward.") => keys(&name, table, found),
            _ => found.push(name),
        }
    }
}

#[test]
fn the_page_of_training_names_every_key() {
    let main_job = fs::read_to_string(recipes().join("quickstart/recipe.toml")).unwrap();
    let page = fs::read_to_string(recipes().join("../docs/training.md")).unwrap();
    let ppo = "kind = \"ppo\"\n".to_owned();
    let pairs = "kind = \"preference\"\n[loss]\nkind = \"simpo\"\nbeta = 2.0\ngamma = 0.5\n".to_owned();
    let learned = "kind = \"sft\"\nmodel = \"bundled\"\n[examples]\nrepairs_per_family = 1\n[sft]\nbatch_tokens = 9\n\
                   changed_tokens_only = true\nmicro_batch_tokens = 9\n"
        .to_owned();
    let best = "kind = \"rejection\"\n".to_owned();
    for text in [main_job, ppo, pairs, learned, best] {
        let resolved: toml::Table = toml::from_str(&Recipe::parse(&text, "a recipe").unwrap().resolved()).unwrap();
        let mut found = Vec::new();
        keys("", &resolved, &mut found);
        for name in found {
            let last = name.rsplit('.').next().unwrap();
            let named = [format!("{name}`"), format!("`.{last}`"), format!("`{last}`")];
            assert!(named.iter().any(|form| page.contains(form)), "{name} is not explained");
        }
    }
}
