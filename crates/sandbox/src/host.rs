//! One host: the namespaces, the file view and the user in which a fork server lives, made once for many programs.
//!
//! Everything is prepared here as a list of steps; the new process does nothing but carry them out with plain system calls and
//! then becomes the interpreter. It never allocates, because a copy of a process with many threads may not.

#![expect(unsafe_code, reason = "a process is made and confined by raw system calls")]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{null, null_mut};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Signal, WaitId, WaitIdOptions};

use crate::error::{Layer, SandboxError};
use crate::outcome::Isolation;
use crate::view::View;

/// The user and group that programs see themselves as.
pub(crate) const INNER_ID: u32 = 1000;
/// The user that a supervisor running as root becomes outside: "nobody", which owns nothing.
pub(crate) const NOBODY: u32 = 65534;
const HOST_NAME: &CStr = c"sandbox";
/// The new root is put together on this folder, which every Linux has and which the new root hides.
const STAGING: &CStr = c"/proc";
const CAP_SYS_ADMIN: u32 = 21;
const FIRST_FREE_DESCRIPTOR: RawFd = 10;

/// One thing the new process does on its way to becoming the fork server.
#[derive(Debug)]
pub(crate) enum Step {
    Private,
    Tmpfs(CString),
    Folder(CString),
    File(CString, Vec<u8>),
    Link { to: CString, path: CString },
    Bind { from: CString, onto: CString, device: bool },
    EnterRoot,
    SealRoot,
    HostName,
    Loopback,
    User { drop_groups: bool },
    PlainUser { drop_groups: bool },
    Capabilities,
    NoNewPrivileges,
    DieWithParent,
    Signals,
    Descriptors { null: RawFd, diagnostics: RawFd, link: RawFd, status: RawFd },
    Execute { path: CString, arguments: Pointers, environment: Pointers },
}

/// Strings as `execve` wants them: a list of pointers that ends with a null one, and the strings they point to.
#[derive(Debug)]
pub(crate) struct Pointers {
    list: Vec<*const libc::c_char>,
    _strings: Vec<CString>,
}

impl Pointers {
    fn new(strings: Vec<CString>) -> Self {
        let list = strings.iter().map(|text| text.as_ptr()).chain([null()]).collect();
        Self { list, _strings: strings }
    }
}

impl Step {
    fn layer(&self) -> Layer {
        match self {
            Step::HostName => Layer::HostName,
            Step::Loopback => Layer::NetworkNamespace,
            Step::User { .. } | Step::PlainUser { .. } | Step::Capabilities | Step::NoNewPrivileges => {
                Layer::Privileges
            }
            Step::DieWithParent | Step::Signals => Layer::PidNamespace,
            Step::Descriptors { .. } => Layer::Descriptors,
            Step::Execute { .. } => Layer::Interpreter,
            _ => Layer::MountNamespace,
        }
    }
}

/// A running fork server and the two ways to reach it: messages and its end.
#[derive(Debug)]
pub(crate) struct Host {
    pidfd: OwnedFd,
    pub(crate) pid: i32,
    pub(crate) link: OwnedFd,
    pub(crate) diagnostics: OwnedFd,
}

impl Host {
    /// Whether a signal has stopped it.
    pub(crate) fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Process 1 of the host's pid namespace takes everything inside with it, and waiting for it waits for all of them.
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
        let pidfd = std::os::fd::AsFd::as_fd(&self.pidfd);
        while let Err(rustix::io::Errno::INTR) = rustix::process::waitid(WaitId::PidFd(pidfd), WaitIdOptions::EXITED) {}
    }
}

/// What a host is made of.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) view: View,
    pub(crate) executable: String,
    pub(crate) isolation: Isolation,
}

/// Starts a host. The calling thread must live as long as the host: the kernel ends the host with it.
pub(crate) fn launch(plan: &Plan, server: &str) -> Result<Host, SandboxError> {
    let setup = |error: io::Error| SandboxError::engine("preparing a sandbox host", error);
    let (link, their_link) = socket_pair().map_err(setup)?;
    let (go_read, go_write) = pipe().map_err(setup)?;
    let (status_read, status_write) = pipe().map_err(setup)?;
    let diagnostics = rustix::fs::memfd_create("diagnostics", rustix::fs::MemfdFlags::CLOEXEC)
        .map_err(|error| setup(error.into()))?;
    let null_device = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| setup(error.into()))?;
    let moved = [&null_device, &diagnostics, &their_link, &status_write, &go_read]
        .map(|descriptor| rustix::io::fcntl_dupfd_cloexec(descriptor, FIRST_FREE_DESCRIPTOR));
    let [null_device, their_diagnostics, their_link, their_status, go_read] =
        collect(moved).map_err(|error| setup(error.into()))?;
    drop(status_write);
    let is_root = rustix::process::geteuid().is_root();
    let has_namespaces = plan.isolation.has_namespaces();
    let mut steps = Vec::new();
    if has_namespaces {
        steps.push(Step::User { drop_groups: is_root });
        plan.view.steps(STAGING, &mut steps);
        steps.extend([Step::EnterRoot, Step::SealRoot, Step::HostName, Step::Loopback, Step::Capabilities]);
    } else if is_root {
        steps.push(Step::PlainUser { drop_groups: true });
    }
    steps.extend([Step::NoNewPrivileges, Step::DieWithParent, Step::Signals]);
    steps.push(Step::Descriptors {
        null: null_device.as_raw_fd(),
        diagnostics: their_diagnostics.as_raw_fd(),
        link: their_link.as_raw_fd(),
        status: their_status.as_raw_fd(),
    });
    steps.push(execute(&plan.executable, server));

    // SAFETY: the new process runs `become_server`, which makes only system calls and does not return.
    let Some((pid, pidfd)) = (unsafe { copy_process(has_namespaces) }).map_err(|error| refused(&error))? else {
        // SAFETY: this is the new process, which owns copies of everything that `steps` points to.
        unsafe { become_server(&steps, go_read.as_raw_fd()) }
    };
    let host = Host { pidfd, pid, link, diagnostics };
    drop((null_device, their_diagnostics, their_link, their_status, go_read));
    if has_namespaces {
        map_user(pid, is_root)
            .map_err(|error| SandboxError::unavailable(Layer::Privileges, format!("mapping the user: {error}")))?;
    }
    rustix::io::write(&go_write, b"g").map_err(|error| SandboxError::engine("starting a sandbox host", error))?;
    match read_failure(&status_read).map_err(setup)? {
        None => Ok(host),
        Some((index, error)) => {
            let step = steps.get(index as usize).unwrap_or(&Step::Private);
            Err(SandboxError::unavailable(step.layer(), format!("{}: {error}", describe(step))))
        }
    }
}

fn collect<const N: usize>(descriptors: [rustix::io::Result<OwnedFd>; N]) -> rustix::io::Result<[OwnedFd; N]> {
    let list: Vec<OwnedFd> = descriptors.into_iter().collect::<Result<_, _>>()?;
    Ok(list.try_into().expect("as many descriptors as were given"))
}

fn describe(step: &Step) -> String {
    match step {
        Step::Tmpfs(path) | Step::Folder(path) | Step::File(path, _) | Step::Link { path, .. } => {
            format!("making {} in the new root", path.to_string_lossy())
        }
        Step::Bind { from, .. } => format!("showing {} in the new root", from.to_string_lossy()),
        Step::Execute { path, .. } => format!("starting {}", path.to_string_lossy()),
        other => format!("{other:?}"),
    }
}

fn refused(error: &io::Error) -> SandboxError {
    if error.raw_os_error() == Some(libc::ENOSPC) {
        let reason = "creating the namespaces: user.max_user_namespaces, or the limit of another kind, is reached";
        return SandboxError::unavailable(Layer::UserNamespace, reason);
    }
    SandboxError::unavailable(Layer::UserNamespace, format!("creating the namespaces: {error}"))
}

fn execute(executable: &str, server: &str) -> Step {
    let text = |text: &str| CString::new(text).expect("our own strings and resolved paths hold no NUL");
    let environment = [
        "PATH=/usr/bin:/bin",
        "HOME=/nonexistent",
        "TMPDIR=/tmp",
        "LC_ALL=C.UTF-8",
        "TZ=UTC",
        "PYTHONHASHSEED=0",
        "PYTHONDONTWRITEBYTECODE=1",
        "PYTHONNOUSERSITE=1",
        "PYTHONSAFEPATH=1",
        "MALLOC_ARENA_MAX=2",
    ];
    // Not -I: it would ignore the hash seed. The environment is ours, so there is nothing else for it to ignore.
    let arguments = [executable, "-s", "-S", "-B", "-c", server];
    Step::Execute {
        path: text(executable),
        arguments: Pointers::new(arguments.map(text).into()),
        environment: Pointers::new(environment.map(text).into()),
    }
}

fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType};
    Ok(rustix::net::socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}

/// What a failed step wrote: its index and the system's answer. Nothing means that the interpreter was started.
fn read_failure(status: &OwnedFd) -> io::Result<Option<(u32, io::Error)>> {
    let mut report = [0_u8; 8];
    let mut length = 0;
    while length < report.len() {
        match rustix::io::retry_on_intr(|| rustix::io::read(status, &mut report[length..]))? {
            0 if length == 0 => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => length += count,
        }
    }
    let [a, b, c, d, e, f, g, h] = report;
    let error = io::Error::from_raw_os_error(i32::from_ne_bytes([e, f, g, h]));
    Ok(Some((u32::from_ne_bytes([a, b, c, d]), error)))
}

/// Gives the new user namespace its one user and group, and makes it the first to go when the machine runs out of memory.
fn map_user(pid: i32, is_root: bool) -> io::Result<()> {
    let (user, group) = if is_root {
        (NOBODY, NOBODY)
    } else {
        (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
    };
    let write = |name: &str, text: &str| std::fs::write(format!("/proc/{pid}/{name}"), text);
    // A kernel that does not let us prefer the sandbox as a victim still isolates it.
    let _ = write("oom_score_adj", "500");
    if !is_root {
        write("setgroups", "deny")?;
    }
    write("gid_map", &format!("{INNER_ID} {group} 1"))?;
    write("uid_map", &format!("{INNER_ID} {user} 1"))
}

/// Copies this process, into new namespaces where they are wanted. `None` is the copy.
///
/// # Safety
///
/// The copy has one thread and whatever state the locks of the others were in: it may only make system calls.
unsafe fn copy_process(into_namespaces: bool) -> io::Result<Option<(i32, OwnedFd)>> {
    let mut pidfd: RawFd = -1;
    let namespaces = libc::CLONE_NEWUSER
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP;
    let flags = libc::CLONE_PIDFD | if into_namespaces { namespaces } else { 0 };
    // SAFETY: clone_args is plain numbers, for which all zeros is the documented default.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = flags as u64;
    arguments.pidfd = (&raw mut pidfd) as u64;
    arguments.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: the structure and the place for the pidfd outlive the call; without CLONE_VM the copy has its own stack.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<libc::clone_args>()) };
    match pid {
        0 => Ok(None),
        pid if pid > 0 => {
            // SAFETY: the kernel has just opened this descriptor for us.
            Ok(Some((pid as i32, unsafe { OwnedFd::from_raw_fd(pidfd) })))
        }
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits for the word to go, carries out the steps, and reports the first that fails.
///
/// # Safety
///
/// Only in a process just made by `copy_process`.
unsafe fn become_server(steps: &[Step], go: RawFd) -> ! {
    let mut status = -1;
    for step in steps {
        if let Step::Descriptors { status: number, .. } = step {
            status = *number;
        }
    }
    let mut byte = 0_u8;
    // SAFETY: system calls on our own descriptors and memory; the process ends here or in `execve`.
    unsafe {
        while libc::read(go, (&raw mut byte).cast(), 1) != 1 {
            if *libc::__errno_location() != libc::EINTR {
                libc::_exit(1);
            }
        }
        for (index, step) in steps.iter().enumerate() {
            let failed = !perform(step);
            if failed {
                let error = *libc::__errno_location();
                // After the descriptors were moved, the status pipe is number 4.
                let index = index as u32;
                for number in [status, MOVED_STATUS] {
                    if libc::write(number, (&raw const index).cast(), 4) == 4 {
                        libc::write(number, (&raw const error).cast(), 4);
                        break;
                    }
                }
                libc::_exit(1);
            }
        }
        libc::_exit(1)
    }
}

const MOVED_STATUS: RawFd = 4;

/// One step; false when the kernel refused it, with the reason in `errno`.
///
/// # Safety
///
/// As `become_server`. User and group calls go to the kernel directly: the C library's would look for the other threads.
unsafe fn perform(step: &Step) -> bool {
    // SAFETY: every pointer comes from a string or a structure that lives as long as `step` or this call.
    unsafe {
        match step {
            Step::Private => libc::mount(null(), c"/".as_ptr(), null(), libc::MS_REC | libc::MS_PRIVATE, null()) == 0,
            Step::Tmpfs(path) => {
                let options = c"size=1m,nr_inodes=256,mode=0755".as_ptr().cast();
                let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
                libc::mount(c"root".as_ptr(), path.as_ptr(), c"tmpfs".as_ptr(), flags, options) == 0
            }
            Step::Folder(path) => libc::mkdir(path.as_ptr(), 0o755) == 0 || *libc::__errno_location() == libc::EEXIST,
            Step::File(path, content) => write_file(path, content),
            Step::Link { to, path } => libc::symlink(to.as_ptr(), path.as_ptr()) == 0,
            Step::Bind { from, onto, device } => bind(from, onto, *device),
            Step::EnterRoot => {
                libc::chdir(STAGING.as_ptr()) == 0
                    && libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) == 0
                    && libc::umount2(c".".as_ptr(), libc::MNT_DETACH) == 0
                    && libc::chdir(c"/".as_ptr()) == 0
            }
            Step::SealRoot => set_mount_attributes(c"/", libc::MOUNT_ATTR_RDONLY, 0),
            Step::HostName => libc::sethostname(HOST_NAME.as_ptr(), HOST_NAME.count_bytes()) == 0,
            Step::Loopback => bring_loopback_up(),
            Step::User { drop_groups } => become_inner_user(*drop_groups),
            Step::PlainUser { drop_groups } => become_nobody(*drop_groups),
            Step::Capabilities => keep_only_mounting(),
            Step::NoNewPrivileges => libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0,
            Step::DieWithParent => {
                libc::syscall(libc::SYS_setsid) >= 0 && libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) == 0
            }
            Step::Signals => reset_signals(),
            Step::Descriptors { null, diagnostics, link, status } => {
                libc::dup2(*null, 0) >= 0
                    && libc::dup2(*null, 1) >= 0
                    && libc::dup2(*diagnostics, 2) >= 0
                    && libc::dup2(*link, 3) >= 0
                    && libc::dup3(*status, MOVED_STATUS, libc::O_CLOEXEC) >= 0
                    && libc::syscall(libc::SYS_close_range, MOVED_STATUS + 1, u32::MAX, 0) == 0
            }
            Step::Execute { path, arguments, environment } => {
                libc::execve(path.as_ptr(), arguments.list.as_ptr(), environment.list.as_ptr()) == 0
            }
        }
    }
}

/// # Safety
///
/// As `perform`.
unsafe fn write_file(path: &CStr, content: &[u8]) -> bool {
    // SAFETY: the path and the content are ours and have the lengths given.
    unsafe {
        let file = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CREAT | libc::O_CLOEXEC, 0o644);
        file >= 0
            && libc::write(file, content.as_ptr().cast(), content.len()) == content.len() as isize
            && libc::close(file) == 0
    }
}

/// Shows a folder or file of the host, read-only with everything mounted below it.
///
/// # Safety
///
/// As `perform`.
unsafe fn bind(from: &CStr, onto: &CStr, device: bool) -> bool {
    let attributes = libc::MOUNT_ATTR_RDONLY
        | libc::MOUNT_ATTR_NOSUID
        | if device { libc::MOUNT_ATTR_NOEXEC } else { libc::MOUNT_ATTR_NODEV };
    // SAFETY: both paths live through the calls.
    unsafe {
        libc::mount(from.as_ptr(), onto.as_ptr(), null(), libc::MS_BIND | libc::MS_REC, null()) == 0
            && set_mount_attributes(onto, attributes, libc::AT_RECURSIVE)
    }
}

/// # Safety
///
/// As `perform`.
unsafe fn set_mount_attributes(path: &CStr, attributes: u64, flags: i32) -> bool {
    let request = [attributes, 0, 0, 0_u64];
    // SAFETY: the request has the layout and size of the kernel's mount_attr.
    unsafe {
        let size = size_of_val(&request);
        libc::syscall(libc::SYS_mount_setattr, libc::AT_FDCWD, path.as_ptr(), flags, request.as_ptr(), size) == 0
    }
}

/// # Safety
///
/// As `perform`.
unsafe fn become_inner_user(drop_groups: bool) -> bool {
    let id = INNER_ID;
    // SAFETY: calls with numbers only.
    unsafe {
        libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0
            && (!drop_groups || libc::syscall(libc::SYS_setgroups, 0, null_mut::<libc::gid_t>()) == 0)
            && libc::syscall(libc::SYS_setresgid, id, id, id) == 0
            && libc::syscall(libc::SYS_setresuid, id, id, id) == 0
            && raise_all_capabilities()
    }
}

/// Leaves root for good, where there is no namespace to leave it in.
///
/// # Safety
///
/// As `perform`.
unsafe fn become_nobody(drop_groups: bool) -> bool {
    let id = NOBODY;
    // SAFETY: calls with numbers only.
    unsafe {
        (!drop_groups || libc::syscall(libc::SYS_setgroups, 0, null_mut::<libc::gid_t>()) == 0)
            && libc::syscall(libc::SYS_setresgid, id, id, id) == 0
            && libc::syscall(libc::SYS_setresuid, id, id, id) == 0
    }
}

/// Starts the one device of the new network namespace: it leads nowhere but back.
///
/// # Safety
///
/// As `perform`.
unsafe fn bring_loopback_up() -> bool {
    // SAFETY: the request is local, zeroed, and of the kernel's layout; its name is shorter than the field.
    unsafe {
        let socket = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        socket >= 0
            && libc::ioctl(socket, libc::SIOCSIFFLAGS as libc::Ioctl, &raw const request) == 0
            && libc::close(socket) == 0
    }
}

#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: i32,
}

/// Effective, permitted and inheritable sets; two of each, for capabilities 0 to 31 and the rest.
type CapabilitySets = [[u32; 3]; 2];

/// # Safety
///
/// As `perform`.
unsafe fn set_capabilities(sets: &CapabilitySets) -> bool {
    let header = CapabilityHeader { version: 0x2008_0522, pid: 0 };
    // SAFETY: header and sets have the kernel's layout for this version.
    unsafe { libc::syscall(libc::SYS_capset, &raw const header, sets.as_ptr()) == 0 }
}

/// Changing the user took the permitted capabilities out of the effective set; mounting needs them back.
///
/// # Safety
///
/// As `perform`.
unsafe fn raise_all_capabilities() -> bool {
    let header = CapabilityHeader { version: 0x2008_0522, pid: 0 };
    let mut sets: CapabilitySets = [[0; 3]; 2];
    // SAFETY: header and sets have the kernel's layout for this version.
    unsafe {
        if libc::syscall(libc::SYS_capget, &raw const header, sets.as_mut_ptr()) != 0 {
            return false;
        }
        for set in &mut sets {
            set[0] = set[1];
        }
        set_capabilities(&sets)
    }
}

/// Keeps CAP_SYS_ADMIN over the host's own namespaces through `execve`, and nothing else.
///
/// # Safety
///
/// As `perform`.
unsafe fn keep_only_mounting() -> bool {
    let one = 1 << CAP_SYS_ADMIN;
    // SAFETY: calls with numbers and a structure of our own.
    unsafe {
        set_capabilities(&[[one; 3], [0; 3]])
            && libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN, 0, 0) == 0
    }
}

/// Undoes what the supervisor may have set: a blocked mask and ignored signals survive `execve`.
///
/// # Safety
///
/// As `perform`.
unsafe fn reset_signals() -> bool {
    // SAFETY: the set and the action are local and initialised by zeroing, which means "empty" and "default".
    unsafe {
        let none: libc::sigset_t = std::mem::zeroed();
        let default: libc::sigaction = std::mem::zeroed();
        for signal in 1..32 {
            // SIGKILL and SIGSTOP refuse, and need no reset.
            libc::sigaction(signal, &raw const default, null_mut());
        }
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, null_mut()) == 0
    }
}

/// The version of the kernel's Landlock interface, 0 where there is none.
pub(crate) fn landlock_abi() -> u32 {
    const VERSION: u32 = 1;
    // SAFETY: with this flag the call takes no memory and only answers a number.
    let answer = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, null::<u8>(), 0, VERSION) };
    u32::try_from(answer).unwrap_or(0)
}
