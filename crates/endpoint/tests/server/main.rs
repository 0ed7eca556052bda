//! The client against a real server on this machine, friendly and hostile.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

mod killed;
mod loopback;
mod tls;

use std::io::Write as _;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use crate::loopback::{Server, send, send_answer, send_without_end};
use codeward_endpoint::{
    Endpoint, EndpointError, EndpointSettings, Finish, Message, Origin, Price, Request, Sampling, Tape,
};

/// A variable that cargo sets for every test, used as a key: `codeward-endpoint`.
const KEY_VARIABLE: &str = "CARGO_PKG_NAME";
const KEY: &str = env!("CARGO_PKG_NAME");

fn question(text: &str) -> Request {
    Request::chat(vec![Message::user(text)], Sampling { max_tokens: 16, ..Sampling::default() })
}

fn open(settings: EndpointSettings) -> Endpoint {
    Endpoint::open(settings).unwrap()
}

/// The error of asking, and how long it took.
fn failure(settings: EndpointSettings) -> (EndpointError, Duration) {
    let start = Instant::now();
    let error = open(settings).ask(&question("?")).unwrap_err();
    (error, start.elapsed())
}

#[test]
fn a_chat_goes_out_and_its_answer_comes_back() {
    let server = Server::answering(|_| "Not Vulnerable".to_owned());
    let mut settings = server.settings();
    settings.api_key_env = Some(KEY_VARIABLE.to_owned());
    settings.extra_body.insert("chat_template_kwargs".to_owned(), serde_json::json!({"enable_thinking": true}));
    settings.price = Some(Price { prompt_per_million: 1e6, completion_per_million: 2e6 });
    let endpoint = open(settings);
    let reply = endpoint.ask(&question("Is it?")).unwrap();
    assert_eq!((reply.answer.text.as_str(), reply.origin, reply.attempts), ("Not Vulnerable", Origin::Server, 1));
    assert_eq!(reply.answer.finish, Finish::Stop);

    let received = &server.received()[0];
    assert_eq!(received.line, "POST /v1/chat/completions HTTP/1.1");
    let has = |line: String| received.headers.iter().any(|header| header.eq_ignore_ascii_case(&line));
    assert!(has(format!("authorization: Bearer {KEY}")));
    assert!(has("content-type: application/json".to_owned()));
    assert!(
        !received.headers.iter().any(|header| header.to_ascii_lowercase().contains("gzip")),
        "bombs need no unpacking"
    );
    assert_eq!(received.body["messages"][0]["content"], "Is it?");
    assert_eq!(received.body["chat_template_kwargs"]["enable_thinking"], true);

    let spent = endpoint.spent();
    assert_eq!((spent.requests, spent.prompt_tokens, spent.completion_tokens, spent.cost), (1, 10, 5, Some(20.0)));
}

#[test]
fn a_text_is_continued_with_the_log_probabilities_of_its_tokens() {
    let server = Server::start(|_, received, stream| {
        assert_eq!(received.line, "POST /v1/completions HTTP/1.1");
        assert_eq!(received.body["logprobs"], 2);
        let body = r#"{"choices":[{"text":" 4","finish_reason":"stop","logprobs":{"tokens":[" 4"],"token_logprobs":[-0.25],"top_logprobs":[{" 4":-0.25," 5":-1.5}]}}]}"#;
        send(stream, "200 OK", "", body);
    });
    let sampling = Sampling { top_logprobs: Some(2), max_tokens: 1, ..Sampling::default() };
    let reply = open(server.settings()).ask(&Request::text("2+2=", sampling)).unwrap();
    assert_eq!(reply.answer.tokens[0].logprob, -0.25);
    assert_eq!(reply.answer.tokens[0].likely[1].text, " 5");
    assert!(reply.answer.usage.is_estimated);
}

#[test]
fn what_may_go_better_is_tried_again() {
    let server = Server::start(|number, _, stream| match number {
        0 => send(stream, "429 Too Many Requests", "Retry-After: 1\r\n", "{\"error\":{\"message\":\"slow down\"}}"),
        1 => send(stream, "503 Service Unavailable", "", "<html>"),
        // The connection breaks before, then in the middle of the answer.
        2 => drop(stream.shutdown(Shutdown::Both)),
        3 => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"choices\"").unwrap();
            stream.shutdown(Shutdown::Both).unwrap();
        }
        _ => send_answer(stream, "fine"),
    });
    let endpoint = open(server.settings());
    let start = Instant::now();
    let reply = endpoint.ask(&question("?")).unwrap();
    assert_eq!((reply.answer.text.as_str(), reply.attempts), ("fine", 5));
    assert!(start.elapsed() >= Duration::from_secs(1), "the server asked for a second");
    assert_eq!(endpoint.spent().requests, 5);
    assert_eq!(endpoint.spent().answers, 1);
}

#[test]
fn what_will_not_go_better_is_not_tried_again() {
    for (status, retried) in
        [("400 Bad Request", false), ("401 Unauthorized", false), ("404 Not Found", false), ("500 Oops", true)]
    {
        let server = Server::start(move |_, _, stream| send(stream, status, "", r#"{"error":{"message":"no"}}"#));
        let mut settings = server.settings();
        settings.max_attempts = 3;
        let (error, _) = failure(settings);
        assert_eq!(server.received().len(), if retried { 3 } else { 1 }, "{status}: {error}");
        assert_eq!(error.is_retryable(), retried);
        assert!(error.to_string().ends_with(": no"), "{error}");
    }
}

#[test]
fn a_wait_that_would_pass_the_deadline_is_not_begun() {
    let server = Server::start(|_, _, stream| send(stream, "429 Busy", "Retry-After: 86400\r\n", ""));
    let (error, took) = failure(server.settings());
    assert!(matches!(error, EndpointError::DeadlinePassed { attempts: 1, last: Some(_) }), "{error}");
    assert!(error.to_string().contains("status 429") && took < Duration::from_secs(5), "{error} {took:?}");
}

#[test]
fn redirects_are_not_followed() {
    let elsewhere = Server::answering(|_| "stolen".to_owned());
    let address = elsewhere.address.clone();
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let location = format!("Location: http://{address}/v1/chat/completions?was={KEY}\r\n");
        let server = Server::start(move |_, _, stream| send(stream, status, &location, ""));
        let mut settings = server.settings();
        settings.api_key_env = Some(KEY_VARIABLE.to_owned());
        let (error, _) = failure(settings);
        assert!(matches!(&error, EndpointError::Redirected { to, .. } if to.contains("was=[key]")), "{error}");
        assert_eq!(server.received().len(), 1);
    }
    assert!(elsewhere.received().is_empty());
}

#[test]
fn a_body_without_end_is_too_large() {
    let whole = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let until_closed = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    for (head, piece) in [(whole, "x".repeat(4096)), (chunked, chunk), (until_closed, " ".repeat(4096))] {
        let server = Server::start(move |_, _, stream| {
            stream.write_all(head.as_bytes()).unwrap();
            assert!(send_without_end(stream, piece.as_bytes(), Duration::ZERO));
        });
        let mut settings = server.settings();
        settings.max_response_bytes = 100_000;
        let (error, _) = failure(settings);
        assert!(matches!(error, EndpointError::TooLarge { limit_bytes: 100_000 }), "{error}");
        assert_eq!(server.received().len(), 1, "it would be as large the next time");
    }
}

#[test]
fn headers_without_end_are_an_error() {
    let server = Server::start(|_, _, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n").unwrap();
        assert!(send_without_end(stream, format!("x: {}\r\n", "y".repeat(1000)).as_bytes(), Duration::ZERO));
    });
    let (error, took) = failure(server.settings());
    assert!(matches!(error, EndpointError::TooLarge { .. } | EndpointError::Malformed { .. }), "{error}");
    assert!(took < Duration::from_secs(4));
}

#[test]
fn a_drip_and_a_silence_end_with_the_time_of_an_attempt() {
    let drip = |head: &'static [u8]| {
        Server::start(move |_, _, stream| {
            stream.write_all(head).unwrap();
            assert!(send_without_end(stream, b" ", Duration::from_millis(20)));
        })
    };
    let silence = Server::start(|_, _, _| std::thread::sleep(Duration::from_secs(30)));
    let in_body = drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    let in_headers = drip(b"HTTP/1.1 200 OK\r\nx: ");
    for server in [in_body, in_headers, silence] {
        let mut settings = server.settings();
        settings.attempt_timeout_secs = 0.3;
        settings.max_attempts = 2;
        let (error, took) = failure(settings);
        assert_eq!(error.to_string(), "gave up after 2 attempts, the last: no whole answer in 300 ms");
        assert!(took > Duration::from_millis(600) && took < Duration::from_secs(5), "{took:?}");
    }
}

#[test]
fn the_deadline_holds_for_all_attempts_together() {
    let server = Server::start(|_, _, _| std::thread::sleep(Duration::from_secs(30)));
    let mut settings = server.settings();
    settings.deadline_secs = 0.5;
    settings.attempt_timeout_secs = 0.2;
    settings.max_attempts = 1000;
    let (error, took) = failure(settings.clone());
    assert!(matches!(error, EndpointError::DeadlinePassed { attempts: 2..=3, .. }), "{error}");
    assert!(took >= Duration::from_millis(400) && took < Duration::from_secs(2), "{took:?}");
    let start = Instant::now();
    let error = open(settings).ask_until(&question("?"), start + Duration::from_millis(50)).unwrap_err();
    assert!(matches!(error, EndpointError::DeadlinePassed { attempts: 1, .. }), "{error}");
    assert!(start.elapsed() < Duration::from_millis(400));
}

#[test]
fn what_is_no_answer_is_malformed() {
    for (headers, body) in [
        ("", "<html>welcome to the wifi</html>"),
        ("", "{}"),
        ("", "{\"choices\":[{\"message\":{}}"),
        ("Content-Encoding: gzip\r\n", "\u{1f}\u{8b}\u{8}"),
    ] {
        let server = Server::start(move |_, _, stream| send(stream, "200 OK", headers, body));
        let (error, _) = failure(server.settings());
        assert!(matches!(error, EndpointError::Malformed { .. }), "{body}: {error}");
    }
    let server = Server::start(|_, _, stream| {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n\r\n");
        let _ = stream.shutdown(Shutdown::Both);
    });
    let (error, _) = failure(server.settings());
    assert!(matches!(error, EndpointError::Malformed { .. }), "{error}");
}

#[test]
fn nobody_there_is_unreachable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let mut settings = EndpointSettings::new(format!("http://{address}/v1"), "m");
    settings.first_backoff_secs = 0.01;
    settings.max_attempts = 2;
    let (error, _) = failure(settings);
    assert!(error.to_string().contains(&format!("no connection to {address}")), "{error}");
    assert!(error.is_retryable());
}

#[test]
fn the_key_is_said_back_to_nobody() {
    let told = format!(r#"{{"error":{{"message":"wrong key {KEY}"}}}}"#);
    let server = Server::start(move |number, _, stream| match number {
        0 => send(stream, "401 Unauthorized", "", &told),
        1 => send(stream, "500 Oops", "", &format!("Bearer {KEY}")),
        _ => send_answer(stream, &format!("your key is {KEY}")),
    });
    let folder = tempfile::tempdir().unwrap();
    let tape = folder.path().join("tape.jsonl");
    let mut settings = server.settings();
    settings.api_key_env = Some(KEY_VARIABLE.to_owned());
    settings.max_attempts = 1;
    settings.tape = Some(Tape::Record(tape.clone()));
    let endpoint = open(settings);
    assert!(!format!("{endpoint:?}").contains(KEY));
    for _ in 0..2 {
        let error = endpoint.ask(&question("?")).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(KEY), "{error:?}");
        assert!(error.to_string().contains("[key]"));
    }
    assert_eq!(endpoint.ask(&question("?")).unwrap().answer.text, "your key is [key]");
    assert!(!std::fs::read_to_string(tape).unwrap().contains(KEY));
}

#[test]
fn a_key_that_is_not_there_is_named_by_its_variable() {
    let mut settings = EndpointSettings::new("https://example.org/v1", "m");
    for variable in ["CODEWARD_TEST_NO_SUCH_KEY", "", "A=B"] {
        settings.api_key_env = Some(variable.to_owned());
        let error = Endpoint::open(settings.clone()).unwrap_err();
        assert!(matches!(&error, EndpointError::Key { variable: named } if named == variable), "{error}");
    }
}

#[test]
fn an_answer_is_paid_once_whoever_asks() {
    let server = Server::start(|_, _, stream| {
        std::thread::sleep(Duration::from_millis(100));
        send_answer(stream, "kept");
    });
    let folder = tempfile::tempdir().unwrap();
    let mut settings = server.settings();
    settings.cache = Some(folder.path().join("cache"));
    let endpoint = open(settings.clone());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(endpoint.ask(&question("?")).unwrap().answer.text, "kept"));
        }
    });
    assert_eq!(server.received().len(), 1);
    assert_eq!((endpoint.spent().answers, endpoint.spent().cached_answers), (1, 7));
    // Another process, another day.
    let reply = open(settings.clone()).ask(&question("?")).unwrap();
    assert_eq!((reply.answer.text.as_str(), reply.origin, reply.attempts), ("kept", Origin::Cache, 0));
    assert_eq!(server.received().len(), 1);
    // Another question, another model, other sampling: another answer.
    open(settings.clone()).ask(&question("??")).unwrap();
    let mut warmer = question("?");
    warmer.sampling.temperature = 0.5;
    open(settings.clone()).ask(&warmer).unwrap();
    settings.model = "n".to_owned();
    open(settings).ask(&question("?")).unwrap();
    assert_eq!(server.received().len(), 4);
}

#[test]
fn errors_are_never_kept() {
    let server = Server::start(|number, _, stream| match number {
        0 => send(stream, "500 Oops", "", ""),
        1 => send(stream, "400 Bad", "", ""),
        2 => send(stream, "200 OK", "", "{}"),
        _ => send_answer(stream, "at last"),
    });
    let folder = tempfile::tempdir().unwrap();
    let mut settings = server.settings();
    settings.cache = Some(folder.path().to_owned());
    settings.max_attempts = 1;
    let endpoint = open(settings);
    for _ in 0..3 {
        endpoint.ask(&question("?")).unwrap_err();
    }
    assert_eq!(endpoint.ask(&question("?")).unwrap().origin, Origin::Server);
    assert_eq!(endpoint.ask(&question("?")).unwrap().origin, Origin::Cache);
}

#[test]
fn the_budget_ends_before_it_is_passed() {
    let server = Server::answering(|_| "x".to_owned());
    let mut settings = server.settings();
    // Each question may need 1 + 16 tokens and uses 15.
    settings.max_tokens = Some(15 + 15 + 17);
    let endpoint = open(settings.clone());
    for _ in 0..3 {
        endpoint.ask(&question("?")).unwrap();
    }
    let error = endpoint.ask(&question("?")).unwrap_err();
    assert_eq!(error.to_string(), "budget of 47 tokens is spent: 45 used, 17 more needed");
    assert!(!error.is_retryable());
    settings.max_tokens = None;
    settings.max_requests = Some(2);
    let endpoint = open(settings);
    endpoint.ask(&question("?")).unwrap();
    endpoint.ask(&question("?")).unwrap();
    assert_eq!(
        endpoint.ask(&question("?")).unwrap_err().to_string(),
        "budget of 2 requests is spent: 2 used, 1 more needed"
    );
    assert_eq!(server.received().len(), 5);
}

#[test]
fn a_recording_is_played_without_a_server_or_a_key() {
    let server = Server::answering(|number| format!("answer {number}"));
    let folder = tempfile::tempdir().unwrap();
    let tape = folder.path().join("tape.jsonl");
    let mut settings = server.settings();
    settings.tape = Some(Tape::Record(tape.clone()));
    let recorder = open(settings.clone());
    std::thread::scope(|scope| {
        for number in 0..8 {
            let recorder = &recorder;
            scope.spawn(move || recorder.ask(&question(&format!("question {number}"))).unwrap());
        }
    });
    let said: Vec<_> = (0..8).map(|number| recorder.ask(&question(&format!("question {number}"))).unwrap()).collect();
    // A recorder was killed in the middle of a line, and another went on.
    std::fs::OpenOptions::new().append(true).open(&tape).unwrap().write_all(b"{\"key\":\"12").unwrap();
    recorder.ask(&question("after")).unwrap();

    let mut player = EndpointSettings::new("https://another.example/v1", "m");
    player.tape = Some(Tape::Replay(tape.clone()));
    player.api_key_env = Some("CODEWARD_TEST_NO_SUCH_KEY".to_owned());
    let endpoint = open(player.clone());
    let mut first: Vec<String> = Vec::new();
    for number in 0..8 {
        let reply = endpoint.ask(&question(&format!("question {number}"))).unwrap();
        assert_eq!((reply.origin, reply.attempts), (Origin::Tape, 0));
        first.push(reply.answer.text);
    }
    // The first answers stand, not those of asking again.
    first.sort();
    assert_eq!(first, (0..8).map(|number| format!("answer {number}")).collect::<Vec<_>>());
    assert!(said.iter().all(|reply| !first.contains(&reply.answer.text)));
    assert_eq!(endpoint.ask(&question("after")).unwrap().answer.text, "answer 16");
    let error = endpoint.ask(&question("never asked")).unwrap_err();
    assert!(matches!(error, EndpointError::NotOnTape { .. }), "{error}");
    assert_eq!(endpoint.spent().requests, 0);
    assert_eq!(server.received().len(), 17);

    std::fs::OpenOptions::new().append(true).open(&tape).unwrap().write_all(b"{\"key\":7}\n").unwrap();
    let error = Endpoint::open(player).unwrap_err();
    assert!(matches!(error, EndpointError::TapeLine { line: 19, .. }), "{error}");
}

#[test]
fn requests_are_spaced() {
    let server = Server::answering(|_| "x".to_owned());
    let mut settings = server.settings();
    settings.requests_per_minute = Some(600);
    let endpoint = open(settings);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| endpoint.ask(&question("?")).unwrap());
        }
    });
    assert!(start.elapsed() >= Duration::from_millis(500), "{:?}", start.elapsed());
}

#[test]
fn closing_ends_a_request_under_way() {
    let server = Server::start(|_, _, _| std::thread::sleep(Duration::from_secs(30)));
    let mut settings = server.settings();
    settings.attempt_timeout_secs = 15.0;
    let endpoint = open(settings);
    let start = Instant::now();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| endpoint.ask(&question("?")).unwrap_err());
        while server.received().is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
        endpoint.close();
        let error = waiting.join().unwrap();
        assert!(matches!(error, EndpointError::Closed), "{error}");
    });
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn closing_ends_every_wait() {
    let server = Server::start(|_, _, stream| send(stream, "503 Busy", "Retry-After: 15\r\n", ""));
    let endpoint = open(server.settings());
    let start = Instant::now();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| endpoint.ask(&question("?")).unwrap_err());
        while server.received().is_empty() {
            std::thread::sleep(Duration::from_millis(5));
        }
        endpoint.close();
        assert!(matches!(waiting.join().unwrap(), EndpointError::Closed));
    });
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(matches!(endpoint.ask(&question("?")).unwrap_err(), EndpointError::Closed));
    assert_eq!(server.received().len(), 1);
}
