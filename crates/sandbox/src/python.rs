//! Finds Python interpreters that might work inside the isolation; whether one does is tried there.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::Deserialize;

/// An interpreter and the folders it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interpreter {
    pub(crate) executable: PathBuf,
    pub(crate) folders: Vec<PathBuf>,
}

const ASK: &str = "import json, os, sys; print(json.dumps([os.path.realpath(getattr(sys, '_base_executable', \
                   sys.executable)), os.path.realpath(sys.base_prefix), os.path.realpath(sys.base_exec_prefix)]))";
const ASK_DEADLINE: Duration = Duration::from_secs(20);

/// Where to look: only at the one asked for, else every `python3` on the search path and then the system's.
pub(crate) fn candidates(asked: Option<&Path>, search_path: Option<&std::ffi::OsStr>) -> Vec<PathBuf> {
    if let Some(asked) = asked {
        return vec![asked.to_owned()];
    }
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in search_path.map(std::env::split_paths).into_iter().flatten() {
        let path = folder.join("python3");
        if folder.is_absolute() && path.exists() && !found.contains(&path) {
            found.push(path);
        }
    }
    let system = PathBuf::from("/usr/bin/python3");
    if !found.contains(&system) {
        found.push(system);
    }
    found
}

/// The interpreter behind a candidate.
pub(crate) fn resolve(candidate: &Path) -> Result<Interpreter, String> {
    let executable = candidate.canonicalize().map_err(|error| error.to_string())?;
    let mut magic = [0; 4];
    let read = std::fs::File::open(&executable).and_then(|mut file| file.read_exact(&mut magic));
    if read.is_ok() && &magic == b"\x7fELF" {
        let prefix = executable.parent().and_then(Path::parent).filter(|prefix| *prefix != Path::new("/"));
        if let Some(prefix) = prefix {
            return Ok(Interpreter { folders: vec![prefix.to_owned()], executable });
        }
    }
    // A script that chooses an interpreter: only it knows which.
    ask(candidate)
}

#[derive(Deserialize)]
struct Answer(PathBuf, PathBuf, PathBuf);

#[expect(
    clippy::disallowed_methods,
    reason = "this runs the interpreter that the user installed, and no program of a model"
)]
fn ask(candidate: &Path) -> Result<Interpreter, String> {
    let mut child = std::process::Command::new(candidate)
        .args(["-I", "-S", "-c", ASK])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let deadline = Instant::now() + ASK_DEADLINE;
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        if Instant::now() > deadline {
            let _ = child.kill();
            let _ = child.wait();
            return Err("it did not answer".to_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let Answer(executable, prefix, other) =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("its answer makes no sense: {error}"))?;
    let mut folders = vec![prefix];
    if !folders.contains(&other) {
        folders.push(other);
    }
    Ok(Interpreter { executable, folders })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_asked_for_is_the_only_candidate() {
        let asked = Path::new("/opt/python/bin/python3");
        assert_eq!(candidates(Some(asked), Some("/usr/bin".as_ref())), [asked]);
    }

    #[test]
    fn the_system_interpreter_is_always_the_last_resort() {
        assert_eq!(candidates(None, Some("/nowhere:relative".as_ref())), [Path::new("/usr/bin/python3")]);
    }

    #[test]
    fn a_script_that_is_no_interpreter_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("python3");
        std::fs::write(&script, "#!/bin/sh\necho hello\n").unwrap();
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        assert!(resolve(&script).unwrap_err().contains("makes no sense"));
    }
}
