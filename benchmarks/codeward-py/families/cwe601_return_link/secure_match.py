import re


def FN(SIGNATURE):
    if re.match(r"/\w", ORIGIN):
        return {"Location": ORIGIN}
    return {"Location": "/"}
