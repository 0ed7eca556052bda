//! The way back: from the derivatives of a batch's scores to the gradient of every tensor.
//!
//! Steps are those of [`decoder`](crate::decoder) and [`block`](crate::block) in reverse, in regions of work of the same
//! kind. The gradients of matrices are products over all rows and run after the regions of a layer. Beside an adapter all
//! other tensors are frozen: their gradients are neither computed nor summed.

use std::ops::Range;

use rayon::prelude::*;

use crate::adapter::{ByProduct, LowRankGradients};
use crate::block::LayerWeights;
use crate::config::ModelConfig;
use crate::decoder::{
    BranchRecord, Decoder, HeadRecord, LayerRecord, PackedBatch, Pass, Retention, ScoredToken, Workspace,
};
use crate::kernels::attention::{self, ForwardRecord};
use crate::kernels::blocks::{RowBlocks, UNIT, add_units};
use crate::kernels::low_rank::{self, LowRank};
use crate::kernels::matrix::{MatrixMut, MatrixRef, Store, multiply, multiply_rows};
use crate::kernels::rope::RotaryTable;
use crate::kernels::simd::LANES;
use crate::kernels::{bias, head, head_norm, mlp, norm};
use crate::layout::{DecoderGradients, LayerGradients};
use crate::value_head::ValueBackward;

/// The most outputs per task of a weight gradient: the engine first copies their columns of the other operand.
const GRADIENT_OUTPUTS: usize = 256;
/// The most inputs per task of a weight gradient: as many as pay for that copy. Without it, a wide operand is read with
/// strides that use a small part of the cache.
const GRADIENT_INPUTS: usize = 768;

/// The gradients on their way down.
#[derive(Default)]
pub(crate) struct BackwardBuffers {
    d_output: Vec<f32>,           // [rows, hidden], of a layer's output
    d_middle: Vec<f32>,           // [rows, hidden], of the stream between attention and feed-forward
    d_input: Vec<f32>,            // [rows, hidden], of a layer's input
    d_normed: Vec<f32>,           // [rows, hidden]
    d_gated: Vec<f32>,            // [rows, inner]
    d_gate_up: Vec<f32>,          // [rows, 2 * inner]
    d_attended: Vec<f32>,         // [rows, query]
    d_qkv: Vec<f32>,              // [rows, qkv]
    d_head_normed: Vec<f32>,      // [scored, hidden]
    d_head_input: Vec<f32>,       // [scored, hidden]
    norm_units: Vec<f32>,         // [units, hidden]
    qkv_bias_units: Vec<f32>,     // [units, qkv or 0]
    head_norm_units: Vec<f32>,    // [units, 2 * head_dim or 0]
    gate_up_bias_units: Vec<f32>, // [units, 2 * inner or 0]
    attention_branch: BranchBackward,
    feed_forward_branch: BranchBackward,
    /// Of the adapter's reduced rows; empty without one.
    d_reduced: ByProduct<Vec<f32>>, // [rows, ranks]
}

/// Where gradients are added.
pub(crate) enum Gradients<'a> {
    /// Of every tensor of the model.
    Weights(DecoderGradients<'a>),
    /// Of the adapter's tensors alone, for each layer.
    Adapter(Vec<ByProduct<LowRankGradients<'a>>>),
}

/// The gradients of one of the two results that a layer adds to the stream.
#[derive(Default)]
struct BranchBackward {
    /// Of the result before it is normalised; empty where it is not.
    d_values: Vec<f32>, // [rows, branch]
    norm_units: Vec<f32>, // [units, branch or 0]
    bias_units: Vec<f32>, // [units, hidden or 0]
}

/// The part of [`BranchBackward`] for a block of rows.
struct BranchBlock<'a> {
    d_values: &'a mut [f32],
    norm_units: &'a mut [f32],
    bias_units: &'a mut [f32],
}

impl BranchBackward {
    fn resize(&mut self, rows: usize, biased: bool, config: &ModelConfig, frozen: bool) {
        let units = rows.div_ceil(UNIT);
        self.d_values.resize(rows * config.branch_width(), 0.0);
        self.norm_units.resize(units * width_if(!frozen, config.branch_width()), 0.0);
        self.bias_units.resize(units * width_if(biased && !frozen, config.hidden_size), 0.0);
    }

    fn cut(&mut self, blocks: &RowBlocks, biased: bool, config: &ModelConfig, frozen: bool) -> Vec<BranchBlock<'_>> {
        let d_values = blocks.cut(&mut self.d_values, config.branch_width());
        let norm_units = blocks.cut_units(&mut self.norm_units, width_if(!frozen, config.branch_width()));
        let bias_units = blocks.cut_units(&mut self.bias_units, width_if(biased && !frozen, config.hidden_size));
        let units = norm_units.into_iter().zip(bias_units);
        let pieces = d_values.into_iter().zip(units);
        pieces.map(|(d_values, (norm_units, bias_units))| BranchBlock { d_values, norm_units, bias_units }).collect()
    }

    /// The gradient of the branch's product, given that of the stream it was added to.
    fn of_product<'a>(&'a self, d_stream: &'a [f32], config: &ModelConfig) -> &'a [f32] {
        if config.family.traits().branch_norms { &self.d_values } else { d_stream }
    }

    fn add_units(&self, norm: Option<&mut [f32]>, bias: Option<&mut [f32]>) {
        for (total, units) in [(norm, &self.norm_units), (bias, &self.bias_units)] {
            if let Some(total) = total {
                add_units(total, units);
            }
        }
    }
}

impl<'b> BranchBlock<'b> {
    /// From the stream's gradient to that of the branch's product, for a block of rows.
    fn backward<'a>(
        &'a mut self,
        d_stream: &'a [f32], // [rows, hidden]
        rows: &Range<usize>,
        record: &BranchRecord,
        norm: Option<&[f32]>,
        config: &ModelConfig,
    ) -> &'a [f32]
    where
        'b: 'a,
    {
        let hidden = config.hidden_size;
        let d_product = match norm {
            None => d_stream,
            Some(weight) => {
                let values = &record.values[rows.start * hidden..rows.end * hidden];
                let inverse = &record.inverse[rows.clone()];
                norm::backward(self.d_values, None, self.norm_units, d_stream, values, inverse, config.norm(weight));
                &*self.d_values
            }
        };
        if !self.bias_units.is_empty() {
            bias::backward(self.bias_units, d_product, hidden);
        }
        d_product
    }
}

/// A width, or zero.
fn width_if(present: bool, width: usize) -> usize {
    if present { width } else { 0 }
}

impl BackwardBuffers {
    fn resize(&mut self, rows: usize, scored: usize, config: &ModelConfig, ranks: &ByProduct<usize>, frozen: bool) {
        let (hidden, inner, units) = (config.hidden_size, config.intermediate_size, rows.div_ceil(UNIT));
        let head_norm_width = width_if(config.num_normed_heads() > 0, 2 * config.head_dim);
        for (buffer, length) in [
            (&mut self.d_output, rows * hidden),
            (&mut self.d_middle, rows * hidden),
            (&mut self.d_input, rows * hidden),
            (&mut self.d_normed, rows * hidden),
            (&mut self.d_gated, rows * inner),
            (&mut self.d_gate_up, rows * 2 * inner),
            (&mut self.d_attended, rows * config.query_width()),
            (&mut self.d_qkv, rows * config.qkv_width()),
            (&mut self.d_head_normed, scored * hidden),
            (&mut self.d_head_input, scored * hidden),
            (&mut self.norm_units, units * width_if(!frozen, hidden)),
            (&mut self.qkv_bias_units, units * width_if(config.attention_bias && !frozen, config.qkv_width())),
            (&mut self.head_norm_units, units * width_if(!frozen, head_norm_width)),
            (&mut self.gate_up_bias_units, units * width_if(config.mlp_bias && !frozen, 2 * inner)),
        ] {
            buffer.resize(length, 0.0);
        }
        self.attention_branch.resize(rows, config.output_bias(), config, frozen);
        self.feed_forward_branch.resize(rows, config.mlp_bias, config, frozen);
        self.d_reduced.resize(rows, ranks);
    }

    /// How many numbers there are for some rows, all of which are scored.
    pub(crate) fn num_numbers(rows: usize, config: &ModelConfig, ranks: &ByProduct<usize>, frozen: bool) -> usize {
        let mut buffers = Self::default();
        buffers.resize(rows, rows, config, ranks, frozen);
        let Self {
            d_output,
            d_middle,
            d_input,
            d_normed,
            d_gated,
            d_gate_up,
            d_attended,
            d_qkv,
            d_head_normed,
            d_head_input,
            norm_units,
            qkv_bias_units,
            head_norm_units,
            gate_up_bias_units,
            attention_branch,
            feed_forward_branch,
            d_reduced,
        } = buffers;
        let parts = [
            d_output,
            d_middle,
            d_input,
            d_normed,
            d_gated,
            d_gate_up,
            d_attended,
            d_qkv,
            d_head_normed,
            d_head_input,
            norm_units,
            qkv_bias_units,
            head_norm_units,
            gate_up_bias_units,
        ];
        let branches = [attention_branch, feed_forward_branch]
            .iter()
            .map(|branch| branch.d_values.len() + branch.norm_units.len() + branch.bias_units.len())
            .sum::<usize>();
        parts.iter().map(Vec::len).sum::<usize>() + branches + d_reduced.num_numbers()
    }
}

impl Decoder<'_> {
    /// Adds the gradient of `sum(d_scores . [logprob, entropy])`, and of the values, for the batch just scored, of which the
    /// forward kept every layer or the inputs of all.
    pub(crate) fn backward(
        &self,
        batch: &PackedBatch,
        temperature: f32,
        d_scores: &[[f32; 2]], // [scored]: of the log-probability, of the entropy
        value: Option<ValueBackward<'_>>,
        workspace: &mut Workspace,
        gradients: &mut Gradients<'_>,
    ) {
        let (config, rows) = (self.config, batch.num_rows());
        let frozen = matches!(gradients, Gradients::Adapter(_));
        assert_eq!(d_scores.len(), batch.scored.len(), "one pair per scored token");
        let blocks = RowBlocks::new(rows);
        workspace.backward.resize(rows, batch.scored.len(), config, &self.ranks(), frozen);
        self.head_backward(batch, temperature, d_scores, value, workspace, gradients);
        let Workspace { layers, inputs, retention, stream, backward, rotary, .. } = workspace;
        assert_ne!(*retention, Retention::Nothing, "the forward kept what the backward needs");
        let rotary = rotary.as_ref().expect("the forward made the tables");
        for (index, weights) in self.stored.layers.iter().enumerate().rev() {
            let record = &mut layers[if *retention == Retention::EveryLayer { index } else { 0 }];
            if *retention == Retention::Inputs {
                std::mem::swap(&mut record.input, &mut inputs[index]);
                // The last layer's record is still there.
                if index + 1 < config.num_hidden_layers {
                    self.run_layer(index, Pass::Again, &blocks, batch, stream, record, rotary);
                }
            }
            let layer = LayerBackward { config, weights, adapter: self.adapter.get(index), blocks: &blocks, record };
            layer.feed_forward(backward, frozen);
            if let Gradients::Weights(gradients) = gradients {
                add_feed_forward_units(backward, &mut gradients.layers[index]);
            }
            let forward = ForwardRecord { qkv: &record.qkv, output: &record.attended, log_sums: &record.log_sums };
            attention::backward(
                &mut backward.d_qkv,
                &backward.d_attended,
                forward,
                &batch.sequences,
                config.head_shape(),
                config.window(index),
            );
            // Below the first layer there are only frozen embeddings.
            let wanted = index > 0 || !frozen;
            layer.attention_input(backward, rotary.of_layer(index, config), &batch.positions, frozen, wanted);
            let mut products = Vec::new();
            match gradients {
                Gradients::Weights(gradients) => {
                    let gradients = &mut gradients.layers[index];
                    add_attention_input_units(backward, gradients);
                    layer.push_matrix_gradients(&mut products, rows, backward, gradients);
                }
                Gradients::Adapter(layers) => {
                    layer.push_adapter_gradients(&mut products, rows, backward, &mut layers[index]);
                }
            }
            run_products(products);
            std::mem::swap(&mut backward.d_output, &mut backward.d_input);
            if *retention == Retention::Inputs {
                std::mem::swap(&mut record.input, &mut inputs[index]);
            }
        }
        let Gradients::Weights(gradients) = gradients else { return };
        let (hidden, scale) = (config.hidden_size, config.embedding_scale());
        for (d_row, &token) in backward.d_output.chunks_exact(hidden).zip(&batch.tokens) {
            let table_row = &mut gradients.embedding[token as usize * hidden..][..hidden];
            for (sum, d) in table_row.iter_mut().zip(d_row) {
                *sum += scale * d;
            }
        }
    }

    /// From the scores to the stream's gradient above the last layer.
    fn head_backward(
        &self,
        batch: &PackedBatch,
        temperature: f32,
        d_scores: &[[f32; 2]],
        value: Option<ValueBackward<'_>>,
        workspace: &mut Workspace,
        gradients: &mut Gradients<'_>,
    ) {
        let hidden = self.config.hidden_size;
        let scored = batch.scored.len();
        let Workspace { head: record, backward, .. } = workspace;
        let mut table = match gradients {
            Gradients::Weights(gradients) => Some(gradients.head.as_deref_mut().unwrap_or(gradients.embedding)),
            Gradients::Adapter(_) => None,
        };
        let chunks = self.head_chunks(scored).count();
        for (index, chunk) in self.head_chunks(scored).enumerate().collect::<Vec<_>>().into_iter().rev() {
            // The last chunk's logits are still there from the forward.
            if index + 1 < chunks {
                self.score_chunk(&batch.scored, chunk.clone(), 1.0 / temperature, record);
            }
            let d_normed = &mut backward.d_head_normed[chunk.start * hidden..chunk.end * hidden];
            self.head_chunk_backward(
                &batch.scored,
                chunk,
                1.0 / temperature,
                d_scores,
                record,
                d_normed,
                table.as_deref_mut(),
            );
        }
        let frozen = table.is_none();
        if let Some(value) = value {
            value.run(&mut backward.d_head_normed, &record.normed);
        }
        // A row is scored at most once, so there are enough units for all rows.
        let units = scored.div_ceil(UNIT) * width_if(!frozen, hidden);
        norm::backward(
            &mut backward.d_head_input,
            // Nothing else reaches these rows of the stream yet.
            None,
            &mut backward.norm_units[..units],
            &backward.d_head_normed,
            &record.input,
            &record.inverse,
            self.config.norm(self.weights.final_norm),
        );
        if let Gradients::Weights(gradients) = gradients {
            add_units(gradients.final_norm, &backward.norm_units[..units]);
        }
        backward.d_output.fill(0.0);
        for (d_row, token) in backward.d_head_input.chunks_exact(hidden).zip(&batch.scored) {
            backward.d_output[token.row * hidden..][..hidden].copy_from_slice(d_row);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one step over one chunk, with what it reads and writes spelled out")]
    fn head_chunk_backward(
        &self,
        scored: &[ScoredToken],
        chunk: Range<usize>,
        inverse: f32,
        d_scores: &[[f32; 2]],
        record: &mut HeadRecord,
        d_normed: &mut [f32],        // [chunk, hidden], overwritten
        d_table: Option<&mut [f32]>, // [vocab, hidden], added to
    ) {
        let (hidden, vocab) = (self.config.hidden_size, self.config.vocab_size);
        let blocks = RowBlocks::new(chunk.len());
        let statistics = &record.statistics[chunk.clone()];
        let (scored, d_scores) = (&scored[chunk.clone()], &d_scores[chunk.clone()]);
        blocks
            .ranges()
            .par_iter()
            .zip(blocks.cut(&mut record.logits, vocab))
            .zip(blocks.cut(d_normed, hidden))
            .with_max_len(1)
            .for_each(|((rows, logits), d_normed)| {
                for (row, logits) in rows.clone().zip(logits.chunks_exact_mut(vocab)) {
                    let [d_logprob, d_entropy] = d_scores[row];
                    head::backward(logits, scored[row].token, inverse, statistics[row], d_logprob, d_entropy);
                }
                multiply_rows(d_normed, Store::Overwrite, logits, self.stored.head.transposed());
            });
        let Some(d_table) = d_table else { return };
        let d_logits = MatrixRef::new(&record.logits, chunk.len(), vocab); // [chunk, vocab]
        let normed = &record.normed[chunk.start * hidden..chunk.end * hidden];
        let mut products = Vec::new();
        push_products(&mut products, d_table, d_logits, MatrixRef::new(normed, chunk.len(), hidden));
        run_products(products);
    }
}

/// One layer on the way back.
struct LayerBackward<'a> {
    config: &'a ModelConfig,
    weights: &'a LayerWeights<'a, MatrixRef<'a>>,
    adapter: Option<&'a ByProduct<LowRank<'a>>>,
    blocks: &'a RowBlocks,
    record: &'a LayerRecord,
}

impl LayerBackward<'_> {
    /// From the layer's output to the stream in its middle and to what was attended to.
    fn feed_forward(&self, backward: &mut BackwardBuffers, frozen: bool) {
        let Self { config, weights, adapter, blocks, record } = *self;
        let (hidden, inner, query) = (config.hidden_size, config.intermediate_size, config.query_width());
        let activation = config.family.traits().activation;
        let ranks = self.ranks();
        let d_output = &backward.d_output;
        blocks
            .ranges()
            .par_iter()
            .zip(backward.feed_forward_branch.cut(blocks, config.mlp_bias, config, frozen))
            .zip(blocks.cut(&mut backward.d_gated, inner))
            .zip(blocks.cut(&mut backward.d_gate_up, 2 * inner))
            .zip(blocks.cut_units(&mut backward.gate_up_bias_units, width_if(config.mlp_bias && !frozen, 2 * inner)))
            .zip(blocks.cut(&mut backward.d_normed, hidden))
            .zip(blocks.cut(&mut backward.d_middle, hidden))
            .zip(blocks.cut_units(&mut backward.norm_units, width_if(!frozen, hidden)))
            .zip(backward.attention_branch.cut(blocks, config.output_bias(), config, frozen))
            .zip(blocks.cut(&mut backward.d_attended, query))
            .zip(blocks.cut(&mut backward.d_reduced.output, ranks.output))
            .zip(blocks.cut(&mut backward.d_reduced.gate_up, ranks.gate_up))
            .zip(blocks.cut(&mut backward.d_reduced.down, ranks.down))
            .with_max_len(1)
            .for_each(|(parts, d_reduced_down)| {
                let (((parts, d_attended), d_reduced_output), d_reduced_gate_up) = parts;
                let (parts, mut attention) = parts;
                let (((parts, d_normed), d_middle), norm_units) = parts;
                let ((((rows, mut feed_forward), d_gated), d_gate_up), bias_units) = parts;
                let span = rows.start * hidden..rows.end * hidden;
                let d_output = &d_output[span.clone()];
                let branch_norm = weights.feed_forward_norm;
                let d_down = feed_forward.backward(d_output, rows, &record.feed_forward_branch, branch_norm, config);
                multiply_rows(d_gated, Store::Overwrite, d_down, weights.down.transposed());
                if let Some(adapter) = adapter {
                    low_rank::backward(Some(d_gated), d_reduced_down, d_down, &adapter.down);
                }
                let gate_up = &record.gate_up[rows.start * 2 * inner..rows.end * 2 * inner];
                mlp::backward(d_gate_up, d_gated, gate_up, inner, activation);
                if !bias_units.is_empty() {
                    bias::backward(bias_units, d_gate_up, 2 * inner);
                }
                multiply_rows(d_normed, Store::Overwrite, d_gate_up, weights.gate_up.transposed());
                if let Some(adapter) = adapter {
                    low_rank::backward(Some(d_normed), d_reduced_gate_up, d_gate_up, &adapter.gate_up);
                }
                let inverse = &record.middle_inverse[rows.clone()];
                let (middle, norm) = (&record.middle[span], config.norm(weights.middle_norm));
                norm::backward(d_middle, Some(d_output), norm_units, d_normed, middle, inverse, norm);
                let branch_norm = weights.attention_norm;
                let d_product = attention.backward(d_middle, rows, &record.attention_branch, branch_norm, config);
                multiply_rows(d_attended, Store::Overwrite, d_product, weights.output.transposed());
                if let Some(adapter) = adapter {
                    low_rank::backward(Some(d_attended), d_reduced_output, d_product, &adapter.output);
                }
            });
    }

    /// From queries, keys and values to the layer's input, if its gradient is wanted.
    fn attention_input(
        &self,
        backward: &mut BackwardBuffers,
        rotary: &RotaryTable,
        positions: &[u32],
        frozen: bool,
        wanted: bool,
    ) {
        let Self { config, weights, adapter, blocks, record } = *self;
        let (hidden, width) = (config.hidden_size, config.qkv_width());
        let (raw_width, normed_heads) = (config.raw_heads_width(), config.num_normed_heads());
        let head_norm_width = width_if(normed_heads > 0 && !frozen, 2 * config.head_dim);
        let d_middle = &backward.d_middle;
        blocks
            .ranges()
            .par_iter()
            .zip(blocks.cut(&mut backward.d_qkv, width))
            .zip(blocks.cut_units(&mut backward.head_norm_units, head_norm_width))
            .zip(blocks.cut_units(&mut backward.qkv_bias_units, width_if(config.attention_bias && !frozen, width)))
            .zip(blocks.cut(&mut backward.d_normed, hidden))
            .zip(blocks.cut(&mut backward.d_input, hidden))
            .zip(blocks.cut_units(&mut backward.norm_units, width_if(!frozen, hidden)))
            .zip(blocks.cut(&mut backward.d_reduced.qkv, self.ranks().qkv))
            .with_max_len(1)
            .for_each(|(((((((rows, d_qkv), head_units), bias_units), d_normed), d_input), norm_units), d_reduced)| {
                rotary.rotate_back(d_qkv, width, config.num_rotated_heads(), &positions[rows.clone()]);
                if let Some(weight) = weights.head_norms {
                    let raw = &record.raw_heads.values[rows.start * raw_width..rows.end * raw_width];
                    let inverse = &record.raw_heads.inverse[rows.start * normed_heads..rows.end * normed_heads];
                    head_norm::backward(d_qkv, head_units, raw, inverse, config.norm(weight), config.head_shape());
                }
                if !bias_units.is_empty() {
                    bias::backward(bias_units, d_qkv, width);
                }
                if wanted {
                    multiply_rows(d_normed, Store::Overwrite, d_qkv, weights.qkv.transposed());
                }
                if let Some(adapter) = adapter {
                    low_rank::backward(wanted.then_some(&mut *d_normed), d_reduced, d_qkv, &adapter.qkv);
                }
                if wanted {
                    let span = rows.start * hidden..rows.end * hidden;
                    let (d_middle, input) = (&d_middle[span.clone()], &record.input[span]);
                    let (inverse, norm) = (&record.input_inverse[rows.clone()], config.norm(weights.input_norm));
                    norm::backward(d_input, Some(d_middle), norm_units, d_normed, input, inverse, norm);
                }
            });
    }

    fn ranks(&self) -> ByProduct<usize> {
        self.adapter.map(|adapter| adapter.map(LowRank::num_ranks)).unwrap_or_default()
    }

    /// The gradient and the input of each product, over all rows.
    fn factors<'a>(&'a self, rows: usize, backward: &'a BackwardBuffers) -> ByProduct<[MatrixRef<'a>; 2]> {
        let Self { config, record, .. } = *self;
        let (hidden, inner, query) = (config.hidden_size, config.intermediate_size, config.query_width());
        let matrix = |data, columns| MatrixRef::new(data, rows, columns);
        let d_down = backward.feed_forward_branch.of_product(&backward.d_output, config); // [rows, hidden]
        let d_product = backward.attention_branch.of_product(&backward.d_middle, config); // [rows, hidden]
        ByProduct {
            qkv: [matrix(&backward.d_qkv, config.qkv_width()), matrix(&record.input_normed, hidden)],
            output: [matrix(d_product, hidden), matrix(&record.attended, query)],
            gate_up: [matrix(&backward.d_gate_up, 2 * inner), matrix(&record.middle_normed, hidden)],
            down: [matrix(d_down, hidden), matrix(&record.gated, inner)],
        }
    }

    /// The gradients of the layer's matrices, to run in one region of work.
    fn push_matrix_gradients<'a>(
        &'a self,
        products: &mut Vec<Product<'a>>,
        rows: usize,
        backward: &'a BackwardBuffers,
        gradients: &'a mut LayerGradients<'_>,
    ) {
        let ByProduct { qkv, output, gate_up, down } = self.factors(rows, backward);
        for (gradient, [d_output, input]) in [
            (&mut gradients.gate_up, gate_up),
            (&mut gradients.qkv, qkv),
            (&mut gradients.down, down),
            (&mut gradients.output, output),
        ] {
            push_products(products, gradient, d_output, input);
        }
    }

    /// The gradients of the adapter's matrices, to run in one region of work.
    fn push_adapter_gradients<'a>(
        &'a self,
        products: &mut Vec<Product<'a>>,
        rows: usize,
        backward: &'a BackwardBuffers,
        gradients: &'a mut ByProduct<LowRankGradients<'_>>,
    ) {
        let adapter = self.adapter.expect("the gradients are those of an adapter");
        let factors = self.factors(rows, backward);
        let (reduced, d_reduced) = (&self.record.reduced, &backward.d_reduced);
        for (low_rank, gradients, [d_output, input], reduced, d_reduced) in [
            (&adapter.gate_up, &mut gradients.gate_up, factors.gate_up, &reduced.gate_up, &d_reduced.gate_up),
            (&adapter.qkv, &mut gradients.qkv, factors.qkv, &reduced.qkv, &d_reduced.qkv),
            (&adapter.down, &mut gradients.down, factors.down, &reduced.down, &d_reduced.down),
            (&adapter.output, &mut gradients.output, factors.output, &reduced.output, &d_reduced.output),
        ] {
            let matrix = |data| MatrixRef::new(data, rows, low_rank.num_ranks());
            push_products(products, gradients.reduce, matrix(d_reduced), input);
            for ((ranks, columns, _), gradient) in low_rank.parts().zip(&mut gradients.expand) {
                let d_output = d_output.column_range(columns.clone());
                push_products(products, gradient, d_output, matrix(reduced).column_range(ranks));
            }
        }
    }
}

fn add_feed_forward_units(backward: &BackwardBuffers, gradients: &mut LayerGradients<'_>) {
    add_units(gradients.middle_norm, &backward.norm_units);
    if let Some(total) = gradients.gate_up_bias.as_deref_mut() {
        add_units(total, &backward.gate_up_bias_units);
    }
    let (norm, bias) = (gradients.feed_forward_norm.as_deref_mut(), gradients.down_bias.as_deref_mut());
    backward.feed_forward_branch.add_units(norm, bias);
    let (norm, bias) = (gradients.attention_norm.as_deref_mut(), gradients.output_bias.as_deref_mut());
    backward.attention_branch.add_units(norm, bias);
}

fn add_attention_input_units(backward: &BackwardBuffers, gradients: &mut LayerGradients<'_>) {
    add_units(gradients.input_norm, &backward.norm_units);
    if let Some(total) = gradients.head_norms.as_deref_mut() {
        add_units(total, &backward.head_norm_units);
    }
    if let Some(total) = gradients.qkv_bias.as_deref_mut() {
        add_units(total, &backward.qkv_bias_units);
    }
}

/// A part of a weight gradient: some rows of it.
struct Product<'a> {
    destination: MatrixMut<'a>,
    left: MatrixRef<'a>,
    right: MatrixRef<'a>,
}

/// Divides `gradient += d_output' * input` into tasks of a fixed size.
fn push_products<'a>(
    products: &mut Vec<Product<'a>>,
    gradient: &'a mut [f32], // [outputs, inputs]
    d_output: MatrixRef<'a>, // [rows, outputs]
    input: MatrixRef<'a>,    // [rows, inputs]
) {
    let (outputs, inputs) = (d_output.num_columns(), input.num_columns());
    let mut rest = MatrixMut::new(gradient, outputs, inputs);
    for rows in tiles(outputs, GRADIENT_OUTPUTS) {
        let (mut strip, remaining) = rest.split_rows(rows.len());
        rest = remaining;
        let left = d_output.column_range(rows).transposed(); // [outputs of the strip, rows]
        for columns in tiles(inputs, GRADIENT_INPUTS) {
            let (destination, remaining) = strip.split_columns(columns.len());
            strip = remaining;
            products.push(Product { destination, left, right: input.column_range(columns) });
        }
    }
}

/// Ranges of about equal width that cover `0..end`, none wider than `most`.
fn tiles(end: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let width = end.div_ceil(end.div_ceil(most).max(1)).next_multiple_of(LANES);
    (0..end).step_by(width.max(1)).map(move |start| start..(start + width).min(end))
}

fn run_products(products: Vec<Product<'_>>) {
    products.into_par_iter().with_max_len(1).for_each(|mut product| {
        multiply(&mut product.destination, Store::Accumulate, 1.0, product.left, product.right);
    });
}
