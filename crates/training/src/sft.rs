//! Supervised training on documents.

use std::collections::BTreeMap;

use codeward_lm::{EngineError, LanguageModel, Sequence, Tokenizer, Upstream};

use crate::event::Event;
use crate::micro_batch::accumulate;
use crate::passes::Passes;
use crate::recipe::SftRecipe;
use crate::run_folder::RunFolder;
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
    listen: impl FnMut(Event<'_>),
) -> Result<(), TrainError> {
    if examples.is_empty() {
        return Err(TrainError::NoTasks);
    }
    let documents: Vec<Document> = examples.iter().map(|example| document(recipe, tokenizer, example)).collect();
    let passes = Passes {
        num_items: documents.len(),
        batch_size: recipe.sft.batch_size,
        num_epochs: recipe.sft.num_epochs,
        seed: recipe.seed,
        optimiser: &recipe.optimiser,
        checkpoint: &recipe.checkpoint,
    };
    passes.run(policy, tokenizer, folder, listen, |policy, chosen, rate| {
        let batch: Vec<&Document> = chosen.iter().map(|index| &documents[*index]).collect();
        learn(policy, recipe, &batch, rate)
    })
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
