//! Sampling: completions for a batch of prompts.
//!
//! Equal prompts are computed once and share their cache. A row's arithmetic and its random numbers depend on the row
//! alone, so its completion does not depend on the batch it is in. Rows that are done leave the batch, and waiting ones
//! take their place.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use crate::block::{Block, Products};
use crate::config::ModelConfig;
use crate::decoder::{BranchRecord, Decoder, PackedBatch, RawHeadsRecord, Retention, Workspace, rotary_tables};
use crate::ends::Ends;
use crate::kernels::cached_attention::{self, KeyValueCache, Segment};
use crate::kernels::norm;
use crate::layout;
use crate::model::Model;
use crate::random::Stream;
use crate::rotary::RotaryTables;
use crate::sampler::{SamplingParams, draw, penalise};
use crate::tokenizer::Tokenizer;
use crate::transposed::TransposedWeights;

/// The most rows that decode together: bounds the memory for caches.
pub(crate) const MOST_ROWS: usize = 256;
/// Rows that must be free before waiting ones are admitted, so that prompts are computed in bulk.
const ADMITTED_TOGETHER: usize = 64;
/// Prompt tokens per pass.
pub(crate) const PREFILL_ROWS: usize = 2048;
/// The fewest rows that are worth a thread of their own.
const ROWS_PER_TASK: usize = 8;
/// Bytes of matrices that are taken to stay in the caches of the processors.
const CACHED_BYTES: usize = 16 << 20;
/// The logit of what must not be drawn: its probability is zero in single precision, and no temperature makes it infinite.
const NEVER: f32 = -1e30;

/// One row to complete.
#[derive(Debug, Clone, Copy)]
pub struct Prompt<'a> {
    /// What comes before the completion; not empty.
    pub tokens: &'a [u32],
    /// Decides all of the row's draws.
    pub seed: u64,
}

/// One completion.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sampled {
    /// The tokens drawn, the end token included when it was drawn.
    pub tokens: Vec<u32>,
    /// Their log-probabilities under the distribution they were drawn from, after everything in
    /// [`SamplingParams`].
    pub logprobs: Vec<f32>,
    /// Whether an end token or a stop string ended the completion, rather than the limit on tokens or the model's positions.
    pub stopped: bool,
    /// Where a stop string ended it: how many bytes of the decoded text come before the string.
    pub text_end: Option<usize>,
}

impl Sampled {
    /// The completion's text, up to the stop string if one ended it.
    pub fn text(&self, tokenizer: &Tokenizer) -> String {
        let mut text = tokenizer.decode(&self.tokens);
        text.truncate(self.text_end.unwrap_or(text.len()));
        text
    }

    /// Takes a drawn token, and says whether the completion goes on.
    pub(crate) fn push(&mut self, token: u32, logprob: f32, ends: &Ends<'_>, params: &SamplingParams) -> bool {
        self.tokens.push(token);
        self.logprobs.push(logprob);
        self.stopped = ends.tokens.contains(&token);
        if !self.stopped && self.tokens.len() >= params.min_new_tokens {
            self.text_end = ends.cut(&self.tokens);
            self.stopped = self.text_end.is_some();
        }
        !self.stopped
    }
}

/// Completes every prompt; results are in the order of the prompts.
///
/// # Panics
/// If a prompt is empty or longer than the model's positions, a token is not in the vocabulary, or a sampling parameter
/// is negative or not a number.
pub fn generate(model: &Model, prompts: &[Prompt<'_>], eos: u32, params: &SamplingParams) -> Vec<Sampled> {
    // An adapter is merged into the copy: then a token costs as much as without it.
    let transposed = TransposedWeights::merged(model);
    let mut results = vec![Sampled::default(); prompts.len()];
    let ends = Ends::tokens(&[eos]);
    let decoder = Decoder::new(model, Some(&transposed), None);
    complete(&decoder, prompts, &ends, params, |index, sampled| results[index] = sampled);
    results
}

/// Completes every prompt; `done` is given each completion as it ends.
pub(crate) fn complete(
    decoder: &Decoder<'_>,
    prompts: &[Prompt<'_>],
    ends: &Ends<'_>,
    params: &SamplingParams,
    mut done: impl FnMut(usize, Sampled),
) {
    params.assert_sound();
    for (index, prompt) in prompts.iter().enumerate() {
        assert!(!prompt.tokens.is_empty(), "prompt {index} has tokens");
    }
    let config = decoder.config;
    let longest = prompts.iter().map(|prompt| prompt.tokens.len()).max().unwrap_or(1);
    let positions = longest.saturating_add(params.max_new_tokens).min(config.max_position_embeddings);
    let mut rotary = None;
    let rotary = rotary_tables(&mut rotary, positions, config);
    let products = products(config);
    let step = DecodeStep { decoder, rotary, ends, params, products };
    let mut waiting = prompts.iter().enumerate();
    let mut prefilled: Prefilled<'_> = BTreeMap::new();
    let mut workspace = Workspace::default();
    let mut rows: Vec<Row> = Vec::new();
    let mut scratches: Vec<Scratch> = Vec::new();
    loop {
        let free = MOST_ROWS - rows.len();
        if waiting.len() > 0 && (free >= ADMITTED_TOGETHER || rows.is_empty()) {
            let admitted: Vec<(usize, &Prompt<'_>)> = waiting.by_ref().take(free).collect();
            prefilled.retain(|_, prefix| Arc::strong_count(prefix) > 1);
            prefill(decoder, &admitted, &mut prefilled, &mut workspace);
            rows.extend(admitted.into_iter().map(|(index, prompt)| {
                let prefix = Arc::clone(&prefilled[prompt.tokens]);
                Row::new(index, prompt, prefix, decoder, params)
            }));
        }
        rows.retain_mut(|row| {
            if row.room > 0 {
                return true;
            }
            done(row.index, std::mem::take(&mut row.sampled));
            false
        });
        if rows.is_empty() {
            if waiting.len() > 0 {
                continue;
            }
            return;
        }
        let per_task = match products {
            Products::Here => rows.len().div_ceil(rayon::current_num_threads()).max(ROWS_PER_TASK),
            Products::Divided => rows.len(),
        };
        scratches.resize_with(scratches.len().max(rows.len().div_ceil(per_task)), Scratch::default);
        match products {
            Products::Divided => step.advance(&mut rows, &mut scratches[0]),
            Products::Here => rows
                .par_chunks_mut(per_task)
                .zip(&mut scratches)
                .with_max_len(1)
                .for_each(|(rows, scratch)| step.advance(rows, scratch)),
        }
    }
}

/// How a model's products are computed for a few rows: threads share the rows if the matrices stay in their caches, else the
/// matrices, so that each is read from memory once.
fn products(config: &ModelConfig) -> Products {
    let numbers = layout::num_in_layer_matrices(config) + config.vocab_size * config.hidden_size;
    if numbers * size_of::<f32>() <= CACHED_BYTES { Products::Here } else { Products::Divided }
}

/// The computed beginning of one or more rows.
struct Prefix {
    cache: KeyValueCache,
    length: usize,
    /// What follows the last token of the prompt.
    logits: Vec<f32>, // [vocab]
}

type Prefilled<'a> = BTreeMap<&'a [u32], Arc<Prefix>>;

/// Computes the prompts that are not there yet.
fn prefill<'a>(
    decoder: &Decoder<'_>,
    admitted: &[(usize, &Prompt<'a>)],
    prefilled: &mut Prefilled<'a>,
    workspace: &mut Workspace,
) {
    let mut missing: Vec<&'a [u32]> = Vec::new();
    for (_, prompt) in admitted {
        if !prefilled.contains_key(prompt.tokens) && !missing.contains(&prompt.tokens) {
            missing.push(prompt.tokens);
        }
    }
    let mut rest = missing.as_slice();
    while !rest.is_empty() {
        let mut rows = 0;
        let fitting = rest.iter().take_while(|tokens| {
            rows += tokens.len();
            rows <= PREFILL_ROWS
        });
        let (portion, remaining) = rest.split_at(fitting.count().max(1));
        rest = remaining;
        prefill_portion(decoder, portion, prefilled, workspace);
    }
}

fn prefill_portion<'a>(
    decoder: &Decoder<'_>,
    prompts: &[&'a [u32]],
    prefilled: &mut Prefilled<'a>,
    workspace: &mut Workspace,
) {
    let (config, width) = (decoder.config, decoder.config.qkv_width());
    let mut batch = PackedBatch::default();
    let mut caches = Vec::with_capacity(prompts.len());
    for tokens in prompts {
        batch.push(tokens, config);
        caches.push(KeyValueCache::new(config.num_hidden_layers, config.head_shape(), tokens.len()));
    }
    decoder.forward(&batch, Retention::Nothing, workspace, |layer, record| {
        caches.par_iter_mut().zip(&batch.sequences).for_each(|(cache, rows)| {
            for (position, row) in rows.clone().enumerate() {
                cache.store(layer, position, &record.qkv[row * width..(row + 1) * width]);
            }
        });
    });
    for ((tokens, cache), rows) in prompts.iter().zip(caches).zip(&batch.sequences) {
        let mut logits = Vec::new();
        decoder.logits(workspace.stream_row(rows.end - 1, config), Products::Divided, &mut logits);
        prefilled.insert(tokens, Arc::new(Prefix { cache, length: tokens.len(), logits }));
    }
}

/// A row in the batch.
struct Row {
    /// Which prompt it completes.
    index: usize,
    stream: Stream,
    prefix: Arc<Prefix>,
    own: KeyValueCache,
    sampled: Sampled,
    /// How many more tokens it may draw.
    room: usize,
    /// Tokens of the prompt and the completion, where they count.
    seen: BTreeSet<u32>,
}

impl Row {
    fn new(
        index: usize,
        prompt: &Prompt<'_>,
        prefix: Arc<Prefix>,
        decoder: &Decoder<'_>,
        params: &SamplingParams,
    ) -> Self {
        let config = decoder.config;
        let room = params.max_new_tokens.min(config.max_position_embeddings - prefix.length);
        let own = KeyValueCache::new(config.num_hidden_layers, config.head_shape(), room);
        let seen = prompt.tokens.iter().copied().filter(|_| params.repetition_penalty != 1.0).collect();
        Self { index, stream: Stream::new(prompt.seed), prefix, own, sampled: Sampled::default(), room, seen }
    }

    fn sample(&mut self, logits: &mut [f32], ends: &Ends<'_>, params: &SamplingParams) {
        penalise(logits, self.seen.iter().copied(), params.repetition_penalty);
        if self.sampled.tokens.len() < params.min_new_tokens {
            for &token in &ends.tokens {
                if let Some(logit) = logits.get_mut(token as usize) {
                    *logit = NEVER;
                }
            }
        }
        let drawn = draw(logits, params, self.stream.uniform(self.sampled.tokens.len() as u64));
        let goes_on = self.sampled.push(drawn.token, drawn.logprob, ends, params);
        if params.repetition_penalty != 1.0 {
            self.seen.insert(drawn.token);
        }
        self.room = if goes_on { self.room - 1 } else { 0 };
    }
}

/// Buffers of one task.
#[derive(Default)]
struct Scratch {
    stream: Vec<f32>,   // [rows, hidden]
    normed: Vec<f32>,   // [rows, hidden]
    inverse: Vec<f32>,  // [rows]
    qkv: Vec<f32>,      // [rows, qkv]
    attended: Vec<f32>, // [rows, query]
    gate_up: Vec<f32>,  // [rows, 2 * inner]
    gated: Vec<f32>,    // [rows, inner]
    raw_heads: RawHeadsRecord,
    branch: BranchRecord,
    logits: Vec<f32>,    // [rows, vocab]
    positions: Vec<u32>, // [rows]
}

impl Scratch {
    fn resize(&mut self, rows: usize, config: &ModelConfig) {
        for (buffer, width) in [
            (&mut self.stream, config.hidden_size),
            (&mut self.normed, config.hidden_size),
            (&mut self.inverse, 1),
            (&mut self.qkv, config.qkv_width()),
            (&mut self.attended, config.query_width()),
            (&mut self.gate_up, 2 * config.intermediate_size),
            (&mut self.gated, config.intermediate_size),
        ] {
            buffer.resize(rows * width, 0.0);
        }
        self.raw_heads.resize(rows, config);
        self.branch.resize(rows, config);
    }
}

/// Numbers that decoding keeps of each row beside keys and values: the buffers of its pass, its logits, and their norm.
pub(crate) fn row_width(config: &ModelConfig) -> usize {
    let mut scratch = Scratch::default();
    scratch.resize(1, config);
    let Scratch { stream, normed, inverse, qkv, attended, gate_up, gated, raw_heads, branch, .. } = scratch;
    let buffers = [stream, normed, inverse, qkv, attended, gate_up, gated];
    let pass = buffers.iter().map(Vec::len).sum::<usize>() + raw_heads.num_numbers() + branch.num_numbers();
    pass + config.vocab_size + config.hidden_size
}

/// What every row's next token needs.
struct DecodeStep<'a> {
    decoder: &'a Decoder<'a>,
    rotary: &'a RotaryTables,
    ends: &'a Ends<'a>,
    params: &'a SamplingParams,
    products: Products,
}

impl DecodeStep<'_> {
    /// Draws one more token for each row: the first from the prompt's logits, later ones from a pass over the last.
    fn advance(&self, rows: &mut [Row], scratch: &mut Scratch) {
        let mut started: Vec<&mut Row> = Vec::with_capacity(rows.len());
        for row in rows {
            if row.sampled.tokens.is_empty() {
                let mut logits = row.prefix.logits.clone();
                row.sample(&mut logits, self.ends, self.params);
            } else {
                started.push(row);
            }
        }
        if started.is_empty() {
            return;
        }
        self.run_layers(&mut started, scratch);
        self.decoder.logits(&scratch.stream, self.products, &mut scratch.logits);
        let vocab = self.decoder.config.vocab_size;
        let rows = started.par_iter_mut().zip(scratch.logits.par_chunks_exact_mut(vocab));
        self.products.rows(rows, || (), |(), (row, logits)| row.sample(logits, self.ends, self.params));
    }

    /// Computes the residual stream of each row's last token, and stores its keys and values.
    fn run_layers(&self, rows: &mut [&mut Row], scratch: &mut Scratch) {
        let (config, hidden) = (self.decoder.config, self.decoder.config.hidden_size);
        scratch.resize(rows.len(), config);
        scratch.positions.clear();
        for (row, stream) in rows.iter().zip(scratch.stream.chunks_exact_mut(hidden)) {
            self.decoder.embed(*row.sampled.tokens.last().expect("the row has begun"), stream);
            scratch.positions.push((row.prefix.length + row.sampled.tokens.len() - 1) as u32);
        }
        for (layer, weights) in self.decoder.weights.layers.iter().enumerate() {
            let block = Block {
                config,
                weights,
                adapter: None,
                rotary: self.rotary.of_layer(layer, config),
                products: self.products,
            };
            attend(block, layer, rows, scratch);
            let Scratch { stream, normed, inverse, attended, gate_up, gated, branch, .. } = scratch;
            block.add_attention(stream, branch.whole(), &mut [], attended);
            norm::forward(normed, inverse, stream, config.norm(weights.middle_norm));
            block.gate(gated, gate_up, &mut [], normed);
            block.add_feed_forward(stream, branch.whole(), &mut [], gated);
        }
    }
}

/// Attends from each row's last token, and stores its keys and values.
fn attend(block: Block<'_>, layer: usize, rows: &mut [&mut Row], scratch: &mut Scratch) {
    let config = block.config;
    let (width, query) = (config.qkv_width(), config.query_width());
    let Scratch { stream, normed, inverse, qkv, raw_heads, attended, positions, .. } = scratch;
    norm::forward(normed, inverse, stream, config.norm(block.weights.input_norm));
    block.project_heads(qkv, raw_heads.whole(), &mut [], normed, positions);
    let rows = rows.par_iter_mut().zip(qkv.par_chunks_exact(width)).zip(attended.par_chunks_exact_mut(query));
    block.products.rows(rows, Vec::new, |scores, ((row, qkv), attended)| {
        let length = row.sampled.tokens.len();
        row.own.store(layer, length - 1, qkv);
        let caches = [&row.prefix.cache, &row.own];
        let segments = Segment::seen(caches, row.prefix.length, length, config.window(layer));
        cached_attention::attend(attended, &qkv[..query], layer, &segments, scores);
    });
}
