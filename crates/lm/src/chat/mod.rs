//! Chat templates: how a conversation becomes the text that a model was trained on.
//!
//! A checkpoint carries its template as a Jinja program, and Hugging Face runs it with a few functions of its own. The
//! interpreter here gives the same texts. It is our own because templates come with checkpoints from anywhere: it pays
//! for every step and every byte from a budget, so that an endless loop, a text that doubles, or deep nesting ends in
//! an error and never in a full machine. Templates cannot load others, see the host, or ask for the time unless the
//! caller gives one.
//!
//! ```
//! use codeward_lm::{ChatRequest, ChatTemplate};
//! use serde_json::json;
//!
//! let template = ChatTemplate::parse("{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}")?;
//! let messages = json!([{"role": "user", "content": "hello"}]);
//! let text = template.render(&ChatRequest { messages: &messages, ..ChatRequest::default() })?;
//! assert_eq!(text, "<user>hello");
//! # Ok::<(), codeward_lm::ChatError>(())
//! ```

mod budget;
mod filters;
mod folder;
mod interpreter;
mod json;
mod lexer;
mod methods;
mod moment;
mod operators;
mod syntax;
mod tests_of_values;
mod value;

use std::path::PathBuf;
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use crate::weights::LoadError;
use budget::Budget;
pub use folder::ChatTemplates;
use interpreter::Interpreter;
pub use moment::Moment;
use value::Value;

/// The longest template that is read; published ones have up to 20 KiB.
const MOST_SOURCE_BYTES: usize = 1 << 20;

/// Why a conversation has no text.
#[derive(Debug, thiserror::Error)]
pub enum ChatError {
    /// The template is not one.
    #[error("line {line} of the chat template: {reason}")]
    Syntax {
        /// Where.
        line: u32,
        /// What is wrong.
        reason: String,
    },
    /// The template asked for something that has no meaning.
    #[error("line {line} of the chat template: {reason}")]
    Run {
        /// Where.
        line: u32,
        /// What happened.
        reason: String,
    },
    /// The template refused the conversation.
    #[error("the chat template refuses: {message}")]
    Raised {
        /// What it says.
        message: String,
    },
    /// The template used up what one rendering may use.
    #[error("line {line} of the chat template: the limit on {what} is reached")]
    Limit {
        /// Where.
        line: u32,
        /// What ran out.
        what: &'static str,
    },
    /// The template asks for the date, and the caller gave none.
    #[error("line {line} of the chat template asks for the date, and none is given")]
    NoMoment {
        /// Where.
        line: u32,
    },
    /// A file is missing or unreadable.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A file that should hold templates holds something else.
    #[error("{path:?} has a chat template that is neither a text nor a list of named texts")]
    Invalid {
        /// The file.
        path: PathBuf,
    },
    /// The checkpoint has no template.
    #[error("{path:?} has no chat template")]
    NoTemplate {
        /// The folder.
        path: PathBuf,
    },
    /// The checkpoint has templates, but none of this name.
    #[error("there is no chat template {name:?}, only {known:?}")]
    UnknownTemplate {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
}

impl ChatError {
    /// What the user can do about it, where we know.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Load(error) => error.hint(),
            Self::NoTemplate { .. } => Some("use a model trained on conversations, or give the text itself"),
            Self::NoMoment { .. } => Some("give a date: the text then is the same tomorrow"),
            _ => None,
        }
    }
}

/// What went wrong while a template ran; the line is added outside.
#[derive(Debug)]
enum Fault {
    Error(String),
    Raised(String),
    Limit(&'static str),
    NoMoment,
}

type Outcome<T> = Result<T, Fault>;

impl Fault {
    fn error(reason: impl Into<String>) -> Self {
        Self::Error(reason.into())
    }

    fn at(self, line: u32) -> ChatError {
        match self {
            Self::Error(reason) => ChatError::Run { line, reason },
            Self::Raised(message) => ChatError::Raised { message },
            Self::Limit(what) => ChatError::Limit { line, what },
            Self::NoMoment => ChatError::NoMoment { line },
        }
    }
}

/// A chat template, read and ready.
#[derive(Debug)]
pub struct ChatTemplate {
    nodes: Vec<syntax::Node>,
}

/// A conversation, and what else a template may look at.
#[derive(Debug, Clone, Copy)]
pub struct ChatRequest<'a> {
    /// A list of messages, each with `role` and `content`.
    pub messages: &'a Json,
    /// Whether the text ends with the beginning of the model's turn.
    pub add_generation_prompt: bool,
    /// Descriptions of functions, where the model may call some.
    pub tools: Option<&'a Json>,
    /// Texts that the model may draw on.
    pub documents: Option<&'a Json>,
    /// Variables by name: special tokens such as `bos_token`, and switches such as `enable_thinking`.
    pub variables: Option<&'a Map<String, Json>>,
    /// What `strftime_now` says; templates that ask fail without it.
    pub now: Option<&'a Moment>,
}

impl Default for ChatRequest<'_> {
    fn default() -> Self {
        Self {
            messages: &Json::Null,
            add_generation_prompt: false,
            tools: None,
            documents: None,
            variables: None,
            now: None,
        }
    }
}

impl ChatTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// If it is not one, or uses parts of Jinja that chat templates do not have.
    pub fn parse(source: &str) -> Result<Self, ChatError> {
        if source.len() > MOST_SOURCE_BYTES {
            return Err(ChatError::Limit { line: 1, what: "its length" });
        }
        Ok(Self { nodes: syntax::parse(source)? })
    }

    /// The text of a conversation.
    ///
    /// # Errors
    /// If the template refuses it, asks for what has no meaning, or reaches a limit.
    pub fn render(&self, request: &ChatRequest<'_>) -> Result<String, ChatError> {
        let mut budget = Budget::new();
        let variables = variables(request, &mut budget).map_err(|fault| fault.at(1))?;
        let mut interpreter = Interpreter::new(budget, variables, request.now);
        interpreter.run(&self.nodes).map_err(|fault| fault.at(interpreter.line()))
    }
}

fn variables(request: &ChatRequest<'_>, budget: &mut Budget) -> Outcome<Vec<(Rc<str>, Value)>> {
    let optional =
        |json: Option<&Json>, budget: &mut Budget| json.map_or(Ok(Value::None), |json| Value::from_json(json, budget));
    let mut variables: Vec<(Rc<str>, Value)> = Vec::new();
    for (name, value) in request.variables.into_iter().flatten() {
        variables.push((Rc::from(name.as_str()), Value::from_json(value, budget)?));
    }
    variables.push((Rc::from("messages"), Value::from_json(request.messages, budget)?));
    variables.push((Rc::from("tools"), optional(request.tools, budget)?));
    variables.push((Rc::from("documents"), optional(request.documents, budget)?));
    variables.push((Rc::from("add_generation_prompt"), Value::Bool(request.add_generation_prompt)));
    Ok(variables)
}
