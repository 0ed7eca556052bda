//! SFT and GRPO: the loop, the run folder, resume.
//!
//! [`train`] is the reinforcement-learning loop: task → rollout → reward → advantage → update, by name. [`fine_tune`] is supervised
//! training on documents. Both write a [`RunFolder`], repeat exactly under one seed and thread count, and continue from the last
//! checkpoint after any interruption with the numbers of an uninterrupted run.

mod advantage;
mod checkpoint;
mod event;
mod event_file;
mod gae;
mod grpo;
mod guard;
mod loss;
mod preference;
mod recipe;
mod rollout;
mod run_folder;
mod seed;
mod sft;
mod train;
mod update;

pub use advantage::{AdvantageSettings, Baseline, Scale, advantages, group_advantages, token_advantages};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use event::Event;
pub use event_file::EventFile;
pub use gae::{Estimated, GaeSettings, ValueLoss, estimate, value_loss, whiten};
pub use grpo::GrpoSettings;
pub use guard::{Guard, GuardDecision, GuardSettings};
pub use loss::{
    Average, Estimator, LossSettings, Ratio, TokenLoss, Tokens, completion_loss, token_loss, token_weights,
};
pub use preference::{PairLoss, PreferenceLoss, Side};
pub use recipe::{
    CanarySettings, CheckpointSettings, CorpusMix, EvaluationSettings, GrpoRecipe, ModelShape, OptimiserSettings,
    Recipe, RecipeError, RetentionSettings, SamplingSettings, SftRecipe, SftSettings, TaskSettings,
};
pub use rollout::sample_groups;
pub use run_folder::{RunFolder, RunFolderError};
pub use seed::derive_seed;
pub use sft::{Example, fine_tune};
pub use train::{Course, TrainError, Trained, train};
