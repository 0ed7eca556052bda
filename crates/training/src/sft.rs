//! Supervised training on documents.

use std::collections::BTreeMap;
use std::time::Instant;

use codeward_lm::{EngineError, LanguageModel, Sequence, Tokenizer, Upstream};
use codeward_records::StepMetrics;

use crate::checkpoint::Checkpoint;
use crate::event::Event;
use crate::guard::Guard;
use crate::micro_batch::accumulate;
use crate::recipe::SftRecipe;
use crate::run_folder::RunFolder;
use crate::seed::{derive_seed, shuffled};
use crate::train::TrainError;

/// A prompt with the completion to learn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// What the model is given.
    pub prompt: String,
    /// What it should write.
    pub completion: String,
}

/// An example as tokens, the end token included.
struct Document {
    tokens: Vec<u32>,
    num_prompt: usize,
}

/// Trains `policy` on `examples`, from the folder's newest checkpoint if there is one.
///
/// The loss is the mean negative log-probability of the learned tokens of a batch; each example ends with the end token.
///
/// # Errors
/// When the folder or a checkpoint cannot be written, when there are no examples, or when numbers overflow, or when the engine fails.
pub fn fine_tune(
    recipe: &SftRecipe,
    policy: &mut dyn LanguageModel,
    tokenizer: &Tokenizer,
    examples: &[Example],
    folder: &RunFolder,
    mut listen: impl FnMut(Event<'_>),
) -> Result<(), TrainError> {
    if examples.is_empty() {
        return Err(TrainError::NoTasks);
    }
    let documents: Vec<Document> = examples.iter().map(|example| document(recipe, tokenizer, example)).collect();
    let checkpoints = folder.path("checkpoints");
    let mut step = if let Some(state) = Checkpoint::newest(&checkpoints, policy)? {
        listen(Event::Resumed { step: state.step });
        folder.forget_after(Some(state.step))?;
        state.step
    } else {
        folder.forget_after(None)?;
        0
    };
    let batches = documents.len().div_ceil(recipe.sft.batch_size) as u64;
    let num_steps = batches * recipe.sft.num_epochs;
    let mut pass: Option<(u64, Vec<usize>)> = None;
    while step < num_steps {
        let started = Instant::now();
        let (epoch, at) = (step / batches, (step % batches) as usize);
        step += 1;
        if pass.as_ref().is_none_or(|(of, _)| *of != epoch) {
            pass = Some((epoch, shuffled(documents.len(), derive_seed(recipe.seed, "epoch", &[epoch]))));
        }
        let (_, order) = pass.as_ref().expect("the pass was just set");
        let chosen = order.iter().skip(at * recipe.sft.batch_size).take(recipe.sft.batch_size);
        let batch: Vec<&Document> = chosen.map(|index| &documents[*index]).collect();
        let rate = recipe.optimiser.rate_at(step, num_steps);
        let values = learn(policy, recipe, &batch, rate)?;
        if !values["optim/grad_norm"].is_finite() {
            return Err(TrainError::NotFinite { step });
        }
        let metrics = StepMetrics { step, values };
        let secs = started.elapsed().as_secs_f64();
        let timings = StepMetrics { step, values: BTreeMap::from([("time/update_secs".to_owned(), secs)]) };
        folder.log(&metrics, &timings)?;
        listen(Event::Step { metrics: &metrics, num_steps, secs });
        if step.is_multiple_of(recipe.checkpoint.every) || step == num_steps {
            let state = Checkpoint { step, guard: Guard::new(None) };
            state.save(&checkpoints, policy, tokenizer, recipe.checkpoint.keep)?;
        }
    }
    Ok(())
}

fn document(recipe: &SftRecipe, tokenizer: &Tokenizer, example: &Example) -> Document {
    let mut tokens = tokenizer.encode(&example.prompt);
    let num_prompt = if recipe.sft.loss_on_prompt { 1 } else { tokens.len() };
    tokens.extend(tokenizer.encode(&example.completion));
    tokens.push(tokenizer.eos_id());
    Document { tokens, num_prompt }
}

fn learn(
    policy: &mut dyn LanguageModel,
    recipe: &SftRecipe,
    batch: &[&Document],
    rate: f64,
) -> Result<BTreeMap<String, f64>, EngineError> {
    let sequences: Vec<Sequence<'_>> =
        batch.iter().map(|document| Sequence { tokens: &document.tokens, num_prompt: document.num_prompt }).collect();
    let count: usize = batch.iter().map(|document| document.tokens.len() - document.num_prompt).sum();
    policy.zero_gradients();
    let mut total = 0.0;
    accumulate(policy, &sequences, 1.0, recipe.sft.micro_batch_tokens, false, |_, scores, _| {
        for logprob in scores.logprobs.iter().flatten() {
            total += f64::from(*logprob);
        }
        Upstream {
            logprobs: scores.logprobs.iter().map(|row| vec![-1.0 / count as f32; row.len()]).collect(),
            ..Upstream::default()
        }
    })?;
    let loss = -total / count as f64;
    let norm = policy.step(&recipe.optimiser.at_rate(rate))?;
    Ok(BTreeMap::from([
        ("loss/sft".to_owned(), loss),
        ("optim/grad_norm".to_owned(), f64::from(norm)),
        ("optim/learning_rate".to_owned(), rate),
    ]))
}
