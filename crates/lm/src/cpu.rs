//! The engine of this crate's own operations, behind the interface that all engines have.

use std::path::Path;

use crate::adapter::Adapter;
use crate::checkpoint::STATE_FILE;
use crate::config::ModelConfig;
use crate::ends::Ends;
use crate::generate::{self, Prompt, Sampled};
use crate::language_model::{EngineError, EngineOptions, LanguageModel};
use crate::model::Model;
use crate::sampler::SamplingParams;
use crate::trainer::{AdamW, Scores, Sequence, Trainer, Upstream};
use crate::value_head::ValueHead;
use crate::weights::Precision;

impl Trainer {
    /// Puts a model to work as the options say.
    pub(crate) fn start(model: Model, options: &EngineOptions) -> Self {
        let head = model.value_head().cloned().unwrap_or_else(|| ValueHead::zero(model.config().hidden_size));
        let mut model = model.with_value_head(options.value_head.then_some(head));
        if let Some(config) = &options.adapter {
            let adapter = Adapter::init(config.clone(), model.config(), options.seed);
            model = model.with_adapter(adapter);
        }
        let mut trainer = Self::with_activations(model, options.activations);
        trainer.decode_in(options.decoding);
        if options.reference {
            trainer.freeze();
        }
        trainer
    }
}

impl LanguageModel for Trainer {
    fn config(&self) -> &ModelConfig {
        self.model().config()
    }

    fn weights_hash(&self) -> Result<String, EngineError> {
        Ok(self.model().weights_hash())
    }

    fn generate(
        &mut self,
        prompts: &[Prompt<'_>],
        ends: &Ends<'_>,
        params: &SamplingParams,
        done: &mut dyn FnMut(usize, Sampled),
    ) -> Result<(), EngineError> {
        self.with_decoder(|decoder| generate::complete(decoder, prompts, ends, params, done));
        Ok(())
    }

    fn score(&mut self, batch: &[Sequence<'_>], temperature: f32) -> Result<Scores, EngineError> {
        Ok(Self::score(self, batch, temperature))
    }

    fn score_reference(&mut self, batch: &[Sequence<'_>], temperature: f32) -> Result<Scores, EngineError> {
        self.score_frozen(batch, temperature).ok_or(EngineError::NoReference)
    }

    fn accumulate(
        &mut self,
        batch: &[Sequence<'_>],
        temperature: f32,
        upstream: &mut dyn FnMut(&Scores) -> Upstream,
    ) -> Result<Scores, EngineError> {
        Ok(Self::accumulate(self, batch, temperature, upstream))
    }

    fn zero_gradients(&mut self) {
        Self::zero_gradients(self);
    }

    fn gradient(&self, name: &str) -> Result<Option<Vec<f32>>, EngineError> {
        Ok(Self::gradient(self, name).map(<[f32]>::to_vec))
    }

    fn step(&mut self, settings: &AdamW) -> Result<f32, EngineError> {
        Ok(Self::step(self, settings))
    }

    fn save_model(&self, folder: &Path, precision: Precision) -> Result<(), EngineError> {
        Ok(self.model().save(folder, precision)?)
    }

    fn save_adapter(&self, folder: &Path) -> Result<(), EngineError> {
        let adapter = self.model().adapter().ok_or(EngineError::NoAdapter)?;
        Ok(adapter.save(folder)?)
    }

    fn save_checkpoint(&self, folder: &Path) -> Result<(), EngineError> {
        self.model().save_trained(folder)?;
        Ok(self.save_state(&folder.join(STATE_FILE))?)
    }

    fn load_checkpoint(&mut self, folder: &Path) -> Result<(), EngineError> {
        Ok(self.load(folder)?)
    }
}
