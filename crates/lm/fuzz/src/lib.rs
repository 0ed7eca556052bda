//! What each target does with its bytes. `hostile_files` is shared with the tests, which read the corpus.

#[path = "../../tests/hostile_files/mod.rs"]
mod hostile_files;

pub use hostile_files::{read_checkpoint, read_gguf, read_template, read_tokenizer};
