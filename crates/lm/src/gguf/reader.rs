//! The container: metadata, the directory of tensors, and their bytes.
//!
//! Nothing is believed: each count and length is compared with what is left of the file before anything is allocated
//! for it, and the directory's shapes and offsets are checked against the file's length, so that a hostile file costs
//! no more memory than a small multiple of the limits below.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::blocks::StoredType;
use super::error::GgufError;

/// The first four bytes.
const MAGIC: [u8; 4] = *b"GGUF";
/// Where the data begins when the file does not say, and where each tensor may begin.
const DEFAULT_ALIGNMENT: u64 = 32;
const MOST_ALIGNMENT: u64 = 1 << 16;
/// The most bytes of metadata and directory; a model with 262,144 tokens has 7 MiB.
const MOST_HEADER_BYTES: u64 = 64 << 20;
const MOST_KEYS: u64 = 1 << 16;
const MOST_TENSORS: u64 = 1 << 16;
/// The most elements of all arrays together.
const MOST_ELEMENTS: u64 = 1 << 22;
const MOST_DIMENSIONS: u64 = 4;
/// Bytes that are read at a time.
const READ_BYTES: usize = 1 << 20;

/// A value of the metadata.
#[derive(Debug, Clone, PartialEq)]
pub enum MetadataValue {
    /// Any integer that is not negative.
    Unsigned(u64),
    /// An integer below zero.
    Negative(i64),
    /// A number with a fraction.
    Float(f64),
    /// True or false.
    Bool(bool),
    /// A text.
    Text(String),
    /// A list of texts.
    Texts(Vec<String>),
    /// A list of numbers, whatever their type in the file.
    Numbers(Vec<f64>),
}

/// One tensor of the directory.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorEntry {
    /// Its name in the file.
    pub name: String,
    /// How its numbers are stored.
    pub stored: StoredType,
    /// Its shape, rows first: the reverse of the file's order.
    pub shape: Vec<usize>,
    /// Its place, from the beginning of the file.
    at: u64,
    /// Its length.
    num_bytes: u64,
}

impl TensorEntry {
    /// Number of elements.
    pub fn num_elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Length of a row: the last dimension.
    pub(crate) fn row_length(&self) -> usize {
        *self.shape.last().expect("a tensor has a dimension")
    }
}

/// A GGUF file whose metadata and directory have been read and checked.
#[derive(Debug)]
pub struct GgufFile<R = File> {
    source: R,
    version: u32,
    metadata: BTreeMap<String, MetadataValue>,
    tensors: Vec<TensorEntry>,
}

impl GgufFile<File> {
    /// Opens a file and checks everything but the numbers.
    ///
    /// # Errors
    /// If the file cannot be opened, or is no GGUF file that holds together.
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        let file = File::open(path).map_err(|source| GgufError::Open { path: path.to_owned(), source })?;
        Self::new(file)
    }
}

impl<R: Read + Seek> GgufFile<R> {
    /// Reads metadata and directory from the beginning of a source.
    ///
    /// # Errors
    /// If the source cannot be read, or holds no GGUF file that holds together.
    pub fn new(mut source: R) -> Result<Self, GgufError> {
        let length = source.seek(SeekFrom::End(0))?;
        source.rewind()?;
        let mut header = Header { source: BufReader::new(source), at: 0, length, num_elements: 0 };
        let found = header.bytes("the magic number")?;
        if found != MAGIC {
            return Err(GgufError::NotGguf { found });
        }
        let version = header.u32("the version")?;
        match version {
            2 | 3 => {}
            swapped if matches!(swapped.swap_bytes(), 1..=3) => return Err(GgufError::BigEndian),
            found => return Err(GgufError::UnsupportedVersion { found }),
        }
        let num_tensors = header.u64("the number of tensors")?;
        let num_keys = header.u64("the number of metadata keys")?;
        within("a number of tensors", num_tensors, MOST_TENSORS)?;
        within("a number of metadata keys", num_keys, MOST_KEYS)?;
        let metadata = header.metadata(num_keys)?;
        let alignment = alignment(&metadata)?;
        let mut entries = header.directory(num_tensors)?;
        let data_start = header.at.next_multiple_of(alignment);
        place(&mut entries, data_start, alignment, length)?;
        let tensors = entries.into_iter().map(|(entry, _)| entry).collect();
        Ok(Self { source: header.source.into_inner(), version, metadata, tensors })
    }

    /// The version of the format.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// All metadata by key.
    pub fn metadata(&self) -> &BTreeMap<String, MetadataValue> {
        &self.metadata
    }

    /// The directory, in the file's order.
    pub fn tensors(&self) -> &[TensorEntry] {
        &self.tensors
    }

    /// Reads `numbers.len()` numbers of a tensor, from number `first` on.
    ///
    /// # Errors
    /// If the file cannot be read, or a number is not finite.
    ///
    /// # Panics
    /// If the range is not within the tensor, or does not begin and end with a block of its type.
    pub fn read(&mut self, tensor: usize, first: usize, numbers: &mut [f32]) -> Result<(), GgufError> {
        let entry = &self.tensors[tensor];
        let (stored, per_block) = (entry.stored, entry.stored.block_numbers());
        assert!(first + numbers.len() <= entry.num_elements(), "the range is within the tensor");
        assert!(first.is_multiple_of(per_block) && numbers.len().is_multiple_of(per_block), "whole blocks");
        let at = entry.at + (first / per_block * stored.block_bytes()) as u64;
        self.source.seek(SeekFrom::Start(at))?;
        let most_blocks = READ_BYTES / stored.block_bytes();
        let mut bytes = vec![0; most_blocks.min(numbers.len() / per_block) * stored.block_bytes()];
        for piece in numbers.chunks_mut(most_blocks * per_block) {
            let bytes = &mut bytes[..piece.len() / per_block * stored.block_bytes()];
            self.source.read_exact(bytes)?;
            stored.dequantise(bytes, piece);
            if piece.iter().any(|number| !number.is_finite()) {
                return Err(GgufError::NotFinite { name: self.tensors[tensor].name.clone() });
            }
        }
        Ok(())
    }
}

fn within(what: &'static str, found: u64, most: u64) -> Result<(), GgufError> {
    if found > most { Err(GgufError::TooMany { what, found, most }) } else { Ok(()) }
}

fn alignment(metadata: &BTreeMap<String, MetadataValue>) -> Result<u64, GgufError> {
    match metadata.get("general.alignment") {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(&MetadataValue::Unsigned(found)) if found.is_power_of_two() && found <= MOST_ALIGNMENT => Ok(found),
        Some(&MetadataValue::Unsigned(found)) => Err(GgufError::BadAlignment { found, most: MOST_ALIGNMENT }),
        Some(_) => {
            Err(GgufError::WrongValue { key: "general.alignment".to_owned(), expected: "an integer above zero" })
        }
    }
}

/// Gives each tensor its place in the file. They come with their offset from the beginning of the data.
fn place(entries: &mut [(TensorEntry, u64)], data_start: u64, alignment: u64, length: u64) -> Result<(), GgufError> {
    for (entry, offset) in entries.iter_mut() {
        let misplaced = |reason| GgufError::Misplaced { name: entry.name.clone(), offset: *offset, reason };
        if !offset.is_multiple_of(alignment) {
            return Err(misplaced("is not at a multiple of the file's alignment"));
        }
        let at = data_start.checked_add(*offset);
        let end = at.and_then(|at| at.checked_add(entry.num_bytes));
        match (at, end) {
            (Some(at), Some(end)) if end <= length => entry.at = at,
            _ => return Err(misplaced("reaches past the end of the file")),
        }
    }
    // Tensors that share bytes would make a small file a huge model.
    let mut by_place: Vec<&(TensorEntry, u64)> = entries.iter().collect();
    by_place.sort_by_key(|(entry, _)| entry.at);
    for pair in by_place.windows(2) {
        let ((before, _), (entry, offset)) = (pair[0], pair[1]);
        if before.at + before.num_bytes > entry.at {
            let reason = "lies over another tensor";
            return Err(GgufError::Misplaced { name: entry.name.clone(), offset: *offset, reason });
        }
    }
    Ok(())
}

/// The numbers of the types of metadata values.
mod value_type {
    pub(super) const U8: u32 = 0;
    pub(super) const I8: u32 = 1;
    pub(super) const U16: u32 = 2;
    pub(super) const I16: u32 = 3;
    pub(super) const U32: u32 = 4;
    pub(super) const I32: u32 = 5;
    pub(super) const F32: u32 = 6;
    pub(super) const BOOL: u32 = 7;
    pub(super) const TEXT: u32 = 8;
    pub(super) const ARRAY: u32 = 9;
    pub(super) const U64: u32 = 10;
    pub(super) const I64: u32 = 11;
    pub(super) const F64: u32 = 12;
}

/// The part of the file before the data, being read from front to back.
struct Header<R> {
    source: BufReader<R>,
    /// How far we are.
    at: u64,
    /// The length of the file.
    length: u64,
    /// Elements of arrays so far.
    num_elements: u64,
}

impl<R: Read> Header<R> {
    /// Checks that so many bytes are left, before anything is allocated for them.
    fn require(&self, what: &'static str, needed: u64) -> Result<(), GgufError> {
        let left = self.length - self.at;
        if needed > left {
            return Err(GgufError::Truncated { what, at: self.at, needed, left });
        }
        within("metadata with a length in bytes", self.at + needed, MOST_HEADER_BYTES)
    }

    fn bytes<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], GgufError> {
        self.require(what, N as u64)?;
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes)?;
        self.at += N as u64;
        Ok(bytes)
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, GgufError> {
        self.bytes(what).map(u32::from_le_bytes)
    }

    fn u64(&mut self, what: &'static str) -> Result<u64, GgufError> {
        self.bytes(what).map(u64::from_le_bytes)
    }

    fn text(&mut self, what: &'static str) -> Result<String, GgufError> {
        let length = self.u64(what)?;
        self.require(what, length)?;
        let mut bytes = vec![0; length as usize];
        self.source.read_exact(&mut bytes)?;
        let at = self.at;
        self.at += length;
        String::from_utf8(bytes).map_err(|_| GgufError::NotText { what, at })
    }

    fn metadata(&mut self, num_keys: u64) -> Result<BTreeMap<String, MetadataValue>, GgufError> {
        let mut metadata = BTreeMap::new();
        for _ in 0..num_keys {
            let key = self.text("a metadata key")?;
            let kind = self.u32("the type of a metadata value")?;
            let value = self.value(&key, kind)?;
            if metadata.contains_key(&key) {
                return Err(GgufError::DuplicateKey { key });
            }
            metadata.insert(key, value);
        }
        Ok(metadata)
    }

    fn value(&mut self, key: &str, kind: u32) -> Result<MetadataValue, GgufError> {
        const WHAT: &str = "a metadata value";
        match kind {
            value_type::TEXT => self.text(WHAT).map(MetadataValue::Text),
            value_type::BOOL => Ok(MetadataValue::Bool(self.bytes::<1>(WHAT)? != [0])),
            value_type::F32 => self.bytes(WHAT).map(f32::from_le_bytes).map(|x| MetadataValue::Float(f64::from(x))),
            value_type::F64 => self.bytes(WHAT).map(f64::from_le_bytes).map(MetadataValue::Float),
            value_type::ARRAY => self.array(key),
            value_type::U64 => self.u64(WHAT).map(MetadataValue::Unsigned),
            value_type::I64 => self.bytes(WHAT).map(i64::from_le_bytes).map(integer),
            _ => self.small_integer(key, kind).map(integer),
        }
    }

    /// An integer of up to 32 bits.
    fn small_integer(&mut self, key: &str, kind: u32) -> Result<i64, GgufError> {
        const WHAT: &str = "a metadata value";
        match kind {
            value_type::U8 => self.bytes(WHAT).map(u8::from_le_bytes).map(i64::from),
            value_type::I8 => self.bytes(WHAT).map(i8::from_le_bytes).map(i64::from),
            value_type::U16 => self.bytes(WHAT).map(u16::from_le_bytes).map(i64::from),
            value_type::I16 => self.bytes(WHAT).map(i16::from_le_bytes).map(i64::from),
            value_type::U32 => self.bytes(WHAT).map(u32::from_le_bytes).map(i64::from),
            value_type::I32 => self.bytes(WHAT).map(i32::from_le_bytes).map(i64::from),
            found => Err(GgufError::UnknownValueType { key: key.to_owned(), found }),
        }
    }

    fn array(&mut self, key: &str) -> Result<MetadataValue, GgufError> {
        const WHAT: &str = "a metadata array";
        let kind = self.u32(WHAT)?;
        let count = self.u64(WHAT)?;
        let least_bytes = match kind {
            value_type::ARRAY => return Err(GgufError::NestedArray { key: key.to_owned() }),
            value_type::TEXT | value_type::U64 | value_type::I64 | value_type::F64 => 8,
            value_type::U32 | value_type::I32 | value_type::F32 => 4,
            value_type::U16 | value_type::I16 => 2,
            _ => 1,
        };
        within("a number of array elements", self.num_elements.saturating_add(count), MOST_ELEMENTS)?;
        self.num_elements += count;
        self.require(WHAT, count * least_bytes)?;
        if kind == value_type::TEXT {
            let texts: Result<_, _> = (0..count).map(|_| self.text("a text in a metadata array")).collect();
            return texts.map(MetadataValue::Texts);
        }
        let mut numbers = Vec::with_capacity(count as usize);
        for _ in 0..count {
            numbers.push(match self.value(key, kind)? {
                MetadataValue::Unsigned(number) => number as f64,
                MetadataValue::Negative(number) => number as f64,
                MetadataValue::Float(number) => number,
                MetadataValue::Bool(flag) => f64::from(u8::from(flag)),
                _ => unreachable!("texts and arrays have been dealt with"),
            });
        }
        Ok(MetadataValue::Numbers(numbers))
    }

    /// The tensors with their offsets from the beginning of the data; their places are not known yet.
    fn directory(&mut self, num_tensors: u64) -> Result<Vec<(TensorEntry, u64)>, GgufError> {
        const WHAT: &str = "the directory of tensors";
        // Name, number of dimensions, one dimension, type and offset.
        self.require(WHAT, num_tensors * (8 + 4 + 8 + 4 + 8))?;
        let mut entries: Vec<(TensorEntry, u64)> = Vec::with_capacity(num_tensors as usize);
        let mut names = BTreeSet::new();
        for _ in 0..num_tensors {
            let name = self.text("the name of a tensor")?;
            let num_dimensions = u64::from(self.u32(WHAT)?);
            within("a number of dimensions", num_dimensions, MOST_DIMENSIONS)?;
            let dimensions: Vec<u64> = (0..num_dimensions).map(|_| self.u64(WHAT)).collect::<Result<_, _>>()?;
            let code = self.u32(WHAT)?;
            let offset = self.u64(WHAT)?;
            if !names.insert(name.clone()) {
                return Err(GgufError::DuplicateTensor { name });
            }
            entries.push((entry(name, &dimensions, code)?, offset));
        }
        Ok(entries)
    }
}

fn integer(number: i64) -> MetadataValue {
    u64::try_from(number).map_or(MetadataValue::Negative(number), MetadataValue::Unsigned)
}

fn entry(name: String, dimensions: &[u64], code: u32) -> Result<TensorEntry, GgufError> {
    let Some(stored) = StoredType::from_code(code) else {
        return Err(GgufError::UnsupportedType { name, found: format!("type {code}") });
    };
    let bad = |reason| Err(GgufError::BadShape { name: name.clone(), dimensions: dimensions.to_vec(), reason });
    let Some(&row_length) = dimensions.first() else { return bad("has no dimension") };
    if dimensions.contains(&0) {
        return bad("has no elements");
    }
    if !row_length.is_multiple_of(stored.block_numbers() as u64) {
        return bad("has rows that are not whole blocks");
    }
    // What is read must be addressable in single precision.
    let num_elements = dimensions.iter().try_fold(1_u64, |product, &dimension| product.checked_mul(dimension));
    let num_elements = num_elements.filter(|&count| count <= (isize::MAX as u64) / size_of::<f32>() as u64);
    let Some(num_elements) = num_elements else { return bad("has more elements than can be addressed") };
    let num_bytes = num_elements / stored.block_numbers() as u64 * stored.block_bytes() as u64;
    let shape = dimensions.iter().rev().map(|&dimension| dimension as usize).collect();
    Ok(TensorEntry { name, stored, shape, at: 0, num_bytes })
}
