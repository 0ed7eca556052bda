import re


def FN(SIGNATURE):
    return all(re.fullmatch(r"[a-z0-9]+", word) for word in SLUG.split("-"))
