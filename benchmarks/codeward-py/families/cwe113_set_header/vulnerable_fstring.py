def FN(SIGNATURE):
    return f"{HEADER}: {CONTENT}\r\n"
