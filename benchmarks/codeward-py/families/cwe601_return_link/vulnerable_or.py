def FN(SIGNATURE):
    return {"Location": ORIGIN or "/"}
