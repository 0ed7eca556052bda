//! One HTTP exchange and what it came to. Only this module and [`crate::fetch`] know the HTTP client.

use std::time::Duration;

use ureq::http::{HeaderMap, Response, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use crate::backoff::retry_after;
use crate::error::EndpointError;
use crate::secret::Secret;
use crate::wire::{error_message, excerpt};

/// Most that is read of the body of an error.
const MAX_ERROR_BYTES: u64 = 16 << 10;

/// Most bytes of a response's headers.
const MAX_HEADER_BYTES: usize = 32 << 10;

/// Sends requests to one host.
pub(crate) struct Transport {
    agent: Agent,
    host: String,
    secret: Option<Secret>,
    max_response_bytes: u64,
}

impl Transport {
    /// A client of `host`, with the certificates that `roots` holds in PEM instead of the usual ones.
    pub(crate) fn new(
        host: String,
        secret: Option<Secret>,
        max_response_bytes: u64,
        roots: Option<&[u8]>,
    ) -> Result<Self, EndpointError> {
        Ok(Self { agent: agent(roots)?, host, secret, max_response_bytes })
    }

    /// Ends what is under way and refuses everything after.
    pub(crate) fn close(&self) {
        self.agent.clone().shutdown();
    }

    pub(crate) fn secret(&self) -> Option<&Secret> {
        self.secret.as_ref()
    }

    /// The body of an answer with status 200.
    pub(crate) fn post(&self, url: &str, body: &[u8], limit: Duration) -> Result<Vec<u8>, EndpointError> {
        let mut request = self.agent.post(url).config().timeout_global(Some(limit)).build();
        request = request.header(header::CONTENT_TYPE, "application/json");
        if let Some(secret) = &self.secret {
            request = request.header(header::AUTHORIZATION, secret.authorization());
        }
        let mut response = request.send(body).map_err(|error| self.failure(error, limit))?;
        let status = response.status().as_u16();
        match status {
            200 => response
                .body_mut()
                .with_config()
                .limit(self.max_response_bytes)
                .read_to_vec()
                .map_err(|error| self.failure(error, limit)),
            300..400 => {
                let to = excerpt(self.secret.as_ref(), &location(response.headers()));
                Err(EndpointError::Redirected { status, to })
            }
            _ => Err(refusal(&mut response, self.secret.as_ref())),
        }
    }

    fn failure(&self, error: ureq::Error, limit: Duration) -> EndpointError {
        failure(error, &self.host, self.secret.as_ref(), limit)
    }
}

/// A client that follows nothing by itself, with the certificates that `roots` holds in PEM instead of the usual ones.
pub(crate) fn agent(roots: Option<&[u8]>) -> Result<Agent, EndpointError> {
    let roots = roots.map_or(Ok(RootCerts::WebPki), certificates)?;
    Ok(Agent::config_builder()
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // The settings name who we talk to; the environment has no say.
        .proxy(None)
        .max_response_header_size(MAX_HEADER_BYTES)
        .user_agent(concat!("codeward/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent())
}

/// Where a redirect points to, as the server wrote it.
pub(crate) fn location(headers: &HeaderMap) -> String {
    let value = headers.get(header::LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    value.unwrap_or_default()
}

/// What a status says that is neither an answer nor a redirect.
pub(crate) fn refusal(response: &mut Response<Body>, secret: Option<&Secret>) -> EndpointError {
    let status = response.status().as_u16();
    let headers = response.headers();
    let date = headers.get(header::DATE).and_then(|date| date.to_str().ok());
    let wait = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = wait.and_then(|value| retry_after(value, date));
    // The body only explains; when it cannot be read the status has to do.
    let body = response.body_mut().with_config().limit(MAX_ERROR_BYTES).read_to_vec().unwrap_or_default();
    let message = error_message(secret, &body);
    match status {
        408 | 409 | 425 | 429 | 500..600 => EndpointError::Unavailable { status, message, retry_after },
        _ => EndpointError::Refused { status, message },
    }
}

/// What the client's error means, of an exchange with `host` that had `limit`.
pub(crate) fn failure(error: ureq::Error, host: &str, secret: Option<&Secret>, limit: Duration) -> EndpointError {
    let host = host.to_owned();
    let detail = |error: &ureq::Error| excerpt(secret, &error.to_string());
    match error {
        ureq::Error::Timeout(_) => EndpointError::TimedOut { limit_ms: limit.as_millis() as u64 },
        ureq::Error::BodyExceedsLimit(limit_bytes) => EndpointError::TooLarge { limit_bytes },
        ureq::Error::LargeResponseHeader(_, limit) => EndpointError::TooLarge { limit_bytes: limit as u64 },
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => {
            EndpointError::TimedOut { limit_ms: limit.as_millis() as u64 }
        }
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => EndpointError::Untrusted { host, detail: detail(&error) },
        // Failures of the handshake come as failures of reading.
        ureq::Error::Io(ref io) if io.get_ref().is_some_and(|inner| inner.to_string().contains("ertificate")) => {
            EndpointError::Untrusted { host, detail: detail(&error) }
        }
        ureq::Error::Io(_) | ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => {
            EndpointError::Unreachable { host, detail: detail(&error) }
        }
        other => EndpointError::Malformed { problem: detail(&other) },
    }
}

/// The certificates in a PEM file.
fn certificates(pem: &[u8]) -> Result<RootCerts, EndpointError> {
    let wrong =
        || EndpointError::Setting { name: "root_certificates", problem: "holds no certificate in PEM".to_owned() };
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| wrong())? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() { Err(wrong()) } else { Ok(certificates.into()) }
}
