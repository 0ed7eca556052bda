import os


def FN(SIGNATURE):
    path = os.path.join(FOLDER, NOTE)
    with open(path) as handle:
        return handle.read()
