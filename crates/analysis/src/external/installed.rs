//! Where the analysers are on this machine. Looking starts nothing.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use codeward_sandbox::check_shown;

use super::analyser::Analyser;

/// What was found of one analyser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Installation {
    /// A program by itself.
    Program(PathBuf),
    /// A Python package, in this folder of packages.
    Package(PathBuf),
    /// The engine that the Semgrep package brings along, with its own libraries.
    Engine { program: PathBuf, libraries: Option<PathBuf>, certificates: Option<PathBuf> },
    /// A JavaScript package in this folder of packages, and what runs it.
    Module { runtime: PathBuf, modules: PathBuf },
}

/// The analysers that are on this machine, and what has to be shown inside for them to work.
#[derive(Debug, Clone, Default)]
pub struct Installed {
    found: BTreeMap<Analyser, Installation>,
    shown: Vec<PathBuf>,
}

impl Installed {
    /// Looks for every analyser along a search path.
    pub fn find(search_path: Option<&OsStr>) -> Self {
        let path = SearchPath(search_path.map(std::env::split_paths).into_iter().flatten().collect());
        let mut installed = Self::default();
        for analyser in Analyser::ALL {
            let Some((installation, shown)) = path.look(analyser) else { continue };
            // What cannot be shown cannot be run: it is as if it were not there.
            let shown: Vec<PathBuf> = shown.into_iter().filter(|path| !is_system(path)).collect();
            if shown.iter().all(|path| check_shown(path).is_ok()) {
                installed.found.insert(analyser, installation);
                installed
                    .shown
                    .extend(shown.into_iter().filter(|path| !installed.shown.contains(path)).collect::<Vec<_>>());
            }
        }
        installed
    }

    /// What [`codeward_sandbox::Settings::shown`] must name for the analysers to be run. Everything in that sandbox sees it.
    pub fn shown(&self) -> &[PathBuf] {
        &self.shown
    }

    /// The analysers that were found.
    pub fn analysers(&self) -> impl Iterator<Item = Analyser> {
        self.found.keys().copied()
    }

    pub(super) fn get(&self, analyser: Analyser) -> Option<&Installation> {
        self.found.get(&analyser)
    }

    /// Only these.
    #[must_use]
    pub fn only(&self, analysers: &[Analyser]) -> Self {
        let mut some = self.clone();
        some.found.retain(|analyser, _| analysers.contains(analyser));
        some
    }
}

/// Whether a sandbox shows it in any case.
fn is_system(path: &Path) -> bool {
    ["/usr", "/bin", "/sbin", "/lib", "/lib64"].iter().any(|folder| path.starts_with(folder))
}

struct SearchPath(Vec<PathBuf>);

type Found = (Installation, Vec<PathBuf>);

impl SearchPath {
    fn look(&self, analyser: Analyser) -> Option<Found> {
        match analyser {
            Analyser::Bandit => self.package("bandit", "bandit/__init__.py"),
            Analyser::Flawfinder => self.package("flawfinder", "flawfinder.py"),
            Analyser::Semgrep => self.semgrep(),
            Analyser::Opengrep => {
                let program = self.program("opengrep-core")?;
                let certificates = None;
                Some((Installation::Engine { program: program.clone(), libraries: None, certificates }, vec![program]))
            }
            Analyser::Cppcheck => self.own_program("cppcheck"),
            Analyser::Gcc => self.own_program("gcc"),
            Analyser::ClangTidy => self.own_program("clang-tidy"),
            Analyser::Codeql => self.codeql(),
            Analyser::Eslint => self.eslint(),
        }
    }

    /// The files behind a name, each once, in the order of the search path.
    fn files(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        let named =
            self.0.iter().filter(|folder| folder.is_absolute()).map(|folder| folder.join(name)).collect::<Vec<_>>();
        named.into_iter().filter_map(|path| path.canonicalize().ok()).filter(|path| path.is_file())
    }

    /// A program that runs by itself: scripts that choose among versions do not work inside.
    fn program(&self, name: &str) -> Option<PathBuf> {
        self.files(name).find(|path| {
            let mut magic = [0; 4];
            let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
            read.is_ok() && &magic == b"\x7fELF"
        })
    }

    /// A program and the folder it was installed into, where that holds nothing else.
    fn own_program(&self, name: &str) -> Option<Found> {
        let program = self.program(name)?;
        let prefix = program.parent().and_then(Path::parent).filter(|prefix| is_own(prefix));
        let shown = prefix.map_or_else(|| program.clone(), Path::to_owned);
        Some((Installation::Program(program), vec![shown]))
    }

    /// A Python package, found by the script that belongs to it.
    fn package(&self, script: &str, file: &str) -> Option<Found> {
        self.files(script).find_map(|script| {
            let prefix = script.parent()?.parent()?.to_owned();
            let folder = package_folders(&prefix).into_iter().find(|folder| folder.join(file).is_file())?;
            let shown = vec![folder.clone()];
            Some((Installation::Package(folder), shown))
        })
    }

    fn semgrep(&self) -> Option<Found> {
        let (installation, _) = self.package("semgrep", "semgrep/bin/semgrep-core")?;
        let Installation::Package(folder) = installation else { return None };
        let there = |name: &str| Some(folder.join(name)).filter(|path| path.exists());
        let program = folder.join("semgrep/bin/semgrep-core");
        let (libraries, certificates) = (there("semgrep/bin/libs"), there("certifi/cacert.pem"));
        let shown = [program.parent().map(Path::to_owned), certificates.clone()].into_iter().flatten().collect();
        Some((Installation::Engine { program, libraries, certificates }, shown))
    }

    fn codeql(&self) -> Option<Found> {
        // Its launcher is a script beside everything that it needs.
        let program = self.files("codeql").next()?;
        let folder = program.parent()?.to_owned();
        Some((Installation::Program(program), vec![folder]))
    }

    fn eslint(&self) -> Option<Found> {
        let runtime = self.program("node").or_else(|| self.program("nodejs"))?;
        self.files("eslint").find_map(|script| {
            let modules =
                script.ancestors().find(|path| path.file_name().is_some_and(|name| name == "node_modules"))?;
            let is_whole = ["eslint", "eslint-plugin-security"].iter().all(|name| modules.join(name).is_dir());
            let prefix = runtime.parent().and_then(Path::parent).filter(|prefix| is_own(prefix));
            let shown = [modules.to_owned(), prefix.map_or_else(|| runtime.clone(), Path::to_owned)];
            let module = Installation::Module { runtime: runtime.clone(), modules: modules.to_owned() };
            is_whole.then(|| (module, shown.to_vec()))
        })
    }
}

/// Whether a prefix is that of one program, not of all that somebody has installed for himself.
fn is_own(prefix: &Path) -> bool {
    let is_shared =
        prefix.file_name().is_none_or(|name| [".local", "local", "opt"].iter().any(|shared| name == *shared));
    !is_shared && prefix.components().count() > 2 && prefix.parent() != Some(Path::new("/home"))
}

/// Where Python packages lie below a prefix.
fn package_folders(prefix: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for lib in ["lib", "lib64"].map(|name| prefix.join(name)) {
        for entry in fs::read_dir(lib).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("python3") {
                folders.extend(["site-packages", "dist-packages"].map(|name| entry.path().join(name)));
            }
        }
    }
    folders.sort();
    folders
}

/// The version in the name of a folder of packages, such as `3.11`; nothing where it is for every version.
pub(super) fn python_version(folder: &Path) -> Option<String> {
    let name = folder.parent()?.file_name()?.to_string_lossy().into_owned();
    name.strip_prefix("python").filter(|version| version.contains('.')).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        // Not below the system's folder for temporary files: a sandbox has one of its own there.
        let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(folder.path(), open).unwrap();
        folder
    }

    fn write(path: &Path, content: &[u8]) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[test]
    fn packages_are_found_beside_their_scripts() {
        let folder = folder();
        let packages = folder.path().join("lib/python3.11/site-packages");
        write(&folder.path().join("bin/bandit"), b"#!/usr/bin/python3\n");
        write(&packages.join("bandit/__init__.py"), b"");
        // A script without its package is nothing.
        write(&folder.path().join("bin/flawfinder"), b"#!/usr/bin/python3\n");
        let installed = Installed::find(Some(folder.path().join("bin").as_os_str()));
        assert_eq!(installed.analysers().collect::<Vec<_>>(), [Analyser::Bandit]);
        assert_eq!(installed.shown(), std::slice::from_ref(&packages));
        assert_eq!(python_version(&packages).as_deref(), Some("3.11"));
        assert_eq!(python_version(Path::new("/usr/lib/python3/dist-packages")), None);
    }

    #[test]
    fn modules_are_found_together() {
        let folder = folder();
        let modules = folder.path().join("node_modules");
        write(&folder.path().join("bin/node"), b"\x7fELF");
        write(&modules.join(".bin/eslint"), b"");
        let path = std::env::join_paths([folder.path().join("bin"), modules.join(".bin")]).unwrap();
        assert_eq!(Installed::find(Some(&path)).analysers().count(), 0);
        for name in ["eslint", "eslint-plugin-security"] {
            write(&modules.join(name).join("package.json"), b"{}");
        }
        assert_eq!(Installed::find(Some(&path)).analysers().collect::<Vec<_>>(), [Analyser::Eslint]);
    }

    #[test]
    fn scripts_that_choose_a_version_are_passed_over() {
        let folder = folder();
        write(&folder.path().join("bin/cppcheck"), b"#!/bin/sh\n");
        assert_eq!(Installed::find(Some(folder.path().join("bin").as_os_str())).analysers().count(), 0);
        assert_eq!(Installed::find(None).analysers().count(), 0);
    }

    #[test]
    fn what_somebody_has_for_himself_is_not_shown_whole() {
        assert!(is_own(Path::new("/opt/cppcheck")));
        for shared in ["/", "/opt", "/home/somebody/.local", "/home/somebody", "/usr/local", "/root"] {
            assert!(!is_own(Path::new(shared)), "{shared}");
        }
    }
}
