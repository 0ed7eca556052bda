def FN(SIGNATURE):
    if ORIGIN:
        return {"Location": ORIGIN}
    return {"Location": "/"}
