//! The native language model: checkpoints, tokenizer, decoder, sampling, gradients.
//!
//! The question this crate answers: what does a model write, how likely does it find what was written, and how does it
//! change? [`Model`] holds the weights of a decoder in Hugging Face layout, of one of the families in [`Family`];
//! [`generate`] samples from it, [`score`] rates completions, and [`Trainer`] turns derivatives by log-probability and
//! entropy into updates. With an [`Adapter`] beside its weights, the adapter alone is trained. It knows nothing of tasks,
//! rewards or losses.
//!
//! ```
//! use codeward_lm::{AdamW, Model, ModelConfig, Prompt, SamplingParams, Sequence, Trainer, Upstream, generate};
//!
//! let config = ModelConfig { num_hidden_layers: 1, vocab_size: 64, ..ModelConfig::tiny() };
//! let model = Model::init(config, 1);
//!
//! let prompt = [3, 1, 4];
//! let params = SamplingParams { max_new_tokens: 5, ..SamplingParams::default() };
//! let sampled = generate(&model, &[Prompt { tokens: &prompt, seed: 7 }], 0, &params).remove(0);
//!
//! // Make what was sampled likelier.
//! let tokens = [prompt.as_slice(), &sampled.tokens].concat();
//! let batch = [Sequence { tokens: &tokens, num_prompt: prompt.len() }];
//! let mut trainer = Trainer::new(model);
//! let before = trainer.accumulate(&batch, 1.0, |scores| Upstream {
//!     logprobs: scores.logprobs.iter().map(|row| vec![-1.0; row.len()]).collect(),
//!     ..Upstream::default()
//! });
//! trainer.step(&AdamW { lr: 1e-3, ..AdamW::default() });
//! let after = trainer.score(&batch, 1.0);
//! assert!(after.logprobs[0].iter().sum::<f32>() > before.logprobs[0].iter().sum::<f32>());
//! ```
//!
//! Results are reproducible to the bit: sums run in an order fixed by the shapes, whatever the number of threads, and
//! every random number is a function of a seed and a position. A processor with other vector units may round otherwise.

mod adapter;
mod adapter_file;
mod alignment;
mod backward;
mod block;
mod chat;
mod checkpoint;
mod config;
mod config_file;
mod convert;
mod cpu;
mod decoder;
mod ends;
mod generate;
mod gguf;
mod host;
mod inspect;
mod kernels;
mod language_model;
mod layout;
#[cfg(feature = "libtorch")]
mod libtorch;
mod model;
mod plan;
mod random;
mod rotary;
mod rounded;
mod sampler;
#[cfg(test)]
mod testing;
mod tokenizer;
mod trainer;
mod transposed;
mod value_head;
mod weights;

pub use adapter::{Adapter, AdapterConfig, Linear};
pub use alignment::{Aligner, AlignmentError};
pub use chat::{ChatError, ChatRequest, ChatTemplate, ChatTemplates, Moment};
pub use config::{ConfigError, Family, ModelConfig, SlidingWindow};
pub use convert::{ConvertError, Converted, Merged, convert_gguf, merge_adapter};
pub use ends::Ends;
pub use generate::{Prompt, Sampled, generate};
pub use gguf::{GgufError, GgufFile, GgufModel, GgufTensor, GgufTokenizer, MetadataValue, StoredType, TensorEntry};
pub use host::{HostMemory, MemoryBound};
pub use inspect::{InspectError, Inspection, MemoryNeed, StoredAs, inspect};
pub use language_model::{EngineError, EngineOptions, LanguageModel, engines, open, start};
pub use model::Model;
pub use plan::{Bytes, DoesNotFit, MemoryPlan, Proposal, SamplingLoad, TrainingLoad, Workload, plan_memory};
pub use rotary::RopeScaling;
pub use sampler::SamplingParams;
pub use tokenizer::{Tokenizer, TokenizerError};
pub use trainer::{Activations, AdamW, Scores, Sequence, Trainer, Upstream, score};
pub use value_head::ValueHead;
pub use weights::{LoadError, Precision, SaveError};
