def FN(SIGNATURE):
    allowed = {"start": DEVICE.start, "stop": DEVICE.stop, "status": DEVICE.status}
    return allowed[COMMAND]()
