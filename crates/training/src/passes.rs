//! Passes over a set of things to learn: the loop of supervised training and of training on pairs.

use std::collections::BTreeMap;
use std::time::Instant;

use codeward_lm::{EngineError, LanguageModel, Tokenizer};
use codeward_records::StepMetrics;

use crate::checkpoint::Checkpoint;
use crate::event::Event;
use crate::guard::Guard;
use crate::recipe::{CheckpointSettings, OptimiserSettings};
use crate::run_folder::RunFolder;
use crate::seed::{derive_seed, shuffled};
use crate::train::TrainError;

/// How often everything is learned, and how much of it at once.
pub(crate) struct Passes<'a> {
    pub(crate) num_items: usize,
    pub(crate) batch_size: usize,
    pub(crate) num_epochs: u64,
    pub(crate) seed: u64,
    pub(crate) optimiser: &'a OptimiserSettings,
    pub(crate) checkpoint: &'a CheckpointSettings,
}

impl Passes<'_> {
    /// Learns every item once an epoch, in an order that is shuffled anew for each, from the folder's newest checkpoint if there is one.
    /// `learn` is given the numbers of a batch's items and the learning rate, makes one update, and says what it saw.
    pub(crate) fn run(
        &self,
        policy: &mut dyn LanguageModel,
        tokenizer: &Tokenizer,
        folder: &RunFolder,
        mut listen: impl FnMut(Event<'_>),
        mut learn: impl FnMut(&mut dyn LanguageModel, &[usize], f64) -> Result<BTreeMap<String, f64>, EngineError>,
    ) -> Result<(), TrainError> {
        let checkpoints = folder.path("checkpoints");
        let mut step = if let Some(state) = Checkpoint::newest(&checkpoints, policy)? {
            listen(Event::Resumed { step: state.step });
            folder.forget_after(Some(state.step))?;
            state.step
        } else {
            folder.forget_after(None)?;
            0
        };
        let batches = self.num_items.div_ceil(self.batch_size) as u64;
        let num_steps = batches * self.num_epochs;
        let mut curves = folder.curves((step > 0).then_some(step))?;
        let mut pass: Option<(u64, Vec<usize>)> = None;
        while step < num_steps {
            let started = Instant::now();
            let (epoch, at) = (step / batches, (step % batches) as usize);
            step += 1;
            if pass.as_ref().is_none_or(|(of, _)| *of != epoch) {
                pass = Some((epoch, shuffled(self.num_items, derive_seed(self.seed, "epoch", &[epoch]))));
            }
            let (_, order) = pass.as_ref().expect("the pass was just set");
            let batch = order.chunks(self.batch_size).nth(at).expect("an epoch has so many batches");
            let values = learn(policy, batch, self.optimiser.rate_at(step, num_steps))?;
            if !values["optim/grad_norm"].is_finite() {
                return Err(TrainError::NotFinite { step });
            }
            let metrics = StepMetrics { step, values };
            let secs = started.elapsed().as_secs_f64();
            let timings = StepMetrics { step, values: BTreeMap::from([("time/update_secs".to_owned(), secs)]) };
            folder.log(&metrics, &timings)?;
            curves.log(&metrics, &timings)?;
            listen(Event::Step { metrics: &metrics, num_steps, secs });
            if step.is_multiple_of(self.checkpoint.every) || step == num_steps {
                let state = Checkpoint { step, guard: Guard::new(None) };
                state.save(&checkpoints, policy, tokenizer, self.checkpoint.keep)?;
            }
        }
        Ok(())
    }
}
