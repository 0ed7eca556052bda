//! The shape of a model: what decides its computation, checked before use.
//!
//! All families share one decoder block. What differs between them is data: [`Family`] for what every member of a family
//! has in common, the fields of [`ModelConfig`] for what its `config.json` may choose. Facts about the families are those
//! of `modeling_<family>.py` and `configuration_<family>.py` in `transformers`.

use serde::{Deserialize, Serialize};

use crate::config_file::ConfigFile;
use crate::kernels::mlp::Activation;
use crate::layout;
use crate::rotary::RopeScaling;

/// A family of decoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Llama 2 and 3, and what is built like them: CodeLlama, DeepSeek-Coder, SmolLM2.
    Llama,
    /// Qwen2 and Qwen2.5: biases on queries, keys and values.
    Qwen2,
    /// Qwen3: each head of queries and keys is normalised before it is rotated.
    Qwen3,
    /// The text models of Gemma 3.
    Gemma3,
}

/// What every member of a family has in common.
#[expect(clippy::struct_excessive_bools, reason = "differences between families that do not depend on one another")]
pub(crate) struct FamilyTraits {
    /// In the file's `architectures`.
    pub(crate) architecture: &'static str,
    /// In the file's `model_type`.
    pub(crate) model_type: &'static str,
    /// What gates the feed-forward layer.
    pub(crate) activation: Activation,
    /// Whether each head of queries and keys is normalised before it is rotated.
    pub(crate) head_norms: bool,
    /// Whether the results of attention and feed-forward are normalised before they are added to the stream.
    pub(crate) branch_norms: bool,
    /// What is added to the stored weights of every norm.
    pub(crate) norm_offset: f32,
    /// Whether embeddings are multiplied by the root of their width.
    pub(crate) scaled_embedding: bool,
    /// Whether `attention_bias` includes the projection of what was attended to.
    pub(crate) biased_output: bool,
    /// Whether some layers may see a window only.
    pub(crate) slides: bool,
}

impl Family {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Llama, Self::Qwen2, Self::Qwen3, Self::Gemma3];

    /// What its members have in common.
    pub(crate) fn traits(self) -> FamilyTraits {
        let llama = FamilyTraits {
            architecture: "LlamaForCausalLM",
            model_type: "llama",
            activation: Activation::Silu,
            head_norms: false,
            branch_norms: false,
            norm_offset: 0.0,
            scaled_embedding: false,
            biased_output: true,
            slides: false,
        };
        match self {
            Self::Llama => llama,
            Self::Qwen2 => FamilyTraits {
                architecture: "Qwen2ForCausalLM",
                model_type: "qwen2",
                biased_output: false,
                slides: true,
                ..llama
            },
            Self::Qwen3 => FamilyTraits {
                architecture: "Qwen3ForCausalLM",
                model_type: "qwen3",
                head_norms: true,
                slides: true,
                ..llama
            },
            Self::Gemma3 => FamilyTraits {
                architecture: "Gemma3ForCausalLM",
                model_type: "gemma3_text",
                activation: Activation::GeluTanh,
                head_norms: true,
                branch_norms: true,
                norm_offset: 1.0,
                scaled_embedding: true,
                slides: true,
                ..llama
            },
        }
    }
}

/// Layers that see the last few tokens only.
#[derive(Debug, Clone, PartialEq)]
pub struct SlidingWindow {
    /// How many tokens such a layer sees, the current one included.
    pub length: usize,
    /// For each layer of the model, whether it is such a layer.
    pub layers: Vec<bool>,
    /// Base of the rotary wavelengths in such layers, which then know no [`RopeScaling`]. Gemma 3 has it, the others do not.
    pub local_rope_theta: Option<f32>,
}

/// The shape of a decoder. Reads and writes as a Hugging Face `config.json`.
///
/// Deserialising validates. A value built by hand is checked by [`ModelConfig::validate`], which everything that takes
/// a configuration calls. To build one, start from [`ModelConfig::tiny`] or [`ModelConfig::of_family`], which choose what
/// the family prescribes, and set the sizes.
///
/// ```
/// use codeward_lm::ModelConfig;
///
/// let config = ModelConfig { vocab_size: 300, ..ModelConfig::tiny() };
/// let json = serde_json::to_string(&config).expect("a configuration is plain data");
/// assert_eq!(serde_json::from_str::<ModelConfig>(&json).expect("it was just written"), config);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "ConfigFile", into = "ConfigFile")]
pub struct ModelConfig {
    /// Which decoder block.
    pub family: Family,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Number of decoder layers.
    pub num_hidden_layers: usize,
    /// Number of query heads.
    pub num_attention_heads: usize,
    /// Number of key and value heads; divides the number of query heads.
    pub num_key_value_heads: usize,
    /// Width of one head; even, because rotary embedding rotates pairs. Need not be `hidden_size / num_attention_heads`.
    pub head_dim: usize,
    /// Number of token ids, including unused ones that pad the table.
    pub vocab_size: usize,
    /// Added to the mean square before its root is taken.
    pub rms_norm_eps: f32,
    /// Base of the rotary wavelengths.
    pub rope_theta: f32,
    /// How the wavelengths are stretched.
    pub rope_scaling: RopeScaling,
    /// Which layers see the last few tokens only, if any. Llama has none.
    pub sliding_window: Option<SlidingWindow>,
    /// Scores are divided by the root of this; absent, by that of `head_dim`. Gemma 3 has it, the others do not.
    pub query_pre_attn_scalar: Option<usize>,
    /// Whether queries, keys and values have biases, and, except in Qwen2, what was attended to. Always so in Qwen2.
    pub attention_bias: bool,
    /// Whether the feed-forward layer's matrices have biases. Llama may, the others do not.
    pub mlp_bias: bool,
    /// The longest sequence that the model takes, prompt and completion together.
    pub max_position_embeddings: usize,
    /// Whether the output head is the token embedding.
    pub tie_word_embeddings: bool,
    /// The id that begins a text, where the family has one.
    pub bos_token_id: Option<u32>,
    /// The id that ends a text; the first where the file lists several.
    pub eos_token_id: Option<u32>,
}

/// What is wrong with a model configuration.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// The file describes a family that this crate does not compute.
    #[error("architecture {found:?} is not supported, expected one of {}", supported_architectures())]
    UnsupportedArchitecture {
        /// What the file says.
        found: String,
    },
    /// The family is right, but a switch asks for a computation that this crate does not have.
    #[error("{field} = {found} is not supported, expected {expected}")]
    UnsupportedFeature {
        /// The key in the file.
        field: &'static str,
        /// What the file says.
        found: String,
        /// What this crate computes.
        expected: &'static str,
    },
    /// A number is outside the range in which the model is defined.
    #[error("{field} = {found} is out of range, expected {expected}")]
    OutOfRange {
        /// The key in the file.
        field: &'static str,
        /// What the file says.
        found: String,
        /// What would be accepted.
        expected: String,
    },
    /// A key without which the computation is not defined.
    #[error("{field} is missing, expected {expected}")]
    Missing {
        /// The key.
        field: &'static str,
        /// What it would hold.
        expected: &'static str,
    },
    /// The shapes multiply to more parameters than an address space holds.
    #[error("the configuration describes more parameters than this machine can address")]
    TooLarge,
}

fn supported_architectures() -> String {
    Family::ALL.map(|family| family.traits().architecture).join(", ")
}

impl ConfigError {
    /// What the user can do about it, where we know.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::UnsupportedArchitecture { found } if found.starts_with("Gemma3") || found == "gemma3" => Some(
                "this is the model of text and images; use a text-only checkpoint such as gemma-3-1b or gemma-3-270m",
            ),
            Self::UnsupportedArchitecture { .. } => Some(
                "use a checkpoint built like Llama (Llama 2 and 3, CodeLlama, DeepSeek-Coder, SmolLM2), Qwen2, Qwen2.5, Qwen3 or Gemma 3",
            ),
            Self::UnsupportedFeature { .. } => Some("use a checkpoint without this option"),
            Self::OutOfRange { .. } | Self::Missing { .. } | Self::TooLarge => {
                Some("check that config.json belongs to these weights")
            }
        }
    }
}

impl ModelConfig {
    /// The bundled tiny shape: 3.3 million parameters, small enough to train on two CPU cores.
    pub fn tiny() -> Self {
        Self {
            family: Family::Qwen2,
            hidden_size: 256,
            intermediate_size: 640,
            num_hidden_layers: 4,
            num_attention_heads: 4,
            num_key_value_heads: 2,
            head_dim: 64,
            vocab_size: 2048,
            rms_norm_eps: 1e-6,
            rope_theta: 10_000.0,
            rope_scaling: RopeScaling::None,
            sliding_window: None,
            query_pre_attn_scalar: None,
            attention_bias: true,
            mlp_bias: false,
            max_position_embeddings: 1024,
            tie_word_embeddings: true,
            bos_token_id: None,
            eos_token_id: Some(0),
        }
    }

    /// [`ModelConfig::tiny`] in another family: with biases in Qwen2 only, and in Gemma 3 with every layer but the last
    /// seeing 512 tokens.
    pub fn of_family(family: Family) -> Self {
        let tiny = Self { family, attention_bias: family == Family::Qwen2, ..Self::tiny() };
        if family != Family::Gemma3 {
            return tiny;
        }
        Self {
            rope_theta: 1e6,
            sliding_window: Some(SlidingWindow {
                length: 512,
                layers: (1..=tiny.num_hidden_layers).map(|layer| layer < tiny.num_hidden_layers).collect(),
                local_rope_theta: Some(10_000.0),
            }),
            query_pre_attn_scalar: Some(tiny.head_dim),
            ..tiny
        }
    }

    /// Checks every range and relation that the computation relies on.
    ///
    /// # Errors
    /// The first field that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        within("hidden_size", self.hidden_size, 1 << 16)?;
        within("intermediate_size", self.intermediate_size, 1 << 20)?;
        within("num_hidden_layers", self.num_hidden_layers, 1 << 10)?;
        within("num_attention_heads", self.num_attention_heads, 1 << 10)?;
        within("num_key_value_heads", self.num_key_value_heads, self.num_attention_heads)?;
        within("head_dim", self.head_dim, 1 << 12)?;
        within("vocab_size", self.vocab_size, 1 << 24)?;
        within("max_position_embeddings", self.max_position_embeddings, 1 << 24)?;
        if !self.num_attention_heads.is_multiple_of(self.num_key_value_heads) {
            let expected = format!("a divisor of num_attention_heads = {}", self.num_attention_heads);
            return Err(out_of_range("num_key_value_heads", &self.num_key_value_heads, expected));
        }
        if !self.head_dim.is_multiple_of(2) {
            return Err(out_of_range("head_dim", &self.head_dim, "an even number".to_owned()));
        }
        // Written so that NaN fails.
        if !(self.rms_norm_eps > 0.0 && self.rms_norm_eps <= 0.1) {
            return Err(out_of_range("rms_norm_eps", &self.rms_norm_eps, "a number above 0 and up to 0.1".to_owned()));
        }
        validate_theta("rope_theta", self.rope_theta)?;
        self.rope_scaling.validate()?;
        for (field, id) in [("bos_token_id", self.bos_token_id), ("eos_token_id", self.eos_token_id)] {
            if let Some(id) = id.filter(|&id| id as usize >= self.vocab_size) {
                return Err(out_of_range(field, &id, format!("below vocab_size = {}", self.vocab_size)));
            }
        }
        self.validate_family()?;
        layout::checked_total(self).ok_or(ConfigError::TooLarge).map(|_| ())
    }

    /// Checks that the choices are those that the family has.
    fn validate_family(&self) -> Result<(), ConfigError> {
        let family = self.family;
        let unsupported =
            |field, found: String, expected| Err(ConfigError::UnsupportedFeature { field, found, expected });
        if family == Family::Qwen2 && !self.attention_bias {
            return unsupported("attention_bias", "false".to_owned(), "true in Qwen2");
        }
        if family != Family::Llama && self.mlp_bias {
            return unsupported("mlp_bias", "true".to_owned(), "false outside Llama");
        }
        match self.query_pre_attn_scalar {
            Some(scalar) if family != Family::Gemma3 => {
                return unsupported("query_pre_attn_scalar", scalar.to_string(), "none outside Gemma 3");
            }
            Some(scalar) => within("query_pre_attn_scalar", scalar, 1 << 16)?,
            None => {}
        }
        let Some(window) = &self.sliding_window else {
            return Ok(());
        };
        if !family.traits().slides {
            return unsupported("sliding_window", window.length.to_string(), "none in Llama");
        }
        within("sliding_window", window.length, 1 << 24)?;
        if window.layers.len() != self.num_hidden_layers {
            let expected = format!("one entry for each of num_hidden_layers = {}", self.num_hidden_layers);
            return Err(out_of_range("layer_types", &format!("{} entries", window.layers.len()), expected));
        }
        match window.local_rope_theta {
            Some(theta) if family == Family::Gemma3 => validate_theta("rope_local_base_freq", theta),
            Some(theta) => unsupported("rope_local_base_freq", theta.to_string(), "none outside Gemma 3"),
            None if family == Family::Gemma3 => {
                Err(ConfigError::Missing { field: "rope_local_base_freq", expected: "the rotary base of local layers" })
            }
            None => Ok(()),
        }
    }

    /// Width of all query heads together.
    pub(crate) fn query_width(&self) -> usize {
        self.num_attention_heads * self.head_dim
    }

    /// Width of all key heads together, which is that of all value heads.
    pub(crate) fn key_width(&self) -> usize {
        self.num_key_value_heads * self.head_dim
    }

    /// Width of the fused query, key and value projection.
    pub(crate) fn qkv_width(&self) -> usize {
        self.query_width() + 2 * self.key_width()
    }

    /// Whether the projection of what was attended to has a bias.
    pub(crate) fn output_bias(&self) -> bool {
        self.attention_bias && self.family.traits().biased_output
    }

    /// Number of heads that are rotated: those of queries and keys.
    pub(crate) fn num_rotated_heads(&self) -> usize {
        self.num_attention_heads + self.num_key_value_heads
    }

    /// How many tokens a layer sees, if not all.
    pub(crate) fn window(&self, layer: usize) -> Option<usize> {
        self.sliding_window.as_ref().filter(|window| window.layers[layer]).map(|window| window.length)
    }

    /// What token embeddings are multiplied with: the root in single precision, as in `transformers` for a model in single
    /// precision, which is what is computed here, and in llama.cpp.
    ///
    /// For a model in bfloat16 `transformers` rounds the root to the weights' type: 25.298 becomes 25.25 for a width of
    /// 640. Gemma 3 270M in single precision moves by 0.001 in log-probability a token when only that is rounded (at most
    /// 0.014 on 69 tokens of text and code), while everything else that bfloat16 rounds moves it by 0.03 (at most 0.16).
    /// So the rounded root would bring nothing nearer that can be measured, and parity with single precision would be lost.
    pub(crate) fn embedding_scale(&self) -> f32 {
        if self.family.traits().scaled_embedding { (self.hidden_size as f64).sqrt() as f32 } else { 1.0 }
    }
}

fn within(field: &'static str, found: usize, most: usize) -> Result<(), ConfigError> {
    if (1..=most).contains(&found) {
        return Ok(());
    }
    Err(out_of_range(field, &found, format!("between 1 and {most}")))
}

fn validate_theta(field: &'static str, theta: f32) -> Result<(), ConfigError> {
    // Written so that NaN fails.
    if theta >= 1.0 && theta.is_finite() {
        return Ok(());
    }
    Err(out_of_range(field, &theta, "a finite number, 1 or more".to_owned()))
}

pub(crate) fn out_of_range(field: &'static str, found: &dyn std::fmt::Display, expected: String) -> ConfigError {
    ConfigError::OutOfRange { field, found: found.to_string(), expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_of_every_family_is_valid() {
        for family in Family::ALL {
            ModelConfig::of_family(family).validate().unwrap();
        }
        assert_eq!(ModelConfig::of_family(Family::Qwen2), ModelConfig::tiny());
    }

    /// `torch.tensor(640**0.5).item()`; in bfloat16 it would be 25.25.
    #[test]
    fn the_scale_of_embeddings_is_not_rounded_to_the_type_of_the_file() {
        let config = ModelConfig { hidden_size: 640, ..ModelConfig::of_family(Family::Gemma3) };
        assert_eq!(config.embedding_scale(), 25.298_221);
        assert_eq!(ModelConfig::of_family(Family::Llama).embedding_scale(), 1.0);
    }

    #[test]
    fn refuses_numbers_outside_their_range() {
        type Change = fn(&mut ModelConfig);
        let cases: [(Change, &str); 7] = [
            (|c| c.hidden_size = 0, "hidden_size = 0 is out of range, expected between 1 and 65536"),
            (
                |c| c.num_key_value_heads = 3,
                "num_key_value_heads = 3 is out of range, expected a divisor of num_attention_heads = 4",
            ),
            (|c| c.head_dim = 63, "head_dim = 63 is out of range, expected an even number"),
            (
                |c| c.rms_norm_eps = f32::NAN,
                "rms_norm_eps = NaN is out of range, expected a number above 0 and up to 0.1",
            ),
            (|c| c.rope_theta = f32::INFINITY, "rope_theta = inf is out of range, expected a finite number, 1 or more"),
            (|c| c.eos_token_id = Some(2048), "eos_token_id = 2048 is out of range, expected below vocab_size = 2048"),
            (
                |c| c.vocab_size = usize::MAX,
                "vocab_size = 18446744073709551615 is out of range, expected between 1 and 16777216",
            ),
        ];
        for (change, message) in cases {
            let mut config = ModelConfig::tiny();
            change(&mut config);
            assert_eq!(config.validate().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn refuses_what_a_family_does_not_have() {
        type Change = fn(&mut ModelConfig);
        let window = |layers| Some(SlidingWindow { length: 8, layers, local_rope_theta: None });
        let mut short = ModelConfig::of_family(Family::Qwen3);
        short.sliding_window = window(vec![true; 3]);
        let message = "layer_types = 3 entries is out of range, expected one entry for each of num_hidden_layers = 4";
        assert_eq!(short.validate().unwrap_err().to_string(), message);
        let mut sliding = ModelConfig::of_family(Family::Llama);
        sliding.sliding_window = window(vec![true; 4]);
        let message = "sliding_window = 8 is not supported, expected none in Llama";
        assert_eq!(sliding.validate().unwrap_err().to_string(), message);
        let cases: [(Family, Change, &str); 5] = [
            (
                Family::Qwen2,
                |c| c.attention_bias = false,
                "attention_bias = false is not supported, expected true in Qwen2",
            ),
            (Family::Qwen3, |c| c.mlp_bias = true, "mlp_bias = true is not supported, expected false outside Llama"),
            (
                Family::Llama,
                |c| c.query_pre_attn_scalar = Some(64),
                "query_pre_attn_scalar = 64 is not supported, expected none outside Gemma 3",
            ),
            (
                Family::Llama,
                |c| c.rope_scaling = RopeScaling::Linear { factor: 0.0 },
                "factor = 0 is out of range, expected a finite number above 0",
            ),
            (
                Family::Gemma3,
                |c| c.sliding_window.as_mut().unwrap().local_rope_theta = None,
                "rope_local_base_freq is missing, expected the rotary base of local layers",
            ),
        ];
        for (family, change, message) in cases {
            let mut config = ModelConfig::of_family(family);
            change(&mut config);
            assert_eq!(config.validate().unwrap_err().to_string(), message);
        }
    }
}
