//! What a checkpoint is, without loading it: family, shapes, how its numbers are stored, its tokenizer and template,
//! and the memory that work with it takes.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::adapter::AdapterConfig;
use crate::chat::{ChatError, ChatTemplates};
use crate::config::ModelConfig;
use crate::gguf::{GgufError, GgufModel};
use crate::plan::{MemoryPlan, SamplingLoad, TrainingLoad, Workload};
use crate::trainer::Activations;
use crate::weights::{LoadError, read_text, weight_files};

/// Sequences of the batch that memory is estimated for.
const BATCH_SEQUENCES: usize = 16;
/// Tokens of each of them.
const BATCH_TOKENS: usize = 256;
/// Rank of the adapters that memory is estimated for.
const ADAPTER_RANK: usize = 16;

/// What a checkpoint is.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// What it is stored as: "Hugging Face folder" or "GGUF file, version 3".
    pub container: String,
    /// The architecture, by its Hugging Face name.
    pub family: String,
    /// The configuration, as a Hugging Face `config.json` has it.
    pub config: Value,
    /// Whether this crate computes the model, or why not.
    pub supported: Result<(), String>,
    /// Number of parameters; a tied head counts once.
    pub num_parameters: usize,
    /// How the numbers are stored, most parameters first.
    pub stored: Vec<StoredAs>,
    /// What kind of tokenizer it has, or why none can be used.
    pub tokenizer: Result<String, String>,
    /// The names of its chat templates; empty if it has none.
    pub templates: Result<Vec<String>, String>,
    /// Bytes that the files take.
    pub file_bytes: u64,
    /// What work with it takes in memory, if this crate computes it.
    pub memory: Option<MemoryNeed>,
}

/// One way in which numbers of a checkpoint are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAs {
    /// The type's name.
    pub kind: String,
    /// How many tensors.
    pub num_tensors: usize,
    /// How many parameters.
    pub num_parameters: usize,
}

/// What work takes in memory, for 16 sequences of 256 tokens in single precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryNeed {
    /// To complete 16 prompts of 128 tokens by 128 tokens.
    pub sample: MemoryPlan,
    /// To train all weights.
    pub train: MemoryPlan,
    /// The same, with activations computed again.
    pub train_recomputing: MemoryPlan,
    /// To train adapters of rank 16 on all matrices, with the weights frozen.
    pub adapt: MemoryPlan,
    /// The same, with activations computed again.
    pub adapt_recomputing: MemoryPlan,
}

/// Looks at a folder in Hugging Face layout or at a GGUF file.
///
/// # Errors
/// If the files are missing or broken. A model that is sound but of a family that this crate does not compute is no
/// error for a folder.
pub fn inspect(path: &Path) -> Result<Inspection, InspectError> {
    if path.is_dir() { inspect_folder(path) } else { inspect_gguf(path) }
}

/// Why a checkpoint cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The GGUF file cannot be read.
    #[error("{path:?}: {source}")]
    Gguf {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: GgufError,
    },
    /// The folder cannot be read.
    #[error(transparent)]
    Folder(#[from] LoadError),
}

impl InspectError {
    /// What the user can do about it, where we know.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Gguf { source, .. } => source.hint(),
            Self::Folder(error) => error.hint(),
        }
    }
}

fn inspect_gguf(path: &Path) -> Result<Inspection, InspectError> {
    let unreadable = |source| InspectError::Gguf { path: path.to_owned(), source };
    let model = GgufModel::open(path).map_err(unreadable)?;
    let mut stored = BTreeMap::new();
    for tensor in model.tensors() {
        count(&mut stored, tensor.stored.name(), tensor.num_elements());
    }
    let tokenizer = model.tokenizer().map(|tokenizer| describe_tokenizer(&tokenizer.tokenizer_json));
    let file_bytes = File::open(path).and_then(|file| file.metadata()).map_or(0, |found| found.len());
    let template = model.chat_template().map(|_| "default".to_owned());
    Ok(Inspection {
        container: format!("GGUF file, version {}", model.file().version()),
        family: family(model.config()),
        config: model.config().clone(),
        supported: supported(model.config()),
        num_parameters: model.num_parameters(),
        stored: by_size(stored),
        tokenizer: tokenizer.map_err(|error| error.to_string()),
        templates: Ok(template.into_iter().collect()),
        file_bytes,
        memory: memory(model.config()),
    })
}

fn inspect_folder(folder: &Path) -> Result<Inspection, InspectError> {
    let config = read_json(&folder.join("config.json"), "the model's configuration")?;
    let is_tied = config["tie_word_embeddings"].as_bool().unwrap_or(false);
    let mut stored = BTreeMap::new();
    let (mut num_parameters, mut file_bytes) = (0_usize, 0);
    for file in weight_files(folder)? {
        file_bytes += file.num_bytes();
        for (name, shape, kind) in file.tensors() {
            let num_elements = shape.iter().product();
            count(&mut stored, &kind, num_elements);
            let is_repeated = (is_tied && name == "lm_head.weight") || name.ends_with(".rotary_emb.inv_freq");
            num_parameters += if is_repeated { 0 } else { num_elements };
        }
    }
    let tokenizer = match read_json(&folder.join("tokenizer.json"), "the tokenizer") {
        Ok(json) => Ok(describe_tokenizer(&json)),
        Err(error) => Err(error.to_string()),
    };
    let templates = match ChatTemplates::load(folder) {
        Ok(templates) => Ok(templates.names().map(str::to_owned).collect()),
        Err(ChatError::NoTemplate { .. }) => Ok(Vec::new()),
        Err(error) => Err(error.to_string()),
    };
    Ok(Inspection {
        container: "Hugging Face folder".to_owned(),
        family: family(&config),
        supported: supported(&config),
        num_parameters,
        stored: by_size(stored),
        tokenizer,
        templates,
        file_bytes,
        memory: memory(&config),
        config,
    })
}

fn read_json(path: &Path, what: &'static str) -> Result<Value, LoadError> {
    let text = read_text(path, what)?;
    serde_json::from_str(&text).map_err(|source| LoadError::Json { path: PathBuf::from(path), source })
}

fn count(stored: &mut BTreeMap<String, (usize, usize)>, kind: &str, num_elements: usize) {
    let (num_tensors, num_parameters) = stored.entry(kind.to_owned()).or_default();
    *num_tensors += 1;
    *num_parameters += num_elements;
}

fn by_size(stored: BTreeMap<String, (usize, usize)>) -> Vec<StoredAs> {
    let mut stored: Vec<StoredAs> = stored
        .into_iter()
        .map(|(kind, (num_tensors, num_parameters))| StoredAs { kind, num_tensors, num_parameters })
        .collect();
    stored.sort_by_key(|stored| std::cmp::Reverse(stored.num_parameters));
    stored
}

fn family(config: &Value) -> String {
    let named = config["architectures"][0].as_str().or_else(|| config["model_type"].as_str());
    named.unwrap_or("unknown").to_owned()
}

fn supported(config: &Value) -> Result<(), String> {
    let parsed: Result<ModelConfig, _> = serde_json::from_value(config.clone());
    parsed.map(|_| ()).map_err(|error| error.to_string())
}

/// The kind of a tokenizer by its `tokenizer.json`, in a few words.
fn describe_tokenizer(json: &Value) -> String {
    let model = &json["model"];
    let vocabulary = &model["vocab"];
    let size = vocabulary.as_object().map(serde_json::Map::len).or_else(|| vocabulary.as_array().map(Vec::len));
    let byte_level = json["decoder"]["type"] == "ByteLevel";
    let kind = match model["type"].as_str() {
        Some("BPE") | None if byte_level => "byte-level BPE",
        Some("BPE") if model["byte_fallback"] == true => "SentencePiece BPE with bytes",
        Some(kind) => kind,
        None => "unknown kind",
    };
    let num_added = json["added_tokens"].as_array().map_or(0, Vec::len);
    format!("{kind}, {} tokens, {num_added} of them added", size.unwrap_or(0))
}

/// The plans for a batch of the usual size, if this crate computes the model.
fn memory(config: &Value) -> Option<MemoryNeed> {
    let config: ModelConfig = serde_json::from_value(config.clone()).ok()?;
    Some(MemoryNeed::new(&config))
}

impl MemoryNeed {
    /// What a model of a valid configuration takes.
    pub fn new(config: &ModelConfig) -> Self {
        let training = |adapter, activations| Workload {
            training: Some(TrainingLoad {
                batch_tokens: BATCH_SEQUENCES * BATCH_TOKENS,
                longest: BATCH_TOKENS,
                activations,
                adapter,
                reference: false,
            }),
            sampling: None,
        };
        let sampling = SamplingLoad {
            rows: BATCH_SEQUENCES,
            prompts: BATCH_SEQUENCES,
            prompt_tokens: BATCH_TOKENS / 2,
            new_tokens: BATCH_TOKENS / 2,
        };
        let adapter = || Some(AdapterConfig { rank: ADAPTER_RANK, ..AdapterConfig::default() });
        let plan = |workload: &Workload| MemoryPlan::new(config, workload);
        Self {
            sample: plan(&Workload { training: None, sampling: Some(sampling) }),
            train: plan(&training(None, Activations::Keep)),
            train_recomputing: plan(&training(None, Activations::Recompute)),
            adapt: plan(&training(adapter(), Activations::Keep)),
            adapt_recomputing: plan(&training(adapter(), Activations::Recompute)),
        }
    }
}
