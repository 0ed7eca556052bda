//! The decoder block, forward, on the rows of one task. Families differ in the tensors that a layer has and in the
//! [`FamilyTraits`](crate::config::FamilyTraits); the order of steps is one:
//!
//! ```text
//! qkv     = norm(stream) Wqkv [+ bias]; [normalise each head]; rotate
//! stream += [norm](attend(qkv) Wo [+ bias])
//! stream += [norm]((a(gate) * up) Wd [+ bias])     with [gate, up] = norm(stream) Wgu [+ bias]
//! ```
//!
//! With an adapter, each product `x W` is `x W + s (x A') B'`.

use rayon::prelude::*;

use crate::adapter::ByProduct;
use crate::config::ModelConfig;
use crate::kernels::attention::HeadShape;
use crate::kernels::half::{HalfMatrix, multiply_panels, multiply_panels_divided};
use crate::kernels::low_rank::{self, LowRank};
use crate::kernels::matrix::{MatrixMut, MatrixRef, Store, multiply_rows, multiply_rows_divided};
use crate::kernels::norm::Norm;
use crate::kernels::rope::RotaryTable;
use crate::kernels::{bias, head_norm, mlp, norm};
use crate::layout::LayerTensors;

/// The tensors of one layer.
pub(crate) type LayerWeights<'a, M = Weight<'a>> = LayerTensors<M, &'a [f32]>;

/// A matrix that rows are multiplied with, `[inputs, outputs]`.
#[derive(Clone, Copy)]
pub(crate) enum Weight<'a> {
    /// In single precision.
    Single(MatrixRef<'a>),
    /// Rounded to bfloat16, for decoding.
    Half(&'a HalfMatrix),
}

impl ModelConfig {
    /// How the attention kernels divide a row, and what they multiply scores with.
    pub(crate) fn head_shape(&self) -> HeadShape {
        HeadShape {
            num_query: self.num_attention_heads,
            num_key: self.num_key_value_heads,
            head_dim: self.head_dim,
            scale: 1.0 / (self.query_pre_attn_scalar.unwrap_or(self.head_dim) as f32).sqrt(),
        }
    }

    /// A norm of this model.
    pub(crate) fn norm<'a>(&self, weight: &'a [f32]) -> Norm<'a> {
        Norm { weight, offset: self.family.traits().norm_offset, eps: self.rms_norm_eps }
    }

    /// Numbers that a row keeps of its heads before they are normalised, if they are.
    pub(crate) fn raw_heads_width(&self) -> usize {
        if self.family.traits().head_norms { self.num_rotated_heads() * self.head_dim } else { 0 }
    }

    /// Heads of a row that are normalised.
    pub(crate) fn num_normed_heads(&self) -> usize {
        if self.family.traits().head_norms { self.num_rotated_heads() } else { 0 }
    }

    /// Numbers that a row keeps of a branch before it is normalised, if it is.
    pub(crate) fn branch_width(&self) -> usize {
        if self.family.traits().branch_norms { self.hidden_size } else { 0 }
    }

    /// Whether a branch is normalised, as a number of inverse roots per row.
    pub(crate) fn num_branch_norms(&self) -> usize {
        usize::from(self.family.traits().branch_norms)
    }
}

/// What is kept of the heads before they are normalised; empty where they are not.
pub(crate) struct RawHeads<'a> {
    pub(crate) values: &'a mut [f32],  // [rows, raw heads]
    pub(crate) inverse: &'a mut [f32], // [rows, normed heads]
}

/// What is kept of a branch before it is normalised; empty where it is not.
pub(crate) struct RawBranch<'a> {
    pub(crate) values: &'a mut [f32],  // [rows, branch]
    pub(crate) inverse: &'a mut [f32], // [rows, 1 or 0]
}

/// The last product of a branch, and what comes after it.
struct BranchProduct<'a> {
    matrix: Weight<'a>,
    adapter: Option<&'a LowRank<'a>>,
    bias: Option<&'a [f32]>,
    norm: Option<&'a [f32]>,
}

/// One layer of a model. Reduced rows are those of its adapter; without one they are empty.
#[derive(Clone, Copy)]
pub(crate) struct Block<'a> {
    pub(crate) config: &'a ModelConfig,
    pub(crate) weights: &'a LayerWeights<'a>,
    /// What is added to the layer's products, if anything is.
    pub(crate) adapter: Option<&'a ByProduct<LowRank<'a>>>,
    /// The layer's own.
    pub(crate) rotary: &'a RotaryTable,
    /// How its products are computed.
    pub(crate) products: Products,
}

/// Who computes a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Products {
    /// The calling thread: others are busy with other rows.
    Here,
    /// All threads, each a part of the columns.
    Divided,
}

impl Products {
    /// `output (+)= input * weight`; the result is the same either way.
    pub(crate) fn multiply(self, output: &mut [f32], store: Store, input: &[f32], weight: Weight<'_>) {
        match (self, weight) {
            (Self::Here, Weight::Single(weight)) => multiply_rows(output, store, input, weight),
            (Self::Divided, Weight::Single(weight)) => multiply_rows_divided(output, store, input, weight),
            (Self::Here, Weight::Half(weight)) => {
                let rows = output.len() / weight.num_columns();
                let output = MatrixMut::new(output, rows, weight.num_columns());
                multiply_panels(output, store, input, weight, 0..weight.num_panels());
            }
            (Self::Divided, Weight::Half(weight)) => multiply_panels_divided(output, store, input, weight),
        }
    }

    /// Does something with every row, each of which stands alone; a thread uses one `scratch` for all of its rows.
    pub(crate) fn rows<I: IndexedParallelIterator, S>(
        self,
        rows: I,
        scratch: impl Fn() -> S + Send + Sync,
        work: impl Fn(&mut S, I::Item) + Send + Sync,
    ) {
        match self {
            // One piece: the calling thread does it.
            Self::Here => {
                let count = rows.len();
                rows.with_min_len(count.max(1)).for_each_init(scratch, work);
            }
            Self::Divided => rows.for_each_init(scratch, work),
        }
    }
}

impl Block<'_> {
    /// From normalised rows to queries, keys and values.
    pub(crate) fn project_heads(
        &self,
        qkv: &mut [f32], // [rows, qkv]
        raw: RawHeads<'_>,
        reduced: &mut [f32], // [rows, ranks]
        normed: &[f32],      // [rows, hidden]
        positions: &[u32],
    ) {
        let (config, weights) = (self.config, self.weights);
        let RawHeads { values: raw, inverse } = raw;
        self.products.multiply(qkv, Store::Overwrite, normed, weights.qkv);
        if let Some(adapter) = self.adapter {
            low_rank::forward(qkv, reduced, normed, &adapter.qkv);
        }
        if let Some(bias) = weights.qkv_bias {
            bias::forward(qkv, bias);
        }
        if let Some(weight) = weights.head_norms {
            head_norm::forward(qkv, raw, inverse, config.norm(weight), config.head_shape());
        }
        self.rotary.rotate(qkv, config.qkv_width(), config.num_rotated_heads(), positions);
    }

    /// Adds the result of attention to the stream.
    pub(crate) fn add_attention(
        &self,
        stream: &mut [f32], // [rows, hidden]
        raw: RawBranch<'_>,
        reduced: &mut [f32], // [rows, ranks]
        attended: &[f32],    // [rows, query]
    ) {
        let weights = self.weights;
        let product = BranchProduct {
            matrix: weights.output,
            adapter: self.adapter.map(|adapter| &adapter.output),
            bias: weights.output_bias,
            norm: weights.attention_norm,
        };
        self.add_branch(stream, raw, reduced, attended, &product);
    }

    /// Adds the result of the feed-forward layer to the stream.
    pub(crate) fn add_feed_forward(
        &self,
        stream: &mut [f32], // [rows, hidden]
        raw: RawBranch<'_>,
        reduced: &mut [f32], // [rows, ranks]
        gated: &[f32],       // [rows, inner]
    ) {
        let weights = self.weights;
        let product = BranchProduct {
            matrix: weights.down,
            adapter: self.adapter.map(|adapter| &adapter.down),
            bias: weights.down_bias,
            norm: weights.feed_forward_norm,
        };
        self.add_branch(stream, raw, reduced, gated, &product);
    }

    /// What [`Block::add_feed_forward`] keeps, without the result where that is not among it.
    pub(crate) fn record_feed_forward(
        &self,
        stream: &mut [f32], // [rows, hidden]
        raw: RawBranch<'_>,
        reduced: &mut [f32], // [rows, ranks]
        gated: &[f32],       // [rows, inner]
    ) {
        if self.weights.feed_forward_norm.is_some() {
            self.add_feed_forward(stream, raw, reduced, gated);
        } else if let Some(adapter) = self.adapter {
            low_rank::reduce(reduced, gated, &adapter.down);
        }
    }

    /// From normalised rows to gated ones.
    pub(crate) fn gate(
        &self,
        gated: &mut [f32],   // [rows, inner]
        gate_up: &mut [f32], // [rows, 2 * inner]
        reduced: &mut [f32], // [rows, ranks]
        normed: &[f32],      // [rows, hidden]
    ) {
        self.products.multiply(gate_up, Store::Overwrite, normed, self.weights.gate_up);
        if let Some(adapter) = self.adapter {
            low_rank::forward(gate_up, reduced, normed, &adapter.gate_up);
        }
        if let Some(values) = self.weights.gate_up_bias {
            bias::forward(gate_up, values);
        }
        let (inner, activation) = (self.config.intermediate_size, self.config.family.traits().activation);
        match self.products {
            Products::Here => mlp::forward(gated, gate_up, inner, activation),
            Products::Divided => {
                let rows = gated.par_chunks_exact_mut(inner).zip(gate_up.par_chunks_exact(2 * inner));
                rows.for_each(|(gated, gate_up)| mlp::forward(gated, gate_up, inner, activation));
            }
        }
    }

    fn add_branch(
        &self,
        stream: &mut [f32],
        raw: RawBranch<'_>,
        reduced: &mut [f32],
        input: &[f32],
        product: &BranchProduct<'_>,
    ) {
        let RawBranch { values: raw, inverse } = raw;
        let (target, store) = match product.norm {
            Some(_) => (&mut *raw, Store::Overwrite),
            None => (&mut *stream, Store::Accumulate),
        };
        self.products.multiply(target, store, input, product.matrix);
        if let Some(adapter) = product.adapter {
            low_rank::forward(target, reduced, input, adapter);
        }
        if let Some(values) = product.bias {
            bias::forward(target, values);
        }
        if let Some(weight) = product.norm {
            norm::forward_add(stream, inverse, raw, self.config.norm(weight));
        }
    }
}
