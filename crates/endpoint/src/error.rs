//! What can go wrong between us and a server.

use std::io;
use std::path::PathBuf;

use crate::key::RequestKey;

/// Which budget is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetKind {
    /// HTTP requests, those that failed included.
    Requests,
    /// Tokens of prompts and answers.
    Tokens,
}

impl std::fmt::Display for BudgetKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
        })
    }
}

/// Why there is no answer. No variant ever holds the key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// A setting cannot be used.
    #[error("endpoint setting {name}: {problem}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The environment variable that should hold the key is not set, is empty, or cannot go into a header.
    #[error("no usable key in the environment variable {variable}")]
    Key {
        /// The variable that the settings name.
        variable: String,
    },
    /// The next request would go beyond the budget.
    #[error("budget of {limit} {kind} is spent: {spent} used, {needed} more needed")]
    BudgetSpent {
        /// Which budget.
        kind: BudgetKind,
        /// What was used so far.
        spent: u64,
        /// What this request could need.
        needed: u64,
        /// The budget.
        limit: u64,
    },
    /// The time for the whole request is over, or would be before the next attempt may begin.
    #[error("deadline passed after {attempts} attempts{}", last.as_ref().map(|error| format!(", the last: {error}")).unwrap_or_default())]
    DeadlinePassed {
        /// HTTP requests sent.
        attempts: u32,
        /// What the last of them came to.
        last: Option<Box<EndpointError>>,
    },
    /// Every attempt failed.
    #[error("gave up after {attempts} attempts, the last: {last}")]
    GaveUp {
        /// HTTP requests sent.
        attempts: u32,
        /// What the last of them came to.
        last: Box<EndpointError>,
    },
    /// The server refuses this request and would do so again.
    #[error("server refuses with status {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The beginning of what the server says.
        message: String,
    },
    /// The server cannot answer at the moment.
    #[error("server is not available, status {status}: {message}")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// The beginning of what the server says.
        message: String,
        /// How long the server asks to be left alone.
        retry_after: Option<std::time::Duration>,
    },
    /// The server points elsewhere. It is not followed.
    #[error("server redirects with status {status} to {to:?}, which is not followed")]
    Redirected {
        /// The HTTP status.
        status: u16,
        /// The beginning of where to.
        to: String,
    },
    /// There is no connection, or it broke.
    #[error("no connection to {host}: {detail}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// The system's reason.
        detail: String,
    },
    /// The other side is not who it should be, or the encryption failed otherwise.
    #[error("no trusted connection to {host}: {detail}")]
    Untrusted {
        /// Host and port.
        host: String,
        /// The reason.
        detail: String,
    },
    /// An attempt took longer than it may.
    #[error("no whole answer in {limit_ms} ms")]
    TimedOut {
        /// The limit of an attempt.
        limit_ms: u64,
    },
    /// The answer is larger than what is read.
    #[error("answer is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// The answer is not what the protocol says.
    #[error("answer is not of the protocol: {problem}")]
    Malformed {
        /// What is wrong with it.
        problem: String,
    },
    /// The recording does not hold this request.
    #[error("recording {path} holds no answer to request {key}")]
    NotOnTape {
        /// The recording.
        path: PathBuf,
        /// The request's hash.
        key: RequestKey,
    },
    /// A line of the recording cannot be read.
    #[error("recording {path}:{line}: {problem}")]
    TapeLine {
        /// The recording.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A file of the cache or the recording could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The endpoint was closed meanwhile.
    #[error("endpoint is closed")]
    Closed,
}

impl EndpointError {
    /// True when the next attempt may go better.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Unreachable { .. } | Self::TimedOut { .. })
    }

    /// True when asking again later may help without anybody changing anything: the server or the way to it was at fault.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::DeadlinePassed { last, .. } => last.as_ref().is_none_or(|error| error.is_transient()),
            Self::GaveUp { .. } => true,
            other => other.is_transient(),
        }
    }
}
