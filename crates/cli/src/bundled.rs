//! What is compiled into the binary: the tiny model and the recipes.

use std::fs;

use tempfile::TempDir;

use crate::failure::Failure;

/// Files of `models/codeward-tiny`.
const MODEL: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/codeward_tiny.rs"));

/// Recipes that are known by name.
pub(crate) const RECIPES: &[(&str, &str)] = &[
    ("quickstart", include_str!("../../../recipes/quickstart/recipe.toml")),
    ("tiny-base", include_str!("../../../recipes/tiny-base/recipe.toml")),
];

/// The bundled model, laid out in a folder that lives as long as the value.
pub(crate) fn model() -> Result<TempDir, Failure> {
    if MODEL.len() < 3 {
        return Err(Failure::new(
            "this binary was built without the bundled model",
            "make it with `codeward train tiny-base`, or name a model folder with --model",
        ));
    }
    let hint = "the bundled model is unpacked into the temporary folder: set TMPDIR to one that can be written";
    let temporary = |error: &std::io::Error| Failure::new(format!("temporary folder: {error}"), hint);
    let folder = tempfile::tempdir().map_err(|error| temporary(&error))?;
    for (name, bytes) in MODEL {
        fs::write(folder.path().join(name), bytes).map_err(|error| temporary(&error))?;
    }
    Ok(folder)
}

/// The text of a bundled recipe.
pub(crate) fn recipe(name: &str) -> Option<&'static str> {
    RECIPES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
