def FN(SIGNATURE):
    return ",".join(CELLS)
