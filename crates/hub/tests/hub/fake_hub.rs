//! A hub on this machine with one repository, that misbehaves as told.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use serde_json::{Value, json};

/// The commit that its one branch is at.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A request as the hub saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    /// The path with its query.
    pub(crate) path: String,
    /// The first byte that is asked for.
    pub(crate) from: Option<u64>,
    /// The key.
    pub(crate) key: Option<String>,
}

/// What a test does with a request; the number counts requests from 0. `false` leaves the answer to the hub.
type Handler = dyn Fn(usize, &Received, &mut TcpStream) -> bool + Send + Sync;

/// The hub. It runs until the test's process ends.
pub(crate) struct FakeHub {
    pub(crate) address: String,
    received: Arc<Mutex<Vec<Received>>>,
}

/// Files by name.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

impl FakeHub {
    /// One that behaves.
    pub(crate) fn of(files: Files) -> Self {
        Self::start(files, |_, _, _| false)
    }

    /// One that first asks `handler` what to do.
    pub(crate) fn start(
        files: Files,
        handler: impl Fn(usize, &Received, &mut TcpStream) -> bool + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let received = Arc::new(Mutex::new(Vec::new()));
        let (handler, files): (Arc<Handler>, _) = (Arc::new(handler), Arc::new(files));
        let seen = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (handler, files, seen) = (Arc::clone(&handler), Arc::clone(&files), Arc::clone(&seen));
                std::thread::spawn(move || serve(stream, &handler, &files, &seen));
            }
        });
        Self { address, received }
    }

    /// The requests so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The requests for files so far: name, and first byte.
    pub(crate) fn asked(&self) -> Vec<(String, u64)> {
        let name = |path: &str| path.split_once("/resolve/")?.1.split_once('/').map(|(_, name)| name.to_owned());
        self.received().iter().filter_map(|seen| Some((name(&seen.path)?, seen.from.unwrap_or(0)))).collect()
    }
}

fn serve(mut stream: TcpStream, handler: &Arc<Handler>, files: &Files, seen: &Mutex<Vec<Received>>) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(request) = read_request(&mut reader) {
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            seen.len() - 1
        };
        if !handler(number, &request, &mut stream) {
            answer(files, &request, &mut stream);
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let header = |name: &str| {
        let value = |line: &String| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        lines.iter().find_map(value)
    };
    let range =
        header("range").map(|range| range.strip_prefix("bytes=").unwrap().trim_end_matches('-').parse().unwrap());
    let path = lines.first()?.strip_prefix("GET ")?.strip_suffix(" HTTP/1.1")?.to_owned();
    Some(Received { path, from: range, key: header("authorization") })
}

/// The answer of a hub that behaves.
pub(crate) fn answer(files: &Files, request: &Received, stream: &mut TcpStream) {
    if request.path.starts_with("/api/models/") {
        return send(stream, "200 OK", "", listing(files).to_string().as_bytes());
    }
    let name = request.path.split_once(&format!("/resolve/{COMMIT}/")).map(|(_, name)| name);
    let Some(bytes) = name.and_then(|name| files.get(name)) else {
        return send(stream, "404 Not Found", "", br#"{"error":"Entry not found"}"#);
    };
    match request.from {
        None => send(stream, "200 OK", "Accept-Ranges: bytes\r\n", bytes),
        Some(from) if from >= bytes.len() as u64 => send(stream, "416 Range Not Satisfiable", "", b""),
        Some(from) => send_part(stream, bytes, from),
    }
}

/// Sends the rest of a file.
pub(crate) fn send_part(stream: &mut TcpStream, bytes: &[u8], from: u64) {
    let range = format!("Content-Range: bytes {from}-{}/{}\r\n", bytes.len() - 1, bytes.len());
    send(stream, "206 Partial Content", &range, &bytes[from as usize..]);
}

/// Sends a whole response; a test's client may have gone.
pub(crate) fn send(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

/// The listing, in the form of the hub: git's hash for what is small, SHA-256 for what is large.
pub(crate) fn listing(files: &Files) -> Value {
    let siblings = files.iter().map(|(name, bytes)| {
        let git = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[format!("blob {}\0", bytes.len()).as_bytes(), bytes].concat());
        let mut sibling = json!({"rfilename": name, "size": bytes.len(), "blobId": hexadecimal(git.as_ref())});
        if name.contains(".safetensors") || name.contains(".gguf") || name == "tokenizer.json" {
            let sum = hexadecimal(digest(&SHA256, bytes).as_ref());
            sibling["lfs"] = json!({"sha256": sum, "size": bytes.len(), "pointerSize": 130});
        }
        sibling
    });
    json!({"id": "owner/name", "sha": COMMIT, "siblings": siblings.collect::<Vec<_>>()})
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from_digit(digit.into(), 16).unwrap())
        .collect()
}

/// Bytes that differ from place to place.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// A repository with a model, and with files that none needs.
pub(crate) fn model(weights: usize) -> Files {
    let files = [
        ("config.json", b"{\"model_type\": \"llama\"}".to_vec()),
        ("tokenizer.json", noise(5000, 1)),
        ("model.safetensors", noise(weights, 2)),
        ("README.md", b"# Read me".to_vec()),
        ("pytorch_model.bin", noise(100, 3)),
    ];
    files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect()
}
