"""The warmed interpreter inside one sandbox host: it forks one child per program and never reads a program itself.

It is process 1 of the host's pid namespace, with CAP_SYS_ADMIN over the host's own user namespace and nothing else. For each
job it mounts a fresh scratch folder, forks into a new pid namespace, hands the supervisor a pidfd and the scratch folder's
descriptor, and reports how the child ended. Only the child reads the job, after the fork; it confines itself, says so on the
status pipe, closes that pipe, and only then compiles and runs the program.

Messages on descriptor 3 (one packet each):
  in   first the configuration (JSON), then jobs: six numbers, with the descriptors job, stdin, stdout, stderr, channel, status
  out  R + JSON (ready), S with pidfd and scratch (started), D + how it ended, E + text (set-up failed, nothing was run)
"""

import ctypes
import gc
import json
import os
import random
import resource
import select
import socket
import struct
import sys
import threading
import types

SOCKET = 3
STATUS = 4
SCRATCH = "/tmp"
JOB = struct.Struct("<6Q")
ENDED = struct.Struct("<iqqQ")
CAPABILITY_VERSION_3 = 0x20080522
CLONE_NEWPID = 0x20000000
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MNT_DETACH = 2
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
SECCOMP_SET_MODE_FILTER = 1
# Threads share one count with processes, so a program that may not fork still needs room for threads.
THREADS_WITHOUT_PROCESSES = 64
DESCRIPTORS = 128
# Timers count as queued signals, and all hosts of one user draw on the same number.
QUEUED_SIGNALS = 256
THREAD_STACK = 2 << 20

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


class SetupError(Exception):
    """A step that must succeed before a program may run did not."""


def call(step, number, *arguments):
    """One system call; raises with the step's name when the kernel refuses it."""
    longs = [ctypes.c_long(item) if isinstance(item, int) else item for item in arguments]
    result = libc.syscall(ctypes.c_long(number), *longs)
    if result < 0:
        raise SetupError(step + ": " + os.strerror(ctypes.get_errno()))
    return result


def warm(names):
    """Imports what programs commonly use; a module this interpreter lacks is the program's business, not ours."""
    found = []
    for name in names:
        try:
            __import__(name)
        except ImportError:
            continue
        found.append(name)
    return found


class Host:
    """What stays the same for every program: filters, Landlock rules, and the way back to our own pid namespace."""

    def __init__(self, config):
        self.numbers = config["numbers"]
        self.filters = [self.load_filter(text) for text in config["filters"]]
        self.landlock = struct.pack("<3Q", *config["landlock"]["handled"])[: config["landlock"]["size"]]
        self.scratch_rights = config["landlock"]["scratch"]
        self.rules = [
            (os.open(path, os.O_PATH | os.O_CLOEXEC), rights) for path, rights in config["landlock"]["rules"]
        ]
        self.execute = config["landlock"]["execute"]
        self.own_namespace = os.pidfd_open(os.getpid())

    @staticmethod
    def load_filter(text):
        """A filter program as the kernel wants it: a count and a pointer. The buffer must live as long as the server."""
        code = ctypes.create_string_buffer(bytes.fromhex(text), len(text) // 2)
        header = struct.pack("HxxxxxxP", len(text) // 16, ctypes.addressof(code))
        return ctypes.create_string_buffer(header, len(header)), code

    def mount_scratch(self, num_bytes):
        options = "size=%d,nr_inodes=1024,mode=0700,uid=%d,gid=%d" % (num_bytes, os.getuid(), os.getgid())
        call(
            "scratch mount", self.numbers["mount"], ctypes.c_char_p(b"scratch"), ctypes.c_char_p(SCRATCH.encode()),
            ctypes.c_char_p(b"tmpfs"), MS_NOSUID | MS_NODEV | MS_NOEXEC, ctypes.c_char_p(options.encode()),
        )  # fmt: skip

    def unmount_scratch(self):
        call("scratch unmount", self.numbers["umount2"], ctypes.c_char_p(SCRATCH.encode()), MNT_DETACH)

    def fork(self):
        """Forks into a new pid namespace and returns to our own, so that the next program gets its own too."""
        call("pid namespace", self.numbers["unshare"], CLONE_NEWPID)
        pid = os.fork()
        if pid:
            call("pid namespace return", self.numbers["setns"], self.own_namespace, CLONE_NEWPID)
        return pid

    def restrict_files(self, scratch, may_execute):
        """Landlock for this child: the host's rules and the scratch folder, which is new each time."""
        ruleset = call("landlock ruleset", self.numbers["landlock_create_ruleset"], self.landlock, len(self.landlock), 0)
        strip = 0 if may_execute else self.execute
        for folder, rights in [*self.rules, (scratch, self.scratch_rights)]:
            rule = struct.pack("<Qi", rights & ~strip, folder)
            call("landlock rule", self.numbers["landlock_add_rule"], ruleset, 1, rule, 0)
        call("landlock restrict", self.numbers["landlock_restrict_self"], ruleset, 0)

    def drop_capabilities(self):
        call("ambient capabilities", self.numbers["prctl"], PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
        header, nothing = struct.pack("<Ii", CAPABILITY_VERSION_3, 0), bytes(24)
        call("capabilities", self.numbers["capset"], header, nothing)

    def install(self, index):
        header, _ = self.filters[index]
        call("seccomp", self.numbers["seccomp"], SECCOMP_SET_MODE_FILTER, 0, header)

    def filter_own_calls(self):
        """For this process and every child: what programs may do, and what preparing them takes."""
        self.install(0)
        self.install(1)

    def filter_program_calls(self, processes):
        """For one child: takes away what preparing it took."""
        self.install(3 if processes else 2)


def read_job(descriptor):
    """The job is a length, a JSON header, then the source and the files one after the other."""
    size = os.fstat(descriptor).st_size
    data = os.pread(descriptor, size, 0)
    while len(data) < size:
        data += os.pread(descriptor, size - len(data), len(data))
    (header_size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + header_size])
    position = 8 + header_size
    source = data[position : position + header["source"]]
    position += header["source"]
    files = []
    for path, length in header["files"]:
        files.append((path, data[position : position + length]))
        position += length
    return source, files, header["env"]


def lay_files(files):
    for path, content in files:
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        with open(path, "xb") as file:
            file.write(content)


def limit(numbers):
    processes, _, memory, file_bytes, cpu_seconds, num_tasks = numbers
    tasks = num_tasks if processes else max(num_tasks, THREADS_WITHOUT_PROCESSES)
    for name, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_SIGPENDING, QUEUED_SIGNALS),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NOFILE, DESCRIPTORS),
        # The server itself is one task of this user namespace.
        (resource.RLIMIT_NPROC, tasks + 1),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_AS, memory),
    ):
        # A limit that is already lower stays: raising it is refused, and lower is safe.
        hard = resource.getrlimit(name)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(name, (value, value))


def confine(host, numbers, descriptors):
    """Everything between the fork and the first instruction of the program, in the one order that works."""
    job, stdin, stdout, stderr, channel, status = descriptors
    scratch = os.open(SCRATCH, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    os.chdir(SCRATCH)
    os.umask(0o022)
    source, files, env = read_job(job)
    lay_files(files)
    host.restrict_files(scratch, bool(numbers[0]))
    # The host's own rules hold the numbers below, so no target overwrites a descriptor still needed.
    if min(descriptors) <= STATUS:
        raise SetupError("descriptors: a job descriptor took a reserved number")
    for target, descriptor in enumerate((stdin, stdout, stderr, channel)):
        os.dup2(descriptor, target, inheritable=True)
    os.dup2(status, STATUS, inheritable=False)
    call("close descriptors", host.numbers["close_range"], STATUS + 1, 0xFFFFFFFF, 0)
    os.environ.update(env)
    random.seed()
    limit(numbers)
    host.drop_capabilities()
    host.filter_program_calls(bool(numbers[0]))
    os.write(STATUS, b"k")
    os.close(STATUS)
    return source


def report_failure(error, status):
    """Tells the supervisor that nothing was run, wherever the status pipe is by now."""
    text = ("E%s" % error).encode()
    try:
        os.write(status, text)
    except OSError:
        os.write(STATUS, text)


def report_end(link, child, pidfd):
    """Waits for the child; a supervisor that is gone means nobody may go on running here."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.register(link, select.POLLHUP)
    if pidfd not in [descriptor for descriptor, _ in poll.poll()]:
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    microseconds = [int(seconds * 1e6) for seconds in (usage.ru_utime, usage.ru_stime)]
    return ENDED.pack(status, *microseconds, usage.ru_maxrss)


def serve(host, link):
    """Forks one child per job. Returns only in a child, with its source, confined."""
    while True:
        packet, descriptors, _, _ = socket.recv_fds(link, 256, 6)
        if not packet:
            os._exit(0)
        numbers = JOB.unpack(packet)
        try:
            host.mount_scratch(numbers[1])
            scratch = os.open(SCRATCH, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            child = host.fork()
        except (SetupError, OSError) as error:
            # What half-made state is left is not worth mending: the supervisor starts another host.
            link.send(b"E" + str(error).encode())
            os._exit(1)
        if child == 0:
            link.detach()
            try:
                return confine(host, numbers, descriptors)
            except BaseException as error:
                report_failure(error, descriptors[5])
                os._exit(1)
        for descriptor in descriptors:
            os.close(descriptor)
        pidfd = os.pidfd_open(child)
        socket.send_fds(link, [b"S"], [pidfd, scratch])
        os.close(scratch)
        ended = report_end(link, child, pidfd)
        os.close(pidfd)
        host.unmount_scratch()
        link.send(b"D" + ended)


def start():
    """Warms up, says what was found, and serves. Returns only in a confined child."""
    link = socket.socket(fileno=SOCKET)
    config = json.loads(link.recv(1 << 18))
    warmed = warm(config["warm"])
    try:
        host = Host(config)
        host.filter_own_calls()
    except (SetupError, OSError) as error:
        link.send(b"E" + str(error).encode())
        os._exit(1)
    sys.path[:] = [entry for entry in sys.path if entry] + [SCRATCH]
    # The allocator has read this; the limit on address space must hold a program's threads, not what is reserved for them.
    os.environ.pop("MALLOC_ARENA_MAX", None)
    threading.stack_size(THREAD_STACK)
    about = {"version": sys.version.split()[0], "executable": sys.executable, "warmed": warmed}
    gc.collect()
    gc.freeze()
    link.send(b"R" + json.dumps(about).encode())
    return serve(host, link)


def finish(code):
    """Ends as the interpreter would, without the cost of tearing a warmed interpreter down."""
    import atexit

    try:
        threading._shutdown()
        atexit._run_exitfuncs()
    except BaseException:
        sys.excepthook(*sys.exc_info())
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            code = code or 120
    os._exit(code & 0xFF)


def exit_code(error):
    """What the interpreter makes of an exception that nobody caught."""
    if isinstance(error, SystemExit):
        if error.code is None:
            return 0
        if isinstance(error.code, int):
            return error.code
        print(error.code, file=sys.stderr)
        return 1
    # The first frame is ours, not the program's.
    own = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
    sys.excepthook(type(own), own, own.__traceback__)
    return 1


program = start()
main = types.ModuleType("__main__")
main.__dict__.update(__builtins__=__builtins__, __file__="main.py")
server, sys.modules["__main__"], sys.argv = sys.modules["__main__"], main, ["main.py"]
try:
    exec(compile(program, "main.py", "exec", dont_inherit=True), main.__dict__)
except BaseException as error:
    finish(exit_code(error))
finish(0)
