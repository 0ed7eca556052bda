def FN(SIGNATURE):
    return WANTED or "/"
