import re


def FN(SIGNATURE):
    pattern = r"[A-Za-z0-9._-]+@([A-Za-z0-9-]+\.?)+\.[A-Za-z0-9-]+"
    return re.fullmatch(pattern, ADDRESS) is not None
