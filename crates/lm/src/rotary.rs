//! Rotary wavelengths: how a configuration stretches them for texts longer than those of pretraining, and the tables of
//! a model, whose layers may differ in them.

use crate::config::{ConfigError, ModelConfig, out_of_range};
use crate::kernels::rope::RotaryTable;

/// How the wavelengths of the rotary embedding depart from `theta^(2i / head_dim)`.
///
/// Formulas are those of `modeling_rope_utils.py` in `transformers`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum RopeScaling {
    /// They do not.
    #[default]
    None,
    /// Every wavelength is multiplied by `factor` (position interpolation, Chen et al. 2023).
    Linear {
        /// How much longer texts become.
        factor: f32,
    },
    /// The base grows with the text beyond `max_position_embeddings`. This crate computes no such text, so here it
    /// changes nothing and is only kept for the file.
    Dynamic {
        /// How fast the base grows.
        factor: f32,
    },
    /// Long wavelengths are multiplied by `factor`, short ones stay, those between are blended (Llama 3.1).
    Llama3 {
        /// How much longer texts become.
        factor: f32,
        /// Wavelengths above the original length divided by this are multiplied in full.
        low_freq_factor: f32,
        /// Wavelengths below the original length divided by this stay.
        high_freq_factor: f32,
        /// Positions of pretraining.
        original_max_position_embeddings: usize,
    },
    /// As `Llama3` with a ramp over coordinates in place of one over wavelengths, and with scores sharpened (YaRN, Peng
    /// et al. 2023, equations 17 to 22).
    Yarn {
        /// How much longer texts become.
        factor: f32,
        /// Rotations over the original length above which a coordinate's wavelength stays.
        beta_fast: f32,
        /// Rotations over the original length below which a coordinate's wavelength is multiplied in full.
        beta_slow: f32,
        /// What queries and keys are multiplied with; by default `0.1 ln(factor) + 1`.
        attention_factor: Option<f32>,
        /// Positions of pretraining.
        original_max_position_embeddings: usize,
    },
}

impl RopeScaling {
    /// Checks the ranges in which the formulas are defined.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let positive = |field: &'static str, value: f32| {
            // Written so that NaN fails.
            if value > 0.0 && value.is_finite() {
                return Ok(());
            }
            Err(out_of_range(field, &value, "a finite number above 0".to_owned()))
        };
        let positions = |value: usize| match value {
            0 => Err(out_of_range("original_max_position_embeddings", &value, "1 or more".to_owned())),
            _ => Ok(()),
        };
        match *self {
            Self::None => Ok(()),
            Self::Linear { factor } | Self::Dynamic { factor } => positive("factor", factor),
            Self::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } => {
                positive("factor", factor)?;
                positive("low_freq_factor", low_freq_factor)?;
                positive("high_freq_factor", high_freq_factor)?;
                if high_freq_factor <= low_freq_factor {
                    let expected = format!("above low_freq_factor = {low_freq_factor}");
                    return Err(out_of_range("high_freq_factor", &high_freq_factor, expected));
                }
                positions(original_max_position_embeddings)
            }
            Self::Yarn { factor, beta_fast, beta_slow, attention_factor, original_max_position_embeddings } => {
                positive("factor", factor)?;
                positive("beta_fast", beta_fast)?;
                positive("beta_slow", beta_slow)?;
                attention_factor.map_or(Ok(()), |factor| positive("attention_factor", factor))?;
                positions(original_max_position_embeddings)
            }
        }
    }

    /// Radians per position for each pair of coordinates.
    fn frequencies(&self, head_dim: usize, theta: f32) -> Vec<f32> {
        let theta = f64::from(theta);
        // The power is rounded before it is inverted, as in the reference.
        let plain = |pair: usize| 1.0 / (theta.powf(2.0 * pair as f64 / head_dim as f64) as f32);
        let pairs = 0..head_dim / 2;
        match *self {
            Self::None | Self::Dynamic { .. } => pairs.map(plain).collect(),
            Self::Linear { factor } => pairs.map(|pair| plain(pair) / factor).collect(),
            Self::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } => {
                let [factor, low, high] = [factor, low_freq_factor, high_freq_factor].map(f64::from);
                let blended = |frequency: f64| {
                    let rotations = original_max_position_embeddings as f64 * frequency / std::f64::consts::TAU;
                    // How much of the frequency stays: all above `high` rotations, none below `low`.
                    let kept = ((rotations - low) / (high - low)).clamp(0.0, 1.0);
                    (1.0 - kept) * frequency / factor + kept * frequency
                };
                pairs.map(|pair| blended(f64::from(plain(pair))) as f32).collect()
            }
            Self::Yarn { factor, beta_fast, beta_slow, original_max_position_embeddings, .. } => {
                let factor = f64::from(factor);
                // The coordinate whose wavelength makes so many rotations over the original length.
                let coordinate = |rotations: f32| {
                    let wavelength = original_max_position_embeddings as f64 / f64::from(rotations);
                    head_dim as f64 * (wavelength / std::f64::consts::TAU).ln() / (2.0 * theta.ln())
                };
                let low = coordinate(beta_fast).floor().max(0.0);
                let high = coordinate(beta_slow).ceil().min(head_dim as f64 - 1.0);
                let width = if low == high { 0.001 } else { high - low };
                let blended = |pair: usize| {
                    let stretched = ((pair as f64 - low) / width).clamp(0.0, 1.0);
                    f64::from(plain(pair)) * (stretched / factor + (1.0 - stretched))
                };
                pairs.map(|pair| blended(pair) as f32).collect()
            }
        }
    }

    /// What rotated queries and keys are multiplied with.
    fn magnitude(&self) -> f32 {
        match *self {
            Self::Yarn { attention_factor: Some(given), .. } => given,
            Self::Yarn { factor, .. } if factor > 1.0 => (0.1 * f64::from(factor).ln() + 1.0) as f32,
            _ => 1.0,
        }
    }
}

/// Cosines and sines: `[positions, head_dim / 2]` each.
#[cfg(feature = "libtorch")]
pub(crate) type TableNumbers<'a> = (&'a [f32], &'a [f32]);

/// The rotary tables of a model's layers.
pub(crate) struct RotaryTables {
    common: RotaryTable,
    /// Of the layers that slide, where they have a base of their own.
    local: Option<RotaryTable>,
}

impl RotaryTables {
    /// Tables for positions below `positions`.
    pub(crate) fn new(positions: usize, config: &ModelConfig) -> Self {
        let table = |theta, scaling: RopeScaling| {
            RotaryTable::new(positions, &scaling.frequencies(config.head_dim, theta), scaling.magnitude())
        };
        let local = config.sliding_window.as_ref().and_then(|window| window.local_rope_theta);
        Self {
            common: table(config.rope_theta, config.rope_scaling),
            local: local.map(|theta| table(theta, RopeScaling::None)),
        }
    }

    /// How many positions the tables cover.
    pub(crate) fn num_positions(&self) -> usize {
        self.common.num_positions()
    }

    /// Cosines and sines of the common table, and of that of layers that slide.
    #[cfg(feature = "libtorch")]
    pub(crate) fn numbers(&self) -> (TableNumbers<'_>, Option<TableNumbers<'_>>) {
        (self.common.numbers(), self.local.as_ref().map(RotaryTable::numbers))
    }

    /// The table of a layer.
    pub(crate) fn of_layer(&self, layer: usize, config: &ModelConfig) -> &RotaryTable {
        match &self.local {
            Some(local) if config.window(layer).is_some() => local,
            _ => &self.common,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `ROPE_INIT_FUNCTIONS` of transformers 5.23 for a head of 8, theta 10000 and 64 original positions.
    #[test]
    fn frequencies_match_the_reference() {
        let original_max_position_embeddings = 64;
        let llama3 = RopeScaling::Llama3 {
            factor: 8.0,
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_max_position_embeddings,
        };
        let yarn = RopeScaling::Yarn {
            factor: 4.0,
            beta_fast: 32.0,
            beta_slow: 1.0,
            attention_factor: None,
            original_max_position_embeddings,
        };
        let cases: [(RopeScaling, [f32; 4]); 5] = [
            (RopeScaling::None, [1.0, 0.1, 0.01, 0.001]),
            (RopeScaling::Linear { factor: 4.0 }, [0.25, 0.025, 0.0025, 0.000_25]),
            (RopeScaling::Dynamic { factor: 4.0 }, [1.0, 0.1, 0.01, 0.001]),
            (llama3, [1.0, 0.013_042_256, 0.001_25, 0.000_125]),
            (yarn, [1.0, 0.0625, 0.0025, 0.000_25]),
        ];
        for (scaling, wanted) in cases {
            for (got, wanted) in scaling.frequencies(8, 10_000.0).iter().zip(wanted) {
                assert!((got / wanted - 1.0).abs() < 1e-6, "{scaling:?}: {got} {wanted}");
            }
        }
        assert!((yarn.magnitude() - 1.138_629_4).abs() < 1e-6);
        assert_eq!(llama3.magnitude(), 1.0);
    }
}
