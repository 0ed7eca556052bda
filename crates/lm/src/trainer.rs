//! Scores and gradients: what a training loop asks of the model.
//!
//! A loss reaches the network only through the log-probability and the entropy of each completion token, so the loop
//! gives two derivatives per token and needs to know nothing else about the network.

use std::path::Path;

use crate::adapter::Adapter;
use crate::backward::Gradients;
use crate::config::ModelConfig;
use crate::decoder::{Decoder, PackedBatch, Retention, ScoredToken, Workspace};
use crate::kernels::optimizer::{self, UpdateFactors};
use crate::model::Model;
use crate::transposed::TransposedWeights;
use crate::weights::{LoadError, Outgoing, Precision, SaveError, WeightFile, write_tensors};

/// Rows per pass when only scores are wanted: enough for full speed, little enough to stay in cache.
const SCORE_ROWS: usize = 2048;
/// The note in a state file that holds the number of updates.
const STEPS_NOTE: &str = "steps";
const FIRST_MOMENT: &str = "first_moment";
const SECOND_MOMENT: &str = "second_moment";

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
}

/// The derivatives of a loss by [`Scores`], in the same shape.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Upstream {
    /// By each log-probability.
    pub logprobs: Vec<Vec<f32>>,
    /// By each entropy; left empty, all are zero.
    pub entropies: Vec<Vec<f32>>,
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
pub struct Trainer {
    model: Model,
    // Of what is trained, in its layout.
    gradients: Vec<f32>,
    first_moment: Vec<f32>,
    second_moment: Vec<f32>,
    num_steps: u32,
    activations: Activations,
    /// Of the model as it is now, if activations are kept.
    transposed: Option<TransposedWeights>,
    workspace: Workspace,
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
        let statistics = decoder.score(&packed, temperature, workspace);
        scores.extend(portion, statistics);
    }
    scores
}

fn assert_temperature(temperature: f32) {
    assert!(temperature.is_finite() && temperature > 0.0, "a temperature of {temperature} is finite and above zero");
}

/// Scores completions with a model that is not in training, such as a frozen reference.
///
/// # Panics
/// As [`Trainer::score`].
pub fn score(model: &Model, batch: &[Sequence<'_>], temperature: f32) -> Scores {
    let decoder = Decoder::new(model, None, model.adapter());
    score_with(&decoder, batch, temperature, &mut Workspace::default())
}

impl Scores {
    fn extend(&mut self, batch: &[Sequence<'_>], statistics: &[crate::kernels::head::RowStatistics]) {
        let mut rest = statistics;
        for sequence in batch {
            let (own, remaining) = rest.split_at(sequence.tokens.len() - sequence.num_prompt);
            rest = remaining;
            self.logprobs.push(own.iter().map(|row| row.logprob).collect());
            self.entropies.push(own.iter().map(|row| row.entropy).collect());
        }
    }
}

impl Upstream {
    /// One pair of derivatives per scored token, checked against the batch.
    fn flatten(&self, batch: &[Sequence<'_>]) -> Vec<[f32; 2]> {
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
}

impl Trainer {
    /// Starts training with gradients and moments of zero; activations are kept.
    pub fn new(model: Model) -> Self {
        Self::with_activations(model, Activations::Keep)
    }

    /// [`Trainer::new`], with a choice between memory and time.
    pub fn with_activations(model: Model, activations: Activations) -> Self {
        let count = model.trained().len();
        Self {
            transposed: (activations == Activations::Keep).then(|| TransposedWeights::new(&model)),
            activations,
            model,
            gradients: vec![0.0; count],
            first_moment: vec![0.0; count],
            second_moment: vec![0.0; count],
            num_steps: 0,
            workspace: Workspace::default(),
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
        score_with(&decoder, batch, temperature, &mut self.workspace)
    }

    /// Scores completions with the adapter turned off, if there is one: the model that training began with is its own
    /// reference, at no cost in memory.
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
        let decoder = Decoder::new(&self.model, self.transposed.as_ref(), self.model.adapter());
        let packed = pack(batch, self.model.config());
        let retention = match self.activations {
            Activations::Keep => Retention::EveryLayer,
            Activations::Recompute => Retention::Inputs,
        };
        decoder.forward(&packed, retention, &mut self.workspace, |_, _| {});
        let mut scores = Scores::default();
        scores.extend(batch, decoder.score(&packed, temperature, &mut self.workspace));
        let d_scores = upstream(&scores).flatten(batch);
        if !d_scores.is_empty() {
            let mut gradients = match self.model.adapter() {
                Some(adapter) => Gradients::Adapter(adapter.gradients(&mut self.gradients)),
                None => Gradients::Weights(self.model.layout().gradients(&mut self.gradients)),
            };
            decoder.backward(&packed, temperature, &d_scores, &mut self.workspace, &mut gradients);
        }
        scores
    }

    /// Forgets the gradients.
    pub fn zero_gradients(&mut self) {
        self.gradients.fill(0.0);
    }

    /// The Euclidean norm of all gradients together.
    pub fn gradient_norm(&self) -> f32 {
        optimizer::norm(&self.gradients)
    }

    /// Number of parameters that are trained.
    pub fn num_trained(&self) -> usize {
        self.gradients.len()
    }

    /// The gradient of one trained tensor by its name in the checkpoint, rows first.
    pub fn gradient(&self, name: &str) -> Option<&[f32]> {
        let slots = self.model.adapter().map_or(self.model.layout().slots(), Adapter::slots);
        let slot = slots.iter().find(|slot| slot.name == name)?;
        Some(&self.gradients[slot.range.clone()])
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
        let (first, second) = (&mut self.first_moment, &mut self.second_moment);
        let frozen = self.model.adapter().is_some();
        // All of an adapter's tensors are matrices.
        let decayed = if frozen { self.gradients.len() } else { self.model.layout().num_decayed() };
        optimizer::adamw(self.model.trained_mut(), &self.gradients, first, second, decayed, factors);
        if let Some(transposed) = self.transposed.as_mut().filter(|_| !frozen) {
            transposed.update(&self.model);
        }
        norm
    }

    /// Writes moments and step count, exactly; the file appears whole or not at all. What is trained is saved on its own
    /// ([`Model::save`], in [`Precision::F32`] if training is to go on to the bit, or [`Adapter::save`]).
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save_state(&self, path: &Path) -> Result<(), SaveError> {
        let shape = [self.first_moment.len()];
        let tensors = [
            Outgoing { name: FIRST_MOMENT, shape: &shape, numbers: &self.first_moment },
            Outgoing { name: SECOND_MOMENT, shape: &shape, numbers: &self.second_moment },
        ];
        write_tensors(path, &tensors, &[(STEPS_NOTE, &self.num_steps.to_string())], Precision::F32)
    }

    /// Reads what [`Trainer::save_state`] wrote. On an error the trainer is as before.
    ///
    /// # Errors
    /// If the file is missing, broken or belongs to a model of another shape.
    pub fn load_state(&mut self, path: &Path) -> Result<(), LoadError> {
        let mut file = WeightFile::open(path)?;
        let missing = || LoadError::MissingTensor { path: path.to_owned(), name: STEPS_NOTE.to_owned() };
        let num_steps = file.note(STEPS_NOTE).and_then(|steps| steps.parse().ok()).ok_or_else(missing)?;
        let count = self.gradients.len();
        let mut moments = [FIRST_MOMENT, SECOND_MOMENT].map(|name| (name, Vec::new()));
        for (name, moment) in &mut moments {
            file.describe(name, &[count])?;
            moment.resize(count, 0.0);
            file.read(name, moment)?;
        }
        let [(_, first), (_, second)] = moments;
        (self.first_moment, self.second_moment, self.num_steps) = (first, second, num_steps);
        Ok(())
    }
}
