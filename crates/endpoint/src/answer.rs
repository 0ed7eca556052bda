//! What is answered, and what it cost.

use serde::{Deserialize, Serialize};

/// Why the answer ends where it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model was done, or wrote one of the texts that end an answer.
    Stop,
    /// It reached the longest answer.
    Length,
    /// The server held it back.
    Filtered,
    /// The server says something else, or nothing.
    Other(String),
}

/// A token that could have stood at a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Likely {
    /// Its text. Bytes that are no UTF-8 are replaced.
    pub text: String,
    /// The natural logarithm of its probability.
    pub logprob: f64,
}

/// A token of the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerToken {
    /// Its bytes. A letter outside ASCII may be spread over several tokens.
    pub bytes: Vec<u8>,
    /// The natural logarithm of its probability, never above 0.
    pub logprob: f64,
    /// The likeliest tokens at its place, as many as were asked for.
    pub likely: Vec<Likely>,
}

/// Tokens that were paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Tokens of the answer, hidden reasoning included.
    pub completion_tokens: u64,
    /// The server did not say, and these are a third of the bytes.
    pub is_estimated: bool,
}

/// What the model wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// The reasoning, where the server keeps it apart from the text.
    pub reasoning: Option<String>,
    /// Why it ends where it does.
    pub finish: Finish,
    /// The text's tokens; empty when they were not asked for or the server does not give them.
    pub tokens: Vec<AnswerToken>,
    /// What it cost when it was made.
    pub usage: Usage,
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The server, now. Only this costs.
    Server,
    /// The cache on disk.
    Cache,
    /// A recording.
    Tape,
}

/// An answer and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// What the model wrote.
    pub answer: Answer,
    /// Where it comes from.
    pub origin: Origin,
    /// HTTP requests that were sent for it; 0 when it was kept.
    pub attempts: u32,
}
