def FN(SIGNATURE):
    if COMMAND not in ("start", "stop", "status"):
        raise ValueError("not allowed")
    return getattr(DEVICE, COMMAND)()
