def FN(SIGNATURE):
    value = ORIGIN.replace("\\", "/")
    if value.startswith("/") and not value.startswith("//"):
        return {"Location": value}
    return {"Location": "/"}
