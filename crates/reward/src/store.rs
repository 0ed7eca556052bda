//! Results of tests on disk, under the hash of what was tested.
//!
//! One file, written in transactions: what was committed survives the end of the process and of the host, and what was not is not there.
//! Failures of the machinery are never kept. One process at a time has the file open.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use redb::{Database, ReadableDatabase as _, ReadableTableMetadata as _, TableDefinition};

use crate::result::TestResult;

/// The number belongs to the form of what is kept: another form, another table.
const RESULTS: TableDefinition<'_, [u8; 32], &[u8]> = TableDefinition::new("test-results-1");

/// The content hash of a task's tests with a program.
pub(crate) type Key = [u8; 32];

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct StoreError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

/// What is known of tests.
pub struct Store {
    path: PathBuf,
    database: Arc<Database>,
    writer: Mutex<Option<Sender<Message>>>,
    thread: Option<JoinHandle<()>>,
    /// The first write that failed; results after it may not have been kept.
    failure: Arc<Mutex<Option<String>>>,
}

enum Message {
    Keep(Key, Vec<u8>),
    /// Answered when all before it is on disk.
    Flush(Sender<()>),
}

impl std::fmt::Debug for Store {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens or makes the file.
    ///
    /// # Errors
    /// If it cannot be made, is no store, or another process has it open.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let error = |problem: String| StoreError { path: path.to_owned(), problem };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| error(source.to_string()))?;
        }
        let database = Database::create(path).map_err(|source| match source {
            redb::DatabaseError::DatabaseAlreadyOpen => {
                error("another process has it open; give each process a file of its own".to_owned())
            }
            other => error(other.to_string()),
        })?;
        let begin = || -> Result<(), redb::Error> {
            let transaction = database.begin_write()?;
            transaction.open_table(RESULTS)?;
            transaction.commit()?;
            Ok(())
        };
        begin().map_err(|source| error(source.to_string()))?;
        let database = Arc::new(database);
        let failure = Arc::new(Mutex::new(None));
        let (writer, messages) = channel();
        let (kept, failed) = (Arc::clone(&database), Arc::clone(&failure));
        let thread = std::thread::Builder::new()
            .name("reward-store".to_owned())
            .spawn(move || write(&kept, &messages, &failed))
            .map_err(|source| error(source.to_string()))?;
        Ok(Self { path: path.to_owned(), database, writer: Mutex::new(Some(writer)), thread: Some(thread), failure })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many results are kept.
    pub fn len(&self) -> u64 {
        let count = || -> Result<u64, redb::Error> { Ok(self.database.begin_read()?.open_table(RESULTS)?.len()?) };
        count().unwrap_or(0)
    }

    /// True when nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is kept under these keys, in their order. What cannot be read is not known.
    pub(crate) fn get_all(&self, keys: &[Key]) -> Vec<Option<Vec<TestResult>>> {
        let read = || -> Result<Vec<Option<Vec<TestResult>>>, redb::Error> {
            let table = self.database.begin_read()?.open_table(RESULTS)?;
            keys.iter()
                .map(|key| Ok(table.get(key)?.and_then(|bytes| serde_json::from_slice(bytes.value()).ok())))
                .collect()
        };
        read().unwrap_or_else(|_| vec![None; keys.len()])
    }

    /// Keeps results, soon: several are written together.
    pub(crate) fn put(&self, key: Key, results: &[TestResult]) {
        let bytes = serde_json::to_vec(results).expect("results are plain data");
        self.send(Message::Keep(key, bytes));
    }

    /// Waits until everything given before is on disk.
    ///
    /// # Errors
    /// With the first write that failed since the store was opened.
    pub fn flush(&self) -> Result<(), StoreError> {
        let (done, wait) = channel();
        self.send(Message::Flush(done));
        // The thread ends only with the store.
        let _ = wait.recv();
        match &*self.failure.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some(problem) => Err(StoreError { path: self.path.clone(), problem: problem.clone() }),
        }
    }

    fn send(&self, message: Message) {
        if let Some(writer) = &*self.writer.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = writer.send(message);
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Without its sender the thread writes what is left and ends.
        drop(self.writer.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Writes what has come in since the last time in one transaction, until nobody sends any more.
fn write(database: &Database, messages: &Receiver<Message>, failure: &Mutex<Option<String>>) {
    while let Ok(first) = messages.recv() {
        let mut waiting = Vec::new();
        let mut kept = Vec::new();
        for message in std::iter::once(first).chain(messages.try_iter()) {
            match message {
                Message::Keep(key, bytes) => kept.push((key, bytes)),
                Message::Flush(done) => waiting.push(done),
            }
        }
        if let Err(error) = commit(database, &kept) {
            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.to_string());
        }
        for done in waiting {
            let _ = done.send(());
        }
    }
}

fn commit(database: &Database, kept: &[(Key, Vec<u8>)]) -> Result<(), redb::Error> {
    if kept.is_empty() {
        return Ok(());
    }
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(RESULTS)?;
        for (key, bytes) in kept {
            table.insert(key, bytes.as_slice())?;
        }
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(passed: bool) -> TestResult {
        TestResult {
            passed,
            parsed: true,
            ran: true,
            produced: true,
            spoke: true,
            answered: passed,
            failure: None,
            tamper: Vec::new(),
        }
    }

    #[test]
    fn what_was_flushed_is_there_after_another_opening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/results.redb");
        let store = Store::open(&path).unwrap();
        assert!(store.is_empty());
        store.put([1; 32], &[result(true), result(false)]);
        store.flush().unwrap();
        drop(store);
        let store = Store::open(&path).unwrap();
        assert_eq!(store.len(), 1);
        assert_eq!(store.get_all(&[[2; 32], [1; 32]]), [None, Some(vec![result(true), result(false)])]);
    }

    #[test]
    fn a_second_opening_and_another_file_are_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.redb");
        let store = Store::open(&path).unwrap();
        assert!(Store::open(&path).unwrap_err().to_string().contains("another process"));
        drop(store);
        std::fs::write(&path, "no database, but long enough to be looked at as if it were one".repeat(100)).unwrap();
        assert!(Store::open(&path).is_err());
    }
}
