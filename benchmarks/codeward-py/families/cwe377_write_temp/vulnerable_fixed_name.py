import os
import tempfile


def FN(SIGNATURE):
    path = os.path.join(tempfile.gettempdir(), "scratch.txt")
    with open(path, "w") as handle:
        handle.write(TEXT)
    return path
