//! `codeward recipes`: the rewards that come with Codeward, one in full, and a check of one's own.

use std::fmt::Write as _;

use codeward_reward::recipe::Analysers;
use codeward_reward::{Cost, Part, RewardRecipe};
use serde_json::{Value, json};

use crate::Ending;
use crate::arguments::{Recipes, RecipesAction};
use crate::failure::Failure;
use crate::{output, workbench};

pub(crate) fn run(options: &Recipes) -> Result<Ending, Failure> {
    match &options.action {
        RecipesAction::List { json } => {
            let recipes = RewardRecipe::all_built_in();
            if *json {
                output::print_json(&recipes.iter().map(row).collect::<Vec<_>>())?;
            } else {
                output::print(&list(&recipes))?;
            }
            Ok(Ending::Done)
        }
        RecipesAction::Show { recipe, json } => {
            let recipe = workbench::reward_recipe(recipe)?;
            if *json {
                output::print_json(&row(&recipe))?;
            } else {
                output::print(&recipe.to_toml())?;
            }
            Ok(Ending::Done)
        }
        RecipesAction::Check { recipe } => {
            let recipe = workbench::reward_recipe(recipe)?;
            output::print(&checked(&recipe))?;
            Ok(if recipe.warnings().is_empty() { Ending::Done } else { Ending::CheckFailed })
        }
    }
}

fn row(recipe: &RewardRecipe) -> Value {
    let (least, greatest) = recipe.range();
    json!({
        "title": recipe.title(), "hash": recipe.content_hash(), "summary": recipe.summary, "range": [least, greatest],
        "needs": needs(recipe), "recipe": recipe,
    })
}

fn list(recipes: &[RewardRecipe]) -> String {
    let mut out = String::new();
    for recipe in recipes {
        let (least, greatest) = recipe.range();
        let range = format!("{least} to {greatest}");
        let _ = writeln!(out, "{:<24} {:<10} {}", recipe.title(), range, recipe.summary);
    }
    out.push_str(
        "\n`codeward recipes show TITLE` prints one in full. Faithful: as published, with the published defects.\n",
    );
    out
}

fn checked(recipe: &RewardRecipe) -> String {
    let (least, greatest) = recipe.range();
    let mut out = format!(
        "{}  hash {}\n{}\n\nvalue, within {least} to {greatest}\n",
        recipe.title(),
        recipe.content_hash(),
        recipe.summary
    );
    for (at, term) in recipe.terms.iter().enumerate() {
        let _ = writeln!(out, "  {} {term}", if at == 0 { " " } else { "+" });
    }
    let mut parts: Vec<Part> = recipe.parts().collect();
    parts.sort_unstable();
    parts.dedup();
    out.push_str("\nparts\n");
    for part in parts {
        let _ = writeln!(out, "  {:<18} {}; {}", part.name(), part.explanation(), cost(part.cost()));
    }
    let needs = needs(recipe);
    let _ = writeln!(
        out,
        "\nneeds {}",
        if needs.is_empty() { "nothing but the sandbox".to_owned() } else { needs.join("; ") }
    );
    for switch in &recipe.schedule.switch {
        let _ = writeln!(out, "from step {}: functional credit is {:?}", switch.from_step, switch.credit);
    }
    for warning in recipe.warnings() {
        let _ = writeln!(out, "warning: {}", warning.text);
    }
    out
}

fn needs(recipe: &RewardRecipe) -> Vec<String> {
    let asks = |wanted: &[Part]| recipe.parts().any(|part| wanted.contains(&part));
    let mut needs = Vec::new();
    if asks(&[Part::Judge]) {
        needs.push("a vulnerability judge (--judge-url and --judge-model, or --judge-folder)".to_owned());
    }
    if recipe.security.analyser == Analysers::Bandit {
        needs.push("Bandit on the PATH".to_owned());
    }
    if asks(&[Part::Similarity, Part::Structure]) {
        needs.push("a secure reference in each task".to_owned());
    }
    if recipe.wants_pairs() {
        needs.push("a vulnerable and a secure reference in each task, for credit".to_owned());
    }
    needs
}

fn cost(cost: Cost) -> &'static str {
    match cost {
        Cost::Text => "costs nothing",
        Cost::Analysis => "costs microseconds",
        Cost::Sandbox => "costs milliseconds in the sandbox",
        Cost::Model => "costs a question to a model",
    }
}
