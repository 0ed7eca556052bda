

# What the statements of a test call. Each observation is a line of standard output.
import json


def _plain(value):
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": bytes(value).decode("latin-1")}
    if isinstance(value, (set, frozenset)):
        return {"set": sorted(value)}
    return {"object": type(value).__name__, "text": str(value)}


def emit(name, value):
    print(json.dumps({"name": name, "returned": value}, default=_plain), flush=True)


def attempt(name, function, *args, **kwargs):
    try:
        value = function(*args, **kwargs)
    except Exception as error:
        print(json.dumps({"name": name, "raised": type(error).__name__}), flush=True)
        return None
    emit(name, value)
    return value


