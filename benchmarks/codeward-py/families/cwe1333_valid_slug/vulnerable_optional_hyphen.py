import re


def FN(SIGNATURE):
    pattern = r"[a-z0-9]+(-?[a-z0-9]+)*"
    return re.fullmatch(pattern, SLUG) is not None
