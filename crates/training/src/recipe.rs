//! Recipes: everything that decides a run, as data. An unknown key is an error; the resolved form is saved in the run folder.

use codeward_lm::{EngineOptions, Linear};
use codeward_reward::RewardRecipe;
use serde::{Deserialize, Serialize};

use crate::adapter::AdapterSettings;
use crate::grpo::{GrpoSettings, is_zero};
use crate::guard::GuardSettings;
use crate::loss::LossSettings;
use crate::seed::derive_seed;

/// A parsed recipe.
#[derive(Debug, Clone, PartialEq)]
pub enum Recipe {
    /// Reinforcement learning with a group baseline.
    Grpo(Box<GrpoRecipe>),
    /// Supervised training.
    Sft(Box<SftRecipe>),
}

/// A recipe that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipeError {
    /// The text is not TOML, has an unknown key or a value of the wrong type.
    #[error("{origin}: {reason}")]
    Parse {
        /// File or name of the recipe.
        origin: String,
        /// The parser's reason, on one line.
        reason: String,
    },
    /// `kind` is missing or unknown.
    #[error("{origin}: kind is {found:?}")]
    Kind {
        /// File or name of the recipe.
        origin: String,
        /// What stands there.
        found: String,
    },
    /// A value is outside its range.
    #[error("{origin}: {key} is {value}")]
    Range {
        /// File or name of the recipe.
        origin: String,
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
}

impl RecipeError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Parse { .. } => "every key is listed in the README beside the bundled recipes".to_owned(),
            Self::Kind { .. } => "kind is \"grpo\" or \"sft\"".to_owned(),
            Self::Range { key, allowed, .. } => format!("{key} has to be {allowed}"),
        }
    }
}

/// How the next token is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SamplingSettings {
    /// Divisor of the logits; 0 takes the most likely token.
    pub temperature: f32,
    /// Share of probability that is kept, most likely tokens first; 1 keeps all.
    pub top_p: f32,
    /// How many tokens are kept; 0 keeps all.
    pub top_k: usize,
    /// Longest completion in tokens.
    pub max_new_tokens: usize,
    /// Texts that end a completion, which is cut where they begin; the name of a marker stands for the marker.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
}

impl Default for SamplingSettings {
    fn default() -> Self {
        Self { temperature: 1.0, top_p: 1.0, top_k: 0, max_new_tokens: 256, stop: Vec::new() }
    }
}

/// The optimiser (AdamW) and its schedule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimiserSettings {
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Steps over which it rises from zero.
    pub warmup_steps: u64,
    /// Share of the peak that is left at the last step, approached along a cosine; 1 keeps it constant.
    pub final_share: f64,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// Gradients with a larger norm are scaled down to it.
    pub max_grad_norm: f32,
}

impl Default for OptimiserSettings {
    fn default() -> Self {
        Self {
            learning_rate: 5e-5,
            warmup_steps: 0,
            final_share: 1.0,
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.0,
            max_grad_norm: 1.0,
        }
    }
}

impl OptimiserSettings {
    /// The learning rate of a step, from 1.
    pub fn rate_at(&self, step: u64, num_steps: u64) -> f64 {
        if step <= self.warmup_steps {
            return self.learning_rate * step as f64 / self.warmup_steps as f64;
        }
        let span = num_steps.saturating_sub(self.warmup_steps).max(1) as f64;
        let progress = (step - self.warmup_steps) as f64 / span;
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos());
        self.learning_rate * (self.final_share + (1.0 - self.final_share) * cosine)
    }
}

/// Which tasks a run trains on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TaskSettings {
    /// `codeward-py`, or a folder laid out like it.
    pub benchmark: String,
    /// Instances of each rewarded family.
    pub instances_per_family: usize,
}

impl Default for TaskSettings {
    fn default() -> Self {
        Self { benchmark: "codeward-py".to_owned(), instances_per_family: 24 }
    }
}

/// When the state is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointSettings {
    /// Steps between checkpoints.
    pub every: u64,
    /// How many of the newest are kept.
    pub keep: usize,
}

impl Default for CheckpointSettings {
    fn default() -> Self {
        Self { every: 10, keep: 2 }
    }
}

/// How many checkpoints a guarded run keeps; it saves one at every passed probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionSettings {
    /// How many of the newest are kept.
    pub keep: usize,
}

impl Default for RetentionSettings {
    fn default() -> Self {
        Self { keep: 2 }
    }
}

/// Whether reward hacks are tried on rollouts while training.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CanarySettings {
    /// Share of a step's rollouts that they are tried on; each makes some forty programs. 0 tries nothing.
    pub share: f64,
}

impl CanarySettings {
    /// A recipe without canaries is written as it was before there were any, with the same hash.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
    fn is_off(&self) -> bool {
        *self == Self::default()
    }
}

/// How the model is evaluated before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationSettings {
    /// Who says what is secure: `tests`.
    pub judge: String,
    /// Unseen instances of each family.
    pub instances_per_family: usize,
    /// Completions of each instance.
    pub samples_per_task: u32,
    /// Divisor of the logits.
    pub temperature: f32,
    /// Longest completion in tokens.
    pub max_new_tokens: usize,
    /// Texts that end a completion, as for sampling.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
}

impl Default for EvaluationSettings {
    fn default() -> Self {
        Self {
            judge: "tests".to_owned(),
            instances_per_family: 4,
            samples_per_task: 2,
            temperature: 0.8,
            max_new_tokens: 256,
            stop: Vec::new(),
        }
    }
}

/// A recipe of kind `grpo`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrpoRecipe {
    /// Always `grpo`.
    pub kind: String,
    /// Every random draw comes from it.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// `bundled`, or a folder in Hugging Face layout.
    #[serde(default = "default_model")]
    pub model: String,
    /// A low-rank adapter to train in place of the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<AdapterSettings>,
    /// What to train on.
    #[serde(default)]
    pub tasks: TaskSettings,
    /// The algorithm.
    #[serde(default)]
    pub grpo: GrpoSettings,
    /// The loss of a token.
    #[serde(default)]
    pub loss: LossSettings,
    /// The optimiser.
    #[serde(default)]
    pub optimiser: OptimiserSettings,
    /// How rollouts are drawn.
    #[serde(default)]
    pub sampling: SamplingSettings,
    /// How completions are scored.
    #[serde(default)]
    pub reward: RewardRecipe,
    /// Whether reward hacks are tried on rollouts.
    #[serde(default, skip_serializing_if = "CanarySettings::is_off")]
    pub canary: CanarySettings,
    /// What protects function.
    #[serde(default)]
    pub guard: GuardSettings,
    /// How many checkpoints are kept.
    #[serde(default)]
    pub checkpoint: RetentionSettings,
    /// How the model is evaluated before and after.
    #[serde(default)]
    pub evaluation: EvaluationSettings,
}

/// The shape of a model that is trained from scratch, a Qwen2-style decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelShape {
    /// Width.
    pub hidden_size: usize,
    /// Width inside the feed-forward blocks.
    pub intermediate_size: usize,
    /// Blocks.
    pub num_layers: usize,
    /// Query heads.
    pub num_heads: usize,
    /// Key and value heads.
    pub num_kv_heads: usize,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// Longest sequence.
    pub max_positions: usize,
}

/// How the training text is mixed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorpusMix {
    /// `codeward-py`, or a folder laid out like it.
    pub benchmark: String,
    /// How many documents are made.
    pub num_documents: usize,
    /// Share of documents with a secure solution.
    pub secure_share: f64,
    /// Share of documents with names from a general word list.
    pub general_name_share: f64,
}

/// What supervised training does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SftSettings {
    /// Passes over the documents.
    pub num_epochs: u64,
    /// Documents in one step.
    pub batch_size: usize,
    /// Whether the prompt's tokens are learned too.
    pub loss_on_prompt: bool,
    /// Tokens whose gradients are computed at a time; 0 takes a batch at once. The gradient is that of the whole batch.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub micro_batch_tokens: usize,
}

/// A recipe of kind `sft`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SftRecipe {
    /// Always `sft`.
    pub kind: String,
    /// Every random draw comes from it.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// `scratch` for a new model of the shape below, `bundled`, or a folder in Hugging Face layout.
    pub model: String,
    /// The shape of a new model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<ModelShape>,
    /// A low-rank adapter to train in place of the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<AdapterSettings>,
    /// The training text.
    pub corpus: CorpusMix,
    /// What training does.
    pub sft: SftSettings,
    /// The optimiser.
    #[serde(default)]
    pub optimiser: OptimiserSettings,
    /// When the state is saved.
    #[serde(default)]
    pub checkpoint: CheckpointSettings,
}

fn default_seed() -> u64 {
    1
}

fn default_model() -> String {
    "bundled".to_owned()
}

impl Recipe {
    /// Parses and checks a recipe. `origin` names it in errors.
    ///
    /// # Errors
    /// When the text is malformed, has an unknown key, or a value is outside its range.
    pub fn parse(text: &str, origin: &str) -> Result<Self, RecipeError> {
        let parse_error = |error: &toml::de::Error| RecipeError::Parse {
            origin: match error.span() {
                Some(span) => format!("{origin}:{}", text[..span.start].matches('\n').count() + 1),
                None => origin.to_owned(),
            },
            reason: error.message().split_whitespace().collect::<Vec<_>>().join(" "),
        };
        let table: toml::Table = toml::from_str(text).map_err(|error| parse_error(&error))?;
        let recipe = match table.get("kind").and_then(toml::Value::as_str) {
            Some("grpo") => Self::Grpo(Box::new(toml::from_str(text).map_err(|error| parse_error(&error))?)),
            Some("sft") => Self::Sft(Box::new(toml::from_str(text).map_err(|error| parse_error(&error))?)),
            found => {
                return Err(RecipeError::Kind {
                    origin: origin.to_owned(),
                    found: found.unwrap_or("missing").to_owned(),
                });
            }
        };
        recipe.check(origin)?;
        Ok(recipe)
    }

    fn check(&self, origin: &str) -> Result<(), RecipeError> {
        let range = |ok: bool, key: &'static str, value: String, allowed: &'static str| {
            if ok { Ok(()) } else { Err(RecipeError::Range { origin: origin.to_owned(), key, value, allowed }) }
        };
        let share = |key, value: f64| range((0.0..=1.0).contains(&value), key, value.to_string(), "between 0 and 1");
        let positive = |key, value: f64| range(value > 0.0, key, value.to_string(), "above 0");
        check_adapter(self.adapter(), range)?;
        match self {
            Self::Grpo(recipe) => {
                positive("grpo.num_steps", recipe.grpo.num_steps as f64)?;
                positive("grpo.groups_per_step", recipe.grpo.groups_per_step as f64)?;
                range(
                    recipe.grpo.group_size >= 2,
                    "grpo.group_size",
                    recipe.grpo.group_size.to_string(),
                    "at least 2",
                )?;
                positive("grpo.minibatch_size", recipe.grpo.minibatch_size as f64)?;
                positive("grpo.update_epochs", recipe.grpo.update_epochs as f64)?;
                share("grpo.max_unscored_fraction", recipe.grpo.max_unscored_fraction)?;
                share("canary.share", recipe.canary.share)?;
                positive("optimiser.learning_rate", recipe.optimiser.learning_rate)?;
                positive("sampling.temperature", f64::from(recipe.sampling.temperature))?;
                positive("sampling.max_new_tokens", recipe.sampling.max_new_tokens as f64)?;
                positive("tasks.instances_per_family", recipe.tasks.instances_per_family as f64)?;
                positive("checkpoint.keep", recipe.checkpoint.keep as f64)?;
                positive("guard.every", recipe.guard.every as f64)?;
                for (key, stop) in
                    [("sampling.stop", &recipe.sampling.stop), ("evaluation.stop", &recipe.evaluation.stop)]
                {
                    let whole = stop.iter().all(|text| !text.is_empty());
                    range(whole, key, format!("{stop:?}"), "a list of texts, none of them empty")?;
                }
                let judge = &recipe.evaluation.judge;
                range(judge == "tests", "evaluation.judge", format!("{judge:?}"), "\"tests\"")
            }
            Self::Sft(recipe) => {
                positive("sft.num_epochs", recipe.sft.num_epochs as f64)?;
                positive("sft.batch_size", recipe.sft.batch_size as f64)?;
                positive("corpus.num_documents", recipe.corpus.num_documents as f64)?;
                share("corpus.secure_share", recipe.corpus.secure_share)?;
                share("corpus.general_name_share", recipe.corpus.general_name_share)?;
                positive("optimiser.learning_rate", recipe.optimiser.learning_rate)?;
                positive("checkpoint.every", recipe.checkpoint.every as f64)?;
                positive("checkpoint.keep", recipe.checkpoint.keep as f64)?;
                let shape = if recipe.shape.is_some() { "a shape" } else { "no shape" };
                let fits = (recipe.model == "scratch") == recipe.shape.is_some();
                range(fits, "shape", shape.to_owned(), "given exactly when model is \"scratch\"")?;
                let adapts = recipe.adapter.is_some() && recipe.model == "scratch";
                range(
                    !adapts,
                    "adapter",
                    "given".to_owned(),
                    "absent when model is \"scratch\": nothing is there to adapt",
                )
            }
        }
    }

    /// The adapter that is trained, if one is.
    pub fn adapter(&self) -> Option<&AdapterSettings> {
        match self {
            Self::Grpo(recipe) => recipe.adapter.as_ref(),
            Self::Sft(recipe) => recipe.adapter.as_ref(),
        }
    }

    /// How the model to train is put to work, on this computer's own engine.
    pub fn engine_options(&self) -> EngineOptions {
        let (model, reference) = match self {
            Self::Grpo(recipe) => (&recipe.model, recipe.loss.kl_coef != 0.0),
            Self::Sft(recipe) => (&recipe.model, false),
        };
        let adapter = self.adapter().map(|adapter| adapter.config(model).expect("the recipe was checked"));
        EngineOptions { adapter, reference, seed: derive_seed(self.seed(), "adapter", &[]), ..EngineOptions::default() }
    }

    /// The recipe with every default written out.
    pub fn resolved(&self) -> String {
        match self {
            Self::Grpo(recipe) => toml::to_string(recipe),
            Self::Sft(recipe) => toml::to_string(recipe),
        }
        .expect("a recipe is plain data")
    }

    /// Content hash of the resolved recipe.
    pub fn content_hash(&self) -> String {
        blake3::hash(self.resolved().as_bytes()).to_hex()[..16].to_owned()
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        match self {
            Self::Grpo(recipe) => recipe.seed,
            Self::Sft(recipe) => recipe.seed,
        }
    }
}

fn check_adapter(
    adapter: Option<&AdapterSettings>,
    range: impl Fn(bool, &'static str, String, &'static str) -> Result<(), RecipeError>,
) -> Result<(), RecipeError> {
    const TARGETS: &str = "some of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj and down_proj";
    let Some(settings) = adapter else { return Ok(()) };
    let known = |name: &String| Linear::ALL.into_iter().any(|linear| linear.name() == name);
    let targets = !settings.targets.is_empty() && settings.targets.iter().all(known);
    range(targets, "adapter.targets", format!("{:?}", settings.targets), TARGETS)?;
    range(settings.alpha.is_finite(), "adapter.alpha", settings.alpha.to_string(), "a finite number")?;
    let fits = settings.config("bundled").is_some();
    range(fits, "adapter.rank", settings.rank.to_string(), "between 1 and 65536")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolved_recipe_parses_to_itself() {
        let recipe = Recipe::parse("kind = \"grpo\"\n[grpo]\nnum_steps = 3\n", "r").unwrap();
        assert_eq!(Recipe::parse(&recipe.resolved(), "r").unwrap(), recipe);
    }

    #[test]
    fn canaries_are_off_and_then_not_written() {
        let parse = |text: &str| Recipe::parse(&format!("kind = \"grpo\"\n{text}"), "r");
        let off = parse("").unwrap();
        assert!(!off.resolved().contains("canary"));
        assert_eq!(parse("[canary]\nshare = 0.0\n").unwrap().content_hash(), off.content_hash());
        let on = parse("[canary]\nshare = 0.25\n").unwrap();
        assert!(on.resolved().contains("[canary]\nshare = 0.25\n"), "{}", on.resolved());
        assert_eq!(Recipe::parse(&on.resolved(), "r").unwrap(), on);
        assert_eq!(parse("[canary]\nshare = 1.5\n").unwrap_err().to_string(), "r: canary.share is 1.5");
    }

    #[test]
    fn stop_strings_are_none_and_then_not_written() {
        let parse = |text: &str| Recipe::parse(&format!("kind = \"grpo\"\n{text}"), "r");
        let none = parse("").unwrap();
        assert!(!none.resolved().contains("stop ="));
        assert_eq!(parse("[sampling]\nstop = []\n").unwrap().content_hash(), none.content_hash());
        let some = parse("[sampling]\nstop = [\"\\n\\n\"]\n[evaluation]\nstop = [\"<|im_end|>\"]\n").unwrap();
        assert_eq!(Recipe::parse(&some.resolved(), "r").unwrap(), some);
        assert_ne!(some.content_hash(), none.content_hash());
        let error = parse("[evaluation]\nstop = [\"\"]\n").unwrap_err();
        assert_eq!(error.to_string(), "r: evaluation.stop is [\"\"]");
    }

    #[test]
    fn an_adapter_is_none_and_then_not_written() {
        let parse = |text: &str| Recipe::parse(&format!("kind = \"grpo\"\n{text}"), "r");
        let none = parse("").unwrap();
        assert!(!none.resolved().contains("adapter") && !none.resolved().contains("micro_batch"));
        assert_eq!(
            none.engine_options(),
            EngineOptions { seed: none.engine_options().seed, ..EngineOptions::default() }
        );
        let some = parse("[adapter]\nrank = 4\ntargets = [\"q_proj\"]\n[grpo]\nmicro_batch_tokens = 512\n").unwrap();
        assert_eq!(Recipe::parse(&some.resolved(), "r").unwrap(), some);
        let config = some.engine_options().adapter.unwrap();
        assert_eq!((config.rank, config.alpha, config.targets), (4, 32.0, [Linear::Query].into()));
        assert!(parse("[loss]\nkl_coef = 0.1\n[adapter]\n").unwrap().engine_options().reference);
        for (text, error) in [
            ("rank = 0", "r: adapter.rank is 0"),
            ("alpha = inf", "r: adapter.alpha is inf"),
            ("targets = [\"q\"]", "r: adapter.targets is [\"q\"]"),
            ("targets = []", "r: adapter.targets is []"),
        ] {
            assert_eq!(parse(&format!("[adapter]\n{text}\n")).unwrap_err().to_string(), error);
        }
    }

    #[test]
    fn mistakes_name_their_place() {
        let error = |text: &str| Recipe::parse(text, "my.toml").unwrap_err().to_string();
        let unknown = error("kind = \"grpo\"\n\n[grpo]\nnum_stepz = 3\n");
        assert!(unknown.starts_with("my.toml:4: unknown field `num_stepz`, expected one of"), "{unknown}");
        assert_eq!(error("seed = 1\n"), "my.toml: kind is \"missing\"");
        assert_eq!(error("kind = \"grpo\"\n[grpo]\ngroup_size = 1\n"), "my.toml: grpo.group_size is 1");
        assert!(error("kind = ").starts_with("my.toml:1: "));
    }

    #[test]
    fn the_rate_warms_up_and_decays() {
        let settings =
            OptimiserSettings { learning_rate: 1.0, warmup_steps: 10, final_share: 0.1, ..Default::default() };
        assert_eq!(settings.rate_at(5, 110), 0.5);
        assert_eq!(settings.rate_at(10, 110), 1.0);
        assert!((settings.rate_at(60, 110) - 0.55).abs() < 1e-12);
        assert!((settings.rate_at(110, 110) - 0.1).abs() < 1e-12);
        assert_eq!(OptimiserSettings { learning_rate: 2.0, ..Default::default() }.rate_at(7, 9), 2.0);
    }
}
