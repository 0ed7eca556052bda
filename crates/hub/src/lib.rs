//! Where a published checkpoint comes from: the cache on this machine, or, when asked, a hub that speaks Hugging Face's protocol.
//!
//! [`ModelId`] is a name such as `hf:owner/name@revision`. [`cached`] says in which folder it lies and touches no network;
//! [`download`] brings what is missing, and only what a model needs: configuration, tokenizer, chat template, safetensors. Or it is
//! the name of one GGUF file of a repository.
//!
//! ```
//! use codeward_hub::{HubError, HubSettings, ModelId, cached};
//!
//! let id: ModelId = "hf:owner/name@v1.0".parse()?;
//! let settings = HubSettings::from_variables(|name| (name == "HF_HOME").then(|| "/nowhere".into()))?;
//! assert!(matches!(cached(&settings, &id), Err(HubError::NotCached { .. })));
//! # Ok::<(), HubError>(())
//! ```
//!
//! # The cache
//!
//! It is the one that `huggingface_hub` keeps, in its layout, so that what Python has downloaded is found here and the other way
//! round: `models--owner--name/` with `blobs/<checksum>`, `snapshots/<commit>/<file>` as links to them, and
//! `refs/<revision>` with the commit that a branch was at. `HF_HUB_CACHE` names it, or `HF_HOME` the folder around it.
//!
//! # What a download promises
//!
//! - A file is in its place whole and with the checksum that the hub's listing gives (SHA-256 for large files, git's hash for
//!   small ones), or it is not there.
//! - What a broken connection or a killed process left behind is continued, not repeated.
//! - Two processes do not write one file: the second waits, and finds it there.
//! - No more is read than the listing says, nothing begins that the disk has no room for, and no name from the hub is a path.
//! - The key in `HF_TOKEN` goes to the hub itself, not to where the hub redirects, and into no message.
//!
//! # Why not the `hf-hub` crate
//!
//! Its version 1 stands on `reqwest` and `tokio`, a second HTTP client and a runtime; the versions before resume nothing in their
//! blocking form and compare no checksums. `codeward-endpoint` has the client already.

mod cache;
mod digest;
mod download;
mod error;
mod listing;
mod model_id;
mod settings;
mod transfer;

pub use cache::cached;
pub use download::{Downloaded, download};
pub use error::HubError;
pub use model_id::ModelId;
pub use settings::{HubSettings, Patience};
pub use transfer::Event;
