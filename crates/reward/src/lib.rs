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
//!
//! # Tests
//!
//! A test has one of three forms. In all of them the process under test only gives values, outputs and files; what is expected
//! never enters the sandbox, and whether it was met is decided here. Any text may hold `$NONCE`, a word that the code under test
//! cannot know. Every test may list more expectations besides, about observations, files, and what an observer outside saw.
//!
//! | form | what the completion is | what passes |
//! |---|---|---|
//! | `act = "..."` | a Python module | statements ran to their end, the process exited with 0, and every expectation holds |
//! | `run = { stdin, stdout }` | a whole program, in any language | it exited with 0 and its output is the expected one |
//! | `call = [{ function, args, kwargs, returns, raises, stdout, observe }, ..]` | a Python module | the process exited with 0, there is one record for each call, in order, and each call gave what was expected |
//!
//! ```toml
//! [[test]]
//! name = "splits"
//! kind = "functional"
//! compare = { equality = "json", tolerance = { relative = 1e-6, absolute = 0.0 } }
//! call = [
//!   { args = ["a b"], returns = ["a", "b"] },
//!   { function = "count", args = [{ "$tuple" = [1, 2] }], kwargs = { limit = 3 }, returns = 2.0 },
//!   { args = [{ "$none" = true }], raises = "TypeError" },
//! ]
//! ```
//!
//! What JSON and TOML cannot write has a form of its own, see [`codeward_records::Plain`]. Arguments are made anew for every call.
//!
//! ## When an output is the expected one
//!
//! | `compare` | white space at the ends of lines, empty lines at the end | numbers |
//! |---|---|---|
//! | nothing | do not matter | as text |
//! | `tolerance = { .. }` | as above, and words are compared one by one | two words that are numbers, one of them no whole number, may differ by the tolerance; `nan` is `nan` |
//! | `text = "exact"` | every byte matters | as text |
//!
//! ## When a value is the expected one
//!
//! | `equality` | `python` (default) | `json` | `exact` |
//! |---|---|---|---|
//! | `True` and `1` | equal | differ | differ |
//! | `None` and anything else | differ | differ | differ |
//! | `1`, `1.0` and `1+0j` | equal | equal | differ |
//! | tuple and list | differ | equal | differ |
//! | set and frozenset, bytes and bytearray | equal | equal | differ |
//! | `0.0` and `-0.0` | equal | equal | differ |
//! | an instance of a subclass and its base value, such as a named tuple and a tuple | equal | equal | differ |
//! | floats | relative 1e-9 or absolute 1e-12 | as `python` | to the bit, or the tolerance given |
//!
//! In all three: whole numbers are exact however long; NaN equals NaN; an infinity equals itself only; elements of sets are paired
//! off in any order, exact pairs first, then within the tolerance; keys of dicts are exact and their values compared as
//! anything else; text equals text by code points, lone surrogates included. A value is read by the methods of the builtin
//! types, never by its own, so that overriding `__eq__`, `__repr__`, `__iter__` and the like changes nothing. What is no plain
//! data (objects, generators, functions) equals nothing: an adapter has to turn it into plain data.
//!
//! A value nested deeper than 100, or taking the values of a test above 4 MiB together, has an outcome of its own and equals
//! nothing. `raises = "LookupError"` is met by a builtin exception of that name or one derived from it, here `KeyError`; a class of
//! the completion that is called `KeyError` is another. Names that are not builtin are met by the name, alone or after the
//! module. `SystemExit`, `KeyboardInterrupt` and the like are exceptions of the call as any other.
//!
//! ## How far a completion got
//!
//! | | `act` | `run` | `call` |
//! |---|---|---|---|
//! | parsed | it compiled | it was not refused as a syntax error | it compiled |
//! | ran | exit status 0, to the end, no call raised | exit status 0 | exit status 0, every record there, no call raised what was not expected |
//! | produced | something returned, printed or left in a file | printed or left in a file | as `act` |
//!
//! ## Evidence
//!
//! [`TestResult::tamper`] holds what looked like meddling: an early exit, patched functions of the interpreter's own modules, objects
//! with an equality of their own, walking frames, searching the heap, tracing, writing to or closing the channel, records
//! too many or out of order. It never decides anything: a cheat fails for the value it did not give. Looking at frames is
//! noted only when the completion's own code does it, since much of the library does so in good faith.
//!
//! A completion can find out everything that is in its process and can forge records as good as the harness's. What it cannot
//! do is put an expected value into one, other than by working it out.

mod attempt;
mod call;
pub mod canary;
mod check;
mod code;
mod credit;
mod durations;
mod engine;
mod equality;
mod found;
pub mod judge;
mod marshal;
mod measurement;
mod observation;
mod observed;
mod output;
mod partial_credit;
mod parts;
pub mod recipe;
mod repair_pairs;
pub mod rescore;
mod result;
mod store;
mod test_runs;

pub use code::code_span;
pub use credit::{
    Changed, Corpus, Credit, CreditError, CreditRules, FindingRules, Gate, MOST_AT_ONE_PLACE, MOST_IN_TOTAL,
    RepairPair, RepairPatterns, Specificity, changed, finding_credit, hybrid_advantages, lexical_units,
    per_token_rewards, with_scalar_at_end,
};
pub use engine::{Asking, Engine, Equipment, EquipmentError, JudgedParts};
pub use measurement::{Likeness, Measurement, Reading, References, Seen, Size, Unscored};
pub use partial_credit::{PartialCredit, Stage};
pub use parts::{Cost, Part, Parts};
pub use recipe::{Mode, RecipeError, RewardRecipe, StageGate, Weighed};
pub use repair_pairs::repair_pairs;
pub use result::{Failure, RecordFault, Tamper, TamperKind, TestResult, Wrong};
pub use store::{Store, StoreError};
