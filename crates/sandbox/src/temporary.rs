//! Folders of ours among the host's temporary files, which also go when the supervisor was killed: the next one to start finds
//! that nobody holds their lock.

use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

const PREFIX: &str = "codeward-sandbox-";
/// A folder is made first and locked then: one this young is left alone.
const YOUNG: Duration = Duration::from_mins(1);

/// A folder that is removed with everything in it.
#[derive(Debug)]
pub(crate) struct Temporary {
    folder: tempfile::TempDir,
    /// Says that somebody still needs it.
    _lock: File,
}

impl Temporary {
    /// Makes one with these permissions, and sweeps up what others have had to leave behind.
    pub(crate) fn make(mode: u32) -> io::Result<Self> {
        let above = std::env::temp_dir();
        sweep(&above, YOUNG);
        let permissions = std::fs::Permissions::from_mode(mode);
        let folder = tempfile::Builder::new().prefix(PREFIX).permissions(permissions).tempdir_in(above)?;
        let lock = File::open(folder.path())?;
        flock(&lock, FlockOperation::NonBlockingLockShared)?;
        Ok(Self { folder, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes folders of ours that nobody holds. What cannot be removed is not ours to mind.
fn sweep(above: &Path, young: Duration) {
    let user = rustix::process::geteuid().as_raw();
    for entry in std::fs::read_dir(above).into_iter().flatten().flatten() {
        // The entry's own kind: a link somebody else has put there is not followed.
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.metadata().is_ok_and(|found| {
                let age = found.modified().ok().and_then(|time| time.elapsed().ok());
                found.is_dir() && found.uid() == user && age.is_some_and(|age| age >= young)
            });
        let lock = is_ours.then(|| File::open(entry.path()).ok()).flatten();
        if lock.is_some_and(|lock| flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_is_swept_up_and_nothing_else() {
        let above = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = above.path().join(name);
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join("file"), "text").unwrap();
            path
        };
        let left = make("codeward-sandbox-left");
        let held = make("codeward-sandbox-held");
        let other = make("other");
        let outside = make("outside");
        std::os::unix::fs::symlink(&outside, above.path().join("codeward-sandbox-link")).unwrap();
        let lock = File::open(&held).unwrap();
        flock(&lock, FlockOperation::NonBlockingLockShared).unwrap();
        sweep(above.path(), YOUNG);
        assert!(left.exists());
        sweep(above.path(), Duration::ZERO);
        assert!(!left.exists() && held.exists() && other.exists() && outside.join("file").exists());
        drop(lock);
        sweep(above.path(), Duration::ZERO);
        assert!(!held.exists());
    }

    #[test]
    fn a_folder_in_use_survives_a_sweep_and_goes_with_its_owner() {
        let folder = Temporary::make(0o755).unwrap();
        let path = folder.path().to_owned();
        sweep(path.parent().unwrap(), Duration::ZERO);
        assert!(path.exists());
        drop(folder);
        assert!(!path.exists());
    }
}
