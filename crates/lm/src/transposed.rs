//! A copy of a model's matrices with the inputs outermost.
//!
//! The checkpoint has outputs outermost, which is what the backward multiplies with at full speed. Forward products run
//! up to three times faster on this copy, the more so the fewer rows there are.

use crate::adapter::Adapter;
use crate::block::Weight;
use crate::decoder::DecoderWeights;
use crate::kernels::low_rank;
use crate::kernels::matrix::MatrixRef;
use crate::kernels::transpose::transpose_parallel;
use crate::model::Model;

/// The copy. It is made anew, in place, whenever the weights have changed.
#[derive(Default)]
pub(crate) struct TransposedWeights {
    /// Queries, keys and values; attention output; gate and up; down.
    layers: Vec<[Vec<f32>; 4]>,
    head: Vec<f32>, // [hidden, vocab]
}

impl TransposedWeights {
    /// Copies a model's matrices.
    pub(crate) fn new(model: &Model) -> Self {
        let mut copy = Self::default();
        copy.update(model);
        copy
    }

    /// Copies a model's matrices, with what its adapter adds to them.
    pub(crate) fn merged(model: &Model) -> Self {
        let mut copy = Self::new(model);
        let layers = model.adapter().map(Adapter::view).unwrap_or_default();
        for (copies, adapter) in copy.layers.iter_mut().zip(&layers) {
            let products = [&adapter.qkv, &adapter.output, &adapter.gate_up, &adapter.down];
            for (copy, product) in copies.iter_mut().zip(products) {
                low_rank::merge_transposed(copy, product);
            }
        }
        copy
    }

    /// Copies the matrices of the same model again.
    pub(crate) fn update(&mut self, model: &Model) {
        let weights = model.stored_weights();
        self.layers.resize_with(weights.layers.len(), Default::default);
        for (copies, layer) in self.layers.iter_mut().zip(&weights.layers) {
            for (copy, matrix) in copies.iter_mut().zip([layer.qkv, layer.output, layer.gate_up, layer.down]) {
                transpose_parallel(copy, matrix.transposed());
            }
        }
        transpose_parallel(&mut self.head, weights.head.transposed());
    }

    /// The model's weights, with these copies for matrices.
    pub(crate) fn view<'a>(&'a self, model: &'a Model) -> DecoderWeights<'a> {
        let mut copies = self.layers.iter().flatten().chain([&self.head]);
        model.stored_weights().map_matrices(|matrix| {
            let copy = copies.next().expect("a copy of every matrix");
            Weight::Single(MatrixRef::new(copy, matrix.num_rows(), matrix.num_columns()))
        })
    }
}
