//! How we talk to a language model server that speaks the protocol of OpenAI's completions.
//!
//! [`Endpoint`] sends a [`Request`] and gives a [`Reply`]: the text, the log-probabilities of its tokens where the server gives
//! them, and what it cost. Around that it retries what may go better next time, keeps within a rate, a deadline and a budget,
//! keeps answers on disk under the hash of their request, and records what was said or says it again without a network.
//!
//! Nothing is sent anywhere unless somebody configured an endpoint and asked it something. The server is not trusted: its
//! answers are bounded in size and time, redirects are not followed, and whatever it does is a value or an [`EndpointError`].
//!
//! ```no_run
//! use codeward_endpoint::{Endpoint, EndpointSettings, Message, Request, Sampling};
//!
//! let settings = EndpointSettings::new("http://127.0.0.1:8000/v1", "judge-8b");
//! let endpoint = Endpoint::open(settings)?;
//! let reply = endpoint.ask(&Request::chat(vec![Message::user("Is 7 prime?")], Sampling::default()))?;
//! assert!(!reply.answer.text.is_empty());
//! # Ok::<(), codeward_endpoint::EndpointError>(())
//! ```
//!
//! # What is retried
//!
//! | what happened | tried again |
//! |---|---|
//! | no connection, connection lost, no answer in time | yes |
//! | status 408, 409, 425, 429, 5xx | yes, after `Retry-After` if the server says so |
//! | other 4xx | no |
//! | a redirect | no; it is not followed either, since a key would go elsewhere |
//! | an answer that is too large or is not what the protocol says | no |
//!
//! Waits grow by two from `first_backoff_secs` to `max_backoff_secs`, less a share of up to a half that is drawn from the request's
//! hash and the attempt, so that runs repeat and clients that failed together do not come back together. A wait that would
//! pass the deadline is not begun.
//!
//! # What is kept
//!
//! Only answers, never errors. The cache's key is the hash of the server's address and the whole request; that of a tape
//! leaves the address out, so that a recording can be played for another.
//!
//! # Files
//!
//! [`Fetcher`] asks a server for files, from a byte on. It follows redirects, which is where the key does not go along, retries
//! nothing and keeps nothing: that is for the crate that knows what the files are.

mod answer;
mod backoff;
mod budget;
mod cache;
mod endpoint;
mod error;
mod fetch;
mod flights;
mod key;
mod pace;
mod request;
mod secret;
mod settings;
mod tape;
mod transport;
mod wire;

pub use answer::{Answer, AnswerToken, Finish, Likely, Origin, Reply, Usage};
pub use budget::Spent;
pub use endpoint::Endpoint;
pub use error::{BudgetKind, EndpointError};
pub use fetch::{Extent, FetchSettings, Fetched, Fetcher};
pub use key::RequestKey;
pub use request::{Message, Prompt, Request, Role, Sampling};
pub use settings::{EndpointSettings, Price, Tape};
