//! Checkpoints on disk: safetensors in, whole or sharded, and safetensors out.
//!
//! Reading checks every name, type, shape and length against the configuration before it allocates, and reads tensor by
//! tensor, so that a hostile or broken file costs no more than its header.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, Metadata, TensorInfo, TensorView};
use serde::Deserialize;

use crate::config::ConfigError;
use crate::layout::{Layout, Slot};

/// The single weight file of a checkpoint.
const WEIGHTS_FILE: &str = "model.safetensors";
/// The list of weight files of a sharded checkpoint.
const INDEX_FILE: &str = "model.safetensors.index.json";
/// The longest header we take; that of a model with a thousand layers has a tenth of this.
const MOST_HEADER_BYTES: u64 = 100 << 20;
/// The longest text file we take; the `tokenizer.json` of a quarter of a million tokens has a third of this.
const MOST_TEXT_BYTES: u64 = 100 << 20;
/// The most weight files of a checkpoint; the largest published ones have a fifth of this.
const MOST_SHARDS: usize = 1000;
/// Numbers converted at a time.
const READ_NUMBERS: usize = 1 << 18;

/// How numbers are stored in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Single precision: exact.
    F32,
    /// Brain floating point: half the size, eight bits of mantissa.
    Bf16,
}

/// Why a checkpoint could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The folder does not exist or is not a folder.
    #[error("no model folder at {path:?}")]
    MissingFolder {
        /// Where it was expected.
        path: PathBuf,
    },
    /// A file of the checkpoint does not exist.
    #[error("no file {path:?}, expected {expected}")]
    MissingFile {
        /// Where it was expected.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
    /// The operating system refused.
    #[error("cannot read {path:?}")]
    Read {
        /// What was read.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A file is not the JSON it should be.
    #[error("cannot understand {path:?}")]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why parsing stopped.
        source: serde_json::Error,
    },
    /// The configuration describes a model that we do not compute.
    #[error("unusable configuration {path:?}")]
    Config {
        /// The file.
        path: PathBuf,
        /// The field and what was expected.
        source: ConfigError,
    },
    /// The file is shorter or longer than its header says.
    #[error("{path:?} holds {found} bytes, expected {expected}")]
    WrongLength {
        /// The file.
        path: PathBuf,
        /// Bytes by the header.
        expected: u64,
        /// Bytes in the file.
        found: u64,
    },
    /// A text file is longer than any that belongs to a checkpoint.
    #[error("{path:?} holds {found} bytes, expected no more than {limit}")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Bytes in the file.
        found: u64,
        /// The most that is read.
        limit: u64,
    },
    /// The index names more weight files than any checkpoint has.
    #[error("{path:?} names {found} weight files, expected no more than {limit}")]
    TooManyShards {
        /// The index.
        path: PathBuf,
        /// Files that it names.
        found: usize,
        /// The most that are opened.
        limit: usize,
    },
    /// The index names a weight file outside the checkpoint's folder, or one of another kind.
    #[error("{path:?} names the weight file {file:?}, expected a .safetensors file beside it")]
    ForeignShard {
        /// The index.
        path: PathBuf,
        /// What it names.
        file: String,
    },
    /// A tensor that the configuration implies is in no weight file.
    #[error("{path:?} has no tensor {name}")]
    MissingTensor {
        /// The file or the folder of shards.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// A tensor is in two weight files, which may differ.
    #[error("tensor {name} is in {path:?} and in {other:?}")]
    DuplicateTensor {
        /// The first file that has it.
        path: PathBuf,
        /// Another one.
        other: PathBuf,
        /// The tensor.
        name: String,
    },
    /// A tensor that the configuration does not imply: ignoring it would compute another model.
    #[error("{path:?} has a tensor {name} that the configuration has no place for")]
    UnexpectedTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// A tensor's shape is not that which the configuration implies.
    #[error("tensor {name} in {path:?} has shape {found:?}, expected {expected:?}")]
    WrongShape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// By the configuration.
        expected: Vec<usize>,
        /// In the file.
        found: Vec<usize>,
    },
    /// What is in training is another thing than what was saved.
    #[error("{path:?} belongs to {found}, expected {expected}")]
    Foreign {
        /// The file or folder.
        path: PathBuf,
        /// What it was made of.
        found: String,
        /// What is in training.
        expected: String,
    },
    /// A tensor's numbers have a type that we do not convert.
    #[error("tensor {name} in {path:?} has type {found}, expected F32, BF16 or F16")]
    UnsupportedType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// The type in the file.
        found: String,
    },
    /// A tensor holds an infinity or something that is not a number.
    #[error("tensor {name} in {path:?} holds a number that is not finite")]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
}

impl LoadError {
    /// What the user can do about it, where we know.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::MissingFolder { .. } => Some("give the folder that holds config.json and model.safetensors"),
            Self::MissingFile { path, .. } if path.file_name().is_some_and(is_of_adapter) => {
                Some("an adapter in the layout of PEFT has adapter_config.json and adapter_model.safetensors")
            }
            Self::MissingFile { .. } => {
                Some("a checkpoint in Hugging Face layout has config.json, model.safetensors and tokenizer.json")
            }
            Self::Config { source, .. } => source.hint(),
            Self::WrongLength { .. } => Some("the file was cut short or changed in transfer; copy it again"),
            Self::MissingTensor { .. } | Self::UnexpectedTensor { .. } | Self::WrongShape { .. } => {
                Some("check that config.json belongs to these weights")
            }
            Self::UnsupportedType { .. } => {
                Some("convert the checkpoint to bfloat16 or float32; quantised ones are not read")
            }
            Self::Foreign { .. } => Some("continue with the model and the adapter's settings of the run it is from"),
            Self::DuplicateTensor { .. } => Some("remove the weight files that do not belong to this checkpoint"),
            Self::Read { .. }
            | Self::Json { .. }
            | Self::TooLong { .. }
            | Self::TooManyShards { .. }
            | Self::ForeignShard { .. }
            | Self::NotFinite { .. } => None,
        }
    }
}

/// Why something could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The operating system refused.
    #[error("cannot write {path:?}")]
    Write {
        /// What was written.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The tensors do not fit the format.
    #[error("cannot encode {path:?}")]
    Encode {
        /// What was written.
        path: PathBuf,
        /// Why it failed.
        source: safetensors::SafeTensorError,
    },
}

fn is_of_adapter(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with("adapter_")
}

/// Reads a small text file of a checkpoint.
pub(crate) fn read_text(path: &Path, expected: &'static str) -> Result<String, LoadError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(LoadError::MissingFolder { path: folder.to_owned() });
    }
    let failed = |source| read_error(path, expected, source);
    let file = File::open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?.len();
    let limit = MOST_TEXT_BYTES;
    if found > limit {
        return Err(LoadError::TooLong { path: path.to_owned(), found, limit });
    }
    let mut text = String::new();
    // No further than the limit: not every file knows its length, and one may grow.
    file.take(limit).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

fn read_error(path: &Path, expected: &'static str, source: std::io::Error) -> LoadError {
    match source.kind() {
        std::io::ErrorKind::NotFound => LoadError::MissingFile { path: path.to_owned(), expected },
        _ => LoadError::Read { path: path.to_owned(), source },
    }
}

/// A weight file, opened, with its header read and checked against its length.
pub(crate) struct WeightFile {
    path: PathBuf,
    file: File,
    header: Metadata,
    /// Where the numbers begin.
    data_start: u64,
}

impl WeightFile {
    /// Opens a file and checks its header.
    pub(crate) fn open(path: &Path) -> Result<Self, LoadError> {
        let failed = |source| read_error(path, "the weights in safetensors format", source);
        let mut file = File::open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?.len();
        let wrong_length = |expected| LoadError::WrongLength { path: path.to_owned(), expected, found };
        let mut length = [0; 8];
        if found < 8 {
            return Err(wrong_length(8));
        }
        file.read_exact(&mut length).map_err(failed)?;
        let header_bytes = u64::from_le_bytes(length);
        if header_bytes > MOST_HEADER_BYTES.min(found - 8) {
            return Err(wrong_length(header_bytes.saturating_add(8)));
        }
        let mut header = vec![0; header_bytes as usize];
        file.read_exact(&mut header).map_err(failed)?;
        let header: Metadata =
            serde_json::from_slice(&header).map_err(|source| LoadError::Json { path: path.to_owned(), source })?;
        let expected = 8 + header_bytes + header.data_len() as u64;
        if expected != found {
            return Err(wrong_length(expected));
        }
        Ok(Self { path: path.to_owned(), file, header, data_start: 8 + header_bytes })
    }

    /// A text that was stored with the tensors.
    pub(crate) fn note(&self, key: &str) -> Option<&str> {
        self.header.metadata().as_ref()?.get(key).map(String::as_str)
    }

    /// The names of all tensors.
    pub(crate) fn tensor_names(&self) -> impl Iterator<Item = String> {
        self.header.offset_keys().into_iter()
    }

    /// Refuses a file with a tensor that is not known.
    pub(crate) fn refuse_unexpected(&self, is_known: impl Fn(&str) -> bool) -> Result<(), LoadError> {
        match self.tensor_names().find(|name| !is_known(name)) {
            Some(name) => Err(LoadError::UnexpectedTensor { path: self.path.clone(), name }),
            None => Ok(()),
        }
    }

    /// The length of the file.
    pub(crate) fn num_bytes(&self) -> u64 {
        self.data_start + self.header.data_len() as u64
    }

    /// All tensors of the file: name, shape and the name of the stored type, in the order of the file.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = (String, &[usize], String)> {
        self.header.offset_keys().into_iter().filter_map(|name| {
            let info = self.header.info(&name)?;
            Some((name, info.shape.as_slice(), format!("{:?}", info.dtype)))
        })
    }

    /// A tensor's description, if it is here with the shape and a type that we read.
    pub(crate) fn describe(&self, name: &str, shape: &[usize]) -> Result<&TensorInfo, LoadError> {
        let (path, name) = (|| self.path.clone(), name.to_owned());
        let Some(info) = self.header.info(&name) else {
            return Err(LoadError::MissingTensor { path: path(), name });
        };
        if info.shape != shape {
            let (expected, found) = (shape.to_vec(), info.shape.clone());
            return Err(LoadError::WrongShape { path: path(), name, expected, found });
        }
        if !matches!(info.dtype, Dtype::F32 | Dtype::BF16 | Dtype::F16) {
            return Err(LoadError::UnsupportedType { path: path(), name, found: format!("{:?}", info.dtype) });
        }
        Ok(info)
    }

    /// Reads a tensor that was described, as single precision.
    pub(crate) fn read(&mut self, name: &str, numbers: &mut [f32]) -> Result<(), LoadError> {
        let path = self.path.clone();
        let failed = |source| LoadError::Read { path: path.clone(), source };
        let info = self.header.info(name).expect("the tensor was described");
        let (kind, width) = (info.dtype, info.dtype.bitsize() / 8);
        let offset = self.data_start + info.data_offsets.0 as u64;
        self.file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let mut bytes = vec![0; READ_NUMBERS.min(numbers.len()) * width];
        for piece in numbers.chunks_mut(READ_NUMBERS) {
            let bytes = &mut bytes[..piece.len() * width];
            self.file.read_exact(bytes).map_err(failed)?;
            convert(kind, bytes, piece);
            if piece.iter().any(|number| !number.is_finite()) {
                return Err(LoadError::NotFinite { path, name: name.to_owned() });
            }
        }
        Ok(())
    }
}

fn convert(kind: Dtype, bytes: &[u8], numbers: &mut [f32]) {
    match kind {
        Dtype::F32 => {
            for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
                *number = f32::from_le_bytes(*bytes);
            }
        }
        Dtype::BF16 => {
            for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
                *number = half::bf16::from_le_bytes(*bytes).to_f32();
            }
        }
        Dtype::F16 => {
            for (number, bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
                *number = half::f16::from_le_bytes(*bytes).to_f32();
            }
        }
        _ => unreachable!("the type was checked when the tensor was described"),
    }
}

/// The part of the index file that we need.
#[derive(Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

/// The weight files of a checkpoint folder.
pub(crate) fn weight_files(folder: &Path) -> Result<Vec<WeightFile>, LoadError> {
    let single = folder.join(WEIGHTS_FILE);
    let index_path = folder.join(INDEX_FILE);
    if single.exists() || !index_path.exists() {
        return Ok(vec![WeightFile::open(&single)?]);
    }
    let text = read_text(&index_path, "the list of weight files")?;
    let index: ShardIndex =
        serde_json::from_str(&text).map_err(|source| LoadError::Json { path: index_path.clone(), source })?;
    let names: BTreeSet<&str> = index.weight_map.values().map(String::as_str).collect();
    if names.len() > MOST_SHARDS {
        return Err(LoadError::TooManyShards { path: index_path, found: names.len(), limit: MOST_SHARDS });
    }
    if let Some(foreign) = names.iter().find(|name| !is_shard_name(name)) {
        return Err(LoadError::ForeignShard { file: (*foreign).to_owned(), path: index_path });
    }
    let files = names.iter().map(|name| WeightFile::open(&folder.join(name))).collect::<Result<Vec<_>, _>>()?;
    // Each tensor must be where the index says: otherwise a file of another checkpoint stands in its place.
    for (name, shard) in index.weight_map {
        let home = files.iter().find(|file| file.path.ends_with(&shard)).expect("every named file was opened");
        if home.header.info(&name).is_none() {
            return Err(LoadError::MissingTensor { path: home.path.clone(), name });
        }
    }
    refuse_duplicates(&files)?;
    Ok(files)
}

/// Whether an index may name this file: a plain name, on every system, of the kind that holds weights.
fn is_shard_name(name: &str) -> bool {
    let plain = Path::new(name).file_name() == Some(name.as_ref()) && !name.contains(['/', '\\', ':', '\0']);
    plain && Path::new(name).extension().is_some_and(|extension| extension == "safetensors")
}

fn refuse_duplicates(files: &[WeightFile]) -> Result<(), LoadError> {
    let mut homes: BTreeMap<String, &Path> = BTreeMap::new();
    for file in files {
        for name in file.header.offset_keys() {
            if let Some(first) = homes.insert(name.clone(), &file.path) {
                return Err(LoadError::DuplicateTensor { path: first.to_owned(), other: file.path.clone(), name });
            }
        }
    }
    Ok(())
}

/// Reads all parameters of a layout from a checkpoint folder.
pub(crate) fn read_weights(folder: &Path, layout: &Layout) -> Result<Vec<f32>, LoadError> {
    let mut files = weight_files(folder)?;
    let mut homes = Vec::with_capacity(layout.slots().len());
    for Slot { name, shape, .. } in layout.slots() {
        // The first file that has it, or the first file of all, whose error then names it.
        let home = files.iter().position(|file| file.header.info(name).is_some()).unwrap_or(0);
        files[home].describe(name, shape)?;
        homes.push(home);
    }
    refuse_unexpected(&files, layout)?;
    let mut numbers = vec![0.0; layout.total()];
    for (slot, home) in layout.slots().iter().zip(homes) {
        files[home].read(&slot.name, &mut numbers[slot.range.clone()])?;
    }
    Ok(numbers)
}

fn refuse_unexpected(files: &[WeightFile], layout: &Layout) -> Result<(), LoadError> {
    let known: BTreeSet<&str> = layout.slots().iter().map(|slot| slot.name.as_str()).collect();
    for file in files {
        file.refuse_unexpected(|name| {
            // A tied head is often stored all the same, and old files carry the rotary frequencies.
            let redundant = name == "lm_head.weight" || name.ends_with(".rotary_emb.inv_freq");
            redundant || known.contains(name)
        })?;
    }
    Ok(())
}

/// A tensor on its way to a file.
pub(crate) struct Outgoing<'a> {
    pub(crate) name: &'a str,
    pub(crate) shape: &'a [usize],
    pub(crate) numbers: &'a [f32],
}

/// Writes all parameters of a layout to a checkpoint folder.
pub(crate) fn write_weights(
    folder: &Path,
    layout: &Layout,
    numbers: &[f32],
    precision: Precision,
) -> Result<(), SaveError> {
    let tensors: Vec<Outgoing<'_>> = layout
        .slots()
        .iter()
        .map(|slot| Outgoing { name: &slot.name, shape: &slot.shape, numbers: &numbers[slot.range.clone()] })
        .collect();
    // What the reference implementation wants to find in the header.
    write_tensors(&folder.join(WEIGHTS_FILE), &tensors, &[("format", "pt")], precision)
}

/// Writes tensors and notes to a file, which appears whole or not at all.
pub(crate) fn write_tensors(
    path: &Path,
    tensors: &[Outgoing<'_>],
    notes: &[(&str, &str)],
    precision: Precision,
) -> Result<(), SaveError> {
    let encoded: Vec<Vec<u8>> = match precision {
        // The format is little-endian, as is every target this crate has kernels for.
        Precision::F32 => Vec::new(),
        Precision::Bf16 => tensors
            .iter()
            .map(|tensor| tensor.numbers.iter().flat_map(|&x| half::bf16::from_f32(x).to_le_bytes()).collect())
            .collect(),
    };
    let encode = |source| SaveError::Encode { path: path.to_owned(), source };
    let mut views = Vec::with_capacity(tensors.len());
    for (index, tensor) in tensors.iter().enumerate() {
        let (kind, bytes) = match precision {
            Precision::F32 => (Dtype::F32, bytemuck::cast_slice(tensor.numbers)),
            Precision::Bf16 => (Dtype::BF16, encoded[index].as_slice()),
        };
        views.push((tensor.name, TensorView::new(kind, tensor.shape.to_vec(), bytes).map_err(encode)?));
    }
    let notes = notes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let beside = beside(path);
    safetensors::serialize_to_file(views, Some(notes), &beside).map_err(encode)?;
    settle(&beside, path)
}

/// Writes a text file, which appears whole or not at all.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), SaveError> {
    let failed = |source| SaveError::Write { path: path.to_owned(), source };
    let beside = beside(path);
    let mut file = File::create(&beside).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    drop(file);
    settle(&beside, path)
}

/// The name under which a file is written before it takes its place.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

/// Moves a finished file to its place once its contents are on disk.
fn settle(beside: &Path, path: &Path) -> Result<(), SaveError> {
    let failed = |source| SaveError::Write { path: path.to_owned(), source };
    File::open(beside).and_then(|file| file.sync_all()).map_err(failed)?;
    std::fs::rename(beside, path).map_err(failed)
}

/// Makes sure that a folder exists.
pub(crate) fn create_folder(folder: &Path) -> Result<(), SaveError> {
    std::fs::create_dir_all(folder).map_err(|source| SaveError::Write { path: folder.to_owned(), source })
}
