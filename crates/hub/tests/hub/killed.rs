//! `kill -9` in the middle of a download: what has come is kept, and the next process goes on from there.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::fake_hub::{FakeHub, model};
use crate::{assert_is_model, id, is_for, settings};
use codeward_hub::download;

const ADDRESS: &str = "CODEWARD_TEST_ADDRESS";
const CACHE: &str = "CODEWARD_TEST_CACHE";

/// Bytes of the weights.
const SIZE: usize = 3_000_000;

/// Bytes that the hub sends before it falls silent, and how often it does.
const SENT: usize = 400_000;
const SILENCES: usize = 3;

/// What the child does; without the variables it is no test and does nothing.
#[test]
fn child() {
    let (Ok(address), Ok(cache)) = (std::env::var(ADDRESS), std::env::var(CACHE)) else { return };
    let mut settings = settings(&address, cache.as_ref());
    settings.patience.max_silence = Duration::from_mins(2);
    download(&settings, &id(), |_| ()).unwrap();
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the process that is killed is this test itself")]
fn a_killed_download_goes_on_where_it_was_killed() {
    let files = model(SIZE);
    let weights = files["model.safetensors"].clone();
    let hub = FakeHub::start(files.clone(), move |_, request, stream| {
        let from = request.from.unwrap_or(0) as usize;
        if !is_for(request, "model.safetensors") || from >= SILENCES * SENT {
            return false;
        }
        let range = format!("Content-Range: bytes {from}-{}/{SIZE}\r\n", SIZE - 1);
        let status = if from == 0 { "200 OK" } else { "206 Partial Content" };
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{range}\r\n", SIZE - from);
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(&weights[from..from + SENT]);
        // Until the child is dead, and longer: nothing waits for this thread.
        std::thread::sleep(Duration::from_mins(5));
        true
    });
    let cache = tempfile::tempdir().unwrap();
    let partial = || {
        let folder = cache.path().join("models--owner--name/blobs");
        let files = folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
        let partial = files.filter(|path| path.extension().is_some_and(|extension| extension == "incomplete"));
        partial.filter_map(|path| path.metadata().ok()).map(|found| found.len() as usize).max().unwrap_or(0)
    };
    for round in 1..=SILENCES {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["killed::child", "--exact"])
            .env(ADDRESS, &hub.address)
            .env(CACHE, cache.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while partial() < round * SENT {
            assert!(child.try_wait().unwrap().is_none(), "the child was to be killed on its way");
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(partial(), round * SENT);
    }
    assert_is_model(&download(&settings(&hub.address, cache.path()), &id(), |_| ()).unwrap().path, &files);
    let asked: Vec<u64> =
        hub.asked().into_iter().filter(|(name, _)| name == "model.safetensors").map(|(_, from)| from).collect();
    // Each went on from the byte that the one before had written last.
    assert_eq!(asked, [0, SENT as u64, 2 * SENT as u64, 3 * SENT as u64]);
}
