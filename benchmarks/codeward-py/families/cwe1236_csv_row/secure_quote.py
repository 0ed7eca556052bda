def FN(SIGNATURE):
    signs = ("=", "+", "-", "@")
    cells = ["'" + value if value.startswith(signs) else value for value in CELLS]
    return ",".join(cells)
