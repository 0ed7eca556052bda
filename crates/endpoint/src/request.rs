//! What is asked.

use serde::{Deserialize, Serialize};

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The frame of the conversation.
    System,
    /// The one who asks.
    User,
    /// The model.
    Assistant,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: String,
}

impl Message {
    /// What the user says.
    pub fn user(content: impl Into<String>) -> Self {
        Self { role: Role::User, content: content.into() }
    }

    /// The frame of the conversation.
    pub fn system(content: impl Into<String>) -> Self {
        Self { role: Role::System, content: content.into() }
    }

    /// What the model says.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self { role: Role::Assistant, content: content.into() }
    }
}

/// What the model continues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Prompt {
    /// A conversation, put into the model's own template by the server.
    Chat(Vec<Message>),
    /// Text as it stands.
    Text(String),
}

/// How the answer is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// 0 takes the likeliest token each time.
    pub temperature: f64,
    /// Share of the probability that is drawn from.
    pub top_p: f64,
    /// Longest answer, in tokens.
    pub max_tokens: u32,
    /// Seed of the draw. Servers that know it repeat themselves; all others still see it, and it keeps votes apart in the cache.
    pub seed: Option<u64>,
    /// Texts that end the answer.
    pub stop: Vec<String>,
    /// Asks for the log-probability of each token, and of this many likely others at its place.
    pub top_logprobs: Option<u8>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { temperature: 0.0, top_p: 1.0, max_tokens: 4096, seed: None, stop: Vec::new(), top_logprobs: None }
    }
}

/// One question to the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// What the model continues.
    pub prompt: Prompt,
    /// How the answer is drawn.
    pub sampling: Sampling,
}

impl Request {
    /// Asks for the next message of a conversation.
    pub fn chat(messages: Vec<Message>, sampling: Sampling) -> Self {
        Self { prompt: Prompt::Chat(messages), sampling }
    }

    /// Asks for the continuation of a text.
    pub fn text(prompt: impl Into<String>, sampling: Sampling) -> Self {
        Self { prompt: Prompt::Text(prompt.into()), sampling }
    }

    /// Length of the prompt in bytes.
    pub(crate) fn prompt_bytes(&self) -> usize {
        match &self.prompt {
            Prompt::Chat(messages) => messages.iter().map(|message| message.content.len()).sum(),
            Prompt::Text(text) => text.len(),
        }
    }
}
