//! What a vulnerability reward model says of a completion: safe, unsafe, or nothing that can be relied on.
//!
//! [`VulnerabilityJudge`] shows the code and the weaknesses in question to a model, as often as there are votes, and makes a
//! [`Judgement`] of what it writes. The model is anything that implements [`Judge`]: [`EndpointJudge`] asks a server, and a language model
//! in this process can do the same.
//!
//! After SecCoderX (arXiv 2602.07422): one message with the code in a fenced block and the weaknesses as number, name and
//! description, three steps of work, then a block of thought and a block with the answer. The words are ours; a model that was
//! trained on others gets them by [`JudgeSettings::template`].
//!
//! | | faithful | corrected |
//! |---|---|---|
//! | the code | as it is, in a fence that it can close | without comments and docstrings, between delimiters that it cannot know |
//! | the answer | the last answer block, word for word | a block after the thought, in any usual spelling, that nothing contradicts |
//! | `not vulnerable.` | unsafe | safe |
//! | no answer, an answer cut short, a failure | unsafe | unknown, with the reason |
//! | votes | one | any number; the majority of all votes, else unknown |
//!
//! Unknown is no number. [`Judgement::points_as_published`] is the published score with its defects and says so in its name;
//! [`Judgement::value`] asks what unknown is worth and takes "nothing" for an answer.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::{Duration, Instant};
//!
//! use codeward_endpoint::{Endpoint, EndpointSettings};
//! use codeward_records::{Cwe, Language};
//! use codeward_reward::judge::{EndpointJudge, JudgeSettings, Question, Safety, VulnerabilityJudge};
//!
//! let mut settings = EndpointSettings::new("http://127.0.0.1:1/v1", "reward-model");
//! settings.max_attempts = 1;
//! let judge = EndpointJudge::new(Arc::new(Endpoint::open(settings)?));
//! let judge = VulnerabilityJudge::new(JudgeSettings::default(), Box::new(judge))?;
//! let question = Question { code: "print(1)", language: Language::Python, weaknesses: &[Cwe(89)] };
//! let judgement = judge.judge(&question, Instant::now() + Duration::from_secs(1));
//! // Nobody is there, and that is not a verdict.
//! assert_eq!(judgement.verdict, Safety::Unknown);
//! assert_eq!(judgement.value(None), None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ask;
mod comments;
mod descriptions;
mod faithful;
mod log_odds;
mod prompt;
mod robust;
mod settings;
mod verdict;

pub use ask::{EndpointJudge, Judge, JudgeError, Question, VulnerabilityJudge};
pub use descriptions::description;
pub use faithful::{faithful_answer, faithful_verdict, rule_reward};
pub use log_odds::LogOdds;
pub use robust::{ModelText, robust_verdict};
pub use settings::{JudgeMode, JudgeSettings, JudgeSettingsError};
pub use verdict::{Doubt, JudgeCost, Judgement, Safety, Vote};
