//! Sampling: completions for a batch of prompts, with keys and values in one block of memory that is there from the start.
//!
//! A prompt that several rows share is computed once. On a card a round of tokens is drawn without asking what they are: the
//! processor only sends operations, and looks at the tokens when the round is over. So a row that has ended costs at most the
//! rest of its round; then it leaves, and a waiting one takes its place.

use std::collections::BTreeMap;

use tch::{Kind, Tensor, no_grad};

use super::batch::Rows;
use super::device::{Attempt, Place, to_host};
use super::draw::Drawing;
use super::network::Network;
use crate::ends::Ends;
use crate::generate::{Prompt, Sampled};
use crate::random::Stream;
use crate::sampler::SamplingParams;

/// The most rows that decode together.
const MOST_ROWS: usize = 256;
/// The most memory for keys and values.
const MOST_CACHE_BYTES_CARD: usize = 16 << 30;
const MOST_CACHE_BYTES_PROCESSOR: usize = 2 << 30;
/// Rows that must be free before waiting ones are admitted, so that prompts are computed in bulk.
const ADMITTED_TOGETHER: usize = 32;
/// Prompt tokens per pass.
const PREFILL_ROWS: usize = 8192;
/// Tokens of a round on a card. On the processor a look costs nothing.
const ROUND: usize = 16;
/// Attention reads the cache up to a multiple of this.
const CACHE_STEP: i64 = 64;

/// Completes every prompt; `done` is given each completion when its round is over.
pub(super) fn complete(
    network: &Network,
    is_adapted: bool,
    prompts: &[Prompt<'_>],
    ends: &Ends<'_>,
    params: &SamplingParams,
    done: &mut dyn FnMut(usize, Sampled),
) -> Attempt<()> {
    params.assert_sound();
    for (index, prompt) in prompts.iter().enumerate() {
        assert!(!prompt.tokens.is_empty(), "prompt {index} has tokens");
    }
    if prompts.is_empty() {
        return Ok(());
    }
    no_grad(|| {
        let mut decoding = Decoding::new(network, is_adapted, prompts, ends, params)?;
        let mut waiting = prompts.iter().enumerate();
        loop {
            let free = decoding.num_free();
            let is_idle = free == decoding.slots.len();
            if waiting.len() > 0 && (is_idle || free >= ADMITTED_TOGETHER.min(decoding.slots.len())) {
                let admitted: Vec<(usize, &Prompt<'_>)> = waiting.by_ref().take(free).collect();
                decoding.admit(&admitted)?;
            }
            decoding.dismiss(done);
            if decoding.num_free() == decoding.slots.len() {
                if waiting.len() > 0 {
                    continue;
                }
                return Ok(());
            }
            if waiting.len() == 0 {
                decoding.shrink()?;
            }
            decoding.round()?;
            decoding.dismiss(done);
        }
    })
}

/// A row in the batch.
struct Row {
    /// Which prompt it completes.
    index: usize,
    stream: Stream,
    num_prompt: usize,
    sampled: Sampled,
    /// How many more tokens it may draw.
    room: usize,
}

/// Rows under way and what the device holds of them.
struct Decoding<'a> {
    network: &'a Network,
    is_adapted: bool,
    ends: &'a Ends<'a>,
    params: &'a SamplingParams,
    drawing: Drawing<'a>,
    slots: Vec<Option<Row>>,
    /// Positions that the cache has.
    length: i64,
    /// Of each layer, keys and values; a slot's heads lie side by side.
    cache: Vec<[Tensor; 2]>, // [slots * key heads, length, head_dim]
    /// What follows the last token of each slot.
    logits: Tensor, // [slots, vocab]
    /// Tokens of the prompt and the completion, where they count.
    seen: Option<Tensor>, // [slots, vocab]
}

impl<'a> Decoding<'a> {
    fn new(
        network: &'a Network,
        is_adapted: bool,
        prompts: &[Prompt<'_>],
        ends: &'a Ends<'a>,
        params: &'a SamplingParams,
    ) -> Attempt<Self> {
        let (config, place) = (&network.config, network.place);
        let longest = prompts.iter().map(|prompt| prompt.tokens.len()).max().unwrap_or(1);
        let most = config.max_position_embeddings;
        assert!(longest <= most, "a prompt of {longest} tokens fits the model's {most} positions");
        let length = longest.saturating_add(params.max_new_tokens).min(most);
        network.prepare(length)?;
        let per_row = 2 * config.num_hidden_layers * config.key_width() * length * place.kind.elt_size_in_bytes();
        let bytes = if place.device.is_cuda() { MOST_CACHE_BYTES_CARD } else { MOST_CACHE_BYTES_PROCESSOR };
        let num_slots = prompts.len().min(MOST_ROWS).min((bytes / per_row).max(1));
        let (slots, heads, width) = (num_slots as i64, config.num_key_value_heads as i64, config.head_dim as i64);
        let block = || Tensor::f_zeros([slots * heads, length as i64, width], (place.kind, place.device));
        let cache = (0..config.num_hidden_layers).map(|_| Ok([block()?, block()?])).collect::<Attempt<_>>()?;
        let vocab = config.vocab_size as i64;
        let seen = if params.repetition_penalty == 1.0 {
            None
        } else {
            Some(Tensor::f_zeros([slots, vocab], (Kind::Bool, place.device))?)
        };
        Ok(Self {
            network,
            is_adapted,
            ends,
            params,
            drawing: Drawing::new(params, &ends.tokens, config.vocab_size, place)?,
            slots: (0..num_slots).map(|_| None).collect(),
            length: length as i64,
            cache,
            logits: Tensor::f_zeros([slots, vocab], (Kind::Float, place.device))?,
            seen,
        })
    }

    fn num_free(&self) -> usize {
        self.slots.iter().filter(|slot| slot.is_none()).count()
    }

    /// Hands out the rows that have ended.
    fn dismiss(&mut self, done: &mut dyn FnMut(usize, Sampled)) {
        for slot in &mut self.slots {
            if let Some(row) = slot.take_if(|row| row.room == 0) {
                done(row.index, row.sampled);
            }
        }
    }

    /// Gives prompts a free slot each, and computes them, equal ones once.
    fn admit(&mut self, admitted: &[(usize, &Prompt<'_>)]) -> Attempt<()> {
        let most = self.network.config.max_position_embeddings;
        let free: Vec<usize> = (0..self.slots.len()).filter(|&slot| self.slots[slot].is_none()).collect();
        let mut by_text: BTreeMap<&[u32], Vec<usize>> = BTreeMap::new();
        for ((index, prompt), &slot) in admitted.iter().zip(&free) {
            by_text.entry(prompt.tokens).or_default().push(slot);
            let room = self.params.max_new_tokens.min(most - prompt.tokens.len());
            self.slots[slot] = Some(Row {
                index: *index,
                stream: Stream::new(prompt.seed),
                num_prompt: prompt.tokens.len(),
                sampled: Sampled::default(),
                room,
            });
        }
        let texts: Vec<(&[u32], Vec<usize>)> = by_text.into_iter().collect();
        let mut rest = texts.as_slice();
        while !rest.is_empty() {
            let mut rows = 0;
            let fitting = rest.iter().take_while(|(text, _)| {
                rows += text.len();
                rows <= PREFILL_ROWS
            });
            let (portion, others) = rest.split_at(fitting.count().max(1));
            rest = others;
            self.prefill(portion)?;
        }
        Ok(())
    }

    /// Computes prompts, and copies what they leave into the slots that they are for.
    fn prefill(&mut self, portion: &[(&[u32], Vec<usize>)]) -> Attempt<()> {
        let Self { network, cache, .. } = self;
        let (config, place) = (&network.config, network.place);
        let texts: Vec<&[u32]> = portion.iter().map(|(text, _)| *text).collect();
        let rows = Rows::new(&texts, config, place)?;
        // Which row goes to which place of the cache.
        let (mut sources, mut slots, mut positions) = (Vec::new(), Vec::new(), Vec::new());
        let (mut last_rows, mut last_slots) = (Vec::new(), Vec::new());
        for ((_, own), span) in portion.iter().zip(&rows.spans) {
            for &slot in own {
                sources.extend(span.clone().map(|row| row as i64));
                slots.extend(span.clone().map(|_| slot as i64));
                positions.extend(0..span.len() as i64);
                last_rows.push(span.end as i64 - 1);
                last_slots.push(slot as i64);
            }
        }
        let heads = config.num_key_value_heads as i64;
        let [sources, slots, positions] =
            [place.integers(&sources)?, place.integers(&slots)?, place.integers(&positions)?];
        let head = Tensor::f_arange(heads, (Kind::Int64, place.device))?;
        let blocks = slots.f_unsqueeze(1)?.f_mul_scalar(heads)?.f_add(&head)?; // [copied, heads]
        let positions = positions.f_unsqueeze(1)?.f_expand_as(&blocks)?;
        let stream = network.forward(&rows, self.is_adapted, |layer, keys, values| {
            for (block, rows) in cache[layer].iter_mut().zip([keys, values]) {
                let copied = rows.f_index_select(0, &sources)?;
                let _ = block.f_index_put_(&[Some(&blocks), Some(&positions)], &copied, false)?;
            }
            Ok(())
        })?;
        let last = stream.f_index_select(0, &place.integers(&last_rows)?)?;
        let logits = network.logits(&network.normed(&last)?)?;
        let last_slots = place.integers(&last_slots)?;
        let _ = self.logits.f_index_copy_(0, &last_slots, &logits)?;
        self.mark_seen(portion)
    }

    fn mark_seen(&mut self, portion: &[(&[u32], Vec<usize>)]) -> Attempt<()> {
        let Some(seen) = &mut self.seen else { return Ok(()) };
        let place = self.network.place;
        for (text, slots) in portion {
            let tokens = place.integers(&text.iter().map(|&token| i64::from(token)).collect::<Vec<_>>())?;
            for &slot in slots {
                let mut row = seen.f_select(0, slot as i64)?;
                let _ = row.f_zero_()?;
                let _ = row.f_index_fill_(0, &tokens, 1)?;
            }
        }
        Ok(())
    }

    /// Leaves out free slots when most are free and nobody waits for them.
    fn shrink(&mut self) -> Attempt<()> {
        let taken: Vec<usize> = (0..self.slots.len()).filter(|&slot| self.slots[slot].is_some()).collect();
        if 2 * taken.len() > self.slots.len() || self.slots.len() < 8 {
            return Ok(());
        }
        let place = self.network.place;
        let heads = self.network.config.num_key_value_heads;
        let blocks: Vec<i64> =
            taken.iter().flat_map(|&slot| (0..heads).map(move |head| (slot * heads + head) as i64)).collect();
        let blocks = place.integers(&blocks)?;
        let kept = place.integers(&taken.iter().map(|&slot| slot as i64).collect::<Vec<_>>())?;
        for block in self.cache.iter_mut().flatten() {
            *block = block.f_index_select(0, &blocks)?;
        }
        self.logits = self.logits.f_index_select(0, &kept)?;
        if let Some(seen) = &mut self.seen {
            *seen = seen.f_index_select(0, &kept)?;
        }
        let mut slots = std::mem::take(&mut self.slots);
        self.slots = taken.into_iter().map(|slot| slots[slot].take()).collect();
        Ok(())
    }

    /// Draws some tokens for every row, and looks at them.
    fn round(&mut self) -> Attempt<()> {
        let place = self.network.place;
        let most = self.slots.iter().flatten().map(|row| row.room).max().unwrap_or(0);
        let length = most.min(if place.device.is_cuda() { ROUND } else { 1 });
        let counts = |row: &Option<Row>| row.as_ref().map_or(0, |row| row.sampled.tokens.len());
        let uniforms: Vec<f64> = (0..length)
            .flat_map(|ahead| {
                let uniform = move |row: &Option<Row>| {
                    row.as_ref().map_or(0.0, |row| row.stream.uniform((row.sampled.tokens.len() + ahead) as u64))
                };
                self.slots.iter().map(uniform)
            })
            .collect();
        let slots = self.slots.len() as i64;
        let uniforms = Tensor::f_from_slice(&uniforms)?.f_to_device(place.device)?.f_view([length as i64, slots])?;
        let mut drawn_before = place.integers(&self.slots.iter().map(|row| counts(row) as i64).collect::<Vec<_>>())?;
        let next = |row: &Option<Row>| row.as_ref().map_or(0, |row| row.num_prompt + row.sampled.tokens.len());
        let mut positions = place.integers(&self.slots.iter().map(|row| next(row) as i64).collect::<Vec<_>>())?;
        let furthest = self.slots.iter().map(next).max().unwrap_or(0) as i64;
        let (mut tokens, mut logprobs) = (Vec::with_capacity(length), Vec::with_capacity(length));
        for ahead in 0..length {
            let uniforms = uniforms.f_select(0, ahead as i64)?;
            let drawn = self.drawing.draw(&self.logits, &uniforms, &drawn_before, self.seen.as_ref())?;
            if let Some(seen) = &mut self.seen {
                let _ = seen.f_scatter_value_(1, &drawn.tokens.f_unsqueeze(1)?, 1)?;
            }
            if ahead + 1 < most {
                self.logits = self.advance(&drawn.tokens, &positions, furthest + ahead as i64)?;
            }
            let _ = drawn_before.f_add_scalar_(1)?;
            let _ = positions.f_add_scalar_(1)?.f_clamp_max_(self.length - 1)?;
            tokens.push(drawn.tokens);
            logprobs.push(drawn.logprobs);
        }
        let rows = |columns: &[Tensor]| Tensor::f_stack(columns, 1)?.f_to_device(tch::Device::Cpu)?.f_contiguous();
        let tokens = rows(&tokens)?;
        let mut ids = vec![0_i64; tokens.numel()];
        tokens.f_copy_data(&mut ids, tokens.numel())?;
        let logprobs = to_host(&rows(&logprobs)?)?;
        for (slot, (ids, logprobs)) in self.slots.iter_mut().zip(ids.chunks(length).zip(logprobs.chunks(length))) {
            for (&id, &logprob) in ids.iter().zip(logprobs) {
                if let Some(row) = slot.as_mut().filter(|row| row.room > 0) {
                    let goes_on = row.sampled.push(id as u32, logprob, self.ends, self.params);
                    row.room = if goes_on { row.room - 1 } else { 0 };
                }
            }
        }
        Ok(())
    }

    /// Computes each slot's last token, and gives what follows it. `furthest` is the largest of the positions.
    fn advance(&mut self, tokens: &Tensor, positions: &Tensor, furthest: i64) -> Attempt<Tensor> {
        let Self { network, cache, is_adapted, .. } = self;
        let (config, place) = (&network.config, network.place);
        let length = ((furthest / CACHE_STEP + 1) * CACHE_STEP).min(self.length);
        let masks = Masks::new(positions, length, network)?;
        let rotations = network.rotations(positions)?;
        let heads = config.num_key_value_heads as i64;
        let (slots, width) = (tokens.size()[0], config.head_dim as i64);
        let blocks = Tensor::f_arange(slots * heads, (Kind::Int64, place.device))?;
        let at = positions.f_repeat_interleave_self_int(heads, None, None)?;
        let scale = f64::from(config.head_shape().scale);
        let mut stream = network.embed(tokens)?;
        for (index, layer) in network.layers.iter().enumerate() {
            let rotation = rotations.of_layer(index, config);
            let (queries, keys, values) = network.heads(layer, &stream, rotation, *is_adapted)?;
            for (block, new) in cache[index].iter_mut().zip([keys, values]) {
                let new = new.f_reshape([slots * heads, width])?;
                let _ = block.f_index_put_(&[Some(&blocks), Some(&at)], &new, false)?;
            }
            let [keys, values] = [&cache[index][0], &cache[index][1]].map(|block| block.f_narrow(1, 0, length));
            // The queries that share a head of keys are the rows of one product.
            let queries = queries.f_reshape([slots * heads, -1, width])?;
            let scores = queries.f_bmm(&keys?.f_transpose(1, 2)?)?.f_to_kind(Kind::Float)?.f_mul_scalar(scale)?;
            let scores = scores.f_add(masks.of_layer(index, config))?;
            let weights = place.cast(&scores.f_softmax(-1, Kind::Float)?)?;
            let attended = weights.f_bmm(&values?)?.f_reshape([slots, -1])?;
            stream = network.after_attention(layer, &stream, &attended, *is_adapted)?;
        }
        network.logits(&network.normed(&stream)?)
    }
}

/// What is added to scores: nothing for what a slot sees, and what makes the weight zero for the rest.
struct Masks {
    common: Tensor, // [slots * key heads, 1, length]
    local: Option<Tensor>,
}

impl Masks {
    fn new(positions: &Tensor, length: i64, network: &Network) -> Attempt<Self> {
        let place: Place = network.place;
        let heads = network.config.num_key_value_heads as i64;
        let columns = Tensor::f_arange(length, (Kind::Int64, place.device))?.f_unsqueeze(0)?;
        let last = positions.f_unsqueeze(1)?; // [slots, 1]
        let is_hidden = columns.f_gt_tensor(&last)?;
        let added = |is_hidden: &Tensor| {
            let zeros = Tensor::f_zeros(is_hidden.size(), (Kind::Float, place.device))?;
            let mask = zeros.f_masked_fill(is_hidden, f64::NEG_INFINITY)?;
            mask.f_repeat_interleave_self_int(heads, 0, None)?.f_unsqueeze(1)
        };
        let window = network.config.sliding_window.as_ref();
        let local = window.map(|window| {
            let is_past = columns.f_le_tensor(&last.f_sub_scalar(window.length as i64)?)?;
            added(&is_hidden.f_logical_or(&is_past)?)
        });
        Ok(Self { common: added(&is_hidden)?, local: local.transpose()? })
    }

    fn of_layer(&self, layer: usize, config: &crate::config::ModelConfig) -> &Tensor {
        match &self.local {
            Some(local) if config.window(layer).is_some() => local,
            _ => &self.common,
        }
    }
}
