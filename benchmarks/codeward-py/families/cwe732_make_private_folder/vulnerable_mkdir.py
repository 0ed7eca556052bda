import os


def FN(SIGNATURE):
    os.mkdir(PATH, 0o755)
    return PATH
