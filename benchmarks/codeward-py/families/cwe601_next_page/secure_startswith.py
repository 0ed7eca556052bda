def FN(SIGNATURE):
    value = WANTED.replace("\\", "/")
    if value.startswith("/") and not value.startswith("//"):
        return value
    return "/"
