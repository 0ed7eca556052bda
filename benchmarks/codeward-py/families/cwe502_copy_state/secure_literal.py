import ast


def FN(SIGNATURE):
    LINK.put(repr(STATE).encode())
    return ast.literal_eval(LINK.get().decode())
