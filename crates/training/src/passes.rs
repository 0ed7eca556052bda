//! Passes over a set of things to learn: the loop of supervised training and of training on pairs.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Instant;

use codeward_lm::{EngineError, LanguageModel, Tokenizer};
use codeward_records::StepMetrics;

use crate::checkpoint::{Checkpoint, Purpose, Shelf};
use crate::event::Event;
use crate::guard::Guard;
use crate::pause::is_pause_wanted;
use crate::recipe::{CheckpointSettings, OptimiserSettings};
use crate::run_folder::{Curves, RunFolder};
use crate::seed::{derive_seed, shuffled};
use crate::train::TrainError;

/// How much is learned in one step.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Batches<'a> {
    /// So many items.
    OfItems(usize),
    /// Items, as they come, of at most so many tokens together; a longer one is alone.
    OfTokens { most: usize, lengths: &'a [usize] },
}

/// How often everything is learned, and how much of it at once.
pub(crate) struct Passes<'a> {
    pub(crate) num_items: usize,
    pub(crate) batches: Batches<'a>,
    pub(crate) num_epochs: u64,
    pub(crate) seed: u64,
    pub(crate) optimiser: &'a OptimiserSettings,
    pub(crate) checkpoint: &'a CheckpointSettings,
}

/// Where a run is written down, and how far it is.
pub(crate) struct Logbook<'a> {
    pub(crate) tokenizer: &'a Tokenizer,
    pub(crate) folder: &'a RunFolder,
    curves: Curves,
    /// How many checkpoints are kept.
    keep: usize,
    /// The step that the policy is at.
    pub(crate) step: u64,
    /// The last step that has a checkpoint.
    saved: u64,
}

impl<'a> Logbook<'a> {
    /// Takes the policy to the folder's newest checkpoint, if there is one, and forgets what was logged after it.
    pub(crate) fn open(
        policy: &mut dyn LanguageModel,
        tokenizer: &'a Tokenizer,
        folder: &'a RunFolder,
        settings: &CheckpointSettings,
        listen: &mut dyn FnMut(Event<'_>),
    ) -> Result<Self, TrainError> {
        let shelf = Shelf { folder: folder.path("checkpoints"), tokenizer, keep: settings.keep };
        let found = shelf.resume(policy, &mut |event: Event<'_>| listen(event))?;
        let step = found.map(|found| found.state.step);
        if let Some(step) = step {
            listen(Event::Resumed { step });
        }
        folder.forget_after(step)?;
        let step = step.unwrap_or(0);
        let curves = folder.curves((step > 0).then_some(step))?;
        Ok(Self { tokenizer, folder, curves, keep: settings.keep, step, saved: step })
    }

    fn save(&mut self, purpose: Purpose, policy: &dyn LanguageModel) -> Result<(), TrainError> {
        let shelf = Shelf { folder: self.folder.path("checkpoints"), tokenizer: self.tokenizer, keep: self.keep };
        shelf.save(purpose, &Checkpoint::new(self.step, Guard::new(None)), policy, None)?;
        self.saved = self.step;
        Ok(())
    }

    /// Where a pause is wanted, saves what has no checkpoint yet and ends the run.
    pub(crate) fn pause(&mut self, policy: &dyn LanguageModel) -> Result<(), TrainError> {
        if !is_pause_wanted() {
            return Ok(());
        }
        if self.saved != self.step {
            self.save(Purpose::Pause, policy)?;
        }
        Err(TrainError::Paused { step: self.step })
    }

    /// Writes down a step, which the policy is at from here on.
    pub(crate) fn log(
        &mut self,
        values: BTreeMap<String, f64>,
        num_steps: u64,
        timing: (&str, f64),
        listen: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), TrainError> {
        self.step += 1;
        let metrics = StepMetrics { step: self.step, values };
        let (name, secs) = timing;
        let timings = StepMetrics { step: self.step, values: BTreeMap::from([(name.to_owned(), secs)]) };
        self.folder.log(&metrics, &timings)?;
        self.curves.log(&metrics, &timings)?;
        listen(Event::Step { metrics: &metrics, num_steps, secs });
        Ok(())
    }
}

impl Passes<'_> {
    /// Learns every item once an epoch, in an order that is shuffled anew for each, from where the policy is in the passes that begin
    /// after the step `first`. `learn` is given the numbers of a batch's items and the learning rate, makes one update, and says what it saw.
    pub(crate) fn run(
        &self,
        policy: &mut dyn LanguageModel,
        logbook: &mut Logbook<'_>,
        first: u64,
        listen: &mut dyn FnMut(Event<'_>),
        mut learn: impl FnMut(&mut dyn LanguageModel, &[usize], f64) -> Result<BTreeMap<String, f64>, EngineError>,
    ) -> Result<(), TrainError> {
        let ends = self.ends();
        let num_steps = ends.last().copied().unwrap_or(0);
        let mut pass: Option<(usize, Vec<usize>, Vec<Range<usize>>)> = None;
        while logbook.step < first + num_steps {
            logbook.pause(policy)?;
            let started = Instant::now();
            let done = logbook.step - first;
            let epoch = ends.partition_point(|end| *end <= done);
            let at = done - if epoch == 0 { 0 } else { ends[epoch - 1] };
            if pass.as_ref().is_none_or(|(of, _, _)| *of != epoch) {
                let order = self.order(epoch as u64);
                let cuts = self.cut(&order);
                pass = Some((epoch, order, cuts));
            }
            let (_, order, cuts) = pass.as_ref().expect("the pass was just set");
            let batch = &order[cuts[at as usize].clone()];
            let values = learn(policy, batch, self.optimiser.rate_at(done + 1, num_steps))?;
            if !values["optim/grad_norm"].is_finite() {
                return Err(TrainError::NotFinite { step: logbook.step + 1 });
            }
            let secs = started.elapsed().as_secs_f64();
            logbook.log(values, first + num_steps, ("time/update_secs", secs), listen)?;
            if (done + 1).is_multiple_of(self.checkpoint.every) || done + 1 == num_steps {
                logbook.save(Purpose::Good, policy)?;
            }
        }
        Ok(())
    }

    /// How many steps the passes take.
    pub(crate) fn num_steps(&self) -> u64 {
        self.ends().last().copied().unwrap_or(0)
    }

    /// How many steps are done at the end of each pass. Where tokens are counted, each order has batches of its own.
    fn ends(&self) -> Vec<u64> {
        let count = |epoch: u64| match self.batches {
            Batches::OfItems(size) => self.num_items.div_ceil(size),
            Batches::OfTokens { .. } => self.cut(&self.order(epoch)).len(),
        };
        let add = |sum: &mut u64, epoch: u64| {
            *sum += count(epoch) as u64;
            Some(*sum)
        };
        (0..self.num_epochs).scan(0, add).collect()
    }

    fn order(&self, epoch: u64) -> Vec<usize> {
        shuffled(self.num_items, derive_seed(self.seed, "epoch", &[epoch]))
    }

    /// The batches of a pass, as ranges of its order.
    fn cut(&self, order: &[usize]) -> Vec<Range<usize>> {
        match self.batches {
            Batches::OfItems(size) => {
                (0..order.len()).step_by(size).map(|start| start..order.len().min(start + size)).collect()
            }
            Batches::OfTokens { most, lengths } => {
                let mut cuts: Vec<Range<usize>> = Vec::new();
                let mut tokens = 0;
                for (at, item) in order.iter().enumerate() {
                    tokens += lengths[*item];
                    match cuts.last_mut() {
                        Some(cut) if tokens <= most => cut.end = at + 1,
                        _ => {
                            tokens = lengths[*item];
                            cuts.push(at..at + 1);
                        }
                    }
                }
                cuts
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_by_tokens_hold_every_item_and_no_more_tokens_than_allowed() {
        let lengths: Vec<usize> = (0..50).map(|at| 5 + at * 7 % 31).collect();
        let (optimiser, checkpoint) = (OptimiserSettings::default(), CheckpointSettings::default());
        let passes = |batches| Passes {
            num_items: lengths.len(),
            batches,
            num_epochs: 3,
            seed: 4,
            optimiser: &optimiser,
            checkpoint: &checkpoint,
        };
        let packed = passes(Batches::OfTokens { most: 64, lengths: &lengths });
        let mut num_steps = 0;
        for epoch in 0..3 {
            let order = packed.order(epoch);
            let cuts = packed.cut(&order);
            let batches: Vec<&[usize]> = cuts.iter().map(|cut| &order[cut.clone()]).collect();
            assert_eq!(batches.concat(), order);
            let tokens = |batch: &[usize]| batch.iter().map(|item| lengths[*item]).sum::<usize>();
            assert!(batches.iter().all(|batch| tokens(batch) <= 64), "{batches:?}");
            // Full: the next item would not have fitted.
            assert!(batches.windows(2).all(|pair| tokens(pair[0]) + lengths[pair[1][0]] > 64));
            num_steps += batches.len() as u64;
            assert_eq!(packed.ends()[epoch as usize], num_steps);
        }
        assert_eq!(packed.num_steps(), num_steps);
        // A limit below every length leaves each item alone.
        assert_eq!(passes(Batches::OfTokens { most: 1, lengths: &lengths }).num_steps(), 150);
        let counted = passes(Batches::OfItems(16));
        assert_eq!(counted.ends(), [4, 8, 12]);
        assert_eq!(counted.cut(&counted.order(0)), [0..16, 16..32, 32..48, 48..50]);
    }
}
