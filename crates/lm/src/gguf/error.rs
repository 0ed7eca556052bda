//! What can be wrong with a GGUF file.

use std::path::PathBuf;

/// Why a GGUF file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// The file could not be opened.
    #[error("cannot open {path:?}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Reading failed half-way.
    #[error("cannot read the file")]
    Read(#[from] std::io::Error),
    /// The file does not begin with the four letters.
    #[error("not a GGUF file: it begins with {found:?}")]
    NotGguf {
        /// The first four bytes.
        found: [u8; 4],
    },
    /// The numbers have their bytes the other way round.
    #[error("the file is in big-endian byte order")]
    BigEndian,
    /// A version of the format that we do not know.
    #[error("version {found} of GGUF is not supported, expected 2 or 3")]
    UnsupportedVersion {
        /// What the file says.
        found: u32,
    },
    /// The file ends before what it announces.
    #[error("the file ends inside {what}: {needed} bytes are announced at byte {at}, and {left} are left")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where.
        at: u64,
        /// How many bytes it takes at least.
        needed: u64,
        /// How many there are.
        left: u64,
    },
    /// A count or a length is beyond what any model has.
    #[error("{what} of {found} is beyond the limit of {most}")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// What the file says.
        found: u64,
        /// The most that is read.
        most: u64,
    },
    /// A text is not UTF-8.
    #[error("{what} at byte {at} is not UTF-8 text")]
    NotText {
        /// What was being read.
        what: &'static str,
        /// Where.
        at: u64,
    },
    /// A metadata value is of a type that the format does not have.
    #[error("metadata {key:?} has a value of unknown type {found}")]
    UnknownValueType {
        /// The key.
        key: String,
        /// The number of the type.
        found: u32,
    },
    /// Arrays of arrays have no use in any model.
    #[error("metadata {key:?} is an array of arrays")]
    NestedArray {
        /// The key.
        key: String,
    },
    /// Two values have one key.
    #[error("metadata {key:?} is there twice")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// Two tensors have one name.
    #[error("tensor {name:?} is there twice")]
    DuplicateTensor {
        /// The name.
        name: String,
    },
    /// The alignment is zero, no power of two, or absurd.
    #[error("an alignment of {found} is not possible, expected a power of two up to {most}")]
    BadAlignment {
        /// What the file says.
        found: u64,
        /// The largest alignment that is read.
        most: u64,
    },
    /// A tensor's dimensions are not possible.
    #[error("tensor {name:?} of dimensions {dimensions:?} {reason}")]
    BadShape {
        /// The tensor.
        name: String,
        /// What the file says.
        dimensions: Vec<u64>,
        /// What is wrong with them.
        reason: &'static str,
    },
    /// A tensor's numbers are stored in a way that this crate does not read.
    #[error("tensor {name:?} is stored as {found}, which is not read")]
    UnsupportedType {
        /// The tensor.
        name: String,
        /// The format's name or number.
        found: String,
    },
    /// A tensor does not lie where a tensor can lie.
    #[error("tensor {name:?} at offset {offset} {reason}")]
    Misplaced {
        /// The tensor.
        name: String,
        /// Its offset from the beginning of the data.
        offset: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The metadata lacks a key that the model needs.
    #[error("metadata {key:?} is missing")]
    MissingKey {
        /// The key.
        key: String,
    },
    /// A metadata value is not what the key promises.
    #[error("metadata {key:?} is not {expected}")]
    WrongValue {
        /// The key.
        key: String,
        /// What was expected.
        expected: &'static str,
    },
    /// The file describes a family that this crate does not read.
    #[error("architecture {found:?} is not supported, expected llama, qwen2, qwen3 or gemma3")]
    UnsupportedArchitecture {
        /// What the file says.
        found: String,
    },
    /// The family is right, but the file asks for a computation that this crate does not have.
    #[error("{feature} = {found} is not supported")]
    UnsupportedFeature {
        /// The key or tensor that asks for it.
        feature: String,
        /// What the file says.
        found: String,
    },
    /// A tensor that the model needs is missing.
    #[error("tensor {name:?} is missing")]
    MissingTensor {
        /// The tensor, as GGUF calls it.
        name: String,
    },
    /// There is a tensor that the model has no place for.
    #[error("tensor {name:?} has no place in this model")]
    UnexpectedTensor {
        /// The tensor, as GGUF calls it.
        name: String,
    },
    /// A tensor has another shape than the metadata says.
    #[error("tensor {name:?} has shape {found:?}, expected {expected:?}")]
    WrongShape {
        /// The tensor, as GGUF calls it.
        name: String,
        /// What the metadata says.
        expected: Vec<usize>,
        /// What the tensor directory says.
        found: Vec<usize>,
    },
    /// A tensor holds an infinity or something that is not a number.
    #[error("tensor {name:?} holds a number that is not finite")]
    NotFinite {
        /// The tensor.
        name: String,
    },
    /// The tokenizer in the file does not hold together.
    #[error("the tokenizer in the file cannot be used: {reason}")]
    Tokenizer {
        /// What is wrong with it.
        reason: String,
    },
}

impl GgufError {
    /// What the user can do about it, where we know.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::NotGguf { .. } => Some("give a .gguf file, or a folder in Hugging Face layout"),
            Self::BigEndian | Self::UnsupportedVersion { .. } => {
                Some("convert the model again with a current llama.cpp, for a little-endian machine")
            }
            Self::Truncated { .. } | Self::Misplaced { .. } => {
                Some("the file was cut short or changed in transfer; copy it again")
            }
            Self::UnsupportedType { .. } => {
                Some("use a file in F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K or Q6_K")
            }
            Self::UnsupportedArchitecture { .. } | Self::UnsupportedFeature { .. } => {
                Some("use a Llama, Qwen2, Qwen3 or Gemma 3 model without this option")
            }
            Self::Tokenizer { .. } => {
                Some("use the model's folder in Hugging Face layout, which has the tokenizer itself")
            }
            _ => None,
        }
    }
}
