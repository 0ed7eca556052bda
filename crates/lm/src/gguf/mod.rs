//! GGUF files: the format in which llama.cpp and its kin hand models around, one file with weights, settings and
//! tokenizer.
//!
//! [`GgufFile`] is the container. [`GgufModel`] reads it as a model in Hugging Face terms: tensors under their
//! Hugging Face names and in its order of rows, `config.json`, `tokenizer.json`. It holds no weights: tensors are read
//! one at a time, or a few rows at a time.
//!
//! ```no_run
//! use codeward_lm::GgufModel;
//!
//! let mut model = GgufModel::open("model.gguf".as_ref())?;
//! println!("{}", model.config());
//! let norm = model.read("model.norm.weight")?;
//! # Ok::<(), codeward_lm::GgufError>(())
//! ```

mod architecture;
mod blocks;
mod error;
mod names;
mod reader;
mod tokenizer;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use serde_json::Value;

pub use blocks::StoredType;
pub use error::GgufError;
use names::{Change, Place};
pub use reader::{GgufFile, MetadataValue, TensorEntry};
pub use tokenizer::GgufTokenizer;

/// A tensor of a model in a GGUF file, in Hugging Face terms.
#[derive(Debug, Clone, PartialEq)]
pub struct GgufTensor {
    /// Its Hugging Face name.
    pub name: String,
    /// Its shape, rows first.
    pub shape: Vec<usize>,
    /// How its numbers are stored.
    pub stored: StoredType,
    /// Its number in the directory.
    entry: usize,
    /// What its numbers need on the way.
    change: Change,
}

impl GgufTensor {
    /// Number of elements.
    pub fn num_elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Number of rows; a vector is one row.
    pub fn num_rows(&self) -> usize {
        if self.shape.len() < 2 { 1 } else { self.shape[0] }
    }

    /// Length of a row.
    pub fn row_length(&self) -> usize {
        self.num_elements() / self.num_rows()
    }
}

/// A model in a GGUF file: what it is, and a reader of its tensors.
#[derive(Debug)]
pub struct GgufModel<R = File> {
    file: GgufFile<R>,
    config: Value,
    tensors: Vec<GgufTensor>,
}

impl GgufModel<File> {
    /// Opens a file and checks that its tensors are those of the model that its metadata describes.
    ///
    /// # Errors
    /// If the file cannot be read, does not hold together, or describes a model that this crate does not read.
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        Self::new(GgufFile::open(path)?)
    }
}

impl<R: Read + Seek> GgufModel<R> {
    /// Understands a file that was opened.
    ///
    /// # Errors
    /// If its metadata and tensors are not those of a model that this crate reads.
    pub fn new(mut file: GgufFile<R>) -> Result<Self, GgufError> {
        let shape = architecture::shape(&file)?;
        let places = names::places(&shape);
        let tensors = match_tensors(&file, &places)?;
        let rope_factors = read_rope_factors(&mut file, &shape)?;
        let config = architecture::config(&file, &shape, rope_factors.as_deref())?;
        Ok(Self { file, config, tensors })
    }

    /// The container.
    pub fn file(&self) -> &GgufFile<R> {
        &self.file
    }

    /// The model's configuration, as a Hugging Face `config.json` has it.
    pub fn config(&self) -> &Value {
        &self.config
    }

    /// All tensors of the model, embedding first.
    pub fn tensors(&self) -> &[GgufTensor] {
        &self.tensors
    }

    /// Number of parameters; a tied head counts once.
    pub fn num_parameters(&self) -> usize {
        self.tensors.iter().map(GgufTensor::num_elements).sum()
    }

    /// The chat template, if the file has one.
    pub fn chat_template(&self) -> Option<&str> {
        match self.file.metadata().get("tokenizer.chat_template") {
            Some(MetadataValue::Text(template)) => Some(template),
            _ => None,
        }
    }

    /// The tokenizer in the file, in Hugging Face form.
    ///
    /// # Errors
    /// If the file has none, or one of a kind that this crate does not read.
    pub fn tokenizer(&self) -> Result<GgufTokenizer, GgufError> {
        GgufTokenizer::from_metadata(self.file.metadata())
    }

    /// Reads a whole tensor by its Hugging Face name, rows first, as Hugging Face orders them.
    ///
    /// # Errors
    /// If there is no such tensor, the file cannot be read, or a number is not finite.
    pub fn read(&mut self, name: &str) -> Result<Vec<f32>, GgufError> {
        let Some(tensor) = self.tensors.iter().position(|tensor| tensor.name == name) else {
            return Err(GgufError::MissingTensor { name: name.to_owned() });
        };
        let mut numbers = vec![0.0; self.tensors[tensor].num_elements()];
        self.read_rows(tensor, 0, &mut numbers)?;
        Ok(numbers)
    }

    /// Reads whole rows of a tensor by its number in [`GgufModel::tensors`], from row `first` on.
    ///
    /// # Errors
    /// If the file cannot be read, or a number is not finite.
    ///
    /// # Panics
    /// If the rows are not within the tensor, or `numbers` does not hold whole rows.
    pub fn read_rows(&mut self, tensor: usize, first: usize, numbers: &mut [f32]) -> Result<(), GgufError> {
        let tensor = &self.tensors[tensor];
        let width = tensor.row_length();
        assert!(numbers.len().is_multiple_of(width), "whole rows");
        match tensor.change {
            Change::None => self.file.read(tensor.entry, first * width, numbers)?,
            Change::MinusOne => {
                self.file.read(tensor.entry, first * width, numbers)?;
                for number in numbers.iter_mut() {
                    *number -= 1.0;
                }
            }
            Change::Interleaved { head_dim } if tensor.shape.len() == 1 => {
                let mut stored = vec![0.0; numbers.len()];
                self.file.read(tensor.entry, 0, &mut stored)?;
                for (index, number) in numbers.iter_mut().enumerate() {
                    *number = stored[interleaved(index, head_dim)];
                }
            }
            Change::Interleaved { head_dim } => {
                for (index, row) in numbers.chunks_exact_mut(width).enumerate() {
                    self.file.read(tensor.entry, interleaved(first + index, head_dim) * width, row)?;
                }
            }
        }
        Ok(())
    }
}

/// Where llama.cpp keeps a row of a head: the two numbers that rotary embedding turns together stand side by side
/// there, and half a head apart here.
fn interleaved(row: usize, head_dim: usize) -> usize {
    let (head, within) = (row / head_dim, row % head_dim);
    let (part, pair) = (within / (head_dim / 2), within % (head_dim / 2));
    head * head_dim + 2 * pair + part
}

/// Finds each of the model's tensors in the directory, and refuses others.
fn match_tensors<R: Read + Seek>(file: &GgufFile<R>, places: &[Place]) -> Result<Vec<GgufTensor>, GgufError> {
    let by_name: std::collections::BTreeMap<&str, usize> =
        file.tensors().iter().enumerate().map(|(number, entry)| (entry.name.as_str(), number)).collect();
    let mut tensors = Vec::with_capacity(places.len());
    for place in places {
        let Some(&entry) = by_name.get(place.stored_name.as_str()) else {
            return Err(GgufError::MissingTensor { name: place.stored_name.clone() });
        };
        let found = &file.tensors()[entry];
        if found.shape != place.shape {
            return Err(GgufError::WrongShape {
                name: found.name.clone(),
                expected: place.shape.clone(),
                found: found.shape.clone(),
            });
        }
        tensors.push(GgufTensor {
            name: place.name.clone(),
            shape: place.shape.clone(),
            stored: found.stored,
            entry,
            change: place.change,
        });
    }
    if tensors.len() < file.tensors().len() {
        let known: std::collections::BTreeSet<&str> = places.iter().map(|place| place.stored_name.as_str()).collect();
        let unknown = |entry: &&TensorEntry| !known.contains(entry.name.as_str()) && entry.name != names::ROPE_FACTORS;
        if let Some(entry) = file.tensors().iter().find(unknown) {
            return Err(GgufError::UnexpectedTensor { name: entry.name.clone() });
        }
    }
    Ok(tensors)
}

/// The factors by which Llama 3 stretches its rotary wavelengths, if the file has them.
fn read_rope_factors<R: Read + Seek>(
    file: &mut GgufFile<R>,
    shape: &architecture::Shape,
) -> Result<Option<Vec<f32>>, GgufError> {
    let Some(entry) = file.tensors().iter().position(|entry| entry.name == names::ROPE_FACTORS) else {
        return Ok(None);
    };
    let (found, expected) = (file.tensors()[entry].shape.clone(), vec![shape.head_dim / 2]);
    if found != expected {
        return Err(GgufError::WrongShape { name: names::ROPE_FACTORS.to_owned(), expected, found });
    }
    let mut factors = vec![0.0; shape.head_dim / 2];
    file.read(entry, 0, &mut factors)?;
    Ok(Some(factors))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The converter makes [head, half, pair] from [head, pair, half]; here is the way back for two heads of six.
    #[test]
    fn rows_of_a_head_come_apart_again() {
        let stored: Vec<usize> = (0..12).map(|row| interleaved(row, 6)).collect();
        assert_eq!(stored, [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11]);
    }
}
