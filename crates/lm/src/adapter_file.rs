//! Adapters on disk, in the layout of PEFT: `adapter_config.json` and `adapter_model.safetensors`.
//!
//! Field names and their meaning are those of `LoraConfig` in `peft`.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::adapter::{Adapter, AdapterConfig, Linear};
use crate::config::{ConfigError, ModelConfig};
use crate::weights::{self, LoadError, Outgoing, Precision, SaveError, WeightFile};

const CONFIG_FILE: &str = "adapter_config.json";
const WEIGHTS_FILE: &str = "adapter_model.safetensors";

/// What we write; PEFT fills in the rest.
#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the keys of the file")]
struct Written<'a> {
    peft_type: &'static str,
    task_type: &'static str,
    base_model_name_or_path: Option<&'a str>,
    inference_mode: bool,
    r: usize,
    lora_alpha: Value,
    use_rslora: bool,
    lora_dropout: f32,
    target_modules: Vec<&'static str>,
    bias: &'static str,
    fan_in_fan_out: bool,
    init_lora_weights: bool,
    use_dora: bool,
    modules_to_save: Option<Vec<String>>,
    rank_pattern: Map<String, Value>,
    alpha_pattern: Map<String, Value>,
}

/// What we read. Which layers are adapted is taken from the names of the tensors: `target_modules` may be a pattern.
#[derive(Deserialize)]
struct Read {
    peft_type: String,
    base_model_name_or_path: Option<String>,
    r: usize,
    lora_alpha: f64,
    #[serde(default)]
    use_rslora: bool,
}

/// Switches for computations that we do not have: each must be absent, null, false, empty or the text beside it.
const SWITCHES: [(&str, &str); 16] = [
    ("bias", "none"),
    ("fan_in_fan_out", ""),
    ("use_dora", ""),
    ("use_qalora", ""),
    ("use_bdlora", ""),
    ("lora_bias", ""),
    ("modules_to_save", ""),
    ("rank_pattern", ""),
    ("alpha_pattern", ""),
    ("trainable_token_indices", ""),
    ("target_parameters", ""),
    ("alora_invocation_tokens", ""),
    ("arrow_config", ""),
    ("layer_replication", ""),
    ("kasa_config", ""),
    ("monteclora_config", ""),
];
/// Initialisations that leave the base model as it is; others train beside a changed one.
const HARMLESS_STARTS: [&str; 3] = ["gaussian", "eva", "orthogonal"];

impl Read {
    /// Given all keys of the file, refuses other computations than ours.
    fn require_supported(&self, keys: &Map<String, Value>) -> Result<(), ConfigError> {
        let unsupported =
            |field, found: String, expected| Err(ConfigError::UnsupportedFeature { field, found, expected });
        if self.peft_type != "LORA" {
            return unsupported("peft_type", self.peft_type.clone(), "LORA");
        }
        for (field, harmless) in SWITCHES {
            let off = match keys.get(field) {
                None | Some(Value::Null | Value::Bool(false)) => true,
                Some(Value::String(text)) => text == harmless,
                Some(Value::Array(values)) => values.is_empty(),
                Some(Value::Object(values)) => values.is_empty(),
                Some(_) => false,
            };
            if !off {
                return unsupported(field, keys[field].to_string(), "the option to be off");
            }
        }
        match keys.get("init_lora_weights") {
            Some(Value::String(text)) if !HARMLESS_STARTS.contains(&text.as_str()) => {
                unsupported("init_lora_weights", text.clone(), "a start that leaves the base model as it is")
            }
            _ => Ok(()),
        }
    }
}

impl Adapter {
    /// Reads `adapter_config.json` and `adapter_model.safetensors` for a model. A dropout in the file is ignored.
    ///
    /// # Errors
    /// If a file is missing, broken, of a kind that this crate does not compute, or does not belong to such a model;
    /// nothing large is allocated before names, types, shapes and lengths are known to agree.
    pub fn load(folder: &Path, model: &ModelConfig) -> Result<Self, LoadError> {
        let path = folder.join(CONFIG_FILE);
        let text = weights::read_text(&path, "the adapter's configuration")?;
        let not_json = |source| LoadError::Json { path: path.clone(), source };
        let read: Read = serde_json::from_str(&text).map_err(not_json)?;
        let keys = serde_json::from_str(&text).map_err(not_json)?;
        let unusable = |source| LoadError::Config { path: path.clone(), source };
        read.require_supported(&keys).map_err(unusable)?;
        let mut file = WeightFile::open(&folder.join(WEIGHTS_FILE))?;
        let config = AdapterConfig {
            rank: read.r,
            alpha: read.lora_alpha as f32,
            rank_stabilized: read.use_rslora,
            targets: targets(&file),
            base_model: read.base_model_name_or_path,
        };
        config.validate().map_err(unusable)?;
        let mut adapter = Self::empty(config, model);
        for slot in adapter.slots() {
            file.describe(&slot.name, &slot.shape)?;
        }
        let known: BTreeSet<&str> = adapter.tensor_names().collect();
        file.refuse_unexpected(|name| known.contains(name))?;
        let mut parameters = vec![0.0; adapter.num_parameters()];
        for slot in adapter.slots() {
            file.read(&slot.name, &mut parameters[slot.range.clone()])?;
        }
        adapter.set_parameters(parameters);
        Ok(adapter)
    }

    /// Writes `adapter_config.json` and `adapter_model.safetensors`, exactly; each file appears whole or not at all.
    ///
    /// # Errors
    /// If the folder or a file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), SaveError> {
        weights::create_folder(folder)?;
        let tensors: Vec<Outgoing<'_>> = self
            .slots()
            .iter()
            .map(|slot| Outgoing {
                name: &slot.name,
                shape: &slot.shape,
                numbers: &self.parameters()[slot.range.clone()],
            })
            .collect();
        weights::write_tensors(&folder.join(WEIGHTS_FILE), &tensors, &[("format", "pt")], Precision::F32)?;
        let config = self.config();
        let written = Written {
            peft_type: "LORA",
            task_type: "CAUSAL_LM",
            base_model_name_or_path: config.base_model.as_deref(),
            inference_mode: true,
            r: config.rank,
            lora_alpha: number(config.alpha),
            use_rslora: config.rank_stabilized,
            lora_dropout: 0.0,
            target_modules: config.targets.iter().map(|linear| linear.name()).collect(),
            bias: "none",
            fan_in_fan_out: false,
            init_lora_weights: true,
            use_dora: false,
            modules_to_save: None,
            rank_pattern: Map::new(),
            alpha_pattern: Map::new(),
        };
        let text = serde_json::to_string_pretty(&written).expect("a configuration is plain data");
        weights::write_text(&folder.join(CONFIG_FILE), &(text + "\n"))
    }
}

/// The linear layers that a file has matrices for in any block.
fn targets(file: &WeightFile) -> BTreeSet<Linear> {
    let adapted = |linear: &Linear| {
        let ending = format!(".{}.lora_A.weight", linear.name());
        file.tensor_names().any(|name| name.ends_with(&ending))
    };
    Linear::ALL.into_iter().filter(adapted).collect()
}

/// Whole numbers without a point, as PEFT has them.
fn number(value: f32) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e9 { Value::from(value as i64) } else { Value::from(f64::from(value)) }
}
