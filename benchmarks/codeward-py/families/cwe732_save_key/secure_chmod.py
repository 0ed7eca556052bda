import os


def FN(SIGNATURE):
    with open(PATH, "w") as handle:
        os.chmod(PATH, 0o600)
        handle.write(TEXT)
