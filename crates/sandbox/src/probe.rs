//! What this host enforces, for people and for `codeward doctor`.

use serde::Serialize;

use crate::check::LayerSeen;
use crate::error::{Layer, SandboxError};
use crate::outcome::Isolation;
use crate::pool::{Sandbox, Settings};

/// Every layer with what was tried, and the interpreter that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Probe {
    /// The isolation that programs would run under; nothing runs where there is none.
    pub isolation: Option<Isolation>,
    /// Every layer, in the order of set-up.
    pub layers: Vec<LayerSeen>,
    /// The interpreter that works inside, where one does.
    pub python: Option<Python>,
    /// The version of the kernel's Landlock interface; 0 where it has none.
    pub landlock_version: u32,
    /// Why nothing can be run, where that is so.
    pub problem: Option<String>,
}

/// A Python interpreter that works inside the isolation.
#[derive(Debug, Clone, Serialize)]
pub struct Python {
    /// Its path.
    pub path: String,
    /// Its version.
    pub version: String,
}

/// Starts a sandbox, tries every layer from inside and outside, and ends it again.
pub fn probe() -> Probe {
    probe_with(&Settings::default())
}

/// As `probe`, with settings.
pub fn probe_with(settings: &Settings) -> Probe {
    let landlock_version = crate::host::landlock_abi();
    match Sandbox::start_with(settings) {
        Ok(sandbox) => {
            let (path, version) = sandbox.python();
            Probe {
                isolation: Some(sandbox.isolation()),
                layers: sandbox.layers().to_vec(),
                python: Some(Python { path: path.to_owned(), version: version.to_owned() }),
                landlock_version,
                problem: None,
            }
        }
        Err(error) => {
            let missing = match &error {
                SandboxError::Unavailable { layer, .. } => Some(*layer),
                _ => None,
            };
            let seen = |layer| {
                if Some(layer) == missing {
                    return LayerSeen::new(layer, false, error.to_string());
                }
                LayerSeen { layer, in_force: false, probed: "not reached".to_owned(), hint: None }
            };
            Probe {
                isolation: None,
                layers: Layer::ALL.map(seen).to_vec(),
                python: None,
                landlock_version,
                problem: Some(error.to_string()),
            }
        }
    }
}
