def FN(SIGNATURE):
    LINK.put(repr(STATE).encode())
    return eval(LINK.get().decode())
