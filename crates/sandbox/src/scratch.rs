//! Looks through the scratch folder after every process that could write there is gone, and never through a link.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};

use crate::outcome::{FileKind, FileSeen};
use crate::streams::read_start;

const MAX_ENTRIES: usize = 256;
const MAX_DEPTH: usize = 32;
const CONTENT_BYTES: u64 = 64 << 10;

/// Everything in the folder, by relative path, in the order of names; the rest after 256 entries is left out.
pub(crate) fn list(scratch: OwnedFd) -> io::Result<BTreeMap<String, FileSeen>> {
    let mut seen = BTreeMap::new();
    let mut waiting = vec![(String::new(), 0, scratch)];
    while let Some((prefix, depth, folder)) = waiting.pop() {
        // The program may have taken our right to search its own folder.
        let _ = rustix::fs::fchmod(&folder, Mode::RWXU);
        for name in names(&folder)? {
            if seen.len() == MAX_ENTRIES {
                return Ok(seen);
            }
            let stat = rustix::fs::statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW)?;
            let path = format!("{prefix}{}", name.to_string_lossy());
            let kind = kind(FileType::from_raw_mode(stat.st_mode));
            let content = if kind == FileKind::File {
                let file = open(&folder, &name, OFlags::empty())?;
                read_start(&file, (stat.st_size as u64).min(CONTENT_BYTES))?
            } else {
                Vec::new()
            };
            if kind == FileKind::Folder && depth < MAX_DEPTH {
                waiting.push((format!("{path}/"), depth + 1, open(&folder, &name, OFlags::DIRECTORY)?));
            }
            seen.insert(path, FileSeen { kind, mode: stat.st_mode & 0o7777, size: stat.st_size as u64, content });
        }
    }
    Ok(seen)
}

/// Whether nothing more fits into the folder.
pub(crate) fn is_full(scratch: &OwnedFd) -> io::Result<bool> {
    let space = rustix::fs::fstatvfs(scratch)?;
    Ok(space.f_bavail == 0 || space.f_favail == 0)
}

fn names(folder: &OwnedFd) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(folder)? {
        let name = entry?.file_name().to_owned();
        if name.as_c_str() != c"." && name.as_c_str() != c".." {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn kind(file_type: FileType) -> FileKind {
    match file_type {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Folder,
        FileType::Symlink => FileKind::Link,
        _ => FileKind::Other,
    }
}

/// Opens for reading, even where the permission bits say no: as its owner we may change them.
fn open(folder: &OwnedFd, name: &CStr, flags: OFlags) -> io::Result<OwnedFd> {
    let common = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | flags;
    match rustix::fs::openat(folder, name, common | OFlags::RDONLY, Mode::empty()) {
        Err(rustix::io::Errno::ACCESS) => {}
        other => return Ok(other?),
    }
    let handle = rustix::fs::openat(folder, name, common | OFlags::PATH, Mode::empty())?;
    rustix::fs::chmod(format!("/proc/self/fd/{}", handle.as_fd().as_raw_fd()), Mode::RWXU)?;
    Ok(rustix::fs::openat(folder, name, common | OFlags::RDONLY, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_reported_and_not_followed() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "secret").unwrap();
        let scratch = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(outside.path(), scratch.path().join("folder")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), scratch.path().join("file")).unwrap();
        let descriptor = rustix::fs::open(scratch.path(), OFlags::RDONLY, Mode::empty()).unwrap();
        let seen = list(descriptor).unwrap();
        assert_eq!(seen.keys().collect::<Vec<_>>(), ["file", "folder"]);
        assert!(seen.values().all(|entry| entry.kind == FileKind::Link && entry.content.is_empty()));
    }

    #[test]
    fn files_without_permissions_are_still_read() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("locked");
        std::fs::write(&path, "text").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
        let seen = list(rustix::fs::open(scratch.path(), OFlags::RDONLY, Mode::empty()).unwrap()).unwrap();
        assert_eq!((seen["locked"].mode, seen["locked"].content.as_slice()), (0, &b"text"[..]));
    }

    #[test]
    fn the_number_of_entries_is_capped() {
        let scratch = tempfile::tempdir().unwrap();
        for index in 0..300 {
            std::fs::write(scratch.path().join(format!("{index}")), "").unwrap();
        }
        let seen = list(rustix::fs::open(scratch.path(), OFlags::RDONLY, Mode::empty()).unwrap()).unwrap();
        assert_eq!(seen.len(), MAX_ENTRIES);
    }
}
