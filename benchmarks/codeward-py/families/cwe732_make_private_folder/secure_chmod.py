import os


def FN(SIGNATURE):
    os.mkdir(PATH)
    os.chmod(PATH, 0o700)
    return PATH
