import os


def FN(SIGNATURE):
    with open(PATH, "w") as handle:
        os.chmod(PATH, 0o666)
        handle.write(TEXT)
