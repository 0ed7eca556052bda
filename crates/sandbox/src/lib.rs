//! How untrusted code is run under limits, and which protections are really in force.
//!
//! The main type is [`Sandbox`]: a pool of warm interpreters, each inside a host of its own. A [`Program`] goes in, an
//! [`Outcome`] comes out, and nothing in the outcome is the program's own word: how it ended comes from the kernel, outputs
//! from files in memory that we hold, and the scratch folder is looked through after every process of the program is gone.
//!
//! ```no_run
//! use codeward_sandbox::{End, Program, Sandbox};
//!
//! let sandbox = Sandbox::start(2)?;
//! let outcome = sandbox.run(&Program { source: b"print(6 * 7)".to_vec(), ..Program::default() })?;
//! assert_eq!(outcome.end, End::Exited { code: 0 });
//! assert_eq!(outcome.stdout, b"42\n");
//! # Ok::<(), codeward_sandbox::SandboxError>(())
//! ```
//!
//! # How it is built
//!
//! The supervisor (this crate, in the caller's process) makes one host per worker: a process in its own user, mount, pid,
//! network, ipc, uts and cgroup namespaces, under an unprivileged user even when the caller is root, that becomes a warmed
//! Python fork server (`fork_server.py`). For each program the server mounts a fresh scratch folder on `/tmp` and forks into a
//! further pid namespace; the child gives up its last capability, puts itself under Landlock, limits and a filter of allowed
//! system calls, closes everything but descriptors 0 to 3, says so, and only then compiles and runs the program.
//!
//! # Covered
//!
//! - Files: read-only system folders and the interpreter, a few devices, a made-up account file; one writable folder, fresh
//!   for each program, of limited size. Nothing else of the host is there to be named. Landlock says the same once more.
//! - Network: sockets cannot be made, and the network namespace behind that is empty.
//! - Other processes: none can be seen, signalled or traced. Everything a program starts dies with its first process.
//! - Programs before and after: nothing is shared but the warm interpreter, which never reads a program.
//! - Time, processor time, memory, output, files, processes: limited from inside by the kernel and from outside by watching.
//! - Set-up that fails: an error of its own, never the program's fault, and never a program that runs with less.
//!
//! # Not covered
//!
//! - The kernel itself: programs share it. A hole in an allowed system call is a hole in the sandbox.
//! - Side channels: processor caches and timing between programs that run at the same time.
//! - Memory is limited per process by the kernel; that of several processes together is only watched, every 40 ms, and
//!   processor time of processes that nobody waits for is seen only while they live. The clock ends both.
//! - The program is process 1 of its pid namespace: signals to itself that it does not handle are ignored, `abort` ends it with
//!   another signal than usual, and `/proc` is absent.
//! - Within its own process a program can change anything, including what a harness around it does or writes: whoever
//!   compares values must do so outside.
//! - Interpreter teardown: `atexit` runs and threads are waited for, module-level destructors are not called.

mod cancel;
mod cgroup;
mod check;
mod compile;
mod error;
mod host;
mod javac;
mod job;
mod language;
mod loopback;
mod observe;
mod outcome;
mod pool;
mod probe;
mod program;
mod python;
mod scratch;
mod seccomp;
mod streams;
mod toolchain;
mod usage;
mod view;
mod worker;

pub use cancel::{Cancellation, Patience};
pub use check::LayerSeen;
pub use error::{Layer, SandboxError};
pub use language::{Language, UnknownLanguage};
pub use outcome::{
    End, FileKind, FileSeen, Isolation, Observed, Outcome, ProcessTried, SocketTried, Tamper, TamperKind,
};
pub use pool::{Sandbox, Settings};
pub use probe::{LanguageSeen, Probe, Python, probe, probe_with};
pub use program::{Limits, Network, Program};
