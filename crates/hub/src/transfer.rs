//! One file from the hub into the cache: continued where it stopped, checked, and in its place whole or not at all.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use codeward_endpoint::{EndpointError, Fetcher};

use crate::cache::{Place, at};
use crate::digest::Summing;
use crate::error::HubError;
use crate::listing::RemoteFile;
use crate::model_id::ModelId;
use crate::settings::Patience;

/// Bytes that are read at a time.
const PIECE_BYTES: usize = 1 << 18;

/// What happens during a download.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The hub said at which commit the revision is.
    Commit(&'a str),
    /// Another process is at this file, and is waited for.
    Waiting {
        /// The file.
        file: &'a str,
    },
    /// So much of a file is here. The first time it says what an earlier attempt had left.
    Progress {
        /// The file.
        file: &'a str,
        /// Bytes that are here.
        done: u64,
        /// Bytes of the file.
        size: u64,
    },
    /// An attempt ended early, and there will be another.
    Retrying {
        /// The file, or the listing.
        file: &'a str,
        /// What it came to.
        error: &'a EndpointError,
        /// How long until the next.
        wait: Duration,
    },
}

/// What is needed to bring files of one repository.
pub(crate) struct Transfer<'a> {
    pub(crate) fetcher: &'a Fetcher,
    pub(crate) id: &'a ModelId,
    pub(crate) place: &'a Place,
    pub(crate) commit: &'a str,
    pub(crate) patience: Patience,
}

/// How an attempt that ended early ended.
enum Broken {
    /// It may go better next time.
    For(EndpointError),
    /// It will not.
    Ever(HubError),
}

impl From<HubError> for Broken {
    fn from(error: HubError) -> Self {
        Self::Ever(error)
    }
}

impl Transfer<'_> {
    /// Brings a file, unless it is here.
    pub(crate) fn bring(&self, file: &RemoteFile, on_event: &mut dyn FnMut(Event<'_>)) -> Result<(), HubError> {
        let blob = self.place.blob(&file.checksum);
        if is_whole(&blob, file.size) {
            return Ok(());
        }
        let _lock = self.place.lock(&file.checksum, || on_event(Event::Waiting { file: &file.name }))?;
        if is_whole(&blob, file.size) {
            return Ok(());
        }
        let path = self.place.incomplete(&file.checksum);
        let mut partial = Partial::open(&path, file)?;
        let was_continued = partial.length > 0;
        self.fill(&mut partial, file, on_event)?;
        let mut found = partial.finish()?;
        if found != file.checksum.digits() && was_continued {
            // What an earlier process left may be damaged, by a power cut say. What comes now is what the server has.
            remove(&path)?;
            let mut anew = Partial::open(&path, file)?;
            self.fill(&mut anew, file, on_event)?;
            found = anew.finish()?;
        }
        if found != file.checksum.digits() {
            remove(&path)?;
            return Err(HubError::WrongChecksum {
                id: self.id.to_string(),
                file: file.name.clone(),
                kind: file.checksum.kind(),
                expected: file.checksum.digits().to_owned(),
                found,
            });
        }
        fs::rename(&path, &blob).map_err(at(&blob))
    }

    /// Asks for what is missing until nothing is.
    fn fill(
        &self,
        partial: &mut Partial,
        file: &RemoteFile,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), HubError> {
        on_event(Event::Progress { file: &file.name, done: partial.length, size: file.size });
        let mut retrying = Retrying::new(self.patience);
        let mut furthest = partial.length;
        while partial.length < file.size {
            let error = match self.attempt(partial, file, on_event) {
                Ok(()) => return Ok(()),
                Err(Broken::Ever(error)) => return Err(error),
                Err(Broken::For(error)) => error,
            };
            // Not merely "more than before": a server that always begins anew and always breaks off would have us for ever.
            if partial.length > furthest {
                furthest = partial.length;
                retrying = Retrying::new(self.patience);
            }
            retrying.wait(self.id, &file.name, error, on_event)?;
        }
        Ok(())
    }

    /// One answer of the server, as far as it goes.
    fn attempt(
        &self,
        partial: &mut Partial,
        file: &RemoteFile,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), Broken> {
        let path = format!("{}/{}/resolve/{}/{}", self.id.owner(), self.id.name(), self.commit, file.name);
        let mut fetched = match self.fetcher.get(&path, partial.length) {
            Ok(fetched) => fetched,
            // The server has nothing from there on: what is here is not what it has.
            Err(error @ EndpointError::Refused { status: 416, .. }) if partial.length > 0 => {
                partial.empty(file)?;
                return Err(Broken::For(error));
            }
            Err(error) => return Err(Broken::For(error)),
        };
        let extent = fetched.extent().map_err(Broken::For)?;
        if extent.first == 0 && partial.length > 0 {
            partial.empty(file)?;
        }
        if extent.first != partial.length {
            let problem = format!("bytes from {} on, asked for those from {}", extent.first, partial.length);
            return Err(Broken::For(EndpointError::Malformed { problem }));
        }
        let end = extent.length.and_then(|length| length.checked_add(extent.first));
        if let Some(found) = extent.total.or(end).filter(|total| *total != file.size) {
            return Err(self.wrong_length(partial, file, found).into());
        }
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let length = fetched.read(&mut piece).map_err(Broken::For)?;
            if length == 0 && partial.length < file.size {
                let detail = "the connection ended before the file did".to_owned();
                return Err(Broken::For(EndpointError::Unreachable { host: fetched.host().to_owned(), detail }));
            }
            if length as u64 > file.size - partial.length {
                let found = partial.length + length as u64;
                return Err(self.wrong_length(partial, file, found).into());
            }
            if length == 0 {
                return Ok(());
            }
            partial.add(&piece[..length])?;
            on_event(Event::Progress { file: &file.name, done: partial.length, size: file.size });
        }
    }

    fn wrong_length(&self, partial: &Partial, file: &RemoteFile, found: u64) -> HubError {
        match remove(&partial.path) {
            Ok(()) => {
                let (id, expected) = (self.id.to_string(), file.size);
                HubError::WrongLength { id, file: file.name.clone(), expected, found }
            }
            Err(error) => error,
        }
    }
}

/// What is here of a file, and the checksum as far as that goes.
struct Partial {
    path: PathBuf,
    file: File,
    length: u64,
    sum: Summing,
}

impl Partial {
    /// Opens what an earlier attempt left, or begins.
    fn open(path: &Path, remote: &RemoteFile) -> Result<Self, HubError> {
        let options = File::options().create(true).truncate(false).read(true).write(true).open(path);
        let file = options.map_err(at(path))?;
        let sum = remote.checksum.summing(remote.size);
        let mut partial = Self { path: path.to_owned(), file, length: 0, sum };
        if partial.file.metadata().map_err(at(path))?.len() > remote.size {
            partial.empty(remote)?;
        }
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let length = partial.file.read(&mut piece).map_err(at(path))?;
            if length == 0 {
                return Ok(partial);
            }
            partial.sum.add(&piece[..length]);
            partial.length += length as u64;
        }
    }

    /// Begins anew.
    fn empty(&mut self, remote: &RemoteFile) -> Result<(), HubError> {
        self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0))).map_err(at(&self.path))?;
        self.length = 0;
        self.sum = remote.checksum.summing(remote.size);
        Ok(())
    }

    fn add(&mut self, bytes: &[u8]) -> Result<(), HubError> {
        self.file.write_all(bytes).map_err(at(&self.path))?;
        self.sum.add(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Puts it on the disk and gives its checksum.
    fn finish(self) -> Result<String, HubError> {
        self.file.sync_all().map_err(at(&self.path))?;
        Ok(self.sum.finish())
    }
}

/// Attempts that brought nothing.
pub(crate) struct Retrying {
    patience: Patience,
    attempts: u32,
}

impl Retrying {
    pub(crate) fn new(patience: Patience) -> Self {
        Self { patience, attempts: 0 }
    }

    /// Waits before the next attempt, or gives up: what will not go better is not tried again, and what a server asks for is
    /// waited for, unless that is too long.
    pub(crate) fn wait(
        &mut self,
        id: &ModelId,
        file: &str,
        source: EndpointError,
        on_event: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), HubError> {
        self.attempts += 1;
        let (id, file) = (id.to_string(), file.to_owned());
        // A 416 was answered by beginning anew.
        let is_worth_it = source.is_retryable() || matches!(source, EndpointError::Refused { status: 416, .. });
        if !is_worth_it {
            return Err(HubError::Exchange { id, file, source });
        }
        let doubled = self.patience.first_wait.saturating_mul(1_u32.checked_shl(self.attempts - 1).unwrap_or(u32::MAX));
        let asked = match &source {
            EndpointError::Unavailable { retry_after: Some(asked), .. } => *asked,
            _ => Duration::ZERO,
        };
        if self.attempts >= self.patience.max_attempts || asked > self.patience.max_wait {
            return Err(HubError::GaveUp { id, file, attempts: self.attempts, source });
        }
        let wait = doubled.min(self.patience.max_wait).max(asked);
        on_event(Event::Retrying { file: &file, error: &source, wait });
        thread::sleep(wait);
        Ok(())
    }
}

/// Whether the file is in its place. Its name is its checksum, and it got the name after that was compared.
pub(crate) fn is_whole(blob: &Path, size: u64) -> bool {
    fs::metadata(blob).is_ok_and(|found| found.is_file() && found.len() == size)
}

fn remove(path: &Path) -> Result<(), HubError> {
    fs::remove_file(path).map_err(at(path))
}
