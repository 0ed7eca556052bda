"""Runs one test against one completion, inside the sandbox, and reports what was observed.

The sandbox's interpreter loads this module before there is any completion; in the process of one, `run` is called once.
Everything arrives as one marshalled dict on standard input: `candidate` (the completion), `adapter`, `act`, `nonce` and `token`.
Observations leave on descriptor 3, one line each, `<token> <json>`. There is no verdict here: expected values never enter
the sandbox, and whoever reads the lines decides outside. A process that ends without the `done` line has not finished.
"""


def _prepare():
    """Binds what is used once a completion is at work, so that replacing it in its module changes nothing."""
    import json
    import marshal
    import os
    import sys
    import types

    loads, write, encoded = marshal.loads, os.write, json.JSONEncoder(ensure_ascii=True).encode
    module = types.ModuleType("candidate")

    def run():
        payload = loads(sys.stdin.buffer.read())
        empty, closed = os.pipe()
        os.close(closed)
        os.dup2(empty, 0)
        os.close(empty)
        channel = os.dup(3)
        os.close(3)
        os.set_inheritable(channel, False)
        token = payload["token"]

        def report(**record):
            line = (token + " " + encoded(record) + "\n").encode()
            while line:
                line = line[write(channel, line) :]

        def plain(value, depth=0):
            if depth > 20:
                return {"object": "nested", "text": "..."}
            if value is None or value is True or value is False:
                return value
            if isinstance(value, int):
                value = int(value)
                return value if -(2**63) <= value < 2**63 else {"object": "int", "text": hex(value)[:4000]}
            if isinstance(value, float):
                value = float(value)
                return value if value - value == 0 else {"object": "float", "text": float.__repr__(value)}
            if isinstance(value, str):
                return str.__str__(value)[:200000]
            if isinstance(value, (bytes, bytearray)):
                return {"bytes": bytes(value)[:200000].decode("latin-1")}
            if isinstance(value, (list, tuple)):
                return [plain(item, depth + 1) for item in list(value)[:10000]]
            if isinstance(value, (set, frozenset)):
                return {"set": sorted((plain(item, depth + 1) for item in list(value)[:10000]), key=encoded)}
            if isinstance(value, dict):
                items = [(plain(key, depth + 1), plain(item, depth + 1)) for key, item in list(value.items())[:10000]]
                if all(isinstance(key, str) for key, _ in items):
                    return dict(items)
                return {"items": [list(item) for item in items]}
            return {"object": type(value).__name__, "text": str(value)[:4000]}

        def emit(name, value):
            report(observe=name, returned=plain(value))

        def attempt(name, function, *args, **kwargs):
            try:
                value = function(*args, **kwargs)
            except Exception as error:
                report(observe=name, raised=type(error).__name__)
                return None
            emit(name, value)
            return value

        sys.modules["candidate"] = module
        scope = module.__dict__
        try:
            code = compile(payload["candidate"], "candidate.py", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError) as error:
            report(stage="parse", failed=type(error).__name__ + ": " + str(error)[:400])
            report(done=True)
            return
        report(stage="parse")
        try:
            exec(code, scope)
            exec(compile(payload["adapter"], "adapter.py", "exec", dont_inherit=True), scope)
            target = scope["target"]
        except Exception as error:
            report(stage="load", failed=type(error).__name__ + ": " + str(error)[:400])
            report(done=True)
            return
        report(stage="load")
        try:
            exec(
                compile(payload["act"], "test.py", "exec", dont_inherit=True),
                {"__name__": "test", "target": target, "emit": emit, "attempt": attempt, "nonce": payload["nonce"]},
            )
        except Exception as error:
            report(stage="act", failed=type(error).__name__ + ": " + str(error)[:400])
            report(done=True)
            return
        report(stage="act")
        sys.stdout.flush()
        report(done=True)

    return run


run = _prepare()
