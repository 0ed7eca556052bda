"""Calls functions of one completion with given arguments, inside the sandbox, and reports what each call gave.

The sandbox's interpreter loads this module before there is any completion; in the process of one, `run` is called once.
Standard input holds one marshalled dict: `candidate` (the completion), `adapter`, `token` and `calls`, each a pair of a
function's name and the marshalled arguments. Records leave on descriptor 3, one a line: the token, a space, and a marshalled
tuple in hexadecimal. There is no verdict here: expected values never enter the sandbox.

The completion runs in this interpreter and can get at everything in it. So nothing is asked of its objects: types are told
apart by identity, values are read by the builtin types' own methods, and what is used after its first line has run is bound
before. What it could still forge is a value it would have to know, which is a value it may as well return.
"""


# The exit status that says so outside.
CHANNEL_LOST = 113


def _prepare():
    """Binds what is used once a completion is at work, and takes down what it may not change."""
    import builtins
    import marshal
    import os
    import sys
    import types

    dumps, loads, write, lseek, exit_now = marshal.dumps, marshal.loads, os.write, os.lseek, os._exit
    channel_lost = CHANNEL_LOST
    fstat, get_frame, stdout, stdout_flush = os.fstat, sys._getframe, sys.stdout, sys.stdout.flush
    kind_of, is_subclass, length, execute, OS_ERROR, ANY = type, issubclass, len, exec, OSError, BaseException
    STR, INT, FLOAT, COMPLEX, BYTES, BYTEARRAY = str, int, float, complex, bytes, bytearray
    LIST, TUPLE, DICT, SET, FROZENSET, FUNCTION = list, tuple, dict, set, frozenset, types.FunctionType
    mro_of, name_of = (type.__dict__[name].__get__ for name in ("__mro__", "__name__"))
    module_of, members_of = (type.__dict__[name].__get__ for name in ("__module__", "__dict__"))
    bit_length, hexadecimal, text_of, encoded = int.bit_length, bytes.hex, str.__str__, str.encode
    list_iter, tuple_iter, set_iter, frozenset_iter = list.__iter__, tuple.__iter__, set.__iter__, frozenset.__iter__
    dict_items, everything = dict.items, slice(None)
    # How the base value of an instance of a subclass is had without asking the subclass.
    scalars = (
        (INT, int.__int__), (FLOAT, float.__float__), (COMPLEX, complex.__pos__), (STR, str.__str__),
        (BYTES, lambda value: bytes.__getitem__(value, everything)),
        (BYTEARRAY, lambda value: bytearray.__getitem__(value, everything)),
    )  # fmt: skip
    containers = LIST, TUPLE, DICT, SET, FROZENSET
    library = os.path.dirname(os.__file__)
    ours = globals()
    inspect_file = library + "/inspect.py"
    watched = {
        "sys._getframe": "frame_walk", "sys._current_frames": "frame_walk", "sys._current_exceptions": "frame_walk",
        "gc.get_objects": "heap_search", "gc.get_referrers": "heap_search", "gc.get_referents": "heap_search",
        "sys.settrace": "tracing", "sys.setprofile": "tracing", "sys.addaudithook": "tracing",
        "sys.monitoring.register_callback": "tracing", "object.__getattr__": "frame_walk",
    }  # fmt: skip
    frame_attributes = ("tb_frame", "gi_frame", "cr_frame", "ag_frame")

    class TooLarge(Exception):
        pass

    class TooDeep(Exception):
        pass

    def label(kind):
        return text_of(name_of(kind))[:200]

    def functions_of(module):
        kinds = (types.BuiltinFunctionType, types.FunctionType, type)
        return [(name, value) for name, value in vars(module).items() if type(value) in kinds]

    known = dict(vars(builtins))
    modules = [builtins, os, sys, marshal] + [sys.modules[name] for name in ("json",) if name in sys.modules]
    before = [(vars(module), module.__name__, functions_of(module)) for module in modules]

    module = types.ModuleType("candidate")

    def run():
        payload = loads(sys.stdin.buffer.read())
        max_depth, room = payload["max_depth"], payload["max_bytes"]
        empty, closed = os.pipe()
        os.close(closed)
        os.dup2(empty, 0)
        os.close(empty)
        channel = os.dup(3)
        os.close(3)
        os.set_inheritable(channel, False)
        identity = os.fstat(channel)[1:3]
        start = b"\n" + payload["token"].encode() + b" "

        def report(*record):
            line = start + encoded(hexadecimal(dumps(record, 2))) + b"\n"
            try:
                if fstat(channel)[1:3] != identity:
                    exit_now(channel_lost)
                while line:
                    line = line[write(channel, line) :]
            except OS_ERROR:
                exit_now(channel_lost)

        def encode(value, depth):
            """Exact values of builtin types as they are; the rest as a tuple that starts with Ellipsis, which no value can."""
            nonlocal room
            kind = kind_of(value)
            if value is None or value is True or value is False or kind is FLOAT or kind is COMPLEX:
                room -= 20
                if room < 0:
                    raise TooLarge
                return value
            if kind is INT or kind is STR or kind is BYTES or kind is BYTEARRAY:
                room -= 24 + (bit_length(value) >> 2 if kind is INT else length(value) * (4 if kind is STR else 1))
                if room < 0:
                    raise TooLarge
                return (..., "bytearray", BYTES(value)) if kind is BYTEARRAY else value
            if kind is LIST or kind is TUPLE or kind is DICT or kind is SET or kind is FROZENSET:
                return contents(value, kind, depth)
            name = label(kind)
            room -= 40 + 4 * length(name)
            suspect(kind)
            for base, plain in scalars:
                if is_subclass(kind, base):
                    return ..., "subclass", name, encode(plain(value), depth)
            for base in containers:
                if is_subclass(kind, base):
                    return ..., "subclass", name, contents(value, base, depth)
            if room < 0:
                raise TooLarge
            return ..., "object", name

        def contents(value, base, depth):
            nonlocal room
            room -= 32
            if room < 0:
                raise TooLarge
            if depth >= max_depth:
                raise TooDeep
            depth += 1
            if base is LIST:
                return [encode(item, depth) for item in list_iter(value)]
            if base is TUPLE:
                return TUPLE([encode(item, depth) for item in tuple_iter(value)])
            if base is DICT:
                return ..., "dict", [(encode(key, depth), encode(item, depth)) for key, item in dict_items(value)]
            if base is SET:
                return ..., "set", [encode(item, depth) for item in set_iter(value)]
            return ..., "frozenset", [encode(item, depth) for item in frozenset_iter(value)]

        def suspect(kind):
            """Evidence: the completion's own idea of equality on a value that it returned."""
            try:
                for base in mro_of(kind):
                    method = members_of(base).get("__eq__")
                    if method is None:
                        continue
                    if kind_of(method) is FUNCTION and method.__code__.co_filename == "candidate.py":
                        notice("lying_equality", label(kind) + " defines __eq__")
                    return
            except ANY:
                return

        def returned(value):
            """What is said of a value. Only what is written takes up room."""
            nonlocal room
            room_before = room
            try:
                return "returned", encode(value, 0)
            except TooLarge:
                outcome = ("too_large",)
            except TooDeep:
                outcome = ("too_deep",)
            except ANY as error:
                outcome = "unreadable", label(kind_of(error))
            room = room_before
            return outcome

        def lineage(kind):
            """Each base of an exception's type: its name, its module, and whether it is the builtin of that name."""
            bases = []
            for base in mro_of(kind)[:50]:
                name, module = label(base), module_of(base)
                module = text_of(module)[:200] if kind_of(module) is STR else ""
                bases.append((name, module, known.get(name) is base))
            return bases

        def position():
            """How much has been written to standard output."""
            try:
                if sys.stdout is not stdout:
                    sys.stdout.flush()
                stdout_flush()
                return lseek(1, 0, 1)
            except ANY:
                return None

        noticed = set()

        def notice(what, detail):
            if what not in noticed:
                noticed.add(what)
                report("evidence", what, detail)

        def is_candidates(frame):
            """Whether code that is neither the library's nor ours is at work. What `inspect` does for a caller is the caller's."""
            while frame is not None and frame.f_code.co_filename == inspect_file:
                frame = frame.f_back
            if frame is None or frame.f_globals is ours:
                return False
            file = frame.f_code.co_filename
            return not (file.startswith(library) or file.startswith("<frozen ") or file == "adapter.py")

        is_busy = False

        def watch(event, arguments):
            nonlocal is_busy
            what = watched.get(event)
            if what is None or is_busy or what in noticed:
                return
            is_busy = True
            try:
                if event == "object.__getattr__":
                    if arguments[1] not in frame_attributes:
                        return
                    event = arguments[1]
                if is_candidates(get_frame(1)):
                    notice(what, event)
            except ANY:
                return
            finally:
                is_busy = False

        sys.modules["candidate"] = module
        scope = module.__dict__
        try:
            code = compile(payload["candidate"], "candidate.py", "exec", dont_inherit=True)
            adapter = compile(payload["adapter"], "adapter.py", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError) as error:
            report("stage", "parse", label(type(error)))
            report("done")
            return
        report("stage", "parse", None)
        calls = payload["calls"]
        del payload
        sys.addaudithook(watch)
        try:
            execute(code, scope)
            execute(adapter, scope)
        except ANY as error:
            report("stage", "load", label(kind_of(error)))
            report("done")
            return
        report("stage", "load", None)

        missing = {}
        number = 0
        for function_name, arguments in calls:
            function = scope.get(function_name, missing)
            args, kwargs = loads(arguments)
            before_call = position()
            if function is missing:
                outcome = ("missing",)
            else:
                try:
                    value = function(*args, **kwargs)
                except ANY as error:
                    outcome = "raised", lineage(kind_of(error))
                else:
                    outcome = returned(value)
                    del value
            report("call", number, outcome, before_call, position())
            number += 1
        for members, module_name, functions in before:
            for name, value in functions:
                if members.get(name) is not value:
                    notice("patched", module_name + "." + name)
        report("done")

    return run


run = _prepare()
