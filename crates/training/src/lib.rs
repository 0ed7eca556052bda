//! SFT and GRPO: the loop, the run folder, resume.
//!
//! [`train`] is the reinforcement-learning loop: task → rollout → reward → advantage → update, by name. [`fine_tune`] is supervised
//! training on documents. Both write a [`RunFolder`], repeat exactly under one seed and thread count, and continue from the last
//! checkpoint after any interruption with the numbers of an uninterrupted run.

mod adapter;
mod advantage;
mod checkpoint;
mod event;
mod grpo;
mod guard;
mod loss;
mod micro_batch;
mod recipe;
mod rollout;
mod run_folder;
mod seed;
mod sft;
mod train;
mod update;

pub use adapter::AdapterSettings;
pub use advantage::group_advantages;
pub use checkpoint::{Checkpoint, CheckpointError};
pub use event::Event;
pub use grpo::GrpoSettings;
pub use guard::{Guard, GuardDecision, GuardSettings};
pub use loss::{LossSettings, TokenLoss, token_loss};
pub use recipe::{
    CanarySettings, CheckpointSettings, CorpusMix, EvaluationSettings, GrpoRecipe, ModelShape, OptimiserSettings,
    Recipe, RecipeError, RetentionSettings, SamplingSettings, SftRecipe, SftSettings, TaskSettings,
};
pub use rollout::sample_groups;
pub use run_folder::{RunFolder, RunFolderError};
pub use seed::derive_seed;
pub use sft::{Example, fine_tune};
pub use train::{Course, TrainError, Trained, train};
