def FN(SIGNATURE):
    return getattr(DEVICE, COMMAND)()
