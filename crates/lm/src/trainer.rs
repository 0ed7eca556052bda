//! Scores and gradients: what a training loop asks of the model.
//!
//! A loss reaches the network only through the log-probability, the entropy and the value of each completion token, so the
//! loop gives up to three derivatives per token and needs to know nothing else about the network.

use std::path::Path;

use crate::adapter::Adapter;
use crate::backward::Gradients;
use crate::checkpoint::{Checkpoint, TrainingState, read_state, write_state};
use crate::config::ModelConfig;
use crate::decoder::{Decoder, HeadRecord, PackedBatch, Retention, ScoredToken, Workspace};
use crate::kernels::optimizer::{self, UpdateFactors};
use crate::model::Model;
use crate::rounded::RoundedWeights;
use crate::transposed::TransposedWeights;
use crate::value_head::{self, ValueBackward};
use crate::weights::{LoadError, Precision, SaveError};

/// Rows per pass when only scores are wanted: enough for full speed, little enough to stay in cache.
pub(crate) const SCORE_ROWS: usize = 2048;

/// Prompt and completion of one rollout.
///
/// Tokens from `num_prompt` on are scored, each from the hidden state of the token before it.
#[derive(Debug, Clone, Copy)]
pub struct Sequence<'a> {
    /// Prompt, then completion.
    pub tokens: &'a [u32],
    /// How many of them are not scored; at least one, as the first token has nothing before it.
    pub num_prompt: usize,
}

/// What the model thinks of the completions of a batch: per sequence, per completion token.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scores {
    /// Natural logarithm of the token's probability at the temperature asked for.
    pub logprobs: Vec<Vec<f32>>,
    /// Entropy in nats of the distribution the token was drawn from.
    pub entropies: Vec<Vec<f32>>,
    /// What the value head says of the state in which the token was drawn; empty without one.
    pub values: Vec<Vec<f32>>,
}

/// The derivatives of a loss by [`Scores`], in the same shape.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Upstream {
    /// By each log-probability.
    pub logprobs: Vec<Vec<f32>>,
    /// By each entropy; left empty, all are zero.
    pub entropies: Vec<Vec<f32>>,
    /// By each value; left empty, all are zero.
    pub values: Vec<Vec<f32>>,
}

/// The constants of an AdamW update (Loshchilov and Hutter 2019).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Learning rate.
    pub lr: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub eps: f32,
    /// Decay of weights per unit of learning rate; biases and norms are exempt.
    pub weight_decay: f32,
    /// Gradients whose norm is larger are scaled down to it. Infinity turns this off.
    pub max_grad_norm: f32,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { lr: 1e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0, max_grad_norm: 1.0 }
    }
}

/// What a [`Trainer`] keeps in memory and what it computes again. Results are the same to the bit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Activations {
    /// Keeps whatever the backward pass reads of the forward pass, and a copy of all matrices in the layout that the
    /// forward pass is fastest with.
    #[default]
    Keep,
    /// Keeps the input of each decoder layer and computes the rest of the layer again: a fourth to a third more time, and
    /// a small part of the memory.
    Recompute,
}

/// A model in training: its gradients, its optimiser state, and buffers that are reused from batch to batch.
///
/// If the model has an adapter, that is what is trained: all else stays as it is, to the bit, and nothing is kept for it.
/// A value head is trained along with either.
pub struct Trainer {
    model: Model,
    /// Of the weights or the adapter, in its layout.
    learning: Learning,
    /// Of the value head, if there is one.
    value_learning: Option<Learning>,
    num_steps: u32,
    activations: Activations,
    /// Of the model as it is now, if activations are kept.
    transposed: Option<TransposedWeights>,
    /// Of the matrices that completions come from.
    decoding: Precision,
    /// Those in bfloat16, as long as the weights stay what they are.
    rounded: Option<RoundedWeights>,
    workspace: Workspace,
    /// What [`Trainer::score_frozen`] scores with.
    frozen: Option<Model>,
}

/// What training keeps for each of some parameters. Memory that is never written to costs nothing.
struct Learning {
    gradients: Vec<f32>,
    first_moment: Vec<f32>,
    second_moment: Vec<f32>,
}

impl Learning {
    fn new(count: usize) -> Self {
        Self { gradients: vec![0.0; count], first_moment: vec![0.0; count], second_moment: vec![0.0; count] }
    }

    fn moments(&self) -> [&[f32]; 2] {
        [&self.first_moment, &self.second_moment]
    }

    /// The gradients stay.
    fn take_moments(&mut self, moments: [Vec<f32>; 2]) {
        [self.first_moment, self.second_moment] = moments;
    }

    fn update(&mut self, parameters: &mut [f32], decayed: usize, factors: UpdateFactors) {
        optimizer::adamw(
            parameters,
            &self.gradients,
            &mut self.first_moment,
            &mut self.second_moment,
            decayed,
            factors,
        );
    }
}

/// Packs sequences. The last token of each predicts nothing, so it is not computed.
fn pack(batch: &[Sequence<'_>], config: &ModelConfig) -> PackedBatch {
    let mut packed = PackedBatch::default();
    for sequence in batch {
        let length = sequence.tokens.len();
        assert!(
            (1..=length).contains(&sequence.num_prompt),
            "a prompt of {} tokens in a sequence of {length}",
            sequence.num_prompt
        );
        let vocab_size = config.vocab_size;
        let last = sequence.tokens[length - 1];
        assert!((last as usize) < vocab_size, "token {last} is in the vocabulary of {vocab_size}");
        let rows = packed.push(&sequence.tokens[..length - 1], config);
        packed.scored.extend(
            (sequence.num_prompt..length)
                .map(|position| ScoredToken { row: rows.start + position - 1, token: sequence.tokens[position] }),
        );
    }
    packed
}

/// Ranges of sequences of about [`SCORE_ROWS`] rows each.
fn portions<'a, 'b>(batch: &'a [Sequence<'b>]) -> impl Iterator<Item = &'a [Sequence<'b>]> {
    let mut rest = batch;
    std::iter::from_fn(move || {
        let mut rows = 0;
        let fitting = rest.iter().take_while(|sequence| {
            rows += sequence.tokens.len();
            rows <= SCORE_ROWS
        });
        // A sequence that is longer than a portion gets its own.
        let count = fitting.count().max(1).min(rest.len());
        let (portion, remaining) = rest.split_at(count);
        rest = remaining;
        (!portion.is_empty()).then_some(portion)
    })
}

fn score_with(decoder: &Decoder<'_>, batch: &[Sequence<'_>], temperature: f32, workspace: &mut Workspace) -> Scores {
    assert_temperature(temperature);
    let mut scores = Scores::default();
    for portion in portions(batch) {
        let packed = pack(portion, decoder.config);
        decoder.forward(&packed, Retention::Nothing, workspace, |_, _| {});
        scores.extend(portion, decoder.score(&packed, temperature, workspace));
    }
    scores
}

pub(crate) fn assert_temperature(temperature: f32) {
    assert!(temperature.is_finite() && temperature > 0.0, "a temperature of {temperature} is finite and above zero");
}

/// Scores completions with a model that is not in training, such as a frozen reference.
///
/// # Panics
/// As [`Trainer::score`].
pub fn score(model: &Model, batch: &[Sequence<'_>], temperature: f32) -> Scores {
    let decoder = Decoder::new(model, None, model.adapter()).with_values(model.value_head());
    score_with(&decoder, batch, temperature, &mut Workspace::default())
}

impl Scores {
    fn extend(&mut self, batch: &[Sequence<'_>], record: &HeadRecord) {
        let mut start = 0;
        for sequence in batch {
            let own = start..start + sequence.tokens.len() - sequence.num_prompt;
            start = own.end;
            let statistics = &record.statistics[own.clone()];
            self.logprobs.push(statistics.iter().map(|row| row.logprob).collect());
            self.entropies.push(statistics.iter().map(|row| row.entropy).collect());
            if let Some(values) = record.values.get(own) {
                self.values.push(values.to_vec());
            }
        }
    }
}

impl Upstream {
    /// One pair of derivatives per scored token, checked against the batch.
    pub(crate) fn flatten(&self, batch: &[Sequence<'_>]) -> Vec<[f32; 2]> {
        assert_eq!(self.logprobs.len(), batch.len(), "derivatives for each sequence");
        assert!(self.entropies.is_empty() || self.entropies.len() == batch.len(), "derivatives for each sequence");
        let mut pairs = Vec::new();
        for (index, sequence) in batch.iter().enumerate() {
            let count = sequence.tokens.len() - sequence.num_prompt;
            let logprobs = &self.logprobs[index];
            assert_eq!(logprobs.len(), count, "a derivative for each token of sequence {index}");
            if let Some(entropies) = self.entropies.get(index) {
                assert_eq!(entropies.len(), count, "a derivative for each token of sequence {index}");
                pairs.extend(logprobs.iter().zip(entropies).map(|(&logprob, &entropy)| [logprob, entropy]));
            } else {
                pairs.extend(logprobs.iter().map(|&logprob| [logprob, 0.0]));
            }
        }
        pairs
    }

    /// One derivative per value, checked against the batch; nothing where all are zero.
    pub(crate) fn flatten_values(&self, batch: &[Sequence<'_>], has_head: bool) -> Vec<f32> {
        if self.values.is_empty() {
            return Vec::new();
        }
        assert!(has_head, "derivatives by values of a model with a value head");
        assert_eq!(self.values.len(), batch.len(), "derivatives for each sequence");
        for (index, (sequence, values)) in batch.iter().zip(&self.values).enumerate() {
            let count = sequence.tokens.len() - sequence.num_prompt;
            assert_eq!(values.len(), count, "a derivative for each token of sequence {index}");
        }
        self.values.concat()
    }
}

impl Trainer {
    /// Starts training with gradients and moments of zero; activations are kept.
    pub fn new(model: Model) -> Self {
        Self::with_activations(model, Activations::Keep)
    }

    /// [`Trainer::new`], with a choice between memory and time.
    pub fn with_activations(model: Model, activations: Activations) -> Self {
        Self {
            transposed: (activations == Activations::Keep).then(|| TransposedWeights::new(&model)),
            activations,
            decoding: Precision::F32,
            rounded: None,
            learning: Learning::new(model.trained().len()),
            value_learning: model.value_head().map(|head| Learning::new(head.parameters().len())),
            model,
            num_steps: 0,
            workspace: Workspace::default(),
            frozen: None,
        }
    }

    /// Keeps the model as it is now for [`Trainer::score_frozen`]. With an adapter nothing needs to be kept.
    pub fn freeze(&mut self) {
        if self.model.adapter().is_none() {
            self.frozen = Some(self.model.clone());
        }
    }

    /// The model as it is now.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Ends training.
    pub fn into_model(self) -> Model {
        self.model
    }

    /// How many updates were made.
    pub fn num_steps(&self) -> u32 {
        self.num_steps
    }

    /// Scores completions without touching the gradients.
    ///
    /// # Panics
    /// If a prompt is empty or longer than its sequence, a token is not in the vocabulary, a sequence is longer than the
    /// model's positions plus one, or the temperature is not above zero.
    pub fn score(&mut self, batch: &[Sequence<'_>], temperature: f32) -> Scores {
        let decoder = Decoder::new(&self.model, self.transposed.as_ref(), self.model.adapter());
        let decoder = decoder.with_values(self.model.value_head());
        score_with(&decoder, batch, temperature, &mut self.workspace)
    }

    /// Scores completions with the model as it was frozen, which for an adapter is the model without it; nothing if it
    /// was not.
    ///
    /// # Panics
    /// As [`Trainer::score`].
    pub fn score_frozen(&mut self, batch: &[Sequence<'_>], temperature: f32) -> Option<Scores> {
        if self.model.adapter().is_some() {
            return Some(self.score_base(batch, temperature));
        }
        let decoder = Decoder::new(self.frozen.as_ref()?, None, None);
        Some(score_with(&decoder, batch, temperature, &mut self.workspace))
    }

    /// Scores completions with the adapter turned off, if there is one: the model that training began with is its own
    /// reference, at no cost in memory. There are no values.
    ///
    /// # Panics
    /// As [`Trainer::score`].
    pub fn score_base(&mut self, batch: &[Sequence<'_>], temperature: f32) -> Scores {
        let decoder = Decoder::new(&self.model, self.transposed.as_ref(), None);
        score_with(&decoder, batch, temperature, &mut self.workspace)
    }

    /// Scores completions, asks `upstream` for the derivatives of the loss, and adds the gradient of the loss.
    ///
    /// # Panics
    /// As [`Trainer::score`], and if the derivatives do not have the shape of the scores.
    pub fn accumulate(
        &mut self,
        batch: &[Sequence<'_>],
        temperature: f32,
        upstream: impl FnOnce(&Scores) -> Upstream,
    ) -> Scores {
        assert_temperature(temperature);
        let head = self.model.value_head();
        let decoder = Decoder::new(&self.model, self.transposed.as_ref(), self.model.adapter()).with_values(head);
        let packed = pack(batch, self.model.config());
        let retention = match self.activations {
            Activations::Keep => Retention::EveryLayer,
            Activations::Recompute => Retention::Inputs,
        };
        decoder.forward(&packed, retention, &mut self.workspace, |_, _| {});
        let mut scores = Scores::default();
        scores.extend(batch, decoder.score(&packed, temperature, &mut self.workspace));
        let upstream = upstream(&scores);
        let (d_scores, d_values) = (upstream.flatten(batch), upstream.flatten_values(batch, head.is_some()));
        if !d_scores.is_empty() {
            let trained = &mut self.learning.gradients;
            let mut gradients = match self.model.adapter() {
                Some(adapter) => Gradients::Adapter(adapter.gradients(trained)),
                None => Gradients::Weights(self.model.layout().gradients(trained)),
            };
            let value = head.zip(self.value_learning.as_mut()).filter(|_| !d_values.is_empty());
            let value = value.map(|(head, learning)| ValueBackward {
                head,
                d_values: &d_values,
                gradient: &mut learning.gradients,
            });
            decoder.backward(&packed, temperature, &d_scores, value, &mut self.workspace, &mut gradients);
        }
        scores
    }

    /// Forgets the gradients.
    pub fn zero_gradients(&mut self) {
        for learning in [Some(&mut self.learning), self.value_learning.as_mut()].into_iter().flatten() {
            learning.gradients.fill(0.0);
        }
    }

    /// The Euclidean norm of all gradients together.
    pub fn gradient_norm(&self) -> f32 {
        let norm = optimizer::norm(&self.learning.gradients);
        match &self.value_learning {
            None => norm,
            Some(learning) => f64::from(norm).hypot(f64::from(optimizer::norm(&learning.gradients))) as f32,
        }
    }

    /// Number of parameters that are trained.
    pub fn num_trained(&self) -> usize {
        self.learning.gradients.len() + self.value_learning.as_ref().map_or(0, |learning| learning.gradients.len())
    }

    /// The gradient of one trained tensor by its name in the checkpoint, rows first.
    pub fn gradient(&self, name: &str) -> Option<&[f32]> {
        if let Some(learning) = &self.value_learning {
            let (weight, bias) = learning.gradients.split_at(self.model.config().hidden_size);
            match name {
                value_head::WEIGHT => return Some(weight),
                value_head::BIAS => return Some(bias),
                _ => {}
            }
        }
        let slots = self.model.adapter().map_or(self.model.layout().slots(), Adapter::slots);
        let slot = slots.iter().find(|slot| slot.name == name)?;
        Some(&self.learning.gradients[slot.range.clone()])
    }

    /// Makes one update and returns the gradient norm before clipping. The gradients stay as they are.
    ///
    /// If the norm is not finite nothing changes: neither weights nor moments nor the number of steps.
    pub fn step(&mut self, settings: &AdamW) -> f32 {
        let norm = self.gradient_norm();
        if !norm.is_finite() {
            return norm;
        }
        self.num_steps += 1;
        // In double precision, as one minus a power close to one loses digits.
        let correction = |beta: f32| 1.0 - f64::from(beta).powi(self.num_steps as i32);
        let factors = UpdateFactors {
            beta1: settings.beta1,
            beta2: settings.beta2,
            eps: settings.eps,
            gradient_scale: if norm > settings.max_grad_norm { settings.max_grad_norm / norm } else { 1.0 },
            step_size: (f64::from(settings.lr) / correction(settings.beta1)) as f32,
            root_correction: (1.0 / correction(settings.beta2).sqrt()) as f32,
            retention: 1.0 - settings.lr * settings.weight_decay,
        };
        let frozen = self.model.adapter().is_some();
        // All of an adapter's tensors are matrices.
        let decayed = if frozen { self.learning.gradients.len() } else { self.model.layout().num_decayed() };
        self.learning.update(self.model.trained_mut(), decayed, factors);
        if let (Some(learning), Some(head)) = (&mut self.value_learning, self.model.value_head_mut()) {
            let decayed = head.weight().len();
            learning.update(head.parameters_mut(), decayed, factors);
        }
        self.rounded = None;
        if let Some(transposed) = self.transposed.as_mut().filter(|_| !frozen) {
            transposed.update(&self.model);
        }
        norm
    }

    /// Decodes with matrices in a precision.
    pub(crate) fn decode_in(&mut self, precision: Precision) {
        self.decoding = precision;
    }

    /// Runs something with the decoder that completions come from.
    pub(crate) fn with_decoder<T>(&mut self, run: impl FnOnce(&Decoder<'_>) -> T) -> T {
        // An adapter is merged into the copy of the matrices: then a token costs as much as without it.
        match (self.decoding, &self.transposed) {
            (Precision::Bf16, _) => {
                let rounded = self.rounded.get_or_insert_with(|| RoundedWeights::merged(&self.model));
                run(&Decoder::rounded(&self.model, rounded))
            }
            (Precision::F32, Some(transposed)) if self.model.adapter().is_none() => {
                run(&Decoder::new(&self.model, Some(transposed), None))
            }
            (Precision::F32, _) => {
                let merged = TransposedWeights::merged(&self.model);
                run(&Decoder::new(&self.model, Some(&merged), None))
            }
        }
    }

    /// Goes back to what a folder holds: weights or the adapter, the value head, and the state in a file beside them. On an
    /// error the trainer is as before.
    pub(crate) fn load(&mut self, folder: &Path) -> Result<(), LoadError> {
        let Checkpoint { model, adapter, value_head, state } = Checkpoint::read(&self.model, folder)?;
        self.rounded = None;
        if let Some(adapter) = adapter {
            self.model.replace_adapter(adapter);
        }
        if let Some(model) = model {
            self.model = model;
            if let Some(transposed) = &mut self.transposed {
                transposed.update(&self.model);
            }
        }
        self.model.replace_value_head(value_head);
        self.take_state(state);
        Ok(())
    }

    fn take_state(&mut self, state: TrainingState) {
        self.learning.take_moments(state.moments);
        if let (Some(own), Some(moments)) = (&mut self.value_learning, state.value_moments) {
            own.take_moments(moments);
        }
        self.num_steps = state.num_steps;
    }

    /// Writes moments and step count, exactly; the file appears whole or not at all. What is trained is saved on its own
    /// ([`Model::save`], in [`Precision::F32`](crate::Precision::F32) if training is to go on to the bit, or
    /// [`Adapter::save`]).
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save_state(&self, path: &Path) -> Result<(), SaveError> {
        let value_moments = self.value_learning.as_ref().map(Learning::moments);
        let state = TrainingState { num_steps: self.num_steps, moments: self.learning.moments(), value_moments };
        write_state(path, &self.model, &state)
    }

    /// Reads what [`Trainer::save_state`] wrote. On an error the trainer is as before.
    ///
    /// # Errors
    /// If the file is missing, broken or belongs to a model of another shape.
    pub fn load_state(&mut self, path: &Path) -> Result<(), LoadError> {
        let state = read_state(path, &self.model)?;
        self.take_state(state);
        Ok(())
    }
}
