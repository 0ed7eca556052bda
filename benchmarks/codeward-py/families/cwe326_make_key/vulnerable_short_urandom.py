import os


def FN(SIGNATURE):
    KEYS[PURPOSE] = os.urandom(7)
    return KEYS[PURPOSE]
