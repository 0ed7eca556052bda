//! What work with models takes in memory, and what of it fits this host.

use std::fmt::Write as _;
use std::path::Path;

use codeward_lm::{
    Activations, Bytes, DoesNotFit, EngineOptions, Family, HostMemory, MemoryNeed, MemoryPlan, ModelConfig,
    SamplingLoad, Tokenizer, TrainingLoad, Workload, plan_memory,
};
use codeward_synthesis::{Benchmark, Split};
use codeward_training::RlRecipe;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::{bundled, hub, output, workbench};

/// The names of the kinds of work that people ask about, and what they take.
pub(crate) fn kinds(need: &MemoryNeed) -> [(&'static str, MemoryPlan); 5] {
    [
        ("sample", need.sample),
        ("train", need.train),
        ("train_recomputing", need.train_recomputing),
        ("adapt", need.adapt),
        ("adapt_recomputing", need.adapt_recomputing),
    ]
}

/// Bytes by kind of work.
pub(crate) fn as_json(need: &MemoryNeed) -> Value {
    let mut object = serde_json::Map::from_iter([("weights".to_owned(), json!(need.sample.weights))]);
    object.extend(kinds(need).map(|(name, plan)| (name.to_owned(), json!(plan.with_margin()))));
    Value::Object(object)
}

/// One line: what each kind of work takes.
pub(crate) fn describe(need: &MemoryNeed) -> String {
    let size = |plan: &MemoryPlan| Bytes(plan.with_margin());
    format!(
        "sample {}, train {} ({} recomputing), adapter {} ({} recomputing)",
        size(&need.sample),
        size(&need.train),
        size(&need.train_recomputing),
        size(&need.adapt),
        size(&need.adapt_recomputing),
    )
}

/// Published models of several sizes, by name.
pub(crate) fn known_models() -> [(&'static str, ModelConfig); 6] {
    let shape = |family, layers, hidden, inner, heads: [usize; 2], vocabulary, tied| ModelConfig {
        hidden_size: hidden,
        intermediate_size: inner,
        num_hidden_layers: layers,
        num_attention_heads: heads[0],
        num_key_value_heads: heads[1],
        head_dim: hidden / heads[0],
        vocab_size: vocabulary,
        max_position_embeddings: 8192,
        tie_word_embeddings: tied,
        ..ModelConfig::of_family(family)
    };
    let qwen = |layers, hidden, inner, heads| shape(Family::Qwen2, layers, hidden, inner, heads, 151_936, true);
    [
        ("SmolLM2-135M", shape(Family::Llama, 30, 576, 1536, [9, 3], 49_152, true)),
        ("SmolLM2-360M", shape(Family::Llama, 32, 960, 2560, [15, 5], 49_152, true)),
        ("Qwen2.5-Coder-0.5B", qwen(24, 896, 4864, [14, 2])),
        ("Qwen2.5-Coder-1.5B", qwen(28, 1536, 8960, [12, 2])),
        ("Qwen2.5-Coder-3B", qwen(36, 2048, 11_008, [16, 2])),
        ("Qwen2.5-Coder-7B", shape(Family::Qwen2, 28, 3584, 18_944, [28, 4], 152_064, false)),
    ]
}

/// The options that a run of a recipe fits this host with: activations are computed again where it fits only so. What is
/// decided is said on standard error.
///
/// # Errors
/// If the model cannot be read, or the run does not fit either way.
pub(crate) fn obey(recipe: &RlRecipe, options: EngineOptions, benchmark: &Benchmark) -> Result<EngineOptions, Failure> {
    // Plans are of the processor's own engine.
    let is_planned = workbench::on_engine(&options).engine == EngineOptions::default().engine;
    let Some(host) = HostMemory::read().filter(|_| is_planned) else { return Ok(options) };
    let bundled = if recipe.model == "bundled" { Some(bundled::model()?) } else { None };
    let folder = match &bundled {
        Some(folder) => folder.path().to_owned(),
        None => hub::place(Path::new(&recipe.model))?,
    };
    let (config, tokenizer) = (ModelConfig::load(&folder)?, Tokenizer::load(&folder)?);
    let tasks = benchmark.tasks(Split::Rewarded, recipe.tasks.instances_per_family);
    let prompts: Vec<usize> = tasks.iter().map(|task| tokenizer.encode(&task.prompt).len()).collect();
    let run = Run::new(recipe, &options, &prompts);
    let Decision { activations, warning } = run
        .decide(&config, host)
        .map_err(|refusal| Failure::new(format!("the run does not fit this host: {refusal}"), hint(&refusal)))?;
    if let Some(warning) = warning {
        output::note(&warning);
    }
    Ok(EngineOptions { activations, ..options })
}

/// What would fit, and the keys of a recipe that say so.
fn hint(refusal: &DoesNotFit) -> String {
    format!(
        "{} (in a recipe: `micro_batch_tokens` of its algorithm, `[adapter]`, `sampling.max_new_tokens`)",
        refusal.hint()
    )
}

/// The memory that a run takes, by the lengths of its completions.
struct Run {
    workload: Workload,
    /// Rollouts of an update, the tokens of their prompts, the most of them at a time (0: all), and the length of the longest prompt.
    minibatch: usize,
    prompt_tokens: f64,
    micro_batch_tokens: usize,
    longest_prompt: usize,
    new_tokens: usize,
}

/// How a run is to be done.
#[derive(Debug, PartialEq)]
struct Decision {
    activations: Activations,
    /// What its user should know.
    warning: Option<String>,
}

impl Run {
    fn new(recipe: &RlRecipe, options: &EngineOptions, prompts: &[usize]) -> Self {
        let sizes = recipe.sizes();
        let rollouts = sizes.groups_per_step * sizes.group_size;
        let longest_prompt = prompts.iter().copied().max().unwrap_or(0);
        let training = TrainingLoad {
            batch_tokens: 0,
            longest: 0,
            activations: options.activations,
            adapter: options.adapter.clone(),
            reference: options.reference,
        };
        let sampling = SamplingLoad {
            rows: rollouts,
            prompts: sizes.groups_per_step,
            prompt_tokens: longest_prompt,
            new_tokens: recipe.sampling.max_new_tokens,
        };
        Self {
            workload: Workload { training: Some(training), sampling: Some(sampling) },
            minibatch: sizes.minibatch_size.min(rollouts),
            prompt_tokens: prompts.iter().sum::<usize>() as f64 / prompts.len().max(1) as f64,
            micro_batch_tokens: sizes.micro_batch_tokens,
            longest_prompt,
            new_tokens: recipe.sampling.max_new_tokens,
        }
    }

    /// The work when completions are so long, one at least being of full length.
    fn of_length(&self, new_tokens: usize, activations: Activations) -> Workload {
        let mut workload = self.workload.clone();
        if let Some(training) = &mut workload.training {
            let longest = self.longest_prompt + self.new_tokens;
            let all = (self.minibatch as f64 * (self.prompt_tokens + new_tokens as f64)) as usize;
            let together = if self.micro_batch_tokens == 0 { all } else { all.min(self.micro_batch_tokens) };
            (training.batch_tokens, training.longest) = (together.max(longest), longest);
            training.activations = activations;
        }
        workload
    }

    /// Judges by completions of half the length they may have, and warns where only full ones do not fit.
    fn decide(&self, config: &ModelConfig, host: HostMemory) -> Result<Decision, Box<DoesNotFit>> {
        let typical = |activations| self.of_length(self.new_tokens.div_ceil(2), activations);
        let wanted = self.workload.training.as_ref().map_or(Activations::Keep, |training| training.activations);
        let (activations, switched) = match plan_memory(config, &typical(wanted), host) {
            Ok(_) => (wanted, None),
            Err(refusal) => {
                let plan = plan_memory(config, &typical(Activations::Recompute), host)?;
                let line = format!(
                    "activations are computed again in the backward pass, which takes about a fifth longer: with them kept the run takes {}, so {}, and {} are {}",
                    Bytes(refusal.plan.with_margin()),
                    Bytes(plan.with_margin()),
                    Bytes(host.available),
                    host.bound,
                );
                (Activations::Recompute, Some(line))
            }
        };
        let most = MemoryPlan::new(config, &self.of_length(self.new_tokens, activations)).with_margin();
        let risk = (most > host.available).then(|| {
            format!(
                "memory could run out: if every completion were as long as it may be, {} would be needed, and {} are {}; a smaller micro_batch_tokens in the recipe bounds it",
                Bytes(most),
                Bytes(host.available),
                host.bound,
            )
        });
        let lines: Vec<String> = switched.into_iter().chain(risk).collect();
        Ok(Decision { activations, warning: (!lines.is_empty()).then(|| lines.join("\n")) })
    }
}

/// What fits a host, as `doctor --json` says it.
pub(crate) fn host_as_json(host: Option<HostMemory>) -> Value {
    let models: Vec<Value> = known_models()
        .iter()
        .map(|(name, config)| {
            let work: serde_json::Map<String, Value> = kinds(&MemoryNeed::new(config))
                .into_iter()
                .map(|(kind, plan)| {
                    let bytes = plan.with_margin();
                    (kind.to_owned(), json!({"bytes": bytes, "fits": host.map(|host| bytes <= host.available)}))
                })
                .collect();
            json!({"name": name, "work": work})
        })
        .collect();
    json!({"available_bytes": host.map(|host| host.available), "bound": host.map(|host| host.bound.to_string()), "models": models})
}

/// What fits a host, one line a model.
pub(crate) fn describe_host(host: Option<HostMemory>) -> String {
    let free = host.map_or("unknown".to_owned(), |host| format!("{} {}", Bytes(host.available), host.bound));
    let mut text = format!("memory        {free}; what fits, for 16 sequences of 256 tokens:\n");
    for (name, config) in known_models() {
        let need = MemoryNeed::new(&config);
        let says = |name: &str, kept: MemoryPlan, again: Option<MemoryPlan>| {
            let fits = |plan: MemoryPlan| host.is_none_or(|host| plan.with_margin() <= host.available);
            match again {
                _ if fits(kept) => format!("{name} {}", Bytes(kept.with_margin())),
                Some(again) if fits(again) => format!("{name} {}, recomputing", Bytes(again.with_margin())),
                _ => format!("{name} no"),
            }
        };
        let sample = says("sampling", need.sample, None);
        let adapt = says("adapter", need.adapt, Some(need.adapt_recomputing));
        let train = says("all weights", need.train, Some(need.train_recomputing));
        let _ = writeln!(text, "  {name:<19} {sample:<19} {adapt:<30} {train}");
    }
    text
}

#[cfg(test)]
mod tests {
    use codeward_lm::MemoryBound;
    use codeward_training::Recipe;

    use super::*;

    /// SmolLM2-135M, 64 rollouts of 100 + 256 tokens in an update, and so much memory.
    fn decide(mebibytes: u64, settings: &str) -> Result<Decision, Box<DoesNotFit>> {
        let text = format!(
            "kind = \"grpo\"\nmodel = \"m\"\n[grpo]\ngroups_per_step = 8\ngroup_size = 8\nminibatch_size = 64\n{settings}\n[sampling]\nmax_new_tokens = 256\n"
        );
        let recipe = Recipe::parse(&text, "test").unwrap();
        let options = recipe.engine_options();
        let Recipe::Rl(recipe) = recipe else { panic!("a recipe of reinforcement learning") };
        let host = HostMemory { available: mebibytes << 20, bound: MemoryBound::Machine };
        let (_, config) = &known_models()[0];
        Run::new(&recipe, &options, &[80, 120]).decide(config, host)
    }

    #[test]
    fn a_run_is_done_as_it_fits_and_else_refused() {
        let kept = Decision { activations: Activations::Keep, warning: None };
        assert_eq!(decide(1 << 20, "").unwrap(), kept);
        // By hand: 64 rollouts of 100 + 128 tokens are 14592 rows, each 30 x (4 x 576 + 960 + 576 + 3 x 1536 + 11) numbers: 13.8 GiB kept.
        let again = decide(13 << 10, "").unwrap();
        assert_eq!(again.activations, Activations::Recompute);
        assert!(again.warning.unwrap().starts_with("activations are computed again"));
        let refusal = decide(2 << 10, "").unwrap_err();
        assert!(refusal.plan.with_margin() > 2 << 30);
        assert!(hint(&refusal).contains("micro_batch_tokens"), "{}", hint(&refusal));
        // The same run, by portions of 1024 tokens.
        assert_eq!(decide(13 << 10, "micro_batch_tokens = 1024").unwrap(), kept);
    }

    #[test]
    fn only_the_worst_case_is_no_reason_to_refuse() {
        // Completions of full length take half as much again as those of half the length.
        let mut warned = 0;
        for mebibytes in (2 << 10..40 << 10).step_by(256) {
            let Ok(decision) = decide(mebibytes, "") else { continue };
            let Some(warning) = decision.warning else { continue };
            if decision.activations == Activations::Keep {
                assert!(warning.starts_with("memory could run out"), "{warning}");
                warned += 1;
            }
        }
        assert!(warned > 4, "{warned}");
    }

    #[test]
    fn known_models_have_the_sizes_that_their_names_say() {
        let millions: Vec<u64> =
            known_models().iter().map(|(_, config)| MemoryNeed::new(config).sample.weights / 4 / 1_000_000).collect();
        // By the model cards: 134.5, 361.8, 494.0, 1543.7, 3085.9 and 7615.6 million.
        assert_eq!(millions, [134, 361, 494, 1543, 3085, 7615]);
    }
}
