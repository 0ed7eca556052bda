//! `kill -9` in the middle of asking: what was answered is kept, what is kept is whole, and nothing piles up.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::loopback::Server;
use codeward_endpoint::{Endpoint, EndpointSettings, Message, Origin, Request, Sampling};

const ADDRESS: &str = "CODEWARD_TEST_ADDRESS";
const CACHE: &str = "CODEWARD_TEST_CACHE";

fn settings(address: &str, cache: &std::path::Path) -> EndpointSettings {
    let mut settings = EndpointSettings::new(format!("http://{address}/v1"), "m");
    settings.cache = Some(cache.to_owned());
    settings
}

fn question(number: usize) -> Request {
    Request::chat(vec![Message::user(number.to_string())], Sampling::default())
}

/// What the child does; without the variables it is no test and does nothing.
#[test]
fn child() {
    let (Ok(address), Ok(cache)) = (std::env::var(ADDRESS), std::env::var(CACHE)) else { return };
    let endpoint = Endpoint::open(settings(&address, cache.as_ref())).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let endpoint = &endpoint;
            scope.spawn(move || {
                for number in (thread..).step_by(4) {
                    endpoint.ask(&question(number)).unwrap();
                    println!("\nanswered {number}");
                }
            });
        }
    });
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the process that is killed is this test itself")]
fn what_was_answered_before_a_kill_is_not_asked_again() {
    let server = Server::answering(|number| format!("{number} {}", "long ".repeat(4000)));
    let folder = tempfile::tempdir().unwrap();
    let mut answered = Vec::new();
    for round in 0..6_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["killed::child", "--exact", "--nocapture"])
            .env(ADDRESS, &server.address)
            .env(CACHE, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let number = |line: String| line.strip_prefix("answered ").and_then(|number| number.parse::<usize>().ok());
        answered.extend(lines.by_ref().find_map(number));
        std::thread::sleep(Duration::from_millis(20 + 17 * round));
        child.kill().unwrap();
        answered.extend(lines.filter_map(number));
        child.wait().unwrap();
    }
    answered.sort_unstable();
    answered.dedup();
    assert!(answered.len() > 20, "{}", answered.len());

    let before = server.received().len();
    let endpoint = Endpoint::open(settings(&server.address, folder.path())).unwrap();
    for number in &answered {
        let reply = endpoint.ask(&question(*number)).unwrap();
        assert_eq!(reply.origin, Origin::Cache, "{number}");
        assert!(reply.answer.text.len() > 20_000);
    }
    assert_eq!(server.received().len(), before);
    // A kill loses at most what each thread had under way.
    assert!(before <= answered.len() + 6 * 4, "{before} requests for {} answers", answered.len());
    assert_eq!(endpoint.spent().cache_failures, 0);
    assert_eq!(std::fs::read_dir(folder.path().join("incoming")).unwrap().count(), 0, "leftovers were cleared");
}
