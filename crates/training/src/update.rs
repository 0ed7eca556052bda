//! One update of the policy from a step's rollouts.

use std::collections::BTreeMap;

use codeward_lm::{AdamW, EngineError, LanguageModel, Scores, Sequence, Upstream};
use codeward_records::RolloutGroup;

use crate::gae::value_loss;
use crate::loss::{Tokens, completion_loss, token_weights};
use crate::micro_batch::accumulate;
use crate::recipe::RlRecipe;
use crate::seed::shuffled;
use crate::target::{Target, Targets};

/// A rollout that takes part in the update.
struct Row<'a> {
    /// Prompt and completion.
    tokens: Vec<u32>,
    num_prompt: usize,
    old_logprobs: &'a [f32],
    target: &'a Target,
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
    value: f64,
    clipped_values: usize,
    /// What each optimiser step minimised.
    losses: Vec<f64>,
    norms: Vec<f32>,
}

/// Updates the policy and gives the numbers of the update. Rollouts without a target take no part.
pub(crate) fn update(
    policy: &mut dyn LanguageModel,
    recipe: &RlRecipe,
    groups: &[RolloutGroup],
    targets: &Targets,
    step: u64,
    learning_rate: f64,
) -> Result<BTreeMap<String, f64>, EngineError> {
    let rows = rows(groups, targets);
    let sizes = recipe.sizes();
    let mut tally = Tally::default();
    for epoch in 0..sizes.update_epochs {
        let order = shuffled(rows.len(), crate::derive_seed(recipe.seed, "minibatch", &[step, epoch as u64]));
        for minibatch in order.chunks(sizes.minibatch_size) {
            let rows: Vec<&Row<'_>> = minibatch.iter().map(|at| &rows[*at]).collect();
            update_minibatch(policy, recipe, &rows, learning_rate, &mut tally)?;
        }
    }
    let count = tally.tokens.max(1) as f64;
    let norm = tally.norms.iter().map(|norm| f64::from(*norm)).sum::<f64>() / tally.norms.len().max(1) as f64;
    let loss = tally.losses.iter().sum::<f64>() / tally.losses.len().max(1) as f64;
    let mut values = BTreeMap::from([
        ("loss/total".to_owned(), loss),
        ("loss/policy".to_owned(), tally.policy / count),
        ("policy/entropy".to_owned(), tally.entropy / count),
        ("policy/clip_fraction".to_owned(), tally.clipped as f64 / count),
        ("policy/largest_log_ratio".to_owned(), f64::from(tally.largest_log_ratio)),
        ("optim/grad_norm".to_owned(), norm),
        ("optim/learning_rate".to_owned(), learning_rate),
        ("update/rollouts".to_owned(), rows.len() as f64),
    ]);
    if recipe.ppo.is_some() {
        values.insert("loss/value".to_owned(), tally.value / count);
        values.insert("value/clip_fraction".to_owned(), tally.clipped_values as f64 / count);
    }
    if recipe.loss.kl_coef != 0.0 {
        values.insert("kl/approx".to_owned(), tally.divergence / count);
    }
    Ok(values)
}

fn rows<'a>(groups: &'a [RolloutGroup], targets: &'a Targets) -> Vec<Row<'a>> {
    groups
        .iter()
        .zip(targets)
        .flat_map(|(group, targets)| group.rollouts.iter().zip(targets).map(move |pair| (group, pair)))
        .filter_map(|(group, (rollout, target))| {
            let target = target.as_ref().filter(|_| !rollout.tokens.is_empty())?;
            Some(Row {
                tokens: [group.prompt_tokens.as_slice(), &rollout.tokens].concat(),
                num_prompt: group.prompt_tokens.len(),
                old_logprobs: &rollout.old_logprobs,
                target,
            })
        })
        .collect()
}

fn update_minibatch(
    policy: &mut dyn LanguageModel,
    recipe: &RlRecipe,
    rows: &[&Row<'_>],
    learning_rate: f64,
    tally: &mut Tally,
) -> Result<(), EngineError> {
    let sequences: Vec<Sequence<'_>> =
        rows.iter().map(|row| Sequence { tokens: &row.tokens, num_prompt: row.num_prompt }).collect();
    let temperature = recipe.sampling.temperature;
    let (most_tokens, with_reference) = (recipe.sizes().micro_batch_tokens, recipe.loss.kl_coef != 0.0);
    let lengths: Vec<usize> = rows.iter().map(|row| row.old_logprobs.len()).collect();
    let weights = token_weights(recipe.loss.average, &lengths, recipe.sampling.max_new_tokens);
    tally.losses.push(0.0);
    policy.zero_gradients();
    accumulate(policy, &sequences, temperature, most_tokens, with_reference, |piece, scores, reference| {
        upstream(recipe, &rows[piece.clone()], scores, reference, &weights[piece], tally)
    })?;
    tally.norms.push(policy.step(&optimiser(recipe, learning_rate))?);
    Ok(())
}

/// The derivatives of a minibatch's loss by the tokens of some of its rows. A token of a row weighs what `weights` has for the row.
fn upstream(
    recipe: &RlRecipe,
    rows: &[&Row<'_>],
    scores: &Scores,
    reference: Option<&Scores>,
    weights: &[f32],
    tally: &mut Tally,
) -> Upstream {
    let mut upstream = Upstream::default();
    let mut total = 0.0;
    for (at, (row, weight)) in rows.iter().zip(weights).enumerate() {
        let (new, old) = (&scores.logprobs[at], row.old_logprobs);
        let tokens = Tokens {
            advantages: &row.target.advantages,
            new,
            old,
            reference: reference.map(|reference| reference.logprobs[at].as_slice()),
        };
        let losses = completion_loss(&recipe.loss, &tokens);
        upstream.logprobs.push(losses.iter().map(|loss| loss.gradient * weight).collect());
        tally.tokens += losses.len();
        let (weight_of_row, kl_coef) = (f64::from(*weight), f64::from(recipe.loss.kl_coef));
        for loss in &losses {
            total += weight_of_row * (f64::from(loss.policy) + kl_coef * f64::from(loss.divergence));
            tally.policy += f64::from(loss.policy);
            tally.divergence += f64::from(loss.divergence);
            tally.clipped += usize::from(loss.clipped);
        }
        let ratios = new.iter().zip(old).map(|(new, old)| (new - old).abs());
        tally.largest_log_ratio = ratios.fold(tally.largest_log_ratio, f32::max);
        let entropy = scores.entropies[at].iter().copied().map(f64::from).sum::<f64>();
        tally.entropy += entropy;
        total -= weight_of_row * f64::from(recipe.loss.entropy_coef) * entropy;
        if recipe.loss.entropy_coef != 0.0 {
            upstream.entropies.push(vec![-recipe.loss.entropy_coef * weight; losses.len()]);
        }
        if let (Some(ppo), Some(target)) = (&recipe.ppo, &row.target.values) {
            let losses = scores.values[at].iter().zip(target.old.iter().zip(&target.returns));
            let losses: Vec<_> =
                losses.map(|(value, (old, wanted))| value_loss(*value, *old, *wanted, ppo.value_clip)).collect();
            upstream.values.push(losses.iter().map(|loss| ppo.value_coef * loss.gradient * weight).collect());
            let loss = losses.iter().map(|loss| f64::from(loss.loss)).sum::<f64>();
            tally.value += loss;
            total += weight_of_row * f64::from(ppo.value_coef) * loss;
            tally.clipped_values += losses.iter().filter(|loss| loss.clipped).count();
        }
    }
    if let Some(loss) = tally.losses.last_mut() {
        *loss += total;
    }
    upstream
}

fn optimiser(recipe: &RlRecipe, learning_rate: f64) -> AdamW {
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

    fn recipe(extra: &str) -> RlRecipe {
        let text = format!("kind = \"grpo\"\n[optimiser]\nlearning_rate = 1e-3\n{extra}");
        let Recipe::Rl(recipe) = Recipe::parse(&text, "test").unwrap() else { panic!("the kind is grpo") };
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
        recipe: &RlRecipe,
        group: RolloutGroup,
        advantages: Vec<Option<f64>>,
    ) -> BTreeMap<String, f64> {
        let whole = |(rollout, advantage): (&Rollout, Option<f64>)| {
            let advantage = advantage.filter(|advantage| *advantage != 0.0)?;
            Some(Target { advantages: vec![advantage as f32; rollout.tokens.len()], values: None })
        };
        let targets = vec![group.rollouts.iter().zip(advantages).map(whole).collect()];
        update(policy, recipe, &[group], &targets, 1, recipe.optimiser.learning_rate).unwrap()
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

    /// What TRL made of the same rollouts (`tests/fixtures/make_trl.py`).
    #[derive(serde::Deserialize)]
    struct Transcript {
        temperature: f32,
        longest: usize,
        rows: Vec<TranscriptRow>,
        cases: Vec<TranscriptCase>,
    }

    #[derive(serde::Deserialize)]
    struct TranscriptRow {
        prompt: Vec<u32>,
        completion: Vec<u32>,
        advantage: f32,
    }

    #[derive(serde::Deserialize)]
    struct TranscriptCase {
        name: String,
        loss_settings: crate::loss::LossSettings,
        losses: Vec<f64>,
        norms: Vec<f64>,
        old_logprobs: Vec<Vec<f32>>,
    }

    /// The tensors of a file, by name.
    fn tensors(path: &std::path::Path) -> BTreeMap<String, Vec<f32>> {
        let bytes = std::fs::read(path).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let numbers = |data: &[u8]| data.chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
        file.iter().map(|(name, view)| (name.to_owned(), numbers(view.data()))).collect()
    }

    /// How far two updates of the same numbers lie apart, against the size of one.
    fn apart(before: &[f32], ours: &[f32], theirs: &[f32]) -> f64 {
        let size = |pairs: &mut dyn Iterator<Item = (&f32, &f32)>| {
            pairs.map(|(one, other)| f64::from(one - other).powi(2)).sum::<f64>().sqrt()
        };
        size(&mut ours.iter().zip(theirs)) / size(&mut theirs.iter().zip(before)).max(1e-9)
    }

    #[test]
    fn two_updates_are_those_of_trl() {
        let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let fixtures = crates.join("training/tests/fixtures/trl");
        let transcript: Transcript =
            serde_json::from_slice(&std::fs::read(fixtures.join("updates.json")).unwrap()).unwrap();
        let start_folder = crates.join("lm/tests/fixtures/parity/qwen2");
        let before = tensors(&start_folder.join("model.safetensors"));
        assert_eq!(transcript.cases.len(), 4);
        for case in &transcript.cases {
            let mut recipe = recipe("weight_decay = 0.01\nbeta1 = 0.9\nbeta2 = 0.99\n");
            recipe.loss = case.loss_settings;
            recipe.sampling.temperature = transcript.temperature;
            recipe.sampling.max_new_tokens = transcript.longest;
            let sizes = recipe.grpo.as_mut().unwrap();
            (sizes.minibatch_size, sizes.update_epochs) = (transcript.rows.len(), 2);
            let groups: Vec<RolloutGroup> = (transcript.rows.iter().zip(&case.old_logprobs))
                .map(|(row, old)| RolloutGroup {
                    step: 1,
                    task_id: "t".to_owned(),
                    prompt_tokens: row.prompt.clone(),
                    rollouts: vec![Rollout {
                        completion: String::new(),
                        tokens: row.completion.clone(),
                        old_logprobs: old.clone(),
                        finish_reason: FinishReason::Stop,
                        reward: None,
                    }],
                })
                .collect();
            let target =
                |row: &TranscriptRow| Target { advantages: vec![row.advantage; row.completion.len()], values: None };
            let targets: Targets = transcript.rows.iter().map(|row| vec![Some(target(row))]).collect();
            let options = EngineOptions { reference: true, ..EngineOptions::default() };
            let mut policy = codeward_lm::open(&start_folder, &options).unwrap();
            let values = update(&mut *policy, &recipe, &groups, &targets, 1, 1e-3).unwrap();

            let mean = |numbers: &[f64]| numbers.iter().sum::<f64>() / numbers.len() as f64;
            for (number, theirs) in [("loss/total", mean(&case.losses)), ("optim/grad_norm", mean(&case.norms))] {
                assert!(
                    (values[number] - theirs).abs() < 1e-4 * theirs.abs(),
                    "{}: {number} is {}, theirs {theirs}",
                    case.name,
                    values[number]
                );
            }
            let folder = tempfile::tempdir().unwrap();
            policy.save_model(folder.path(), codeward_lm::Precision::F32).unwrap();
            let ours = tensors(&folder.path().join("model.safetensors"));
            let theirs = tensors(&fixtures.join(format!("{}.safetensors", case.name)));
            assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
            for (name, theirs) in &theirs {
                let apart = apart(&before[name], &ours[name], theirs);
                // Adam makes a whole step of a derivative that is all but zero, as those of the keys' biases are, so that their
                // rounding shows; of all others the updates are within 4e-4.
                assert!(apart < 5e-3, "{}: the update of {name} is {apart:e} apart", case.name);
                let worst = ours[name].iter().zip(theirs).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max);
                assert!(worst < 1e-4, "{}: {name} is {worst:e} apart", case.name);
            }
        }
    }
}
