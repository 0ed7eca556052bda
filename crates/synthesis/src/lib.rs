//! Where tasks come from: parameterised task families and the instances made of them.
//!
//! A [`Family`] describes one job that people get wrong, with tests that attack and references that show both ways. An
//! instance is a [`codeward_records::Task`] with its own names, wording and argument shape, made by [`Family::instance`]
//! from a [`Pool`] and an index alone, so that a task id is enough to make the task again on any machine. A
//! [`Benchmark`] is a set of families with the splits that say which of them training may touch; `codeward-py` is
//! compiled into the binary ([`Benchmark::bundled`]).
//!
//! ```
//! use codeward_synthesis::{Benchmark, Pool};
//!
//! let benchmark = Benchmark::bundled().unwrap();
//! let family = &benchmark.families()[0];
//! let task = family.instance(Pool::Unseen, 3);
//! assert_eq!(benchmark.task(&task.id).unwrap(), task);
//! ```

mod benchmark;
mod corpus;
mod draw;
mod family;
mod placeholder;

pub use benchmark::{Benchmark, BenchmarkError, Split, Splits};
pub use corpus::{Corpus, CorpusSettings, Document};
pub use family::{Family, FamilyError, Pool, Shape};
