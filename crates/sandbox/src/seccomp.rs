//! The system calls a program may make: an allow-list in two filters, both of which must let a call pass.
//!
//! The fork server puts itself and all its children under the long one, once: what any program may do, what the server needs
//! to prepare them, and what is worth hearing about. Each child adds the short one of its [`Profile`], which takes away again
//! what this kind of program may not do. The kernel examines every new filter for every system call there is, so a long one
//! for each child would cost a seventh of the whole run.
//!
//! What the short filter takes away is not simply refused: the kernel stops the caller and asks the supervisor, which writes
//! down what was tried and answers (`observe`). Calls that only need to be seen, such as opening a file, are asked about too and
//! let go on; whether they succeed is up to the mounts and Landlock. A supervisor that is gone cannot answer, and the call
//! fails. Everything in neither list fails with `EPERM`, except `clone3`, which fails with `ENOSYS` so that the C library falls
//! back to `clone`, whose flags a filter can read.

use crate::bpf::{Instruction, Masked, Rules, compile};

/// Calls that any program may make with any arguments.
#[rustfmt::skip]
const ALLOWED: &[libc::c_long] = &[
    // Memory.
    libc::SYS_brk, libc::SYS_mmap, libc::SYS_munmap, libc::SYS_mremap, libc::SYS_mprotect, libc::SYS_madvise,
    libc::SYS_msync, libc::SYS_mincore, libc::SYS_mlock, libc::SYS_munlock, libc::SYS_membarrier,
    // Files, as far as Landlock and the mounts let them.
    libc::SYS_openat, libc::SYS_openat2, libc::SYS_close, libc::SYS_close_range, libc::SYS_read, libc::SYS_write,
    libc::SYS_readv, libc::SYS_writev, libc::SYS_pread64, libc::SYS_pwrite64, libc::SYS_preadv, libc::SYS_pwritev,
    libc::SYS_preadv2, libc::SYS_pwritev2, libc::SYS_lseek, libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_statx,
    libc::SYS_statfs, libc::SYS_fstatfs, libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_getdents64, libc::SYS_getcwd,
    libc::SYS_chdir, libc::SYS_fchdir, libc::SYS_renameat, libc::SYS_renameat2, libc::SYS_mkdirat, libc::SYS_mknodat,
    libc::SYS_linkat, libc::SYS_symlinkat, libc::SYS_unlinkat, libc::SYS_readlinkat, libc::SYS_fchmod, libc::SYS_fchmodat,
    libc::SYS_fchown, libc::SYS_fchownat, libc::SYS_utimensat, libc::SYS_umask, libc::SYS_truncate, libc::SYS_ftruncate,
    libc::SYS_fallocate, libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_flock, libc::SYS_fcntl, libc::SYS_fadvise64,
    libc::SYS_dup, libc::SYS_dup3, libc::SYS_sendfile, libc::SYS_copy_file_range, libc::SYS_splice, libc::SYS_tee,
    libc::SYS_getxattr, libc::SYS_lgetxattr, libc::SYS_fgetxattr, libc::SYS_listxattr, libc::SYS_llistxattr,
    libc::SYS_flistxattr,
    // Waiting, and talking among its own threads and processes.
    libc::SYS_pipe2, libc::SYS_ppoll, libc::SYS_pselect6, libc::SYS_epoll_create1, libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait, libc::SYS_eventfd2, libc::SYS_timerfd_create, libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime, libc::SYS_signalfd4, libc::SYS_sendto, libc::SYS_recvfrom, libc::SYS_sendmsg,
    libc::SYS_recvmsg, libc::SYS_shutdown, libc::SYS_getsockopt, libc::SYS_setsockopt, libc::SYS_getsockname,
    libc::SYS_getpeername, libc::SYS_futex, libc::SYS_set_robust_list, libc::SYS_get_robust_list, libc::SYS_rseq,
    // Signals and timers.
    libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn, libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigpending, libc::SYS_rt_sigtimedwait, libc::SYS_sigaltstack, libc::SYS_kill, libc::SYS_tkill,
    libc::SYS_tgkill, libc::SYS_pidfd_open, libc::SYS_pidfd_send_signal, libc::SYS_getitimer, libc::SYS_setitimer,
    libc::SYS_timer_create, libc::SYS_timer_settime, libc::SYS_timer_gettime, libc::SYS_timer_delete,
    libc::SYS_timer_getoverrun, libc::SYS_restart_syscall,
    // Time and chance.
    libc::SYS_clock_gettime, libc::SYS_clock_getres, libc::SYS_clock_nanosleep, libc::SYS_nanosleep,
    libc::SYS_gettimeofday, libc::SYS_times, libc::SYS_getrandom,
    // What it is.
    libc::SYS_getpid, libc::SYS_getppid, libc::SYS_gettid, libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid,
    libc::SYS_getegid, libc::SYS_getresuid, libc::SYS_getresgid, libc::SYS_getgroups, libc::SYS_getpgid, libc::SYS_getsid,
    libc::SYS_setpgid, libc::SYS_setsid, libc::SYS_getrlimit, libc::SYS_setrlimit, libc::SYS_getrusage,
    libc::SYS_getpriority, libc::SYS_capget, libc::SYS_uname, libc::SYS_sysinfo, libc::SYS_getcpu,
    libc::SYS_sched_yield, libc::SYS_sched_getaffinity, libc::SYS_sched_getparam, libc::SYS_sched_getscheduler,
    libc::SYS_set_tid_address, libc::SYS_wait4, libc::SYS_waitid, libc::SYS_exit, libc::SYS_exit_group,
    // Answered by a filter of its own.
    libc::SYS_clone3,
];

/// The same, by their older names, which only x86-64 has.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const ALLOWED_OLDER: &[libc::c_long] = &[
    libc::SYS_open, libc::SYS_creat, libc::SYS_stat, libc::SYS_lstat, libc::SYS_access, libc::SYS_getdents,
    libc::SYS_rename, libc::SYS_mkdir, libc::SYS_rmdir, libc::SYS_mknod, libc::SYS_link, libc::SYS_symlink,
    libc::SYS_unlink, libc::SYS_readlink, libc::SYS_chmod, libc::SYS_chown, libc::SYS_lchown, libc::SYS_utime,
    libc::SYS_utimes, libc::SYS_futimesat, libc::SYS_dup2, libc::SYS_pipe, libc::SYS_poll, libc::SYS_select,
    libc::SYS_epoll_create, libc::SYS_epoll_wait, libc::SYS_eventfd, libc::SYS_signalfd, libc::SYS_alarm, libc::SYS_pause,
    libc::SYS_time, libc::SYS_getpgrp, libc::SYS_arch_prctl,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_OLDER: &[libc::c_long] = &[];

/// Calls that start programs.
pub(crate) const EXECUTE_CALLS: [libc::c_long; 2] = [libc::SYS_execve, libc::SYS_execveat];

/// Calls other than `clone` that start processes.
#[cfg(target_arch = "x86_64")]
pub(crate) const FORK_CALLS: &[libc::c_long] = &[libc::SYS_fork, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
pub(crate) const FORK_CALLS: &[libc::c_long] = &[];

/// Calls that open files by name.
#[cfg(target_arch = "x86_64")]
pub(crate) const OPEN_CALLS: &[libc::c_long] = &[libc::SYS_openat, libc::SYS_openat2, libc::SYS_open, libc::SYS_creat];
#[cfg(not(target_arch = "x86_64"))]
pub(crate) const OPEN_CALLS: &[libc::c_long] = &[libc::SYS_openat, libc::SYS_openat2];

/// Calls by which a socket comes to be and reaches somebody.
const SOCKET_CALLS: [libc::c_long; 3] = [libc::SYS_socket, libc::SYS_connect, libc::SYS_bind];

/// What a program needs besides when it may use the loopback network.
const SERVICE_CALLS: [libc::c_long; 3] = [libc::SYS_listen, libc::SYS_accept, libc::SYS_accept4];

/// Calls that only the fork server makes, and its child before the program starts.
const SERVER_CALLS: &[libc::c_long] = &[
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_capset,
    libc::SYS_seccomp,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_restrict_self,
];

/// Calls that no program has a reason to make: refused in any case, and asked about so that the attempt has a name.
const FORBIDDEN_CALLS: &[libc::c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_memfd_create,
    libc::SYS_open_by_handle_at,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_fsopen,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_mount_setattr,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
];

/// Calls that change permissions, owners and times of files, about which Landlock says nothing: where programs share their user
/// with others and see the host's own files, nobody makes them.
#[rustfmt::skip]
const ATTRIBUTE_CALLS: &[libc::c_long] = &[
    libc::SYS_fchmod, libc::SYS_fchmodat, libc::SYS_fchown, libc::SYS_fchownat, libc::SYS_utimensat,
    #[cfg(target_arch = "x86_64")] libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")] libc::SYS_chown,
    #[cfg(target_arch = "x86_64")] libc::SYS_lchown,
    #[cfg(target_arch = "x86_64")] libc::SYS_utime,
    #[cfg(target_arch = "x86_64")] libc::SYS_utimes,
    #[cfg(target_arch = "x86_64")] libc::SYS_futimesat,
];

/// Which of the short filters a program runs under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// One process with threads. Whether it may become another program, once, is the observer's answer.
    Single,
    /// Starts processes, such as a shell; every program it starts is seen.
    Processes,
    /// A compiler: starts processes and opens files by the hundred, of which nobody needs to hear.
    Compiler,
}

impl Profile {
    const ALL: [Self; 3] = [Self::Single, Self::Processes, Self::Compiler];

    /// The place of its filter among those the fork server is given.
    pub(crate) fn index(self, can_ask: bool) -> usize {
        FIRST_PROGRAM_FILTER + self as usize + if can_ask { 0 } else { Self::ALL.len() }
    }
}

/// The filters before it are the server's own.
const FIRST_PROGRAM_FILTER: usize = 2;

/// The flags of `clone` that make namespaces.
const NAMESPACE_FLAGS: [i32; 7] = [
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWUTS,
];

/// Requests about a descriptor that ordinary libraries make: terminal settings, window size, close-on-exec, blocking, length.
const DESCRIPTOR_REQUESTS: &[u32] = &[0x5401, 0x5413, 0x5421, 0x541B, 0x5450, 0x5451];

/// `PR_SET_NAME`, `PR_GET_NAME`, `PR_GET_DUMPABLE`, `PR_GET_NO_NEW_PRIVS`, and `PR_SET_VMA`, which the allocator uses.
const PROCESS_REQUESTS: &[u32] = &[15, 16, 3, 39, 0x5356_4d41];

/// The request by which the server's child ties its life to the server's.
const SERVER_PROCESS_REQUESTS: [u32; 1] = [libc::PR_SET_PDEATHSIG as u32];

/// The request by which our own code inside a program tells the observer something: a pointer and a length follow. It is no
/// request the kernel knows.
pub(crate) const TELL: u32 = 0x4357_0001;

/// The filters in the order in which the fork server names them: for itself, the answer for `clone3` and the long list; for
/// its children, one for each [`Profile`], and the same three again for hosts where nobody can be asked.
pub(crate) fn filters(has_namespaces: bool) -> Vec<Vec<Instruction>> {
    let absent = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
    let mut filters = vec![
        compile(&Rules::from([(libc::SYS_clone3, vec![])]), absent, libc::SECCOMP_RET_ALLOW),
        compile(&allowed(has_namespaces), libc::SECCOMP_RET_ALLOW, DENIED),
    ];
    for profile in Profile::ALL {
        let mut rules = taken_away(profile);
        rules.extend(watched(profile));
        filters.push(compile(&rules, libc::SECCOMP_RET_USER_NOTIF, libc::SECCOMP_RET_ALLOW));
    }
    for profile in Profile::ALL {
        let mut rules = taken_away(profile);
        if profile == Profile::Single {
            rules.extend(EXECUTE_CALLS.map(|number| (number, vec![])));
        }
        filters.push(compile(&rules, DENIED, libc::SECCOMP_RET_ALLOW));
    }
    filters
}

/// The answer `EPERM`.
const DENIED: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;

/// What the server or any program may do, and what is left to the short filter to ask about.
fn allowed(has_namespaces: bool) -> Rules {
    let lists = [
        ALLOWED,
        ALLOWED_OLDER,
        &EXECUTE_CALLS,
        FORK_CALLS,
        &SOCKET_CALLS,
        &SERVICE_CALLS,
        SERVER_CALLS,
        FORBIDDEN_CALLS,
        &[libc::SYS_clone],
    ];
    let mut rules: Rules = lists.concat().into_iter().map(|number| (number, vec![])).collect();
    let requests = [PROCESS_REQUESTS, &SERVER_PROCESS_REQUESTS, &[TELL]].concat();
    rules.insert(libc::SYS_socketpair, equal_to_any(0, &[libc::AF_UNIX as u32]));
    rules.insert(libc::SYS_ioctl, equal_to_any(1, DESCRIPTOR_REQUESTS));
    rules.insert(libc::SYS_prctl, equal_to_any(0, &requests));
    // Its own limits: without namespaces a program has the same user as others, and could set theirs.
    rules.insert(libc::SYS_prlimit64, equal_to_any(0, &[0]));
    if !has_namespaces {
        rules.retain(|number, _| !ATTRIBUTE_CALLS.contains(number));
    }
    rules
}

/// What of that a program of this profile may not do.
fn taken_away(profile: Profile) -> Rules {
    let never = [SERVER_CALLS, FORBIDDEN_CALLS, &SOCKET_CALLS[..1]].concat();
    let mut rules: Rules = never.into_iter().map(|number| (number, vec![])).collect();
    rules.insert(libc::SYS_prctl, equal_to_any(0, &[&SERVER_PROCESS_REQUESTS[..], &[TELL]].concat()));
    let mut clones: Vec<Masked> = NAMESPACE_FLAGS.map(|flag| masked(0, flag as u32, flag as u32)).into();
    if profile == Profile::Single {
        rules.extend(FORK_CALLS.iter().map(|number| (*number, vec![])));
        clones.push(masked(0, libc::CLONE_THREAD as u32, 0));
    }
    rules.insert(libc::SYS_clone, clones);
    rules
}

/// What of the rest is worth hearing about.
fn watched(profile: Profile) -> Rules {
    let lists = match profile {
        Profile::Single | Profile::Processes => [&EXECUTE_CALLS[..], &SOCKET_CALLS, OPEN_CALLS],
        Profile::Compiler => [&SOCKET_CALLS[..], &[], &[]],
    };
    lists.concat().into_iter().map(|number| (number, vec![])).collect()
}

fn masked(argument: u8, mask: u32, value: u32) -> Masked {
    Masked { argument, mask, value }
}

fn equal_to_any(argument: u8, values: &[u32]) -> Vec<Masked> {
    values.iter().map(|value| masked(argument, u32::MAX, *value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bpf::tests::answer_to;
    use crate::bpf::to_hex;

    #[test]
    fn what_must_never_be_allowed_is_taken_away_from_every_profile() {
        let forbidden = [SERVER_CALLS, FORBIDDEN_CALLS, &[libc::SYS_socket]].concat();
        for profile in Profile::ALL {
            for number in &forbidden {
                assert!(!may_always(*number, profile), "system call {number}");
            }
        }
        let beyond =
            [libc::SYS_personality, libc::SYS_kexec_file_load, libc::SYS_swapon, libc::SYS_syslog, libc::SYS_quotactl];
        for number in beyond {
            assert!(!allowed(true).contains_key(&number), "system call {number}");
        }
    }

    /// Whether a program may make this call, with any arguments, without anybody being asked.
    fn may_always(number: libc::c_long, profile: Profile) -> bool {
        let is_allowed = allowed(true).get(&number).is_some_and(Vec::is_empty);
        is_allowed && !taken_away(profile).contains_key(&number)
    }

    #[test]
    fn starting_processes_needs_leave() {
        for number in FORK_CALLS {
            assert!(!may_always(*number, Profile::Single));
            assert!(may_always(*number, Profile::Processes));
        }
        assert!(may_always(libc::SYS_openat, Profile::Single));
    }

    #[test]
    fn without_namespaces_attributes_of_files_stay_as_they_are() {
        let (with, without) = (allowed(true), allowed(false));
        assert!(ATTRIBUTE_CALLS.iter().all(|number| with.contains_key(number) && !without.contains_key(number)));
        assert_eq!(with.len() - without.len(), ATTRIBUTE_CALLS.len());
    }

    const ASKED: u32 = libc::SECCOMP_RET_USER_NOTIF;
    const ALLOWED: u32 = libc::SECCOMP_RET_ALLOW;

    /// What the kernel does with a call of a program: of all filters' answers the strictest.
    fn fate(profile: Profile, can_ask: bool, number: libc::c_long, arguments: [u64; 6]) -> u32 {
        let filters = filters(true);
        // Strictness is the order of the actions as signed numbers.
        let answers = [0, 1, profile.index(can_ask)].map(|at| answer_to(&filters[at], number as u32, arguments));
        answers.into_iter().min_by_key(|answer| (*answer & 0xffff_0000) as i32).unwrap()
    }

    #[test]
    fn every_call_of_a_program_meets_its_fate() {
        let thread = [(libc::CLONE_THREAD | libc::CLONE_VM) as u64, 0, 0, 0, 0, 0];
        let process = [libc::SIGCHLD as u64, 0, 0, 0, 0, 0];
        let namespace = [libc::CLONE_NEWUSER as u64 | thread[0], 0, 0, 0, 0, 0];
        for profile in Profile::ALL {
            let starts = if profile == Profile::Single { (ASKED, DENIED) } else { (ALLOWED, ALLOWED) };
            for (can_ask, start) in [(true, starts.0), (false, starts.1)] {
                let refused = if can_ask { ASKED } else { DENIED };
                let cases = [
                    (libc::SYS_clone, thread, ALLOWED),
                    (libc::SYS_clone, process, start),
                    (libc::SYS_clone, namespace, refused),
                    (libc::SYS_prctl, [u64::from(TELL), 0, 0, 0, 0, 0], refused),
                    (libc::SYS_prctl, [libc::PR_SET_NAME as u64, 0, 0, 0, 0, 0], ALLOWED),
                    (libc::SYS_prctl, [libc::PR_SET_SECCOMP as u64, 0, 0, 0, 0, 0], DENIED),
                    (libc::SYS_prlimit64, [0; 6], ALLOWED),
                    (libc::SYS_prlimit64, [7, 0, 0, 0, 0, 0], DENIED),
                    (libc::SYS_ptrace, [0; 6], refused),
                    (libc::SYS_read, [0; 6], ALLOWED),
                    (libc::SYS_swapon, [0; 6], DENIED),
                    (libc::SYS_clone3, [0; 6], libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
                ];
                for (number, arguments, wanted) in cases {
                    let seen = fate(profile, can_ask, number, arguments);
                    assert_eq!(seen, wanted, "{profile:?}, asked {can_ask}, call {number} {arguments:?}");
                }
            }
        }
    }

    #[test]
    fn filters_fit_the_kernel() {
        for filter in filters(true) {
            assert!(!filter.is_empty() && filter.len() < 4096);
            assert_eq!(to_hex(&filter).len(), filter.len() * 16);
        }
    }
}
