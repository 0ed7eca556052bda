//! Files from a server: one GET at a time, from a byte on, streamed.
//!
//! Other than a request to a model, a file may lie elsewhere than where it is asked for, so redirects are followed, a few of them,
//! never from https to http, and the key stays with the server that it is for. Nothing is retried and nothing is kept here.

use std::fmt;
use std::io::Read;
use std::time::Duration;

use ureq::http::uri::Uri;
use ureq::http::{HeaderMap, Response, header};
use ureq::{Agent, Body, BodyReader};

use crate::error::EndpointError;
use crate::secret::Secret;
use crate::settings::check_address;
use crate::transport::{agent, failure, location, refusal};
use crate::wire::excerpt;

/// Redirects that are followed from one address on; a file hub needs two.
const MAX_REDIRECTS: usize = 5;

/// Where files are and how long to wait for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchSettings {
    /// The server, such as `https://files.example`.
    pub base_url: String,
    /// Environment variable that holds the key to it, if one is needed. It is sent to this server alone.
    pub key_env: Option<String>,
    /// The longest silence: of connecting, until the answer begins, and between two pieces of it.
    pub max_silence: Duration,
    /// The longest time over one body. What is missing then can be asked for again.
    pub max_body_time: Duration,
}

/// Asks one server for files.
pub struct Fetcher {
    agent: Agent,
    base_url: String,
    secret: Option<Secret>,
    max_silence: Duration,
    max_body_time: Duration,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Fetcher").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// A file, or the rest of one, as it comes in.
pub struct Fetched {
    host: String,
    max_silence: Duration,
    headers: HeaderMap,
    is_part: bool,
    body: BodyReader<'static>,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Fetched").field("host", &self.host).finish_non_exhaustive()
    }
}

/// Which bytes of how many a server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The first byte.
    pub first: u64,
    /// How many bytes follow, if the server says so.
    pub length: Option<u64>,
    /// How long the whole file is, if the server says so.
    pub total: Option<u64>,
}

impl Fetcher {
    /// Checks the address and reads the key. Nothing is sent.
    ///
    /// # Errors
    /// [`EndpointError::Setting`] or [`EndpointError::Key`].
    pub fn open(settings: &FetchSettings) -> Result<Self, EndpointError> {
        let (base_url, _) = check_address(&settings.base_url, settings.key_env.is_some())?;
        let secret = settings.key_env.as_deref().map(Secret::from_environment).transpose()?;
        let (max_silence, max_body_time) = (settings.max_silence, settings.max_body_time);
        Ok(Self { agent: agent(None)?, base_url, secret, max_silence, max_body_time })
    }

    /// Asks for what lies at `path` below the server's address, from byte `from` on.
    ///
    /// # Errors
    /// Any of an exchange; [`EndpointError::Redirected`] for a redirect that is not followed.
    pub fn get(&self, path: &str, from: u64) -> Result<Fetched, EndpointError> {
        let mut url = format!("{}/{}", self.base_url, path.trim_start_matches('/'));
        for _ in 0..=MAX_REDIRECTS {
            let place = Place::of(&url)?;
            let silence = Some(self.max_silence);
            let config = self.agent.get(&url).config().timeout_connect(silence).timeout_recv_response(silence);
            let config = config.timeout_per_read(silence).timeout_recv_body(Some(self.max_body_time));
            let mut request = config.build().header(header::ACCEPT_ENCODING, "identity");
            if from > 0 {
                request = request.header(header::RANGE, format!("bytes={from}-"));
            }
            if let Some(secret) =
                self.secret.as_ref().filter(|_| Place::of(&self.base_url).is_ok_and(|own| own == place))
            {
                request = request.header(header::AUTHORIZATION, secret.authorization());
            }
            let sent = request.call();
            let mut response =
                sent.map_err(|error| failure(error, &place.authority, self.secret.as_ref(), self.max_silence))?;
            match response.status().as_u16() {
                200 | 206 => return Ok(self.fetched(place.authority, response)),
                301 | 302 | 303 | 307 | 308 => url = self.follow(&place, &response)?,
                status @ 300..400 => return Err(self.not_followed(status, &location(response.headers()))),
                _ => return Err(refusal(&mut response, self.secret.as_ref())),
            }
        }
        Err(self.not_followed(302, &url))
    }

    fn fetched(&self, host: String, response: Response<Body>) -> Fetched {
        let is_part = response.status().as_u16() == 206;
        let (parts, body) = response.into_parts();
        Fetched {
            host,
            max_silence: self.max_silence,
            headers: parts.headers,
            is_part,
            body: body.into_with_config().limit(u64::MAX).reader(),
        }
    }

    /// The address that a redirect names, if it may be followed.
    fn follow(&self, from: &Place, response: &Response<Body>) -> Result<String, EndpointError> {
        let to = location(response.headers());
        target(from, &to).ok_or_else(|| self.not_followed(response.status().as_u16(), &to))
    }

    fn not_followed(&self, status: u16, to: &str) -> EndpointError {
        EndpointError::Redirected { status, to: excerpt(self.secret.as_ref(), to) }
    }
}

/// Where a redirect leads that may be followed: never from https to http.
fn target(from: &Place, to: &str) -> Option<String> {
    let url = if to.starts_with("//") {
        format!("{}:{to}", from.scheme)
    } else if to.starts_with('/') {
        format!("{}://{}{to}", from.scheme, from.authority)
    } else {
        to.to_owned()
    };
    let place = Place::of(&url).ok()?;
    (place.scheme == "https" || from.scheme == "http").then_some(url)
}

/// What decides who gets the key.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    scheme: String,
    /// Host and port.
    authority: String,
}

impl Place {
    fn of(url: &str) -> Result<Self, EndpointError> {
        let malformed = || EndpointError::Malformed { problem: "an address that is none".to_owned() };
        let uri: Uri = url.parse().map_err(|_| malformed())?;
        let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https")).ok_or_else(malformed)?;
        let authority = uri.authority().map(ureq::http::uri::Authority::as_str).ok_or_else(malformed)?;
        if authority.contains('@') {
            return Err(malformed());
        }
        Ok(Self { scheme: scheme.to_owned(), authority: authority.to_ascii_lowercase() })
    }
}

impl Fetched {
    /// The server that it comes from: host, and port if it is not the usual one.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Which bytes come.
    ///
    /// # Errors
    /// [`EndpointError::Malformed`] if the server says that it sends a part, and not which.
    pub fn extent(&self) -> Result<Extent, EndpointError> {
        let length = self.text(header::CONTENT_LENGTH.as_str()).and_then(|length| length.trim().parse().ok());
        if !self.is_part {
            return Ok(Extent { first: 0, length, total: length });
        }
        let malformed = || EndpointError::Malformed { problem: "a part of a file without its range".to_owned() };
        let range = self.text(header::CONTENT_RANGE.as_str()).ok_or_else(malformed)?;
        let (range, total) =
            range.trim().strip_prefix("bytes ").and_then(|range| range.split_once('/')).ok_or_else(malformed)?;
        let (first, last) = range.split_once('-').ok_or_else(malformed)?;
        let (first, last): (u64, u64) =
            (first.parse().map_err(|_| malformed())?, last.parse().map_err(|_| malformed())?);
        let length = last.checked_sub(first).and_then(|more| more.checked_add(1)).ok_or_else(malformed)?;
        Ok(Extent { first, length: Some(length), total: total.parse().ok() })
    }

    /// Fills some of `buffer` with what comes next; 0 at the end.
    ///
    /// # Errors
    /// Any of an exchange.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, EndpointError> {
        loop {
            match self.body.read(buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                read => return read.map_err(|error| self.broken(error)),
            }
        }
    }

    /// Everything, if it is no more than `limit` bytes.
    ///
    /// # Errors
    /// [`EndpointError::TooLarge`], or any of an exchange.
    pub fn read_all(mut self, limit: u64) -> Result<Vec<u8>, EndpointError> {
        let mut bytes = Vec::new();
        let read = self.body.by_ref().take(limit.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| self.broken(error))?;
        if bytes.len() as u64 > limit { Err(EndpointError::TooLarge { limit_bytes: limit }) } else { Ok(bytes) }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn broken(&self, error: std::io::Error) -> EndpointError {
        failure(ureq::Error::from(error), &self.host, None, self.max_silence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_to_addresses_and_never_out_of_encryption() {
        let from = Place::of("https://hub.example/a/b").unwrap();
        let follow = |to: &str| target(&from, to);
        assert_eq!(follow("https://files.example/x?y=1").as_deref(), Some("https://files.example/x?y=1"));
        assert_eq!(follow("/c/d").as_deref(), Some("https://hub.example/c/d"));
        assert_eq!(follow("//files.example/x").as_deref(), Some("https://files.example/x"));
        for to in
            ["http://hub.example/a", "http://127.0.0.1/", "c/d", "", "ftp://h/", "https://user@h/", "https://", "#x"]
        {
            assert_eq!(follow(to), None, "{to}");
        }
        let plain = Place::of("http://127.0.0.1:1/").unwrap();
        assert_eq!(target(&plain, "http://127.0.0.1:2/x").as_deref(), Some("http://127.0.0.1:2/x"));
        assert_eq!(target(&plain, "https://h/").as_deref(), Some("https://h/"));
    }

    #[test]
    fn the_key_is_for_a_scheme_a_host_and_a_port() {
        let own = Place::of("https://Hub.example/x").unwrap();
        assert_eq!(Place::of("https://hub.EXAMPLE/y?z").unwrap(), own);
        for other in [
            "http://hub.example/x",
            "https://hub.example:8443/x",
            "https://cdn.hub.example/x",
            "https://hub.example.org/",
        ] {
            assert_ne!(Place::of(other).unwrap(), own, "{other}");
        }
    }
}
