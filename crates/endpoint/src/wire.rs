//! The protocol's shapes: our request as JSON, and the server's JSON as an answer.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::answer::{Answer, AnswerToken, Finish, Likely, Usage};
use crate::error::EndpointError;
use crate::request::{Prompt, Request};
use crate::secret::{Secret, redacted};
use crate::settings::EndpointSettings;

/// Longest text of the server in an error, in bytes.
const MAX_MESSAGE_BYTES: usize = 300;

/// Most logarithm of a probability that is rounding and no nonsense.
const ROUNDING: f64 = 1e-3;

/// Bytes of text that we take for a token when the server does not count.
const BYTES_PER_TOKEN: usize = 3;

/// The path below the base address.
pub(crate) fn path(request: &Request) -> &'static str {
    match request.prompt {
        Prompt::Chat(_) => "chat/completions",
        Prompt::Text(_) => "completions",
    }
}

/// The body to send.
pub(crate) fn body(settings: &EndpointSettings, request: &Request) -> Value {
    let mut body = Map::new();
    body.insert("model".to_owned(), Value::from(settings.model.as_str()));
    let sampling = &request.sampling;
    match &request.prompt {
        Prompt::Chat(messages) => {
            let messages = messages.iter().map(|message| json!({"role": message.role, "content": message.content}));
            body.insert("messages".to_owned(), messages.collect());
            if let Some(likely) = sampling.top_logprobs {
                body.insert("logprobs".to_owned(), Value::from(true));
                body.insert("top_logprobs".to_owned(), Value::from(likely));
            }
        }
        Prompt::Text(text) => {
            body.insert("prompt".to_owned(), Value::from(text.as_str()));
            if let Some(likely) = sampling.top_logprobs {
                body.insert("logprobs".to_owned(), Value::from(likely));
            }
        }
    }
    body.insert("temperature".to_owned(), Value::from(sampling.temperature));
    body.insert("top_p".to_owned(), Value::from(sampling.top_p));
    body.insert("max_tokens".to_owned(), Value::from(sampling.max_tokens));
    if let Some(seed) = sampling.seed {
        body.insert("seed".to_owned(), Value::from(seed));
    }
    if !sampling.stop.is_empty() {
        body.insert("stop".to_owned(), Value::from(sampling.stop.clone()));
    }
    body.extend(settings.extra_body.clone());
    Value::Object(body)
}

/// The answer in a body of status 200.
pub(crate) fn read(request: &Request, body: &[u8], secret: Option<&Secret>) -> Result<Answer, EndpointError> {
    let malformed = |problem: String| EndpointError::Malformed { problem };
    let text = std::str::from_utf8(body).map_err(|_| malformed("not UTF-8".to_owned()))?;
    let response: Response = serde_json::from_str(text).map_err(|error| {
        malformed(format!("{} at line {} column {}", category(&error), error.line(), error.column()))
    })?;
    if let Some(error) = response.error {
        return Err(malformed(format!("an error with status 200: {}", excerpt(secret, &error.to_string()))));
    }
    let choice = response.choices.into_iter().next().ok_or_else(|| malformed("no choice".to_owned()))?;
    let (text, reasoning) = match (&request.prompt, choice.message, choice.text) {
        (Prompt::Chat(_), Some(message), _) => {
            (message.content.unwrap_or_default(), message.reasoning_content.or(message.reasoning))
        }
        (Prompt::Text(_), _, Some(text)) => (text, None),
        _ => return Err(malformed("a choice without text".to_owned())),
    };
    let tokens = choice.logprobs.map(tokens).transpose()?.unwrap_or_default();
    let tokens = tokens.into_iter().map(|token| redacted_token(secret, token)).collect();
    let reasoning = reasoning.filter(|reasoning| !reasoning.is_empty());
    Ok(Answer {
        usage: usage(request, response.usage.as_ref(), text.len() + reasoning.as_ref().map_or(0, String::len)),
        text: redacted(secret, &text),
        reasoning: reasoning.map(|reasoning| redacted(secret, &reasoning)),
        finish: finish(choice.finish_reason.as_deref()),
        tokens,
    })
}

/// The beginning of what a server says in an error, without the key and without control characters.
pub(crate) fn excerpt(secret: Option<&Secret>, text: &str) -> String {
    let clean: String =
        redacted(secret, text).chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let clean = clean.trim();
    match clean.char_indices().find(|(at, letter)| at + letter.len_utf8() > MAX_MESSAGE_BYTES) {
        Some((end, _)) => format!("{}...", &clean[..end]),
        None => clean.to_owned(),
    }
}

/// The message in the body of an error, or its beginning.
pub(crate) fn error_message(secret: Option<&Secret>, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let told = serde_json::from_str::<Value>(&text).ok().and_then(|value| {
        let error = value.get("error").unwrap_or(&value);
        error.get("message").or(Some(error)).and_then(Value::as_str).map(str::to_owned)
    });
    excerpt(secret, told.as_deref().unwrap_or(&text))
}

/// Tokens of the prompt when nobody counted them.
pub(crate) fn estimated_prompt_tokens(request: &Request) -> u64 {
    request.prompt_bytes().div_ceil(BYTES_PER_TOKEN) as u64
}

fn usage(request: &Request, told: Option<&WireUsage>, answer_bytes: usize) -> Usage {
    match told {
        Some(&WireUsage { prompt_tokens: Some(prompt_tokens), completion_tokens: Some(completion_tokens) }) => {
            Usage { prompt_tokens, completion_tokens, is_estimated: false }
        }
        _ => Usage {
            prompt_tokens: estimated_prompt_tokens(request),
            completion_tokens: answer_bytes.div_ceil(BYTES_PER_TOKEN) as u64,
            is_estimated: true,
        },
    }
}

fn finish(told: Option<&str>) -> Finish {
    match told {
        Some("stop" | "eos" | "end_turn") => Finish::Stop,
        Some("length" | "max_tokens") => Finish::Length,
        Some("content_filter") => Finish::Filtered,
        other => Finish::Other(excerpt(None, other.unwrap_or_default())),
    }
}

fn category(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Data => "JSON of another shape",
        serde_json::error::Category::Eof => "JSON that ends early",
        serde_json::error::Category::Io | serde_json::error::Category::Syntax => "no JSON",
    }
}

/// The tokens in either of the protocol's two forms.
fn tokens(wire: WireLogprobs) -> Result<Vec<AnswerToken>, EndpointError> {
    if let Some(content) = wire.content {
        return content
            .into_iter()
            .map(|token| {
                let likely = token.top_logprobs.unwrap_or_default().into_iter();
                Ok(AnswerToken {
                    bytes: token.bytes.unwrap_or_else(|| token.token.clone().into_bytes()),
                    logprob: logprob(token.logprob)?,
                    likely: likely.map(|other| likely_token(other.token, other.logprob)).collect::<Result<_, _>>()?,
                })
            })
            .collect();
    }
    let texts = wire.tokens.unwrap_or_default();
    let logprobs = wire.token_logprobs.unwrap_or_default();
    if texts.len() != logprobs.len() {
        return Err(EndpointError::Malformed { problem: "log-probabilities for other tokens".to_owned() });
    }
    let mut likely = wire.top_logprobs.unwrap_or_default().into_iter();
    texts
        .into_iter()
        .zip(logprobs)
        .map(|(text, value)| {
            let others = likely.next().flatten().unwrap_or_default().into_iter();
            Ok(AnswerToken {
                bytes: text.into_bytes(),
                logprob: logprob(value)?,
                likely: others.map(|(text, value)| likely_token(text, value.as_f64())).collect::<Result<_, _>>()?,
            })
        })
        .collect()
}

fn likely_token(text: String, value: Option<f64>) -> Result<Likely, EndpointError> {
    Ok(Likely { text, logprob: logprob(value)? })
}

/// A number that can be the logarithm of a probability.
fn logprob(value: Option<f64>) -> Result<f64, EndpointError> {
    match value {
        Some(value) if value.is_finite() && value <= ROUNDING => Ok(value.min(0.0)),
        _ => Err(EndpointError::Malformed { problem: "a log-probability that is none".to_owned() }),
    }
}

fn redacted_token(secret: Option<&Secret>, mut token: AnswerToken) -> AnswerToken {
    if let Ok(text) = std::str::from_utf8(&token.bytes) {
        token.bytes = redacted(secret, text).into_bytes();
    }
    for other in &mut token.likely {
        other.text = redacted(secret, &other.text);
    }
    token
}

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<WireUsage>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    message: Option<WireMessage>,
    text: Option<String>,
    finish_reason: Option<String>,
    logprobs: Option<WireLogprobs>,
}

#[derive(Deserialize)]
struct WireMessage {
    content: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
}

#[derive(Deserialize)]
struct WireUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
}

/// Chat answers fill `content`, completions the other three.
#[derive(Deserialize)]
struct WireLogprobs {
    content: Option<Vec<WireToken>>,
    tokens: Option<Vec<String>>,
    token_logprobs: Option<Vec<Option<f64>>>,
    top_logprobs: Option<Vec<Option<Map<String, Value>>>>,
}

#[derive(Deserialize)]
struct WireToken {
    token: String,
    logprob: Option<f64>,
    bytes: Option<Vec<u8>>,
    top_logprobs: Option<Vec<WireLikely>>,
}

#[derive(Deserialize)]
struct WireLikely {
    token: String,
    logprob: Option<f64>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::request::{Message, Sampling};

    fn chat() -> Request {
        Request::chat(vec![Message::user("abcdef")], Sampling { top_logprobs: Some(2), ..Sampling::default() })
    }

    fn text() -> Request {
        Request::text("abcdef", Sampling { top_logprobs: Some(2), seed: Some(7), ..Sampling::default() })
    }

    #[test]
    fn bodies_of_both_kinds() {
        let settings = EndpointSettings::new("http://h/v1", "m");
        assert_eq!(
            body(&settings, &chat()).to_string(),
            r#"{"model":"m","messages":[{"role":"user","content":"abcdef"}],"logprobs":true,"top_logprobs":2,"temperature":0.0,"top_p":1.0,"max_tokens":4096}"#
        );
        assert_eq!(
            body(&settings, &text()).to_string(),
            r#"{"model":"m","prompt":"abcdef","logprobs":2,"temperature":0.0,"top_p":1.0,"max_tokens":4096,"seed":7}"#
        );
    }

    #[test]
    fn tokens_of_both_kinds() {
        let of_chat = br#"{"choices":[{"message":{"content":"Hi","reasoning_content":"r"},"finish_reason":"stop","logprobs":{"content":
            [{"token":"Hi","logprob":-0.5,"bytes":[72,105],"top_logprobs":[{"token":"Hi","logprob":-0.5},{"token":"Ho","logprob":-1.0}]}]}}],
            "usage":{"prompt_tokens":3,"completion_tokens":1}}"#;
        let answer = read(&chat(), of_chat, None).unwrap();
        let likely =
            vec![Likely { text: "Hi".to_owned(), logprob: -0.5 }, Likely { text: "Ho".to_owned(), logprob: -1.0 }];
        let token = AnswerToken { bytes: b"Hi".to_vec(), logprob: -0.5, likely };
        assert_eq!(answer.tokens, std::slice::from_ref(&token));
        assert_eq!((answer.reasoning.as_deref(), answer.finish), (Some("r"), Finish::Stop));
        assert_eq!(answer.usage, Usage { prompt_tokens: 3, completion_tokens: 1, is_estimated: false });

        let of_text =
            br#"{"choices":[{"text":"Hi","finish_reason":"length","logprobs":{"tokens":["Hi"],"token_logprobs":[-0.5],
            "top_logprobs":[{"Hi":-0.5,"Ho":-1.0}],"text_offset":[0]}}]}"#;
        let answer = read(&text(), of_text, None).unwrap();
        assert_eq!(answer.tokens, [token]);
        assert_eq!(answer.finish, Finish::Length);
        assert_eq!(answer.usage, Usage { prompt_tokens: 2, completion_tokens: 1, is_estimated: true });
    }

    #[test]
    fn what_is_not_of_the_protocol_is_an_error() {
        for (body, part) in [
            ("", "ends early"),
            ("<html>busy</html>", "no JSON"),
            ("[]", "another shape"),
            ("{}", "no choice"),
            (r#"{"choices":[]}"#, "no choice"),
            (r#"{"choices":[{"text":"x"}]}"#, "without text"),
            (r#"{"choices":[{"message":{"content":7}}]}"#, "another shape"),
            (r#"{"choices":[{"message":{"content":"x"}}],"usage":{"prompt_tokens":-1}}"#, "another shape"),
            (r#"{"error":{"message":"overloaded"}}"#, "overloaded"),
            (
                r#"{"choices":[{"message":{"content":"x"},"logprobs":{"content":[{"token":"x","logprob":3}]}}]}"#,
                "log-probability",
            ),
            (
                r#"{"choices":[{"message":{"content":"x"},"logprobs":{"tokens":["x"],"token_logprobs":[]}}]}"#,
                "other tokens",
            ),
        ] {
            let error = read(&chat(), body.as_bytes(), None).unwrap_err().to_string();
            assert!(error.contains(part), "{body}: {error}");
        }
        let deep = format!("{{\"choices\":{}", "[".repeat(100_000));
        assert!(matches!(read(&chat(), deep.as_bytes(), None), Err(EndpointError::Malformed { .. })));
    }

    proptest! {
        #[test]
        fn a_damaged_answer_is_an_answer_or_an_error_and_probabilities_are_ones(
            at in any::<prop::sample::Index>(),
            length in 0_usize..20,
            instead in prop::sample::select(vec!["", "null", "-1", "1e999", "[", "}", "\"", "\\u0000", "99999999999999999999", "{}", "\u{e9}"]),
        ) {
            let whole = r#"{"choices":[{"message":{"content":"Hi"},"finish_reason":"stop","logprobs":{"content":[{"token":"Hi","logprob":-0.5,"bytes":[72,105],"top_logprobs":[{"token":"Ho","logprob":-1.0}]}]}}],"usage":{"prompt_tokens":3,"completion_tokens":1}}"#;
            let at = at.index(whole.len());
            let damaged = format!("{}{instead}{}", &whole[..at], whole.get(at + length..).unwrap_or_default());
            match read(&chat(), damaged.as_bytes(), None) {
                Ok(answer) => {
                    for token in &answer.tokens {
                        prop_assert!(token.logprob <= 0.0 && token.likely.iter().all(|other| other.logprob <= 0.0));
                    }
                }
                Err(error) => {
                    let is_malformed = matches!(error, EndpointError::Malformed { .. });
                    prop_assert!(is_malformed);
                }
            }
        }
    }

    #[test]
    fn excerpts_are_short_and_cannot_drive_a_terminal() {
        assert_eq!(excerpt(None, " a\x1b[31mb\nc "), "a [31mb c");
        let long = excerpt(None, &"é".repeat(1000));
        assert_eq!(long, format!("{}...", "é".repeat(150)));
        assert_eq!(error_message(None, br#"{"error":{"message":"no such model","type":"x"}}"#), "no such model");
        assert_eq!(error_message(None, br#"{"error":"no"}"#), "no");
        assert_eq!(error_message(None, b"plain"), "plain");
    }
}
