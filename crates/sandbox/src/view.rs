//! What of the host's files a program can see: system folders and the interpreter, read-only, and a few made-up files.

use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::host::Step;

/// Folders of the system that programs may read, where the host has them.
const SYSTEM_FOLDERS: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"];
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];
/// The loader's index of libraries, and the links by which a distribution chooses among programs. Java keeps its own beside.
const SETTINGS: [&str; 2] = ["/etc/ld.so.cache", "/etc/alternatives"];
const ACCOUNTS: &str = "root:x:0:0::/nonexistent:/bin/sh\nsandbox:x:1000:1000::/nonexistent:/bin/sh\n";
const GROUPS: &str = "root:x:0:\nsandbox:x:1000:\n";
const ADDRESSES: &str = "127.0.0.1 localhost\n";

/// The files a host shows: which folders are bound, which are links.
#[derive(Debug, Clone)]
pub(crate) struct View {
    bound: Vec<PathBuf>,
    /// Folders shown under another name than their own.
    renamed: Vec<(PathBuf, PathBuf)>,
    links: Vec<(PathBuf, PathBuf)>,
    settings: Vec<PathBuf>,
}

/// Landlock's rights, as the fork server hands them to the kernel.
#[derive(Debug, Serialize)]
pub(crate) struct FileRules {
    handled: [u64; 3],
    size: usize,
    scratch: u64,
    execute: u64,
    rules: Vec<(String, u64)>,
}

const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_FOLDER: u64 = 1 << 3;
const MAKE_DEVICE: u64 = (1 << 6) | (1 << 11);

impl View {
    /// The system folders of this host and the folders that interpreters and compilers need besides.
    pub(crate) fn new(interpreter: &[PathBuf]) -> Self {
        let mut view = Self { bound: Vec::new(), renamed: Vec::new(), links: Vec::new(), settings: Vec::new() };
        for folder in SYSTEM_FOLDERS.map(Path::new) {
            if let Ok(target) = std::fs::read_link(folder) {
                view.links.push((folder.to_owned(), target));
            } else if folder.is_dir() {
                view.bound.push(folder.to_owned());
            }
        }
        for folder in interpreter {
            if !view.bound.iter().any(|bound| folder.starts_with(bound)) {
                view.bound.push(folder.clone());
            }
        }
        let java = std::fs::read_dir("/etc").into_iter().flatten().flatten().map(|entry| entry.path());
        let java = java.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("java-")));
        view.settings = SETTINGS.iter().map(PathBuf::from).filter(|path| path.exists()).chain(java).collect();
        view.settings.sort();
        view
    }

    /// Shows a folder of the host under another name.
    pub(crate) fn show(&mut self, folder: &Path, name: &Path) {
        self.renamed.push((folder.to_owned(), name.to_owned()));
    }

    /// Folders in which a program may open whatever it finds.
    pub(crate) fn own_folders(&self) -> Vec<PathBuf> {
        let links = self.links.iter().map(|(path, _)| path.clone());
        let renamed = self.renamed.iter().map(|(_, name)| name.clone());
        self.bound.iter().cloned().chain(links).chain(renamed).collect()
    }

    /// The steps that put this view together in `staging`.
    pub(crate) fn steps(&self, staging: &CStr, steps: &mut Vec<Step>) {
        let at =
            |path: &Path| text(&Path::new(&*staging.to_string_lossy()).join(path.strip_prefix("/").unwrap_or(path)));
        steps.push(Step::Private);
        steps.push(Step::Tmpfs(staging.to_owned()));
        for folder in ["/tmp", "/dev", "/etc"] {
            steps.push(Step::Folder(at(Path::new(folder))));
        }
        for (path, to) in &self.links {
            steps.push(Step::Link { to: text(to), path: at(path) });
        }
        let renamed = self.renamed.iter().map(|(folder, name)| (folder, name));
        for (folder, name) in self.bound.iter().map(|folder| (folder, folder)).chain(renamed) {
            let mut above: Vec<&Path> = name.ancestors().filter(|path| *path != Path::new("/")).collect();
            above.reverse();
            if folder.is_file() {
                let file = above.pop().unwrap_or(name);
                steps.extend(above.into_iter().map(|path| Step::Folder(at(path))));
                steps.push(Step::File(at(file), vec![]));
            } else {
                steps.extend(above.into_iter().map(|path| Step::Folder(at(path))));
            }
            steps.push(Step::Bind { from: text(folder), onto: at(name), device: false });
        }
        for (path, content) in [("/etc/passwd", ACCOUNTS), ("/etc/group", GROUPS), ("/etc/hosts", ADDRESSES)] {
            steps.push(Step::File(at(Path::new(path)), content.as_bytes().to_vec()));
        }
        for path in &self.settings {
            steps.push(if path.is_dir() { Step::Folder(at(path)) } else { Step::File(at(path), vec![]) });
            steps.push(Step::Bind { from: text(path), onto: at(path), device: false });
        }
        for name in DEVICES {
            let path = Path::new("/dev").join(name);
            steps.push(Step::File(at(&path), vec![]));
            steps.push(Step::Bind { from: text(&path), onto: at(&path), device: true });
        }
    }

    /// The same view again as Landlock rules: a mistake in one of the two is caught by the other.
    ///
    /// Without namespaces it is all there is: then the host's own settings and devices are behind the names, and only those
    /// that tell nothing about it are let through.
    pub(crate) fn file_rules(&self, abi: u32, has_namespaces: bool) -> FileRules {
        // Rights were added with interface versions 2 (refer), 3 (truncate) and 5 (device requests).
        let files: u64 = match abi {
            0 | 1 => (1 << 13) - 1,
            2 => (1 << 14) - 1,
            3 | 4 => (1 << 15) - 1,
            _ => (1 << 16) - 1,
        };
        let network = if abi >= 4 { 0b11 } else { 0 };
        let scopes = if abi >= 6 { 0b11 } else { 0 };
        let size = match abi {
            0..=3 => 8,
            4 | 5 => 16,
            _ => 24,
        };
        let read = READ_FILE | READ_FOLDER;
        let renamed = self.renamed.iter().map(|(_, name)| name);
        let folders = self.bound.iter().chain(renamed);
        let rights = |path: &Path| if path.is_file() { READ_FILE } else { read };
        let mut rules: Vec<(String, u64)> =
            folders.map(|path| (path.to_string_lossy().into_owned(), rights(path) | EXECUTE)).collect();
        if has_namespaces {
            rules.push(("/".to_owned(), READ_FOLDER));
            rules.push(("/etc".to_owned(), read));
            rules.push(("/dev".to_owned(), read));
        } else {
            let links = self.links.iter().filter(|(path, _)| path.is_dir());
            rules.extend(links.map(|(path, _)| (path.to_string_lossy().into_owned(), read | EXECUTE)));
            rules.extend(DEVICES.map(|name| (format!("/dev/{name}"), READ_FILE)));
            for path in &self.settings {
                let rights = if path.is_dir() { read } else { READ_FILE };
                rules.push((path.to_string_lossy().into_owned(), rights));
            }
        }
        rules.push(("/dev/null".to_owned(), READ_FILE | WRITE_FILE));
        FileRules {
            handled: [files, network, scopes],
            size,
            scratch: files & !EXECUTE & !MAKE_DEVICE,
            execute: EXECUTE,
            rules,
        }
    }
}

fn text(path: &Path) -> CString {
    CString::new(path.to_string_lossy().into_owned()).expect("a path that exists holds no NUL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_inside_a_system_folder_is_not_bound_twice() {
        let view = View::new(&[PathBuf::from("/usr/local"), PathBuf::from("/opt/python")]);
        assert!(view.bound.contains(&PathBuf::from("/opt/python")));
        assert!(!view.bound.contains(&PathBuf::from("/usr/local")));
    }

    #[test]
    fn only_the_null_device_may_be_written() {
        for has_namespaces in [false, true] {
            let rules = View::new(&[]).file_rules(7, has_namespaces).rules;
            let writable: Vec<&str> =
                rules.iter().filter(|(_, rights)| rights & WRITE_FILE != 0).map(|(path, _)| path.as_str()).collect();
            assert_eq!(writable, ["/dev/null"]);
        }
    }

    #[test]
    fn without_namespaces_the_hosts_own_settings_stay_closed() {
        let rules = View::new(&[]).file_rules(7, false).rules;
        assert!(
            !rules.iter().any(|(path, _)| ["/", "/etc", "/dev", "/proc", "/root", "/home"].contains(&path.as_str()))
        );
    }

    #[test]
    fn the_scratch_folder_is_never_executable() {
        for abi in 1..8 {
            assert_eq!(View::new(&[]).file_rules(abi, true).scratch & EXECUTE, 0);
        }
    }
}
