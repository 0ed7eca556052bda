//! JSONL files: one JSON value a line, errors that name the line.

use std::fs;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What can go wrong with a JSONL file.
#[derive(Debug, thiserror::Error)]
pub enum JsonlError {
    /// The file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A line is not a value of the expected shape.
    #[error("{path}:{line}: {source}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The parser's reason.
        source: serde_json::Error,
    },
}

/// Reads every non-blank line of `path`.
///
/// # Errors
/// When the file cannot be read or a line does not parse; the error names the line.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, JsonlError> {
    let text = fs::read_to_string(path).map_err(|source| JsonlError::Io { path: path.to_owned(), source })?;
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(at, line)| {
            serde_json::from_str(line).map_err(|source| JsonlError::Line {
                path: path.to_owned(),
                line: at + 1,
                source,
            })
        })
        .collect()
}

/// Writes `rows` to `path` through a temporary neighbour, so that a reader never sees half a file.
///
/// # Errors
/// When the file cannot be written or a row cannot be serialised.
pub fn write<T: Serialize>(path: &Path, rows: &[T]) -> Result<(), JsonlError> {
    let io = |source: io::Error| JsonlError::Io { path: path.to_owned(), source };
    let partial = path.with_extension("partial");
    let mut out = BufWriter::new(fs::File::create(&partial).map_err(io)?);
    for (at, row) in rows.iter().enumerate() {
        serde_json::to_writer(&mut out, row).map_err(|source| JsonlError::Line {
            path: path.to_owned(),
            line: at + 1,
            source,
        })?;
        out.write_all(b"\n").map_err(io)?;
    }
    out.flush().map_err(io)?;
    drop(out);
    fs::rename(&partial, path).map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_survive_a_round_trip_and_a_bad_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        write(&path, &[1, 2, 3]).unwrap();
        assert_eq!(read::<i32>(&path).unwrap(), [1, 2, 3]);
        fs::write(&path, "1\n\nx\n").unwrap();
        let error = read::<i32>(&path).unwrap_err().to_string();
        assert!(error.contains("rows.jsonl:3: "), "{error}");
    }
}
