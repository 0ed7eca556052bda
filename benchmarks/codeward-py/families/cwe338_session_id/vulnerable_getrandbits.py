import random


def FN(SIGNATURE):
    return USER + ":" + "%032x" % random.getrandbits(128)
