import os


def FN(SIGNATURE):
    name = os.path.basename(NAME)
    path = os.path.join(FOLDER, name)
    with open(path, "wb") as handle:
        handle.write(DATA)
    return path
