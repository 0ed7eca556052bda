//! Pipelines: recipes one after the other, each on the model that the one before has made.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use serde::Deserialize;

use crate::recipe::{Recipe, RecipeError};

/// One recipe of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// What it does. The model of a later stage is whatever the one before makes.
    pub recipe: Recipe,
}

impl Stage {
    /// The content hash of the recipe, wherever its model lies.
    pub fn hash(&self) -> String {
        let mut recipe = self.recipe.clone();
        recipe.set_model("the stage before".to_owned());
        recipe.content_hash()
    }
}

/// Recipes one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Pipeline {
    /// In their order; at least one.
    pub stages: Vec<Stage>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "kind")]
    _kind: String,
    seed: Option<u64>,
    model: Option<String>,
    #[serde(default)]
    stage: Vec<WrittenStage>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStage {
    name: String,
    path: Option<String>,
    recipe: Option<toml::Table>,
}

impl Pipeline {
    /// Whether a text is a pipeline's, by its `kind`.
    pub fn is_meant_by(text: &str) -> bool {
        let table: Result<toml::Table, _> = toml::from_str(text);
        table.is_ok_and(|table| table.get("kind").and_then(toml::Value::as_str) == Some("pipeline"))
    }

    /// Parses and checks a pipeline and the recipes of its stages. `origin` names it in errors; `read` has the text of a recipe that a stage
    /// names by its path.
    ///
    /// # Errors
    /// When the text or a recipe is malformed, or a recipe cannot be read.
    pub fn parse(text: &str, origin: &str, read: impl Fn(&str) -> io::Result<String>) -> Result<Self, RecipeError> {
        let parse_error = |reason: &str| RecipeError::Parse {
            origin: origin.to_owned(),
            reason: reason.split_whitespace().collect::<Vec<_>>().join(" "),
        };
        let written: Written = toml::from_str(text).map_err(|error| parse_error(error.message()))?;
        if written.stage.is_empty() {
            return Err(parse_error("there is no [[stage]]"));
        }
        let mut stages: Vec<Stage> = Vec::new();
        for stage in written.stage {
            let name = stage.name.clone();
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            if !is_name || stages.iter().any(|other| other.name == name) {
                let reason = format!("the stage {name:?} needs a name of its own, of letters, digits and hyphens");
                return Err(parse_error(&reason));
            }
            let origin = format!("{origin}, stage {name}");
            let recipe = read_stage(stage, &origin, stages.is_empty(), &read)?;
            stages.push(Stage { name, recipe });
        }
        let last = stages.len() - 1;
        for (at, stage) in stages.iter_mut().enumerate() {
            if let Some(seed) = written.seed {
                stage.recipe.set_seed(seed);
            }
            if at < last {
                stage.recipe.save_merged();
            }
        }
        if let Some(model) = written.model {
            stages[0].recipe.set_model(model);
        }
        Ok(Self { stages })
    }
}

fn read_stage(
    stage: WrittenStage,
    origin: &str,
    is_first: bool,
    read: impl Fn(&str) -> io::Result<String>,
) -> Result<Recipe, RecipeError> {
    let failed = |reason: String| RecipeError::Parse { origin: origin.to_owned(), reason };
    let (mut table, origin) = match (stage.path, stage.recipe) {
        (Some(path), None) => {
            let text = read(&path).map_err(|error| failed(format!("{path}: {error}")))?;
            let table: toml::Table = toml::from_str(&text).map_err(|error| failed(error.message().to_owned()))?;
            (table, format!("{origin} ({path})"))
        }
        (None, Some(table)) if !is_first && table.contains_key("model") => {
            return Err(failed("model is what the stage before makes".to_owned()));
        }
        (None, Some(table)) => (table, origin.to_owned()),
        _ => return Err(failed("a stage has either a path or a table [stage.recipe]".to_owned())),
    };
    table.entry("model").or_insert_with(|| toml::Value::String("bundled".to_owned()));
    let text = toml::to_string(&table).map_err(|error| failed(error.to_string()))?;
    // The text is written anew: its lines are nobody's.
    Recipe::parse(&text, &origin).map_err(|error| match error {
        RecipeError::Parse { reason, .. } => RecipeError::Parse { origin, reason },
        error => error,
    })
}

/// The hash of the files of a folder, by name and content; folders in it are left out.
///
/// # Errors
/// When the system refuses.
pub fn folder_hash(folder: &Path) -> io::Result<String> {
    let mut files: Vec<_> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    files.retain(|path| path.is_file());
    files.sort();
    let mut whole = blake3::Hasher::new();
    for path in files {
        whole.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        let mut content = blake3::Hasher::new();
        content.update_reader(File::open(&path)?)?;
        whole.update(content.finalize().as_bytes());
    }
    Ok(whole.finalize().to_hex()[..16].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TUNED: &str =
        "kind = \"sft\"\nmodel = \"bundled\"\n[examples]\nrepairs_per_family = 1\n[adapter]\nrank = 4\n";

    fn parse(text: &str) -> Result<Pipeline, String> {
        let read = |path: &str| match path {
            "sft.toml" => Ok(TUNED.to_owned()),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        };
        Pipeline::parse(text, "p.toml", read).map_err(|error| error.to_string())
    }

    const BOTH: &str = "kind = \"pipeline\"\n[[stage]]\nname = \"sft\"\npath = \"sft.toml\"\n\
                        [[stage]]\nname = \"rl\"\n[stage.recipe]\nkind = \"grpo\"\n[stage.recipe.grpo]\nnum_steps = 3\n";

    #[test]
    fn stages_are_recipes_in_their_order() {
        assert!(Pipeline::is_meant_by(BOTH) && !Pipeline::is_meant_by(TUNED));
        let pipeline = parse(BOTH).unwrap();
        let names: Vec<&str> = pipeline.stages.iter().map(|stage| stage.name.as_str()).collect();
        assert_eq!(names, ["sft", "rl"]);
        let Recipe::Rl(rl) = &pipeline.stages[1].recipe else { panic!("the kind is grpo") };
        assert_eq!(rl.sizes().num_steps, 3);
        // What follows needs a whole model.
        assert!(pipeline.stages[0].recipe.adapter().unwrap().save_merged);

        let seeded =
            parse(&BOTH.replace("[[stage]]\nname = \"sft\"", "seed = 9\nmodel = \"m\"\n[[stage]]\nname = \"sft\""));
        let seeded = seeded.unwrap();
        assert!(seeded.stages.iter().all(|stage| stage.recipe.seed() == 9));
        assert_eq!((seeded.stages[0].recipe.model(), seeded.stages[1].recipe.model()), ("m", "bundled"));
        // Where the model lies is no part of what a stage is; its seed is.
        let mut moved = seeded.stages[0].clone();
        moved.recipe.set_model("elsewhere".to_owned());
        assert_eq!(moved.hash(), seeded.stages[0].hash());
        assert_ne!(pipeline.stages[0].hash(), seeded.stages[0].hash());
    }

    #[test]
    fn mistakes_name_the_stage() {
        assert_eq!(parse("kind = \"pipeline\"\n").unwrap_err(), "p.toml: there is no [[stage]]");
        let error = parse(&BOTH.replace("sft.toml", "other.toml")).unwrap_err();
        assert!(error.starts_with("p.toml, stage sft: other.toml: "), "{error}");
        let error = parse(&BOTH.replace("num_steps", "num_stepz")).unwrap_err();
        assert!(error.starts_with("p.toml, stage rl: unknown field `num_stepz`"), "{error}");
        let error = parse(&BOTH.replace("kind = \"grpo\"", "kind = \"grpo\"\nmodel = \"m\"")).unwrap_err();
        assert_eq!(error, "p.toml, stage rl: model is what the stage before makes");
        let error = parse(&BOTH.replace("name = \"rl\"", "name = \"sft\"")).unwrap_err();
        assert!(error.contains("the stage \"sft\" needs a name of its own"), "{error}");
        let error = parse(&BOTH.replace("path = \"sft.toml\"\n", "")).unwrap_err();
        assert_eq!(error, "p.toml, stage sft: a stage has either a path or a table [stage.recipe]");
    }

    #[test]
    fn the_hash_of_a_folder_is_that_of_names_and_contents() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("a", "1");
        write("b", "2");
        let before = folder_hash(folder.path()).unwrap();
        write("b", "3");
        assert_ne!(folder_hash(folder.path()).unwrap(), before);
        write("b", "2");
        assert_eq!(folder_hash(folder.path()).unwrap(), before);
    }
}
