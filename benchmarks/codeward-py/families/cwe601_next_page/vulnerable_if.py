def FN(SIGNATURE):
    if WANTED:
        return WANTED
    return "/"
