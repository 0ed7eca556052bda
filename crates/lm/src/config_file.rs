//! `config.json`: from what the file says to what is computed, and back.
//!
//! Missing keys get the defaults of `configuration_<family>.py` in `transformers`. Files are written in the spelling of
//! its older versions (`rope_theta`, `rope_scaling`), which newer ones read as well.

use std::fmt::Display;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{ConfigError, Family, ModelConfig, SlidingWindow, out_of_range};
use crate::rotary::RopeScaling;

/// The word for a layer that sees everything before it.
const FULL: &str = "full_attention";
/// The word for a layer that sees a window.
const SLIDING: &str = "sliding_attention";

/// `config.json` as it stands in the file. Unknown keys are ignored, as every library adds its own.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct ConfigFile {
    #[serde(default)]
    architectures: Vec<String>,
    #[serde(default)]
    model_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden_act: Option<String>,
    /// Gemma's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden_activation: Option<String>,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head_dim: Option<usize>,
    vocab_size: usize,
    #[serde(default = "default_eps")]
    rms_norm_eps: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    rope_theta: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rope_local_base_freq: Option<f64>,
    /// Where newer files keep the rotary settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    rope_parameters: Option<RopeFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rope_scaling: Option<RopeFile>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partial_rotary_factor: Option<f64>,
    max_position_embeddings: usize,
    tie_word_embeddings: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attention_bias: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mlp_bias: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query_pre_attn_scalar: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    use_sliding_window: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sliding_window: Option<usize>,
    /// In Qwen: the layers from this one on slide.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_window_layers: Option<usize>,
    /// In Gemma: every so many-th layer does not slide.
    #[serde(skip_serializing_if = "Option::is_none")]
    sliding_window_pattern: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_types: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    final_logit_softcapping: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attn_logit_softcapping: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    use_bidirectional_attention: Option<bool>,
    bos_token_id: Option<Value>,
    eos_token_id: Option<Value>,
    /// Written for other readers; here the tensors themselves say what they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) torch_dtype: Option<String>,
}

/// The rotary settings, in all spellings together.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct RopeFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    rope_type: Option<String>,
    /// The older name of `rope_type`; some files have both.
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rope_theta: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    low_freq_factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high_freq_factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    beta_fast: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    beta_slow: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attention_factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mscale: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mscale_all_dim: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    truncate: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partial_rotary_factor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_max_position_embeddings: Option<usize>,
    /// Settings per kind of layer: Gemma's newer files.
    #[serde(skip_serializing_if = "Option::is_none")]
    full_attention: Option<Box<RopeFile>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sliding_attention: Option<Box<RopeFile>>,
}

fn default_eps() -> f64 {
    1e-6
}

fn unsupported<T>(field: &'static str, found: &dyn Display, expected: &'static str) -> Result<T, ConfigError> {
    Err(ConfigError::UnsupportedFeature { field, found: found.to_string(), expected })
}

impl TryFrom<ConfigFile> for ModelConfig {
    type Error = ConfigError;

    fn try_from(file: ConfigFile) -> Result<Self, ConfigError> {
        let name = FamilyName { architectures: file.architectures.clone(), model_type: file.model_type.clone() };
        let family = name.family()?;
        file.require_supported(family)?;
        let gemma = family == Family::Gemma3;
        let heads = file.num_attention_heads;
        let head_dim = file.head_dim.unwrap_or_else(|| match family {
            Family::Llama | Family::Qwen2 => file.hidden_size.checked_div(heads).unwrap_or(0),
            Family::Qwen3 => 128,
            Family::Gemma3 => 256,
        });
        let config = Self {
            family,
            hidden_size: file.hidden_size,
            intermediate_size: file.intermediate_size,
            num_hidden_layers: file.num_hidden_layers,
            num_attention_heads: heads,
            num_key_value_heads: file.num_key_value_heads.unwrap_or(if gemma { 4 } else { heads }),
            head_dim,
            vocab_size: file.vocab_size,
            rms_norm_eps: file.rms_norm_eps as f32,
            rope_theta: file.rope_theta(family),
            rope_scaling: file.rope_scaling()?,
            sliding_window: file.sliding_window(family)?,
            query_pre_attn_scalar: gemma.then(|| file.query_pre_attn_scalar.unwrap_or(256)),
            attention_bias: file.attention_bias.unwrap_or(false) || family == Family::Qwen2,
            mlp_bias: file.mlp_bias.unwrap_or(false) && family == Family::Llama,
            max_position_embeddings: file.max_position_embeddings,
            tie_word_embeddings: file.tie_word_embeddings.unwrap_or(gemma),
            bos_token_id: token_id("bos_token_id", file.bos_token_id.as_ref())?,
            eos_token_id: token_id("eos_token_id", file.eos_token_id.as_ref())?,
        };
        config.validate()?;
        Ok(config)
    }
}

/// The part of the file that names the family. Other families have other keys, so it is read before the rest.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct FamilyName {
    architectures: Vec<String>,
    model_type: String,
}

impl FamilyName {
    /// The family, if it is one that this crate computes.
    pub(crate) fn family(&self) -> Result<Family, ConfigError> {
        let found = self.architectures.first().unwrap_or(&self.model_type);
        let known = Family::ALL.into_iter().find(|family| {
            let traits = family.traits();
            if self.architectures.is_empty() { found == traits.model_type } else { found == traits.architecture }
        });
        known.ok_or_else(|| ConfigError::UnsupportedArchitecture { found: found.clone() })
    }
}

impl ConfigFile {
    /// Refuses what would load but compute something else.
    fn require_supported(&self, family: Family) -> Result<(), ConfigError> {
        // Gemma's first files carry both names, and only the second counts.
        let (field, activation, expected) = match family {
            Family::Gemma3 => ("hidden_activation", &self.hidden_activation, "gelu_pytorch_tanh"),
            _ => ("hidden_act", &self.hidden_act, "silu"),
        };
        if let Some(found) = activation.as_ref().filter(|found| *found != expected) {
            return unsupported(field, &found, expected);
        }
        for (field, cap) in [
            ("final_logit_softcapping", self.final_logit_softcapping),
            ("attn_logit_softcapping", self.attn_logit_softcapping),
        ] {
            if let Some(cap) = cap.filter(|_| family == Family::Gemma3) {
                return unsupported(field, &cap, "null");
            }
        }
        if self.use_bidirectional_attention == Some(true) {
            return unsupported("use_bidirectional_attention", &true, "false");
        }
        if let Some(share) = self.partial_rotary_factor.filter(|&share| share != 1.0) {
            return unsupported("partial_rotary_factor", &share, "1");
        }
        let nested = self.rope_parameters.as_ref().is_some_and(|rope| rope.full_attention.is_some());
        if nested && family != Family::Gemma3 {
            return unsupported("rope_parameters", &"settings per kind of layer", "one for all layers");
        }
        let local = self.local_rope().and_then(RopeFile::kind).unwrap_or("default");
        if local != "default" {
            return unsupported("rope_parameters.sliding_attention.rope_type", &local, "\"default\"");
        }
        Ok(())
    }

    /// The newer settings of layers that see everything.
    fn common_rope(&self) -> Option<&RopeFile> {
        let rope = self.rope_parameters.as_ref()?;
        Some(rope.full_attention.as_deref().unwrap_or(rope))
    }

    /// The newer settings of layers that slide.
    fn local_rope(&self) -> Option<&RopeFile> {
        self.rope_parameters.as_ref()?.sliding_attention.as_deref()
    }

    fn rope_theta(&self, family: Family) -> f32 {
        let settings = [self.rope_scaling.as_ref(), self.common_rope()];
        let given = settings.into_iter().flatten().find_map(|rope| rope.rope_theta).or(self.rope_theta);
        given.unwrap_or(if family == Family::Gemma3 { 1e6 } else { 1e4 }) as f32
    }

    /// The scaling, from the older key if there, as in `transformers`.
    fn rope_scaling(&self) -> Result<RopeScaling, ConfigError> {
        let (field, rope) = match (&self.rope_scaling, self.common_rope()) {
            (Some(rope), _) => ("rope_scaling", rope),
            (None, Some(rope)) => ("rope_parameters", rope),
            (None, None) => return Ok(RopeScaling::None),
        };
        rope.scaling(field, self.max_position_embeddings)
    }

    /// Which layers slide, by the list or by the older rule of the family.
    fn sliding_window(&self, family: Family) -> Result<Option<SlidingWindow>, ConfigError> {
        let gemma = family == Family::Gemma3;
        if !family.traits().slides || (!gemma && self.use_sliding_window != Some(true)) {
            return Ok(None);
        }
        // No more entries than there can be layers, as nothing is validated yet.
        let count = self.num_hidden_layers.min(1 << 10);
        let layers = match &self.layer_types {
            Some(types) => types.iter().map(|kind| slides(kind)).collect::<Result<Vec<bool>, _>>()?,
            None if gemma => {
                let pattern = self.sliding_window_pattern.unwrap_or(6);
                if pattern == 0 {
                    return Err(out_of_range("sliding_window_pattern", &pattern, "1 or more".to_owned()));
                }
                (1..=count).map(|layer| !layer.is_multiple_of(pattern)).collect()
            }
            None => (0..count).map(|layer| layer >= self.max_window_layers.unwrap_or(28)).collect(),
        };
        if !layers.contains(&true) {
            return Ok(None);
        }
        let length = self.sliding_window.ok_or(ConfigError::Missing {
            field: "sliding_window",
            expected: "the number of tokens that a sliding layer sees",
        })?;
        let local = self.local_rope().and_then(|rope| rope.rope_theta).or(self.rope_local_base_freq);
        let local_rope_theta = gemma.then(|| local.unwrap_or(1e4) as f32);
        Ok(Some(SlidingWindow { length, layers, local_rope_theta }))
    }
}

/// Whether a layer of this type slides.
fn slides(kind: &str) -> Result<bool, ConfigError> {
    match kind {
        FULL => Ok(false),
        SLIDING => Ok(true),
        _ => unsupported("layer_types", &kind, "\"full_attention\" or \"sliding_attention\""),
    }
}

impl RopeFile {
    fn kind(&self) -> Option<&str> {
        self.rope_type.as_deref().or(self.r#type.as_deref())
    }

    fn scaling(&self, field: &'static str, max_position_embeddings: usize) -> Result<RopeScaling, ConfigError> {
        if let Some(share) = self.partial_rotary_factor.filter(|&share| share != 1.0) {
            return unsupported("partial_rotary_factor", &share, "1");
        }
        let required = |field: &'static str, value: Option<f64>| {
            let missing = ConfigError::Missing { field, expected: "a number, for this kind of rotary scaling" };
            value.map(|value| value as f32).ok_or(missing)
        };
        let factor = || required("factor", self.factor);
        let original_max_position_embeddings = self.original_max_position_embeddings.unwrap_or(max_position_embeddings);
        match self.kind().unwrap_or("default") {
            "default" => Ok(RopeScaling::None),
            "linear" => Ok(RopeScaling::Linear { factor: factor()? }),
            "dynamic" => Ok(RopeScaling::Dynamic { factor: factor()? }),
            "llama3" => Ok(RopeScaling::Llama3 {
                factor: factor()?,
                low_freq_factor: required("low_freq_factor", self.low_freq_factor)?,
                high_freq_factor: required("high_freq_factor", self.high_freq_factor)?,
                original_max_position_embeddings,
            }),
            "yarn" => {
                if let Some(scale) = self.mscale.or(self.mscale_all_dim) {
                    return unsupported("mscale", &scale, "none");
                }
                if self.truncate == Some(false) {
                    return unsupported("truncate", &false, "true");
                }
                let lengthened = max_position_embeddings as f64 / original_max_position_embeddings.max(1) as f64;
                Ok(RopeScaling::Yarn {
                    factor: self.factor.unwrap_or(lengthened) as f32,
                    beta_fast: self.beta_fast.unwrap_or(32.0) as f32,
                    beta_slow: self.beta_slow.unwrap_or(1.0) as f32,
                    attention_factor: self.attention_factor.map(|factor| factor as f32),
                    original_max_position_embeddings,
                })
            }
            other => unsupported(field, &other, "\"default\", \"linear\", \"dynamic\", \"llama3\" or \"yarn\""),
        }
    }

    /// The settings of a scaling, for the older key.
    fn of(scaling: RopeScaling) -> Option<Self> {
        let of_kind = |kind: &str, factor: f32| Self {
            rope_type: Some(kind.to_owned()),
            // For readers that know the older name only.
            r#type: Some(kind.to_owned()),
            factor: Some(shortest(factor)),
            ..Self::default()
        };
        match scaling {
            RopeScaling::None => None,
            RopeScaling::Linear { factor } => Some(of_kind("linear", factor)),
            RopeScaling::Dynamic { factor } => Some(of_kind("dynamic", factor)),
            RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } => {
                Some(Self {
                    r#type: None,
                    low_freq_factor: Some(shortest(low_freq_factor)),
                    high_freq_factor: Some(shortest(high_freq_factor)),
                    original_max_position_embeddings: Some(original_max_position_embeddings),
                    ..of_kind("llama3", factor)
                })
            }
            RopeScaling::Yarn { factor, beta_fast, beta_slow, attention_factor, original_max_position_embeddings } => {
                Some(Self {
                    beta_fast: Some(shortest(beta_fast)),
                    beta_slow: Some(shortest(beta_slow)),
                    attention_factor: attention_factor.map(shortest),
                    original_max_position_embeddings: Some(original_max_position_embeddings),
                    ..of_kind("yarn", factor)
                })
            }
        }
    }
}

impl From<ModelConfig> for ConfigFile {
    fn from(config: ModelConfig) -> Self {
        let (family, traits) = (config.family, config.family.traits());
        let (gemma, qwen) = (family == Family::Gemma3, matches!(family, Family::Qwen2 | Family::Qwen3));
        let usual_head = config.head_dim * config.num_attention_heads == config.hidden_size;
        let default_head = usual_head && matches!(family, Family::Llama | Family::Qwen2);
        let slides = |layer: usize| config.window(layer).is_some();
        let kind = |layer: usize| if slides(layer) { SLIDING } else { FULL }.to_owned();
        let listed = config.sliding_window.is_some() || gemma;
        let first_sliding = (0..config.num_hidden_layers).find(|&layer| slides(layer));
        let local = config.sliding_window.as_ref().and_then(|window| window.local_rope_theta);
        Self {
            architectures: vec![traits.architecture.to_owned()],
            model_type: traits.model_type.to_owned(),
            hidden_act: (!gemma).then(|| "silu".to_owned()),
            hidden_activation: gemma.then(|| "gelu_pytorch_tanh".to_owned()),
            hidden_size: config.hidden_size,
            intermediate_size: config.intermediate_size,
            num_hidden_layers: config.num_hidden_layers,
            num_attention_heads: config.num_attention_heads,
            num_key_value_heads: Some(config.num_key_value_heads),
            head_dim: (!default_head).then_some(config.head_dim),
            vocab_size: config.vocab_size,
            rms_norm_eps: shortest(config.rms_norm_eps),
            rope_theta: Some(shortest(config.rope_theta)),
            rope_local_base_freq: local.map(shortest),
            rope_scaling: RopeFile::of(config.rope_scaling),
            max_position_embeddings: config.max_position_embeddings,
            tie_word_embeddings: Some(config.tie_word_embeddings),
            attention_bias: (family != Family::Qwen2).then_some(config.attention_bias),
            mlp_bias: (family == Family::Llama).then_some(config.mlp_bias),
            query_pre_attn_scalar: gemma.then(|| config.query_pre_attn_scalar.unwrap_or(config.head_dim)),
            use_sliding_window: qwen.then_some(config.sliding_window.is_some()),
            sliding_window: config.sliding_window.as_ref().map(|window| window.length),
            // For readers that do not know the list of types; exact where the first layers are the full ones.
            max_window_layers: first_sliding.filter(|_| qwen),
            layer_types: listed.then(|| (0..config.num_hidden_layers).map(kind).collect()),
            bos_token_id: config.bos_token_id.map(Value::from),
            eos_token_id: config.eos_token_id.map(Value::from),
            ..Self::default()
        }
    }
}

/// The double whose text is that of the single, so that 1e-6 is written as 1e-6 and not as 9.99999997e-7.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().expect("a printed number parses")
}

/// One id, or the first of a list of them.
fn token_id(field: &'static str, value: Option<&Value>) -> Result<Option<u32>, ConfigError> {
    let first = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(ids)) => ids.first(),
        Some(id) => Some(id),
    };
    match first.and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok()) {
        Some(id) => Ok(Some(id)),
        None => Err(out_of_range(field, value.unwrap_or(&Value::Null), "a token id or a list of them".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The file of a family's small shape with some keys changed; null removes a key.
    fn parse(family: Family, changes: Value) -> Result<ModelConfig, ConfigError> {
        let mut json = serde_json::to_value(ModelConfig::of_family(family)).unwrap();
        let object = json.as_object_mut().unwrap();
        let Value::Object(changes) = changes else { panic!("changes are an object") };
        for (key, value) in changes {
            if value.is_null() { drop(object.remove(&key)) } else { drop(object.insert(key, value)) }
        }
        serde_json::from_value::<ConfigFile>(json).unwrap().try_into()
    }

    #[test]
    fn writes_the_numbers_as_a_person_would() {
        let json = serde_json::to_value(ModelConfig::tiny()).unwrap();
        assert_eq!(json["rms_norm_eps"].to_string(), "1e-6");
        assert_eq!(json["rope_theta"], 10_000.0);
        assert_eq!(json["architectures"][0], "Qwen2ForCausalLM");
        assert_eq!(json.get("head_dim"), None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let original_max_position_embeddings = 100;
        let scalings = [
            RopeScaling::Linear { factor: 4.0 },
            RopeScaling::Dynamic { factor: 2.5 },
            RopeScaling::Llama3 {
                factor: 8.0,
                low_freq_factor: 1.0,
                high_freq_factor: 4.0,
                original_max_position_embeddings,
            },
            RopeScaling::Yarn {
                factor: 4.0,
                beta_fast: 30.0,
                beta_slow: 2.0,
                attention_factor: Some(1.25),
                original_max_position_embeddings,
            },
        ];
        for family in Family::ALL {
            for rope_scaling in scalings {
                let config = ModelConfig { rope_scaling, head_dim: 20, ..ModelConfig::of_family(family) };
                let json = serde_json::to_string(&config).unwrap();
                assert_eq!(serde_json::from_str::<ModelConfig>(&json).unwrap(), config, "{json}");
            }
        }
        let window = SlidingWindow { length: 9, layers: vec![false, true, false, true], local_rope_theta: None };
        let config = ModelConfig { sliding_window: Some(window), ..ModelConfig::of_family(Family::Qwen3) };
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<ModelConfig>(&json).unwrap(), config, "{json}");
    }

    #[test]
    fn reads_both_spellings_of_the_rotary_settings_and_of_the_end_token() {
        let rope = json!({"rope_type": "default", "rope_theta": 1e6});
        let changes = json!({"rope_theta": null, "rope_parameters": rope, "eos_token_id": [7, 9]});
        let config = parse(Family::Qwen2, changes).unwrap();
        assert_eq!((config.rope_theta, config.eos_token_id), (1e6, Some(7)));
        // DeepSeek-Coder: the oldest spelling.
        let rope = json!({"factor": 4.0, "type": "linear"});
        let config = parse(Family::Llama, json!({"rope_theta": 100_000, "rope_scaling": rope})).unwrap();
        assert_eq!((config.rope_theta, config.rope_scaling), (1e5, RopeScaling::Linear { factor: 4.0 }));
        // Qwen2.5 with long texts: the number of original positions is given, the rest is default; both names of the type.
        let rope = json!({"factor": 4.0, "original_max_position_embeddings": 256, "type": "yarn", "rope_type": "yarn"});
        let config = parse(Family::Qwen2, json!({"rope_scaling": rope})).unwrap();
        let yarn = RopeScaling::Yarn {
            factor: 4.0,
            beta_fast: 32.0,
            beta_slow: 1.0,
            attention_factor: None,
            original_max_position_embeddings: 256,
        };
        assert_eq!(config.rope_scaling, yarn);
        // Gemma 3, newer: settings per kind of layer.
        let rope = json!({
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 2e6},
            "sliding_attention": {"rope_type": "default", "rope_theta": 5e3},
        });
        let changes = json!({"rope_theta": null, "rope_local_base_freq": null, "rope_parameters": rope});
        let config = parse(Family::Gemma3, changes).unwrap();
        assert_eq!((config.rope_theta, config.rope_scaling), (2e6, RopeScaling::Linear { factor: 8.0 }));
        assert_eq!(config.sliding_window.unwrap().local_rope_theta, Some(5e3));
    }

    #[test]
    fn missing_keys_get_the_defaults_of_the_family() {
        let bare = json!({
            "architectures": null, "head_dim": null, "num_key_value_heads": null, "tie_word_embeddings": null,
            "rope_theta": null, "rope_local_base_freq": null, "layer_types": null, "query_pre_attn_scalar": null,
            "sliding_window": 4096, "num_hidden_layers": 7, "attention_bias": null, "hidden_activation": null,
        });
        let llama = parse(Family::Llama, bare.clone()).unwrap();
        assert_eq!((llama.family, llama.head_dim, llama.num_key_value_heads), (Family::Llama, 64, 4));
        assert_eq!((llama.tie_word_embeddings, llama.attention_bias, llama.rope_theta), (false, false, 1e4));
        assert_eq!((llama.query_pre_attn_scalar, llama.sliding_window), (None, None));
        let qwen3 = parse(Family::Qwen3, bare.clone()).unwrap();
        assert_eq!((qwen3.head_dim, qwen3.attention_bias, qwen3.sliding_window), (128, false, None));
        let gemma = parse(Family::Gemma3, bare).unwrap();
        assert_eq!((gemma.head_dim, gemma.tie_word_embeddings, gemma.rope_theta), (256, true, 1e6));
        assert_eq!(gemma.query_pre_attn_scalar, Some(256));
        let window = SlidingWindow {
            length: 4096,
            layers: vec![true, true, true, true, true, false, true],
            local_rope_theta: Some(1e4),
        };
        assert_eq!(gemma.sliding_window, Some(window));
    }

    #[test]
    fn windows_of_qwen_follow_the_switch_and_the_first_layer() {
        let off = json!({"sliding_window": 32, "max_window_layers": 2});
        assert_eq!(parse(Family::Qwen2, off).unwrap().sliding_window, None);
        let on = json!({"use_sliding_window": true, "sliding_window": 32, "max_window_layers": 2});
        let window = parse(Family::Qwen2, on).unwrap().sliding_window.unwrap();
        assert_eq!((window.length, window.layers), (32, vec![false, false, true, true]));
        let error = parse(Family::Qwen2, json!({"use_sliding_window": true, "max_window_layers": 0})).unwrap_err();
        assert_eq!(
            error.to_string(),
            "sliding_window is missing, expected the number of tokens that a sliding layer sees"
        );
    }

    #[test]
    fn refuses_what_it_cannot_compute() {
        let error = parse(Family::Llama, json!({"architectures": ["MistralForCausalLM"]})).unwrap_err();
        assert_eq!(
            error.to_string(),
            "architecture \"MistralForCausalLM\" is not supported, expected one of LlamaForCausalLM, Qwen2ForCausalLM, \
             Qwen3ForCausalLM, Gemma3ForCausalLM"
        );
        let error = parse(Family::Gemma3, json!({"architectures": ["Gemma3ForConditionalGeneration"]})).unwrap_err();
        assert!(error.hint().unwrap().contains("text-only"));
        let scaling = |kind: &str| json!({"rope_scaling": {"rope_type": kind, "factor": 2.0}});
        let cases = [
            (
                Family::Llama,
                scaling("longrope"),
                "rope_scaling = longrope is not supported, expected \"default\", \"linear\", \"dynamic\", \"llama3\" or \"yarn\"",
            ),
            (
                Family::Llama,
                scaling("llama3"),
                "low_freq_factor is missing, expected a number, for this kind of rotary scaling",
            ),
            (Family::Llama, json!({"hidden_act": "gelu"}), "hidden_act = gelu is not supported, expected silu"),
            (
                Family::Gemma3,
                json!({"hidden_activation": "silu"}),
                "hidden_activation = silu is not supported, expected gelu_pytorch_tanh",
            ),
            (
                Family::Gemma3,
                json!({"final_logit_softcapping": 30.0}),
                "final_logit_softcapping = 30 is not supported, expected null",
            ),
            (
                Family::Gemma3,
                json!({"use_bidirectional_attention": true}),
                "use_bidirectional_attention = true is not supported, expected false",
            ),
            (
                Family::Qwen3,
                json!({"use_sliding_window": true, "layer_types": ["chunked_attention"]}),
                "layer_types = chunked_attention is not supported, expected \"full_attention\" or \"sliding_attention\"",
            ),
            (
                Family::Llama,
                json!({"partial_rotary_factor": 0.5}),
                "partial_rotary_factor = 0.5 is not supported, expected 1",
            ),
        ];
        for (family, changes, message) in cases {
            assert_eq!(parse(family, changes).unwrap_err().to_string(), message);
        }
    }
}
