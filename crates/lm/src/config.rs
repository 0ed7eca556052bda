//! The shape of a model: the fields of a Hugging Face `config.json` that decide its computation, checked before use.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The architecture name this crate reads and writes.
const ARCHITECTURE: &str = "Qwen2ForCausalLM";
/// The `model_type` that goes with [`ARCHITECTURE`].
const MODEL_TYPE: &str = "qwen2";

/// The shape of a Qwen2-style decoder. Reads and writes as a Hugging Face `config.json`.
///
/// Deserialising validates. A value built by hand is checked by [`ModelConfig::validate`], which everything that takes
/// a configuration calls.
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
    /// Width of one head; even, because rotary embedding rotates pairs.
    pub head_dim: usize,
    /// Number of token ids, including unused ones that pad the table.
    pub vocab_size: usize,
    /// Added to the mean square before its root is taken.
    pub rms_norm_eps: f32,
    /// Base of the rotary wavelengths.
    pub rope_theta: f32,
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
    #[error("architecture {found:?} is not supported, expected {ARCHITECTURE:?}")]
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
    /// The shapes multiply to more parameters than an address space holds.
    #[error("the configuration describes more parameters than this machine can address")]
    TooLarge,
}

impl ConfigError {
    /// What the user can do about it, where we know.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::UnsupportedArchitecture { .. } => {
                Some("use a Qwen2 or Qwen2.5 checkpoint; other families need their own decoder block")
            }
            Self::UnsupportedFeature { .. } => Some("use a checkpoint without this option"),
            Self::OutOfRange { .. } | Self::TooLarge => Some("check that config.json belongs to these weights"),
        }
    }
}

impl ModelConfig {
    /// The bundled tiny shape: 3.3 million parameters, small enough to train on two CPU cores.
    pub fn tiny() -> Self {
        Self {
            hidden_size: 256,
            intermediate_size: 640,
            num_hidden_layers: 4,
            num_attention_heads: 4,
            num_key_value_heads: 2,
            head_dim: 64,
            vocab_size: 2048,
            rms_norm_eps: 1e-6,
            rope_theta: 10_000.0,
            max_position_embeddings: 1024,
            tie_word_embeddings: true,
            bos_token_id: None,
            eos_token_id: Some(0),
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
        if !(self.rope_theta >= 1.0 && self.rope_theta.is_finite()) {
            return Err(out_of_range("rope_theta", &self.rope_theta, "a finite number, 1 or more".to_owned()));
        }
        for (field, id) in [("bos_token_id", self.bos_token_id), ("eos_token_id", self.eos_token_id)] {
            if let Some(id) = id.filter(|&id| id as usize >= self.vocab_size) {
                return Err(out_of_range(field, &id, format!("below vocab_size = {}", self.vocab_size)));
            }
        }
        self.checked_num_parameters().ok_or(ConfigError::TooLarge).map(|_| ())
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

    /// The number of parameters, or nothing if their bytes exceed what one allocation may hold.
    fn checked_num_parameters(&self) -> Option<usize> {
        let product = |a: usize, b: usize| a.checked_mul(b);
        let query = product(self.num_attention_heads, self.head_dim)?;
        let key = product(self.num_key_value_heads, self.head_dim)?;
        let qkv = query.checked_add(product(2, key)?)?;
        let matrices = product(qkv.checked_add(query)?, self.hidden_size)?
            .checked_add(product(product(3, self.intermediate_size)?, self.hidden_size)?)?;
        let layer = matrices.checked_add(qkv)?.checked_add(product(2, self.hidden_size)?)?;
        let tables = if self.tie_word_embeddings { 1 } else { 2 };
        let total = product(layer, self.num_hidden_layers)?
            .checked_add(product(product(self.vocab_size, self.hidden_size)?, tables)?)?
            .checked_add(self.hidden_size)?;
        isize::try_from(product(total, size_of::<f32>())?).is_ok().then_some(total)
    }
}

fn within(field: &'static str, found: usize, most: usize) -> Result<(), ConfigError> {
    if (1..=most).contains(&found) {
        return Ok(());
    }
    Err(out_of_range(field, &found, format!("between 1 and {most}")))
}

fn out_of_range(field: &'static str, found: &dyn std::fmt::Display, expected: String) -> ConfigError {
    ConfigError::OutOfRange { field, found: found.to_string(), expected }
}

/// `config.json` as it stands in the file. Unknown keys are ignored, as every library adds its own.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ConfigFile {
    #[serde(default)]
    architectures: Vec<String>,
    #[serde(default)]
    model_type: String,
    #[serde(default = "default_activation")]
    hidden_act: String,
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
    /// Where newer files keep the rotary settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    rope_parameters: Option<RopeParameters>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rope_scaling: Option<RopeParameters>,
    max_position_embeddings: usize,
    #[serde(default)]
    tie_word_embeddings: bool,
    #[serde(default)]
    use_sliding_window: bool,
    bos_token_id: Option<Value>,
    eos_token_id: Option<Value>,
    /// Written for other readers; here the tensors themselves say what they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) torch_dtype: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct RopeParameters {
    #[serde(alias = "type")]
    rope_type: Option<String>,
    rope_theta: Option<f64>,
}

fn default_activation() -> String {
    "silu".to_owned()
}

fn default_eps() -> f64 {
    1e-6
}

impl TryFrom<ConfigFile> for ModelConfig {
    type Error = ConfigError;

    fn try_from(file: ConfigFile) -> Result<Self, ConfigError> {
        file.require_supported()?;
        let heads = file.num_attention_heads;
        let theta = file.rope_parameters.as_ref().and_then(|rope| rope.rope_theta).or(file.rope_theta);
        let config = Self {
            hidden_size: file.hidden_size,
            intermediate_size: file.intermediate_size,
            num_hidden_layers: file.num_hidden_layers,
            num_attention_heads: heads,
            num_key_value_heads: file.num_key_value_heads.unwrap_or(heads),
            head_dim: file.head_dim.unwrap_or_else(|| file.hidden_size.checked_div(heads).unwrap_or(0)),
            vocab_size: file.vocab_size,
            rms_norm_eps: file.rms_norm_eps as f32,
            rope_theta: theta.unwrap_or(10_000.0) as f32,
            max_position_embeddings: file.max_position_embeddings,
            tie_word_embeddings: file.tie_word_embeddings,
            bos_token_id: token_id("bos_token_id", file.bos_token_id.as_ref())?,
            eos_token_id: token_id("eos_token_id", file.eos_token_id.as_ref())?,
        };
        config.validate()?;
        Ok(config)
    }
}

impl ConfigFile {
    /// Refuses what would load but compute something else.
    fn require_supported(&self) -> Result<(), ConfigError> {
        let known = match self.architectures.first() {
            Some(architecture) => architecture == ARCHITECTURE,
            None => self.model_type == MODEL_TYPE,
        };
        if !known {
            let found = self.architectures.first().unwrap_or(&self.model_type).clone();
            return Err(ConfigError::UnsupportedArchitecture { found });
        }
        let unsupported =
            |field, found: String, expected| Err(ConfigError::UnsupportedFeature { field, found, expected });
        if self.hidden_act != "silu" {
            return unsupported("hidden_act", self.hidden_act.clone(), "\"silu\"");
        }
        if self.use_sliding_window {
            return unsupported("use_sliding_window", "true".to_owned(), "false");
        }
        for (field, rope) in [("rope_parameters", &self.rope_parameters), ("rope_scaling", &self.rope_scaling)] {
            let kind = rope.as_ref().and_then(|rope| rope.rope_type.as_deref()).unwrap_or("default");
            if kind != "default" {
                return unsupported(field, kind.to_owned(), "\"default\"");
            }
        }
        Ok(())
    }
}

impl From<ModelConfig> for ConfigFile {
    fn from(config: ModelConfig) -> Self {
        let usual_head = config.head_dim * config.num_attention_heads == config.hidden_size;
        Self {
            architectures: vec![ARCHITECTURE.to_owned()],
            model_type: MODEL_TYPE.to_owned(),
            hidden_act: default_activation(),
            hidden_size: config.hidden_size,
            intermediate_size: config.intermediate_size,
            num_hidden_layers: config.num_hidden_layers,
            num_attention_heads: config.num_attention_heads,
            num_key_value_heads: Some(config.num_key_value_heads),
            head_dim: (!usual_head).then_some(config.head_dim),
            vocab_size: config.vocab_size,
            rms_norm_eps: shortest(config.rms_norm_eps),
            rope_theta: Some(shortest(config.rope_theta)),
            rope_parameters: None,
            rope_scaling: None,
            max_position_embeddings: config.max_position_embeddings,
            tie_word_embeddings: config.tie_word_embeddings,
            use_sliding_window: false,
            bos_token_id: config.bos_token_id.map(Value::from),
            eos_token_id: config.eos_token_id.map(Value::from),
            torch_dtype: None,
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
    use super::*;

    fn parse(change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> Result<ModelConfig, ConfigError> {
        let mut json = serde_json::to_value(ModelConfig::tiny()).unwrap();
        change(json.as_object_mut().unwrap());
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
    fn reads_both_spellings_of_the_rotary_base_and_of_the_end_token() {
        let config = parse(|json| {
            json.remove("rope_theta");
            json.insert("rope_parameters".into(), serde_json::json!({"rope_type": "default", "rope_theta": 1e6}));
            json.insert("eos_token_id".into(), serde_json::json!([7, 9]));
        });
        let config = config.unwrap();
        assert_eq!((config.rope_theta, config.eos_token_id), (1e6, Some(7)));
    }

    #[test]
    fn refuses_what_it_cannot_compute() {
        let error = parse(|json| drop(json.insert("architectures".into(), serde_json::json!(["LlamaForCausalLM"]))));
        assert_eq!(error, Err(ConfigError::UnsupportedArchitecture { found: "LlamaForCausalLM".into() }));
        let error = parse(|json| drop(json.insert("use_sliding_window".into(), true.into()))).unwrap_err();
        assert_eq!(error.to_string(), "use_sliding_window = true is not supported, expected false");
        let scaling = serde_json::json!({"rope_type": "yarn", "rope_theta": 1e6});
        let error = parse(|json| drop(json.insert("rope_scaling".into(), scaling))).unwrap_err();
        assert_eq!(error.to_string(), "rope_scaling = yarn is not supported, expected \"default\"");
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
}
