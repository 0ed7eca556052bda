//! Numbers that a run logs.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One line of `metrics.jsonl`: a step and its values under `area/name` keys, all in one JSON object.
///
/// Only reproducible values belong here. Durations go to `timings.jsonl`, so that two runs of one seed can be compared byte by byte.
#[derive(Debug, Clone, PartialEq)]
pub struct StepMetrics {
    /// The step, from 1; step 0 is the state before training.
    pub step: u64,
    /// The values, ordered by key.
    pub values: BTreeMap<String, f64>,
}

impl Serialize for StepMetrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.values.len() + 1))?;
        map.serialize_entry("step", &self.step)?;
        for (key, value) in &self.values {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for StepMetrics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut values = BTreeMap::<String, f64>::deserialize(deserializer)?;
        let step = values.remove("step").ok_or_else(|| D::Error::missing_field("step"))?;
        if step < 0.0 || step.fract() != 0.0 {
            return Err(D::Error::custom(format!("step is {step}, not a count")));
        }
        Ok(Self { step: step as u64, values })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_flat_object() {
        let metrics = StepMetrics { step: 3, values: BTreeMap::from([("reward/mean".to_owned(), 0.5)]) };
        let line = serde_json::to_string(&metrics).unwrap();
        assert_eq!(line, r#"{"step":3,"reward/mean":0.5}"#);
        assert_eq!(serde_json::from_str::<StepMetrics>(&line).unwrap(), metrics);
        for wrong in [r#"{"reward/mean":0.5}"#, r#"{"step":1.5}"#, r#"{"step":-1}"#, r#"{"step":1,"x":null}"#] {
            assert!(serde_json::from_str::<StepMetrics>(wrong).is_err(), "{wrong}");
        }
    }
}
