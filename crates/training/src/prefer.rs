//! Training on pairs of completions, one better than the other: DPO and SimPO, as baselines of reinforcement learning.

use std::collections::BTreeMap;
use std::ops::Range;

use codeward_lm::{Aligner, EngineError, LanguageModel, Sequence, Tokenizer, Upstream};

use crate::event::Event;
use crate::passes::Passes;
use crate::preference::Side;
use crate::recipe::PreferenceRecipe;
use crate::run_folder::RunFolder;
use crate::train::TrainError;

/// A prompt with two completions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// What the model is given.
    pub prompt: String,
    /// What it should rather write.
    pub better: Completion,
    /// What it should rather not.
    pub worse: Completion,
}

/// One completion of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The text.
    pub text: String,
    /// The places that the other completion does not have, in bytes.
    pub changed: Vec<Range<usize>>,
}

/// A completion as tokens, the end token included.
struct Candidate {
    tokens: Vec<u32>,
    num_prompt: usize,
    mask: Vec<bool>,
}

/// Trains `policy` on pairs, from the folder's newest checkpoint if there is one. Where the loss asks for a reference, the policy was
/// opened with one.
///
/// # Errors
/// When the folder or a checkpoint cannot be written, when there are no pairs, when numbers overflow, when places cannot be laid over the
/// tokenizer's tokens, or when the engine fails.
pub fn prefer(
    recipe: &PreferenceRecipe,
    policy: &mut dyn LanguageModel,
    tokenizer: &Tokenizer,
    pairs: &[Comparison],
    folder: &RunFolder,
    listen: impl FnMut(Event<'_>),
) -> Result<(), TrainError> {
    if pairs.is_empty() {
        return Err(TrainError::NoTasks);
    }
    let aligner = recipe.preference.changed_tokens_only.then(|| tokenizer.aligner()).transpose()?;
    let candidates: Vec<[Candidate; 2]> = pairs
        .iter()
        .map(|pair| [&pair.better, &pair.worse].map(|side| candidate(tokenizer, aligner.as_ref(), &pair.prompt, side)))
        .collect();
    let passes = Passes {
        num_items: candidates.len(),
        batch_size: recipe.preference.batch_size,
        num_epochs: recipe.preference.num_epochs,
        seed: recipe.seed,
        optimiser: &recipe.optimiser,
        checkpoint: &recipe.checkpoint,
    };
    passes.run(policy, tokenizer, folder, listen, |policy, chosen, rate| {
        let batch: Vec<&[Candidate; 2]> = chosen.iter().map(|index| &candidates[*index]).collect();
        learn(policy, recipe, &batch, rate)
    })
}

fn candidate(tokenizer: &Tokenizer, aligner: Option<&Aligner>, prompt: &str, side: &Completion) -> Candidate {
    let mut tokens = tokenizer.encode(prompt);
    let num_prompt = tokens.len();
    let completion = tokenizer.encode(&side.text);
    let mask = match aligner.and_then(|aligner| aligner.align(&completion, &side.text).ok()) {
        // The end token is no part of what was changed.
        Some(places) => {
            let touches = |place: &Range<usize>| {
                side.changed.iter().any(|range| place.start < range.end && range.start < place.end)
            };
            places.iter().map(touches).chain([false]).collect()
        }
        None => vec![true; completion.len() + 1],
    };
    tokens.extend(completion);
    tokens.push(tokenizer.eos_id());
    Candidate { tokens, num_prompt, mask }
}

/// One update on a batch of pairs, by the mean of their losses.
fn learn(
    policy: &mut dyn LanguageModel,
    recipe: &PreferenceRecipe,
    batch: &[&[Candidate; 2]],
    rate: f64,
) -> Result<BTreeMap<String, f64>, EngineError> {
    let sequences: Vec<Sequence<'_>> = batch
        .iter()
        .flat_map(|pair| pair.iter())
        .map(|side| Sequence { tokens: &side.tokens, num_prompt: side.num_prompt })
        .collect();
    let loss = &recipe.loss;
    let reference = loss.needs_reference().then(|| policy.score_reference(&sequences, 1.0)).transpose()?;
    let count = batch.len() as f64;
    let (mut total, mut margin, mut num_told) = (0.0, 0.0, 0_usize);
    policy.zero_gradients();
    policy.accumulate(&sequences, 1.0, &mut |scores| {
        let mut upstream = Upstream::default();
        for (at, pair) in batch.iter().enumerate() {
            let side = |which: usize| Side {
                new: &scores.logprobs[2 * at + which],
                reference: reference.as_ref().map_or(&[], |reference| &reference.logprobs[2 * at + which]),
                mask: &pair[which].mask,
            };
            let found = loss.of(&side(0), &side(1));
            total += found.loss / count;
            margin += found.margin / count;
            num_told += usize::from(found.margin > 0.0);
            for gradients in [found.better, found.worse] {
                let mean = gradients.iter().map(|gradient| (f64::from(*gradient) / count) as f32);
                upstream.logprobs.push(mean.collect());
            }
        }
        upstream
    })?;
    let norm = policy.step(&recipe.optimiser.at_rate(rate))?;
    Ok(BTreeMap::from([
        ("loss/preference".to_owned(), total),
        ("preference/margin".to_owned(), margin),
        ("preference/told_apart_fraction".to_owned(), num_told as f64 / count),
        ("optim/grad_norm".to_owned(), f64::from(norm)),
        ("optim/learning_rate".to_owned(), rate),
    ]))
}
