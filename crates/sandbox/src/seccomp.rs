//! The system calls a program may make: an allow-list in two filters, both of which must let a call pass.
//!
//! The fork server puts itself and all its children under the long one, once: what programs may do, and what the server needs
//! to prepare them. Each child adds the short one, which takes the server's calls away again. The kernel examines every new
//! filter for every system call there is, so a long one for each child would cost a seventh of the whole run.
//!
//! Everything else fails with `EPERM`, except `clone3`, which fails with `ENOSYS` so that the C library falls back to `clone`,
//! whose flags a filter can read.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use crate::error::{Layer, SandboxError};

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
    libc::SYS_setpgid, libc::SYS_setsid, libc::SYS_getrlimit, libc::SYS_setrlimit, libc::SYS_prlimit64,
    libc::SYS_getrusage, libc::SYS_getpriority, libc::SYS_capget, libc::SYS_uname, libc::SYS_sysinfo, libc::SYS_getcpu,
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

/// Calls that only a program that may start processes makes.
#[cfg(target_arch = "x86_64")]
const PROCESS_CALLS: &[libc::c_long] = &[libc::SYS_execve, libc::SYS_execveat, libc::SYS_fork, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const PROCESS_CALLS: &[libc::c_long] = &[libc::SYS_execve, libc::SYS_execveat];

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
const DESCRIPTOR_REQUESTS: &[u64] = &[0x5401, 0x5413, 0x5421, 0x541B, 0x5450, 0x5451];

/// `PR_SET_NAME`, `PR_GET_NAME`, `PR_GET_DUMPABLE`, `PR_SET_PDEATHSIG`, `PR_GET_NO_NEW_PRIVS`, and `PR_SET_VMA`, which the
/// allocator uses.
const PROCESS_REQUESTS: &[u64] = &[15, 16, 3, 1, 39, 0x5356_4d41];

/// The request by which the server's child gives up its ambient capabilities.
const SERVER_PROCESS_REQUEST: u64 = libc::PR_CAP_AMBIENT as u64;

/// The filters in the order in which the fork server names them: for itself, the answer for `clone3` and the long list; for
/// its children, what is taken away from programs without and with leave to start processes.
pub(crate) fn filters() -> Result<[BpfProgram; 4], SandboxError> {
    let failed = |error: &dyn std::fmt::Display| SandboxError::unavailable(Layer::SystemCalls, error.to_string());
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| failed(&error))?;
    let compile = |rules: Result<Rules, _>, otherwise, matched| -> Result<BpfProgram, SandboxError> {
        let rules = rules.map_err(|error: seccompiler::BackendError| failed(&error))?;
        let filter = SeccompFilter::new(rules, otherwise, matched, arch).map_err(|error| failed(&error))?;
        BpfProgram::try_from(filter).map_err(|error| failed(&error))
    };
    let denied = SeccompAction::Errno(libc::EPERM as u32);
    let absent = SeccompAction::Errno(libc::ENOSYS as u32);
    Ok([
        compile(Ok(Rules::from([(libc::SYS_clone3, vec![])])), SeccompAction::Allow, absent)?,
        compile(allowed(), denied.clone(), SeccompAction::Allow)?,
        compile(taken_away(false), SeccompAction::Allow, denied.clone())?,
        compile(taken_away(true), SeccompAction::Allow, denied)?,
    ])
}

/// Rules by system call: the call matches when any of its rules does, or always when it has none.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// What the server or a program may do.
fn allowed() -> Result<Rules, seccompiler::BackendError> {
    let lists = [ALLOWED, ALLOWED_OLDER, PROCESS_CALLS, SERVER_CALLS, &[libc::SYS_clone]];
    let mut rules: Rules = lists.concat().into_iter().map(|number| (number, vec![])).collect();
    let requests = [PROCESS_REQUESTS, &[SERVER_PROCESS_REQUEST]].concat();
    rules.insert(libc::SYS_socketpair, equal_to_any(0, &[libc::AF_UNIX as u64])?);
    rules.insert(libc::SYS_ioctl, equal_to_any(1, DESCRIPTOR_REQUESTS)?);
    rules.insert(libc::SYS_prctl, equal_to_any(0, &requests)?);
    Ok(rules)
}

/// What of that a program may not do.
fn taken_away(processes: bool) -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = SERVER_CALLS.iter().map(|number| (*number, vec![])).collect();
    rules.insert(libc::SYS_prctl, equal_to_any(0, &[SERVER_PROCESS_REQUEST])?);
    let namespaces = NAMESPACE_FLAGS.map(|flag| masked(0, flag as u64, flag as u64));
    let mut clones = namespaces.into_iter().collect::<Result<Vec<_>, _>>()?;
    if !processes {
        rules.extend(PROCESS_CALLS.iter().map(|number| (*number, vec![])));
        clones.push(masked(0, libc::CLONE_THREAD as u64, 0)?);
    }
    rules.insert(libc::SYS_clone, clones);
    Ok(rules)
}

fn masked(argument: u8, mask: u64, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    let comparison = SeccompCmpOp::MaskedEq(mask);
    SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Qword, comparison, value)?])
}

fn equal_to_any(argument: u8, values: &[u64]) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    values.iter().map(|value| masked(argument, u64::from(u32::MAX), *value)).collect()
}

/// A filter as hexadecimal text, eight bytes an instruction, as the kernel reads it.
pub(crate) fn to_hex(filter: &BpfProgram) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(filter.len() * 16);
    for instruction in filter {
        let [a, b] = instruction.code.to_ne_bytes();
        let [c, d, e, f] = instruction.k.to_ne_bytes();
        for byte in [a, b, instruction.jt, instruction.jf, c, d, e, f] {
            write!(text, "{byte:02x}").expect("writing to a string does not fail");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_never_be_allowed_is_in_no_list() {
        let forbidden = [
            libc::SYS_ptrace,
            libc::SYS_mount,
            libc::SYS_umount2,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_bpf,
            libc::SYS_io_uring_setup,
            libc::SYS_io_uring_enter,
            libc::SYS_userfaultfd,
            libc::SYS_keyctl,
            libc::SYS_add_key,
            libc::SYS_request_key,
            libc::SYS_process_vm_readv,
            libc::SYS_process_vm_writev,
            libc::SYS_perf_event_open,
            libc::SYS_kexec_load,
            libc::SYS_init_module,
            libc::SYS_finit_module,
            libc::SYS_personality,
            libc::SYS_pivot_root,
            libc::SYS_chroot,
            libc::SYS_socket,
            libc::SYS_memfd_create,
            libc::SYS_pidfd_getfd,
            libc::SYS_open_by_handle_at,
            libc::SYS_seccomp,
            libc::SYS_fsopen,
            libc::SYS_move_mount,
            libc::SYS_open_tree,
        ];
        for processes in [false, true] {
            for number in forbidden {
                assert!(!may_always(number, processes), "system call {number}");
            }
        }
    }

    /// Whether a program may make this call, with any arguments.
    fn may_always(number: libc::c_long, processes: bool) -> bool {
        let is_allowed = allowed().unwrap().get(&number).is_some_and(Vec::is_empty);
        is_allowed && !taken_away(processes).unwrap().contains_key(&number)
    }

    #[test]
    fn starting_programs_needs_leave() {
        assert!(!may_always(libc::SYS_execve, false));
        assert!(may_always(libc::SYS_execve, true));
        assert!(may_always(libc::SYS_openat, false));
    }

    #[test]
    fn the_server_keeps_nothing_from_its_own_list_for_programs() {
        for number in SERVER_CALLS {
            assert!(allowed().unwrap()[number].is_empty());
            assert!(taken_away(true).unwrap()[number].is_empty() && taken_away(false).unwrap()[number].is_empty());
        }
    }

    #[test]
    fn filters_fit_the_kernel() {
        for filter in filters().unwrap() {
            assert!(!filter.is_empty() && filter.len() < 4096);
            assert_eq!(to_hex(&filter).len(), filter.len() * 16);
        }
    }
}
