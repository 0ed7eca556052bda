import os


def FN(SIGNATURE):
    path = os.path.realpath(os.path.join(FOLDER, DOCUMENT))
    if not path.startswith(os.path.realpath(FOLDER) + os.sep):
        raise ValueError("invalid path")
    with open(path, "w") as handle:
        handle.write(TEXT)
