//! SFT, GRPO and PPO: the loop, the run folder, resume.
//!
//! [`train`] is the reinforcement-learning loop: task → rollout → reward → advantage → update, by name. [`fine_tune`] is supervised
//! training on examples, [`prefer`] that on pairs, [`learn_from_best`] that on the policy's own best completions; a [`Pipeline`] has several
//! of them in turn. Each writes a [`RunFolder`], repeats exactly under one seed and thread count, and continues from the last
//! checkpoint after any interruption with the numbers of an uninterrupted run.

mod adapter;
mod advantage;
mod alarms;
mod checkpoint;
mod credit;
mod disk;
mod event;
mod event_file;
mod gae;
mod grpo;
mod guard;
mod held_out;
mod journal;
mod loss;
mod micro_batch;
mod passes;
mod pause;
mod pipeline;
mod ppo;
mod prefer;
mod preference;
mod recipe;
mod rejection;
mod rollout;
mod run_folder;
mod scoring;
mod seed;
mod sft;
mod sft_recipe;
mod stages;
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
pub use held_out::{HeldOutSettings, KeptModel};
pub use loss::{
    Average, Estimator, LossSettings, Ratio, TokenLoss, Tokens, completion_loss, token_loss, token_weights,
};
pub use pause::{is_pause_wanted, pause_soon};
pub use pipeline::{Pipeline, Stage, folder_hash};
pub use ppo::PpoSettings;
pub use prefer::{Comparison, Completion, prefer};
pub use preference::{PairLoss, PreferenceLoss, Side};
pub use recipe::{
    CanarySettings, CheckpointSettings, EvaluationSettings, OptimiserSettings, PreferenceRecipe, PreferenceSettings,
    Recipe, RecipeError, RetentionSettings, RlRecipe, SamplingSettings, TaskSettings,
};
pub use rejection::{Keep, RejectionRecipe, RejectionSettings, Selection, learn_from_best};
pub use rollout::{Draw, sample_groups};
pub use run_folder::{Curves, RunFolder, RunFolderError};
pub use seed::derive_seed;
pub use sft::{Example, fine_tune};
pub use sft_recipe::{CorpusMix, ExampleSettings, ModelShape, SftRecipe, SftSettings};
pub use train::{Course, TrainError, Trained, train};
