import os


def FN(SIGNATURE):
    KEYS[PURPOSE] = os.urandom(32)
    return KEYS[PURPOSE]
