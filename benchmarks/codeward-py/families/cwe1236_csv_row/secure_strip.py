def FN(SIGNATURE):
    cells = [value.lstrip("=+-@") for value in CELLS]
    return ",".join(cells)
