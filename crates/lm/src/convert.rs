//! New folders in Hugging Face layout: from a GGUF file, a few rows at a time, and from a checkpoint and its adapter.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::adapter::{Adapter, AdapterConfig};
use crate::gguf::{GgufError, GgufModel, MetadataValue};
use crate::model::Model;
use crate::weights::{LoadError, Precision, SaveError};

/// Numbers that are in memory at a time.
const CHUNK_NUMBERS: usize = 1 << 20;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// Number of tensors.
    pub num_tensors: usize,
    /// Number of parameters.
    pub num_parameters: usize,
    /// Bytes of `model.safetensors`.
    pub num_bytes: u64,
    /// What kind of tokenizer it is.
    pub tokenizer: String,
}

/// What was merged.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// What the adapter was.
    pub adapter: AdapterConfig,
    /// Number of parameters of the model that was written.
    pub num_parameters: usize,
}

/// Files of a checkpoint beside its weights and its configuration: an adapter leaves them as they are.
const COMPANIONS: [&str; 10] = [
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
];

/// Why a folder could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The file cannot be read.
    #[error("{path:?}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: GgufError,
    },
    /// The checkpoint or the adapter cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// There is something at the place of the folder.
    #[error("{path:?} is there already")]
    Exists {
        /// The place.
        path: PathBuf,
    },
    /// The folder cannot be written.
    #[error(transparent)]
    Save(#[from] SaveError),
}

impl ConvertError {
    /// What the user can do about it, where we know.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Read { source, .. } => source.hint(),
            Self::Load(error) => error.hint(),
            Self::Exists { .. } => Some("name another folder, or remove this one"),
            Self::Save(_) => Some("free some disk space, or name another folder"),
        }
    }
}

/// A folder that goes away again unless it is kept.
struct Staging {
    path: PathBuf,
    is_kept: bool,
}

impl Staging {
    /// Puts the folder in its place.
    fn keep(mut self, place: &Path) -> Result<(), SaveError> {
        let failed = |source| SaveError::Write { path: place.to_owned(), source };
        File::open(&self.path).and_then(|opened| opened.sync_all()).map_err(failed)?;
        std::fs::rename(&self.path, place).map_err(failed)?;
        self.is_kept = true;
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.is_kept {
            // What cannot be removed is only litter: its name says so.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Writes the model of a GGUF file as `config.json`, `generation_config.json`, `model.safetensors`, `tokenizer.json` and
/// `tokenizer_config.json`. The folder appears whole or not at all, and nothing is overwritten.
///
/// # Errors
/// If the file is not a model that this crate reads, there is something at the folder's place, or it cannot be written.
pub fn convert_gguf(file: &Path, folder: &Path, precision: Precision) -> Result<Converted, ConvertError> {
    refuse_existing(folder)?;
    let unreadable = |source| ConvertError::Read { path: file.to_owned(), source };
    let mut model = GgufModel::open(file).map_err(unreadable)?;
    let tokenizer = model.tokenizer().map_err(unreadable)?;
    let staging = stage(folder)?;
    let num_bytes = write_weights(&mut model, file, &staging.path.join("model.safetensors"), precision)?;
    let mut config = model.config().clone();
    config["torch_dtype"] = json!(match precision {
        Precision::F32 => "float32",
        Precision::Bf16 => "bfloat16",
    });
    let mut settings = tokenizer.settings_json;
    settings["model_max_length"] = config["max_position_embeddings"].clone();
    for (name, json) in [
        ("config.json", &config),
        ("generation_config.json", &generation_settings(&model)),
        ("tokenizer_config.json", &settings),
        ("tokenizer.json", &tokenizer.tokenizer_json),
    ] {
        write_json(&staging.path.join(name), json)?;
    }
    staging.keep(folder)?;
    Ok(Converted {
        num_tensors: model.tensors().len(),
        num_parameters: model.num_parameters(),
        num_bytes,
        tokenizer: tokenizer.kind,
    })
}

/// Writes a checkpoint with an adapter merged into its weights ([`Model::merged`]); tokenizer, chat template and settings for
/// generation are copied. The folder appears whole or not at all, and nothing is overwritten.
///
/// # Errors
/// If the checkpoint or the adapter cannot be read or do not belong together, there is something at the folder's place, or
/// it cannot be written.
pub fn merge_adapter(base: &Path, adapter: &Path, folder: &Path, precision: Precision) -> Result<Merged, ConvertError> {
    refuse_existing(folder)?;
    let model = Model::load(base)?;
    let adapter = Adapter::load(adapter, model.config())?;
    let merged = Merged { adapter: adapter.config().clone(), num_parameters: model.num_parameters() };
    let staging = stage(folder)?;
    model.with_adapter(adapter).save(&staging.path, precision)?;
    for name in COMPANIONS {
        let (from, to) = (base.join(name), staging.path.join(name));
        if from.is_file() {
            std::fs::copy(&from, &to).map_err(|source| SaveError::Write { path: to, source })?;
        }
    }
    staging.keep(folder)?;
    Ok(merged)
}

fn refuse_existing(folder: &Path) -> Result<(), ConvertError> {
    match folder.symlink_metadata() {
        Ok(_) => Err(ConvertError::Exists { path: folder.to_owned() }),
        Err(_) => Ok(()),
    }
}

/// Makes the folder that is filled before it takes its place, beside that place.
fn stage(folder: &Path) -> Result<Staging, ConvertError> {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(format!(".partial-{}", std::process::id()));
    let parent = folder.parent().unwrap_or(Path::new(""));
    let path = parent.join(name);
    let failed = |source| SaveError::Write { path: path.clone(), source };
    if !parent.as_os_str().is_empty() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    std::fs::create_dir(&path).map_err(failed)?;
    Ok(Staging { path, is_kept: false })
}

fn write_json(path: &Path, json: &Value) -> Result<(), SaveError> {
    let text = serde_json::to_string_pretty(json).expect("JSON values are plain data") + "\n";
    let written = File::create(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|source| SaveError::Write { path: path.to_owned(), source })
}

/// What ends a text, as `generation_config.json` has it: conversations may end with another marker than texts.
fn generation_settings(model: &GgufModel) -> Value {
    let id = |key: &str| match model.file().metadata().get(key) {
        Some(MetadataValue::Unsigned(id)) => Some(*id),
        _ => None,
    };
    let mut ends: Vec<u64> = Vec::new();
    for key in ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"] {
        ends.extend(id(key).filter(|id| !ends.contains(id)));
    }
    let mut settings = Map::new();
    for (name, key) in
        [("bos_token_id", "tokenizer.ggml.bos_token_id"), ("pad_token_id", "tokenizer.ggml.padding_token_id")]
    {
        if let Some(id) = id(key) {
            settings.insert(name.to_owned(), json!(id));
        }
    }
    match ends.as_slice() {
        [] => None,
        [end] => settings.insert("eos_token_id".to_owned(), json!(end)),
        ends => settings.insert("eos_token_id".to_owned(), json!(ends)),
    };
    Value::Object(settings)
}

/// Streams all tensors into one file and gives its length.
fn write_weights(model: &mut GgufModel, source: &Path, path: &Path, precision: Precision) -> Result<u64, ConvertError> {
    let (kind, width) = match precision {
        Precision::F32 => ("F32", 4),
        Precision::Bf16 => ("BF16", 2),
    };
    let mut header = Map::new();
    header.insert("__metadata__".to_owned(), json!({"format": "pt"}));
    let mut end = 0;
    for tensor in model.tensors() {
        let begin = end;
        end += tensor.num_elements() * width;
        let entry = json!({"dtype": kind, "shape": tensor.shape, "data_offsets": [begin, end]});
        header.insert(tensor.name.clone(), entry);
    }
    let mut header = serde_json::to_vec(&header).expect("a header is plain data");
    // The numbers begin at a multiple of eight.
    header.resize(header.len().next_multiple_of(8), b' ');

    let failed = |source| ConvertError::Save(SaveError::Write { path: path.to_owned(), source });
    let mut out = BufWriter::new(File::create(path).map_err(failed)?);
    out.write_all(&(header.len() as u64).to_le_bytes()).map_err(failed)?;
    out.write_all(&header).map_err(failed)?;
    let mut numbers = Vec::new();
    let mut bytes = Vec::new();
    for index in 0..model.tensors().len() {
        let tensor = &model.tensors()[index];
        let (num_rows, row_length) = (tensor.num_rows(), tensor.row_length());
        let rows_at_a_time = (CHUNK_NUMBERS / row_length).max(1);
        for first in (0..num_rows).step_by(rows_at_a_time) {
            numbers.resize(rows_at_a_time.min(num_rows - first) * row_length, 0.0);
            let read = model.read_rows(index, first, &mut numbers);
            read.map_err(|error| ConvertError::Read { path: source.to_owned(), source: error })?;
            bytes.clear();
            match precision {
                Precision::F32 => bytes.extend(numbers.iter().flat_map(|number: &f32| number.to_le_bytes())),
                Precision::Bf16 => {
                    bytes.extend(numbers.iter().flat_map(|&number| half::bf16::from_f32(number).to_le_bytes()));
                }
            }
            out.write_all(&bytes).map_err(failed)?;
        }
    }
    let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    Ok((8 + header.len() + end) as u64)
}
