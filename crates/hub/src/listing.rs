//! What a hub says is in a repository, and which of it a model needs.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::digest::Checksum;
use crate::error::HubError;
use crate::model_id::{ModelId, has_extension, is_commit, is_plain};

/// What every model has.
pub(crate) const CONFIG: &str = "config.json";
/// The weights in one file.
pub(crate) const WEIGHTS: &str = "model.safetensors";
/// The list of weight files, if there are several.
pub(crate) const INDEX: &str = "model.safetensors.index.json";

/// The largest file beside the weights; the largest published tokenizers have a third of it.
pub(crate) const MAX_TEXT_BYTES: u64 = 100 << 20;

/// The most weight files of a model; the largest published ones have a fifth of this.
const MAX_SHARDS: usize = 1000;

/// Files beside configuration and weights that a model may have.
const COMPANIONS: [&str; 10] = [
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
];

/// Files that are looked for where there are no safetensors, to say what there is instead.
const OTHER_WEIGHTS: [&str; 5] = ["gguf", "bin", "pt", "pth", "safetensors"];

/// A file in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemoteFile {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) checksum: Checksum,
}

/// A repository at a commit.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) commit: String,
    files: BTreeMap<String, Sibling>,
}

#[derive(Deserialize)]
struct WireListing {
    sha: String,
    siblings: Vec<Sibling>,
}

/// A file as the hub writes it. Names of files that we do not need may be anything.
#[derive(Debug, Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    #[serde(rename = "blobId")]
    blob_id: Option<String>,
    lfs: Option<LargeFile>,
}

#[derive(Debug, Deserialize)]
struct LargeFile {
    sha256: String,
    size: u64,
}

/// The part of an index of weight files that we need.
#[derive(Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

impl Listing {
    /// Reads a hub's answer.
    pub(crate) fn parse(id: &ModelId, json: &[u8]) -> Result<Self, HubError> {
        let wrong = |problem: String| HubError::Listing { id: id.to_string(), problem };
        let wire: WireListing =
            serde_json::from_slice(json).map_err(|error| wrong(format!("cannot be understood: {error}")))?;
        if !is_commit(&wire.sha) {
            return Err(wrong("names no commit".to_owned()));
        }
        let files = wire.siblings.into_iter().map(|sibling| (sibling.rfilename.clone(), sibling)).collect();
        Ok(Self { commit: wire.sha, files })
    }

    /// A file that is needed.
    fn file(&self, id: &ModelId, name: &str) -> Result<RemoteFile, HubError> {
        let wrong = |problem: &str| HubError::Listing { id: id.to_string(), problem: format!("{problem} {name}") };
        let sibling = self.files.get(name).ok_or_else(|| HubError::NoModel {
            id: id.to_string(),
            missing: name.to_owned(),
            instead: None,
        })?;
        let (size, checksum) = match &sibling.lfs {
            Some(large) => (Some(large.size), Checksum::sha256(&large.sha256)),
            None => (sibling.size, sibling.blob_id.as_deref().and_then(Checksum::git)),
        };
        let checksum = checksum.ok_or_else(|| wrong("has no checksum of"))?;
        let size = size.ok_or_else(|| wrong("has no length of"))?;
        Ok(RemoteFile { name: name.to_owned(), size, checksum })
    }

    /// A file beside the weights, which has to be of a size that such files have.
    fn text_file(&self, id: &ModelId, name: &str) -> Result<RemoteFile, HubError> {
        let file = self.file(id, name)?;
        if file.size > MAX_TEXT_BYTES {
            let (found, limit) = (file.size, MAX_TEXT_BYTES);
            return Err(HubError::TooLarge { id: id.to_string(), file: file.name, found, limit });
        }
        Ok(file)
    }

    /// The one file that the name names.
    pub(crate) fn one(&self, id: &ModelId, name: &str) -> Result<RemoteFile, HubError> {
        self.file(id, name)
    }

    /// Configuration, tokenizer and what else goes with a model, and the index of its weights if they are in several files.
    ///
    /// # Errors
    /// If the repository holds no model.
    pub(crate) fn companions(&self, id: &ModelId) -> Result<Vec<RemoteFile>, HubError> {
        let has = |name: &str| self.files.contains_key(name);
        if !has(WEIGHTS) && !has(INDEX) {
            let other = |name: &&String| OTHER_WEIGHTS.iter().any(|extension| has_extension(name, extension));
            let instead = self.files.keys().find(other).filter(|name| is_plain(name)).cloned();
            return Err(HubError::NoModel { id: id.to_string(), missing: WEIGHTS.to_owned(), instead });
        }
        let mut names = vec![CONFIG];
        names.extend(COMPANIONS.iter().filter(|name| has(name)));
        if !has(WEIGHTS) {
            names.push(INDEX);
        }
        names.into_iter().map(|name| self.text_file(id, name)).collect()
    }

    /// The weights: the one file, or those that `index` names, whose text is read for it.
    pub(crate) fn weights(
        &self,
        id: &ModelId,
        index: impl FnOnce() -> Result<Vec<u8>, HubError>,
    ) -> Result<Vec<RemoteFile>, HubError> {
        if self.files.contains_key(WEIGHTS) {
            return Ok(vec![self.file(id, WEIGHTS)?]);
        }
        let shards = shards(&index()?).map_err(|problem| HubError::Listing { id: id.to_string(), problem })?;
        shards.iter().map(|name| self.file(id, name)).collect()
    }
}

/// The weight files that an index names. Each has to be a plain name.
pub(crate) fn shards(index: &[u8]) -> Result<BTreeSet<String>, String> {
    let index: ShardIndex =
        serde_json::from_slice(index).map_err(|error| format!("has an index that cannot be understood: {error}"))?;
    let names: BTreeSet<String> = index.weight_map.into_values().collect();
    if names.is_empty() || names.len() > MAX_SHARDS {
        return Err(format!("has an index with {} weight files, expected 1 to {MAX_SHARDS}", names.len()));
    }
    match names.iter().find(|name| !is_plain(name) || !has_extension(name, "safetensors")) {
        Some(foreign) => Err(format!("has an index that names {foreign:?}, expected a .safetensors file beside it")),
        None => Ok(names),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn id() -> ModelId {
        "hf:a/b".parse().unwrap()
    }

    fn small(name: &str) -> Value {
        json!({"rfilename": name, "size": 3, "blobId": "1".repeat(40)})
    }

    fn large(name: &str) -> Value {
        let lfs = json!({"sha256": "2".repeat(64), "size": 7, "pointerSize": 135});
        json!({"rfilename": name, "size": 7, "blobId": "1".repeat(40), "lfs": lfs})
    }

    fn listing(siblings: &[Value]) -> Listing {
        let json = json!({"id": "a/b", "sha": COMMIT, "private": false, "siblings": siblings});
        Listing::parse(&id(), json.to_string().as_bytes()).unwrap()
    }

    fn names(files: &[RemoteFile]) -> Vec<&str> {
        files.iter().map(|file| file.name.as_str()).collect()
    }

    #[test]
    fn what_a_model_needs_and_nothing_else() {
        let listing = listing(&[
            small("README.md"),
            small("config.json"),
            small("../evil"),
            large("tokenizer.json"),
            large("model.safetensors"),
            small("model.safetensors.index.json"),
            large("pytorch_model.bin"),
            large("onnx/model.onnx"),
            small("modeling_custom.py"),
        ]);
        let companions = listing.companions(&id()).unwrap();
        assert_eq!(names(&companions), ["config.json", "tokenizer.json"]);
        assert_eq!((companions[0].size, companions[0].checksum.kind()), (3, "git"));
        assert_eq!((companions[1].size, companions[1].checksum.kind()), (7, "SHA-256"));
        let weights = listing.weights(&id(), || unreachable!("one file has no index")).unwrap();
        assert_eq!(names(&weights), ["model.safetensors"]);
    }

    #[test]
    fn shards_are_those_of_the_index() {
        let listing = listing(&[
            small("config.json"),
            small(INDEX),
            large("model-1.safetensors"),
            large("model-2.safetensors"),
            large("other.safetensors"),
        ]);
        assert_eq!(names(&listing.companions(&id()).unwrap()), ["config.json", INDEX]);
        let of = |map: Value| listing.weights(&id(), || Ok(json!({"weight_map": map}).to_string().into_bytes()));
        let found = of(json!({"x": "model-2.safetensors", "y": "model-1.safetensors", "z": "model-2.safetensors"}));
        assert_eq!(names(&found.unwrap()), ["model-1.safetensors", "model-2.safetensors"]);
        for (map, problem) in [
            (json!({"x": "../../model-1.safetensors"}), "expected a .safetensors file beside it"),
            (json!({"x": "/etc/passwd"}), "expected a .safetensors file beside it"),
            (json!({"x": "a\\b.safetensors"}), "expected a .safetensors file beside it"),
            (json!({"x": ".hidden.safetensors"}), "expected a .safetensors file beside it"),
            (json!({"x": "config.json"}), "expected a .safetensors file beside it"),
            (json!({}), "0 weight files"),
            (json!([]), "cannot be understood"),
            (json!({"x": "model-3.safetensors"}), "has no model-3.safetensors"),
        ] {
            let error = of(map).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn a_repository_without_a_model_says_what_is_missing() {
        let problem = |siblings: &[Value]| listing(siblings).companions(&id()).unwrap_err().to_string();
        let bin = [small("config.json"), large("pytorch_model.bin")];
        assert_eq!(problem(&bin), "hf:a/b has no model.safetensors, only pytorch_model.bin");
        assert_eq!(problem(&[large("x.Q8_0.gguf")]), "hf:a/b has no model.safetensors, only x.Q8_0.gguf");
        assert_eq!(problem(&[large("../x.gguf")]), "hf:a/b has no model.safetensors");
        assert_eq!(problem(&[large(WEIGHTS)]), "hf:a/b has no config.json");
    }

    #[test]
    fn a_listing_that_lies_is_refused() {
        let parse = |json: &str| Listing::parse(&id(), json.as_bytes()).map(|_| ()).unwrap_err().to_string();
        assert!(parse("<html>").contains("cannot be understood"));
        assert!(parse(r#"{"sha": "../../x", "siblings": []}"#).contains("names no commit"));
        let with = |file: Value| listing(&[file, large(WEIGHTS)]).companions(&id()).unwrap_err().to_string();
        assert!(with(json!({"rfilename": CONFIG, "size": 3, "blobId": "../x"})).contains("no checksum of config.json"));
        assert!(with(json!({"rfilename": CONFIG, "size": 3})).contains("no checksum of config.json"));
        assert!(with(json!({"rfilename": CONFIG, "blobId": "1".repeat(40)})).contains("no length of config.json"));
        let lfs = json!({"sha256": "x", "size": 1});
        let mixed = json!({"rfilename": CONFIG, "size": 3, "blobId": "1".repeat(40), "lfs": lfs});
        assert!(with(mixed).contains("no checksum of config.json"));
        let huge = json!({"rfilename": CONFIG, "size": MAX_TEXT_BYTES + 1, "blobId": "1".repeat(40)});
        assert!(with(huge).contains("expected no more than"));
    }
}
