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

#[test]
fn the_page_of_the_main_job_names_every_key() {
    let text = fs::read_to_string(recipes().join("quickstart/recipe.toml")).unwrap();
    let page = fs::read_to_string(recipes().join("quickstart/README.md")).unwrap();
    let resolved: toml::Table = toml::from_str(&Recipe::parse(&text, "quickstart").unwrap().resolved()).unwrap();
    for (section, value) in &resolved {
        let keys: Vec<&String> = value.as_table().map_or_else(|| vec![section], |table| table.keys().collect());
        for key in keys {
            let named = [format!("{section}.{key}`"), format!("`.{key}`"), format!("`{key}`")];
            assert!(named.iter().any(|form| page.contains(form)), "{section}.{key} is not explained");
        }
    }
}
