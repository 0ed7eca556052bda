//! The order of computation: forward through the layers and backward through them again, over a packed batch.
//!
//! Sequences are concatenated, without padding. A region of work that is independent per row runs as one task per block
//! of rows, from the first norm to the last product, so that a block's data stays in cache.

use std::ops::Range;

use rayon::prelude::*;

use crate::config::ModelConfig;
use crate::kernels::attention::{self, ForwardRecord, HeadShape};
use crate::kernels::blocks::{RowBlocks, UNIT, add_units};
use crate::kernels::head::{self, RowStatistics};
use crate::kernels::matrix::{MatrixMut, MatrixRef, Store, multiply, multiply_rows};
use crate::kernels::rope::RotaryTable;
use crate::kernels::{bias, mlp, norm};
use crate::layout::{DecoderGradients, LayerGradients};
use crate::model::Model;
use crate::transposed::TransposedWeights;

/// The most logits held at a time, as numbers: 64 MiB. Longer batches go through the head in chunks of rows.
const MOST_LOGITS: usize = 1 << 24;
/// Outputs per task of a weight gradient.
const GRADIENT_OUTPUTS: usize = 512;
/// Inputs per task of a weight gradient. No more than this, as the engine would copy the other operand, strided, first.
const GRADIENT_INPUTS: usize = 128;

/// The tensors of the decoder, as they are multiplied: a product's matrix is `[inputs, outputs]`.
pub(crate) struct DecoderWeights<'a> {
    pub(crate) embedding: &'a [f32], // [vocab, hidden]
    pub(crate) layers: Vec<LayerWeights<'a>>,
    pub(crate) final_norm: &'a [f32], // [hidden]
    pub(crate) head: MatrixRef<'a>,   // [hidden, vocab]
}

/// The tensors of one layer.
pub(crate) struct LayerWeights<'a> {
    pub(crate) input_norm: &'a [f32],  // [hidden]
    pub(crate) qkv: MatrixRef<'a>,     // [hidden, qkv]
    pub(crate) qkv_bias: &'a [f32],    // [qkv]
    pub(crate) output: MatrixRef<'a>,  // [query, hidden]
    pub(crate) middle_norm: &'a [f32], // [hidden]
    pub(crate) gate_up: MatrixRef<'a>, // [hidden, 2 * inner]
    pub(crate) down: MatrixRef<'a>,    // [inner, hidden]
}

impl ModelConfig {
    /// How the attention kernels divide a row.
    pub(crate) fn head_shape(&self) -> HeadShape {
        HeadShape { num_query: self.num_attention_heads, num_key: self.num_key_value_heads, head_dim: self.head_dim }
    }
}

/// One token to score: the row whose hidden state predicts it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScoredToken {
    pub(crate) row: usize,
    pub(crate) token: u32,
}

/// Sequences one after the other.
#[derive(Debug, Default)]
pub(crate) struct PackedBatch {
    pub(crate) tokens: Vec<u32>,    // [rows]
    pub(crate) positions: Vec<u32>, // [rows]
    pub(crate) sequences: Vec<Range<usize>>,
    /// In order of rows.
    pub(crate) scored: Vec<ScoredToken>,
}

impl PackedBatch {
    /// Appends a sequence and returns its rows.
    pub(crate) fn push(&mut self, tokens: &[u32], config: &ModelConfig) -> Range<usize> {
        assert!(
            tokens.len() <= config.max_position_embeddings,
            "a sequence of {} tokens fits the model's {} positions",
            tokens.len(),
            config.max_position_embeddings
        );
        for &token in tokens {
            assert!(
                (token as usize) < config.vocab_size,
                "token {token} is in the vocabulary of {}",
                config.vocab_size
            );
        }
        let rows = self.tokens.len()..self.tokens.len() + tokens.len();
        self.tokens.extend_from_slice(tokens);
        self.positions.extend(0..tokens.len() as u32);
        self.sequences.push(rows.clone());
        rows
    }

    pub(crate) fn num_rows(&self) -> usize {
        self.tokens.len()
    }

    fn longest(&self) -> usize {
        self.sequences.iter().map(Range::len).max().unwrap_or(0)
    }
}

/// What a layer keeps of its forward.
#[derive(Default)]
pub(crate) struct LayerRecord {
    input: Vec<f32>,         // [rows, hidden]
    input_inverse: Vec<f32>, // [rows]
    input_normed: Vec<f32>,  // [rows, hidden]
    /// Rotated.
    pub(crate) qkv: Vec<f32>, // [rows, qkv]
    attended: Vec<f32>,      // [rows, query]
    log_sums: Vec<f32>,      // [rows, query heads]
    middle: Vec<f32>,        // [rows, hidden]
    middle_inverse: Vec<f32>, // [rows]
    middle_normed: Vec<f32>, // [rows, hidden]
    gate_up: Vec<f32>,       // [rows, 2 * inner]
    gated: Vec<f32>,         // [rows, inner]
}

impl LayerRecord {
    fn resize(&mut self, rows: usize, config: &ModelConfig) {
        for (buffer, width) in [
            (&mut self.input, config.hidden_size),
            (&mut self.input_inverse, 1),
            (&mut self.input_normed, config.hidden_size),
            (&mut self.qkv, config.qkv_width()),
            (&mut self.attended, config.query_width()),
            (&mut self.log_sums, config.num_attention_heads),
            (&mut self.middle, config.hidden_size),
            (&mut self.middle_inverse, 1),
            (&mut self.middle_normed, config.hidden_size),
            (&mut self.gate_up, 2 * config.intermediate_size),
            (&mut self.gated, config.intermediate_size),
        ] {
            buffer.resize(rows * width, 0.0);
        }
    }
}

/// What the head keeps of its forward.
#[derive(Default)]
struct HeadRecord {
    input: Vec<f32>,                // [scored, hidden]
    inverse: Vec<f32>,              // [scored]
    normed: Vec<f32>,               // [scored, hidden]
    logits: Vec<f32>,               // [chunk, vocab]
    statistics: Vec<RowStatistics>, // [scored]
}

/// The gradients on their way down.
#[derive(Default)]
struct BackwardBuffers {
    d_output: Vec<f32>,      // [rows, hidden], of a layer's output
    d_middle: Vec<f32>,      // [rows, hidden], of the stream between attention and feed-forward
    d_input: Vec<f32>,       // [rows, hidden], of a layer's input
    d_normed: Vec<f32>,      // [rows, hidden]
    d_gated: Vec<f32>,       // [rows, inner]
    d_gate_up: Vec<f32>,     // [rows, 2 * inner]
    d_attended: Vec<f32>,    // [rows, query]
    d_qkv: Vec<f32>,         // [rows, qkv]
    d_head_normed: Vec<f32>, // [scored, hidden]
    d_head_input: Vec<f32>,  // [scored, hidden]
    norm_units: Vec<f32>,    // [units, hidden]
    bias_units: Vec<f32>,    // [units, qkv]
}

/// Whether a forward keeps what the backward needs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retention {
    /// One record per layer.
    EveryLayer,
    /// One record, overwritten layer by layer.
    Nothing,
}

/// Buffers that are reused from batch to batch.
#[derive(Default)]
pub(crate) struct Workspace {
    layers: Vec<LayerRecord>,
    /// The residual stream.
    stream: Vec<f32>, // [rows, hidden]
    head: HeadRecord,
    backward: BackwardBuffers,
    rotary: Option<RotaryTable>,
}

impl Workspace {
    /// One row of the residual stream after a forward.
    pub(crate) fn stream_row(&self, row: usize, config: &ModelConfig) -> &[f32] {
        &self.stream[row * config.hidden_size..][..config.hidden_size]
    }
}

/// A decoder at work: its shape and its tensors, each matrix in the layout that suits the direction.
pub(crate) struct Decoder<'a> {
    pub(crate) config: &'a ModelConfig,
    /// For the forward: inputs outermost.
    pub(crate) weights: DecoderWeights<'a>,
    /// For the backward: outputs outermost, as in the file.
    stored: DecoderWeights<'a>,
}

/// Makes a table that covers `positions`, unless there is one.
pub(crate) fn rotary_table<'a>(
    table: &'a mut Option<RotaryTable>,
    positions: usize,
    config: &ModelConfig,
) -> &'a RotaryTable {
    if table.as_ref().is_some_and(|table| table.num_positions() < positions) {
        *table = None;
    }
    table.get_or_insert_with(|| {
        // Room to spare, so that slightly longer batches do not make it anew.
        let positions = positions.next_power_of_two().max(256);
        RotaryTable::new(positions, config.head_dim, config.rope_theta)
    })
}

impl<'a> Decoder<'a> {
    /// A decoder over a model and its up-to-date copy.
    pub(crate) fn new(model: &'a Model, transposed: &'a TransposedWeights) -> Self {
        Self { config: model.config(), weights: transposed.view(model), stored: model.stored_weights() }
    }
}

impl Decoder<'_> {
    /// Runs the layers; afterwards the workspace holds the residual stream. `after_layer` sees each layer's record.
    pub(crate) fn forward(
        &self,
        batch: &PackedBatch,
        retention: Retention,
        workspace: &mut Workspace,
        mut after_layer: impl FnMut(usize, &LayerRecord),
    ) {
        let (config, rows) = (self.config, batch.num_rows());
        let blocks = RowBlocks::new(rows);
        let kept = if retention == Retention::EveryLayer { config.num_hidden_layers } else { 1 };
        workspace.layers.resize_with(kept.max(workspace.layers.len()), LayerRecord::default);
        let rotary = rotary_table(&mut workspace.rotary, batch.longest(), config);
        self.embed(&batch.tokens, &mut workspace.stream);
        for (index, weights) in self.weights.layers.iter().enumerate() {
            let record = &mut workspace.layers[if retention == Retention::EveryLayer { index } else { 0 }];
            record.resize(rows, config);
            self.attention_input(weights, &blocks, &workspace.stream, record, rotary, &batch.positions);
            attention::forward(
                &mut record.attended,
                &mut record.log_sums,
                &record.qkv,
                &batch.sequences,
                config.head_shape(),
            );
            self.feed_forward(weights, &blocks, &mut workspace.stream, record);
            after_layer(index, record);
        }
    }

    fn embed(&self, tokens: &[u32], stream: &mut Vec<f32>) {
        let hidden = self.config.hidden_size;
        stream.resize(tokens.len() * hidden, 0.0);
        for (row, &token) in stream.chunks_exact_mut(hidden).zip(tokens) {
            row.copy_from_slice(&self.weights.embedding[token as usize * hidden..][..hidden]);
        }
    }

    /// Norm, projection to queries, keys and values, bias, rotation.
    fn attention_input(
        &self,
        weights: &LayerWeights<'_>,
        blocks: &RowBlocks,
        stream: &[f32],
        record: &mut LayerRecord,
        rotary: &RotaryTable,
        positions: &[u32],
    ) {
        let (config, hidden) = (self.config, self.config.hidden_size);
        let rotated_heads = config.num_attention_heads + config.num_key_value_heads;
        blocks
            .ranges()
            .par_iter()
            .zip(blocks.cut(&mut record.input, hidden))
            .zip(blocks.cut(&mut record.input_inverse, 1))
            .zip(blocks.cut(&mut record.input_normed, hidden))
            .zip(blocks.cut(&mut record.qkv, config.qkv_width()))
            .with_max_len(1)
            .for_each(|((((rows, input), inverse), normed), qkv)| {
                input.copy_from_slice(&stream[rows.start * hidden..rows.end * hidden]);
                norm::forward(normed, inverse, input, weights.input_norm, config.rms_norm_eps);
                multiply_rows(qkv, Store::Overwrite, normed, weights.qkv);
                bias::forward(qkv, weights.qkv_bias);
                rotary.rotate(qkv, config.qkv_width(), rotated_heads, &positions[rows.clone()]);
            });
    }

    /// Projection of what was attended to, norm, gated feed-forward; both results are added to the stream.
    fn feed_forward(
        &self,
        weights: &LayerWeights<'_>,
        blocks: &RowBlocks,
        stream: &mut [f32],
        record: &mut LayerRecord,
    ) {
        let config = self.config;
        let (hidden, inner, query) = (config.hidden_size, config.intermediate_size, config.query_width());
        let attended = &record.attended;
        blocks
            .ranges()
            .par_iter()
            .zip(blocks.cut(stream, hidden))
            .zip(blocks.cut(&mut record.middle, hidden))
            .zip(blocks.cut(&mut record.middle_inverse, 1))
            .zip(blocks.cut(&mut record.middle_normed, hidden))
            .zip(blocks.cut(&mut record.gate_up, 2 * inner))
            .zip(blocks.cut(&mut record.gated, inner))
            .with_max_len(1)
            .for_each(|((((((rows, stream), middle), inverse), normed), gate_up), gated)| {
                let attended = &attended[rows.start * query..rows.end * query];
                multiply_rows(stream, Store::Accumulate, attended, weights.output);
                middle.copy_from_slice(stream);
                norm::forward(normed, inverse, middle, weights.middle_norm, config.rms_norm_eps);
                multiply_rows(gate_up, Store::Overwrite, normed, weights.gate_up);
                mlp::forward(gated, gate_up, inner);
                multiply_rows(stream, Store::Accumulate, gated, weights.down);
            });
    }

    /// The logits of some rows of the stream.
    pub(crate) fn logits(&self, stream: &[f32], logits: &mut Vec<f32>) {
        let (hidden, vocab) = (self.config.hidden_size, self.config.vocab_size);
        let rows = stream.len() / hidden;
        logits.resize(rows * vocab, 0.0);
        let mut normed = vec![0.0; stream.len()]; // [rows, hidden]
        let mut inverse = vec![0.0; rows];
        norm::forward(&mut normed, &mut inverse, stream, self.weights.final_norm, self.config.rms_norm_eps);
        multiply_rows(logits, Store::Overwrite, &normed, self.weights.head);
    }

    /// Scores the batch's tokens from the stream that [`Decoder::forward`] left.
    pub(crate) fn score<'w>(
        &self,
        batch: &PackedBatch,
        temperature: f32,
        workspace: &'w mut Workspace,
    ) -> &'w [RowStatistics] {
        let (config, hidden) = (self.config, self.config.hidden_size);
        let Workspace { stream, head: record, .. } = workspace;
        let scored = batch.scored.len();
        record.input.resize(scored * hidden, 0.0);
        record.inverse.resize(scored, 0.0);
        record.normed.resize(scored * hidden, 0.0);
        record.statistics.resize(scored, RowStatistics::default());
        for (row, token) in record.input.chunks_exact_mut(hidden).zip(&batch.scored) {
            row.copy_from_slice(&stream[token.row * hidden..][..hidden]);
        }
        norm::forward(
            &mut record.normed,
            &mut record.inverse,
            &record.input,
            self.weights.final_norm,
            config.rms_norm_eps,
        );
        for chunk in self.head_chunks(scored) {
            self.score_chunk(&batch.scored, chunk, 1.0 / temperature, record);
        }
        &record.statistics
    }

    /// Ranges of scored rows whose logits are held together.
    fn head_chunks(&self, scored: usize) -> impl DoubleEndedIterator<Item = Range<usize>> + use<> {
        let most = (MOST_LOGITS / self.config.vocab_size).max(UNIT);
        (0..scored.div_ceil(most)).map(move |chunk| chunk * most..((chunk + 1) * most).min(scored))
    }

    fn score_chunk(&self, scored: &[ScoredToken], chunk: Range<usize>, inverse: f32, record: &mut HeadRecord) {
        let (hidden, vocab) = (self.config.hidden_size, self.config.vocab_size);
        let blocks = RowBlocks::new(chunk.len());
        record.logits.resize(chunk.len() * vocab, 0.0);
        let normed = &record.normed[chunk.start * hidden..chunk.end * hidden];
        let scored = &scored[chunk.clone()];
        blocks
            .ranges()
            .par_iter()
            .zip(blocks.cut(&mut record.logits, vocab))
            .zip(blocks.cut(&mut record.statistics[chunk], 1))
            .with_max_len(1)
            .for_each(|((rows, logits), statistics)| {
                multiply_rows(
                    logits,
                    Store::Overwrite,
                    &normed[rows.start * hidden..rows.end * hidden],
                    self.weights.head,
                );
                let tokens = &scored[rows.clone()];
                for ((row, statistics), scored) in logits.chunks_exact(vocab).zip(statistics).zip(tokens) {
                    *statistics = head::statistics(row, scored.token, inverse);
                }
            });
    }

    /// Adds the gradient of `sum(d_scores . [logprob, entropy])` for the batch just scored with every layer kept.
    pub(crate) fn backward(
        &self,
        batch: &PackedBatch,
        temperature: f32,
        d_scores: &[[f32; 2]], // [scored]: of the log-probability, of the entropy
        workspace: &mut Workspace,
        gradients: &mut DecoderGradients<'_>,
    ) {
        let (config, rows) = (self.config, batch.num_rows());
        assert_eq!(d_scores.len(), batch.scored.len(), "one pair per scored token");
        let blocks = RowBlocks::new(rows);
        workspace.backward.resize(rows, batch.scored.len(), config);
        self.head_backward(batch, temperature, d_scores, workspace, gradients);
        let Workspace { layers, backward, rotary, .. } = workspace;
        let rotary = rotary.as_ref().expect("the forward made the table");
        for (index, weights) in self.stored.layers.iter().enumerate().rev() {
            let (record, gradients) = (&layers[index], &mut gradients.layers[index]);
            self.feed_forward_backward(weights, &blocks, record, backward, gradients);
            let forward = ForwardRecord { qkv: &record.qkv, output: &record.attended, log_sums: &record.log_sums };
            attention::backward(
                &mut backward.d_qkv,
                &backward.d_attended,
                forward,
                &batch.sequences,
                config.head_shape(),
            );
            self.attention_input_backward(weights, &blocks, record, backward, gradients, rotary, &batch.positions);
            self.matrix_gradients(rows, record, backward, gradients);
            std::mem::swap(&mut backward.d_output, &mut backward.d_input);
        }
        let hidden = config.hidden_size;
        for (d_row, &token) in backward.d_output.chunks_exact(hidden).zip(&batch.tokens) {
            let table_row = &mut gradients.embedding[token as usize * hidden..][..hidden];
            for (sum, d) in table_row.iter_mut().zip(d_row) {
                *sum += d;
            }
        }
    }

    /// From the scores to the stream's gradient above the last layer.
    fn head_backward(
        &self,
        batch: &PackedBatch,
        temperature: f32,
        d_scores: &[[f32; 2]],
        workspace: &mut Workspace,
        gradients: &mut DecoderGradients<'_>,
    ) {
        let hidden = self.config.hidden_size;
        let scored = batch.scored.len();
        let Workspace { head: record, backward, .. } = workspace;
        let table = match &mut gradients.head {
            Some(head) => head,
            None => &mut gradients.embedding,
        };
        let chunks = self.head_chunks(scored).count();
        for (index, chunk) in self.head_chunks(scored).enumerate().collect::<Vec<_>>().into_iter().rev() {
            // The last chunk's logits are still there from the forward.
            if index + 1 < chunks {
                self.score_chunk(&batch.scored, chunk.clone(), 1.0 / temperature, record);
            }
            let d_normed = &mut backward.d_head_normed[chunk.start * hidden..chunk.end * hidden];
            self.head_chunk_backward(&batch.scored, chunk, 1.0 / temperature, d_scores, record, d_normed, table);
        }
        // A row is scored at most once, so there are enough units for all rows.
        let units = scored.div_ceil(UNIT) * hidden;
        // Nothing else reaches these rows of the stream yet.
        let nothing = vec![0.0; scored * hidden];
        norm::backward(
            &mut backward.d_head_input,
            &nothing,
            &mut backward.norm_units[..units],
            &backward.d_head_normed,
            &record.input,
            &record.inverse,
            self.weights.final_norm,
        );
        add_units(gradients.final_norm, &backward.norm_units[..units]);
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
        d_normed: &mut [f32], // [chunk, hidden], overwritten
        d_table: &mut [f32],  // [vocab, hidden], added to
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
        let d_logits = MatrixRef::new(&record.logits, chunk.len(), vocab); // [chunk, vocab]
        let normed = &record.normed[chunk.start * hidden..chunk.end * hidden];
        let mut products = Vec::new();
        push_products(&mut products, d_table, d_logits, MatrixRef::new(normed, chunk.len(), hidden));
        run_products(products);
    }

    /// From a layer's output to the stream in its middle and to what was attended to.
    fn feed_forward_backward(
        &self,
        weights: &LayerWeights<'_>,
        blocks: &RowBlocks,
        record: &LayerRecord,
        backward: &mut BackwardBuffers,
        gradients: &mut LayerGradients<'_>,
    ) {
        let config = self.config;
        let (hidden, inner, query) = (config.hidden_size, config.intermediate_size, config.query_width());
        let d_output = &backward.d_output;
        blocks
            .ranges()
            .par_iter()
            .zip(blocks.cut(&mut backward.d_gated, inner))
            .zip(blocks.cut(&mut backward.d_gate_up, 2 * inner))
            .zip(blocks.cut(&mut backward.d_normed, hidden))
            .zip(blocks.cut(&mut backward.d_middle, hidden))
            .zip(blocks.cut(&mut backward.d_attended, query))
            .zip(blocks.cut_units(&mut backward.norm_units, hidden))
            .with_max_len(1)
            .for_each(|((((((rows, d_gated), d_gate_up), d_normed), d_middle), d_attended), units)| {
                let span = rows.start * hidden..rows.end * hidden;
                let d_output = &d_output[span.clone()];
                multiply_rows(d_gated, Store::Overwrite, d_output, weights.down.transposed());
                let gate_up = &record.gate_up[rows.start * 2 * inner..rows.end * 2 * inner];
                mlp::backward(d_gate_up, d_gated, gate_up, inner);
                multiply_rows(d_normed, Store::Overwrite, d_gate_up, weights.gate_up.transposed());
                let inverse = &record.middle_inverse[rows.clone()];
                let middle = &record.middle[span];
                norm::backward(d_middle, d_output, units, d_normed, middle, inverse, weights.middle_norm);
                multiply_rows(d_attended, Store::Overwrite, d_middle, weights.output.transposed());
            });
        add_units(gradients.middle_norm, &backward.norm_units);
    }

    /// From queries, keys and values to a layer's input.
    #[expect(clippy::too_many_arguments, reason = "one step over one layer, with what it reads and writes spelled out")]
    fn attention_input_backward(
        &self,
        weights: &LayerWeights<'_>,
        blocks: &RowBlocks,
        record: &LayerRecord,
        backward: &mut BackwardBuffers,
        gradients: &mut LayerGradients<'_>,
        rotary: &RotaryTable,
        positions: &[u32],
    ) {
        let (config, hidden, width) = (self.config, self.config.hidden_size, self.config.qkv_width());
        let rotated_heads = config.num_attention_heads + config.num_key_value_heads;
        let d_middle = &backward.d_middle;
        blocks
            .ranges()
            .par_iter()
            .zip(blocks.cut(&mut backward.d_qkv, width))
            .zip(blocks.cut(&mut backward.d_normed, hidden))
            .zip(blocks.cut(&mut backward.d_input, hidden))
            .zip(blocks.cut_units(&mut backward.norm_units, hidden))
            .zip(blocks.cut_units(&mut backward.bias_units, width))
            .with_max_len(1)
            .for_each(|(((((rows, d_qkv), d_normed), d_input), norm_units), bias_units)| {
                rotary.rotate_back(d_qkv, width, rotated_heads, &positions[rows.clone()]);
                bias::backward(bias_units, d_qkv, width);
                multiply_rows(d_normed, Store::Overwrite, d_qkv, weights.qkv.transposed());
                let span = rows.start * hidden..rows.end * hidden;
                let (d_middle, input) = (&d_middle[span.clone()], &record.input[span]);
                let inverse = &record.input_inverse[rows.clone()];
                norm::backward(d_input, d_middle, norm_units, d_normed, input, inverse, weights.input_norm);
            });
        add_units(gradients.input_norm, &backward.norm_units);
        add_units(gradients.qkv_bias, &backward.bias_units);
    }

    /// The gradients of a layer's matrices, all in one region of work.
    fn matrix_gradients(
        &self,
        rows: usize,
        record: &LayerRecord,
        backward: &BackwardBuffers,
        gradients: &mut LayerGradients<'_>,
    ) {
        let config = self.config;
        let (hidden, inner, query) = (config.hidden_size, config.intermediate_size, config.query_width());
        let matrix = |data, columns| MatrixRef::new(data, rows, columns);
        let mut products = Vec::new();
        let d_gate_up = matrix(&backward.d_gate_up, 2 * inner); // [rows, 2 * inner]
        push_products(&mut products, gradients.gate_up, d_gate_up, matrix(&record.middle_normed, hidden));
        let d_qkv = matrix(&backward.d_qkv, config.qkv_width()); // [rows, qkv]
        push_products(&mut products, gradients.qkv, d_qkv, matrix(&record.input_normed, hidden));
        let d_output = matrix(&backward.d_output, hidden); // [rows, hidden]
        push_products(&mut products, gradients.down, d_output, matrix(&record.gated, inner));
        let d_middle = matrix(&backward.d_middle, hidden); // [rows, hidden]
        push_products(&mut products, gradients.output, d_middle, matrix(&record.attended, query));
        run_products(products);
    }
}

impl BackwardBuffers {
    fn resize(&mut self, rows: usize, scored: usize, config: &ModelConfig) {
        let (hidden, inner, units) = (config.hidden_size, config.intermediate_size, rows.div_ceil(UNIT));
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
            (&mut self.norm_units, units * hidden),
            (&mut self.bias_units, units * config.qkv_width()),
        ] {
            buffer.resize(length, 0.0);
        }
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

/// Ranges of `width` that cover `0..end`; the last may be shorter.
fn tiles(end: usize, width: usize) -> impl Iterator<Item = Range<usize>> {
    (0..end).step_by(width).map(move |start| start..(start + width).min(end))
}

fn run_products(products: Vec<Product<'_>>) {
    products.into_par_iter().with_max_len(1).for_each(|mut product| {
        multiply(&mut product.destination, Store::Accumulate, 1.0, product.left, product.right);
    });
}
