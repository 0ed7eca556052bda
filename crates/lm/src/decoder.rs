//! The order of computation: forward through the layers, over a packed batch. `backward` goes through them again.
//!
//! Sequences are concatenated, without padding. A region of work that is independent per row runs as one task per block
//! of rows, from the first norm to the last product, so that a block's data stays in cache.

use std::ops::Range;

use rayon::prelude::*;

use crate::adapter::{Adapter, ByProduct};
use crate::backward::BackwardBuffers;
use crate::block::{Block, LayerWeights, Products, RawBranch, RawHeads, Weight};
use crate::config::ModelConfig;
use crate::kernels::attention;
use crate::kernels::blocks::{RowBlocks, UNIT};
use crate::kernels::head::{self, RowStatistics};
use crate::kernels::low_rank::LowRank;
use crate::kernels::matrix::{MatrixRef, Store};
use crate::kernels::norm;
use crate::model::Model;
use crate::rotary::RotaryTables;
use crate::rounded::RoundedWeights;
use crate::transposed::TransposedWeights;
use crate::value_head::ValueHead;

/// The most logits held at a time, as numbers: 64 MiB. Longer batches go through the head in chunks of rows.
const MOST_LOGITS: usize = 1 << 24;

/// The tensors of the decoder, as they are multiplied: a product's matrix is `[inputs, outputs]`.
pub(crate) struct DecoderWeights<'a, M = Weight<'a>> {
    pub(crate) embedding: &'a [f32], // [vocab, hidden]
    pub(crate) layers: Vec<LayerWeights<'a, M>>,
    pub(crate) final_norm: &'a [f32], // [hidden]
    pub(crate) head: M,               // [hidden, vocab]
}

impl<'a, M> DecoderWeights<'a, M> {
    /// The same with other matrices, made one by one from these: those of the layers, then the head.
    pub(crate) fn map_matrices<N>(self, mut map: impl FnMut(M) -> N) -> DecoderWeights<'a, N> {
        let Self { embedding, layers, final_norm, head } = self;
        let layers = layers.into_iter().map(|layer| layer.map_matrices(&mut map)).collect();
        DecoderWeights { embedding, layers, final_norm, head: map(head) }
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
    pub(crate) input: Vec<f32>,         // [rows, hidden]
    pub(crate) input_inverse: Vec<f32>, // [rows]
    pub(crate) input_normed: Vec<f32>,  // [rows, hidden]
    pub(crate) raw_heads: RawHeadsRecord,
    /// Normalised and rotated.
    pub(crate) qkv: Vec<f32>, // [rows, qkv]
    pub(crate) attended: Vec<f32>, // [rows, query]
    pub(crate) log_sums: Vec<f32>, // [rows, query heads]
    pub(crate) attention_branch: BranchRecord,
    pub(crate) middle: Vec<f32>,         // [rows, hidden]
    pub(crate) middle_inverse: Vec<f32>, // [rows]
    pub(crate) middle_normed: Vec<f32>,  // [rows, hidden]
    pub(crate) gate_up: Vec<f32>,        // [rows, 2 * inner]
    pub(crate) gated: Vec<f32>,          // [rows, inner]
    pub(crate) feed_forward_branch: BranchRecord,
    /// Of the adapter; empty without one.
    pub(crate) reduced: ByProduct<Vec<f32>>, // [rows, ranks]
}

/// Queries and keys before their heads are normalised; empty where they are not.
#[derive(Default)]
pub(crate) struct RawHeadsRecord {
    pub(crate) values: Vec<f32>,  // [rows, raw heads]
    pub(crate) inverse: Vec<f32>, // [rows, normed heads]
}

/// What is added to the stream before it is normalised; empty where it is not.
#[derive(Default)]
pub(crate) struct BranchRecord {
    pub(crate) values: Vec<f32>,  // [rows, branch]
    pub(crate) inverse: Vec<f32>, // [rows, 1 or 0]
}

impl RawHeadsRecord {
    pub(crate) fn num_numbers(&self) -> usize {
        self.values.len() + self.inverse.len()
    }

    pub(crate) fn resize(&mut self, rows: usize, config: &ModelConfig) {
        self.values.resize(rows * config.raw_heads_width(), 0.0);
        self.inverse.resize(rows * config.num_normed_heads(), 0.0);
    }

    pub(crate) fn whole(&mut self) -> RawHeads<'_> {
        RawHeads { values: &mut self.values, inverse: &mut self.inverse }
    }

    fn cut(&mut self, blocks: &RowBlocks, config: &ModelConfig) -> Vec<RawHeads<'_>> {
        let values = blocks.cut(&mut self.values, config.raw_heads_width());
        let inverse = blocks.cut(&mut self.inverse, config.num_normed_heads());
        values.into_iter().zip(inverse).map(|(values, inverse)| RawHeads { values, inverse }).collect()
    }
}

impl BranchRecord {
    pub(crate) fn num_numbers(&self) -> usize {
        self.values.len() + self.inverse.len()
    }

    pub(crate) fn resize(&mut self, rows: usize, config: &ModelConfig) {
        self.values.resize(rows * config.branch_width(), 0.0);
        self.inverse.resize(rows * config.num_branch_norms(), 0.0);
    }

    pub(crate) fn whole(&mut self) -> RawBranch<'_> {
        RawBranch { values: &mut self.values, inverse: &mut self.inverse }
    }

    fn cut(&mut self, blocks: &RowBlocks, config: &ModelConfig) -> Vec<RawBranch<'_>> {
        let values = blocks.cut(&mut self.values, config.branch_width());
        let inverse = blocks.cut(&mut self.inverse, config.num_branch_norms());
        values.into_iter().zip(inverse).map(|(values, inverse)| RawBranch { values, inverse }).collect()
    }
}

impl LayerRecord {
    fn resize(&mut self, rows: usize, config: &ModelConfig, ranks: &ByProduct<usize>) {
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
        self.raw_heads.resize(rows, config);
        self.attention_branch.resize(rows, config);
        self.feed_forward_branch.resize(rows, config);
        self.reduced.resize(rows, ranks);
    }

    /// How many numbers a record of one row has.
    pub(crate) fn row_width(config: &ModelConfig, ranks: &ByProduct<usize>) -> usize {
        let mut record = Self::default();
        record.resize(1, config, ranks);
        let Self {
            input,
            input_inverse,
            input_normed,
            raw_heads,
            qkv,
            attended,
            log_sums,
            attention_branch,
            middle,
            middle_inverse,
            middle_normed,
            gate_up,
            gated,
            feed_forward_branch,
            reduced,
        } = record;
        let buffers = [
            input,
            input_inverse,
            input_normed,
            qkv,
            attended,
            log_sums,
            middle,
            middle_inverse,
            middle_normed,
            gate_up,
            gated,
        ];
        let branches = attention_branch.num_numbers() + feed_forward_branch.num_numbers();
        buffers.iter().map(Vec::len).sum::<usize>() + raw_heads.num_numbers() + branches + reduced.num_numbers()
    }
}

/// What the head keeps of its forward.
#[derive(Default)]
pub(crate) struct HeadRecord {
    pub(crate) input: Vec<f32>,                // [scored, hidden]
    pub(crate) inverse: Vec<f32>,              // [scored]
    pub(crate) normed: Vec<f32>,               // [scored, hidden]
    pub(crate) logits: Vec<f32>,               // [chunk, vocab]
    pub(crate) statistics: Vec<RowStatistics>, // [scored]
    /// Of the value head; empty without one.
    pub(crate) values: Vec<f32>, // [scored]
}

/// What a forward keeps for the backward.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Retention {
    /// One record per layer.
    EveryLayer,
    /// The inputs of the layers, and the record of the last: what the others had is computed again from these.
    Inputs,
    /// One record, overwritten layer by layer.
    #[default]
    Nothing,
}

/// Buffers that are reused from batch to batch.
#[derive(Default)]
pub(crate) struct Workspace {
    /// One record per layer, or one that all of them use.
    pub(crate) layers: Vec<LayerRecord>,
    /// What the layers began with, if nothing else of them is kept.
    pub(crate) inputs: Vec<Vec<f32>>, // each [rows, hidden]
    /// What the last forward kept.
    pub(crate) retention: Retention,
    /// The residual stream.
    pub(crate) stream: Vec<f32>, // [rows, hidden]
    pub(crate) head: HeadRecord,
    pub(crate) backward: BackwardBuffers,
    pub(crate) rotary: Option<RotaryTables>,
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
    /// For the forward: inputs outermost, if there is such a copy.
    pub(crate) weights: DecoderWeights<'a>,
    /// For the backward: outputs outermost, as in the file.
    pub(crate) stored: DecoderWeights<'a, MatrixRef<'a>>,
    /// For each layer what is added to its products; empty if nothing is.
    pub(crate) adapter: Vec<ByProduct<LowRank<'a>>>,
    /// What gives scored tokens a value, where that is wanted.
    pub(crate) value_head: Option<&'a ValueHead>,
}

/// Makes tables that cover `positions`, unless there are some.
pub(crate) fn rotary_tables<'a>(
    tables: &'a mut Option<RotaryTables>,
    positions: usize,
    config: &ModelConfig,
) -> &'a RotaryTables {
    if tables.as_ref().is_some_and(|tables| tables.num_positions() < positions) {
        *tables = None;
    }
    // Room to spare, so that slightly longer batches do not make them anew.
    tables.get_or_insert_with(|| RotaryTables::new(positions.next_power_of_two().max(256), config))
}

impl<'a> Decoder<'a> {
    /// A decoder over a model, its up-to-date copy, if there is one, and the adapter that is to be beside it.
    pub(crate) fn new(
        model: &'a Model,
        transposed: Option<&'a TransposedWeights>,
        adapter: Option<&'a Adapter>,
    ) -> Self {
        Self {
            config: model.config(),
            weights: match transposed {
                Some(copy) => copy.view(model),
                None => model.stored_weights().map_matrices(Weight::Single),
            },
            stored: model.stored_weights(),
            adapter: adapter.map(Adapter::view).unwrap_or_default(),
            value_head: None,
        }
    }

    /// A decoder over a model's matrices in bfloat16, which goes one way only.
    pub(crate) fn rounded(model: &'a Model, rounded: &'a RoundedWeights) -> Self {
        Self { weights: rounded.view(model), ..Self::new(model, None, None) }
    }

    /// The same, with a value for every scored token.
    pub(crate) fn with_values(self, value_head: Option<&'a ValueHead>) -> Self {
        Self { value_head, ..self }
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
        let (config, rows, ranks) = (self.config, batch.num_rows(), self.ranks());
        let blocks = RowBlocks::new(rows);
        let num_layers = config.num_hidden_layers;
        let num_records = if retention == Retention::EveryLayer { num_layers } else { 1 };
        let Workspace { layers, inputs, stream, .. } = workspace;
        layers.resize_with(num_records.max(layers.len()), LayerRecord::default);
        if retention == Retention::Inputs {
            inputs.resize_with(num_layers, Vec::new);
        }
        workspace.retention = retention;
        let rotary = rotary_tables(&mut workspace.rotary, batch.longest(), config);
        let hidden = config.hidden_size;
        stream.resize(rows * hidden, 0.0);
        for (row, &token) in stream.chunks_exact_mut(hidden).zip(&batch.tokens) {
            self.embed(token, row);
        }
        for index in 0..num_layers {
            let record = &mut layers[if retention == Retention::EveryLayer { index } else { 0 }];
            if retention == Retention::Inputs {
                std::mem::swap(&mut record.input, &mut inputs[index]);
            }
            record.resize(rows, config, &ranks);
            self.run_layer(index, Pass::First, &blocks, batch, stream, record, rotary);
            after_layer(index, record);
            if retention == Retention::Inputs {
                std::mem::swap(&mut record.input, &mut inputs[index]);
            }
        }
    }

    /// Runs a layer and fills its record; the second time from the input that the record has.
    #[expect(clippy::too_many_arguments, reason = "one step over one batch, with what it reads and writes spelled out")]
    pub(crate) fn run_layer(
        &self,
        index: usize,
        pass: Pass,
        blocks: &RowBlocks,
        batch: &PackedBatch,
        stream: &mut [f32], // [rows, hidden]
        record: &mut LayerRecord,
        rotary: &RotaryTables,
    ) {
        let config = self.config;
        let (weights, adapter) = (&self.weights.layers[index], self.adapter.get(index));
        let block =
            Block { config, weights, adapter, rotary: rotary.of_layer(index, config), products: Products::Here };
        attention_input(block, pass, blocks, stream, record, &batch.positions);
        attention::forward(
            &mut record.attended,
            &mut record.log_sums,
            &record.qkv,
            &batch.sequences,
            config.head_shape(),
            config.window(index),
        );
        feed_forward(block, pass, blocks, stream, record);
    }

    /// Numbers per reduced row of each product; every layer has the same.
    pub(crate) fn ranks(&self) -> ByProduct<usize> {
        self.adapter.first().map(|layer| layer.map(LowRank::num_ranks)).unwrap_or_default()
    }

    /// A token's row of the residual stream before the first layer.
    pub(crate) fn embed(&self, token: u32, row: &mut [f32]) {
        let hidden = self.config.hidden_size;
        row.copy_from_slice(&self.weights.embedding[token as usize * hidden..][..hidden]);
        if self.config.family.traits().scaled_embedding {
            let scale = self.config.embedding_scale();
            for x in row {
                *x *= scale;
            }
        }
    }

    /// The logits of some rows of the stream.
    pub(crate) fn logits(&self, stream: &[f32], products: Products, logits: &mut Vec<f32>) {
        let (hidden, vocab) = (self.config.hidden_size, self.config.vocab_size);
        let rows = stream.len() / hidden;
        logits.resize(rows * vocab, 0.0);
        let mut normed = vec![0.0; stream.len()]; // [rows, hidden]
        let mut inverse = vec![0.0; rows];
        norm::forward(&mut normed, &mut inverse, stream, self.config.norm(self.weights.final_norm));
        products.multiply(logits, Store::Overwrite, &normed, self.weights.head);
    }

    /// Scores the batch's tokens from the stream that [`Decoder::forward`] left.
    pub(crate) fn score<'w>(
        &self,
        batch: &PackedBatch,
        temperature: f32,
        workspace: &'w mut Workspace,
    ) -> &'w HeadRecord {
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
        let norm = config.norm(self.weights.final_norm);
        norm::forward(&mut record.normed, &mut record.inverse, &record.input, norm);
        for chunk in self.head_chunks(scored) {
            self.score_chunk(&batch.scored, chunk, 1.0 / temperature, record);
        }
        if let Some(head) = self.value_head {
            head.forward(&record.normed, &mut record.values);
        } else {
            record.values.clear();
        }
        record
    }

    /// Ranges of scored rows whose logits are held together.
    pub(crate) fn head_chunks(&self, scored: usize) -> impl DoubleEndedIterator<Item = Range<usize>> + use<> {
        let most = most_head_rows(self.config);
        (0..scored.div_ceil(most)).map(move |chunk| chunk * most..((chunk + 1) * most).min(scored))
    }

    pub(crate) fn score_chunk(
        &self,
        scored: &[ScoredToken],
        chunk: Range<usize>,
        inverse: f32,
        record: &mut HeadRecord,
    ) {
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
                let normed = &normed[rows.start * hidden..rows.end * hidden];
                Products::Here.multiply(logits, Store::Overwrite, normed, self.weights.head);
                let tokens = &scored[rows.clone()];
                for ((row, statistics), scored) in logits.chunks_exact(vocab).zip(statistics).zip(tokens) {
                    *statistics = head::statistics(row, scored.token, inverse);
                }
            });
    }
}

/// Whether a layer is run for its result, or only for its record, from the input that the record has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    First,
    Again,
}

/// The most rows whose logits are held together.
pub(crate) fn most_head_rows(config: &ModelConfig) -> usize {
    (MOST_LOGITS / config.vocab_size).max(UNIT)
}

/// Norm, projection to queries, keys and values, rotation.
fn attention_input(
    block: Block<'_>,
    pass: Pass,
    blocks: &RowBlocks,
    stream: &[f32], // [rows, hidden]
    record: &mut LayerRecord,
    positions: &[u32],
) {
    let (config, hidden) = (block.config, block.config.hidden_size);
    blocks
        .ranges()
        .par_iter()
        .zip(blocks.cut(&mut record.input, hidden))
        .zip(blocks.cut(&mut record.input_inverse, 1))
        .zip(blocks.cut(&mut record.input_normed, hidden))
        .zip(record.raw_heads.cut(blocks, config))
        .zip(blocks.cut(&mut record.qkv, config.qkv_width()))
        .zip(blocks.cut(&mut record.reduced.qkv, block.adapter.map_or(0, |adapter| adapter.qkv.num_ranks())))
        .with_max_len(1)
        .for_each(|((((((rows, input), inverse), normed), raw), qkv), reduced)| {
            if pass == Pass::First {
                input.copy_from_slice(&stream[rows.start * hidden..rows.end * hidden]);
            }
            norm::forward(normed, inverse, input, config.norm(block.weights.input_norm));
            block.project_heads(qkv, raw, reduced, normed, &positions[rows.clone()]);
        });
}

/// Projection of what was attended to, norm, gated feed-forward; both results are added to the stream. The second time
/// the stream begins as the layer's input, and what the last product gives is left out where no record needs it.
fn feed_forward(block: Block<'_>, pass: Pass, blocks: &RowBlocks, stream: &mut [f32], record: &mut LayerRecord) {
    let config = block.config;
    let (hidden, inner, query) = (config.hidden_size, config.intermediate_size, config.query_width());
    let ranks = block.adapter.map(|adapter| adapter.map(LowRank::num_ranks)).unwrap_or_default();
    let (attended, input) = (&record.attended, &record.input);
    blocks
        .ranges()
        .par_iter()
        .zip(blocks.cut(stream, hidden))
        .zip(record.attention_branch.cut(blocks, config))
        .zip(blocks.cut(&mut record.middle, hidden))
        .zip(blocks.cut(&mut record.middle_inverse, 1))
        .zip(blocks.cut(&mut record.middle_normed, hidden))
        .zip(blocks.cut(&mut record.gate_up, 2 * inner))
        .zip(blocks.cut(&mut record.gated, inner))
        .zip(record.feed_forward_branch.cut(blocks, config))
        .zip(blocks.cut(&mut record.reduced.output, ranks.output))
        .zip(blocks.cut(&mut record.reduced.gate_up, ranks.gate_up))
        .zip(blocks.cut(&mut record.reduced.down, ranks.down))
        .with_max_len(1)
        .for_each(|(((parts, reduced_output), reduced_gate_up), reduced_down)| {
            let ((((((((rows, stream), attention), middle), inverse), normed), gate_up), gated), feed_forward) = parts;
            if pass == Pass::Again {
                stream.copy_from_slice(&input[rows.start * hidden..rows.end * hidden]);
            }
            block.add_attention(stream, attention, reduced_output, &attended[rows.start * query..rows.end * query]);
            middle.copy_from_slice(stream);
            norm::forward(normed, inverse, middle, config.norm(block.weights.middle_norm));
            block.gate(gated, gate_up, reduced_gate_up, normed);
            match pass {
                Pass::First => block.add_feed_forward(stream, feed_forward, reduced_down, gated),
                Pass::Again => block.record_feed_forward(stream, feed_forward, reduced_down, gated),
            }
        });
}
