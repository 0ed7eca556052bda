//! What is measured, in the words that every side understands.

use std::path::PathBuf;

use codeward_lm::{Family, ModelConfig};
use serde::{Deserialize, Serialize};

/// What a side does in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Work {
    /// One update of all weights: forward, backward, norm of the gradient, `AdamW`.
    Train,
    /// The same of an adapter of rank 16 on every linear layer.
    Adapt,
    /// The likeliest tokens for different prompts.
    Decode,
    /// Random tokens at temperature 1, several completions for each prompt.
    Sample,
}

/// One measurement. It goes to the sides as JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) work: Work,
    /// A folder in Hugging Face layout.
    pub(crate) model: PathBuf,
    /// The vocabulary that tokens are drawn from.
    pub(crate) vocabulary: usize,
    /// Sequences of a batch, or rows that are completed.
    pub(crate) batch: usize,
    /// Tokens of a sequence, or of a prompt.
    pub(crate) length: usize,
    /// Tokens that are drawn for each row.
    pub(crate) new_tokens: usize,
    /// Rows that share a prompt.
    pub(crate) group: usize,
    /// Whether our side computes activations again instead of keeping them.
    pub(crate) recompute: bool,
    /// Whether our side decodes with matrices in bfloat16.
    pub(crate) rounded: bool,
}

impl Case {
    /// Tokens of a round, as they are counted for speed.
    pub(crate) fn num_tokens(&self) -> usize {
        match self.work {
            Work::Train | Work::Adapt => self.batch * self.length,
            Work::Decode | Work::Sample => self.batch * self.new_tokens,
        }
    }

    /// The tokens of one sequence or prompt. `peers.py` has the same formula.
    pub(crate) fn tokens(&self, row: usize) -> Vec<u32> {
        let most = self.vocabulary - 1;
        (0..self.length).map(|at| ((at * 7919 + row / self.group * 104_729) % most + 1) as u32).collect()
    }
}

/// A decoder built like Qwen2, with heads of 64 and half as many of keys as of queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) layers: usize,
    pub(crate) width: usize,
    pub(crate) vocabulary: usize,
}

impl Shape {
    /// 5.8 million parameters.
    pub(crate) const SMALL: Self = Self { layers: 6, width: 256, vocabulary: 4096 };
    /// 29.4 million parameters.
    pub(crate) const MEDIUM: Self = Self { layers: 8, width: 512, vocabulary: 8192 };

    pub(crate) fn config(self) -> ModelConfig {
        let heads = self.width / 64;
        ModelConfig {
            hidden_size: self.width,
            intermediate_size: 3 * self.width,
            num_hidden_layers: self.layers,
            num_attention_heads: heads,
            num_key_value_heads: heads / 2,
            head_dim: 64,
            vocab_size: self.vocabulary,
            max_position_embeddings: 4096,
            ..ModelConfig::of_family(Family::Qwen2)
        }
    }
}
