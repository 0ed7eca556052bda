//! The `[adapter]` table of a recipe: train a low-rank adapter beside frozen weights.

use codeward_lm::{AdapterConfig, Linear};
use serde::{Deserialize, Serialize};

/// A low-rank adapter (LoRA, arXiv 2106.09685) that is trained in place of the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdapterSettings {
    /// Inner dimension of what is added to each matrix.
    pub rank: usize,
    /// What is added is multiplied with `alpha / rank`.
    pub alpha: f32,
    /// Multiply with `alpha / sqrt(rank)` instead (arXiv 2312.03732).
    pub rank_stabilized: bool,
    /// The linear layers that are adapted in every block, by their names in checkpoints.
    pub targets: Vec<String>,
    /// Write the model with the adapter merged in beside the adapter.
    pub save_merged: bool,
}

impl Default for AdapterSettings {
    fn default() -> Self {
        let config = AdapterConfig::default();
        Self {
            rank: config.rank,
            alpha: config.alpha,
            rank_stabilized: config.rank_stabilized,
            targets: config.targets.iter().map(|linear| linear.name().to_owned()).collect(),
            save_merged: false,
        }
    }
}

impl AdapterSettings {
    /// What is computed. `base_model` is noted for those who load the adapter. Nothing if a target is unknown or the
    /// settings are out of range.
    pub(crate) fn config(&self, base_model: &str) -> Option<AdapterConfig> {
        let linear = |name: &String| Linear::ALL.into_iter().find(|linear| linear.name() == name);
        let config = AdapterConfig {
            rank: self.rank,
            alpha: self.alpha,
            rank_stabilized: self.rank_stabilized,
            targets: self.targets.iter().map(linear).collect::<Option<_>>()?,
            base_model: (base_model != "bundled").then(|| base_model.to_owned()),
        };
        config.validate().is_ok().then_some(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_become_the_computation_they_name() {
        assert_eq!(AdapterSettings::default().config("bundled"), Some(AdapterConfig::default()));
        let some = AdapterSettings {
            rank: 4,
            alpha: 6.0,
            targets: ["v_proj", "q_proj"].map(str::to_owned).into(),
            ..AdapterSettings::default()
        };
        let config = some.config("models/mine").unwrap();
        assert_eq!((config.rank, config.scale()), (4, 1.5));
        assert_eq!(config.targets, [Linear::Query, Linear::Value].into());
        assert_eq!(config.base_model.as_deref(), Some("models/mine"));
        for broken in [
            AdapterSettings { rank: 0, ..some.clone() },
            AdapterSettings { alpha: f32::INFINITY, ..some.clone() },
            AdapterSettings { targets: vec!["lm_head".to_owned()], ..some.clone() },
            AdapterSettings { targets: Vec::new(), ..some.clone() },
        ] {
            assert_eq!(broken.config("bundled"), None, "{broken:?}");
        }
    }
}
