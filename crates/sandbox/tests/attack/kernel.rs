//! Asking the kernel for what a program has no business with.

use crate::{attack, attack_report, program};
use codeward_sandbox::{End, Program};

#[test]
fn no_family_of_sockets_can_be_made() {
    let source = "
import socket
made = []
for family in ('AF_INET', 'AF_INET6', 'AF_UNIX', 'AF_NETLINK', 'AF_PACKET', 'AF_VSOCK', 'AF_ALG', 'AF_BLUETOOTH', 'AF_CAN'):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):
        number = getattr(socket, family, None)
        if number is None:
            continue
        try:
            socket.socket(number, kind).close()
            made.append(family)
        except PermissionError:
            pass
print(made)
";
    assert_eq!(attack_report(source), "[]");
}

#[test]
fn names_cannot_be_looked_up_and_addresses_not_reached() {
    let source = "
import socket, urllib.request
for try_it in (lambda: socket.getaddrinfo('example.com', 80), lambda: socket.create_connection(('1.1.1.1', 53), 1),
               lambda: urllib.request.urlopen('http://1.1.1.1/', timeout=1)):
    try:
        try_it()
        print('reached')
    except OSError:
        pass
";
    assert_eq!(attack_report(source), "");
}

/// Calls by number, each with arguments that would succeed or fail otherwise: only the filter answers EPERM to all.
const REFUSED: &str = "
import ctypes, errno, json, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
answers = {}
for name, number in json.load(sys.stdin).items():
    zero = ctypes.c_long(0)
    result = libc.syscall(ctypes.c_long(number), zero, zero, zero, zero, zero, zero)
    answers[name] = errno.errorcode.get(ctypes.get_errno(), '?') if result < 0 else 'done'
print(sorted(set(answers.values())) if len(set(answers.values())) == 1 else answers)
";

#[test]
fn dangerous_calls_are_refused() {
    let calls: std::collections::BTreeMap<&str, libc::c_long> = [
        ("ptrace", libc::SYS_ptrace),
        ("unshare", libc::SYS_unshare),
        ("setns", libc::SYS_setns),
        ("mount", libc::SYS_mount),
        ("umount2", libc::SYS_umount2),
        ("pivot_root", libc::SYS_pivot_root),
        ("chroot", libc::SYS_chroot),
        ("open_tree", libc::SYS_open_tree),
        ("move_mount", libc::SYS_move_mount),
        ("fsopen", libc::SYS_fsopen),
        ("mount_setattr", libc::SYS_mount_setattr),
        ("bpf", libc::SYS_bpf),
        ("io_uring_setup", libc::SYS_io_uring_setup),
        ("io_uring_enter", libc::SYS_io_uring_enter),
        ("io_uring_register", libc::SYS_io_uring_register),
        ("userfaultfd", libc::SYS_userfaultfd),
        ("keyctl", libc::SYS_keyctl),
        ("add_key", libc::SYS_add_key),
        ("request_key", libc::SYS_request_key),
        ("process_vm_readv", libc::SYS_process_vm_readv),
        ("process_vm_writev", libc::SYS_process_vm_writev),
        ("perf_event_open", libc::SYS_perf_event_open),
        ("kexec_load", libc::SYS_kexec_load),
        ("init_module", libc::SYS_init_module),
        ("finit_module", libc::SYS_finit_module),
        ("delete_module", libc::SYS_delete_module),
        ("personality", libc::SYS_personality),
        ("socket", libc::SYS_socket),
        ("seccomp", libc::SYS_seccomp),
        ("name_to_handle_at", libc::SYS_name_to_handle_at),
        ("open_by_handle_at", libc::SYS_open_by_handle_at),
        ("pidfd_getfd", libc::SYS_pidfd_getfd),
        ("memfd_create", libc::SYS_memfd_create),
        ("kcmp", libc::SYS_kcmp),
        ("syslog", libc::SYS_syslog),
        ("reboot", libc::SYS_reboot),
        ("swapon", libc::SYS_swapon),
        ("acct", libc::SYS_acct),
        ("settimeofday", libc::SYS_settimeofday),
        ("quotactl", libc::SYS_quotactl),
        ("shmget", libc::SYS_shmget),
        ("msgget", libc::SYS_msgget),
        ("semget", libc::SYS_semget),
        ("mq_open", libc::SYS_mq_open),
        ("fanotify_init", libc::SYS_fanotify_init),
        ("setuid", libc::SYS_setuid),
        ("setgroups", libc::SYS_setgroups),
        ("capset", libc::SYS_capset),
        ("sethostname", libc::SYS_sethostname),
        ("execve", libc::SYS_execve),
    ]
    .into();
    let stdin = serde_json::to_vec(&calls).unwrap();
    let outcome = attack(&Program { stdin, ..program(REFUSED) });
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "['EPERM']\n");
}

#[test]
fn the_same_calls_are_refused_where_processes_are_allowed() {
    let calls = serde_json::json!({"ptrace": libc::SYS_ptrace, "unshare": libc::SYS_unshare, "mount": libc::SYS_mount,
        "bpf": libc::SYS_bpf, "io_uring_setup": libc::SYS_io_uring_setup, "socket": libc::SYS_socket});
    let stdin = serde_json::to_vec(&calls).unwrap();
    let outcome = attack(&Program { stdin, processes: true, ..program(REFUSED) });
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "['EPERM']\n");
}

#[test]
fn a_new_namespace_cannot_ride_on_clone() {
    let source = format!(
        "
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
for flags in (0x10000000, 0x00020000, 0x20000000, 0x40000000):
    result = libc.syscall(ctypes.c_long({}), ctypes.c_long(flags | 17), ctypes.c_long(0), 0, 0, 0)
    if result == 0:
        libc._exit(0)
    print(result, errno.errorcode[ctypes.get_errno()])
result = libc.syscall(ctypes.c_long({}), ctypes.create_string_buffer(88), ctypes.c_long(88))
print(result, errno.errorcode[ctypes.get_errno()])
",
        libc::SYS_clone,
        libc::SYS_clone3
    );
    let expected = "-1 EPERM\n-1 EPERM\n-1 EPERM\n-1 EPERM\n-1 ENOSYS\n";
    for processes in [false, true] {
        let outcome = attack(&Program { processes, ..program(&source) });
        assert_eq!(String::from_utf8_lossy(&outcome.stdout), expected);
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_other_way_into_the_kernel_ends_the_program() {
    // int 0x80 with the 32-bit number of getpid, and the x32 number of getpid by the usual way.
    let source = "
import ctypes, mmap, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
print(libc.syscall(ctypes.c_long(0x40000000 + 39)), ctypes.get_errno(), flush=True)
page = mmap.mmap(-1, 4096, prot=7)
page.write(b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3')
function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
print(function())
";
    let outcome = attack(&program(source));
    assert_eq!(outcome.end, End::Signalled { signal: libc::SIGSYS });
    assert_eq!(outcome.stdout, b"-1 1\n");
}

#[test]
fn there_is_no_capability_to_use() {
    let source = "
import os
for try_it in (lambda: os.chown('/tmp', 0, 0), lambda: os.setuid(0), lambda: os.mknod('device', 0o20600, os.makedev(1, 3)),
               lambda: os.nice(-5), lambda: os.chroot('/tmp')):
    try:
        try_it()
        print('done')
    except OSError:
        pass
print(os.getuid(), os.geteuid(), os.getgid())
";
    assert_eq!(attack_report(source), "1000 1000 1000");
}
