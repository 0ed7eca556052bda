//! What a completion is worth, part by part, or why it could not be scored.
//!
//! [`Engine`] takes tasks with completions and gives a [`codeward_records::Reward`] each: the functional tests run in the
//! sandbox, the analyser reads the code, and a [`RewardRecipe`] weighs the parts. [`Engine::judge`] runs the functional and
//! the attack tests and gives a verdict for evaluation; the analyser has no say in it.
//!
//! Everything that decides is on this side of the sandbox: the process under test only makes observations.
//!
//! ```no_run
//! use codeward_records::Task;
//! use codeward_reward::{Engine, RewardRecipe};
//! use codeward_sandbox::{Sandbox, SandboxError};
//!
//! fn worth(task: &Task, completion: &str) -> Result<Option<f64>, SandboxError> {
//!     let engine = Engine::new(Sandbox::start(2)?, RewardRecipe::default());
//!     Ok(engine.score(&[(task, completion)])[0].value())
//! }
//! ```

mod attempt;
mod call;
mod check;
mod code;
mod engine;
mod equality;
mod found;
mod marshal;
mod observation;
mod observed;
mod output;
mod partial_credit;
mod recipe;
mod result;
mod security;

pub use code::code_span;
pub use engine::{Engine, JudgedParts};
pub use partial_credit::Stage;
pub use recipe::{Mode, PartialCredit, RewardRecipe, SecurityGate};
pub use result::{Failure, RecordFault, Tamper, TamperKind, TestResult, Wrong};
