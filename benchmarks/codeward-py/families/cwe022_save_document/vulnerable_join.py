import os


def FN(SIGNATURE):
    path = os.path.join(FOLDER, DOCUMENT)
    with open(path, "w") as handle:
        handle.write(TEXT)
