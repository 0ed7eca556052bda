//! The computation on this machine's processor: coarse, fused steps, each with its backward.
//!
//! Everything here is a plain function over slices and views; nothing knows the model. A kernel asserts the shapes it
//! takes. All sums run in an order fixed by the shapes, never by the threads, so results are reproducible to the bit.

pub(crate) mod attention;
pub(crate) mod bias;
pub(crate) mod blocks;
pub(crate) mod cached_attention;
pub(crate) mod half;
pub(crate) mod head;
pub(crate) mod head_norm;
pub(crate) mod low_rank;
pub(crate) mod matrix;
pub(crate) mod mlp;
pub(crate) mod norm;
pub(crate) mod optimizer;
pub(crate) mod rope;
pub(crate) mod simd;
pub(crate) mod strips;
pub(crate) mod transpose;
