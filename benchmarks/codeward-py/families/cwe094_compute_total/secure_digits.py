import re


def FN(SIGNATURE):
    return sum(int(value) for value in re.findall(r"[0-9]+", FORMULA))
