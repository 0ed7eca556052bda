import re


def FN(SIGNATURE):
    if re.match(r"/\w", WANTED):
        return WANTED
    return "/"
