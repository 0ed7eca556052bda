import os


def FN(SIGNATURE):
    os.mkdir(PATH)
    os.chmod(PATH, 0o777)
    return PATH
