//! Disks that are full.

use std::error::Error;
use std::fs;
use std::io;
use std::path::Path;

/// Bytes that an ordinary user can still write to the file system of a folder; nothing where the system does not say.
pub(crate) fn free_bytes(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Bytes of the files of a folder without folders in it; what cannot be read counts nothing.
pub(crate) fn bytes_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len())).sum()
}

/// Whether an error comes from a disk, or a share of it, that is full.
pub(crate) fn is_full(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(kind, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A number of bytes, for a person.
pub(crate) fn in_words(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        10_000..10_000_000 => format!("{} kB", bytes / 1000),
        10_000_000..10_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} GB", bytes / 1_000_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_found_behind_other_errors() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer {
            source: io::Error,
        }
        let outer = |number| Outer { source: io::Error::from_raw_os_error(number) };
        assert!(is_full(&outer(28)), "ENOSPC");
        assert!(is_full(&outer(122)), "EDQUOT");
        assert!(!is_full(&outer(13)), "EACCES");
    }

    #[test]
    fn folders_have_bytes_and_disks_have_room() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("one"), [0; 100]).unwrap();
        fs::write(folder.path().join("other"), [0; 23]).unwrap();
        assert_eq!(bytes_of(folder.path()), 123);
        assert_eq!(bytes_of(&folder.path().join("missing")), 0);
        assert!(free_bytes(folder.path()).unwrap() > 0);
        assert_eq!([in_words(9_999), in_words(123_456), in_words(12_345_678)], ["9999 bytes", "123 kB", "12 MB"]);
    }
}
