//! A copy of a model's matrices in bfloat16, to decode with: half the bytes of the model, a quarter of what the
//! [copy](crate::transposed) in single precision and the model take together.

use crate::adapter::Adapter;
use crate::block::Weight;
use crate::decoder::DecoderWeights;
use crate::kernels::half::HalfMatrix;
use crate::kernels::low_rank::{self, LowRank};
use crate::kernels::matrix::MatrixRef;
use crate::kernels::transpose::transpose_parallel;
use crate::model::Model;

/// The copy.
pub(crate) struct RoundedWeights {
    /// Those of the layers, in order, then the head.
    matrices: Vec<HalfMatrix>,
}

impl RoundedWeights {
    /// Rounds a model's matrices, with what its adapter adds to them.
    pub(crate) fn merged(model: &Model) -> Self {
        let weights = model.stored_weights();
        let adapter = model.adapter().map(Adapter::view).unwrap_or_default();
        let mut turned = Vec::new();
        let mut round = |matrix: MatrixRef<'_>, addition: Option<&LowRank<'_>>| {
            transpose_parallel(&mut turned, matrix.transposed());
            if let Some(addition) = addition {
                low_rank::merge_transposed(&mut turned, addition);
            }
            HalfMatrix::rounded(MatrixRef::new(&turned, matrix.num_rows(), matrix.num_columns()))
        };
        let mut matrices = Vec::with_capacity(4 * weights.layers.len() + 1);
        for (index, layer) in weights.layers.iter().enumerate() {
            let adapter = adapter.get(index);
            matrices.push(round(layer.qkv, adapter.map(|adapter| &adapter.qkv)));
            matrices.push(round(layer.output, adapter.map(|adapter| &adapter.output)));
            matrices.push(round(layer.gate_up, adapter.map(|adapter| &adapter.gate_up)));
            matrices.push(round(layer.down, adapter.map(|adapter| &adapter.down)));
        }
        matrices.push(round(weights.head, None));
        Self { matrices }
    }

    /// The model's weights, with these copies for matrices.
    pub(crate) fn view<'a>(&'a self, model: &'a Model) -> DecoderWeights<'a> {
        let mut copies = self.matrices.iter();
        model.stored_weights().map_matrices(|_| Weight::Half(copies.next().expect("a copy of every matrix")))
    }
}
