//! The chat templates of a checkpoint folder.

use std::path::Path;

use serde_json::{Map, Value};

use super::{ChatError, ChatRequest, ChatTemplate};
use crate::weights::{LoadError, read_text};

const SETTINGS_FILE: &str = "tokenizer_config.json";
const TEMPLATE_FILE: &str = "chat_template.jinja";
/// The name of the template that is used unless another is asked for.
const DEFAULT: &str = "default";

/// The templates that come with a tokenizer, by name, and its special tokens.
#[derive(Debug)]
pub struct ChatTemplates {
    templates: Vec<(String, ChatTemplate)>,
    special_tokens: Map<String, Value>,
}

impl ChatTemplates {
    /// Reads `chat_template.jinja`, or else `chat_template` of `tokenizer_config.json`, which is a text or a list of
    /// named ones.
    ///
    /// # Errors
    /// If a file is unreadable, there is no template, or one is broken.
    pub fn load(folder: &Path) -> Result<Self, ChatError> {
        let path = folder.join(SETTINGS_FILE);
        let settings: Value = match read_text(&path, "the tokenizer's settings") {
            Ok(text) => serde_json::from_str(&text).map_err(|source| LoadError::Json { path: path.clone(), source })?,
            Err(LoadError::MissingFile { .. }) => Value::Null,
            Err(error) => return Err(error.into()),
        };
        let templates = match read_text(&folder.join(TEMPLATE_FILE), "the chat template") {
            Ok(source) => vec![(DEFAULT.to_owned(), ChatTemplate::parse(&source)?)],
            Err(LoadError::MissingFile { .. }) => named_templates(&settings, &path)?,
            Err(error) => return Err(error.into()),
        };
        if templates.is_empty() {
            return Err(ChatError::NoTemplate { path: folder.to_owned() });
        }
        Ok(Self { templates, special_tokens: special_tokens(&settings) })
    }

    /// The names of the templates.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.templates.iter().map(|(name, _)| name.as_str())
    }

    /// The tokenizer's special tokens by their role: `bos_token`, `eos_token` and others.
    pub fn special_tokens(&self) -> &Map<String, Value> {
        &self.special_tokens
    }

    /// The text of a conversation by the template of a name. Without one, the one for tools is taken where there are
    /// tools and a template for them, and else the default.
    ///
    /// # Errors
    /// If there is no such template, or it does not take the conversation.
    pub fn render(&self, name: Option<&str>, request: &ChatRequest<'_>) -> Result<String, ChatError> {
        let find = |name: &str| self.templates.iter().find(|(known, _)| known == name).map(|(_, template)| template);
        let template = match name {
            Some(name) => find(name),
            None => request.tools.and_then(|_| find("tool_use")).or_else(|| find(DEFAULT)),
        };
        let Some(template) = template else {
            let known = self.names().map(str::to_owned).collect();
            return Err(ChatError::UnknownTemplate { name: name.unwrap_or(DEFAULT).to_owned(), known });
        };
        let mut variables = self.special_tokens.clone();
        for (name, value) in request.variables.into_iter().flatten() {
            variables.insert(name.clone(), value.clone());
        }
        template.render(&ChatRequest { variables: Some(&variables), ..*request })
    }
}

fn named_templates(settings: &Value, path: &Path) -> Result<Vec<(String, ChatTemplate)>, ChatError> {
    let invalid = || ChatError::Invalid { path: path.to_owned() };
    match &settings["chat_template"] {
        Value::Null => Ok(Vec::new()),
        Value::String(source) => Ok(vec![(DEFAULT.to_owned(), ChatTemplate::parse(source)?)]),
        Value::Array(entries) => entries
            .iter()
            .map(|entry| match (entry["name"].as_str(), entry["template"].as_str()) {
                (Some(name), Some(source)) => Ok((name.to_owned(), ChatTemplate::parse(source)?)),
                _ => Err(invalid()),
            })
            .collect(),
        _ => Err(invalid()),
    }
}

/// What templates see as `bos_token` and so on: a text, whether the file has one or a description of it.
fn special_tokens(settings: &Value) -> Map<String, Value> {
    const NAMES: [&str; 7] =
        ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
    let mut tokens = Map::new();
    for name in NAMES {
        let entry = &settings[name];
        if let Some(token) = entry.as_str().or_else(|| entry["content"].as_str()) {
            tokens.insert(name.to_owned(), Value::from(token));
        }
    }
    tokens
}
