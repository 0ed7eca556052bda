//! The identity of a run.

use serde::{Deserialize, Serialize};

/// What a run folder's `manifest.json` holds: enough to tell whether two runs should give the same numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this shape.
    pub format: u32,
    /// Version of Codeward that wrote the run.
    pub codeward: String,
    /// The seed that every random draw comes from.
    pub seed: u64,
    /// Content hash of the resolved recipe.
    pub recipe_hash: String,
    /// Content hash of the starting checkpoint's weights.
    pub model_hash: String,
    /// Content hash of the tasks.
    pub tasks_hash: String,
    /// Threads that the numeric work used; results repeat at the same count.
    pub threads: usize,
    /// Isolation level that the sandbox enforced.
    pub isolation: String,
}

impl Manifest {
    /// The current version of the shape.
    pub const FORMAT: u32 = 1;
}
