//! The seam: what everyone who uses a language model may ask of it, whoever computes it.
//!
//! Training, evaluation, judging and the binary hold a [`LanguageModel`] that [`open`] or [`start`] gave them, and no type
//! of theirs says which engine that is: it is chosen by its name in [`EngineOptions`]. An operation of this interface is
//! one whole pass over a batch; what happens inside, such as how numbers are stored or cut into pieces, is the engine's
//! own affair. `docs/decisions/0009` weighs this against a seam of smaller operations.

use std::path::Path;

use crate::adapter::AdapterConfig;
use crate::config::ModelConfig;
use crate::ends::Ends;
use crate::generate::{Prompt, Sampled};
#[cfg(feature = "libtorch")]
use crate::libtorch;
use crate::model::Model;
use crate::sampler::SamplingParams;
use crate::trainer::{Activations, AdamW, Scores, Sequence, Trainer, Upstream};
use crate::weights::{LoadError, Precision, SaveError};

/// The engine of every build: this crate's own operations.
const CPU: &str = "cpu";

/// How a model is put to work.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineOptions {
    /// Who computes: one of [`engines`].
    pub engine: String,
    /// Train a fresh adapter beside frozen weights, in place of the weights.
    pub adapter: Option<AdapterConfig>,
    /// Give each scored token a value, and train the head that does. A head that is stored with the model is taken, else
    /// it begins at zero.
    pub value_head: bool,
    /// Keep what the model is now to compare with later. With an adapter this costs nothing: it is the model without it.
    pub reference: bool,
    /// What training keeps in memory, and what it computes again.
    pub activations: Activations,
    /// What completions are multiplied with. In bfloat16 a token reads half the bytes, and its log-probability is that of the
    /// model with its matrices rounded so: the same for a checkpoint that came in bfloat16, else a little apart from the scores
    /// (`docs/language-models.md` has figures). Engines other than the processor's ignore this.
    pub decoding: Precision,
    /// Where a fresh adapter's numbers come from.
    pub seed: u64,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            engine: CPU.to_owned(),
            adapter: None,
            value_head: false,
            reference: false,
            activations: Activations::default(),
            decoding: Precision::F32,
            seed: 0,
        }
    }
}

/// Why an engine did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Files could not be read, or do not belong together.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Files could not be written.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// This build has no such engine.
    #[error("there is no engine {name:?}, only {known:?}")]
    UnknownEngine {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// The engine does not do this.
    #[error("the engine {engine:?} has no {feature}")]
    Unsupported {
        /// Who.
        engine: &'static str,
        /// What was asked for.
        feature: String,
    },
    /// There is no adapter to save.
    #[error("the model has no adapter")]
    NoAdapter,
    /// There is nothing to compare with: it was not asked for when the model was opened.
    #[error("no reference is kept")]
    NoReference,
    /// The device failed, for example for lack of memory.
    #[error("{operation} failed: {reason}")]
    Device {
        /// What was done.
        operation: &'static str,
        /// What the device says.
        reason: String,
    },
}

impl EngineError {
    /// What the user can do about it, where we know.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Load(error) => error.hint(),
            Self::UnknownEngine { .. } => Some("other engines are features that the binary is built with"),
            Self::Device { .. } => Some("use smaller batches or shorter completions"),
            Self::Save(_) | Self::Unsupported { .. } | Self::NoAdapter | Self::NoReference => None,
        }
    }
}

/// A language model at work: it samples, it scores, and it learns.
///
/// Whoever gives tokens that are not in the vocabulary, empty prompts or derivatives of another shape than the scores has
/// made a mistake, and the operation panics. What the machine does wrong is an [`EngineError`].
pub trait LanguageModel: Send {
    /// The model's shape.
    fn config(&self) -> &ModelConfig;

    /// A hash of everything that decides what the model computes, on any engine: equal for equal numbers.
    ///
    /// # Errors
    /// If the device fails.
    fn weights_hash(&self) -> Result<String, EngineError>;

    /// Completes every prompt with the weights as they are now, until an end token or a stop string (no end token is drawn,
    /// and no stop string heeded, before there are `min_new_tokens`). `done` is given each completion, with the place of its
    /// prompt, as soon as it has ended, so that it can be rewarded while others are still being sampled.
    ///
    /// # Errors
    /// If the device fails.
    fn generate(
        &mut self,
        prompts: &[Prompt<'_>],
        ends: &Ends<'_>,
        params: &SamplingParams,
        done: &mut dyn FnMut(usize, Sampled),
    ) -> Result<(), EngineError>;

    /// Completes every prompt; results are in the order of the prompts.
    ///
    /// # Errors
    /// If the device fails.
    fn complete(
        &mut self,
        prompts: &[Prompt<'_>],
        ends: &Ends<'_>,
        params: &SamplingParams,
    ) -> Result<Vec<Sampled>, EngineError> {
        let mut results = vec![Sampled::default(); prompts.len()];
        self.generate(prompts, ends, params, &mut |index, sampled| results[index] = sampled)?;
        Ok(results)
    }

    /// Scores completions without touching the gradients.
    ///
    /// # Errors
    /// If the device fails.
    fn score(&mut self, batch: &[Sequence<'_>], temperature: f32) -> Result<Scores, EngineError>;

    /// Scores completions with the model as it was when it was opened, without values.
    ///
    /// # Errors
    /// If no reference is kept, or the device fails.
    fn score_reference(&mut self, batch: &[Sequence<'_>], temperature: f32) -> Result<Scores, EngineError>;

    /// Scores completions, asks `upstream` once for the derivatives of the loss, and adds the gradient of the loss.
    ///
    /// # Errors
    /// If the device fails; the gradients are then undefined until they are zeroed.
    fn accumulate(
        &mut self,
        batch: &[Sequence<'_>],
        temperature: f32,
        upstream: &mut dyn FnMut(&Scores) -> Upstream,
    ) -> Result<Scores, EngineError>;

    /// Forgets the gradients.
    fn zero_gradients(&mut self);

    /// The gradient of one trained tensor by its name in the checkpoint, rows first; nothing for a tensor that is not
    /// trained. For those who check an engine.
    ///
    /// # Errors
    /// If the device fails.
    fn gradient(&self, name: &str) -> Result<Option<Vec<f32>>, EngineError>;

    /// Makes one update and gives the norm of all gradients before clipping. The gradients stay as they are. If the norm
    /// is not finite nothing changes.
    ///
    /// # Errors
    /// If the device fails.
    fn step(&mut self, settings: &AdamW) -> Result<f32, EngineError>;

    /// Writes the model in Hugging Face layout as one that computes the same without an adapter, and the value head, if
    /// there is one, beside it.
    ///
    /// # Errors
    /// If a file cannot be written.
    fn save_model(&self, folder: &Path, precision: Precision) -> Result<(), EngineError>;

    /// Writes the adapter in the layout of PEFT.
    ///
    /// # Errors
    /// If there is no adapter, or a file cannot be written.
    fn save_adapter(&self, folder: &Path) -> Result<(), EngineError>;

    /// Writes exactly what training changes: weights or the adapter alone, the value head, and the optimiser's state.
    ///
    /// # Errors
    /// If a file cannot be written.
    fn save_checkpoint(&self, folder: &Path) -> Result<(), EngineError>;

    /// Goes back to what [`LanguageModel::save_checkpoint`] wrote, by any engine; the reference stays what it is. On an
    /// error the model is as before.
    ///
    /// # Errors
    /// If a file is missing, broken, or belongs to another model or adapter.
    fn load_checkpoint(&mut self, folder: &Path) -> Result<(), EngineError>;
}

/// The names of the engines of this build.
pub fn engines() -> Vec<&'static str> {
    #[cfg(feature = "libtorch")]
    return std::iter::once(CPU).chain(libtorch::names()).collect();
    #[cfg(not(feature = "libtorch"))]
    vec![CPU]
}

/// Puts the checkpoint of a folder in Hugging Face layout to work.
///
/// # Errors
/// If the folder does not hold a model that this crate computes, or the engine is unknown or cannot start.
pub fn open(folder: &Path, options: &EngineOptions) -> Result<Box<dyn LanguageModel>, EngineError> {
    start(Model::load(folder)?, options)
}

/// Puts a model to work.
///
/// # Errors
/// If the engine is unknown or cannot start.
///
/// # Panics
/// If the adapter's configuration is not valid.
pub fn start(model: Model, options: &EngineOptions) -> Result<Box<dyn LanguageModel>, EngineError> {
    #[cfg(feature = "libtorch")]
    if let Some(engine) = libtorch::start(&model, options) {
        return Ok(Box::new(engine?));
    }
    match options.engine.as_str() {
        CPU => Ok(Box::new(Trainer::start(model, options))),
        name => Err(EngineError::UnknownEngine { name: name.to_owned(), known: engines() }),
    }
}
