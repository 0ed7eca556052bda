//! One update of the policy from a step's rollouts.

use std::collections::BTreeMap;

use codeward_lm::{AdamW, EngineError, LanguageModel, Scores, Sequence, Upstream};
use codeward_records::RolloutGroup;

use crate::loss::token_loss;
use crate::micro_batch::accumulate;
use crate::recipe::GrpoRecipe;
use crate::seed::shuffled;

/// A rollout that takes part in the update.
struct Row<'a> {
    /// Prompt and completion.
    tokens: Vec<u32>,
    num_prompt: usize,
    old_logprobs: &'a [f32],
    advantage: f32,
}

/// Sums over the tokens of an update.
#[derive(Default)]
struct Tally {
    tokens: usize,
    policy: f64,
    divergence: f64,
    clipped: usize,
    entropy: f64,
    largest_log_ratio: f32,
    norms: Vec<f32>,
}

/// Updates the policy and gives the numbers of the update. `advantages` are per group and rollout; rows without one, or with an
/// advantage of exactly 0, take no part.
pub(crate) fn update(
    policy: &mut dyn LanguageModel,
    recipe: &GrpoRecipe,
    groups: &[RolloutGroup],
    advantages: &[Vec<Option<f64>>],
    step: u64,
    learning_rate: f64,
) -> Result<BTreeMap<String, f64>, EngineError> {
    let rows = rows(groups, advantages);
    let mut tally = Tally::default();
    for epoch in 0..recipe.grpo.update_epochs {
        let order = shuffled(rows.len(), crate::derive_seed(recipe.seed, "minibatch", &[step, epoch as u64]));
        for minibatch in order.chunks(recipe.grpo.minibatch_size) {
            let rows: Vec<&Row<'_>> = minibatch.iter().map(|at| &rows[*at]).collect();
            update_minibatch(policy, recipe, &rows, learning_rate, &mut tally)?;
        }
    }
    let count = tally.tokens.max(1) as f64;
    let norm = tally.norms.iter().map(|norm| f64::from(*norm)).sum::<f64>() / tally.norms.len().max(1) as f64;
    let mut values = BTreeMap::from([
        ("loss/policy".to_owned(), tally.policy / count),
        ("policy/entropy".to_owned(), tally.entropy / count),
        ("policy/clip_fraction".to_owned(), tally.clipped as f64 / count),
        ("policy/largest_log_ratio".to_owned(), f64::from(tally.largest_log_ratio)),
        ("optim/grad_norm".to_owned(), norm),
        ("optim/learning_rate".to_owned(), learning_rate),
        ("update/rollouts".to_owned(), rows.len() as f64),
    ]);
    if recipe.loss.kl_coef != 0.0 {
        values.insert("kl/approx".to_owned(), tally.divergence / count);
    }
    Ok(values)
}

fn rows<'a>(groups: &'a [RolloutGroup], advantages: &[Vec<Option<f64>>]) -> Vec<Row<'a>> {
    groups
        .iter()
        .zip(advantages)
        .flat_map(|(group, advantages)| group.rollouts.iter().zip(advantages).map(move |pair| (group, pair)))
        .filter_map(|(group, (rollout, advantage))| {
            let advantage = advantage.filter(|advantage| *advantage != 0.0)?;
            let tokens = [group.prompt_tokens.as_slice(), &rollout.tokens].concat();
            (!rollout.tokens.is_empty()).then_some(Row {
                tokens,
                num_prompt: group.prompt_tokens.len(),
                old_logprobs: &rollout.old_logprobs,
                advantage: advantage as f32,
            })
        })
        .collect()
}

fn update_minibatch(
    policy: &mut dyn LanguageModel,
    recipe: &GrpoRecipe,
    rows: &[&Row<'_>],
    learning_rate: f64,
    tally: &mut Tally,
) -> Result<(), EngineError> {
    let sequences: Vec<Sequence<'_>> =
        rows.iter().map(|row| Sequence { tokens: &row.tokens, num_prompt: row.num_prompt }).collect();
    let temperature = recipe.sampling.temperature;
    let (most_tokens, with_reference) = (recipe.grpo.micro_batch_tokens, recipe.loss.kl_coef != 0.0);
    let num_tokens: usize = rows.iter().map(|row| row.old_logprobs.len()).sum();
    policy.zero_gradients();
    accumulate(policy, &sequences, temperature, most_tokens, with_reference, |piece, scores, reference| {
        upstream(recipe, &rows[piece], scores, reference, num_tokens, tally)
    })?;
    tally.norms.push(policy.step(&optimiser(recipe, learning_rate))?);
    Ok(())
}

/// The derivative of the mean token loss of a minibatch of `num_tokens` by the tokens of some of its rows.
fn upstream(
    recipe: &GrpoRecipe,
    rows: &[&Row<'_>],
    scores: &Scores,
    reference: Option<&Scores>,
    num_tokens: usize,
    tally: &mut Tally,
) -> Upstream {
    let share = 1.0 / num_tokens as f32;
    let mut logprobs = Vec::with_capacity(rows.len());
    for (at, row) in rows.iter().enumerate() {
        let new_logprobs = &scores.logprobs[at];
        assert_eq!(new_logprobs.len(), row.old_logprobs.len(), "one log-probability for each sampled token");
        let mut gradients = Vec::with_capacity(new_logprobs.len());
        for (token, (new, old)) in new_logprobs.iter().zip(row.old_logprobs).enumerate() {
            let anchor = reference.map(|reference| reference.logprobs[at][token]);
            let loss = token_loss(&recipe.loss, row.advantage, *new, *old, anchor);
            gradients.push(loss.gradient * share);
            tally.tokens += 1;
            tally.policy += f64::from(loss.policy);
            tally.divergence += f64::from(loss.divergence);
            tally.clipped += usize::from(loss.clipped);
            tally.entropy += f64::from(scores.entropies[at][token]);
            tally.largest_log_ratio = tally.largest_log_ratio.max((new - old).abs());
        }
        logprobs.push(gradients);
    }
    Upstream { logprobs, ..Upstream::default() }
}

fn optimiser(recipe: &GrpoRecipe, learning_rate: f64) -> AdamW {
    recipe.optimiser.at_rate(learning_rate)
}

impl crate::recipe::OptimiserSettings {
    /// The optimiser at a learning rate.
    pub(crate) fn at_rate(&self, learning_rate: f64) -> AdamW {
        AdamW {
            lr: learning_rate as f32,
            beta1: self.beta1,
            beta2: self.beta2,
            eps: self.epsilon,
            weight_decay: self.weight_decay,
            max_grad_norm: self.max_grad_norm,
        }
    }
}

#[cfg(test)]
mod tests {
    use codeward_lm::{EngineOptions, Model, ModelConfig, start};
    use codeward_records::{FinishReason, Rollout};

    use super::*;
    use crate::recipe::Recipe;

    fn policy() -> Box<dyn LanguageModel> {
        let config = ModelConfig {
            hidden_size: 32,
            intermediate_size: 48,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            num_key_value_heads: 1,
            head_dim: 16,
            vocab_size: 40,
            max_position_embeddings: 32,
            ..ModelConfig::tiny()
        };
        start(Model::init(config, 5), &EngineOptions::default()).unwrap()
    }

    fn recipe(extra: &str) -> GrpoRecipe {
        let text = format!("kind = \"grpo\"\n[optimiser]\nlearning_rate = 1e-3\n{extra}");
        let Recipe::Grpo(recipe) = Recipe::parse(&text, "test").unwrap() else { panic!("the kind is grpo") };
        *recipe
    }

    const PROMPT: [u32; 3] = [7, 8, 9];
    const COMPLETIONS: [&[u32]; 3] = [&[1, 2, 3, 0], &[4, 5, 0], &[6, 6, 6, 6, 0]];

    fn logprobs(policy: &mut dyn LanguageModel, completion: &[u32]) -> Vec<f32> {
        let tokens = [&PROMPT, completion].concat();
        let sequence = Sequence { tokens: &tokens, num_prompt: PROMPT.len() };
        policy.score(&[sequence], 1.0).unwrap().logprobs.remove(0)
    }

    fn group(policy: &mut dyn LanguageModel, completions: &[&[u32]]) -> RolloutGroup {
        let mut rollout = |completion: &&[u32]| Rollout {
            completion: String::new(),
            tokens: completion.to_vec(),
            old_logprobs: logprobs(policy, completion),
            finish_reason: FinishReason::Stop,
            reward: None,
        };
        let rollouts = completions.iter().map(&mut rollout).collect();
        RolloutGroup { step: 1, task_id: "t".to_owned(), prompt_tokens: PROMPT.to_vec(), rollouts }
    }

    fn run(
        policy: &mut dyn LanguageModel,
        recipe: &GrpoRecipe,
        group: RolloutGroup,
        advantages: Vec<Option<f64>>,
    ) -> BTreeMap<String, f64> {
        update(policy, recipe, &[group], &[advantages], 1, recipe.optimiser.learning_rate).unwrap()
    }

    #[test]
    fn what_was_better_than_its_group_becomes_more_likely() {
        let mut policy = policy();
        let before: Vec<f32> = COMPLETIONS.iter().map(|row| logprobs(&mut *policy, row).iter().sum()).collect();
        let group = group(&mut *policy, &COMPLETIONS[..2]);
        let values = run(&mut *policy, &recipe(""), group, vec![Some(1.0), Some(-1.0)]);
        let after: Vec<f32> = COMPLETIONS.iter().map(|row| logprobs(&mut *policy, row).iter().sum()).collect();
        assert!(after[0] > before[0] && after[1] < before[1], "{before:?} {after:?}");
        // On policy the ratio is 1: the loss is minus the token-weighted mean advantage, here -(4 - 3) / 7.
        assert!((values["loss/policy"] + 1.0 / 7.0).abs() < 1e-5, "{values:?}");
        assert_eq!((values["policy/clip_fraction"], values["update/rollouts"]), (0.0, 2.0));
    }

    #[test]
    fn unscored_rollouts_and_flat_groups_leave_no_trace() {
        let (mut with, mut without) = (policy(), policy());
        let whole = group(&mut *with, &COMPLETIONS);
        let part = group(&mut *with, &COMPLETIONS[..2]);
        run(&mut *with, &recipe(""), whole.clone(), vec![Some(1.0), Some(-1.0), None]);
        run(&mut *without, &recipe(""), part, vec![Some(1.0), Some(-1.0)]);
        assert_eq!(with.weights_hash().unwrap(), without.weights_hash().unwrap());
        let mut flat = policy();
        let untouched = flat.weights_hash().unwrap();
        let values = run(&mut *flat, &recipe(""), whole, vec![Some(0.0), Some(0.0), None]);
        assert_eq!(flat.weights_hash().unwrap(), untouched);
        assert_eq!(values["update/rollouts"], 0.0);
    }

    #[test]
    fn a_second_epoch_moves_the_ratio_and_the_clip_holds_it() {
        let mut policy = policy();
        let group = group(&mut *policy, &COMPLETIONS[..2]);
        let recipe = recipe("[grpo]\nupdate_epochs = 40\n");
        let values = run(&mut *policy, &recipe, group, vec![Some(1.0), Some(-1.0)]);
        assert!(values["policy/clip_fraction"] > 0.2, "{values:?}");
        assert!(values["policy/largest_log_ratio"] > 0.2, "{values:?}");
    }
}
