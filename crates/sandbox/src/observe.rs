//! The observer: answers, outside, what the kernel asks about a running program, and writes down what was tried.
//!
//! The short filter of a program (`seccomp`) turns some system calls into questions. A program cannot get around them, and what
//! it puts into memory after the question does not matter, because whether a call that is let go on succeeds is decided by the
//! kernel alone: the answers here only refuse what is refused in any case, and otherwise take notes.

#![expect(unsafe_code, reason = "the kernel's questions come by ioctl, with structures of its own")]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::{Component, Path, PathBuf};

use crate::outcome::{Observed, ProcessTried, SocketTried, Tamper, TamperKind};
use crate::program::Network;
use crate::seccomp::{EXECUTE_CALLS, FORK_CALLS, OPEN_CALLS, TELL};

const MAX_ENTRIES: usize = 64;
const MAX_TEXT: usize = 512;
const MAX_ARGUMENTS: usize = 32;
const MAX_QUERY: usize = 16 << 10;

/// What a program may do of what is asked about, and which files are its own.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    /// Starts processes.
    pub(crate) processes: bool,
    /// Becomes another program, this many times at most: the one it is to be.
    pub(crate) executions: u32,
    pub(crate) network: Network,
    /// Makes internet sockets without anybody being told; whether it reaches somebody with them is `network`'s to say.
    pub(crate) may_make_sockets: bool,
    /// Folders that it may open files in without anybody being told.
    pub(crate) own_folders: Vec<PathBuf>,
    /// Its working folder when it starts.
    pub(crate) scratch: PathBuf,
}

/// Watches one program.
#[derive(Debug)]
pub(crate) struct Observer {
    /// Nothing once nobody is left to ask.
    listener: Option<OwnedFd>,
    policy: Policy,
    observed: Observed,
    tamper: Vec<Tamper>,
}

/// How a question is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    GoOn,
    Refuse,
    /// As if the call had been made and had returned nothing.
    Done,
}

/// A question: who asks, and the call's arguments.
struct Question {
    pid: u32,
    call: libc::c_long,
    arguments: [u64; 6],
}

impl Observer {
    pub(crate) fn new(listener: OwnedFd, policy: Policy) -> Self {
        let observed = Observed { is_complete: true, ..Observed::default() };
        Self { listener: Some(listener), policy, observed, tamper: Vec::new() }
    }

    pub(crate) fn finish(self) -> (Observed, Vec<Tamper>) {
        (self.observed, self.tamper)
    }

    /// Where the kernel asks.
    pub(crate) fn listener(&self) -> Option<&OwnedFd> {
        self.listener.as_ref()
    }

    /// Nobody is left to ask; what was seen stays.
    pub(crate) fn retire(self) -> Self {
        Self { listener: None, ..self }
    }

    /// Answers one question. One that nobody waits for any more is no error.
    pub(crate) fn answer(&mut self) -> io::Result<()> {
        let Some(listener) = self.listener.as_ref().map(AsRawFd::as_raw_fd) else { return Ok(()) };
        // SAFETY: a structure of plain numbers, which the kernel requires to be zeroed.
        let mut asked: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel fills a structure of the size that the request's number carries.
        if unsafe { libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut asked) } < 0 {
            return unless_gone();
        }
        let question = Question { pid: asked.pid, call: libc::c_long::from(asked.data.nr), arguments: asked.data.args };
        let answer = self.decide(&question);
        // SAFETY: as above.
        let mut response: libc::seccomp_notif_resp = unsafe { std::mem::zeroed() };
        response.id = asked.id;
        match answer {
            Answer::GoOn => response.flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
            Answer::Refuse => response.error = -libc::EPERM,
            Answer::Done => {}
        }
        // SAFETY: the kernel reads a structure of the size that the request's number carries.
        if unsafe { libc::ioctl(listener, libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response) } < 0 {
            return unless_gone();
        }
        Ok(())
    }

    fn decide(&mut self, question: &Question) -> Answer {
        let call = question.call;
        if OPEN_CALLS.contains(&call) {
            self.opened(question)
        } else if EXECUTE_CALLS.contains(&call) {
            self.executed(question)
        } else if FORK_CALLS.contains(&call) || call == libc::SYS_clone {
            self.copied(question)
        } else if [libc::SYS_socket, libc::SYS_connect, libc::SYS_bind].contains(&call) {
            self.networked(question)
        } else if call == libc::SYS_prctl && question.arguments[0] as u32 == TELL {
            self.told(question)
        } else {
            let (kind, name) = forbidden(call);
            self.suspect(kind, format!("called {name}"));
            Answer::Refuse
        }
    }

    fn opened(&mut self, question: &Question) -> Answer {
        let (folder, address) = match question.call {
            libc::SYS_openat | libc::SYS_openat2 => (question.arguments[0] as i32, question.arguments[1]),
            _ => (libc::AT_FDCWD, question.arguments[0]),
        };
        let Some(name) = read_text(question.pid, address) else { return Answer::GoOn };
        let path = self.absolute(question.pid, folder, &name);
        if is_outside(&path, &self.policy.own_folders) {
            let text = path.to_string_lossy().into_owned();
            if keep(&mut self.observed.outside_files, &mut self.observed.omitted, text.clone()) {
                self.suspect(TamperKind::OutsideFile, format!("tried to open {text}"));
            }
        }
        Answer::GoOn
    }

    /// The name as an absolute path, without following links: where the program means to go, not where it gets.
    fn absolute(&self, pid: u32, folder: i32, name: &str) -> PathBuf {
        if name.starts_with('/') {
            return normal(Path::new(name));
        }
        let link = match folder {
            libc::AT_FDCWD => format!("/proc/{pid}/cwd"),
            number => format!("/proc/{pid}/fd/{number}"),
        };
        let base = std::fs::read_link(link).unwrap_or_else(|_| self.policy.scratch.clone());
        normal(&base.join(name))
    }

    fn executed(&mut self, question: &Question) -> Answer {
        let by_name = question.call == libc::SYS_execve;
        let [name, list] = if by_name { [0, 1] } else { [1, 2] }.map(|at: usize| question.arguments[at]);
        // A program can ask for nothing before it has become itself.
        let is_itself = self.policy.executions > 0;
        self.policy.executions = self.policy.executions.saturating_sub(1);
        if is_itself {
            return Answer::GoOn;
        }
        let mut arguments = read_texts(question.pid, list);
        if arguments.is_empty() {
            arguments.extend(read_text(question.pid, name));
        }
        let allowed = self.policy.processes;
        if !allowed {
            self.suspect(TamperKind::Process, format!("tried to start {}", arguments.join(" ")));
        }
        keep(&mut self.observed.processes, &mut self.observed.omitted, ProcessTried { arguments, allowed });
        if allowed { Answer::GoOn } else { Answer::Refuse }
    }

    fn copied(&mut self, question: &Question) -> Answer {
        const NAMESPACES: u64 = (libc::CLONE_NEWCGROUP
            | libc::CLONE_NEWIPC
            | libc::CLONE_NEWNET
            | libc::CLONE_NEWNS
            | libc::CLONE_NEWPID
            | libc::CLONE_NEWUSER
            | libc::CLONE_NEWUTS) as u64;
        if question.call == libc::SYS_clone && question.arguments[0] & NAMESPACES != 0 {
            self.suspect(TamperKind::Escape, "called clone for new namespaces".to_owned());
        } else {
            self.suspect(TamperKind::Process, "tried to start a process".to_owned());
            let tried = ProcessTried { arguments: vec![], allowed: false };
            keep(&mut self.observed.processes, &mut self.observed.omitted, tried);
        }
        Answer::Refuse
    }

    fn networked(&mut self, question: &Question) -> Answer {
        let [first, second, third, ..] = question.arguments;
        let (call, family, address) = match question.call {
            libc::SYS_socket => ("socket", family_name(first as i32), None),
            number => {
                let name = if number == libc::SYS_connect { "connect" } else { "bind" };
                let bytes = read_bytes(question.pid, second, third.min(128) as usize).unwrap_or_default();
                let (family, address) = describe_address(&bytes);
                (name, family, address)
            }
        };
        let allowed = match self.policy.network {
            Network::None => false,
            Network::Loopback => matches!(family.as_str(), "unix" | "inet" | "inet6"),
        };
        let is_own = call == "socket" && matches!(family.as_str(), "inet" | "inet6");
        if is_own && !allowed && self.policy.may_make_sockets {
            return Answer::GoOn;
        }
        // Runtimes ask a local service for the user's name by a local socket.
        if !allowed && family != "unix" {
            self.suspect(TamperKind::Network, format!("called {call} for {family}"));
        }
        let tried = SocketTried { call: call.to_owned(), family, address, allowed };
        keep(&mut self.observed.sockets, &mut self.observed.omitted, tried);
        if allowed { Answer::GoOn } else { Answer::Refuse }
    }

    /// Our own code inside the program says something; so can the program, at its own expense.
    fn told(&mut self, question: &Question) -> Answer {
        let [_, address, length, ..] = question.arguments;
        if let Some(bytes) = read_bytes(question.pid, address, (length as usize).min(MAX_QUERY)) {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            keep(&mut self.observed.queries, &mut self.observed.omitted, text);
        }
        Answer::Done
    }

    /// The first sign of each kind is always kept: nothing hides behind a flood of something else.
    fn suspect(&mut self, kind: TamperKind, detail: String) {
        let tamper = Tamper { kind, detail };
        if self.tamper.iter().all(|one| one.kind != kind) {
            self.tamper.push(tamper);
        } else if !self.tamper.contains(&tamper) {
            keep(&mut self.tamper, &mut self.observed.omitted, tamper);
        }
    }
}

/// Adds what is not too much; false when it was.
fn keep<T>(list: &mut Vec<T>, omitted: &mut u64, entry: T) -> bool {
    let fits = list.len() < MAX_ENTRIES;
    if fits {
        list.push(entry);
    } else {
        *omitted += 1;
    }
    fits
}

/// The one who asked may have been killed meanwhile.
fn unless_gone() -> io::Result<()> {
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::EINTR | libc::EINPROGRESS) => Ok(()),
        _ => Err(error),
    }
}

fn read_bytes(pid: u32, address: u64, length: usize) -> Option<Vec<u8>> {
    let memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut bytes = vec![0; length];
    let read = memory.read_at(&mut bytes, address).ok()?;
    bytes.truncate(read);
    Some(bytes)
}

/// The name at an address, up to its NUL. One that is longer than any name may be is refused by the kernel, and is none.
fn read_text(pid: u32, address: u64) -> Option<String> {
    let (text, is_whole) = read_start_of_text(pid, address)?;
    is_whole.then_some(text)
}

/// The text at an address, up to its NUL or a page or more of it; whether that was all.
fn read_start_of_text(pid: u32, address: u64) -> Option<(String, bool)> {
    // One page at a time: what follows may not be there.
    let to_page_end = 4096 - (address % 4096) as usize;
    let mut bytes = read_bytes(pid, address, to_page_end)?;
    if !bytes.contains(&0) {
        bytes.extend(read_bytes(pid, address + to_page_end as u64, 4096).unwrap_or_default());
    }
    let end = bytes.iter().position(|byte| *byte == 0);
    Some((String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]).into_owned(), end.is_some()))
}

/// The texts of a list of addresses that ends with zero.
fn read_texts(pid: u32, address: u64) -> Vec<String> {
    let bytes = read_bytes(pid, address, MAX_ARGUMENTS * 8).unwrap_or_default();
    let (addresses, _) = bytes.as_chunks::<8>();
    let texts = addresses.iter().map(|bytes| u64::from_ne_bytes(*bytes)).take_while(|address| *address != 0);
    texts
        .filter_map(|address| read_start_of_text(pid, address))
        .map(|(text, _)| text.chars().take(MAX_TEXT).collect())
        .collect()
}

/// A path without `.` and `..`, by its letters alone.
fn normal(path: &Path) -> PathBuf {
    let mut kept = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => kept.push(name),
            Component::ParentDir => {
                kept.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    kept
}

/// What runtimes and the C library look at by themselves; being there or not, it tells nothing about a program.
const HARMLESS: [&str; 13] = [
    "/dev",
    "/etc",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/net/if_inet6",
    "/proc/self",
    "/proc/stat",
    "/proc/sys",
    "/sys/devices/system",
    "/sys/fs/cgroup",
    "/sys/kernel/mm",
    "/nonexistent",
    "/package.json",
];
const SECRET: [&str; 8] = [
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/sudoers",
    "/etc/ssh",
    "/proc/self/environ",
    "/proc/self/mem",
    "/proc/self/root",
    "/dev/mem",
];

fn is_outside(path: &Path, own_folders: &[PathBuf]) -> bool {
    let path = &as_of_process(path);
    if SECRET.iter().any(|secret| path.starts_with(secret)) {
        return true;
    }
    path != Path::new("/")
        && !own_folders.iter().any(|folder| path.starts_with(folder))
        && !HARMLESS.iter().any(|harmless| path.starts_with(harmless))
        && !path.parent().is_some_and(|folder| folder == Path::new("/proc") && !is_number(path))
}

/// What `/proc` says of one thread is what it says of the process.
fn as_of_process(path: &Path) -> PathBuf {
    let mut names = path.iter().skip(1).map(|name| name.to_str().unwrap_or_default());
    let rest = match (names.next(), names.next(), names.next()) {
        (Some("proc"), Some("thread-self"), _) => 3,
        (Some("proc"), Some("self"), Some("task")) => 5,
        _ => return path.to_owned(),
    };
    Path::new("/proc/self").join(path.iter().skip(rest).collect::<PathBuf>())
}

fn is_number(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()))
}

fn family_name(family: i32) -> String {
    match family {
        libc::AF_UNIX => "unix".to_owned(),
        libc::AF_INET => "inet".to_owned(),
        libc::AF_INET6 => "inet6".to_owned(),
        libc::AF_NETLINK => "netlink".to_owned(),
        libc::AF_PACKET => "packet".to_owned(),
        libc::AF_VSOCK => "vsock".to_owned(),
        libc::AF_ALG => "alg".to_owned(),
        other => format!("family {other}"),
    }
}

/// Family and address of a socket address as the kernel lays it out.
fn describe_address(bytes: &[u8]) -> (String, Option<String>) {
    let Some((family, rest)) = bytes.split_first_chunk::<2>() else { return ("nothing".to_owned(), None) };
    let family = i32::from(u16::from_ne_bytes(*family));
    let port = |rest: &[u8]| rest.first_chunk::<2>().map(|port| u16::from_be_bytes(*port));
    let address = match family {
        libc::AF_INET => port(rest).and_then(|port| {
            let host = rest.get(2..6)?.first_chunk::<4>()?;
            Some(std::net::SocketAddr::from((*host, port)).to_string())
        }),
        libc::AF_INET6 => port(rest).and_then(|port| {
            let host = rest.get(6..22)?.first_chunk::<16>()?;
            Some(std::net::SocketAddr::from((*host, port)).to_string())
        }),
        libc::AF_UNIX => {
            let name = rest.split(|byte| *byte == 0).find(|part| !part.is_empty()).unwrap_or_default();
            Some(String::from_utf8_lossy(name).into_owned())
        }
        _ => None,
    };
    (family_name(family), address)
}

/// What an attempt is a sign of, and the call's name.
fn forbidden(call: libc::c_long) -> (TamperKind, String) {
    let (kind, name) = match call {
        libc::SYS_ptrace => (TamperKind::Tracing, "ptrace"),
        libc::SYS_process_vm_readv => (TamperKind::Tracing, "process_vm_readv"),
        libc::SYS_process_vm_writev => (TamperKind::Tracing, "process_vm_writev"),
        libc::SYS_pidfd_getfd => (TamperKind::Tracing, "pidfd_getfd"),
        libc::SYS_perf_event_open => (TamperKind::Tracing, "perf_event_open"),
        libc::SYS_mount => (TamperKind::Escape, "mount"),
        libc::SYS_umount2 => (TamperKind::Escape, "umount"),
        libc::SYS_unshare => (TamperKind::Escape, "unshare"),
        libc::SYS_setns => (TamperKind::Escape, "setns"),
        libc::SYS_pivot_root => (TamperKind::Escape, "pivot_root"),
        libc::SYS_chroot => (TamperKind::Escape, "chroot"),
        libc::SYS_fsopen => (TamperKind::Escape, "fsopen"),
        libc::SYS_move_mount => (TamperKind::Escape, "move_mount"),
        libc::SYS_open_tree => (TamperKind::Escape, "open_tree"),
        libc::SYS_mount_setattr => (TamperKind::Escape, "mount_setattr"),
        libc::SYS_open_by_handle_at => (TamperKind::Escape, "open_by_handle_at"),
        libc::SYS_capset => (TamperKind::Escape, "capset"),
        libc::SYS_seccomp => (TamperKind::Escape, "seccomp"),
        libc::SYS_bpf => (TamperKind::ForbiddenCall, "bpf"),
        libc::SYS_userfaultfd => (TamperKind::ForbiddenCall, "userfaultfd"),
        libc::SYS_io_uring_setup => (TamperKind::ForbiddenCall, "io_uring_setup"),
        libc::SYS_keyctl => (TamperKind::ForbiddenCall, "keyctl"),
        libc::SYS_add_key => (TamperKind::ForbiddenCall, "add_key"),
        libc::SYS_request_key => (TamperKind::ForbiddenCall, "request_key"),
        libc::SYS_memfd_create => (TamperKind::ForbiddenCall, "memfd_create"),
        number => return (TamperKind::ForbiddenCall, format!("system call {number}")),
    };
    (kind, name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_by_their_letters() {
        assert_eq!(normal(Path::new("/tmp/../etc/./shadow")), Path::new("/etc/shadow"));
        assert_eq!(normal(Path::new("/../../root")), Path::new("/root"));
    }

    #[test]
    fn what_is_outside_is_what_a_program_was_not_given() {
        let own = [PathBuf::from("/tmp"), PathBuf::from("/usr")];
        for path in [
            "/root/.ssh/id",
            "/home/a",
            "/proc/1/environ",
            "/proc/self/mem",
            "/proc/self/task/7/environ",
            "/proc/thread-self/mem",
            "/etc/shadow",
            "/tmpx",
            "/var/lib",
        ] {
            assert!(is_outside(Path::new(path), &own), "{path}");
        }
        for path in [
            "/",
            "/tmp/a",
            "/usr/lib/x",
            "/etc/localtime",
            "/proc/self/maps",
            "/proc/self/task/7/comm",
            "/proc/self/task",
            "/proc/cpuinfo",
            "/dev/null",
        ] {
            assert!(!is_outside(Path::new(path), &own), "{path}");
        }
    }

    #[test]
    fn addresses_are_read_as_the_kernel_lays_them_out() {
        let mut inet = (libc::AF_INET as u16).to_ne_bytes().to_vec();
        inet.extend([0x1f, 0x90, 127, 0, 0, 1, 0, 0]);
        assert_eq!(describe_address(&inet), ("inet".to_owned(), Some("127.0.0.1:8080".to_owned())));
        assert_eq!(describe_address(&inet[..5]), ("inet".to_owned(), None));
        assert_eq!(describe_address(&[1]), ("nothing".to_owned(), None));
        let mut unix = (libc::AF_UNIX as u16).to_ne_bytes().to_vec();
        unix.extend(b"\0hidden\0\0");
        assert_eq!(describe_address(&unix), ("unix".to_owned(), Some("hidden".to_owned())));
    }

    #[test]
    fn lists_stop_growing_and_say_so() {
        let (mut list, mut omitted) = (Vec::new(), 0);
        for number in 0..MAX_ENTRIES + 5 {
            keep(&mut list, &mut omitted, number);
        }
        assert_eq!((list.len(), omitted), (MAX_ENTRIES, 5));
    }
}
