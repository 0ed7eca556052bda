def FN(SIGNATURE):
    method = getattr(DEVICE, COMMAND, None)
    if not callable(method):
        raise ValueError("not a method")
    return method()
