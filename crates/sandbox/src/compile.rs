//! Builds: what a source becomes before it runs, made inside the sandbox and kept by the hash of everything that went into it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::SandboxError;
use crate::javac::{self, Servers};
use crate::job::{Job, MemoryRule};
use crate::language::Language;
use crate::outcome::{End, FileSeen, Outcome};
use crate::program::{Limits, Network, Program};
use crate::seccomp::Profile;
use crate::streams::sealed_executable;
use crate::temporary::Temporary;
use crate::toolchain::{self, Compilation, Toolchain, Toolchains};
use crate::worker::Worker;

const MAX_CACHED_BYTES: usize = 256 << 20;
/// Each build that runs by itself holds a descriptor of this process, which has few for all its work.
const MAX_CACHED_BUILDS: usize = 256;
/// The largest result of a compiler.
const MAX_RESULT_BYTES: u64 = 256 << 20;
const MAX_MESSAGE_BYTES: usize = 16 << 10;

/// What a source became.
#[derive(Debug, Clone)]
pub(crate) enum Build {
    /// A program that runs by itself, in memory.
    Executable(Arc<OwnedFd>),
    /// Files for a runtime, and where it starts.
    Files { files: BTreeMap<String, Vec<u8>>, entry: String },
    /// Nothing: the compiler's message.
    Rejected(String),
}

/// What a build needs done by whoever has the workers.
pub(crate) struct Hands<'a> {
    /// Runs one job on some worker.
    pub(crate) run: &'a mut dyn FnMut(&Job<'_>) -> Result<Outcome, SandboxError>,
    /// Makes one more host, which is then the caller's.
    pub(crate) new_worker: &'a dyn Fn() -> Result<Worker, SandboxError>,
}

/// Compiles, and remembers.
#[derive(Debug)]
pub(crate) struct Builder {
    toolchains: Toolchains,
    /// The folder behind `SHARED_FOLDER`; nothing where hosts cannot show one.
    shared: Option<Temporary>,
    has_headers: Mutex<bool>,
    kept: Mutex<Kept>,
    java: Servers,
}

#[derive(Debug, Default)]
struct Kept {
    builds: HashMap<blake3::Hash, (Build, usize)>,
    order: VecDeque<blake3::Hash>,
    num_bytes: usize,
}

impl Builder {
    pub(crate) fn new(toolchains: Toolchains, shared: Option<Temporary>) -> Self {
        Self { toolchains, shared, has_headers: Mutex::new(false), kept: Mutex::default(), java: Servers::default() }
    }

    /// The toolchain of a language.
    pub(crate) fn toolchain(&self, language: Language) -> Result<&Toolchain, SandboxError> {
        self.toolchains
            .get(language)
            .ok_or_else(|| SandboxError::NoToolchain { language, reason: "not found along the search path".to_owned() })
    }

    /// What a program's source becomes.
    pub(crate) fn build(&self, program: &Program, hands: &mut Hands<'_>) -> Result<Build, SandboxError> {
        let toolchain = self.toolchain(program.language)?;
        let Some(compiler) = &toolchain.compiler else {
            let entry = program.language.file_name().to_owned();
            let files = BTreeMap::from([(entry.clone(), program.source.clone())]);
            return Ok(Build::Files { files, entry });
        };
        if program.language == Language::Cpp && toolchain::wants_all_headers(&program.source) {
            self.compile_headers(toolchain, compiler, hands)?;
        }
        let compilation = toolchain::compilation(program.language, compiler, &program.source);
        let key = key(&compilation, &program.source);
        if let Some(build) = self.kept().get(&key) {
            return Ok(build);
        }
        if program.language == Language::Java
            && let Some(build) = self.compile_warm(toolchain, &compilation.source_name, &program.source, hands)?
        {
            self.kept().keep(key, build.clone());
            return Ok(build);
        }
        let outcome = (hands.run)(&job(toolchain, &compilation, &program.source))?;
        let is_final = matches!(outcome.end, End::Exited { .. });
        let build = result(program.language, &program.source, outcome)?;
        if is_final {
            self.kept().keep(key, build.clone());
        }
        Ok(build)
    }

    /// Compiles Java by a machine that is warm already. `None` when it could not; then the source is compiled by itself.
    fn compile_warm(
        &self,
        toolchain: &Toolchain,
        name: &str,
        source: &[u8],
        hands: &mut Hands<'_>,
    ) -> Result<Option<Build>, SandboxError> {
        self.java.compile(name, source, &mut || {
            let server = self.compile_server(toolchain, hands)?;
            javac::start((hands.new_worker)()?, toolchain, &server)
        })
    }

    /// The warm compiler's own classes, compiled once like any program's.
    fn compile_server(&self, toolchain: &Toolchain, hands: &mut Hands<'_>) -> Result<Build, SandboxError> {
        let compiler = toolchain.compiler.as_deref().unwrap_or(Path::new("/nonexistent"));
        let compilation = toolchain::compilation(Language::Java, compiler, javac::SERVER);
        let key = key(&compilation, javac::SERVER);
        if let Some(build) = self.kept().get(&key) {
            return Ok(build);
        }
        let outcome = (hands.run)(&job(toolchain, &compilation, javac::SERVER))?;
        let build = result(Language::Java, javac::SERVER, outcome)?;
        self.kept().keep(key, build.clone());
        Ok(build)
    }

    /// Compiles the standard headers, once. That it failed only costs the programs time.
    fn compile_headers(
        &self,
        toolchain: &Toolchain,
        compiler: &Path,
        hands: &mut Hands<'_>,
    ) -> Result<(), SandboxError> {
        let Some(shared) = &self.shared else { return Ok(()) };
        let mut is_done = self.has_headers.lock().unwrap_or_else(PoisonError::into_inner);
        if !*is_done {
            let compilation = toolchain::header_compilation(compiler);
            let outcome = (hands.run)(&job(toolchain, &compilation, toolchain::ALL_HEADERS))?;
            if let (End::Exited { code: 0 }, Some(file)) = (&outcome.end, outcome.files.get(toolchain::RESULT)) {
                place(shared.path(), toolchain::COMPILED_HEADERS, &file.content)
                    .map_err(|error| SandboxError::engine("keeping the compiled headers", error))?;
            }
            *is_done = true;
        }
        Ok(())
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        // Whatever is in it is whole: entries are added last.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts a file where every host sees it, under its name only when it is whole.
fn place(folder: &Path, name: &str, content: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join(name);
    let above = path.parent().unwrap_or(folder);
    std::fs::create_dir_all(above)?;
    std::fs::set_permissions(above, std::fs::Permissions::from_mode(0o755))?;
    let partial = path.with_extension("partial");
    std::fs::write(&partial, content)?;
    std::fs::set_permissions(&partial, std::fs::Permissions::from_mode(0o644))?;
    std::fs::rename(&partial, &path)
}

impl Kept {
    fn get(&self, key: &blake3::Hash) -> Option<Build> {
        self.builds.get(key).map(|(build, _)| build.clone())
    }

    fn keep(&mut self, key: blake3::Hash, build: Build) {
        let num_bytes = build.num_bytes();
        if num_bytes > MAX_CACHED_BYTES || self.builds.insert(key, (build, num_bytes)).is_some() {
            return;
        }
        self.order.push_back(key);
        self.num_bytes += num_bytes;
        while (self.num_bytes > MAX_CACHED_BYTES || self.order.len() > MAX_CACHED_BUILDS)
            && let Some(oldest) = self.order.pop_front()
        {
            self.num_bytes -= self.builds.remove(&oldest).map_or(0, |(_, num_bytes)| num_bytes);
        }
    }
}

impl Build {
    fn num_bytes(&self) -> usize {
        match self {
            Self::Executable(file) => rustix::fs::fstat(file).map_or(0, |stat| stat.st_size as usize),
            Self::Files { files, .. } => files.values().map(Vec::len).sum(),
            Self::Rejected(message) => message.len(),
        }
    }
}

impl Build {
    /// Whether this file was laid out for the runtime and is as it was.
    pub(crate) fn laid_out(&self, path: &str, file: &FileSeen) -> bool {
        let Self::Files { files, .. } = self else { return false };
        files.get(path).is_some_and(|content| file.size == content.len() as u64 && content.starts_with(&file.content))
    }
}

fn key(compilation: &Compilation, source: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    let env = compilation.env.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    for part in compilation.arguments.iter().map(String::as_bytes).chain(env).chain([source]) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize()
}

fn job<'a>(toolchain: &'a Toolchain, compilation: &'a Compilation, source: &'a [u8]) -> Job<'a> {
    Job {
        source: b"",
        stdin: b"",
        files: vec![(&compilation.source_name, source)],
        env: compilation.env.iter().copied().chain(toolchain.env()).collect(),
        arguments: compilation.arguments.clone(),
        executable: None,
        profile: Profile::Compiler,
        network: Network::None,
        queries: false,
        prelude: None,
        makes_sockets: false,
        limits: toolchain::compiler_limits(),
        memory: compilation.memory,
        content_bytes: MAX_RESULT_BYTES,
    }
}

/// Reads what a compiler left.
fn result(language: Language, source: &[u8], mut outcome: Outcome) -> Result<Build, SandboxError> {
    if outcome.end != (End::Exited { code: 0 }) {
        return Ok(Build::Rejected(message(&outcome)));
    }
    if language == Language::Java {
        let is_class = |path: &String| Path::new(path).extension().is_some_and(|extension| extension == "class");
        let files = outcome.files.into_iter().filter(|(path, _)| is_class(path));
        let files = files.map(|(path, file)| (path, file.content)).collect();
        return Ok(Build::Files { files, entry: toolchain::main_class(source) });
    }
    match outcome.files.remove(toolchain::RESULT) {
        // Of a package that is no program, a compiler makes a library.
        Some(file) if file.content.starts_with(b"\x7fELF") => {
            let file = sealed_executable(&file.content)
                .map_err(|error| SandboxError::engine("keeping a compiled program", error))?;
            Ok(Build::Executable(Arc::new(file)))
        }
        _ => Ok(Build::Rejected("the compiler left no program".to_owned())),
    }
}

/// What the compiler said, and how it ended when that is not plain.
fn message(outcome: &Outcome) -> String {
    let mut bytes = [outcome.stdout.as_slice(), outcome.stderr.as_slice()].concat();
    bytes.truncate(MAX_MESSAGE_BYTES);
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    match &outcome.end {
        End::Exited { .. } if !text.is_empty() => text,
        end => format!("compiler: {end}\n{text}").trim().to_owned(),
    }
}

/// How a built program is run.
pub(crate) fn run_job<'a>(
    program: &'a Program,
    toolchain: &'a Toolchain,
    build: &'a Build,
) -> Result<Job<'a>, &'a str> {
    let mut job = Job::python(program);
    job.source = b"";
    match build {
        Build::Rejected(message) => return Err(message),
        Build::Executable(file) => {
            job.arguments = vec![toolchain::RESULT.to_owned()];
            job.executable = Some(Arc::clone(file));
            if program.language == Language::Go {
                job.memory = MemoryRule::Data;
            }
        }
        Build::Files { files, entry } => {
            job.files.extend(files.iter().map(|(path, content)| (path.as_str(), content.as_slice())));
            let runtime = toolchain.runtime.as_deref().unwrap_or(Path::new("/nonexistent"));
            job.arguments = toolchain::runtime_call(program.language, runtime, entry, &program.limits);
            job.env.extend(toolchain.env().map(|(name, value): (&'a str, &'a str)| (name, value)));
            job.memory = MemoryRule::Data;
            job.makes_sockets = program.language == Language::Java;
            job.limits = with_room_for_runtime(&program.limits);
        }
    }
    Ok(job)
}

/// A runtime's own memory is not the program's.
fn with_room_for_runtime(limits: &Limits) -> Limits {
    Limits { memory_bytes: limits.memory_bytes + RUNTIME_BYTES, ..limits.clone() }
}

/// What node and a Java machine need for themselves before any program.
const RUNTIME_BYTES: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_builds_make_room() {
        let mut kept = Kept::default();
        let half = "x".repeat(MAX_CACHED_BYTES / 2);
        let keys: Vec<_> = (0_u8..3).map(|number| blake3::hash(&[number])).collect();
        for key in &keys {
            kept.keep(*key, Build::Rejected(half.clone()));
        }
        assert!(kept.get(&keys[0]).is_none());
        assert!(kept.get(&keys[1]).is_some() && kept.get(&keys[2]).is_some());
        assert_eq!(kept.num_bytes, MAX_CACHED_BYTES);
    }

    #[test]
    fn many_small_builds_do_not_use_up_the_descriptors() {
        let mut kept = Kept::default();
        let keys: Vec<_> = (0..MAX_CACHED_BUILDS + 3).map(|number| blake3::hash(&number.to_le_bytes())).collect();
        for key in &keys {
            kept.keep(*key, Build::Rejected("x".to_owned()));
        }
        assert_eq!((kept.builds.len(), kept.num_bytes), (MAX_CACHED_BUILDS, MAX_CACHED_BUILDS));
        assert!(kept.get(&keys[2]).is_none() && kept.get(&keys[3]).is_some());
    }
}
