//! The engine of libtorch, on the processor and on a graphics card, behind the interface that all engines have.
//!
//! `docs/decisions/0010` says which libtorch and why. The tape goes from the last norm back to the embedding; the head, where the
//! memory of a vocabulary's logits would be, has its way back in closed form ([`head`]). On a card, matrices are multiplied in
//! bfloat16 and updated in single precision.
//!
//! Numbers are not those of the processor's engine to the bit, and on a card not always those of the run before: some of
//! libtorch's sums have no fixed order there.

mod batch;
mod decode;
mod device;
mod draw;
mod head;
mod network;
mod parameters;

use std::path::Path;

use tch::{Kind, Tensor, no_grad};

use self::batch::ScoredRows;
pub(crate) use self::device::names;
use self::device::{Attempt, Place, failed, to_host};
use self::head::Derivatives;
use self::network::Network;
use self::parameters::{Leaf, Parameters, Update};
use crate::adapter::Adapter;
use crate::checkpoint::{Checkpoint, STATE_FILE, TrainingState, write_state};
use crate::config::ModelConfig;
use crate::ends::Ends;
use crate::generate::{Prompt, Sampled};
use crate::language_model::{EngineError, EngineOptions, LanguageModel};
use crate::model::Model;
use crate::sampler::SamplingParams;
use crate::trainer::{AdamW, Scores, Sequence, Upstream, assert_temperature};
use crate::value_head::{self, ValueHead};
use crate::weights::Precision;

/// Rows per pass when only scores are wanted.
const SCORE_ROWS: usize = 16_384;

/// A model at work on libtorch.
pub(crate) struct Libtorch {
    place: Place,
    /// What the device began with. What is trained is taken from the device before it is used.
    host: Model,
    base: Parameters,
    adapter: Option<Parameters>,
    value_head: Option<Parameters>,
    network: Network,
    /// The tensors that are trained and that the tape reaches: of the adapter, or, without one, of the network.
    leaves: Vec<Leaf>,
    /// The model as it was when it was opened, where that has to be kept.
    frozen: Option<Network>,
    keeps_reference: bool,
    num_steps: u32,
}

/// Puts a model to work, if the engine's name is one of libtorch's.
pub(crate) fn start(model: &Model, options: &EngineOptions) -> Option<Result<Libtorch, EngineError>> {
    let place = Place::of(&options.engine)?;
    Some(place.and_then(|place| Libtorch::start(model, options, place).map_err(failed("starting libtorch"))))
}

/// The network of a model, with nothing trained.
fn frozen(model: &Model, numbers: &[f32], place: Place) -> Attempt<(Parameters, Network)> {
    let layout = model.layout();
    let parameters = Parameters::new(numbers, layout.num_decayed(), place, false)?;
    let (network, _) = Network::new(layout, model.config(), &parameters, place)?;
    Ok((parameters, network))
}

impl Libtorch {
    fn start(model: &Model, options: &EngineOptions, place: Place) -> Attempt<Self> {
        let head = model.value_head().cloned().unwrap_or_else(|| ValueHead::zero(model.config().hidden_size));
        let mut host = model.clone().with_value_head(options.value_head.then_some(head));
        if let Some(config) = &options.adapter {
            let adapter = Adapter::init(config.clone(), host.config(), options.seed);
            host = host.with_adapter(adapter);
        }
        let (layout, config) = (host.layout(), host.config());
        let is_adapted = host.adapter().is_some();
        let base = Parameters::new(host.weights(), layout.num_decayed(), place, !is_adapted)?;
        let (mut network, mut leaves) = Network::new(layout, config, &base, place)?;
        let mut adapter = None;
        if let Some(own) = host.adapter() {
            // All of an adapter's tensors are matrices.
            let parameters = Parameters::new(own.parameters(), own.num_parameters(), place, true)?;
            leaves = network.adapt(own, &parameters)?;
            adapter = Some(parameters);
        }
        let value_head = match host.value_head() {
            None => None,
            Some(head) => {
                let single = Place { kind: Kind::Float, ..place };
                Some(Parameters::new(head.parameters(), config.hidden_size, single, true)?)
            }
        };
        let keeps_reference = options.reference;
        let frozen = if keeps_reference && !is_adapted { Some(frozen(&host, host.weights(), place)?.1) } else { None };
        Ok(Self { place, host, base, adapter, value_head, network, leaves, frozen, keeps_reference, num_steps: 0 })
    }

    /// Everything that has gradients.
    fn trained(&self) -> impl Iterator<Item = &Parameters> {
        [self.adapter.as_ref().or(Some(&self.base)), self.value_head.as_ref()].into_iter().flatten()
    }

    fn trained_mut(&mut self) -> impl Iterator<Item = &mut Parameters> {
        [self.adapter.as_mut().or(Some(&mut self.base)), self.value_head.as_mut()].into_iter().flatten()
    }

    /// The model as it is now.
    fn model(&self) -> Attempt<Model> {
        let mut model = self.host.clone();
        if let Some(numbers) = self.adapter.as_ref().unwrap_or(&self.base).numbers()? {
            model.trained_mut().copy_from_slice(&numbers);
        }
        if let (Some(parameters), Some(head)) = (&self.value_head, model.value_head_mut())
            && let Some(numbers) = parameters.numbers()?
        {
            head.parameters_mut().copy_from_slice(&numbers);
        }
        Ok(model)
    }

    /// The value of each normalised row, if there is a head.
    fn values(&self, normed: &Tensor) -> Attempt<Option<Tensor>> {
        let Some(parameters) = &self.value_head else { return Ok(None) };
        let (weight, bias) = self.value_tensors(parameters)?;
        no_grad(|| Ok(Some(normed.f_mv(&weight)?.f_add(&bias)?)))
    }

    fn value_tensors(&self, parameters: &Parameters) -> Attempt<(Tensor, Tensor)> {
        let hidden = self.host.config().hidden_size;
        let part = |range: std::ops::Range<usize>| {
            let length = range.len() as i64;
            parameters.leaf(range, &[length])?.tensor.f_detach()
        };
        Ok((part(0..hidden)?, part(hidden..hidden + 1)?))
    }

    fn score_with(
        &self,
        network: &Network,
        is_adapted: bool,
        has_values: bool,
        batch: &[Sequence<'_>],
        temperature: f32,
    ) -> Attempt<Scores> {
        let mut scores = Scores::default();
        let mut rest = batch;
        while !rest.is_empty() {
            let mut rows = 0;
            let fitting = rest.iter().take_while(|sequence| {
                rows += sequence.tokens.len();
                rows <= SCORE_ROWS
            });
            let (portion, others) = rest.split_at(fitting.count().max(1));
            rest = others;
            let own = no_grad(|| {
                let rows = ScoredRows::new(portion, &network.config, self.place)?;
                let stream = network.forward(&rows.rows, is_adapted, |_, _, _| Ok(()))?;
                let normed = network.normed(&stream.f_index_select(0, &rows.scored)?)?;
                let values = if has_values { self.values(&normed)? } else { None };
                read_scores(network, &rows, &normed, values.as_ref(), temperature)
            })?;
            scores.logprobs.extend(own.logprobs);
            scores.entropies.extend(own.entropies);
            scores.values.extend(own.values);
        }
        Ok(scores)
    }

    fn accumulate(
        &mut self,
        batch: &[Sequence<'_>],
        temperature: f32,
        upstream: &mut dyn FnMut(&Scores) -> Upstream,
    ) -> Attempt<Scores> {
        let rows = ScoredRows::new(batch, &self.network.config, self.place)?;
        let stream = self.network.forward(&rows.rows, true, |_, _, _| Ok(()))?;
        let normed = self.network.normed(&stream.f_index_select(0, &rows.scored)?)?;
        drop(stream);
        let seen = normed.f_detach()?;
        let scores = read_scores(&self.network, &rows, &seen, self.values(&seen)?.as_ref(), temperature)?;
        let upstream = upstream(&scores);
        let pairs = upstream.flatten(batch);
        let by_values = upstream.flatten_values(batch, self.value_head.is_some());
        if rows.num_scored() == 0 {
            return Ok(scores);
        }
        let column = |which: usize| self.place.numbers(&pairs.iter().map(|pair| pair[which]).collect::<Vec<_>>());
        let (logprobs, entropies) = (column(0)?, column(1)?);
        let derivatives = Derivatives { logprobs: &logprobs, entropies: &entropies };
        let table = [self.network.config.vocab_size as i64, self.network.config.hidden_size as i64];
        let head = self.base.gradient_of(&self.network.head_range)?;
        let head = head.map(|gradient| gradient.f_view(table)).transpose()?;
        let mut slope = head::backward(&self.network, &seen, &rows.targets, temperature, &derivatives, head.as_ref())?;
        if !by_values.is_empty() {
            slope = self.value_backward(&seen, &slope, &by_values)?;
        }
        // The derivative of this sum by the normalised rows is the slope.
        let loss = normed.f_mul(&slope)?.f_sum(Kind::Float)?;
        let tensors: Vec<&Tensor> = self.leaves.iter().map(|leaf| &leaf.tensor).collect();
        let gradients = Tensor::f_run_backward(&[&loss], &tensors, false, false)?;
        let trained = self.adapter.as_mut().unwrap_or(&mut self.base);
        trained.add_gradients(&self.leaves, &gradients)?;
        Ok(scores)
    }

    /// Adds to the head's gradient, and gives the derivative by the normalised rows with the values' share.
    fn value_backward(&self, normed: &Tensor, slope: &Tensor, by_values: &[f32]) -> Attempt<Tensor> {
        let Some(parameters) = &self.value_head else { return Ok(slope.shallow_clone()) };
        let hidden = self.host.config().hidden_size;
        let by_values = self.place.numbers(by_values)?;
        let (weight, _) = self.value_tensors(parameters)?;
        no_grad(|| {
            if let Some(mut gradient) = parameters.gradient_of(&(0..hidden))? {
                let _ = gradient.f_add_(&normed.f_tr()?.f_mv(&by_values)?)?;
            }
            if let Some(mut gradient) = parameters.gradient_of(&(hidden..hidden + 1))? {
                let _ = gradient.f_add_(&by_values.f_sum(Kind::Float)?)?;
            }
            slope.f_add(&by_values.f_outer(&weight)?)
        })
    }

    fn step(&mut self, settings: &AdamW) -> Attempt<f32> {
        let mut squares = 0.0;
        for parameters in self.trained() {
            if let Some(sum) = parameters.square_sum()? {
                squares += sum.f_double_value(&[])?;
            }
        }
        let norm = squares.sqrt() as f32;
        if !norm.is_finite() {
            return Ok(norm);
        }
        let gradient_scale = if norm > settings.max_grad_norm { f64::from(settings.max_grad_norm / norm) } else { 1.0 };
        let update = Update { settings: *settings, step: self.num_steps + 1, gradient_scale };
        for parameters in self.trained_mut() {
            parameters.step(update)?;
        }
        self.num_steps += 1;
        Ok(norm)
    }

    fn gradient_of(&self, name: &str) -> Attempt<Option<Vec<f32>>> {
        let hidden = self.host.config().hidden_size;
        let range = match name {
            value_head::WEIGHT => Some(0..hidden),
            value_head::BIAS => Some(hidden..hidden + 1),
            _ => None,
        };
        match (range, &self.value_head, &self.adapter) {
            (Some(range), Some(head), _) => head.gradient_of(&range)?.as_ref().map(to_host).transpose(),
            (Some(_), None, _) => Ok(None),
            (None, _, Some(parameters)) => {
                parameters.gradient(self.host.adapter().map_or(&[], |adapter| adapter.slots()), name)
            }
            (None, _, None) => self.base.gradient(self.host.layout().slots(), name),
        }
    }

    fn state(&self) -> Attempt<TrainingState> {
        let trained = self.adapter.as_ref().unwrap_or(&self.base);
        let moments = trained.moments()?.unwrap_or_default();
        let value_moments = match &self.value_head {
            None => None,
            Some(parameters) => parameters.moments()?,
        };
        Ok(TrainingState { num_steps: self.num_steps, moments, value_moments })
    }

    fn take(&mut self, checkpoint: Checkpoint) -> Attempt<()> {
        let Checkpoint { model, adapter, value_head, state } = checkpoint;
        let numbers = adapter.as_ref().map(Adapter::parameters).or(model.as_ref().map(Model::weights));
        let trained = self.adapter.as_mut().unwrap_or(&mut self.base);
        if let Some(numbers) = numbers {
            trained.replace(numbers)?;
        }
        trained.set_moments(&state.moments)?;
        if let (Some(parameters), Some(head)) = (&mut self.value_head, &value_head) {
            parameters.replace(head.parameters())?;
            if let Some(moments) = &state.value_moments {
                parameters.set_moments(moments)?;
            }
        }
        self.num_steps = state.num_steps;
        Ok(())
    }
}

/// Brings scores to the processor.
fn read_scores(
    network: &Network,
    rows: &ScoredRows,
    normed: &Tensor,
    values: Option<&Tensor>,
    temperature: f32,
) -> Attempt<Scores> {
    let statistics = head::score(network, normed, &rows.targets, temperature)?;
    let split = |numbers: &Tensor| Ok::<_, tch::TchError>(rows.split(&to_host(numbers)?));
    Ok(Scores {
        logprobs: split(&statistics.logprobs)?,
        entropies: split(&statistics.entropies)?,
        values: values.map(split).transpose()?.unwrap_or_default(),
    })
}

impl LanguageModel for Libtorch {
    fn config(&self) -> &ModelConfig {
        self.host.config()
    }

    fn weights_hash(&self) -> Result<String, EngineError> {
        Ok(self.model().map_err(failed("reading the weights"))?.weights_hash())
    }

    fn generate(
        &mut self,
        prompts: &[Prompt<'_>],
        ends: &Ends<'_>,
        params: &SamplingParams,
        done: &mut dyn FnMut(usize, Sampled),
    ) -> Result<(), EngineError> {
        decode::complete(&self.network, self.adapter.is_some(), prompts, ends, params, done).map_err(failed("sampling"))
    }

    fn score(&mut self, batch: &[Sequence<'_>], temperature: f32) -> Result<Scores, EngineError> {
        assert_temperature(temperature);
        self.score_with(&self.network, true, true, batch, temperature).map_err(failed("scoring"))
    }

    fn score_reference(&mut self, batch: &[Sequence<'_>], temperature: f32) -> Result<Scores, EngineError> {
        assert_temperature(temperature);
        if !self.keeps_reference {
            return Err(EngineError::NoReference);
        }
        let network = self.frozen.as_ref().unwrap_or(&self.network);
        self.score_with(network, false, false, batch, temperature).map_err(failed("scoring"))
    }

    fn accumulate(
        &mut self,
        batch: &[Sequence<'_>],
        temperature: f32,
        upstream: &mut dyn FnMut(&Scores) -> Upstream,
    ) -> Result<Scores, EngineError> {
        assert_temperature(temperature);
        Self::accumulate(self, batch, temperature, upstream).map_err(failed("computing gradients"))
    }

    fn zero_gradients(&mut self) {
        for parameters in self.trained_mut() {
            // Writing zeros into memory that is there does not fail; a device that is lost says so at the next operation.
            let _ = parameters.zero_gradients();
        }
    }

    fn gradient(&self, name: &str) -> Result<Option<Vec<f32>>, EngineError> {
        self.gradient_of(name).map_err(failed("reading a gradient"))
    }

    fn step(&mut self, settings: &AdamW) -> Result<f32, EngineError> {
        Self::step(self, settings).map_err(failed("updating"))
    }

    fn save_model(&self, folder: &Path, precision: Precision) -> Result<(), EngineError> {
        Ok(self.model().map_err(failed("reading the weights"))?.save(folder, precision)?)
    }

    fn save_adapter(&self, folder: &Path) -> Result<(), EngineError> {
        let model = self.model().map_err(failed("reading the adapter"))?;
        Ok(model.adapter().ok_or(EngineError::NoAdapter)?.save(folder)?)
    }

    fn save_checkpoint(&self, folder: &Path) -> Result<(), EngineError> {
        let model = self.model().map_err(failed("reading the weights"))?;
        let state = self.state().map_err(failed("reading the optimiser's state"))?;
        model.save_trained(folder)?;
        Ok(write_state(&folder.join(STATE_FILE), &model, &state)?)
    }

    fn load_checkpoint(&mut self, folder: &Path) -> Result<(), EngineError> {
        let checkpoint = Checkpoint::read(&self.host, folder)?;
        self.take(checkpoint).map_err(failed("taking a checkpoint"))
    }
}
