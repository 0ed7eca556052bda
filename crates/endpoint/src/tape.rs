//! Recordings: what was asked and answered, one JSON object a line.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::error::EndpointError;
use crate::key::RequestKey;
use crate::request::Request;

#[derive(Serialize)]
struct Line<'a> {
    key: RequestKey,
    model: &'a str,
    request: &'a Request,
    answer: &'a Answer,
}

/// What playing needs of a line.
#[derive(Deserialize)]
struct Played {
    key: RequestKey,
    answer: Answer,
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> EndpointError {
    move |source| EndpointError::File { path: path.to_owned(), source }
}

/// Adds to a recording. Several processes may share one.
pub(crate) struct Recorder {
    path: PathBuf,
}

impl Recorder {
    pub(crate) fn open(path: &Path) -> Result<Self, EndpointError> {
        let recorder = Self { path: path.to_owned() };
        recorder.file().map_err(at(path))?;
        Ok(recorder)
    }

    fn file(&self) -> io::Result<File> {
        File::options().create(true).read(true).append(true).open(&self.path)
    }

    /// Adds one line. A line that a killed process left unfinished is ended first; playing skips it.
    pub(crate) fn add(
        &self,
        key: RequestKey,
        model: &str,
        request: &Request,
        answer: &Answer,
    ) -> Result<(), EndpointError> {
        let line = Line { key, model, request, answer };
        let mut text = serde_json::to_string(&line).expect("requests and answers are plain data");
        text.push('\n');
        let mut write = || -> io::Result<()> {
            // A handle of its own each time: the lock is on the handle, and threads have to wait for each other too.
            let mut file = self.file()?;
            file.lock()?;
            if file.metadata()?.len() > 0 {
                let mut last = [0];
                file.seek(SeekFrom::End(-1))?;
                file.read_exact(&mut last)?;
                if last != *b"\n" {
                    text.insert(0, '\n');
                }
            }
            file.write_all(text.as_bytes())
        };
        write().map_err(at(&self.path))
    }
}

/// Plays a recording.
pub(crate) struct Player {
    path: PathBuf,
    answers: HashMap<RequestKey, Answer>,
}

impl Player {
    /// Reads a whole recording. The first answer to a request stands.
    pub(crate) fn open(path: &Path) -> Result<Self, EndpointError> {
        let text = fs::read_to_string(path).map_err(at(path))?;
        let mut answers = HashMap::new();
        for (number, line) in text.split('\n').enumerate() {
            match serde_json::from_str::<Played>(line) {
                Ok(played) => {
                    answers.entry(played.key).or_insert(played.answer);
                }
                // A killed recorder's line: it ends in the middle.
                Err(error) if error.is_eof() => {}
                Err(error) => {
                    let problem = error.to_string();
                    return Err(EndpointError::TapeLine { path: path.to_owned(), line: number + 1, problem });
                }
            }
        }
        Ok(Self { path: path.to_owned(), answers })
    }

    /// What was answered.
    pub(crate) fn get(&self, key: RequestKey) -> Result<Answer, EndpointError> {
        self.answers.get(&key).cloned().ok_or_else(|| EndpointError::NotOnTape { path: self.path.clone(), key })
    }
}
