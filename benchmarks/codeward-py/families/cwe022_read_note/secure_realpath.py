import os


def FN(SIGNATURE):
    path = os.path.realpath(os.path.join(FOLDER, NOTE))
    if not path.startswith(os.path.realpath(FOLDER) + os.sep):
        raise ValueError("invalid path")
    with open(path) as handle:
        return handle.read()
