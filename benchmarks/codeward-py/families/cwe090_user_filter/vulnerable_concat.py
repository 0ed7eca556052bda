def FN(SIGNATURE):
    value = UID.strip()
    return "(uid=" + value + ")"
