//! The recipes that come with Codeward.

use toml::Table;

use super::{Mode, RecipeError, RewardRecipe};

/// Every one, by name and mode. The first of a name is the one that is meant when no mode is given.
const BUILT_IN: [(&str, Mode, &str); 7] = [
    ("codeward", Mode::Ours, include_str!("../../recipes/codeward.toml")),
    ("securecoderl", Mode::Corrected, include_str!("../../recipes/securecoderl-corrected.toml")),
    ("securecoderl", Mode::Faithful, include_str!("../../recipes/securecoderl-faithful.toml")),
    ("seccoderx", Mode::Corrected, include_str!("../../recipes/seccoderx-corrected.toml")),
    ("seccoderx", Mode::Faithful, include_str!("../../recipes/seccoderx-faithful.toml")),
    ("srcode", Mode::Ours, include_str!("../../recipes/srcode.toml")),
    ("binary", Mode::Ours, include_str!("../../recipes/binary.toml")),
];

pub(super) fn table(name: &str, mode: Option<Mode>) -> Result<Table, RecipeError> {
    let text = text(name, mode)?;
    toml::from_str(text).map_err(|error| RecipeError::Form(error.to_string()))
}

fn text(name: &str, mode: Option<Mode>) -> Result<&'static str, RecipeError> {
    let found = BUILT_IN.iter().find(|(known, of, _)| *known == name && mode.is_none_or(|mode| mode == *of));
    let known = || BUILT_IN.map(|(name, mode, _)| format!("{name}/{}", mode.name())).join(", ");
    found.map(|(_, _, text)| *text).ok_or_else(|| RecipeError::Unknown { name: name.to_owned(), mode, known: known() })
}

impl RewardRecipe {
    /// A recipe that comes with Codeward. Without a mode, the mended one of the name.
    ///
    /// # Errors
    /// If there is none; the error lists those that there are.
    pub fn built_in(name: &str, mode: Option<Mode>) -> Result<Self, RecipeError> {
        Self::parse(text(name, mode)?)
    }

    /// A built-in recipe by its title, such as `seccoderx/faithful`, or by its name alone.
    ///
    /// # Errors
    /// If there is none; the error lists those that there are.
    pub fn by_title(title: &str) -> Result<Self, RecipeError> {
        let (name, mode) = title.split_once('/').map_or((title, None), |(name, mode)| (name, Some(mode)));
        let modes = [Mode::Faithful, Mode::Corrected, Mode::Ours];
        match mode.map(|wanted| modes.into_iter().find(|mode| mode.name() == wanted)) {
            None => Self::built_in(name, None),
            Some(Some(mode)) => Self::built_in(name, Some(mode)),
            Some(None) => Self::built_in(title, None),
        }
    }

    /// Every recipe that comes with Codeward.
    pub fn all_built_in() -> Vec<Self> {
        BUILT_IN.iter().map(|(_, _, text)| Self::parse(text).expect("built-in recipes are tested")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_says_what_the_list_says() {
        for (name, mode, text) in BUILT_IN {
            let recipe = RewardRecipe::parse(text).unwrap();
            assert_eq!((recipe.name.as_str(), recipe.mode), (name, mode));
            assert!(!recipe.summary.is_empty(), "{name}");
            assert_eq!(RewardRecipe::parse(&recipe.to_toml()).unwrap(), recipe);
            assert_eq!(recipe.warnings(), [], "{}", recipe.title());
            assert_eq!(RewardRecipe::by_title(&recipe.title()).unwrap(), recipe);
        }
    }

    #[test]
    fn ranges_are_the_published_ones() {
        let range = |title: &str| RewardRecipe::by_title(title).unwrap().range();
        assert_eq!(range("securecoderl/faithful"), (0.0, 1.0));
        assert_eq!(range("securecoderl/corrected"), (0.0, 1.0));
        assert_eq!(range("seccoderx/corrected"), (0.0, 1.0));
        assert_eq!(range("codeward"), (0.0, 1.0));
        assert_eq!(range("binary"), (0.0, 1.0));
        // Bounds of the sum; the products go together, so that the least value reached is -7.
        assert_eq!(range("seccoderx/faithful"), (-10.0, 8.0));
    }

    #[test]
    fn some_keys_may_be_changed_and_unknown_ones_are_errors() {
        let changed = RewardRecipe::parse("name = \"seccoderx\"\n[judge]\nunknown = 0.25\n").unwrap();
        let own = RewardRecipe::built_in("seccoderx", None).unwrap();
        assert_eq!(changed.judge.unknown, Some(0.25));
        assert_eq!(changed.terms, own.terms);
        assert_ne!(changed.content_hash(), own.content_hash());
        let error = |text: &str| RewardRecipe::parse(text).unwrap_err().to_string();
        assert!(error("name = \"nobody\"").contains("codeward/ours"), "{}", error("name = \"nobody\""));
        assert!(error("name = \"binary\"\nmode = \"faithful\"").contains("in mode \"faithful\""));
        assert!(error("name = \"binary\"\nweights = 1.0").contains("weights"));
        assert!(error("name = \"binary\"\n[security]\nhighest = 1.0").contains("highest"));
        assert!(error("name = \"x\"\nmode = \"ours\"\nterms = []").contains("terms"));
        assert!(
            error("name = \"x\"\nmode = \"ours\"\n[[terms]]\nweight = 1.0\nproduct = [\"fun\"]").contains("\"fun\"")
        );
    }
}
