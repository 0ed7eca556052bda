//! Names of models on a hub.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::error::HubError;

/// What every name begins with.
const PREFIX: &str = "hf:";

/// Longest owner, name, revision or file; the hub takes 96 for each of the first two.
const MAX_PART_BYTES: usize = 200;

/// A repository of a model on a hub, at a revision, or one GGUF file of it: `hf:owner/name[/file.gguf][@revision]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelId {
    owner: String,
    name: String,
    file: Option<String>,
    revision: Option<String>,
}

impl ModelId {
    /// Whether a text is meant as such a name rather than as a path.
    pub fn is_meant_by(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// The user or organisation.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The repository's name below its owner.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The one file that is meant, if it is one.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// The branch, tag or commit.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or("main")
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{PREFIX}{}/{}", self.owner, self.name)?;
        if let Some(file) = &self.file {
            write!(formatter, "/{file}")?;
        }
        if let Some(revision) = &self.revision {
            write!(formatter, "@{revision}")?;
        }
        Ok(())
    }
}

impl FromStr for ModelId {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        let wrong = |problem| HubError::Name { name: text.to_owned(), problem };
        let rest = text.strip_prefix(PREFIX).ok_or_else(|| wrong("does not begin with hf:"))?;
        let (place, revision) = match rest.split_once('@') {
            Some((place, revision)) => (place, Some(revision)),
            None => (rest, None),
        };
        let mut parts = place.split('/');
        let (Some(owner), Some(name)) = (parts.next(), parts.next()) else {
            return Err(wrong("is not hf:owner/name"));
        };
        let (file, more) = (parts.next(), parts.next());
        if more.is_some() {
            return Err(wrong("has more than owner, name and one file"));
        }
        // Two hyphens separate the parts of a folder's name in the cache.
        if ![owner, name].iter().all(|part| is_plain(part) && !part.contains("--") && !part.starts_with('-')) {
            return Err(wrong("has an owner or a name with other than letters, digits, '.', '_' and '-'"));
        }
        if file.is_some_and(|file| !is_plain(file) || !has_extension(file, "gguf")) {
            return Err(wrong("names a file that is no .gguf file"));
        }
        if revision.is_some_and(|revision| !is_revision(revision)) {
            return Err(wrong("has a revision that is neither branch, tag nor commit"));
        }
        let owned = |part: Option<&str>| part.map(str::to_owned);
        Ok(Self { owner: owner.to_owned(), name: name.to_owned(), file: owned(file), revision: owned(revision) })
    }
}

/// Whether a text is one name of a file or folder on every system, and no hidden one.
pub(crate) fn is_plain(name: &str) -> bool {
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    letters && !name.is_empty() && name.len() <= MAX_PART_BYTES && !name.starts_with('.') && !name.contains("..")
}

/// Whether a name ends with a point and this, in small letters.
pub(crate) fn has_extension(name: &str, extension: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == extension)
}

/// Whether a text can be the name of a branch, tag or commit; branches may have several parts.
fn is_revision(revision: &str) -> bool {
    revision.len() <= MAX_PART_BYTES && revision.split('/').all(|part| is_plain(part) && !has_extension(part, "lock"))
}

/// Whether a text is a whole commit.
pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ModelId {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_has_owner_name_file_and_revision() {
        let id = parse("hf:HuggingFaceTB/SmolLM2-135M");
        assert_eq!((id.owner(), id.name(), id.file(), id.revision()), ("HuggingFaceTB", "SmolLM2-135M", None, "main"));
        let id = parse("hf:a/b.c_d/model.Q8_0.gguf@refs/pr/1");
        assert_eq!((id.name(), id.file(), id.revision()), ("b.c_d", Some("model.Q8_0.gguf"), "refs/pr/1"));
        for text in ["hf:a/b", "hf:a/b@v1.0", "hf:a/b/c.gguf", "hf:a/b/c.gguf@main"] {
            assert_eq!(parse(text).to_string(), text);
        }
        assert!(ModelId::is_meant_by("hf:") && !ModelId::is_meant_by("models/hf"));
    }

    #[test]
    fn names_that_could_be_paths_are_refused() {
        for text in [
            "a/b",
            "hf:",
            "hf:a",
            "hf:a/",
            "hf:/b",
            "hf:../b",
            "hf:a/..",
            "hf:a/b/../c.gguf",
            "hf:a/b/c",
            "hf:a/.b",
            "hf:a/b/c.safetensors",
            "hf:a/b/.gguf",
            "hf:a/b@",
            "hf:a/b@../x",
            "hf:a/b@x/../../y",
            "hf:a/b@/x",
            "hf:a/b@x//y",
            "hf:a/b@x\\y",
            "hf:a/b@x@y",
            "hf:a/b@main.lock",
            "hf:a b/c",
            "hf:a/b?x=1",
            "hf:a/b#x",
            "hf:a%2f/b",
            "hf:a--b/c",
            "hf:-a/b",
            "hf:ä/b",
            "hf:a/b\n",
            "hf:a/b@\0",
        ] {
            assert!(matches!(text.parse::<ModelId>(), Err(HubError::Name { .. })), "{text:?}");
        }
        assert!(format!("hf:a/{}", "b".repeat(201)).parse::<ModelId>().is_err());
    }

    #[test]
    fn a_commit_is_forty_digits() {
        assert!(is_commit("0123456789abcdef0123456789abcdef01234567"));
        assert!(!is_commit("main") && !is_commit(&"A".repeat(40)) && !is_commit(&"0".repeat(39)));
    }
}
