//! The two streams: results on standard output, everything for people on standard error.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::failure::Failure;

/// Writes text to standard output. A closed pipe ends the output quietly: the reader has seen enough.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("standard output: {error}"), "is the disk behind it full?"))
        }
        _ => Ok(()),
    }
}

/// Writes one value as one line of JSON to standard output.
pub(crate) fn print_json<T: Serialize>(value: &T) -> Result<(), Failure> {
    let mut line = serde_json::to_string(value).expect("results are plain data");
    line.push('\n');
    print(&line)
}

/// Writes a line for people to standard error.
pub(crate) fn note(text: &str) {
    // Standard error is the last place to complain at; when it is gone there is none left.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Writes an error and its hint to standard error.
pub(crate) fn complain(failure: &Failure) {
    note(&format!("error: {}", failure.message));
    if let Some(hint) = &failure.hint {
        note(&format!("hint: {hint}"));
    }
}
