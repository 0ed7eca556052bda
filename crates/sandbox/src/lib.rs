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
//! Python fork server (`fork_server.py`). For each program the server forks into a further pid namespace; the child gives up
//! its last capability, puts itself under Landlock, limits and a filter of allowed system calls, closes everything but
//! descriptors 0 to 3, says so, and only then compiles and runs the program, or becomes it.
//!
//! The server never sees a program: source, input and files arrive in memory files that nobody can change, and only the child
//! reads them. The scratch folder `/tmp` is used again when the last program left no trace in it and is made anew otherwise.
//! Hosts are replaced after a number of programs; each shows on a program with a known answer that it works before it is used.
//!
//! ```text
//! supervisor ── host (namespaces, Landlock rules, first filter: made once)
//!    │            └─ fork server, warm ── child: pid namespace, limits, second filter ── the program
//!    ├─ observer: hears of what the second filter stops, and answers
//!    ├─ clock, processor time, memory, outputs: watched from outside; a kill takes the whole tree
//!    └─ builds: compilers run like programs, results are kept by the hash of what went in
//! ```
//!
//! # Languages
//!
//! | language | how a program is built | how it is run |
//! |---|---|---|
//! | Python | – | by the warm interpreter |
//! | C | `gcc -O2 -std=gnu17 -lm` inside | from memory, as process 2 of its pid namespace |
//! | C++ | `g++ -O2 -std=gnu++17` inside; `<bits/stdc++.h>` is precompiled once | as C |
//! | JavaScript | – | `node`, a CommonJS module |
//! | Java | by a compiler that stays warm on a host of its own, `javac` inside when that fails | `java` |
//! | Go | `go build` inside, without modules and C | as C |
//!
//! Programs of the host that read hostile text, such as code analysers, run as compilers do ([`Sandbox::run_tool`]).
//!
//! A language whose toolchain is missing is an error ([`SandboxError::NoToolchain`]), never a failed program.
//!
//! # Levels
//!
//! | level | what keeps a program in |
//! |---|---|
//! | [`Isolation::FullCgroup`] | as full, and a control group counts the memory, processes and processor time of its whole tree |
//! | [`Isolation::Full`] | namespaces, Landlock, system-call filter, limits, a user of its own |
//! | [`Isolation::Hardened`] | Landlock (version 6 or later), filter, limits; Python and JavaScript only, one process |
//! | [`Isolation::Unsafe`] | limits |
//!
//! A sandbox starts at the strongest level that works here, each layer proved by a canary that must fail to get out. Nothing
//! weaker than full is used unless [`Settings::weakest`] says so; the level is in every outcome.
//!
//! # What a program finds
//!
//! Time zone UTC, locale C.UTF-8, Python's hash seed 0, no home (`/nonexistent`), temporary files and working folder `/tmp`,
//! host name `sandbox`, user and group 1000, the environment variables `PATH`, `HOME`, `TMPDIR`, `LC_ALL`, `TZ` and those it was
//! given. Clocks are the host's and can be read, not set. Random numbers are the kernel's; Python's `random` is seeded anew.
//! With [`Network::Loopback`] somebody listens on 127.0.0.1 port 8080.
//!
//! # Covered
//!
//! - Files: read-only system folders, interpreters and compilers, a few devices, a made-up account file; one writable folder,
//!   fresh for each program, of limited size. Nothing else of the host is there to be named. Landlock says the same once more.
//! - Network: nobody can be reached without leave, and the network namespace behind that leads nowhere. Java may make sockets,
//!   as its libraries do so by themselves; it cannot connect or bind them.
//! - Other processes: none can be seen, signalled or traced. Everything a program starts dies with its first process.
//! - Programs before and after: nothing is shared but the warm interpreter, which never reads a program.
//! - Compilers: they read hostile text, so they run under the same protections; what they could include is what programs see.
//! - Time, processor time, memory, output, files, processes: limited from inside by the kernel and from outside by watching.
//! - Attempts: system calls that no program has a reason to make, files outside, processes, sockets: named in the outcome.
//! - Set-up that fails: an error of its own, never the program's fault, and never a program that runs with less.
//!
//! # Not covered
//!
//! - The kernel itself: programs share it. A hole in an allowed system call is a hole in the sandbox.
//! - Side channels: processor caches and timing between programs that run at the same time.
//! - Without a control group, memory is limited per process by the kernel; that of several processes together is only watched,
//!   every 40 ms, and processor time of processes that nobody waits for is seen only while they live. The clock ends both.
//! - A Python program is process 1 of its pid namespace: signals to itself that it does not handle are ignored, and `abort` ends
//!   it with another signal than usual. Programs in other languages are not. `/proc` is absent for all.
//! - Within its own process a program can change anything, including what a harness around it does or writes: whoever
//!   compares values must do so outside.
//! - The observer takes notes of what is asked for, not of what comes of it: a path in memory can be changed by another thread
//!   while the kernel reads it. What is let through is decided by the kernel alone.
//! - The warm Java compiler has read earlier sources. A source that found a hole in it could spoil later ones until it is replaced.
//! - Interpreter teardown: `atexit` runs and threads are waited for, module-level destructors are not called.

mod bpf;
mod cancel;
mod cgroup;
mod check;
mod compile;
mod container;
mod error;
pub mod fusion;
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
mod promise;
mod python;
mod queue;
mod scratch;
mod seccomp;
mod streams;
mod temporary;
mod tool;
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
pub use program::{Limits, Network, Prelude, Program};
pub use queue::{Full, Item, Load, Queue, Ticket};
pub use tool::{Tool, check_shown};
