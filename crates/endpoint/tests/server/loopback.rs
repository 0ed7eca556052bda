//! A server on this machine that speaks just enough HTTP, and misbehaves as told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use codeward_endpoint::EndpointSettings;
use serde_json::Value;

/// A request as the server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// The first line.
    pub(crate) line: String,
    /// The header lines.
    pub(crate) headers: Vec<String>,
    /// The body.
    pub(crate) body: Value,
}

/// What a test does with a connection once the request is read; the number counts requests from 0.
type Handler = dyn Fn(usize, &Received, &mut TcpStream) + Send + Sync;

/// The server. It runs until the test's process ends.
pub(crate) struct Server {
    pub(crate) address: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Server {
    /// Starts one.
    pub(crate) fn start(handler: impl Fn(usize, &Received, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let received = Arc::new(Mutex::new(Vec::new()));
        let handler: Arc<Handler> = Arc::new(handler);
        let seen = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (handler, seen) = (Arc::clone(&handler), Arc::clone(&seen));
                std::thread::spawn(move || serve(stream, &handler, &seen));
            }
        });
        Self { address, received }
    }

    /// One that answers every request with the text that `answer` makes of the number of the request.
    pub(crate) fn answering(answer: impl Fn(usize) -> String + Send + Sync + 'static) -> Self {
        Self::start(move |number, _, stream| send_answer(stream, &answer(number)))
    }

    /// Settings for it, with short waits.
    pub(crate) fn settings(&self) -> EndpointSettings {
        let mut settings = EndpointSettings::new(format!("http://{}/v1", self.address), "m");
        settings.first_backoff_secs = 0.01;
        settings.max_backoff_secs = 0.02;
        settings.attempt_timeout_secs = 5.0;
        settings.deadline_secs = 20.0;
        settings
    }

    /// The requests so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, handler: &Arc<Handler>, seen: &Arc<Mutex<Vec<Received>>>) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(request) = read_request(&mut reader) {
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            seen.len() - 1
        };
        handler(number, &request, &mut stream);
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
    let length = lines.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
    })?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let headers = lines.split_off(1);
    Some(Received { line: lines.remove(0), headers, body: serde_json::from_slice(&body).unwrap() })
}

/// Sends a whole response; a test's client may have gone.
pub(crate) fn send(stream: &mut TcpStream, status: &str, headers: &str, body: &str) {
    let text = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len());
    let _ = stream.write_all(text.as_bytes());
}

/// Sends an answer of the chat protocol with the text `text`.
pub(crate) fn send_answer(stream: &mut TcpStream, text: &str) {
    let body = serde_json::json!({
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    });
    send(stream, "200 OK", "Content-Type: application/json\r\n", &body.to_string());
}

/// Writes the same bytes again and again until the client has gone; false when it stayed for 50,000 rounds.
pub(crate) fn send_without_end(stream: &mut TcpStream, bytes: &[u8], pause: Duration) -> bool {
    for _ in 0..50_000 {
        if stream.write_all(bytes).is_err() {
            return true;
        }
        std::thread::sleep(pause);
    }
    false
}
