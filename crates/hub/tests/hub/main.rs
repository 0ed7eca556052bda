//! Downloads from a real server on this machine, friendly and hostile.

#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails the test")]

mod fake_hub;
mod killed;

use std::fs;
use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use codeward_endpoint::EndpointError;
use codeward_hub::{Event, HubError, HubSettings, ModelId, Patience, cached, download};
use fake_hub::{COMMIT, FakeHub, Files, answer, listing, model, noise, send, send_part};

/// A variable that cargo sets for every test, used as a key: `codeward-hub`.
const KEY_VARIABLE: &str = "CARGO_PKG_NAME";
const KEY: &str = env!("CARGO_PKG_NAME");

const WEIGHTS: usize = 700_000;

fn settings(address: &str, cache: &Path) -> HubSettings {
    HubSettings {
        cache: cache.to_owned(),
        endpoint: format!("http://{address}"),
        token_variable: None,
        forbidden_by: None,
        patience: Patience {
            max_attempts: 3,
            first_wait: Duration::from_millis(5),
            max_wait: Duration::from_secs(2),
            max_silence: Duration::from_millis(500),
            max_body_time: Duration::from_secs(20),
        },
    }
}

fn id() -> ModelId {
    "hf:owner/name".parse().unwrap()
}

fn failure(hub: &FakeHub, cache: &Path) -> HubError {
    download(&settings(&hub.address, cache), &id(), |_| ()).unwrap_err()
}

fn is_for(request: &fake_hub::Received, name: &str) -> bool {
    request.path.ends_with(name)
}

/// Sends the head of a whole answer and the first `length` bytes, and breaks off.
fn break_off(stream: &mut TcpStream, bytes: &[u8], length: usize) {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&bytes[..length]).unwrap();
    stream.shutdown(Shutdown::Both).unwrap();
}

/// The names of the files in a folder of the cache.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

fn blobs(cache: &Path) -> Vec<String> {
    names(&cache.join("models--owner--name/blobs"))
}

fn assert_is_model(folder: &Path, files: &Files) {
    assert_eq!(names(folder), ["config.json", "model.safetensors", "tokenizer.json"]);
    for name in names(folder) {
        assert!(fs::read(folder.join(&name)).unwrap() == files[&name], "{name}");
    }
}

#[test]
fn a_model_comes_whole_and_only_what_it_needs() {
    let hub = FakeHub::of(model(WEIGHTS));
    let cache = tempfile::tempdir().unwrap();
    let settings = settings(&hub.address, cache.path());
    let mut commits = Vec::new();
    let mut done = 0;
    let downloaded = download(&settings, &id(), |event| match event {
        Event::Commit(commit) => commits.push(commit.to_owned()),
        Event::Progress { file: "model.safetensors", done: now, size } => {
            assert!(now >= done && size == WEIGHTS as u64);
            done = now;
        }
        _ => {}
    });
    let downloaded = downloaded.unwrap();
    assert_eq!((downloaded.commit.as_str(), commits, done), (COMMIT, vec![COMMIT.to_owned()], WEIGHTS as u64));
    assert_is_model(&downloaded.path, &model(WEIGHTS));
    let requests: Vec<String> = hub.received().into_iter().map(|request| request.path).collect();
    let file = |name: &str| format!("/owner/name/resolve/{COMMIT}/{name}");
    let wanted = [
        "/api/models/owner/name/revision/main?blobs=true".to_owned(),
        file("config.json"),
        file("tokenizer.json"),
        file("model.safetensors"),
    ];
    assert_eq!(requests, wanted);
    // Without the network it is found, by branch and by commit.
    assert_eq!(cached(&settings, &id()).unwrap(), downloaded.path);
    let by_commit: ModelId = format!("hf:owner/name@{COMMIT}").parse().unwrap();
    assert_eq!(cached(&settings, &by_commit).unwrap(), downloaded.path);
    // A second time the branch is asked for, and no file; the commit is not even asked for.
    download(&settings, &id(), |_| ()).unwrap();
    assert_eq!(hub.received().len(), 5);
    download(&settings, &by_commit, |_| ()).unwrap();
    assert_eq!(hub.received().len(), 5);
    // The links are relative, so that the cache can be moved.
    let link = fs::read_link(downloaded.path.join("config.json")).unwrap();
    assert!(link.starts_with("../../blobs"), "{link:?}");
}

#[test]
fn shards_and_single_files() {
    let mut files = model(10);
    files.remove("model.safetensors");
    let index = r#"{"metadata": {}, "weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}"#;
    files.insert("model.safetensors.index.json".to_owned(), index.into());
    for (name, seed) in [("model-1-of-2.safetensors", 4), ("model-2-of-2.safetensors", 5), ("spare.safetensors", 6)] {
        files.insert(name.to_owned(), noise(1000, seed));
    }
    files.insert("q8.gguf".to_owned(), noise(2000, 7));
    let hub = FakeHub::of(files.clone());
    let cache = tempfile::tempdir().unwrap();
    let settings = settings(&hub.address, cache.path());
    let one: ModelId = "hf:owner/name/q8.gguf@main".parse().unwrap();
    let file = download(&settings, &one, |_| ()).unwrap().path;
    assert_eq!(fs::read(&file).unwrap(), files["q8.gguf"]);
    assert!(matches!(cached(&settings, &id()), Err(HubError::Incomplete { missing, .. }) if missing == "config.json"));
    let folder = download(&settings, &id(), |_| ()).unwrap().path;
    let wanted = [
        "config.json",
        "model-1-of-2.safetensors",
        "model-2-of-2.safetensors",
        "model.safetensors.index.json",
        "q8.gguf",
        "tokenizer.json",
    ];
    assert_eq!(names(&folder), wanted);
    assert_eq!(cached(&settings, &id()).unwrap(), folder);
    let none: ModelId = "hf:owner/name/q4.gguf".parse().unwrap();
    let error = download(&settings, &none, |_| ()).unwrap_err().to_string();
    assert_eq!(error, "hf:owner/name/q4.gguf has no q4.gguf");
}

#[test]
fn what_broke_off_goes_on_where_it_stopped() {
    let files = model(WEIGHTS);
    let weights = files["model.safetensors"].clone();
    // Four times, each a little further; that is more than the attempts that may bring nothing.
    let hub = FakeHub::start(files.clone(), move |_, request, stream| {
        let from = request.from.unwrap_or(0) as usize;
        if !is_for(request, "model.safetensors") || from >= 400_000 {
            return false;
        }
        let range = format!("Content-Range: bytes {from}-{}/{}\r\n", weights.len() - 1, weights.len());
        let status = if from == 0 { "200 OK" } else { "206 Partial Content" };
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{range}\r\n", weights.len() - from);
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&weights[from..from + 100_000]).unwrap();
        stream.shutdown(Shutdown::Both).unwrap();
        true
    });
    let cache = tempfile::tempdir().unwrap();
    let mut retries = 0;
    let downloaded = download(&settings(&hub.address, cache.path()), &id(), |event| {
        retries += u32::from(matches!(event, Event::Retrying { file: "model.safetensors", .. }));
    });
    assert_is_model(&downloaded.unwrap().path, &files);
    let asked: Vec<u64> =
        hub.asked().into_iter().filter(|(name, _)| name == "model.safetensors").map(|(_, from)| from).collect();
    assert_eq!((asked, retries), (vec![0, 100_000, 200_000, 300_000, 400_000], 4));
    assert_eq!(blobs(cache.path()).iter().filter(|name| name.contains("incomplete")).count(), 0);
}

#[test]
fn a_server_that_knows_no_ranges_is_read_from_the_start() {
    let files = model(WEIGHTS);
    let weights = files["model.safetensors"].clone();
    let is_first = AtomicBool::new(true);
    let hub = FakeHub::start(files.clone(), move |_, request, stream| {
        if !is_for(request, "model.safetensors") {
            return false;
        }
        if is_first.swap(false, Ordering::Relaxed) {
            break_off(stream, &weights, 300_000);
        } else {
            assert_eq!(request.from, Some(300_000));
            send(stream, "200 OK", "", &weights);
        }
        true
    });
    let cache = tempfile::tempdir().unwrap();
    assert_is_model(&download(&settings(&hub.address, cache.path()), &id(), |_| ()).unwrap().path, &files);

    // One that also always breaks off is given up.
    let weights = files["model.safetensors"].clone();
    let hub = FakeHub::start(files, move |_, request, stream| {
        let is_it = is_for(request, "model.safetensors");
        if is_it {
            break_off(stream, &weights, 300_000);
        }
        is_it
    });
    let cache = tempfile::tempdir().unwrap();
    let error = failure(&hub, cache.path());
    assert!(matches!(error, HubError::GaveUp { attempts: 3, .. }), "{error}");
    assert_eq!(hub.asked().len(), 2 + 3);
}

#[test]
fn wrong_bytes_are_refused_and_not_kept() {
    for name in ["config.json", "model.safetensors"] {
        let files = model(WEIGHTS);
        let mut wrong = files[name].clone();
        let middle = wrong.len() / 2;
        wrong[middle] ^= 1;
        let hub = FakeHub::start(files, move |_, request, stream| {
            let is_it = is_for(request, name);
            if is_it {
                send(stream, "200 OK", "", &wrong);
            }
            is_it
        });
        let cache = tempfile::tempdir().unwrap();
        let error = failure(&hub, cache.path());
        assert!(matches!(&error, HubError::WrongChecksum { file, .. } if file == name), "{error}");
        assert!(error.hint().unwrap().contains("nothing of the file was kept"));
        // Nothing of it is left, and what is sound stays for the next time.
        let left = blobs(cache.path());
        assert_eq!(left.len(), if name == "config.json" { 0 } else { 2 }, "{left:?}");
        assert!(left.iter().all(|name| !name.contains("incomplete")));
        assert!(!cache.path().join("models--owner--name/refs/main").exists());
        assert!(cached(&settings(&hub.address, cache.path()), &id()).is_err());
    }
}

#[test]
fn a_damaged_beginning_is_found_out_and_read_anew() {
    let files = model(WEIGHTS);
    let hub = FakeHub::of(files.clone());
    let cache = tempfile::tempdir().unwrap();
    let settings = settings(&hub.address, cache.path());
    let listing = listing(&files);
    let sibling = listing["siblings"].as_array().unwrap().iter().find(|file| file["rfilename"] == "model.safetensors");
    let sum = sibling.unwrap()["lfs"]["sha256"].as_str().unwrap();
    let blobs = cache.path().join("models--owner--name/blobs");
    let partial = blobs.join(format!("{sum}.incomplete"));
    for (left, asked) in [
        // What a power cut may leave.
        (vec![0; 50_000], vec![50_000, 0]),
        (vec![0; WEIGHTS], vec![0]),
        // More than there is.
        (vec![0; WEIGHTS + 1], vec![0]),
        // And what is sound.
        (files["model.safetensors"][..WEIGHTS - 1].to_vec(), vec![WEIGHTS as u64 - 1]),
        (files["model.safetensors"].clone(), vec![]),
    ] {
        let _ = fs::remove_dir_all(cache.path());
        fs::create_dir_all(&blobs).unwrap();
        fs::write(&partial, left).unwrap();
        let before = hub.asked().len();
        assert_is_model(&download(&settings, &id(), |_| ()).unwrap().path, &files);
        let of_weights: Vec<u64> =
            hub.asked().drain(before..).filter(|(name, _)| name == "model.safetensors").map(|(_, from)| from).collect();
        assert_eq!(of_weights, asked);
    }
}

#[test]
fn wrong_lengths_are_refused_before_they_are_read() {
    type Send = fn(&mut TcpStream, &[u8]);
    let wrong: [Send; 4] = [
        |stream, bytes| send(stream, "200 OK", "", &bytes[..bytes.len() - 1]),
        |stream, _| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n");
        },
        // No length at all, and no end.
        |stream, bytes| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            while stream.write_all(bytes).is_ok() {}
        },
        |stream, bytes| {
            let range = format!("Content-Range: bytes 0-9/{}\r\n", bytes.len() + 1);
            send(stream, "206 Partial Content", &range, &bytes[..10]);
        },
    ];
    for (number, wrong) in wrong.into_iter().enumerate() {
        let files = model(WEIGHTS);
        let weights = files["model.safetensors"].clone();
        let hub = FakeHub::start(files, move |_, request, stream| {
            let is_it = is_for(request, "model.safetensors");
            if is_it {
                wrong(stream, &weights);
            }
            is_it
        });
        let cache = tempfile::tempdir().unwrap();
        let error = failure(&hub, cache.path());
        assert!(
            matches!(error, HubError::WrongLength { expected, .. } if expected == WEIGHTS as u64),
            "{number} {error}"
        );
        assert!(blobs(cache.path()).iter().all(|name| !name.contains("incomplete")), "{number}");
    }
}

#[test]
fn parts_that_were_not_asked_for_are_refused() {
    for range in
        ["bytes 5-9/700000", "bytes 9-5/700000", "bytes 0-18446744073709551615/700000", "5", "items 0-9/10", ""]
    {
        let hub = FakeHub::start(model(WEIGHTS), move |_, request, stream| {
            let is_it = is_for(request, "model.safetensors");
            if is_it {
                let header = if range.is_empty() { String::new() } else { format!("Content-Range: {range}\r\n") };
                send(stream, "206 Partial Content", &header, b"12345");
            }
            is_it
        });
        let cache = tempfile::tempdir().unwrap();
        let error = failure(&hub, cache.path());
        assert!(
            matches!(&error, HubError::Exchange { source: EndpointError::Malformed { .. }, .. }),
            "{range}: {error}"
        );
    }
}

#[test]
fn the_key_goes_to_the_hub_and_not_along_a_redirect() {
    let files = model(WEIGHTS);
    let elsewhere = FakeHub::of(files.clone());
    let address = elsewhere.address.clone();
    let hub = FakeHub::start(files.clone(), move |_, request, stream| {
        if is_for(request, "tokenizer.json") {
            let location = format!("Location: http://{address}{}\r\nX-Linked-Size: 5000\r\n", request.path);
            send(stream, "302 Found", &location, b"elsewhere");
        } else if is_for(request, "/config.json") && !request.path.starts_with("/moved") {
            send(stream, "307 Temporary Redirect", &format!("Location: /moved{}\r\n", request.path), b"");
        } else {
            return false;
        }
        true
    });
    let cache = tempfile::tempdir().unwrap();
    let mut settings = settings(&hub.address, cache.path());
    settings.token_variable = Some(KEY_VARIABLE.to_owned());
    assert_is_model(&download(&settings, &id(), |_| ()).unwrap().path, &files);
    let key = format!("Bearer {KEY}");
    assert!(hub.received().iter().all(|request| request.key.as_deref() == Some(&key)), "{:?}", hub.received());
    assert_eq!(hub.received().iter().filter(|request| request.path.starts_with("/moved")).count(), 1);
    let seen = elsewhere.received();
    assert_eq!((seen.len(), seen[0].key.as_deref()), (1, None));
}

#[test]
fn redirects_that_lead_nowhere_are_not_followed() {
    for location in ["ftp://127.0.0.1/x", "http://user:secret@127.0.0.1/x", "file:///etc/passwd", "x y", "", "round"] {
        let hub = FakeHub::start(model(10), move |_, request, stream| {
            let is_it = is_for(request, "config.json");
            if is_it {
                let to = if location == "round" { request.path.as_str() } else { location };
                send(stream, "302 Found", &format!("Location: {to}\r\n"), b"");
            }
            is_it
        });
        let cache = tempfile::tempdir().unwrap();
        let error = failure(&hub, cache.path());
        assert!(
            matches!(&error, HubError::Exchange { source: EndpointError::Redirected { status: 302, .. }, .. }),
            "{location}: {error}"
        );
        assert!(hub.asked().len() <= 6, "{location}");
    }
}

#[test]
fn a_hub_that_refuses_is_not_asked_twice_and_the_hint_says_why() {
    for (status, hint) in [
        ("401 Unauthorized", "set HF_TOKEN"),
        ("403 Forbidden", "terms to accept"),
        ("404 Not Found", "is the name right"),
    ] {
        let body = format!(r#"{{"error": "Repository not found, {KEY}"}}"#);
        let hub = FakeHub::start(model(10), move |_, _, stream| {
            send(stream, status, "X-Error-Code: RepoNotFound\r\n", body.as_bytes());
            true
        });
        let cache = tempfile::tempdir().unwrap();
        let mut settings = settings(&hub.address, cache.path());
        settings.token_variable = Some(KEY_VARIABLE.to_owned());
        let error = download(&settings, &id(), |_| ()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&status[..3]) && text.contains("Repository not found, [key]"), "{text}");
        assert!(!text.contains(KEY) && !format!("{error:?}").contains(KEY), "{error:?}");
        assert!(error.hint().unwrap().contains(hint), "{status}");
        assert_eq!(hub.received().len(), 1);
        assert!(!cache.path().join("models--owner--name").exists());
    }
}

#[test]
fn a_busy_hub_is_waited_for_as_long_as_it_asks() {
    let hub = FakeHub::start(model(10), |number, _, stream| {
        match number {
            0 => send(stream, "429 Too Many Requests", "Retry-After: 1\r\n", b"slow down"),
            2 => send(stream, "503 Service Unavailable", "", b""),
            _ => return false,
        }
        true
    });
    let cache = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let mut waits = Vec::new();
    let downloaded = download(&settings(&hub.address, cache.path()), &id(), |event| {
        if let Event::Retrying { file, wait, .. } = event {
            waits.push((file.to_owned(), wait));
        }
    });
    assert_is_model(&downloaded.unwrap().path, &model(10));
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let expected = [("listing", Duration::from_secs(1)), ("config.json", Duration::from_millis(5))];
    assert_eq!(waits, expected.map(|(file, wait)| (file.to_owned(), wait)));

    // An hour is too long.
    let hub = FakeHub::start(model(10), |_, _, stream| {
        send(stream, "429 Too Many Requests", "Retry-After: 3600\r\n", b"slow down");
        true
    });
    let error = failure(&hub, cache.path());
    assert!(matches!(error, HubError::GaveUp { attempts: 1, .. }), "{error}");
    assert!(error.to_string().contains("slow down"), "{error}");
}

#[test]
fn a_silent_server_is_given_up() {
    let hub = FakeHub::start(model(WEIGHTS), |_, request, stream| {
        let is_it = is_for(request, "tokenizer.json");
        if is_it {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n");
            std::thread::sleep(Duration::from_secs(5));
        }
        is_it
    });
    let cache = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let error = failure(&hub, cache.path());
    assert!(matches!(&error, HubError::GaveUp { source: EndpointError::TimedOut { .. }, .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn a_slow_answer_is_cut_and_goes_on() {
    let files = model(WEIGHTS);
    let tokenizer = files["tokenizer.json"].clone();
    let hub = FakeHub::start(files.clone(), move |_, request, stream| {
        if !is_for(request, "tokenizer.json") || request.from.is_some() {
            return false;
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n");
        // A byte now and then, which is never a silence.
        for byte in &tokenizer {
            if stream.write_all(&[*byte]).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    });
    let cache = tempfile::tempdir().unwrap();
    let mut settings = settings(&hub.address, cache.path());
    settings.patience.max_body_time = Duration::from_millis(300);
    assert_is_model(&download(&settings, &id(), |_| ()).unwrap().path, &files);
    let asked: Vec<u64> =
        hub.asked().into_iter().filter(|(name, _)| name == "tokenizer.json").map(|(_, from)| from).collect();
    assert!(asked.len() == 2 && asked[0] == 0 && asked[1] > 0, "{asked:?}");
}

#[test]
fn a_hostile_listing_leads_nowhere() {
    let of = |json: Vec<u8>| {
        let hub = FakeHub::start(model(10), move |_, request, stream| {
            let is_it = request.path.starts_with("/api/");
            if is_it {
                send(stream, "200 OK", "", &json);
            }
            is_it
        });
        let cache = tempfile::tempdir().unwrap();
        let error = failure(&hub, cache.path());
        assert!(hub.asked().is_empty(), "{error}");
        error.to_string()
    };
    let text = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut json = listing(&model(10));
        change(&mut json);
        of(json.to_string().into_bytes())
    };
    assert!(of(b"[".repeat(1 << 20)).contains("cannot be understood"));
    assert!(of(vec![b' '; (32 << 20) + 1]).contains("larger than"));
    assert!(text(&|json| json["sha"] = "../../../../tmp/x".into()).contains("names no commit"));
    let set = |key: &'static str, value: serde_json::Value| {
        text(&move |json| {
            for file in json["siblings"].as_array_mut().unwrap() {
                file[key] = value.clone();
            }
        })
    };
    assert!(set("size", (u64::MAX).into()).contains("expected no more than"));
    assert!(set("blobId", "../../x".into()).contains("no checksum"));
    let huge = text(&|json| {
        for file in json["siblings"].as_array_mut().unwrap() {
            if file["rfilename"] == "model.safetensors" {
                file["lfs"]["size"] = (1_u64 << 60).into();
            }
        }
    });
    assert!(huge.contains("more bytes in"), "{huge}");
}

#[test]
fn what_the_environment_forbids_is_not_begun() {
    let hub = FakeHub::of(model(10));
    let cache = tempfile::tempdir().unwrap();
    let mut settings = settings(&hub.address, cache.path());
    settings.forbidden_by = Some("HF_HUB_OFFLINE");
    let error = download(&settings, &id(), |_| ()).unwrap_err();
    assert!(matches!(error, HubError::Offline { .. }) && hub.received().is_empty(), "{error}");
    let error = cached(&settings, &id()).unwrap_err();
    assert!(error.hint().unwrap().contains("codeward model download hf:owner/name"), "{error}");
}

#[test]
fn two_at_once_bring_each_file_once() {
    let files = model(WEIGHTS);
    let (weights, is_begun) = (files["model.safetensors"].clone(), Arc::new(AtomicBool::new(false)));
    let begun = Arc::clone(&is_begun);
    let hub = FakeHub::start(files.clone(), move |_, request, stream| {
        let is_it = is_for(request, "model.safetensors");
        if is_it {
            begun.store(true, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(300));
            if let Some(from) = request.from {
                send_part(stream, &weights, from);
            } else {
                send(stream, "200 OK", "", &weights);
            }
        }
        is_it
    });
    let cache = tempfile::tempdir().unwrap();
    let settings = settings(&hub.address, cache.path());
    let mut has_waited = false;
    std::thread::scope(|scope| {
        scope.spawn(|| download(&settings, &id(), |_| ()).unwrap());
        while !is_begun.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let second = download(&settings, &id(), |event| has_waited |= matches!(event, Event::Waiting { .. }));
        assert_is_model(&second.unwrap().path, &files);
    });
    assert!(has_waited);
    assert_eq!(hub.asked().len(), 3, "{:?}", hub.asked());
}

/// A branch moves on: the old commit stays usable until the new one is whole, and what both share is not brought twice.
#[test]
fn a_branch_that_moves_is_followed_when_asked() {
    let first = FakeHub::of(model(WEIGHTS));
    let cache = tempfile::tempdir().unwrap();
    let old = download(&settings(&first.address, cache.path()), &id(), |_| ()).unwrap();
    let mut files = model(WEIGHTS);
    files.insert("config.json".to_owned(), b"{\"model_type\": \"qwen2\"}".to_vec());
    let (next, is_broken) = ("f".repeat(40), Arc::new(AtomicBool::new(true)));
    let (commit, broken, repository) = (next.clone(), Arc::clone(&is_broken), files.clone());
    let second = FakeHub::start(files.clone(), move |_, request, stream| {
        let mut request = request.clone();
        if request.path.starts_with("/api/") {
            let mut json = listing(&repository);
            json["sha"] = commit.clone().into();
            send(stream, "200 OK", "", json.to_string().as_bytes());
        } else if broken.load(Ordering::Relaxed) {
            send(stream, "404 Not Found", "", b"");
        } else {
            request.path = request.path.replace(&commit, COMMIT);
            answer(&repository, &request, stream);
        }
        true
    });
    let settings = settings(&second.address, cache.path());
    assert!(download(&settings, &id(), |_| ()).is_err());
    assert_eq!(cached(&settings, &id()).unwrap(), old.path);
    is_broken.store(false, Ordering::Relaxed);
    let new = download(&settings, &id(), |_| ()).unwrap();
    assert_eq!((new.commit.as_str(), cached(&settings, &id()).unwrap()), (next.as_str(), new.path.clone()));
    assert_is_model(&new.path, &files);
    assert_is_model(&old.path, &model(WEIGHTS));
    assert_eq!(second.asked().last().unwrap().0, "config.json");
    let other: ModelId = format!("hf:owner/name@{COMMIT}x").parse().unwrap();
    assert!(cached(&settings, &other).is_err());
}
