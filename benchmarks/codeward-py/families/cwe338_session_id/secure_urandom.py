import os


def FN(SIGNATURE):
    return USER + ":" + os.urandom(16).hex()
