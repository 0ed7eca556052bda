//! Models that are named as hf:owner/name: from the cache, and from a hub when asked.
#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests start the binary under test and may panic")]

#[path = "../../hub/tests/hub/fake_hub.rs"]
#[expect(dead_code, reason = "other tests misbehave in more ways")]
mod fake_hub;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use fake_hub::{COMMIT, FakeHub, Files};
use serde_json::Value;

const SECRET: &str = "hf_not-to-be-shown";

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A user with a home folder, and a hub.
struct User {
    home: tempfile::TempDir,
    endpoint: String,
}

impl User {
    fn of(hub: &FakeHub) -> Self {
        Self { home: tempfile::tempdir().unwrap(), endpoint: format!("http://{}", hub.address) }
    }

    fn codeward(&self, arguments: &[&str]) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_codeward"))
            .args(arguments)
            .env("HF_HOME", self.home.path())
            .env("HF_ENDPOINT", &self.endpoint)
            .env("HF_TOKEN", SECRET)
            .env_remove("HF_HUB_CACHE")
            .env_remove("HF_HUB_OFFLINE")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(!text(&output.stderr).contains(SECRET) && !text(&output.stdout).contains(SECRET));
        output
    }

    /// Standard output of a command that does its work.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.codeward(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Error and hint of one that does not.
    fn complaint(&self, arguments: &[&str]) -> String {
        let output = self.codeward(arguments);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""));
        text(&output.stderr)
    }
}

fn repository_files(folder: &str) -> Files {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())).collect()
}

#[test]
fn a_published_model_is_used_from_the_cache_and_fetched_only_when_asked() {
    let hub = FakeHub::of(repository_files("../../models/codeward-tiny"));
    let user = User::of(&hub);
    let generate = ["generate", "--model", "hf:owner/name", "--prompt", "def f(x):\n", "--max-new-tokens", "8"];
    let complaint = user.complaint(&generate);
    assert!(complaint.starts_with("error: hf:owner/name is not in the cache"), "{complaint}");
    assert!(complaint.contains("hint: download it with `codeward model download hf:owner/name`"), "{complaint}");
    assert!(hub.received().is_empty(), "nothing is sent unless asked");

    let asked = [generate.as_slice(), &["--download"]].concat();
    let written = user.done(&asked);
    let bundled = user.done(&["generate", "--prompt", "def f(x):\n", "--max-new-tokens", "8"]);
    assert_eq!(written, bundled);
    let bearer = format!("Bearer {SECRET}");
    assert!(hub.received().iter().all(|request| request.key.as_deref() == Some(&bearer)));
    let requests = hub.received().len();
    assert_eq!(user.done(&generate), bundled);
    let seen: Value = serde_json::from_str(&user.done(&["model", "inspect", "hf:owner/name", "--json"])).unwrap();
    assert_eq!(seen["supported"], true);
    assert_eq!(hub.received().len(), requests, "what is in the cache is not asked for");

    let folder = user.done(&["model", "download", "hf:owner/name"]);
    let folder = PathBuf::from(folder.trim_end());
    assert!(folder.ends_with(format!("hub/models--owner--name/snapshots/{COMMIT}")) && folder.is_dir(), "{folder:?}");
    assert_eq!(hub.received().len(), requests + 1, "only the branch is asked for");
    let json: Value = serde_json::from_str(&user.done(&["model", "download", "hf:owner/name", "--json"])).unwrap();
    assert_eq!((&json["commit"], json["path"].as_str()), (&COMMIT.into(), folder.to_str()));
}

#[test]
fn a_published_gguf_file_is_converted() {
    let hub = FakeHub::of(repository_files("../lm/tests/fixtures/gguf"));
    let user = User::of(&hub);
    let model = user.home.path().join("model").to_str().unwrap().to_owned();
    let name = "hf:owner/name/qwen2.gguf@main";
    let converted = user.done(&["model", "convert", name, &model, "--download"]);
    assert!(converted.contains("byte-level BPE"), "{converted}");
    assert_eq!(hub.asked().len(), 1, "no other file of the repository");
    let family =
        |path: &str| -> Value { serde_json::from_str(&user.done(&["model", "inspect", path, "--json"])).unwrap() };
    assert_eq!(family(name)["shapes"], family(&model)["shapes"]);
    // Without the file's name there is no model to be had.
    let complaint = user.complaint(&["model", "inspect", "hf:owner/name", "--download"]);
    assert!(
        complaint.contains("has no model.safetensors, only ") && complaint.contains("named one by one"),
        "{complaint}"
    );
}

#[test]
fn what_the_hub_refuses_and_what_is_no_name() {
    let hub = FakeHub::start(Files::new(), |_, request, stream| {
        let body = format!("{{\"error\": \"Invalid credentials {}\"}}", request.key.as_deref().unwrap_or_default());
        fake_hub::send(stream, "401 Unauthorized", "", body.as_bytes());
        true
    });
    let user = User::of(&hub);
    let complaint = user.complaint(&["model", "download", "hf:owner/private"]);
    assert!(
        complaint.contains("hf:owner/private: listing: server refuses with status 401: Invalid credentials"),
        "{complaint}"
    );
    assert!(complaint.contains("hint: it is private, has terms to accept"), "{complaint}");
    for name in ["owner/name", "hf:../../etc", "hf:owner/name@../../main"] {
        assert!(user.complaint(&["model", "download", name]).contains("hint: names look like hf:owner/name"), "{name}");
    }
    let complaint = user.complaint(&["eval", "codeward-py", "--model", "hf:owner"]);
    assert!(complaint.contains("\"hf:owner\" is not hf:owner/name"), "{complaint}");
    assert_eq!(hub.received().len(), 1);
}
