# Run as a program inside the sandbox: reports what it could do that it must not. Whoever reads the report decides outside.
import ctypes
import errno
import importlib
import json
import os
import resource
import socket
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
question = json.load(sys.stdin)


def answer(function, *arguments):
    """0 when it worked, else the error number."""
    try:
        function(*arguments)
    except OSError as error:
        return error.errno
    return 0


def system_call(number):
    zero = ctypes.c_long(0)
    return ctypes.get_errno() if libc.syscall(ctypes.c_long(number), zero, zero, zero, zero, zero) < 0 else 0


def fork():
    if os.fork() == 0:
        os._exit(0)


def is_open(descriptor):
    return answer(os.fstat, descriptor) == 0


def imports(name):
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


capabilities = ctypes.create_string_buffer(24)
libc.capget(struct.pack("<Ii", 0x20080522, 0), capabilities)
report = {
    # First: what is tried below may open some.
    "descriptors": [number for number in range(128) if is_open(number)],
    "user": [os.getuid(), os.geteuid(), os.getgid(), os.getegid()],
    "no_capabilities": capabilities.raw == bytes(24),
    "no_new_privileges": libc.prctl(39, 0, 0, 0, 0) == 1,
    "pid": os.getpid(),
    "kill_all": answer(os.kill, -1, 0),
    "kill_parent": answer(os.kill, os.getppid(), 0),
    "sees_marker": os.path.exists(question["marker"]),
    "sees_marker_content": answer(os.open, question["marker"], os.O_RDONLY) == 0,
    "write_root": answer(os.mkdir, "/new"),
    "write_scratch": answer(os.mkdir, "new"),
    "write_device": answer(os.open, "/dev/full", os.O_WRONLY),
    "host_name": os.uname().nodename,
    "socket": answer(socket.socket, socket.AF_INET, socket.SOCK_STREAM),
    "fork": answer(fork),
    "refused_calls": [system_call(number) for number in question["calls"]],
    "limits": [
        resource.getrlimit(kind)[1]
        for kind in (resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_NOFILE)
    ],
    "missing_modules": [name for name in question["modules"] if not imports(name)],
    "refused": errno.EPERM,
}
os.write(3, json.dumps(report).encode())
