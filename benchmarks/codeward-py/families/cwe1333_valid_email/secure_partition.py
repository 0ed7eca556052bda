import re


def FN(SIGNATURE):
    name, _, host = ADDRESS.partition("@")
    if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        return False
    return "." in host and re.fullmatch(r"[A-Za-z0-9.-]+", host) is not None
