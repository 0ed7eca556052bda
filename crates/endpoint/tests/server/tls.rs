//! Encrypted connections: whom the client believes.
//!
//! The certificate beside this file is for 127.0.0.1 and signed by its own key, which is no secret.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use codeward_endpoint::{Endpoint, EndpointError, EndpointSettings, Message, Request, Sampling};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::loopback::Server;

fn certificate() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/server/loopback-certificate.pem"))
}

/// The port of a server that answers every request, encrypted.
fn encrypted_server() -> u16 {
    let chain = vec![CertificateDer::from_pem_file(certificate()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("loopback-key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut reader = BufReader::new(StreamOwned::new(connection, stream));
            let mut line = String::new();
            let mut length = 0;
            // A client that does not believe us hangs up in the handshake.
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            if length == 0 || reader.read_exact(&mut body).is_err() {
                continue;
            }
            let answer = r#"{"choices":[{"message":{"content":"in private"},"finish_reason":"stop"}]}"#;
            let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", answer.len());
            let _ = reader.get_mut().write_all(format!("{head}{answer}").as_bytes());
            let _ = reader.get_mut().flush();
        }
    });
    port
}

fn ask(base_url: String, root_certificates: Option<PathBuf>) -> Result<String, EndpointError> {
    let mut settings = EndpointSettings::new(base_url, "m");
    settings.root_certificates = root_certificates;
    settings.first_backoff_secs = 0.01;
    settings.attempt_timeout_secs = 5.0;
    settings.max_attempts = 2;
    let request = Request::chat(vec![Message::user("?")], Sampling::default());
    Ok(Endpoint::open(settings)?.ask(&request)?.answer.text)
}

#[test]
fn only_who_has_a_trusted_certificate_for_the_host_is_believed() {
    let port = encrypted_server();
    let error = ask(format!("https://127.0.0.1:{port}/v1"), None).unwrap_err();
    assert!(matches!(error, EndpointError::Untrusted { .. }), "{error:?}");
    assert!(!error.is_retryable());
    let answer = ask(format!("https://127.0.0.1:{port}/v1"), Some(certificate())).unwrap();
    assert_eq!(answer, "in private");
    // The certificate is trusted, and for another name.
    let error = ask(format!("https://localhost:{port}/v1"), Some(certificate())).unwrap_err();
    assert!(matches!(error, EndpointError::Untrusted { .. }), "{error:?}");
}

#[test]
fn a_server_that_does_not_encrypt_is_not_spoken_to() {
    let server = Server::answering(|_| "in the open".to_owned());
    let error = ask(format!("https://{}/v1", server.address), None).unwrap_err();
    assert!(
        matches!(
            error,
            EndpointError::Untrusted { .. } | EndpointError::GaveUp { .. } | EndpointError::Malformed { .. }
        ),
        "{error:?}"
    );
    assert!(server.received().is_empty());
}

#[test]
fn certificates_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roots.pem");
    let refused = |file: PathBuf| ask("https://127.0.0.1:1/v1".to_owned(), Some(file)).unwrap_err();
    assert!(matches!(refused(file.clone()), EndpointError::File { .. }));
    for text in ["", "no certificate", include_str!("loopback-key.pem")] {
        std::fs::write(&file, text).unwrap();
        assert!(matches!(refused(file.clone()), EndpointError::Setting { name: "root_certificates", .. }), "{text}");
    }
}
