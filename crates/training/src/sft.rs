//! Supervised training on examples.
//!
//! Several examples make one batch, without padding: each is a sequence of its own length that sees itself alone. So what elsewhere is
//! called packing is here only how batches are counted, by examples or, with `batch_tokens`, by tokens.

use std::collections::BTreeMap;
use std::ops::Range;

use codeward_lm::{Aligner, EngineError, LanguageModel, Sequence, Tokenizer, Upstream};

use crate::event::Event;
use crate::micro_batch::accumulate;
use crate::passes::{Batches, Logbook, Passes};
use crate::recipe::OptimiserSettings;
use crate::run_folder::RunFolder;
use crate::sft_recipe::{SftRecipe, SftSettings};
use crate::train::TrainError;

/// A prompt with the completion to learn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Where it is from, for messages.
    pub origin: String,
    /// What the model is given.
    pub prompt: String,
    /// What it should write.
    pub completion: String,
    /// The places of the completion that are learned, in bytes; without any, all of it and that it ends there.
    pub changed: Option<Vec<Range<usize>>>,
}

/// An example as tokens, the end token included.
pub(crate) struct Document {
    tokens: Vec<u32>,
    num_prompt: usize,
    /// Which of the tokens after the prompt are learned; without, all.
    mask: Option<Vec<bool>>,
}

impl Document {
    fn num_learned(&self) -> usize {
        let all = self.tokens.len() - self.num_prompt;
        self.mask.as_ref().map_or(all, |mask| mask.iter().filter(|is_learned| **is_learned).count())
    }
}

/// Trains `policy` on `examples`, from the folder's newest checkpoint if there is one.
///
/// The loss is the mean negative log-probability of the learned tokens of a batch; each example ends with the end token.
///
/// # Errors
/// When the folder or a checkpoint cannot be written, when there are no examples or one is too long for the model, when changed places
/// cannot be laid over the tokenizer's tokens, when numbers overflow, or when the engine fails.
pub fn fine_tune(
    recipe: &SftRecipe,
    policy: &mut dyn LanguageModel,
    tokenizer: &Tokenizer,
    examples: &[Example],
    folder: &RunFolder,
    mut listen: impl FnMut(Event<'_>),
) -> Result<(), TrainError> {
    let documents = documents(&recipe.sft, policy, tokenizer, examples)?;
    if documents.is_empty() {
        return Err(TrainError::NoTasks);
    }
    let lengths: Vec<usize> = documents.iter().map(|document| document.tokens.len()).collect();
    let passes = Passes {
        num_items: documents.len(),
        batches: batches(&recipe.sft, &lengths),
        num_epochs: recipe.sft.num_epochs,
        seed: recipe.seed,
        optimiser: &recipe.optimiser,
        checkpoint: &recipe.checkpoint,
    };
    let mut logbook = Logbook::open(policy, tokenizer, folder, &recipe.checkpoint, &mut listen)?;
    passes.run(policy, &mut logbook, 0, &mut listen, |policy, chosen, rate| {
        let batch: Vec<&Document> = chosen.iter().map(|index| &documents[*index]).collect();
        learn(policy, &recipe.sft, &recipe.optimiser, &batch, rate)
    })
}

/// How steps are counted.
pub(crate) fn batches<'a>(settings: &SftSettings, lengths: &'a [usize]) -> Batches<'a> {
    match settings.batch_tokens {
        0 => Batches::OfItems(settings.batch_size),
        most => Batches::OfTokens { most, lengths },
    }
}

/// The examples as tokens, but for those without a token to learn.
pub(crate) fn documents(
    settings: &SftSettings,
    policy: &dyn LanguageModel,
    tokenizer: &Tokenizer,
    examples: &[Example],
) -> Result<Vec<Document>, TrainError> {
    let asks_places = examples.iter().any(|example| example.changed.is_some());
    let aligner = asks_places.then(|| tokenizer.aligner()).transpose()?;
    let positions = policy.config().max_position_embeddings;
    let mut documents = Vec::with_capacity(examples.len());
    for example in examples {
        let document = document(settings, tokenizer, aligner.as_ref(), example)?;
        if document.tokens.len() > positions {
            let (origin, tokens) = (example.origin.clone(), document.tokens.len());
            return Err(TrainError::TooLong { origin, tokens, positions });
        }
        if document.num_learned() > 0 {
            documents.push(document);
        }
    }
    Ok(documents)
}

fn document(
    settings: &SftSettings,
    tokenizer: &Tokenizer,
    aligner: Option<&Aligner>,
    example: &Example,
) -> Result<Document, TrainError> {
    let mut tokens = tokenizer.encode(&example.prompt);
    let num_prompt = if settings.loss_on_prompt { 1 } else { tokens.len() };
    let completion = tokenizer.encode(&example.completion);
    let mask = match (&example.changed, aligner) {
        (Some(changed), Some(aligner)) => {
            let places = aligner
                .align(&completion, &example.completion)
                .map_err(|error| TrainError::Unplaced { origin: example.origin.clone(), reason: error.to_string() })?;
            let touches =
                |place: &Range<usize>| changed.iter().any(|range| place.start < range.end && range.start < place.end);
            // The end token is no part of what was changed.
            Some(places.iter().map(touches).chain([false]).collect())
        }
        _ => None,
    };
    tokens.extend(completion);
    tokens.push(tokenizer.eos_id());
    Ok(Document { tokens, num_prompt, mask })
}

/// The lengths of documents in tokens.
pub(crate) fn lengths(documents: &[Document]) -> Vec<usize> {
    documents.iter().map(|document| document.tokens.len()).collect()
}

/// One update by the mean over the learned tokens of a batch.
pub(crate) fn learn(
    policy: &mut dyn LanguageModel,
    settings: &SftSettings,
    optimiser: &OptimiserSettings,
    batch: &[&Document],
    rate: f64,
) -> Result<BTreeMap<String, f64>, EngineError> {
    let sequences: Vec<Sequence<'_>> =
        batch.iter().map(|document| Sequence { tokens: &document.tokens, num_prompt: document.num_prompt }).collect();
    let count: usize = batch.iter().map(|document| document.num_learned()).sum();
    let slope = -1.0 / count as f32;
    policy.zero_gradients();
    let mut total = 0.0;
    accumulate(policy, &sequences, 1.0, settings.micro_batch_tokens, false, |piece, scores, _| {
        let mut logprobs = Vec::with_capacity(scores.logprobs.len());
        for (document, row) in batch[piece].iter().zip(&scores.logprobs) {
            let is_learned = |at: usize| document.mask.as_ref().is_none_or(|mask| mask[at]);
            for (at, logprob) in row.iter().enumerate() {
                total += if is_learned(at) { f64::from(*logprob) } else { 0.0 };
            }
            logprobs.push((0..row.len()).map(|at| if is_learned(at) { slope } else { 0.0 }).collect());
        }
        Upstream { logprobs, ..Upstream::default() }
    })?;
    let loss = -total / count as f64;
    let norm = policy.step(&optimiser.at_rate(rate))?;
    Ok(BTreeMap::from([
        ("loss/sft".to_owned(), loss),
        ("sft/learned_tokens".to_owned(), count as f64),
        ("optim/grad_norm".to_owned(), f64::from(norm)),
        ("optim/learning_rate".to_owned(), rate),
    ]))
}

#[cfg(test)]
mod tests {
    use codeward_lm::{EngineOptions, Model, ModelConfig, start};

    use super::*;

    /// A model that knows the tokens of a tokenizer of bytes and a few merges.
    fn policy_and_tokenizer() -> (Box<dyn LanguageModel>, Tokenizer) {
        let texts = ["x = yaml.safe_load(text)\n".to_owned(), "x = yaml.load(text)\n".to_owned()];
        let tokenizer = Tokenizer::train_bpe(texts.into_iter(), 270).unwrap();
        let config = ModelConfig {
            hidden_size: 32,
            intermediate_size: 48,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            num_key_value_heads: 1,
            head_dim: 16,
            vocab_size: tokenizer.vocab_size(),
            max_position_embeddings: 64,
            ..ModelConfig::tiny()
        };
        (start(Model::init(config, 5), &EngineOptions::default()).unwrap(), tokenizer)
    }

    fn example(completion: &str, changed: Option<Vec<Range<usize>>>) -> Example {
        let (origin, prompt) = ("a.jsonl:1".to_owned(), "# load\n".to_owned());
        Example { origin, prompt, completion: completion.to_owned(), changed }
    }

    #[test]
    fn only_changed_tokens_have_loss() {
        let (mut policy, tokenizer) = policy_and_tokenizer();
        let text = "x = yaml.safe_load(text)\n";
        let place = text.find("safe_").unwrap();
        let examples =
            [example(text, Some(vec![place..place + 2, place + 2..place + 5])), example(text, Some(Vec::new()))];
        let settings = SftSettings::default();
        let made = documents(&settings, &*policy, &tokenizer, &examples).unwrap();
        // The other one has nothing to learn.
        assert_eq!(made.len(), 1);
        let learned: Vec<u32> = made[0].tokens[made[0].num_prompt..]
            .iter()
            .zip(made[0].mask.as_ref().unwrap())
            .filter(|(_, is_learned)| **is_learned)
            .map(|(token, _)| *token)
            .collect();
        let words = tokenizer.decode(&learned);
        assert!(words.contains("safe_") && words.len() < 12, "{words:?}");

        // The loss is the mean over these tokens alone, as the model scores them.
        let sequence = Sequence { tokens: &made[0].tokens, num_prompt: made[0].num_prompt };
        let scores = policy.score(&[sequence], 1.0).unwrap();
        let mask = made[0].mask.as_ref().unwrap();
        let of_learned = scores.logprobs[0].iter().zip(mask).filter(|(_, is_learned)| **is_learned);
        let wanted = -of_learned.map(|(logprob, _)| f64::from(*logprob)).sum::<f64>() / learned.len() as f64;
        let values = learn(&mut *policy, &settings, &OptimiserSettings::default(), &[&made[0]], 1e-3).unwrap();
        assert!((values["loss/sft"] - wanted).abs() < 1e-6, "{values:?} {wanted}");
        assert_eq!(values["sft/learned_tokens"], learned.len() as f64);
    }

    #[test]
    fn an_example_that_is_too_long_is_named() {
        let (policy, tokenizer) = policy_and_tokenizer();
        let error = documents(&SftSettings::default(), &*policy, &tokenizer, &[example(&"é#".repeat(40), None)]);
        let error = error.err().unwrap().to_string();
        assert!(
            error.starts_with("a.jsonl:1: the example has ") && error.ends_with("the model has 64 positions"),
            "{error}"
        );
    }
}
