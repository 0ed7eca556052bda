//! Programs of the host that read hostile text, such as code analysers: run as compilers are.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path};

use crate::error::SandboxError;
use crate::job::{Job, MemoryRule};
use crate::outcome::FileSeen;
use crate::program::{Limits, Network, check_env, check_laid_out};
use crate::seccomp::Profile;
use crate::toolchain;

/// A program of the host, and the hostile text that it is to read.
///
/// It may start processes, and sees what every program in this sandbox sees: the system folders, and what
/// [`Settings::shown`](crate::Settings::shown) names besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Its absolute path, and what it is called with. None of them may come from the hostile text.
    pub arguments: Vec<String>,
    /// What descriptor 0 yields.
    pub stdin: Vec<u8>,
    /// Files laid into the scratch folder, which is the working folder, under relative paths.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Environment variables on top of the sandbox's own. Those whose name begins with `PYTHON` are not passed on.
    pub env: BTreeMap<String, String>,
    /// What it may use up. Of its memory, only what it can write to is counted.
    pub limits: Limits,
}

impl Tool {
    /// A call of a tool on files, with the limits of a compiler.
    pub fn new(arguments: Vec<String>, files: BTreeMap<String, Vec<u8>>) -> Self {
        Self { arguments, stdin: vec![], files, env: BTreeMap::new(), limits: toolchain::compiler_limits() }
    }

    pub(crate) fn check(&self) -> Result<(), SandboxError> {
        let bad = |reason: &str| Err(SandboxError::BadProgram { reason: reason.to_owned() });
        if !self.arguments.first().is_some_and(|path| Path::new(path).is_absolute()) {
            return bad("a tool is named by an absolute path");
        }
        if self.arguments.iter().any(|argument| argument.contains('\0')) {
            return bad("an argument holds a zero byte");
        }
        check_laid_out(&self.files, self.stdin.len())?;
        check_env(&self.env)?;
        self.limits.problem().map_or(Ok(()), |reason| bad(&reason))
    }

    pub(crate) fn job(&self) -> Job<'_> {
        Job {
            source: b"",
            stdin: &self.stdin,
            files: self.files.iter().map(|(path, content)| (path.as_str(), content.as_slice())).collect(),
            env: self.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            arguments: self.arguments.clone(),
            executable: None,
            profile: Profile::Compiler,
            network: Network::None,
            queries: false,
            prelude: None,
            makes_sockets: false,
            limits: self.limits.clone(),
            memory: MemoryRule::Data,
            content_bytes: self.limits.file_bytes,
        }
    }

    /// Whether this file was laid out and is as it was.
    pub(crate) fn laid_out(&self, path: &str, file: &FileSeen) -> bool {
        self.files.get(path).is_some_and(|content| *content == file.content)
    }
}

/// What is put together inside, or tells about the host: nothing there can be shown.
const OWN: [&str; 7] = ["tmp", "dev", "etc", "proc", "sys", "run", "boot"];

/// Whether a path of the host may be named in [`Settings::shown`](crate::Settings::shown).
///
/// # Errors
///
/// `NotShowable` where it would show more than a tool, is covered by a folder of the sandbox's own, or cannot be read by the
/// user that programs run as.
pub fn check_shown(path: &Path) -> Result<(), SandboxError> {
    let refuse = |reason| Err(SandboxError::NotShowable { path: path.to_owned(), reason });
    let mut names = Vec::new();
    for part in path.components() {
        match part {
            Component::RootDir => {}
            Component::Normal(name) => names.push(name),
            _ => return refuse("it is not spelled out from the root"),
        }
    }
    if !path.is_absolute() {
        return refuse("it is not spelled out from the root");
    }
    if names.first().is_some_and(|first| OWN.iter().any(|own| first == own)) {
        return refuse("the sandbox has a folder of its own there");
    }
    let is_home = names.len() == 2 && names[0] == "home";
    if names.len() < 2 || is_home {
        return refuse("it holds more than a tool");
    }
    if !path.exists() {
        return refuse("it is not there");
    }
    // A caller who is root runs programs as somebody who may read what everybody may.
    let is_for_all = |path: &Path, bits: u32| {
        std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & bits == bits)
    };
    let above = path.ancestors().skip(1);
    if rustix::process::geteuid().is_root()
        && !(is_for_all(path, 0o4) && above.into_iter().all(|path| is_for_all(path, 0o1)))
    {
        return refuse("not everybody may read it");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_tools_are_shown() {
        for path in
            ["/", "/root", "/home/somebody", "/usr", "/etc/ssl", "/proc/self", "/tmp/x", "relative/x", "/opt/../etc"]
        {
            assert!(matches!(check_shown(Path::new(path)), Err(SandboxError::NotShowable { .. })), "{path}");
        }
        assert!(matches!(check_shown(Path::new("/opt/nowhere")), Err(SandboxError::NotShowable { .. })));
        assert!(check_shown(Path::new("/usr/bin")).is_ok());
    }

    #[test]
    fn calls_that_cannot_be_are_refused() {
        let call = |arguments: &[&str]| {
            Tool::new(arguments.iter().map(|&argument| argument.to_owned()).collect(), BTreeMap::new())
        };
        assert!(call(&["/bin/true", "x"]).check().is_ok());
        for arguments in [&[][..], &["true"], &["/bin/true", "a\0b"]] {
            assert!(call(arguments).check().is_err(), "{arguments:?}");
        }
        let mut tool = call(&["/bin/true"]);
        tool.files.insert("../x".to_owned(), vec![]);
        assert!(tool.check().is_err());
    }
}
