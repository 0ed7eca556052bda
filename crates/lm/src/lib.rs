//! The native language model: checkpoints, tokenizer, decoder, sampling, gradients.

mod config;
mod decoder;
mod generate;
mod kernels;
mod layout;
mod model;
mod random;
mod sampler;
#[cfg(test)]
mod testing;
mod tokenizer;
mod trainer;
mod weights;

pub use config::{ConfigError, ModelConfig};
pub use generate::{Prompt, Sampled, generate};
pub use model::Model;
pub use sampler::SamplingParams;
pub use tokenizer::{Tokenizer, TokenizerError};
pub use trainer::{AdamW, Scores, Sequence, Trainer, Upstream, score};
pub use weights::{LoadError, Precision, SaveError};
