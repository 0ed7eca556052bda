import os


def FN(SIGNATURE):
    os.mkdir(PATH, 0o700)
    return PATH
