//! Looks through the scratch folder after every process that could write there is gone, and never through a link.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};

use crate::outcome::{FileKind, FileSeen};
use crate::streams::{read_start, unless_short};
use crate::temporary::Temporary;

const MAX_ENTRIES: usize = 256;
const MAX_DEPTH: usize = 32;

/// Everything in the folder, by relative path; the rest after 256 entries is left out.
///
/// Nothing a program leaves there may make this fail, or a program could choose not to be judged: what cannot be read is listed
/// without content. It fails only for want of descriptors of our own.
pub(crate) fn list(scratch: &OwnedFd, content_bytes: u64) -> io::Result<BTreeMap<String, FileSeen>> {
    let mut seen = BTreeMap::new();
    let mut waiting = vec![PathBuf::new()];
    // One folder is open at a time: descriptors are for all workers of this process together.
    while let Some(path) = waiting.pop() {
        let Some(folder) = unless_short(open_folder(scratch, &path))? else { continue };
        for name in unless_short(names(&folder))?.unwrap_or_default() {
            if seen.len() == MAX_ENTRIES {
                return Ok(seen);
            }
            let path = path.join(OsStr::from_bytes(name.to_bytes()));
            let Some(file) = unless_short(look(&folder, &name, content_bytes))? else { continue };
            if file.kind == FileKind::Folder && path.components().count() <= MAX_DEPTH {
                waiting.push(path.clone());
            }
            seen.insert(path.to_string_lossy().into_owned(), file);
        }
    }
    Ok(seen)
}

fn look(folder: &OwnedFd, name: &CStr, content_bytes: u64) -> io::Result<FileSeen> {
    let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let kind = kind(FileType::from_raw_mode(stat.st_mode));
    let size = stat.st_size as u64;
    let content = if kind == FileKind::File {
        let path = Path::new(OsStr::from_bytes(name.to_bytes()));
        open(folder, path, OFlags::empty()).and_then(|file| read_start(&file, size.min(content_bytes)))
    } else {
        Ok(Vec::new())
    };
    let content = unless_short(content)?.unwrap_or_default();
    Ok(FileSeen { kind, mode: stat.st_mode & 0o7777, size, content })
}

/// A folder below, searchable even where the program has taken our right to. The scratch folder itself is left as it is when
/// it can be: a folder without a trace is used again.
fn open_folder(scratch: &OwnedFd, path: &Path) -> io::Result<OwnedFd> {
    let mode = rustix::fs::fstat(scratch)?.st_mode;
    if mode & Mode::RWXU.as_raw_mode() != Mode::RWXU.as_raw_mode() {
        rustix::fs::fchmod(scratch, Mode::RWXU)?;
    }
    let folder = open(scratch, path, OFlags::DIRECTORY)?;
    if !path.as_os_str().is_empty() {
        rustix::fs::fchmod(&folder, Mode::RWXU)?;
    }
    Ok(folder)
}

/// Whether nothing more fits into a folder that is a file system of its own.
pub(crate) fn is_full(scratch: &OwnedFd, is_mount: bool) -> io::Result<bool> {
    if !is_mount {
        return Ok(false);
    }
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

/// Opens for reading below a folder, through no link, even where the permission bits say no: as the owner we may change them.
fn open(folder: &OwnedFd, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let open = |access| {
        let flags = flags | access | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat2(folder, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)
    };
    match open(OFlags::RDONLY | OFlags::NONBLOCK) {
        Err(rustix::io::Errno::ACCESS) => {}
        other => return Ok(other?),
    }
    let handle = open(OFlags::PATH)?;
    rustix::fs::chmod(format!("/proc/self/fd/{}", handle.as_raw_fd()), Mode::RWXU)?;
    Ok(open(OFlags::RDONLY | OFlags::NONBLOCK)?)
}

/// Where scratch folders are made for hosts that cannot mount their own. Removed with everything in it.
#[derive(Debug)]
pub(crate) struct Base {
    folder: Temporary,
    owner: Option<u32>,
    num_made: AtomicU64,
}

/// One scratch folder on the host's own file system, for one program.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    number: u64,
}

impl Base {
    /// Makes the base below the host's folder for temporary files, for programs of another user where `owner` is given.
    pub(crate) fn make(owner: Option<u32>) -> io::Result<Self> {
        // Others may pass through, and find nothing by searching.
        let folder = Temporary::make(0o711)?;
        Ok(Self { folder, owner, num_made: AtomicU64::new(0) })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A fresh folder, which only its owner can look into.
    pub(crate) fn folder(&self) -> io::Result<Folder> {
        let number = self.num_made.fetch_add(1, Ordering::Relaxed);
        let path = self.path().join(number.to_string());
        std::fs::create_dir(&path)?;
        let folder = Folder { path, number };
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700))?;
        if let Some(owner) = self.owner {
            std::os::unix::fs::chown(folder.path(), Some(owner), Some(owner))?;
        }
        Ok(folder)
    }
}

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Folders that were listed have been made searchable; whatever is left goes with the base or is the user's to see.
        let _ = std::fs::remove_dir_all(&self.path);
    }
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
        let seen = list(&descriptor, 64 << 10).unwrap();
        assert_eq!(seen.keys().collect::<Vec<_>>(), ["file", "folder"]);
        assert!(seen.values().all(|entry| entry.kind == FileKind::Link && entry.content.is_empty()));
    }

    #[test]
    fn files_without_permissions_are_still_read() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("locked");
        std::fs::write(&path, "text").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
        let seen = list(&rustix::fs::open(scratch.path(), OFlags::RDONLY, Mode::empty()).unwrap(), 64 << 10).unwrap();
        assert_eq!((seen["locked"].mode, seen["locked"].content.as_slice()), (0, &b"text"[..]));
    }

    #[test]
    fn the_number_of_entries_is_capped() {
        let scratch = tempfile::tempdir().unwrap();
        for index in 0..300 {
            std::fs::write(scratch.path().join(format!("{index}")), "").unwrap();
        }
        let seen = list(&rustix::fs::open(scratch.path(), OFlags::RDONLY, Mode::empty()).unwrap(), 64 << 10).unwrap();
        assert_eq!(seen.len(), MAX_ENTRIES);
    }
}
