import os
import tempfile


def FN(SIGNATURE):
    descriptor, path = tempfile.mkstemp()
    with os.fdopen(descriptor, "w") as handle:
        handle.write(TEXT)
    return path
