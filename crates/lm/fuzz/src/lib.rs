//! What each target does with its bytes; the tests do the same with the corpus.

#[path = "../../tests/hostile_files/mod.rs"]
mod hostile_files;

/// Bytes where a GGUF file should be.
pub fn read_gguf(data: &[u8]) {
    hostile_files::read_gguf(data);
}

/// Bytes where the files of a checkpoint should be.
pub fn read_checkpoint(data: &[u8]) {
    hostile_files::read_checkpoint(data);
}

/// Bytes where a `tokenizer.json` should be.
pub fn read_tokenizer(data: &[u8]) {
    hostile_files::read_tokenizer(data);
}

/// Bytes where a chat template should be.
pub fn read_template(data: &[u8]) {
    hostile_files::read_template(data);
}
