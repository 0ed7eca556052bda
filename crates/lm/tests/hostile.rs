//! Files that may hold anything: what the fuzzers kept, and small files cut at every byte.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::path::Path;

use hostile_files::{read_checkpoint, read_gguf, read_template, read_tokenizer};

mod hostile_files;

/// What is read, and how.
type Reader = (&'static str, fn(&[u8]));

/// The files of one corpus, in the order of their names.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.display().to_string(), std::fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// Every file of the four corpora ends in a value or an error.
#[test]
fn what_the_fuzzers_kept_is_read_or_refused() {
    let readers: [Reader; 4] = [
        ("gguf", read_gguf),
        ("checkpoint", read_checkpoint),
        ("tokenizer", read_tokenizer),
        ("template", read_template),
    ];
    for (name, read) in readers {
        let files = corpus(name);
        assert!(files.len() >= 4, "the corpus {name} is there");
        for (path, data) in files {
            let outcome = std::panic::catch_unwind(|| read(&data));
            assert!(outcome.is_ok(), "{path}");
        }
    }
}

#[test]
fn small_files_cut_anywhere_are_read_or_refused() {
    for (_, data) in corpus("checkpoint").iter().chain(&corpus("tokenizer")).filter(|(_, data)| data.len() < 2500) {
        for length in (0..data.len()).step_by(3) {
            if data.starts_with(b"{") { read_tokenizer(&data[..length]) } else { read_checkpoint(&data[..length]) }
        }
    }
}
