//! The value head: one number per scored token, linear in the final normalised hidden state that predicts the token.
//!
//! On disk it is a file of its own beside the checkpoint, with the names that TRL gives such a head, so that the checkpoint
//! stays one that any loader takes.

use std::path::Path;

use crate::kernels::simd::{dot, vectorized};
use crate::weights::{LoadError, Outgoing, Precision, SaveError, WeightFile, write_tensors};

/// The file beside `model.safetensors`.
const FILE: &str = "value_head.safetensors";
/// The name of the weight in the file.
pub(crate) const WEIGHT: &str = "v_head.summary.weight";
/// The name of the bias in the file.
pub(crate) const BIAS: &str = "v_head.summary.bias";

/// The numbers of a value head.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueHead {
    /// The weight, then the bias, so that what decays comes first.
    parameters: Vec<f32>, // [hidden + 1]
}

impl ValueHead {
    /// A head that finds every token worth zero: it learns at once, and what is below it from the second step on.
    pub fn zero(hidden_size: usize) -> Self {
        Self { parameters: vec![0.0; hidden_size + 1] }
    }

    /// A head with these numbers.
    pub fn new(weight: &[f32], bias: f32) -> Self {
        Self { parameters: [weight, &[bias]].concat() }
    }

    /// Reads `value_head.safetensors` of a folder, if it is there.
    ///
    /// # Errors
    /// If the file is broken or belongs to a model of another width.
    pub fn load(folder: &Path, hidden_size: usize) -> Result<Option<Self>, LoadError> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let mut file = WeightFile::open(&path)?;
        file.describe(WEIGHT, &[1, hidden_size])?;
        file.describe(BIAS, &[1])?;
        file.refuse_unexpected(|name| name == WEIGHT || name == BIAS)?;
        let mut head = Self::zero(hidden_size);
        let (weight, bias) = head.parameters.split_at_mut(hidden_size);
        file.read(WEIGHT, weight)?;
        file.read(BIAS, bias)?;
        Ok(Some(head))
    }

    /// Writes `value_head.safetensors`, exactly; the file appears whole or not at all.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), SaveError> {
        let tensors = [
            Outgoing { name: WEIGHT, shape: &[1, self.weight().len()], numbers: self.weight() },
            Outgoing { name: BIAS, shape: &[1], numbers: &self.parameters[self.weight().len()..] },
        ];
        write_tensors(&folder.join(FILE), &tensors, &[("format", "pt")], Precision::F32)
    }

    /// What the hidden state is multiplied with.
    pub fn weight(&self) -> &[f32] {
        &self.parameters[..self.parameters.len() - 1]
    }

    /// What is added.
    pub fn bias(&self) -> f32 {
        self.parameters[self.parameters.len() - 1]
    }

    pub(crate) fn parameters(&self) -> &[f32] {
        &self.parameters
    }

    pub(crate) fn parameters_mut(&mut self) -> &mut [f32] {
        &mut self.parameters
    }

    /// The values of normalised hidden states.
    pub(crate) fn forward(&self, normed: &[f32], values: &mut Vec<f32>) {
        values.clear();
        values.extend(normed.chunks_exact(self.weight().len()).map(|row| inner(row, self.weight()) + self.bias()));
    }
}

vectorized! {
    fn inner(a: &[f32], b: &[f32]) -> f32 {
        dot(a, b)
    }
}

/// What the way back through the head needs.
pub(crate) struct ValueBackward<'a> {
    pub(crate) head: &'a ValueHead,
    /// Of the loss by each value.
    pub(crate) d_values: &'a [f32], // [scored]
    /// Where the head's gradient is added.
    pub(crate) gradient: &'a mut [f32], // [hidden + 1]
}

impl ValueBackward<'_> {
    /// Adds to the gradient of the hidden states and to that of the head.
    pub(crate) fn run(self, d_normed: &mut [f32], normed: &[f32]) {
        let weight = self.head.weight();
        let hidden = weight.len();
        // A sum over all tokens of a batch, so in double precision.
        let mut sums = vec![0.0f64; hidden + 1];
        let rows = d_normed.chunks_exact_mut(hidden).zip(normed.chunks_exact(hidden));
        for ((d_row, row), &d_value) in rows.zip(self.d_values) {
            for ((d, w), (sum, x)) in d_row.iter_mut().zip(weight).zip(sums.iter_mut().zip(row)) {
                *d += d_value * w;
                *sum += f64::from(d_value * x);
            }
            sums[hidden] += f64::from(d_value);
        }
        for (total, sum) in self.gradient.iter_mut().zip(sums) {
            *total += sum as f32;
        }
    }
}
