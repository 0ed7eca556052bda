"""The warmed interpreter inside one sandbox host: it forks one child per program and never reads a program itself.

With namespaces it is process 1 of the host's pid namespace, with CAP_SYS_ADMIN over the host's own user namespace and nothing
else. For each job it sees to an empty scratch folder, forks into a new pid namespace, and reports how the child ended. Only the
child reads the job, after the fork; it confines itself, says so on the status socket together with a pidfd of its own, the
scratch folder and the descriptor on which the kernel will ask about its system calls, closes them all, and only then compiles
and runs the program, or becomes it.

Messages on descriptor 3 (one packet each):
  in   first the configuration (JSON), then jobs: numbers, with the descriptors job, stdin, stdout, stderr, channel,
       status and, for a compiled program, what to execute; a name with one descriptor is a module to load for
       the programs from there on
  out  R + JSON (ready; with the loopback listener, where there is one), L (loaded), D + how it ended, E + text (set-up failed,
       nothing was run)

A child's words on its status socket: w with its pidfd (waits for g, when it is to be put into a control group), k with its
pidfd, the scratch folder and the kernel's questions (confined), E + text (set-up failed), W + how the program it became ended.
"""

import _sitebuiltins
import atexit
import builtins
import ctypes
import errno
import functools
import gc
import json
import logging
import os
import random
import resource
import socket
import struct
import sys
import threading
import types

SOCKET = 3
STATUS = 4
FOLDER = 5
EXECUTABLE = 6
# Sizes of the scratch folder, of the source and of the rest, the folder's number, filter, switches, and the limits that differ.
JOB = struct.Struct("<4Q2I5Q")
CAN_ASK, MAY_EXECUTE, NETWORK, QUERIES, WAIT, HAS_EXECUTABLE = (1 << bit for bit in range(6))
# The descriptors that come with a job, without and with something to execute, and the one that comes with a module.
SIX, SEVEN, ONE = struct.Struct("6i"), struct.Struct("7i"), struct.Struct("i")
# Of the numbers that the kernel keeps of a process: user time, system time, largest resident set.
USAGE_BYTES = 40
CAPABILITY_VERSION_3 = 0x20080522
CLONE_NEWPID, SIGCHLD = 0x20000000, 17
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_NOATIME = 2, 4, 8, 1024
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1
SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER = 1, 8
LOOPBACK = ("127.0.0.1", 8080)
THREAD_STACK = 2 << 20
# The place of this parameter of sqlite3.connect.
CONNECT_FACTORY = 5
# Why starting a program may fail that says nothing about the program.
HOST_FAULTS = (errno.EPERM, errno.ENOMEM, errno.EAGAIN, errno.ETXTBSY, errno.EMFILE, errno.ENFILE, errno.EIO)

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
# Keeps the interpreter's lock across the call, as a copy of this process needs it.
locked_libc = ctypes.PyDLL(None)
locked_libc.syscall.restype = ctypes.c_long


class SetupError(Exception):
    """A step that must succeed before a program may run did not."""


def call(step, number, *arguments):
    """One system call; raises with the step's name when the kernel refuses it."""
    longs = [ctypes.c_long(item) if isinstance(item, int) else item for item in arguments]
    result = libc.syscall(ctypes.c_long(number), *longs)
    if result < 0:
        raise SetupError(step + ": " + os.strerror(ctypes.get_errno()))
    return result


def prepared(step, number, *arguments):
    """A system call that is made again and again with the same arguments."""
    values = [ctypes.c_long(item) if isinstance(item, int) else item for item in (number, *arguments)]
    syscall, get_errno = libc.syscall, ctypes.get_errno

    def make():
        result = syscall(*values)
        if result < 0:
            raise SetupError(step + ": " + os.strerror(get_errno()))
        return result

    return make


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


class Scratch:
    """The folder programs may write to: used again when the last program left no trace in it, made anew otherwise."""

    def __init__(self, host):
        self.host = host
        self.path = None
        self.folder = None
        self.rulesets = {}
        self.answer = ctypes.create_string_buffer(256)

    def prepare(self, num_bytes, number):
        """Makes sure of an empty folder of this size. Without namespaces the supervisor has made one for each job."""
        if not self.host.has_namespaces:
            self.release()
            self.open("%s/%d" % (self.host.scratch_base, number))
        elif self.folder is None or self.num_bytes != num_bytes or self.trace() != self.untouched:
            if self.folder is not None:
                self.release()
                call("scratch unmount", self.host.numbers["umount2"], ctypes.c_char_p(b"/tmp"), MNT_DETACH)
            self.mount(num_bytes)
            self.open("/tmp")
            self.num_bytes, self.untouched = num_bytes, self.trace()

    def mount(self, num_bytes):
        options = "size=%d,nr_inodes=1024,mode=0700,uid=%d,gid=%d" % (num_bytes, os.getuid(), os.getgid())
        call(
            "scratch mount", self.host.numbers["mount"], ctypes.c_char_p(b"scratch"), ctypes.c_char_p(b"/tmp"),
            ctypes.c_char_p(b"tmpfs"), MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME, ctypes.c_char_p(options.encode()),
        )  # fmt: skip

    def trace(self):
        """What the kernel says of the folder, which changes with anything that is done to it: the size with each entry, the
        time of change, which nobody in here can turn back, with the rest."""
        self.ask()
        return self.answer.raw

    def open(self, path):
        self.path = path
        self.folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.ask = prepared("scratch status", self.host.numbers["fstat"], self.folder, self.answer)

    def release(self):
        for descriptor in [self.folder, *(ruleset for ruleset, _ in self.rulesets.values())]:
            if descriptor is not None:
                os.close(descriptor)
        self.folder, self.rulesets = None, {}

    def ruleset(self, may_execute, network):
        """Landlock rules for this folder and everything the host shows, kept for as long as the folder is."""
        key = may_execute, network
        if self.host.landlock and key not in self.rulesets:
            ruleset = self.host.make_ruleset(self.folder, may_execute, network)
            restrict = prepared("landlock restrict", self.host.numbers["landlock_restrict_self"], ruleset, 0)
            self.rulesets[key] = ruleset, restrict
        return self.rulesets.get(key)


class Host:
    """What stays the same for every program: filters, Landlock rules, and the way back to our own pid namespace."""

    def __init__(self, config):
        self.numbers = config["numbers"]
        self.has_namespaces = config["has_namespaces"]
        self.scratch_base = config["scratch_base"]
        self.filters = [self.load_filter(text) for text in config["filters"]]
        self.landlock = config["landlock"]
        self.rules = []
        if self.landlock:
            for path, rights in self.landlock["rules"]:
                self.rules.append((os.open(path, os.O_PATH | os.O_CLOEXEC), rights))
        self.scratch = Scratch(self)
        # Made once: what is behind the number changes with each child. To be made, there must be some socket.
        os.dup2(SOCKET, STATUS, inheritable=False)
        self.status = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, STATUS)
        os.dup2(0, STATUS, inheritable=False)
        self.prepare_calls()

    @staticmethod
    def load_filter(text):
        """A filter program as the kernel wants it: a count and a pointer. The buffer must live as long as the server."""
        code = ctypes.create_string_buffer(bytes.fromhex(text), len(text) // 2)
        header = struct.pack("HxxxxxxP", len(text) // 16, ctypes.addressof(code))
        return ctypes.create_string_buffer(header, len(header)), code

    def listen(self):
        """Somebody to reach on the private loopback device, for programs that may use it. The supervisor does the listening."""
        if not self.has_namespaces:
            return []
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(LOOPBACK)
        listener.listen(64)
        return [listener]

    def fork(self):
        """Copies this process into a new pid namespace: the copy's number, 0 in the copy.

        With one thread there is nothing that the interpreter's own way to fork would have to put in order: the copy is
        process 1 of its namespace as this one is of its own, so not even the numbers that libraries remember change.
        """
        if not self.has_namespaces:
            return os.fork()
        pid = locked_libc.syscall(*self.clone)
        if pid < 0:
            raise SetupError("pid namespace: the system has no room for another process")
        return pid

    def wait(self, pid):
        """Waits for a child: how it ended, and what it and those that it had waited for have used, as the kernel writes it."""
        status, usage = self.ended
        if locked_libc.wait4(pid, status, 0, usage) != pid:
            # There is no way to go on without knowing; the supervisor starts another host.
            os._exit(1)
        return status.raw + usage.raw[:USAGE_BYTES]

    def make_ruleset(self, scratch, may_execute, network):
        files, ports, scopes = self.landlock["handled"]
        handled = struct.pack("<3Q", files, 0 if network else ports, scopes)[: self.landlock["size"]]
        ruleset = call("landlock ruleset", self.numbers["landlock_create_ruleset"], handled, len(handled), 0)
        strip = 0 if may_execute else self.landlock["execute"]
        for folder, rights in [*self.rules, (scratch, self.landlock["scratch"])]:
            rule = struct.pack("<Qi", rights & ~strip, folder)
            call("landlock rule", self.numbers["landlock_add_rule"], ruleset, 1, rule, 0)
        return ruleset

    def prepare_calls(self):
        """System calls that are made for every child, put together once: each page that is touched has to be copied."""
        number = self.numbers
        zero = ctypes.c_long(0)
        flags = ctypes.c_long(CLONE_NEWPID | SIGCHLD)
        self.clone = ctypes.c_long(number["clone"]), flags, zero, zero, zero, zero
        self.ended = ctypes.create_string_buffer(4), ctypes.create_string_buffer(256)
        nothing = ctypes.c_char_p(bytes(24))
        # Without the permitted set there is no ambient one either.
        version = ctypes.c_char_p(struct.pack("<Ii", CAPABILITY_VERSION_3, 0))
        self.drop_capabilities = prepared("capabilities", number["capset"], version, nothing)
        self.close_rest = prepared("close descriptors", number["close_range"], FOLDER + 1, 0xFFFFFFFF, 0)
        self.close_beyond_executable = prepared("close descriptors", number["close_range"], EXECUTABLE + 1, 0xFFFFFFFF, 0)
        self.installs = {}
        for index, (header, _) in enumerate(self.filters):
            for flags in (0, SECCOMP_FILTER_FLAG_NEW_LISTENER):
                self.installs[index, flags] = prepared(
                    "seccomp", number["seccomp"], SECCOMP_SET_MODE_FILTER, flags, ctypes.cast(header, ctypes.c_char_p)
                )

    def install(self, index, flags=0):
        """Adds a filter. With the flag for it, the answer is the descriptor on which the kernel asks about refused calls."""
        return self.installs[index, flags]()

    def filter_own_calls(self):
        """For this process and every child: what programs may do, and what preparing them takes."""
        if self.filters:
            self.install(0)
            self.install(1)

    def can_ask(self):
        """Whether the kernel will ask somebody about system calls. Some container runtimes take the one place for it."""
        child = os.fork()
        if child == 0:
            try:
                self.install(2, SECCOMP_FILTER_FLAG_NEW_LISTENER)
            except SetupError:
                os._exit(1)
            os._exit(0)
        return os.waitpid(child, 0)[1] == 0


class Job:
    """One job: numbers, and in the child what they are about: source, files, variables, arguments."""

    __slots__ = ("scratch_bytes", "source_bytes", "rest_bytes", "number", "filter", "switches", "limits",
                 "source", "files", "env", "arguments")  # fmt: skip

    def __init__(self, packet):
        (self.scratch_bytes, self.source_bytes, self.rest_bytes, self.number,
         self.filter, self.switches, *self.limits) = JOB.unpack(packet)  # fmt: skip

    def read(self, descriptor):
        """Only the child does this. The source comes first, then a length and JSON, and the files one after the other."""
        self.source = read_all(descriptor, self.source_bytes, 0)
        self.files, self.env, self.arguments = (), None, ()
        if self.rest_bytes:
            rest = read_all(descriptor, self.rest_bytes, self.source_bytes)
            (size,) = struct.unpack_from("<Q", rest)
            position = 8 + size
            described = json.loads(rest[8:position])
            self.env, self.arguments, self.files = described["env"], described["arguments"], []
            for path, length in described["files"]:
                self.files.append((path, rest[position : position + length]))
                position += length


def read_all(descriptor, size, position):
    data = os.pread(descriptor, size, position)
    while len(data) < size:
        data += os.pread(descriptor, size - len(data), position + len(data))
    return data


def lay_files(files):
    for path, content in files:
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        with open(path, "xb") as file:
            file.write(content)


def limit(pairs, ceilings):
    for name, value in pairs:
        # A limit that is already lower stays: raising it is refused, and lower is safe.
        value = min(value, ceilings[name])
        resource.setrlimit(name, (value, value))


def find_ceilings():
    """The limits that this process itself is under."""
    kinds = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
    ceilings = {kind: resource.getrlimit(kind)[1] for kind in kinds}
    return {kind: sys.maxsize if value == resource.RLIM_INFINITY else value for kind, value in ceilings.items()}


def limit_program(host, job):
    tasks, seconds, file_bytes, memory_kind, memory = job.limits
    limit((
        (resource.RLIMIT_FSIZE, file_bytes), (resource.RLIMIT_NPROC, tasks), (resource.RLIMIT_CPU, seconds),
        (memory_kind, memory),
    ), host.ceilings)  # fmt: skip


def report_queries():
    """Tells the observer every statement that an embedded SQLite runs."""
    try:
        import sqlite3
    except ImportError:
        return
    prctl, tell = server_numbers["prctl"], server_numbers["tell"]
    connect = sqlite3.connect

    def seen(statement):
        text = statement.encode("utf-8", "replace")
        libc.syscall(ctypes.c_long(prctl), ctypes.c_long(tell), text, ctypes.c_long(len(text)))

    # An audit hook for new connections is no place for this: there a connection cannot be given a callback yet.
    class Connection(sqlite3.Connection):
        def __init__(self, *arguments, **named):
            super().__init__(*arguments, **named)
            self.set_trace_callback(seen)

    @functools.wraps(connect)
    def connect_watched(*arguments, **named):
        if len(arguments) <= CONNECT_FACTORY:
            named.setdefault("factory", Connection)
        return connect(*arguments, **named)

    Connection.__module__, Connection.__qualname__ = "sqlite3", "Connection"
    for module in (sqlite3, sqlite3.dbapi2):
        module.Connection, module.connect = Connection, connect_watched


def introduce(host, own):
    """Lets the supervisor put this process, and all it will ever start, into a control group."""
    send_packet(host.status, b"w", [own])
    if host.status.recv(1) != b"g":
        os._exit(1)


def say_confined(host, job, own):
    """Puts the last filter in place and says so, with a pidfd of process 1 of this program and its scratch folder; the kernel's
    questions from here on go to the supervisor."""
    descriptors = [own, FOLDER]
    if host.filters:
        flags = SECCOMP_FILTER_FLAG_NEW_LISTENER if job.switches & CAN_ASK else 0
        listener = host.install(job.filter, flags)
        if flags:
            descriptors.append(listener)
    send_packet(host.status, b"k", descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    # Becoming a program closes it; until then there may be something to report.
    if not job.arguments:
        host.status.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, host.descriptors)


def send_packet(link, packet, descriptors):
    """One packet with descriptors."""
    rights = b"".join([descriptor.to_bytes(4, sys.byteorder) for descriptor in descriptors])
    link.sendmsg((packet,), ((socket.SOL_SOCKET, socket.SCM_RIGHTS, rights),) if descriptors else ())


def confine(host, descriptors, job):
    """Everything between the fork and the first instruction of the program, in the one order that works."""
    source, stdin, stdout, stderr, channel, status = descriptors[:6]
    scratch = host.scratch
    os.chdir(scratch.path)
    job.read(source)
    has_executable = bool(job.switches & HAS_EXECUTABLE)
    if has_executable != (len(descriptors) == 7):
        raise SetupError("descriptors: the job and its descriptors do not agree")
    ruleset = scratch.ruleset(bool(job.switches & MAY_EXECUTE), bool(job.switches & NETWORK))
    lay_files(job.files)
    if ruleset is not None:
        ruleset[1]()
    # The host's own rules hold the numbers below, so no target overwrites a descriptor still needed.
    if min(descriptors) <= EXECUTABLE:
        raise SetupError("descriptors: a job descriptor took a reserved number")
    for target, descriptor in enumerate((stdin, stdout, stderr, channel)):
        os.dup2(descriptor, target, inheritable=True)
    os.dup2(status, STATUS, inheritable=False)
    os.dup2(scratch.folder, FOLDER, inheritable=False)
    if has_executable:
        os.dup2(descriptors[6], EXECUTABLE, inheritable=False)
        host.close_beyond_executable()
    else:
        host.close_rest()
    own = os.pidfd_open(os.getpid())
    if job.env:
        os.environ.update(job.env)
    if scratch.path != "/tmp":
        os.environ["TMPDIR"] = scratch.path
    if host.has_namespaces:
        host.drop_capabilities()
    else:
        # There is no namespace that ends with the server.
        call("parent death signal", host.numbers["prctl"], PR_SET_PDEATHSIG, 9, 0, 0, 0)
    if job.switches & WAIT:
        introduce(host, own)
    if job.switches & QUERIES:
        report_queries()
    if job.arguments:
        become(host, job, own)
    limit_program(host, job)
    say_confined(host, job, own)
    # Freeing what is not needed any more would touch its pages.
    host.kept = host.kept, job, descriptors
    return job.source


def become(host, job, own):
    """Turns a process into a compiled program, or into the interpreter of another language.

    With namespaces it is not process 1, on which the kernel plays by other rules for signals, but a child of it: process 1
    stays here, out of the program's reach, and says how it ended.
    """
    arguments = job.arguments
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    limit_program(host, job)
    if host.has_namespaces:
        program = os.fork()
        if program:
            os._exit(await_program(program))
    say_confined(host, job, own)
    try:
        os.execve(EXECUTABLE if job.switches & HAS_EXECUTABLE else arguments[0], arguments, environment)
    except OSError as error:
        text = "starting %s: %s" % (arguments[0], os.strerror(error.errno))
        if job.switches & HAS_EXECUTABLE and error.errno not in HOST_FAULTS:
            # What cannot be started was built so, or a program could choose not to be judged.
            os.write(2, text.encode())
            os._exit(127)
        os.write(STATUS, b"E" + text.encode())
    os._exit(1)


def await_program(program):
    """Collects whoever ends in here until the program does; what it has started ends with us."""
    os.closerange(0, STATUS)
    while True:
        child, status = os.wait()
        if child == program:
            os.write(STATUS, b"W" + struct.pack("<i", status))
            return 0


def report_failure(error, status):
    """Tells the supervisor that nothing was run, wherever the status socket is by now."""
    text = ("E%s" % error).encode()
    try:
        os.write(status, text)
    except OSError:
        os.write(STATUS, text)


def load(name, descriptor):
    """A module that programs may import. It is the caller's own and trusted as this file is; no program has had a say in it."""
    source = read_all(descriptor, os.fstat(descriptor).st_size, 0)
    os.close(descriptor)
    module = types.ModuleType(name)
    module.__file__ = name + ".py"
    exec(compile(source, module.__file__, "exec", dont_inherit=True), module.__dict__)
    sys.modules[name] = module
    gc.collect()
    gc.freeze()


def serve(host, link):
    """Forks one child per job. Returns only in a child, with its source, confined."""
    scratch = host.scratch
    os.umask(0o022)
    room = socket.CMSG_SPACE(7 * 4)
    while True:
        packet, messages, _, _ = link.recvmsg(128, room)
        if not packet:
            os._exit(0)
        rights = messages[0][2]
        if len(rights) == ONE.size:
            try:
                load(packet.decode(), *ONE.unpack(rights))
            except BaseException as error:
                link.send(("Emodule %s: %s" % (packet.decode(), error)).encode())
                os._exit(1)
            link.send(b"L")
            continue
        descriptors = (SIX if len(rights) == SIX.size else SEVEN).unpack(rights)
        job = Job(packet)
        try:
            scratch.prepare(job.scratch_bytes, job.number)
            # Made here, where it is kept for the programs after this one.
            scratch.ruleset(bool(job.switches & MAY_EXECUTE), bool(job.switches & NETWORK))
            # Here, not in the child, where it would copy pages that few programs need.
            random.seed(int.from_bytes(os.urandom(16), "little"))
            child = host.fork()
        except (SetupError, OSError) as error:
            # What half-made state is left is not worth mending: the supervisor starts another host.
            link.send(b"E" + str(error).encode())
            os._exit(1)
        if child == 0:
            link.detach()
            try:
                return confine(host, descriptors, job)
            except BaseException as error:
                report_failure(error, descriptors[5])
                os._exit(1)
        for descriptor in descriptors:
            os.close(descriptor)
        link.send(b"D" + host.wait(child))


def add_exits():
    """What the site module gives every program, and programs use: it is not loaded here, as it looks for packages."""
    for name in ("exit", "quit"):
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D (i.e. EOF)"))


def start():
    """Warms up, says what was found, and serves. Returns only in a confined child."""
    global server_numbers
    link = socket.socket(fileno=SOCKET)
    config = json.loads(link.recv(1 << 19))
    # Numbers that a child needs for itself are never given to a job's descriptors.
    for number in (STATUS, FOLDER, EXECUTABLE):
        os.dup2(0, number, inheritable=False)
    warmed = warm(config["warm"])
    server_numbers = config["numbers"]
    try:
        host = Host(config)
        listeners = host.listen()
        host.filter_own_calls()
        can_ask = bool(host.filters) and host.can_ask()
    except (SetupError, OSError) as error:
        link.send(b"E" + str(error).encode())
        os._exit(1)
    add_exits()
    # Put back where a program has given it something to do.
    atexit.unregister(logging.shutdown)
    sys.path[:] = [entry for entry in sys.path if entry]
    if host.has_namespaces:
        sys.path.append("/tmp")
    # The allocator has read this; the limit on address space must hold a program's threads, not what is reserved for them.
    os.environ.pop("MALLOC_ARENA_MAX", None)
    threading.stack_size(THREAD_STACK)
    # What is the same for every program is limited here, once.
    host.ceilings = find_ceilings()
    most = host.ceilings[resource.RLIMIT_NOFILE]
    host.descriptors = (min(config["descriptors"], most),) * 2
    # Whoever prepares programs may send descriptors whatever programs have on their way.
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    limit(config["limits"], host.ceilings)
    about = {"version": sys.version.split()[0], "executable": sys.executable, "warmed": warmed, "can_ask": can_ask}
    gc.collect()
    gc.freeze()
    socket.send_fds(link, [b"R" + json.dumps(about).encode()], [listener.fileno() for listener in listeners])
    for listener in listeners:
        listener.close()
    # Freed here, not in each child on its way out.
    del config, about, warmed, listeners
    host.kept = link
    return serve(host, link)


def finish(code):
    """Ends as the interpreter would, without the cost of tearing a warmed interpreter down."""
    try:
        # With one thread there is none to wait for.
        if len(threading._active) > 1 or getattr(threading, "_threading_atexits", None):
            threading._shutdown()
        # The handler that is always there writes to standard error and holds nothing back.
        if len(logging._handlerList) > 1:
            atexit.register(logging.shutdown)
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


main = types.ModuleType("__main__")
main.__dict__.update(__builtins__=__builtins__, __file__="main.py")
server, sys.modules["__main__"], sys.argv = sys.modules["__main__"], main, ["main.py"]
program = start()
try:
    exec(compile(program, "main.py", "exec", dont_inherit=True), main.__dict__)
except BaseException as error:
    finish(exit_code(error))
finish(0)
