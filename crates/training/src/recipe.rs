//! Recipes: everything that decides a run, as data. An unknown key is an error; the resolved form is saved in the run folder.

use codeward_lm::{EngineOptions, Linear};
use codeward_reward::RewardRecipe;
use serde::{Deserialize, Serialize};

use crate::adapter::AdapterSettings;
use crate::advantage::{AdvantageSettings, Baseline};
use crate::alarms::AlarmSettings;
use crate::grpo::{GrpoSettings, Sizes, is_zero};
use crate::guard::GuardSettings;
use crate::loss::LossSettings;
use crate::ppo::PpoSettings;
use crate::preference::PreferenceLoss;
use crate::seed::derive_seed;

/// A parsed recipe.
#[derive(Debug, Clone, PartialEq)]
pub enum Recipe {
    /// Reinforcement learning: GRPO, PPO and their kin.
    Rl(Box<RlRecipe>),
    /// Supervised training.
    Sft(Box<SftRecipe>),
    /// Training on pairs: DPO, SimPO.
    Preference(Box<PreferenceRecipe>),
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
            Self::Parse { .. } => "docs/training.md lists every key".to_owned(),
            Self::Kind { .. } => "kind is \"grpo\", \"ppo\", \"preference\" or \"sft\"".to_owned(),
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

/// A recipe of kind `grpo` or `ppo`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RlRecipe {
    /// `grpo` or `ppo`.
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
    /// The algorithm, where it is GRPO.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpo: Option<GrpoSettings>,
    /// The algorithm, where it is PPO.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ppo: Option<PpoSettings>,
    /// How rewards become advantages, beside what the algorithm decides.
    #[serde(default, skip_serializing_if = "is_default")]
    pub advantage: AdvantageSettings,
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
    /// What is taken for a sign that something goes wrong.
    #[serde(default, skip_serializing_if = "AlarmSettings::is_default")]
    pub alarms: AlarmSettings,
    /// How many checkpoints are kept.
    #[serde(default)]
    pub checkpoint: RetentionSettings,
    /// How the model is evaluated before and after.
    #[serde(default)]
    pub evaluation: EvaluationSettings,
}

fn is_default(settings: &AdvantageSettings) -> bool {
    *settings == AdvantageSettings::default()
}

impl RlRecipe {
    /// The sizes of a step, whichever algorithm it is.
    pub fn sizes(&self) -> Sizes {
        self.ppo.as_ref().map_or_else(|| self.grpo.unwrap_or_default(), PpoSettings::sizes)
    }

    /// Has the run end after so many updates.
    pub fn set_num_steps(&mut self, num_steps: u64) {
        match (&mut self.grpo, &mut self.ppo) {
            (_, Some(ppo)) => ppo.num_steps = num_steps,
            (grpo, None) => grpo.get_or_insert_default().num_steps = num_steps,
        }
    }

    /// Whether the loss or the rewards compare the policy with what it was.
    pub fn needs_reference(&self) -> bool {
        self.loss.kl_coef != 0.0 || self.ppo.is_some_and(|ppo| ppo.kl_reward_coef != 0.0)
    }

    fn check(&self, ranges: &Ranges<'_>) -> Result<(), RecipeError> {
        self.check_algorithm(ranges)?;
        ranges.share("canary.share", self.canary.share)?;
        ranges.not_negative("advantage.token_credit", self.advantage.token_credit)?;
        let clip_low = f64::from(self.loss.clip_low);
        ranges.of((0.0..=1.0).contains(&clip_low), "loss.clip_low", &clip_low, "between 0 and 1")?;
        ranges.positive("loss.clip_high", f64::from(self.loss.clip_high))?;
        ranges.of(self.loss.dual_clip > 1.0, "loss.dual_clip", &self.loss.dual_clip, "above 1; inf turns it off")?;
        ranges.not_negative("loss.kl_coef", f64::from(self.loss.kl_coef))?;
        ranges.positive("optimiser.learning_rate", self.optimiser.learning_rate)?;
        ranges.positive("sampling.temperature", f64::from(self.sampling.temperature))?;
        ranges.positive("sampling.max_new_tokens", self.sampling.max_new_tokens as f64)?;
        ranges.positive("tasks.instances_per_family", self.tasks.instances_per_family as f64)?;
        ranges.positive("checkpoint.keep", self.checkpoint.keep as f64)?;
        ranges.positive("guard.every", self.guard.every as f64)?;
        ranges.positive("alarms.window", self.alarms.window as f64)?;
        let stop = self.alarms.stop_at_kl;
        ranges.of(stop > 0.0, "alarms.stop_at_kl", &stop, "above 0; inf is never")?;
        let is_watched = stop.is_infinite() || self.loss.kl_coef != 0.0;
        ranges.of(
            is_watched,
            "loss.kl_coef",
            &self.loss.kl_coef,
            "above 0, however little, where alarms.stop_at_kl is given",
        )?;
        ranges.check_stop("sampling.stop", &self.sampling.stop)?;
        ranges.check_stop("evaluation.stop", &self.evaluation.stop)?;
        let judge = &self.evaluation.judge;
        ranges.of(judge == "tests", "evaluation.judge", &format!("{judge:?}"), "\"tests\"")
    }

    fn check_algorithm(&self, ranges: &Ranges<'_>) -> Result<(), RecipeError> {
        if let Some(ppo) = &self.ppo {
            ranges.positive("ppo.num_steps", ppo.num_steps as f64)?;
            ranges.positive("ppo.tasks_per_step", ppo.tasks_per_step as f64)?;
            ranges.positive("ppo.rollouts_per_task", ppo.rollouts_per_task as f64)?;
            ranges.positive("ppo.minibatch_size", ppo.minibatch_size as f64)?;
            ranges.positive("ppo.update_epochs", ppo.update_epochs as f64)?;
            ranges.share("ppo.max_unscored_fraction", ppo.max_unscored_fraction)?;
            ranges.not_negative("ppo.value_coef", f64::from(ppo.value_coef))?;
            ranges.positive("ppo.value_clip", f64::from(ppo.value_clip))?;
            ranges.not_negative("ppo.kl_reward_coef", f64::from(ppo.kl_reward_coef))?;
            ranges.share("ppo.gae.gamma", ppo.gae.gamma)?;
            return ranges.share("ppo.gae.lambda", ppo.gae.lambda);
        }
        let grpo = self.sizes();
        ranges.positive("grpo.num_steps", grpo.num_steps as f64)?;
        ranges.positive("grpo.groups_per_step", grpo.groups_per_step as f64)?;
        let is_alone = self.advantage.baseline == Baseline::Batch;
        ranges.of(
            grpo.group_size >= 2 || is_alone && grpo.group_size == 1,
            "grpo.group_size",
            &grpo.group_size,
            "at least 2, as a rollout is compared with others of its group",
        )?;
        ranges.positive("grpo.minibatch_size", grpo.minibatch_size as f64)?;
        ranges.positive("grpo.update_epochs", grpo.update_epochs as f64)?;
        ranges.share("grpo.max_unscored_fraction", grpo.max_unscored_fraction)
    }

    /// Writes out the settings of the algorithm that `kind` names, and refuses those of another.
    fn settle(&mut self, origin: &str) -> Result<(), RecipeError> {
        let stray = |key: &'static str, given: bool| RecipeError::Range {
            origin: origin.to_owned(),
            key,
            value: if given { "given" } else { "missing" }.to_owned(),
            allowed: "given only for the kind of its name",
        };
        if self.kind == "ppo" {
            self.ppo.get_or_insert_default();
            return if self.grpo.is_some() { Err(stray("grpo", true)) } else { Ok(()) };
        }
        self.grpo.get_or_insert_default();
        if self.ppo.is_some() { Err(stray("ppo", true)) } else { Ok(()) }
    }
}

/// What the numbers of a recipe may be.
struct Ranges<'a> {
    origin: &'a str,
}

impl Ranges<'_> {
    fn of(
        &self,
        is_in: bool,
        key: &'static str,
        value: &dyn std::fmt::Display,
        allowed: &'static str,
    ) -> Result<(), RecipeError> {
        if is_in {
            return Ok(());
        }
        Err(RecipeError::Range { origin: self.origin.to_owned(), key, value: value.to_string(), allowed })
    }

    fn check_adapter(&self, adapter: &AdapterSettings) -> Result<(), RecipeError> {
        const TARGETS: &str = "some of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj and down_proj";
        let known = |name: &String| Linear::ALL.into_iter().any(|linear| linear.name() == name);
        let targets = !adapter.targets.is_empty() && adapter.targets.iter().all(known);
        self.of(targets, "adapter.targets", &format!("{:?}", adapter.targets), TARGETS)?;
        self.of(adapter.alpha.is_finite(), "adapter.alpha", &adapter.alpha, "a finite number")?;
        self.of(adapter.config("bundled").is_some(), "adapter.rank", &adapter.rank, "between 1 and 65536")
    }

    fn check_stop(&self, key: &'static str, stop: &[String]) -> Result<(), RecipeError> {
        let whole = stop.iter().all(|text| !text.is_empty());
        self.of(whole, key, &format!("{stop:?}"), "a list of texts, none of them empty")
    }

    fn share(&self, key: &'static str, value: f64) -> Result<(), RecipeError> {
        self.of((0.0..=1.0).contains(&value), key, &value, "between 0 and 1")
    }

    fn positive(&self, key: &'static str, value: f64) -> Result<(), RecipeError> {
        self.of(value > 0.0 && value.is_finite(), key, &value, "above 0")
    }

    fn not_negative(&self, key: &'static str, value: f64) -> Result<(), RecipeError> {
        self.of(value >= 0.0 && value.is_finite(), key, &value, "0 or above")
    }
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

/// What training on pairs does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PreferenceSettings {
    /// Passes over the pairs.
    pub num_epochs: u64,
    /// Pairs in one step.
    pub batch_size: usize,
    /// Whether only tokens that the other side does not have are learned.
    pub changed_tokens_only: bool,
}

impl Default for PreferenceSettings {
    fn default() -> Self {
        Self { num_epochs: 1, batch_size: 32, changed_tokens_only: false }
    }
}

/// A recipe of kind `preference`: every repair that the tasks' references show is a pair, the secure side the better one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreferenceRecipe {
    /// Always `preference`.
    pub kind: String,
    /// Every random draw comes from it.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// `bundled`, or a folder in Hugging Face layout.
    #[serde(default = "default_model")]
    pub model: String,
    /// Whose references are learned from.
    #[serde(default)]
    pub tasks: TaskSettings,
    /// What training does.
    #[serde(default)]
    pub preference: PreferenceSettings,
    /// A low-rank adapter that is trained in place of the weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<AdapterSettings>,
    /// The loss of a pair.
    pub loss: PreferenceLoss,
    /// The optimiser.
    #[serde(default)]
    pub optimiser: OptimiserSettings,
    /// When the state is saved.
    #[serde(default)]
    pub checkpoint: CheckpointSettings,
}

impl PreferenceRecipe {
    fn check(&self, ranges: &Ranges<'_>) -> Result<(), RecipeError> {
        ranges.positive("preference.num_epochs", self.preference.num_epochs as f64)?;
        ranges.positive("preference.batch_size", self.preference.batch_size as f64)?;
        ranges.positive("tasks.instances_per_family", self.tasks.instances_per_family as f64)?;
        match self.loss {
            PreferenceLoss::Dpo { beta, label_smoothing } => {
                ranges.positive("loss.beta", beta)?;
                let is_in = (0.0..0.5).contains(&label_smoothing);
                ranges.of(is_in, "loss.label_smoothing", &label_smoothing, "from 0 to below 0.5")?;
            }
            PreferenceLoss::Simpo { beta, gamma } => {
                ranges.positive("loss.beta", beta)?;
                ranges.not_negative("loss.gamma", gamma)?;
            }
        }
        ranges.positive("optimiser.learning_rate", self.optimiser.learning_rate)?;
        ranges.positive("checkpoint.every", self.checkpoint.every as f64)?;
        ranges.positive("checkpoint.keep", self.checkpoint.keep as f64)
    }
}

impl SftRecipe {
    fn check(&self, ranges: &Ranges<'_>) -> Result<(), RecipeError> {
        ranges.positive("sft.num_epochs", self.sft.num_epochs as f64)?;
        ranges.positive("sft.batch_size", self.sft.batch_size as f64)?;
        ranges.positive("corpus.num_documents", self.corpus.num_documents as f64)?;
        ranges.share("corpus.secure_share", self.corpus.secure_share)?;
        ranges.share("corpus.general_name_share", self.corpus.general_name_share)?;
        ranges.positive("optimiser.learning_rate", self.optimiser.learning_rate)?;
        ranges.positive("checkpoint.every", self.checkpoint.every as f64)?;
        ranges.positive("checkpoint.keep", self.checkpoint.keep as f64)?;
        let shape = if self.shape.is_some() { "a shape" } else { "no shape" };
        let fits = (self.model == "scratch") == self.shape.is_some();
        ranges.of(fits, "shape", &shape, "given exactly when model is \"scratch\"")?;
        let adapts = self.adapter.is_some() && self.model == "scratch";
        ranges.of(!adapts, "adapter", &"given", "absent when model is \"scratch\": nothing is there to adapt")
    }
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
            Some("grpo" | "ppo") => {
                let mut recipe: Box<RlRecipe> = Box::new(toml::from_str(text).map_err(|error| parse_error(&error))?);
                recipe.settle(origin)?;
                Self::Rl(recipe)
            }
            Some("sft") => Self::Sft(Box::new(toml::from_str(text).map_err(|error| parse_error(&error))?)),
            Some("preference") => {
                Self::Preference(Box::new(toml::from_str(text).map_err(|error| parse_error(&error))?))
            }
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
        let ranges = Ranges { origin };
        if let Some(adapter) = self.adapter() {
            ranges.check_adapter(adapter)?;
        }
        match self {
            Self::Rl(recipe) => recipe.check(&ranges),
            Self::Sft(recipe) => recipe.check(&ranges),
            Self::Preference(recipe) => recipe.check(&ranges),
        }
    }

    /// The adapter that is trained, if one is.
    pub fn adapter(&self) -> Option<&AdapterSettings> {
        match self {
            Self::Rl(recipe) => recipe.adapter.as_ref(),
            Self::Sft(recipe) => recipe.adapter.as_ref(),
            Self::Preference(recipe) => recipe.adapter.as_ref(),
        }
    }

    /// How the model to train is put to work, on this computer's own engine.
    pub fn engine_options(&self) -> EngineOptions {
        let (model, reference, value_head) = match self {
            Self::Rl(recipe) => (&recipe.model, recipe.needs_reference(), recipe.ppo.is_some()),
            Self::Sft(recipe) => (&recipe.model, false, false),
            Self::Preference(recipe) => (&recipe.model, recipe.loss.needs_reference(), false),
        };
        let adapter = self.adapter().map(|adapter| adapter.config(model).expect("the recipe was checked"));
        let seed = derive_seed(self.seed(), "adapter", &[]);
        EngineOptions { adapter, reference, value_head, seed, ..EngineOptions::default() }
    }

    /// The recipe with every default written out.
    pub fn resolved(&self) -> String {
        match self {
            Self::Rl(recipe) => toml::to_string(recipe),
            Self::Sft(recipe) => toml::to_string(recipe),
            Self::Preference(recipe) => toml::to_string(recipe),
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
            Self::Rl(recipe) => recipe.seed,
            Self::Sft(recipe) => recipe.seed,
            Self::Preference(recipe) => recipe.seed,
        }
    }
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
