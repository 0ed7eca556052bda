//! Numbers that a run logs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One line of `metrics.jsonl`: a step and its values under `area/name` keys.
///
/// Only reproducible values belong here. Durations go to `timings.jsonl`, so that two runs of one seed can be compared byte by byte.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepMetrics {
    /// The step, from 1; step 0 is the state before training.
    pub step: u64,
    /// The values, ordered by key.
    #[serde(flatten)]
    pub values: BTreeMap<String, f64>,
}

/// An estimate with the bounds of its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The estimate.
    pub value: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}
