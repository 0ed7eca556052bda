//! Where the cache and the hub are.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use codeward_endpoint::{FetchSettings, Fetcher};

use crate::error::HubError;

/// The hub, unless `HF_ENDPOINT` names another.
const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// The variable that holds the key to the hub.
const TOKEN_VARIABLE: &str = "HF_TOKEN";

/// Where models are looked for and where they come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubSettings {
    /// The folder with the cache.
    pub cache: PathBuf,
    /// The hub's address.
    pub endpoint: String,
    /// The environment variable that holds the key to the hub, if there is a key.
    pub token_variable: Option<String>,
    /// The environment variable that forbids downloads, if one does.
    pub forbidden_by: Option<&'static str>,
    /// How long to wait for what.
    pub patience: Patience,
}

/// How long to wait, and how often to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Attempts that bring nothing before a download is given up; one that brings a byte begins the count anew.
    pub max_attempts: u32,
    /// The wait after the first of them. It doubles from one to the next.
    pub first_wait: Duration,
    /// The longest wait, also of those that a server asks for.
    pub max_wait: Duration,
    /// The longest silence of a server.
    pub max_silence: Duration,
    /// The longest time over one answer; the rest is asked for again. A server that gives a byte now and then costs no more.
    pub max_body_time: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            max_attempts: 6,
            first_wait: Duration::from_secs(1),
            max_wait: Duration::from_mins(5),
            max_silence: Duration::from_secs(30),
            max_body_time: Duration::from_mins(10),
        }
    }
}

impl HubSettings {
    /// What the environment says: `HF_HUB_CACHE`, `HF_HOME`, `XDG_CACHE_HOME` or `HOME` for the cache, `HF_ENDPOINT`, `HF_TOKEN`,
    /// and `HF_HUB_OFFLINE`, as for Hugging Face's own tools.
    ///
    /// # Errors
    /// [`HubError::NoCache`].
    pub fn from_environment() -> Result<Self, HubError> {
        Self::from_variables(|name| std::env::var_os(name))
    }

    /// The same from other variables than the process's own. The key itself is always read from the process's own.
    ///
    /// # Errors
    /// As [`HubSettings::from_environment`].
    pub fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, HubError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let folder = |name: &str| set(name).map(PathBuf::from);
        let home = || folder("HOME").map(|home| home.join(".cache"));
        let around = || folder("HF_HOME").or_else(|| Some(folder("XDG_CACHE_HOME").or_else(home)?.join("huggingface")));
        let cache = folder("HF_HUB_CACHE").or_else(|| Some(around()?.join("hub"))).ok_or(HubError::NoCache)?;
        let text = |name: &str| set(name).map(|value| value.to_string_lossy().trim().to_owned());
        let is_true = |value: &str| matches!(value.to_ascii_lowercase().as_str(), "1" | "on" | "yes" | "true");
        let forbids = |name: &&'static str| text(name).is_some_and(|value| is_true(&value));
        Ok(Self {
            cache,
            endpoint: text("HF_ENDPOINT").unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned()),
            token_variable: text(TOKEN_VARIABLE).filter(|token| !token.is_empty()).map(|_| TOKEN_VARIABLE.to_owned()),
            forbidden_by: ["HF_HUB_OFFLINE"].into_iter().find(forbids),
            patience: Patience::default(),
        })
    }

    /// What asks the hub.
    pub(crate) fn fetcher(&self) -> Result<Fetcher, HubError> {
        let settings = FetchSettings {
            base_url: self.endpoint.clone(),
            key_env: self.token_variable.clone(),
            max_silence: self.patience.max_silence,
            max_body_time: self.patience.max_body_time,
        };
        Fetcher::open(&settings).map_err(|source| {
            let is_key = matches!(source, codeward_endpoint::EndpointError::Key { .. });
            HubError::Setting { variable: if is_key { TOKEN_VARIABLE } else { "HF_ENDPOINT" }, source }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> HubSettings {
        let find =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
        HubSettings::from_variables(find).unwrap()
    }

    #[test]
    fn the_cache_is_where_python_has_it() {
        let cache = |variables: &[(&str, &str)]| settings(variables).cache;
        assert_eq!(cache(&[("HOME", "/h")]), PathBuf::from("/h/.cache/huggingface/hub"));
        assert_eq!(cache(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")]), PathBuf::from("/x/huggingface/hub"));
        assert_eq!(cache(&[("HOME", "/h"), ("HF_HOME", "/f")]), PathBuf::from("/f/hub"));
        assert_eq!(cache(&[("HF_HOME", "/f"), ("HF_HUB_CACHE", "/c")]), PathBuf::from("/c"));
        assert_eq!(cache(&[("HF_HOME", "/f"), ("HF_HUB_CACHE", "")]), PathBuf::from("/f/hub"));
        assert!(matches!(HubSettings::from_variables(|_| None), Err(HubError::NoCache)));
    }

    #[test]
    fn the_rest_of_the_environment() {
        let plain = settings(&[("HOME", "/h")]);
        assert_eq!((plain.endpoint.as_str(), plain.token_variable, plain.forbidden_by), (DEFAULT_ENDPOINT, None, None));
        let full = settings(&[
            ("HOME", "/h"),
            ("HF_ENDPOINT", "http://127.0.0.1:1"),
            ("HF_TOKEN", "secret"),
            ("HF_HUB_OFFLINE", "ON"),
        ]);
        assert_eq!(full.endpoint, "http://127.0.0.1:1");
        assert_eq!((full.token_variable.as_deref(), full.forbidden_by), (Some("HF_TOKEN"), Some("HF_HUB_OFFLINE")));
        assert!(!format!("{full:?}").contains("secret"));
        let of = |endpoint: &str, token: Option<&str>| {
            let mut settings = settings(&[("HOME", "/h"), ("HF_ENDPOINT", endpoint)]);
            settings.token_variable = token.map(str::to_owned);
            settings.fetcher().map(|_| ()).unwrap_err().to_string()
        };
        assert!(of("ftp://h", None).starts_with("HF_ENDPOINT: endpoint setting base_url"));
        assert!(of("http://example.org", Some("HF_TOKEN")).contains("unencrypted"));
        assert!(of("https://example.org", Some("CODEWARD_NO_SUCH_VARIABLE")).starts_with("HF_TOKEN: "));
    }
}
