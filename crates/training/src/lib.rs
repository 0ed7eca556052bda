//! SFT, GRPO and PPO: the loop, the run folder, resume.
//!
//! [`train`] is the reinforcement-learning loop: task → rollout → reward → advantage → update, by name. [`fine_tune`] is supervised
//! training on documents. Both write a [`RunFolder`], repeat exactly under one seed and thread count, and continue from the last
//! checkpoint after any interruption with the numbers of an uninterrupted run.

mod adapter;
mod advantage;
mod alarms;
mod checkpoint;
mod credit;
mod event;
mod event_file;
mod gae;
mod grpo;
mod guard;
mod loss;
mod micro_batch;
mod passes;
mod ppo;
mod prefer;
mod preference;
mod recipe;
mod rollout;
mod run_folder;
mod seed;
mod sft;
mod target;
mod train;
mod update;

pub use adapter::AdapterSettings;
pub use advantage::{AdvantageSettings, Baseline, Scale, advantages, group_advantages};
pub use alarms::{Alarm, AlarmSettings};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use event::Event;
pub use gae::{Estimated, GaeSettings, ValueLoss, estimate, value_loss, whiten};
pub use grpo::GrpoSettings;
pub use guard::{Guard, GuardDecision, GuardSettings};
pub use loss::{
    Average, Estimator, LossSettings, Ratio, TokenLoss, Tokens, completion_loss, token_loss, token_weights,
};
pub use ppo::PpoSettings;
pub use prefer::{Comparison, Completion, prefer};
pub use preference::{PairLoss, PreferenceLoss, Side};
pub use recipe::{
    CanarySettings, CheckpointSettings, CorpusMix, EvaluationSettings, ModelShape, OptimiserSettings, PreferenceRecipe,
    PreferenceSettings, Recipe, RecipeError, RetentionSettings, RlRecipe, SamplingSettings, SftRecipe, SftSettings,
    TaskSettings,
};
pub use rollout::sample_groups;
pub use run_folder::{Curves, RunFolder, RunFolderError};
pub use seed::derive_seed;
pub use sft::{Example, fine_tune};
pub use train::{Course, TrainError, Trained, train};
