//! How good a model is: metrics with intervals, before against after, and a report that one file holds.
//!
//! This crate answers "did training make the code that the model writes more secure, and does it still work". It starts from
//! [`Judged`](codeward_records::Judged) rows, completions that were judged by running their task's tests, and from run
//! folders; it knows nothing of how training works. [`Summary`] is its main type.
//!
//! ```
//! use codeward_evaluation::Summary;
//! use codeward_records::{Cwe, Judged, Verdict};
//!
//! let judged = |task: &str, secure: bool| Judged {
//!     split: "rewarded-unseen".to_owned(),
//!     task_id: task.to_owned(),
//!     family: "ping".to_owned(),
//!     cwe: Cwe(78),
//!     sample: 0,
//!     prompt: "def ping(host):".to_owned(),
//!     completion: "    ...".to_owned(),
//!     verdict: Verdict::Scored { functional: true, secure, failed_tests: Vec::new() },
//!     findings: Vec::new(),
//! };
//! let before = [judged("ping-1", false), judged("ping-2", true)];
//! let after = [judged("ping-1", true), judged("ping-2", true)];
//! let summary = Summary::from_rows(&before, &after, 7);
//! let change = summary.change.splits["rewarded-unseen"].func_secure.unwrap();
//! assert_eq!(change.value, 0.5);
//! println!("{}", summary.table());
//! ```

mod evaluate;
mod metrics;
mod number;
pub mod report;
mod resample;
mod summary;
mod table;

pub use evaluate::{EvaluateSettings, evaluate};
pub use metrics::{PairedChange, Rates, mcnemar_p, paired_change, pass_at_k};
pub use resample::RESAMPLES;
pub use summary::{Changes, CweRow, FamilyRow, Side, Summary};
