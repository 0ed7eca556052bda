import os


def FN(SIGNATURE):
    path = os.path.join(FOLDER, os.path.basename(NOTE))
    with open(path) as handle:
        return handle.read()
