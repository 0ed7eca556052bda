//! How an endpoint is set up: as written in a recipe, and as used.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use ureq::http::Uri;

use crate::error::EndpointError;

/// What a million tokens cost, in whatever currency the reader thinks of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// A million tokens of prompts.
    pub prompt_per_million: f64,
    /// A million tokens of answers.
    pub completion_per_million: f64,
}

/// A recording: a JSONL file with one request and its answer a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tape {
    /// Every answer is added to this file, from the server or the cache.
    Record(PathBuf),
    /// Every answer comes from this file. Nothing is sent, no key is read, nothing is spent.
    Replay(PathBuf),
}

/// One server and how it may be used. Times are in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointSettings {
    /// The address up to and with the version, such as `http://127.0.0.1:8000/v1`.
    pub base_url: String,
    /// The model's name there.
    pub model: String,
    /// The environment variable that holds the key; without it no key is sent. The key itself can be written nowhere.
    #[serde(default)]
    pub api_key_env: Option<String>,
    /// A file of certificates in PEM whose holders are trusted instead of the usual authorities, for a server of one's own.
    #[serde(default)]
    pub root_certificates: Option<PathBuf>,
    /// Lets the key go over unencrypted HTTP to another machine.
    #[serde(default)]
    pub allow_key_over_http: bool,
    /// Longest time for a request with all its attempts and waits.
    #[serde(default = "default_deadline_secs")]
    pub deadline_secs: f64,
    /// Longest time for one attempt, from the name's resolution to the last byte.
    #[serde(default = "default_attempt_timeout_secs")]
    pub attempt_timeout_secs: f64,
    /// Most HTTP requests for one answer.
    #[serde(default = "default_max_attempts")]
    pub max_attempts: u32,
    /// Wait before the second attempt; doubled for each further one.
    #[serde(default = "default_first_backoff_secs")]
    pub first_backoff_secs: f64,
    /// Longest wait of our own; what the server asks for may be longer.
    #[serde(default = "default_max_backoff_secs")]
    pub max_backoff_secs: f64,
    /// Most HTTP requests a minute, evenly spaced.
    #[serde(default)]
    pub requests_per_minute: Option<u32>,
    /// Most HTTP requests in the life of the endpoint, those that failed included.
    #[serde(default)]
    pub max_requests: Option<u64>,
    /// Most tokens in the life of the endpoint.
    #[serde(default)]
    pub max_tokens: Option<u64>,
    /// What tokens cost, to account for it.
    #[serde(default)]
    pub price: Option<Price>,
    /// Largest answer that is read, in bytes of HTTP body.
    #[serde(default = "default_max_response_bytes")]
    pub max_response_bytes: u64,
    /// The folder where answers are kept; none are without it.
    #[serde(default)]
    pub cache: Option<PathBuf>,
    /// Recording or playing one.
    #[serde(default)]
    pub tape: Option<Tape>,
    /// Members that this server wants in the body besides, such as `chat_template_kwargs`. They may not replace ours.
    #[serde(default)]
    pub extra_body: Map<String, Value>,
}

fn default_deadline_secs() -> f64 {
    300.0
}

fn default_attempt_timeout_secs() -> f64 {
    120.0
}

fn default_max_attempts() -> u32 {
    5
}

fn default_first_backoff_secs() -> f64 {
    0.5
}

fn default_max_backoff_secs() -> f64 {
    30.0
}

fn default_max_response_bytes() -> u64 {
    8 << 20
}

impl EndpointSettings {
    /// The server at `base_url` with its model `model`, no key, no budget, nothing kept.
    pub fn new(base_url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            model: model.into(),
            api_key_env: None,
            root_certificates: None,
            allow_key_over_http: false,
            deadline_secs: default_deadline_secs(),
            attempt_timeout_secs: default_attempt_timeout_secs(),
            max_attempts: default_max_attempts(),
            first_backoff_secs: default_first_backoff_secs(),
            max_backoff_secs: default_max_backoff_secs(),
            requests_per_minute: None,
            max_requests: None,
            max_tokens: None,
            price: None,
            max_response_bytes: default_max_response_bytes(),
            cache: None,
            tape: None,
            extra_body: Map::new(),
        }
    }

    /// Checks everything that can be checked without a network.
    pub(crate) fn resolve(&self) -> Result<Resolved, EndpointError> {
        let (base_url, host) = self.resolve_address()?;
        if self.model.trim().is_empty() {
            return Err(wrong("model", "is empty"));
        }
        if self.max_attempts == 0 {
            return Err(wrong("max_attempts", "is 0"));
        }
        if self.requests_per_minute == Some(0) {
            return Err(wrong("requests_per_minute", "is 0"));
        }
        if self.max_response_bytes == 0 {
            return Err(wrong("max_response_bytes", "is 0"));
        }
        if let Some(price) = self.price
            && [price.prompt_per_million, price.completion_per_million]
                .iter()
                .any(|part| !part.is_finite() || *part < 0.0)
        {
            return Err(wrong("price", "is not a finite number from 0"));
        }
        if let Some(name) = OUR_MEMBERS.iter().find(|name| self.extra_body.contains_key(**name)) {
            return Err(wrong("extra_body", &format!("may not hold {name:?}, which is set elsewhere")));
        }
        Ok(Resolved {
            base_url,
            host,
            deadline: duration("deadline_secs", self.deadline_secs)?,
            attempt_timeout: duration("attempt_timeout_secs", self.attempt_timeout_secs)?,
            first_backoff: duration("first_backoff_secs", self.first_backoff_secs)?,
            max_backoff: duration("max_backoff_secs", self.max_backoff_secs)?,
        })
    }

    /// The address without a slash at its end, and host with port.
    fn resolve_address(&self) -> Result<(String, String), EndpointError> {
        check_address(&self.base_url, self.api_key_env.is_some() && !self.allow_key_over_http)
    }
}

/// Members of the body that the settings and the request decide.
const OUR_MEMBERS: &[&str] = &[
    "model",
    "messages",
    "prompt",
    "temperature",
    "top_p",
    "max_tokens",
    "seed",
    "stop",
    "logprobs",
    "top_logprobs",
    "stream",
    "n",
    "echo",
];

/// Settings in the form in which they are used.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) base_url: String,
    pub(crate) host: String,
    pub(crate) deadline: Duration,
    pub(crate) attempt_timeout: Duration,
    pub(crate) first_backoff: Duration,
    pub(crate) max_backoff: Duration,
}

/// The address without a slash at its end, and host with port. `keeps_key` says that a key goes there which nobody on the way may
/// read.
pub(crate) fn check_address(base_url: &str, keeps_key: bool) -> Result<(String, String), EndpointError> {
    let wrong = |problem| wrong("base_url", problem);
    let address = base_url.trim_end_matches('/');
    let uri: Uri = address.parse().map_err(|_| wrong("is not an address"))?;
    let scheme = uri.scheme_str().unwrap_or_default();
    if scheme != "http" && scheme != "https" {
        return Err(wrong("does not begin with http:// or https://"));
    }
    let authority = uri.authority().ok_or_else(|| wrong("names no host"))?;
    if authority.as_str().contains('@') {
        return Err(wrong("holds a user or a password; a key comes from an environment variable"));
    }
    if uri.query().is_some() || address.contains('#') {
        return Err(wrong("holds a query or a fragment"));
    }
    let is_local = matches!(authority.host(), "localhost" | "[::1]") || is_loopback(authority.host());
    if keeps_key && scheme == "http" && !is_local {
        return Err(wrong("would send the key unencrypted to another machine; use https"));
    }
    Ok((address.to_owned(), authority.as_str().to_owned()))
}

fn wrong(name: &'static str, problem: &str) -> EndpointError {
    EndpointError::Setting { name, problem: problem.to_owned() }
}

fn is_loopback(host: &str) -> bool {
    host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// A positive number of seconds of at most a week.
fn duration(name: &'static str, seconds: f64) -> Result<Duration, EndpointError> {
    if seconds.is_finite() && seconds > 0.0 && seconds <= 604_800.0 {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(wrong(name, "is not a number of seconds above 0 and up to a week"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(change: impl FnOnce(&mut EndpointSettings)) -> String {
        let mut settings = EndpointSettings::new("http://127.0.0.1:8000/v1/", "m");
        change(&mut settings);
        settings.resolve().map_or_else(|error| error.to_string(), |resolved| resolved.base_url)
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        assert_eq!(problem(|_| ()), "http://127.0.0.1:8000/v1");
        for (base_url, part) in [
            ("ftp://h/v1", "does not begin with http"),
            ("h/v1", "is not an address"),
            ("http://u:secret@h/v1", "holds a user"),
            ("http://h/v1?key=1", "holds a query"),
            ("http://h/v1#x", "holds a query or a fragment"),
            ("not an address", "is not an address"),
        ] {
            let problem = problem(|settings| settings.base_url = base_url.to_owned());
            assert!(problem.contains(part) && !problem.contains("secret"), "{base_url}: {problem}");
        }
        assert!(problem(|settings| settings.deadline_secs = f64::NAN).contains("deadline_secs"));
        assert!(problem(|settings| settings.attempt_timeout_secs = 0.0).contains("attempt_timeout_secs"));
        assert!(problem(|settings| settings.max_attempts = 0).contains("max_attempts"));
        assert!(problem(|settings| settings.requests_per_minute = Some(0)).contains("requests_per_minute"));
        let extra = |settings: &mut EndpointSettings| {
            settings.extra_body.insert("model".to_owned(), Value::from("other"));
        };
        assert!(problem(extra).contains("\"model\""));
    }

    #[test]
    fn a_key_goes_unencrypted_to_this_machine_only() {
        let with_key = |base_url: &str, allowed| {
            problem(|settings| {
                settings.base_url = base_url.to_owned();
                settings.api_key_env = Some("KEY".to_owned());
                settings.allow_key_over_http = allowed;
            })
        };
        assert!(with_key("http://example.org/v1", false).contains("unencrypted"));
        assert!(with_key("http://127.0.0.1.example.org/v1", false).contains("unencrypted"));
        for (base_url, allowed) in [
            ("http://example.org/v1", true),
            ("https://example.org/v1", false),
            ("http://localhost:1/v1", false),
            ("http://127.0.0.9:1/v1", false),
            ("http://[::1]:1/v1", false),
        ] {
            assert_eq!(with_key(base_url, allowed), base_url);
        }
    }

    #[test]
    fn a_recipe_needs_two_lines_and_unknown_keys_are_errors() {
        let text = "base_url = 'http://h/v1'\nmodel = 'm'\n";
        let settings: EndpointSettings = toml::from_str(text).unwrap();
        assert_eq!(settings, EndpointSettings::new("http://h/v1", "m"));
        assert!(toml::from_str::<EndpointSettings>(&format!("{text}api_key = 'x'\n")).is_err());
        let taped: EndpointSettings = toml::from_str(&format!("{text}tape = {{ replay = 'a.jsonl' }}\n")).unwrap();
        assert_eq!(taped.tape, Some(Tape::Replay("a.jsonl".into())));
    }
}
