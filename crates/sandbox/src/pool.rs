//! The sandbox: a pool of warm hosts, one program at a time on each.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;

use crate::bpf;
use crate::cancel::Patience;
use crate::cgroup::Subtree;
use crate::check::{LayerSeen, canary, judge};
use crate::compile::{self, Builder, Hands};
use crate::error::{Layer, SandboxError};
use crate::host::{self, Host, NOBODY, Plan};
use crate::job::{self, Job, Terms};
use crate::language::Language;
use crate::outcome::{End, Isolation, Observed, Outcome};
use crate::program::{Network, Program};
use crate::python::{self, Interpreter};
use crate::scratch;
use crate::seccomp;
use crate::temporary::Temporary;
use crate::tool::{self, Tool};
use crate::toolchain::{SHARED_FOLDER, Toolchain, Toolchains};
use crate::view::{FileRules, View};
use crate::worker::{self, About, Failure, Worker};

const SERVER: &str = include_str!("fork_server.py");

/// Modules that programs commonly import: each spares every program its import, and costs every fork a little for its pages.
const WARM: [&str; 45] = [
    "ast",
    "base64",
    "bisect",
    "collections",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "enum",
    "fnmatch",
    "functools",
    "glob",
    "gzip",
    "hashlib",
    "heapq",
    "hmac",
    "html",
    "io",
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
    "tempfile",
    "textwrap",
    "time",
    "traceback",
    "typing",
    "urllib.parse",
    "xml.dom.minidom",
    "xml.etree.ElementTree",
    "xml.sax",
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
    /// The weakest isolation to run under where nothing stronger can be had. Anything below `Full` is for people who know
    /// what else keeps the program from the host.
    pub weakest: Isolation,
    /// The strongest isolation to try.
    pub strongest: Isolation,
    /// Files and folders of the host that everything in this sandbox may read besides, for tools that are installed outside
    /// the system folders.
    pub shown: Vec<PathBuf>,
    /// Behave as if this host could not enforce a layer, to test what then happens.
    #[doc(hidden)]
    pub pretend_missing: Option<Layer>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: 1,
            python: None,
            programs_per_host: 1000,
            weakest: Isolation::Full,
            strongest: Isolation::FullCgroup,
            shown: vec![],
            pretend_missing: None,
        }
    }
}

/// What every host of this sandbox is made from.
#[derive(Debug, Clone)]
struct Blueprint {
    plan: Plan,
    config: Vec<u8>,
    scratch_base: Option<Arc<scratch::Base>>,
    subtree: Option<Arc<Subtree>>,
}

#[derive(Serialize)]
struct Config<'a> {
    warm: &'a [&'static str],
    filters: Vec<String>,
    landlock: Option<FileRules>,
    has_namespaces: bool,
    scratch_base: String,
    limits: Vec<(u32, u64)>,
    descriptors: u64,
    numbers: Numbers,
}

/// System calls that the fork server makes by number, because the standard library has no function for them.
#[derive(Serialize)]
struct Numbers {
    mount: libc::c_long,
    umount2: libc::c_long,
    clone: libc::c_long,
    fstat: libc::c_long,
    prctl: libc::c_long,
    capset: libc::c_long,
    seccomp: libc::c_long,
    close_range: libc::c_long,
    landlock_create_ruleset: libc::c_long,
    landlock_add_rule: libc::c_long,
    landlock_restrict_self: libc::c_long,
    /// Not a call: the request by which the observer is told something.
    tell: u64,
}

const NUMBERS: Numbers = Numbers {
    mount: libc::SYS_mount,
    umount2: libc::SYS_umount2,
    clone: libc::SYS_clone,
    fstat: libc::SYS_fstat,
    prctl: libc::SYS_prctl,
    capset: libc::SYS_capset,
    seccomp: libc::SYS_seccomp,
    close_range: libc::SYS_close_range,
    landlock_create_ruleset: libc::SYS_landlock_create_ruleset,
    landlock_add_rule: libc::SYS_landlock_add_rule,
    landlock_restrict_self: libc::SYS_landlock_restrict_self,
    tell: seccomp::TELL as u64,
};

/// Landlock learned to keep signals inside with this version; without a pid namespace there is nothing else that does.
const FIRST_LANDLOCK_WITH_SIGNALS: u32 = 6;

/// Runs programs, each in full isolation, several at a time.
///
/// Dropping it ends every process it started.
pub struct Sandbox {
    blueprint: Blueprint,
    programs_per_host: u32,
    num_workers: usize,
    /// One slot per worker; an empty one has lost its host and gets a new one when it is next used.
    idle: Mutex<Vec<Option<Worker>>>,
    returned: Condvar,
    about: About,
    layers: Vec<LayerSeen>,
    builder: Builder,
    /// Last, so that it outlives the hosts in `idle`: the kernel ends a host with the thread that made it.
    launcher: Launcher,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = formatter.debug_struct("Sandbox");
        text.field("isolation", &self.isolation()).field("workers", &self.num_workers).finish_non_exhaustive()
    }
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

    /// Starts a sandbox with settings: at the strongest level of isolation that this host can enforce.
    ///
    /// # Errors
    ///
    /// As `start`, when not even the weakest acceptable level can be enforced; the error is that of the strongest tried.
    pub fn start_with(settings: &Settings) -> Result<Self, SandboxError> {
        let mut first_refusal = None;
        for isolation in [Isolation::Full, Isolation::Hardened, Isolation::Unsafe] {
            let strength = isolation.strength();
            // `Full` stands for both levels with namespaces: a control group is an addition to it.
            let is_wanted = strength >= settings.weakest.strength().min(Isolation::Full.strength())
                && strength <= settings.strongest.strength();
            if !is_wanted {
                continue;
            }
            match Self::start_at(settings, isolation) {
                Err(error @ SandboxError::Unavailable { .. }) => drop(first_refusal.get_or_insert(error)),
                other => return other,
            }
        }
        Err(first_refusal
            .unwrap_or_else(|| SandboxError::engine("starting", "the settings accept no level of isolation")))
    }

    fn start_at(settings: &Settings, isolation: Isolation) -> Result<Self, SandboxError> {
        if let Some(layer) = settings.pretend_missing.filter(|layer| layer.is_needed(isolation)) {
            return Err(SandboxError::unavailable(layer, "missing, as the settings ask us to pretend"));
        }
        let abi = host::landlock_abi();
        if isolation != Isolation::Unsafe && abi == 0 {
            return Err(SandboxError::unavailable(Layer::Landlock, "the kernel does not offer it"));
        }
        if isolation == Isolation::Hardened && abi < FIRST_LANDLOCK_WITH_SIGNALS {
            let reason = format!("version {abi} cannot keep signals inside, version {FIRST_LANDLOCK_WITH_SIGNALS} can");
            return Err(SandboxError::unavailable(Layer::Landlock, reason));
        }
        let subtree = match isolation {
            Isolation::Full if settings.strongest == Isolation::FullCgroup => Subtree::find(),
            _ => Err("not asked for at this level".to_owned()),
        };
        if settings.weakest == Isolation::FullCgroup
            && let Err(reason) = &subtree
        {
            return Err(SandboxError::unavailable(Layer::ControlGroup, reason));
        }
        settings.shown.iter().try_for_each(|path| tool::check_shown(path))?;
        let toolchains = Toolchains::find(std::env::var_os("PATH").as_deref());
        let shared = isolation.has_namespaces().then(shared_folder).transpose()?;
        let launcher = Launcher::start()?;
        let start = Start {
            settings,
            isolation: if subtree.is_ok() { Isolation::FullCgroup } else { isolation },
            abi,
            subtree: subtree.map(Arc::new),
            folders: [toolchains.folders(), settings.shown.clone()].concat(),
            shared: shared.as_ref().map(|folder| folder.path().to_owned()),
            launcher: &launcher,
        };
        let (blueprint, about, worker, layers) = start.find_working_host()?;
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
            builder: Builder::new(toolchains, shared),
            launcher,
        })
    }

    /// Under which isolation programs run.
    pub fn isolation(&self) -> Isolation {
        self.blueprint.plan.isolation
    }

    /// How many programs run at one time.
    pub fn workers(&self) -> usize {
        self.num_workers
    }

    /// Every layer, as it was tried when the sandbox started.
    pub fn layers(&self) -> &[LayerSeen] {
        &self.layers
    }

    /// The interpreter's path and version.
    pub fn python(&self) -> (&str, &str) {
        (&self.about.executable, &self.about.version)
    }

    /// Whether programs in this language can be run: the toolchain is there, and this level of isolation can confine it.
    ///
    /// # Errors
    ///
    /// The error that running one would end with.
    pub fn can_run(&self, language: Language) -> Result<(), SandboxError> {
        self.check_confinable(&Program { language, ..Program::default() })?;
        match language {
            Language::Python => Ok(()),
            language => self.builder.toolchain(language).map(|_| ()),
        }
    }

    /// Paths of the compiler and the runtime of a language, as far as it has them.
    pub(crate) fn programs(&self, language: Language) -> Vec<String> {
        self.builder.toolchain(language).map(Toolchain::programs).unwrap_or_default()
    }

    /// Runs one program, waiting for a free worker first.
    ///
    /// # Errors
    ///
    /// `BadProgram` when it cannot be laid out as asked; `NoToolchain` and `Unconfinable` when it cannot be run here;
    /// `CouldNotStart` and `Engine` when it was not run, or its outcome was lost, for reasons that are not its own.
    pub fn run(&self, program: &Program) -> Result<Outcome, SandboxError> {
        self.run_with(program, Patience::default())
    }

    /// Runs one program as long as somebody has patience for it.
    ///
    /// # Errors
    ///
    /// As `run`, and `Cancelled` or `DeadlinePassed` when the caller gave up first.
    pub fn run_with(&self, program: &Program, patience: Patience<'_>) -> Result<Outcome, SandboxError> {
        program.check()?;
        self.check_confinable(program)?;
        let mut slot = Taken { slot: self.take(&patience)?, sandbox: self };
        self.run_on(&mut slot.slot, program, &patience)
    }

    /// Runs a program of the host on hostile text, confined like a compiler: it may start processes and read what is shown.
    ///
    /// # Errors
    ///
    /// As `run`. `BadProgram` also when the tool has no path, `Unconfinable` at levels without namespaces.
    pub fn run_tool(&self, tool: &Tool) -> Result<Outcome, SandboxError> {
        self.run_tool_with(tool, Patience::default())
    }

    /// Runs a tool for as long as the caller has patience.
    ///
    /// # Errors
    ///
    /// As `run_tool`, `Cancelled` and `DeadlinePassed` when the patience is over before the tool ends.
    pub fn run_tool_with(&self, tool: &Tool, patience: Patience<'_>) -> Result<Outcome, SandboxError> {
        tool.check()?;
        if !self.isolation().has_namespaces() {
            return Err(SandboxError::Unconfinable { what: "a tool of the host", isolation: self.isolation() });
        }
        let mut slot = Taken { slot: self.take(&patience)?, sandbox: self };
        let mut outcome = self.run_job(&mut slot.slot, &tool.job(), &patience)?;
        outcome.files.retain(|path, file| !tool.laid_out(path, file));
        Ok(outcome)
    }

    /// Runs many programs, as many at a time as there are workers. Results come in the programs' order.
    pub fn run_batch(&self, programs: &[Program]) -> Vec<Result<Outcome, SandboxError>> {
        let outcomes: Vec<OnceLock<Result<Outcome, SandboxError>>> = programs.iter().map(|_| OnceLock::new()).collect();
        self.run_each(programs, Patience::default(), |index, outcome| {
            let is_first = outcomes[index].set(outcome).is_ok();
            debug_assert!(is_first, "every index is handed out once");
        });
        outcomes.into_iter().map(|outcome| outcome.into_inner().expect("every index was handed out")).collect()
    }

    /// Runs programs on all workers as long as somebody has patience for them, and hands out each outcome with its index as soon as it is
    /// there, from the thread that waited for it. Programs start in order and end in any.
    pub fn run_each(
        &self,
        programs: &[Program],
        patience: Patience<'_>,
        take: impl Fn(usize, Result<Outcome, SandboxError>) + Sync,
    ) {
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(index) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|index| *index < programs.len()) {
                take(index, self.run_with(&programs[index], patience));
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.num_workers.min(programs.len()) {
                scope.spawn(work);
            }
        });
    }

    /// Process numbers of the idle hosts, to take some away and see what then happens.
    #[doc(hidden)]
    pub fn host_processes(&self) -> Vec<i32> {
        self.lock().iter().flatten().map(|worker| worker.host.pid).collect()
    }

    /// How many hosts have been started so far, to see how many were replaced.
    #[doc(hidden)]
    pub fn num_hosts_started(&self) -> usize {
        self.launcher.num_started.load(Ordering::Relaxed)
    }

    /// Without namespaces, nothing ends a program's processes with it, and nobody but us is on the loopback device.
    fn check_confinable(&self, program: &Program) -> Result<(), SandboxError> {
        let isolation = self.isolation();
        if isolation.has_namespaces() {
            return Ok(());
        }
        let what = if program.processes {
            "a program that starts processes"
        } else if program.network != Network::None {
            "a program that uses the network"
        } else if !matches!(program.language, Language::Python | Language::JavaScript) {
            "a compiler"
        } else {
            return Ok(());
        };
        Err(SandboxError::Unconfinable { what, isolation })
    }

    fn run_on(
        &self,
        slot: &mut Option<Worker>,
        program: &Program,
        patience: &Patience<'_>,
    ) -> Result<Outcome, SandboxError> {
        if program.language == Language::Python {
            return self.run_job(slot, &Job::python(program), patience);
        }
        let mut hands = Hands { run: &mut |job| self.run_job(slot, job, patience), new_worker: &|| self.new_worker() };
        let build = self.builder.build(program, &mut hands)?;
        let toolchain = self.builder.toolchain(program.language)?;
        match compile::run_job(program, toolchain, &build) {
            Ok(job) => {
                let mut outcome = self.run_job(slot, &job, patience)?;
                outcome.files.retain(|path, file| !build.laid_out(path, file));
                Ok(outcome)
            }
            Err(message) => Ok(self.rejected(message)),
        }
    }

    fn rejected(&self, message: &str) -> Outcome {
        Outcome {
            end: End::CompilerRejected { message: message.to_owned() },
            stdout: vec![],
            stderr: vec![],
            channel: vec![],
            truncated: false,
            files: std::collections::BTreeMap::new(),
            wall: Duration::ZERO,
            cpu: Duration::ZERO,
            max_rss_kib: 0,
            isolation: self.isolation(),
            observed: Observed::default(),
            tamper: vec![],
        }
    }

    fn run_job(
        &self,
        slot: &mut Option<Worker>,
        job: &Job<'_>,
        patience: &Patience<'_>,
    ) -> Result<Outcome, SandboxError> {
        let mut is_last_try = false;
        loop {
            if let Some(error) = patience.exhausted() {
                return Err(error);
            }
            let worker = match slot {
                Some(worker) if worker.num_served < self.programs_per_host => worker,
                _ => slot.insert(self.new_worker()?),
            };
            match worker.run(job, patience) {
                Ok(outcome) => return Ok(outcome),
                Err(Failure::NotStarted(reason)) => return Err(SandboxError::CouldNotStart { reason }),
                Err(Failure::GivenUp(error)) => return Err(error),
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

    /// A fresh host, warm, which has shown on a program with a known answer that it works.
    fn new_worker(&self) -> Result<Worker, SandboxError> {
        let failed = |failure: &dyn std::fmt::Display| SandboxError::engine("starting another host", failure);
        let (mut worker, _) = self.blueprint.worker(&self.launcher).map_err(|error| failed(&error))?;
        let known = Program { source: b"print(6 * 7)".to_vec(), ..Program::default() };
        let outcome = worker.run(&Job::python(&known), &Patience::default()).map_err(|failure| failed(&failure))?;
        if outcome.end != (End::Exited { code: 0 }) || outcome.stdout != b"42\n" {
            return Err(failed(&format!("a program with a known answer: {}", outcome.end)));
        }
        Ok(worker)
    }

    fn take(&self, patience: &Patience<'_>) -> Result<Option<Worker>, SandboxError> {
        let mut idle = self.lock();
        loop {
            if let Some(error) = patience.exhausted() {
                return Err(error);
            }
            if let Some(slot) = idle.pop() {
                return Ok(slot);
            }
            idle = if patience.deadline.is_none() && patience.cancellation.is_none() {
                self.returned.wait(idle).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.returned.wait_timeout(idle, IMPATIENT_LOOK).unwrap_or_else(PoisonError::into_inner).0
            };
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

/// A worker in somebody's hands, who gives it back however the use of it ends.
struct Taken<'a> {
    slot: Option<Worker>,
    sandbox: &'a Sandbox,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        // A host in the middle of something cannot be trusted with the next program.
        let slot = self.slot.take().filter(|_| !std::thread::panicking());
        self.sandbox.put_back(slot);
    }
}

/// How often somebody who waits for a worker looks whether it is still worth it.
const IMPATIENT_LOOK: Duration = Duration::from_millis(20);

/// A folder that every host shows to its programs, and that only we write to.
fn shared_folder() -> Result<Temporary, SandboxError> {
    Temporary::make(0o755).map_err(|error| SandboxError::engine("making a folder for compiled headers", error))
}

impl Blueprint {
    /// A host, configured and warm.
    fn worker(&self, launcher: &Launcher) -> Result<(Worker, About), SandboxError> {
        let host = launcher.launch(&self.plan)?;
        let (about, loopback) = worker::configure(&host, &self.config).map_err(|failure| match failure {
            Failure::NotStarted(reason) => SandboxError::unavailable(layer_of_step(&reason), reason),
            Failure::HostLost(reason) => SandboxError::unavailable(Layer::Interpreter, reason),
            Failure::GivenUp(error) => error,
        })?;
        let group = self.subtree.as_ref().map(|subtree| subtree.group()).transpose();
        let group = group.map_err(|reason| SandboxError::unavailable(Layer::ControlGroup, reason))?;
        let worker = Worker {
            host,
            num_served: 0,
            terms: Terms { isolation: self.plan.isolation, can_ask: about.can_ask },
            loopback,
            group,
            own_folders: self.plan.view.own_folders(),
            scratch_base: self.scratch_base.clone(),
            preludes: Vec::new(),
        };
        Ok((worker, about))
    }
}

/// What is known when the first host is to be found.
struct Start<'a> {
    settings: &'a Settings,
    isolation: Isolation,
    abi: u32,
    subtree: Result<Arc<Subtree>, String>,
    folders: Vec<PathBuf>,
    shared: Option<PathBuf>,
    launcher: &'a Launcher,
}

type Working = (Blueprint, About, Worker, Vec<LayerSeen>);

impl Start<'_> {
    /// Tries the candidates in turn until one runs the canary with every layer in force.
    fn find_working_host(&self) -> Result<Working, SandboxError> {
        let search_path = std::env::var_os("PATH");
        let mut tried = Vec::new();
        for candidate in python::candidates(self.settings.python.as_deref(), search_path.as_deref()) {
            let attempt = python::resolve(&candidate)
                .map_err(|reason| SandboxError::unavailable(Layer::Interpreter, reason))
                .and_then(|interpreter| self.try_interpreter(&interpreter));
            match attempt {
                Ok(found) => return Ok(found),
                Err(SandboxError::Unavailable {
                    layer: Layer::Interpreter | Layer::MountNamespace, reason, ..
                }) => {
                    tried.push(format!("{}: {reason}", candidate.display()));
                }
                Err(other) => return Err(other),
            }
        }
        Err(SandboxError::unavailable(Layer::Interpreter, tried.join("; ")))
    }

    fn try_interpreter(&self, interpreter: &Interpreter) -> Result<Working, SandboxError> {
        let blueprint = self.blueprint(interpreter)?;
        let (mut worker, about) = blueprint.worker(self.launcher)?;
        let marker = std::env::current_exe().map_err(|error| SandboxError::engine("finding our own program", error))?;
        let program = canary(&marker, self.isolation);
        let outcome = worker.run(&Job::python(&program), &Patience::default()).map_err(|failure| match failure {
            Failure::NotStarted(reason) => SandboxError::unavailable(layer_of_step(&reason), reason),
            Failure::HostLost(reason) => SandboxError::engine("running the canary", reason),
            Failure::GivenUp(error) => error,
        })?;
        let group = self.subtree.as_ref().map(|_| ()).map_err(String::as_str);
        let layers = judge(&worker.host, &outcome, self.isolation, about.can_ask, group)?;
        match layers.iter().find(|seen| !seen.in_force && seen.layer.is_needed(self.isolation)) {
            Some(seen) => Err(SandboxError::unavailable(seen.layer, seen.probed.clone())),
            None => Ok((blueprint, about, worker, layers)),
        }
    }

    fn blueprint(&self, interpreter: &Interpreter) -> Result<Blueprint, SandboxError> {
        let mut view = View::new(&[interpreter.folders.as_slice(), self.folders.as_slice()].concat());
        if let Some(shared) = &self.shared {
            view.show(shared, Path::new(SHARED_FOLDER));
        }
        let has_namespaces = self.isolation.has_namespaces();
        let is_root = rustix::process::geteuid().is_root();
        let scratch_base = if has_namespaces {
            None
        } else {
            let base = scratch::Base::make(is_root.then_some(NOBODY));
            Some(Arc::new(base.map_err(|error| SandboxError::engine("making a folder for scratch folders", error))?))
        };
        let filters = if self.isolation == Isolation::Unsafe { vec![] } else { seccomp::filters(has_namespaces) };
        let config = Config {
            warm: &WARM,
            filters: filters.iter().map(|filter| bpf::to_hex(filter)).collect(),
            landlock: (self.isolation != Isolation::Unsafe).then(|| view.file_rules(self.abi, has_namespaces)),
            has_namespaces,
            scratch_base: scratch_base.as_ref().map_or_else(String::new, |base| base.path().display().to_string()),
            limits: job::COMMON_LIMITS.to_vec(),
            descriptors: job::DESCRIPTORS,
            numbers: NUMBERS,
        };
        Ok(Blueprint {
            config: serde_json::to_vec(&config).expect("strings and numbers always serialise"),
            plan: Plan {
                view,
                executable: interpreter.executable.to_string_lossy().into_owned(),
                isolation: self.isolation,
            },
            scratch_base,
            subtree: self.subtree.as_ref().ok().cloned(),
        })
    }
}

/// The layer behind a failed step of the fork server, which starts its reports with the step's name.
fn layer_of_step(reason: &str) -> Layer {
    let first = reason.split([' ', ':']).next().unwrap_or_default();
    match first {
        "landlock" => Layer::Landlock,
        "seccomp" => Layer::SystemCalls,
        "ambient" | "capabilities" | "parent" => Layer::Privileges,
        "pid" => Layer::PidNamespace,
        "scratch" => Layer::MountNamespace,
        "close" | "descriptors" => Layer::Descriptors,
        "control" => Layer::ControlGroup,
        _ => Layer::Limits,
    }
}

type LaunchRequest = (Plan, mpsc::Sender<Result<Host, SandboxError>>);

/// The thread that makes every host. The kernel ends a host with the thread that made it, so this one must not come and go.
#[derive(Debug)]
struct Launcher {
    requests: Option<Mutex<mpsc::Sender<LaunchRequest>>>,
    thread: Option<JoinHandle<()>>,
    num_started: AtomicUsize,
}

impl Launcher {
    fn start() -> Result<Self, SandboxError> {
        let (requests, incoming) = mpsc::channel::<LaunchRequest>();
        let thread = std::thread::Builder::new()
            .name("sandbox-launcher".to_owned())
            .spawn(move || {
                for (plan, reply) in incoming {
                    // Whoever asked may be gone; the host then ends with the reply that nobody takes.
                    let _ = reply.send(host::launch(&plan, SERVER));
                }
            })
            .map_err(|error| SandboxError::engine("starting a thread", error))?;
        Ok(Self { requests: Some(Mutex::new(requests)), thread: Some(thread), num_started: AtomicUsize::new(0) })
    }

    fn launch(&self, plan: &Plan) -> Result<Host, SandboxError> {
        self.num_started.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = mpsc::channel();
        let requests = self.requests.as_ref().expect("requests are open until the launcher is dropped");
        let sent = requests.lock().unwrap_or_else(PoisonError::into_inner).send((plan.clone(), reply));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_costs_a_host_and_not_a_worker() {
        let sandbox = Sandbox::start(1).unwrap();
        let before = sandbox.host_processes();
        let fallen = std::thread::scope(|scope| {
            let user = scope.spawn(|| {
                let _taken = Taken { slot: sandbox.take(&Patience::default()).unwrap(), sandbox: &sandbox };
                panic!("as asked");
            });
            user.join().is_err()
        });
        assert!(fallen && before.len() == 1 && sandbox.host_processes().is_empty());
        let program = Program { source: b"print(6 * 7)".to_vec(), ..Program::default() };
        assert_eq!(sandbox.run(&program).unwrap().stdout, b"42\n");
    }
}
