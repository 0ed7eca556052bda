//! The key to the server, which must not be seen anywhere but in one header.

use crate::error::EndpointError;

/// What stands where the key was.
const MARK: &str = "[key]";

/// A key. It has no `Display`, and its `Debug` shows nothing.
pub(crate) struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret")
    }
}

impl Secret {
    /// The key in the environment variable `variable`.
    pub(crate) fn from_environment(variable: &str) -> Result<Self, EndpointError> {
        let missing = || EndpointError::Key { variable: variable.to_owned() };
        if variable.is_empty() || variable.contains(['=', '\0']) {
            return Err(missing());
        }
        let key = std::env::var(variable).map_err(|_| missing())?.trim().to_owned();
        let is_usable = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        if is_usable { Ok(Self(key)) } else { Err(missing()) }
    }

    /// The value of the `Authorization` header.
    pub(crate) fn authorization(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// The text with the key blanked: a server may say it back.
    pub(crate) fn redact(&self, text: &str) -> String {
        text.replace(&self.0, MARK)
    }
}

/// The text with the key blanked, if there is a key.
pub(crate) fn redacted(secret: Option<&Secret>, text: &str) -> String {
    secret.map_or_else(|| text.to_owned(), |secret| secret.redact(text))
}
