import os


def FN(SIGNATURE):
    return os.urandom(SIZE).hex()
