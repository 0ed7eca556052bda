//! What can go wrong between a name and a folder with a model in it.

use std::io;
use std::path::PathBuf;

use codeward_endpoint::EndpointError;

/// Why a model cannot be had. No variant ever holds the key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// A name is not one of a model on a hub.
    #[error("{name:?} {problem}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// There is no place for a cache.
    #[error("no folder for downloaded models: none of HF_HUB_CACHE, HF_HOME and HOME is set")]
    NoCache,
    /// A setting of the environment cannot be used.
    #[error("{variable}: {source}")]
    Setting {
        /// The variable.
        variable: &'static str,
        /// What is wrong with it.
        source: EndpointError,
    },
    /// A download was asked for where the environment forbids all.
    #[error("{variable} forbids downloads")]
    Offline {
        /// The variable that does.
        variable: &'static str,
    },
    /// The model is not in the cache.
    #[error("{id} is not in the cache {cache:?}")]
    NotCached {
        /// The model.
        id: String,
        /// The cache.
        cache: PathBuf,
    },
    /// The cache has a part of the model.
    #[error("{id} is in the cache without its {missing}")]
    Incomplete {
        /// The model.
        id: String,
        /// The first file that is missing.
        missing: String,
    },
    /// The hub does not give the repository or a file of it.
    #[error("{id}: {file}: {source}")]
    Exchange {
        /// The model.
        id: String,
        /// The file, or the listing.
        file: String,
        /// What the exchange came to.
        source: EndpointError,
    },
    /// Every attempt at a file failed.
    #[error("{id}: {file}: gave up after {attempts} attempts, the last: {source}")]
    GaveUp {
        /// The model.
        id: String,
        /// The file.
        file: String,
        /// Attempts since the last byte.
        attempts: u32,
        /// What the last of them came to.
        source: EndpointError,
    },
    /// The hub's description of the repository is not what it should be.
    #[error("{id}: the hub's listing {problem}")]
    Listing {
        /// The model.
        id: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The repository holds no model that this program reads.
    #[error("{id} has no {missing}{}", instead.as_ref().map(|name| format!(", only {name}")).unwrap_or_default())]
    NoModel {
        /// The model.
        id: String,
        /// What would have to be there.
        missing: String,
        /// What is there in its place.
        instead: Option<String>,
    },
    /// A file has other bytes than the hub's listing says.
    #[error("{id}: {file} has the {kind} checksum {found}, expected {expected}")]
    WrongChecksum {
        /// The model.
        id: String,
        /// The file.
        file: String,
        /// Which checksum.
        kind: &'static str,
        /// The checksum by the listing.
        expected: String,
        /// The checksum of what came.
        found: String,
    },
    /// A file has another length than the hub's listing says.
    #[error("{id}: {file} would have {found} bytes, expected {expected}")]
    WrongLength {
        /// The model.
        id: String,
        /// The file.
        file: String,
        /// Bytes by the listing.
        expected: u64,
        /// Bytes that the server has.
        found: u64,
    },
    /// A file is larger than any of its kind.
    #[error("{id}: {file} has {found} bytes, expected no more than {limit}")]
    TooLarge {
        /// The model.
        id: String,
        /// The file.
        file: String,
        /// Bytes by the listing.
        found: u64,
        /// The most that is taken.
        limit: u64,
    },
    /// The disk has too little room.
    #[error("{id} needs {needed} more bytes in {cache:?}, which has {available}")]
    NoRoom {
        /// The model.
        id: String,
        /// Bytes to download.
        needed: u64,
        /// Bytes that are free.
        available: u64,
        /// The cache.
        cache: PathBuf,
    },
    /// A file of the cache could not be read or written.
    #[error("{path:?}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl HubError {
    /// What the user can do about it, where we know.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Name { .. } => "names look like hf:owner/name, hf:owner/name@revision or hf:owner/name/file.gguf".to_owned(),
            Self::NoCache => "set HF_HOME to a folder that can be written".to_owned(),
            Self::Setting { variable: "HF_TOKEN", .. } => "set HF_TOKEN to the token alone, or unset it".to_owned(),
            Self::Setting { .. } => "set it to an address such as https://huggingface.co, or unset it".to_owned(),
            Self::Offline { variable } => format!("unset {variable}, or leave out --download to use what is in the cache"),
            Self::NotCached { id, .. } | Self::Incomplete { id, .. } => {
                format!("download it with `codeward model download {id}`, or add --download to this command")
            }
            Self::Exchange { source: EndpointError::Refused { status: 401 | 403, .. }, .. } => {
                "it is private, has terms to accept on its page, or does not exist: set HF_TOKEN to a token that may read it".to_owned()
            }
            Self::Exchange { source: EndpointError::Refused { status: 404, .. }, .. } => {
                "is the name right, and the revision after the @? What is private needs HF_TOKEN".to_owned()
            }
            Self::Exchange { .. } | Self::GaveUp { .. } => {
                "try again later: what has come is kept, and the download goes on from there".to_owned()
            }
            Self::NoModel { .. } => "a model needs config.json and safetensors; GGUF files are named one by one, as hf:owner/name/file.gguf".to_owned(),
            Self::WrongChecksum { .. } | Self::WrongLength { .. } => {
                "nothing of the file was kept; try again, and if it stays so do not trust the server in HF_ENDPOINT".to_owned()
            }
            Self::NoRoom { .. } => "free some disk space, or set HF_HUB_CACHE to a folder with room".to_owned(),
            Self::File { .. } => "set HF_HUB_CACHE to a folder that can be written".to_owned(),
            Self::Listing { .. } | Self::TooLarge { .. } => return None,
        })
    }
}
