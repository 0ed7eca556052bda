//! Recipes of supervised training.

use serde::{Deserialize, Serialize};

use crate::adapter::AdapterSettings;
use crate::grpo::is_zero;
use crate::recipe::{CheckpointSettings, OptimiserSettings, Ranges, RecipeError, default_seed};

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

/// What is learned beside a corpus, or in place of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExampleSettings {
    /// JSONL files with `prompt` and `completion` in every line.
    pub files: Vec<String>,
    /// Where repairs are from: `codeward-py`, or a folder laid out like it.
    pub benchmark: String,
    /// Instances of each rewarded family whose references show repairs, which are learned; 0 takes none.
    pub repairs_per_family: usize,
}

impl Default for ExampleSettings {
    fn default() -> Self {
        Self { files: Vec::new(), benchmark: "codeward-py".to_owned(), repairs_per_family: 0 }
    }
}

impl ExampleSettings {
    /// A recipe without examples is written as it was before there were any, with the same hash.
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    fn is_none(&self) -> bool {
        self.files.is_empty() && self.repairs_per_family == 0
    }
}

/// What supervised training does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SftSettings {
    /// Passes over the examples.
    pub num_epochs: u64,
    /// Examples in one step.
    pub batch_size: usize,
    /// Tokens in one step, prompts included, in place of a number of examples; 0 counts examples.
    #[serde(skip_serializing_if = "is_zero")]
    pub batch_tokens: usize,
    /// Whether the prompt's tokens are learned too.
    pub loss_on_prompt: bool,
    /// Whether only tokens are learned that a repair put in.
    #[serde(skip_serializing_if = "is_false")]
    pub changed_tokens_only: bool,
    /// Tokens whose gradients are computed at a time; 0 takes a batch at once. The gradient is that of the whole batch.
    #[serde(skip_serializing_if = "is_zero")]
    pub micro_batch_tokens: usize,
}

impl Default for SftSettings {
    fn default() -> Self {
        Self {
            num_epochs: 1,
            batch_size: 32,
            batch_tokens: 0,
            loss_on_prompt: false,
            changed_tokens_only: false,
            micro_batch_tokens: 0,
        }
    }
}

/// As [`is_zero`], for a switch.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_false(switch: &bool) -> bool {
    !*switch
}

impl SftSettings {
    pub(crate) fn check(&self, ranges: &Ranges<'_>) -> Result<(), RecipeError> {
        ranges.positive("sft.num_epochs", self.num_epochs as f64)?;
        ranges.positive("sft.batch_size", self.batch_size as f64)?;
        let masks_twice = self.changed_tokens_only && self.loss_on_prompt;
        ranges.of(!masks_twice, "sft.loss_on_prompt", &"true", "false where only changed tokens are learned")
    }
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
    /// Training text that the families of a benchmark make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corpus: Option<CorpusMix>,
    /// Training text of other origin.
    #[serde(default, skip_serializing_if = "ExampleSettings::is_default")]
    pub examples: ExampleSettings,
    /// What training does.
    #[serde(default)]
    pub sft: SftSettings,
    /// The optimiser.
    #[serde(default)]
    pub optimiser: OptimiserSettings,
    /// When the state is saved.
    #[serde(default)]
    pub checkpoint: CheckpointSettings,
}

impl SftRecipe {
    pub(crate) fn check(&self, ranges: &Ranges<'_>) -> Result<(), RecipeError> {
        self.sft.check(ranges)?;
        if let Some(corpus) = &self.corpus {
            ranges.positive("corpus.num_documents", corpus.num_documents as f64)?;
            ranges.share("corpus.secure_share", corpus.secure_share)?;
            ranges.share("corpus.general_name_share", corpus.general_name_share)?;
        }
        let is_something = self.corpus.is_some() || !self.examples.is_none();
        ranges.of(is_something, "corpus", &"missing", "given, or examples.files or examples.repairs_per_family")?;
        let is_repair = !self.sft.changed_tokens_only || self.corpus.is_none();
        ranges.of(
            is_repair,
            "sft.changed_tokens_only",
            &"true",
            "false with a corpus, whose documents repair nothing",
        )?;
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

#[cfg(test)]
mod tests {
    use crate::recipe::Recipe;

    const CORPUS: &str = "kind = \"sft\"\nmodel = \"bundled\"\n[corpus]\nbenchmark = \"codeward-py\"\nnum_documents = 8\n\
                          secure_share = 0.5\ngeneral_name_share = 0.0\n";

    #[test]
    fn what_is_new_is_off_and_then_not_written() {
        let plain = Recipe::parse(&format!("{CORPUS}[sft]\nnum_epochs = 1\n"), "r").unwrap();
        for key in ["batch_tokens", "changed_tokens_only", "examples", "micro_batch_tokens"] {
            assert!(!plain.resolved().contains(key), "{key}: {}", plain.resolved());
        }
        let same = format!("{CORPUS}[sft]\nbatch_tokens = 0\nchanged_tokens_only = false\n[examples]\nfiles = []\n");
        assert_eq!(Recipe::parse(&same, "r").unwrap().content_hash(), plain.content_hash());
        let packed = Recipe::parse(&format!("{CORPUS}[sft]\nbatch_tokens = 4096\n"), "r").unwrap();
        assert_eq!(Recipe::parse(&packed.resolved(), "r").unwrap(), packed);
        assert_ne!(packed.content_hash(), plain.content_hash());
    }

    #[test]
    fn what_cannot_be_learned_is_refused() {
        let error = |text: &str| Recipe::parse(text, "r").unwrap_err().to_string();
        let start = "kind = \"sft\"\nmodel = \"bundled\"\n";
        assert_eq!(error(start), "r: corpus is missing");
        assert_eq!(
            error(&format!("{CORPUS}[sft]\nchanged_tokens_only = true\n")),
            "r: sft.changed_tokens_only is true"
        );
        let repairs = format!("{start}[examples]\nrepairs_per_family = 1\n[sft]\nchanged_tokens_only = true\n");
        assert!(Recipe::parse(&repairs, "r").is_ok());
        assert_eq!(error(&format!("{repairs}loss_on_prompt = true\n")), "r: sft.loss_on_prompt is true");
    }
}
