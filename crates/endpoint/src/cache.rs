//! Answers on disk under the hash of their request.
//!
//! One file an answer, in 256 folders. A file appears whole under its name or not at all: it is written and locked under another
//! name first, then renamed. It begins with the hash of the rest, so that one which the disk lost a part of is no answer.
//! What a killed process left half-written has no lock any more and is removed when a cache is opened.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::error::EndpointError;
use crate::key::RequestKey;

/// First word of every file; another number is another form.
const FORM: &str = "codeward-answer-1";

/// Largest file that is read.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// A folder of answers.
pub(crate) struct Cache {
    folder: PathBuf,
    incoming: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    key: RequestKey,
    answer: Answer,
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> EndpointError {
    move |source| EndpointError::File { path: path.to_owned(), source }
}

impl Cache {
    /// Opens or makes the folder, and clears what killed processes left.
    pub(crate) fn open(folder: &Path) -> Result<Self, EndpointError> {
        let incoming = folder.join("incoming");
        fs::create_dir_all(&incoming).map_err(at(&incoming))?;
        for entry in fs::read_dir(&incoming).map_err(at(&incoming))? {
            let path = entry.map_err(at(&incoming))?.path();
            // Another process may finish or clear it in between.
            let Ok(file) = File::open(&path) else { continue };
            if matches!(file.try_lock(), Ok(())) {
                let _ = fs::remove_file(&path);
            }
        }
        let cache = Self { folder: folder.to_owned(), incoming };
        // A folder that cannot be written is found out now, not after the first answer was paid.
        drop(cache.incoming_file()?);
        Ok(cache)
    }

    fn path(&self, key: RequestKey) -> PathBuf {
        let name = key.to_string();
        self.folder.join(&name[..2]).join(name)
    }

    /// The answer that is kept, if there is a whole one.
    pub(crate) fn get(&self, key: RequestKey) -> Result<Option<Answer>, EndpointError> {
        let path = self.path(key);
        let bytes = match fs::metadata(&path) {
            Ok(metadata) if metadata.len() <= MAX_FILE_BYTES => fs::read(&path),
            Ok(_) => return Ok(None),
            Err(error) => Err(error),
        };
        match bytes {
            Ok(bytes) => Ok(parse(&bytes).filter(|entry| entry.key == key).map(|entry| entry.answer)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(at(&path)(error)),
        }
    }

    /// Keeps an answer.
    pub(crate) fn put(&self, key: RequestKey, answer: &Answer) -> Result<(), EndpointError> {
        let entry = serde_json::to_vec(&Entry { key, answer: answer.clone() }).expect("an answer is plain data");
        let mut bytes = format!("{FORM} {}\n", blake3::hash(&entry).to_hex()).into_bytes();
        bytes.extend_from_slice(&entry);
        let path = self.path(key);
        let folder = path.parent().expect("the path has the shard's folder");
        fs::create_dir_all(folder).map_err(at(folder))?;
        match self.write(&path, &bytes) {
            // Somebody who opened the cache took the file for a leftover in the moment before it was locked.
            Err(EndpointError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                self.write(&path, &bytes)
            }
            done => done,
        }
    }

    fn incoming_file(&self) -> Result<tempfile::NamedTempFile, EndpointError> {
        tempfile::NamedTempFile::new_in(&self.incoming).map_err(at(&self.incoming))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), EndpointError> {
        let mut file = self.incoming_file()?;
        match file.as_file().try_lock() {
            Ok(()) | Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(at(file.path())(error)),
        }
        file.write_all(bytes).map_err(at(path))?;
        file.persist(path).map_err(|error| at(path)(error.error))?;
        Ok(())
    }
}

/// The entry, if the file is whole and of this form.
fn parse(bytes: &[u8]) -> Option<Entry> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (form, hash) = std::str::from_utf8(&bytes[..end]).ok()?.split_once(' ')?;
    let entry = &bytes[end + 1..];
    (form == FORM && blake3::hash(entry).to_hex().as_str() == hash).then(|| serde_json::from_slice(entry).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Finish, Usage};

    fn answer(text: &str) -> Answer {
        Answer {
            text: text.to_owned(),
            reasoning: None,
            finish: Finish::Stop,
            tokens: Vec::new(),
            usage: Usage::default(),
        }
    }

    fn key(number: usize) -> RequestKey {
        RequestKey::of("chat", &serde_json::json!(number))
    }

    #[test]
    fn a_damaged_file_is_no_answer_whatever_was_lost() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        assert_eq!(cache.get(key(1)).unwrap(), None);
        cache.put(key(1), &answer("one")).unwrap();
        let path = cache.path(key(1));
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(cache.get(key(1)).unwrap(), None, "{length}");
        }
        for byte in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[byte] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert_eq!(cache.get(key(1)).unwrap(), None, "{byte}");
        }
        cache.put(key(1), &answer("again")).unwrap();
        assert_eq!(cache.get(key(1)).unwrap(), Some(answer("again")));
        // A file under a name that is not its own is no answer to that either.
        fs::create_dir_all(cache.path(key(2)).parent().unwrap()).unwrap();
        fs::copy(&path, cache.path(key(2))).unwrap();
        assert_eq!(cache.get(key(2)).unwrap(), None);
    }

    #[test]
    fn leftovers_are_cleared_and_files_under_way_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path()).unwrap();
        let leftover = cache.incoming.join("left");
        fs::write(&leftover, "half").unwrap();
        let under_way = cache.incoming_file().unwrap();
        under_way.as_file().try_lock().unwrap();
        Cache::open(folder.path()).unwrap();
        assert!(!leftover.exists());
        assert!(under_way.path().exists());
    }

    #[test]
    fn many_threads_write_and_read_the_same_few_answers() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let folder = folder.path();
                scope.spawn(move || {
                    let cache = Cache::open(folder).unwrap();
                    for round in 0..50 {
                        let number = (thread + round) % 5;
                        cache.put(key(number), &answer(&number.to_string().repeat(10_000))).unwrap();
                        let read = cache.get(key(number)).unwrap();
                        assert_eq!(read, Some(answer(&number.to_string().repeat(10_000))));
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(folder.path().join("incoming")).unwrap().count(), 0);
    }
}
