//! Every committed recipe parses, and every key of it is explained.

use std::fs;
use std::path::Path;

use codeward_training::Recipe;

fn recipes() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes")
}

#[test]
fn every_recipe_parses_and_has_a_page() {
    let mut count = 0;
    for entry in fs::read_dir(recipes()).unwrap() {
        let folder = entry.unwrap().path();
        let text = fs::read_to_string(folder.join("recipe.toml")).unwrap();
        let recipe = Recipe::parse(&text, &folder.display().to_string()).unwrap();
        assert_eq!(Recipe::parse(&recipe.resolved(), "resolved").unwrap(), recipe);
        assert!(folder.join("README.md").exists(), "{}", folder.display());
        count += 1;
    }
    assert!(count >= 2, "{count}");
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
    for text in [main_job, ppo, pairs] {
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
