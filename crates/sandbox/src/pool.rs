//! The sandbox: a pool of warm hosts, one program at a time on each.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread::JoinHandle;

use serde::Serialize;

use crate::check::{LayerSeen, canary, judge};
use crate::error::{Layer, SandboxError};
use crate::host::{self, Host};
use crate::outcome::{Isolation, Outcome};
use crate::program::Program;
use crate::python::{self, Interpreter};
use crate::seccomp;
use crate::view::{FileRules, View};
use crate::worker::{self, About, Failure};

const SERVER: &str = include_str!("fork_server.py");

/// Modules that programs commonly import: each spares every program its import, and costs every fork a little for its pages.
const WARM: [&str; 46] = [
    "ast",
    "base64",
    "bisect",
    "collections",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fnmatch",
    "functools",
    "glob",
    "hashlib",
    "heapq",
    "hmac",
    "html",
    "html.parser",
    "io",
    "ipaddress",
    "itertools",
    "json",
    "logging",
    "math",
    "operator",
    "pathlib",
    "pickle",
    "random",
    "re",
    "secrets",
    "shlex",
    "shutil",
    "sqlite3",
    "ssl",
    "string",
    "subprocess",
    "tarfile",
    "tempfile",
    "textwrap",
    "time",
    "traceback",
    "typing",
    "urllib.parse",
    "xml.etree.ElementTree",
    "zipfile",
];

/// How a sandbox is started.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many programs run at one time, at least one.
    pub workers: usize,
    /// The one interpreter to use, instead of looking for one.
    pub python: Option<PathBuf>,
    /// After how many programs a host is replaced by a fresh one.
    pub programs_per_host: u32,
    /// Behave as if this host could not enforce a layer, to test what then happens.
    #[doc(hidden)]
    pub pretend_missing: Option<Layer>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { workers: 1, python: None, programs_per_host: 1000, pretend_missing: None }
    }
}

/// What every host of this sandbox is made from.
#[derive(Debug, Clone)]
struct Blueprint {
    view: View,
    executable: String,
    config: Vec<u8>,
}

#[derive(Serialize)]
struct Config {
    warm: Vec<&'static str>,
    filters: Vec<String>,
    landlock: FileRules,
    numbers: Numbers,
}

/// System calls that the fork server makes by number, because the standard library has no function for them.
#[derive(Serialize)]
struct Numbers {
    mount: libc::c_long,
    umount2: libc::c_long,
    unshare: libc::c_long,
    setns: libc::c_long,
    prctl: libc::c_long,
    capset: libc::c_long,
    seccomp: libc::c_long,
    close_range: libc::c_long,
    landlock_create_ruleset: libc::c_long,
    landlock_add_rule: libc::c_long,
    landlock_restrict_self: libc::c_long,
}

const NUMBERS: Numbers = Numbers {
    mount: libc::SYS_mount,
    umount2: libc::SYS_umount2,
    unshare: libc::SYS_unshare,
    setns: libc::SYS_setns,
    prctl: libc::SYS_prctl,
    capset: libc::SYS_capset,
    seccomp: libc::SYS_seccomp,
    close_range: libc::SYS_close_range,
    landlock_create_ruleset: libc::SYS_landlock_create_ruleset,
    landlock_add_rule: libc::SYS_landlock_add_rule,
    landlock_restrict_self: libc::SYS_landlock_restrict_self,
};

/// A warm host and how much it has done.
#[derive(Debug)]
struct Worker {
    host: Host,
    num_served: u32,
}

/// Runs programs, each in full isolation, several at a time.
///
/// Dropping it ends every process it started.
#[derive(Debug)]
pub struct Sandbox {
    blueprint: Blueprint,
    programs_per_host: u32,
    num_workers: usize,
    /// One slot per worker; an empty one has lost its host and gets a new one when it is next used.
    idle: Mutex<Vec<Option<Worker>>>,
    returned: Condvar,
    about: About,
    layers: Vec<LayerSeen>,
    /// Last, so that it outlives the hosts in `idle`: the kernel ends a host with the thread that made it.
    launcher: Launcher,
}

impl Sandbox {
    /// Starts a sandbox that runs up to `workers` programs at a time.
    ///
    /// # Errors
    ///
    /// `Unavailable` when a layer cannot be enforced or no interpreter works inside; nothing has been run then.
    /// `Engine` when our own machinery failed.
    pub fn start(workers: usize) -> Result<Self, SandboxError> {
        Self::start_with(&Settings { workers, ..Settings::default() })
    }

    /// Starts a sandbox with settings.
    ///
    /// # Errors
    ///
    /// As `start`.
    pub fn start_with(settings: &Settings) -> Result<Self, SandboxError> {
        if let Some(layer) = settings.pretend_missing {
            return Err(SandboxError::unavailable(layer, "missing, as the settings ask us to pretend"));
        }
        let abi = host::landlock_abi();
        if abi == 0 {
            return Err(SandboxError::unavailable(Layer::Landlock, "the kernel does not offer it"));
        }
        let filters = seccomp::filters()?.iter().map(seccomp::to_hex).collect::<Vec<_>>();
        let launcher = Launcher::start()?;
        let (blueprint, about, worker, layers) = find_working_host(settings, &launcher, abi, &filters)?;
        let num_workers = settings.workers.max(1);
        let mut idle: Vec<Option<Worker>> = (1..num_workers).map(|_| None).collect();
        idle.push(Some(worker));
        Ok(Self {
            blueprint,
            programs_per_host: settings.programs_per_host.max(1),
            num_workers,
            idle: Mutex::new(idle),
            returned: Condvar::new(),
            about,
            layers,
            launcher,
        })
    }

    /// Under which isolation programs run.
    pub fn isolation(&self) -> Isolation {
        Isolation::Full
    }

    /// Every layer, as it was tried when the sandbox started.
    pub fn layers(&self) -> &[LayerSeen] {
        &self.layers
    }

    /// The interpreter's path and version.
    pub fn python(&self) -> (&str, &str) {
        (&self.about.executable, &self.about.version)
    }

    /// Runs one program, waiting for a free worker first.
    ///
    /// # Errors
    ///
    /// `BadProgram` when it cannot be laid out as asked; `CouldNotStart` and `Engine` when it was not run, or its outcome was
    /// lost, for reasons that are not its own.
    pub fn run(&self, program: &Program) -> Result<Outcome, SandboxError> {
        program.check()?;
        let mut slot = self.take();
        let result = self.run_on(&mut slot, program);
        self.put_back(slot);
        result
    }

    /// Runs many programs, as many at a time as there are workers. Results come in the programs' order.
    pub fn run_batch(&self, programs: &[Program]) -> Vec<Result<Outcome, SandboxError>> {
        let next = AtomicUsize::new(0);
        let results: Vec<OnceLock<Result<Outcome, SandboxError>>> = programs.iter().map(|_| OnceLock::new()).collect();
        std::thread::scope(|scope| {
            for _ in 0..self.num_workers.min(programs.len()) {
                scope.spawn(|| {
                    while let Some(index) =
                        Some(next.fetch_add(1, Ordering::Relaxed)).filter(|index| *index < programs.len())
                    {
                        let is_first = results[index].set(self.run(&programs[index])).is_ok();
                        debug_assert!(is_first, "every index is handed out once");
                    }
                });
            }
        });
        results.into_iter().map(|result| result.into_inner().expect("every index was handed out")).collect()
    }

    fn run_on(&self, slot: &mut Option<Worker>, program: &Program) -> Result<Outcome, SandboxError> {
        let mut is_last_try = false;
        loop {
            let worker = match slot {
                Some(worker) if worker.num_served < self.programs_per_host => worker,
                _ => slot.insert(self.new_worker()?),
            };
            worker.num_served += 1;
            match worker::run(&worker.host, program) {
                Ok(outcome) => return Ok(outcome),
                Err(Failure::NotStarted(reason)) => return Err(SandboxError::CouldNotStart { reason }),
                Err(Failure::HostLost(reason)) => {
                    *slot = None;
                    if is_last_try {
                        return Err(SandboxError::engine("running a program", reason));
                    }
                    is_last_try = true;
                }
            }
        }
    }

    fn new_worker(&self) -> Result<Worker, SandboxError> {
        let host = self.launcher.launch(&self.blueprint)?;
        worker::configure(&host, &self.blueprint.config)
            .map_err(|failure| SandboxError::engine("starting another host", failure))?;
        Ok(Worker { host, num_served: 0 })
    }

    fn take(&self) -> Option<Worker> {
        let mut idle = self.lock();
        loop {
            if let Some(slot) = idle.pop() {
                return slot;
            }
            idle = self.returned.wait(idle).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn put_back(&self, slot: Option<Worker>) {
        self.lock().push(slot);
        self.returned.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<Worker>>> {
        // A list of whole slots is in order even when a thread died holding it.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tries the candidates in turn until one runs the canary with every layer in force.
fn find_working_host(
    settings: &Settings,
    launcher: &Launcher,
    abi: u32,
    filters: &[String],
) -> Result<(Blueprint, About, Worker, Vec<LayerSeen>), SandboxError> {
    let search_path = std::env::var_os("PATH");
    let mut tried = Vec::new();
    for candidate in python::candidates(settings.python.as_deref(), search_path.as_deref()) {
        let attempt = python::resolve(&candidate)
            .map_err(|reason| SandboxError::unavailable(Layer::Interpreter, reason))
            .and_then(|interpreter| try_interpreter(&interpreter, launcher, abi, filters));
        match attempt {
            Ok(found) => return Ok(found),
            Err(SandboxError::Unavailable { layer: Layer::Interpreter | Layer::MountNamespace, reason, .. }) => {
                tried.push(format!("{}: {reason}", candidate.display()));
            }
            Err(other) => return Err(other),
        }
    }
    Err(SandboxError::unavailable(Layer::Interpreter, tried.join("; ")))
}

fn try_interpreter(
    interpreter: &Interpreter,
    launcher: &Launcher,
    abi: u32,
    filters: &[String],
) -> Result<(Blueprint, About, Worker, Vec<LayerSeen>), SandboxError> {
    let view = View::new(&interpreter.folders);
    let config =
        Config { warm: WARM.to_vec(), filters: filters.to_vec(), landlock: view.file_rules(abi), numbers: NUMBERS };
    let blueprint = Blueprint {
        executable: interpreter.executable.to_string_lossy().into_owned(),
        config: serde_json::to_vec(&config).expect("strings and numbers always serialise"),
        view,
    };
    let host = launcher.launch(&blueprint)?;
    let about = worker::configure(&host, &blueprint.config).map_err(|failure| match failure {
        Failure::NotStarted(reason) => SandboxError::unavailable(layer_of_step(&reason), reason),
        Failure::HostLost(reason) => SandboxError::unavailable(Layer::Interpreter, reason),
    })?;
    let marker = std::env::current_exe().map_err(|error| SandboxError::engine("finding our own program", error))?;
    let outcome = worker::run(&host, &canary(&marker)).map_err(|failure| match failure {
        Failure::NotStarted(reason) => SandboxError::unavailable(layer_of_step(&reason), reason),
        Failure::HostLost(reason) => SandboxError::engine("running the canary", reason),
    })?;
    let layers = judge(&host, &outcome)?;
    match layers.iter().find(|seen| !seen.in_force) {
        Some(seen) => Err(SandboxError::unavailable(seen.layer, seen.probed.clone())),
        None => Ok((blueprint, about, Worker { host, num_served: 1 }, layers)),
    }
}

/// The layer behind a failed step of the fork server, which starts its reports with the step's name.
fn layer_of_step(reason: &str) -> Layer {
    let first = reason.split([' ', ':']).next().unwrap_or_default();
    match first {
        "landlock" => Layer::Landlock,
        "seccomp" => Layer::SystemCalls,
        "ambient" | "capabilities" => Layer::Privileges,
        "pid" => Layer::PidNamespace,
        "scratch" => Layer::MountNamespace,
        "close" | "descriptors" => Layer::Descriptors,
        _ => Layer::Limits,
    }
}

type LaunchRequest = (Blueprint, mpsc::Sender<Result<Host, SandboxError>>);

/// The thread that makes every host. The kernel ends a host with the thread that made it, so this one must not come and go.
#[derive(Debug)]
struct Launcher {
    requests: Option<Mutex<mpsc::Sender<LaunchRequest>>>,
    thread: Option<JoinHandle<()>>,
}

impl Launcher {
    fn start() -> Result<Self, SandboxError> {
        let (requests, incoming) = mpsc::channel::<LaunchRequest>();
        let thread = std::thread::Builder::new()
            .name("sandbox-launcher".to_owned())
            .spawn(move || {
                for (blueprint, reply) in incoming {
                    // Whoever asked may be gone; the host then ends with the reply that nobody takes.
                    let _ = reply.send(host::launch(&blueprint.view, &blueprint.executable, SERVER));
                }
            })
            .map_err(|error| SandboxError::engine("starting a thread", error))?;
        Ok(Self { requests: Some(Mutex::new(requests)), thread: Some(thread) })
    }

    fn launch(&self, blueprint: &Blueprint) -> Result<Host, SandboxError> {
        let (reply, answer) = mpsc::channel();
        let requests = self.requests.as_ref().expect("requests are open until the launcher is dropped");
        let sent = requests.lock().unwrap_or_else(PoisonError::into_inner).send((blueprint.clone(), reply));
        sent.map_err(|error| SandboxError::engine("asking for a host", error))?;
        answer.recv().map_err(|error| SandboxError::engine("waiting for a host", error))?
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
